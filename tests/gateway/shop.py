"""One harness for both colours of the gateway: a shop with its database, a fake Stripe, a clock, and hooks to break things."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from tests.support import BOOKING_ID, OWNER, PRICE, WEBHOOK_SECRET

from airport_payments.core.model import Booking, Snapshot
from airport_payments.core.money import Money
from airport_payments.core.views import CreatedPayment, TickReport
from airport_payments.gateway import PaymentGateway
from airport_payments.gateway_async import AsyncPaymentGateway
from airport_payments.settings import StripeSettings
from airport_payments.storage.memory import AsyncMemoryBookingRepository, MemoryBookingRepository
from airport_payments.stripe_api.port import StripePort
from airport_payments.stripe_api.port_async import AsyncStripePort
from airport_payments.stripe_api.signature import sign
from airport_payments.testing import FakeStripe

KEY = "sk_test_fake"


class Crash(BaseException):
    """The process dies here: no `except Exception` may hold it up."""


class Hooked:
    """Passes every method on to `inner`, unless the hook raises or returns something to return instead."""

    def __init__(self, inner: object, hook: Callable[..., object], *, asynchronous: bool) -> None:
        self.inner = inner
        self.hook = hook
        self.asynchronous = asynchronous

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self.inner, name)

        def call(*args: object, **named: object) -> object:
            instead = self.hook(name, *args, **named)
            return method(*args, **named) if instead is None else instead

        async def call_async(*args: object, **named: object) -> object:
            instead = self.hook(name, *args, **named)
            await asyncio.sleep(0)
            return await method(*args, **named) if instead is None else instead

        return call_async if self.asynchronous else call


class Shop:
    """Everything that a test of the loop needs, in one colour."""

    def __init__(self, colour: str, *bookings: Booking, **settings: object) -> None:
        self.asynchronous = colour == "async"
        self.now = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
        self.fake = FakeStripe(KEY, clock=lambda: self.now)
        self.settings = StripeSettings(KEY, WEBHOOK_SECRET, **settings)
        self.runner = asyncio.Runner()
        self.hooks: dict[str, Callable[..., object]] = {}
        self.heard: list[Any] = []
        self.ids = 0
        self.handlers = 0
        self.memory = self._of(MemoryBookingRepository, AsyncMemoryBookingRepository)(
            bookings or (Booking(BOOKING_ID, OWNER, PRICE),)
        )
        self.gateway = self.new_gateway()

    def _of(self, sync: Any, asynchronous: Any) -> Any:
        return asynchronous if self.asynchronous else sync

    def new_gateway(self, *, listening: bool = True, **given: object) -> Any:
        """Another process of the shop, over the same database and the same Stripe."""
        if self.asynchronous:
            self.client = httpx.AsyncClient(transport=self.fake.async_transport(), trust_env=False)
        else:
            self.client = httpx.Client(transport=self.fake.transport(), trust_env=False)
        port = self._of(StripePort, AsyncStripePort)(self.settings, client=self.client, sleep=self._no_sleep())
        gateway = self._of(PaymentGateway, AsyncPaymentGateway)(
            Hooked(self.memory, self._hook, asynchronous=self.asynchronous),
            self.settings,
            port=Hooked(port, self._hook, asynchronous=self.asynchronous),
            clock=lambda: self.now,
            new_id=self._new_id,
            **given,
        )
        if listening:
            self.listen(gateway)
        return gateway

    def _hook(self, name: str, *args: object, **named: object) -> object:
        hook = self.hooks.get(name)
        return hook(*args, **named) if hook else None

    def _no_sleep(self) -> Any:
        async def sleep_async(_: float) -> None:
            await asyncio.sleep(0)

        return sleep_async if self.asynchronous else lambda _: None

    def _new_id(self) -> str:
        self.ids += 1
        return f"attempt{self.ids}"

    def handler(self, does: Callable[[Any], object]) -> Callable[[Any], object]:
        """Return a handler of the right colour."""

        async def handle_async(announcement: Any) -> None:
            does(announcement)

        def handle(announcement: Any) -> None:
            does(announcement)

        chosen = handle_async if self.asynchronous else handle
        self.handlers += 1
        chosen.__qualname__ = f"handler{self.handlers}"  # each is a subscriber of its own
        return chosen

    def listen(self, gateway: Any) -> None:
        from airport_payments.core.announcements import Announcement

        gateway.on(Announcement, name="heard")(self.handler(self.heard.append))

    # ---- calls ----

    def run(self, outcome: Any) -> Any:
        """Return what a method returned, in whatever colour."""
        return self.runner.run(outcome) if self.asynchronous else outcome

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """Run calls at once, in threads or tasks. Returns their results, or what they raised, in their order."""
        if not self.asynchronous:
            with ThreadPoolExecutor(len(calls)) as pool:
                futures = [pool.submit(call) for call in calls]
                return [f.exception() or f.result() for f in futures]

        async def gather() -> list[Any]:
            return await asyncio.gather(*[call() for call in calls], return_exceptions=True)

        return self.runner.run(gather())

    def create(
        self, booking_id: str = BOOKING_ID, *, owner: str = OWNER, amount: Money = PRICE, key: str | None = None
    ) -> CreatedPayment:
        return self.run(self.gateway.create_payment(booking_id, owner=owner, amount=amount, idempotency_key=key))

    def confirm(self, intent_id: str, booking_id: str = BOOKING_ID, *, owner: str = OWNER) -> Any:
        return self.run(self.gateway.confirm_payment(booking_id, intent_id, owner=owner))

    def status(self, booking_id: str = BOOKING_ID, *, owner: str = OWNER) -> Any:
        return self.run(self.gateway.payment_status(booking_id, owner=owner))

    def changed(self, booking_id: str = BOOKING_ID, **changes: object) -> None:
        self.team(booking_id, **changes)
        self.run(self.gateway.booking_changed(booking_id))

    def webhook(self, event: dict[str, Any]) -> Any:
        body, header = self.signed(event)
        return self.run(self.gateway.handle_webhook(body, header))

    def handle(self, message: object) -> Any:
        return self.run(self.gateway.handle_event(message))

    def tick(self, gateway: Any = None, after: timedelta = timedelta(0), **named: object) -> TickReport:
        self.pass_time(after)
        return self.run((gateway or self.gateway).tick(**named))

    # ---- the world ----

    def pass_time(self, delta: timedelta) -> None:
        self.now += delta

    def team(self, booking_id: str = BOOKING_ID, **changes: object) -> None:
        """The team changes its row and says nothing."""
        self.memory.put_booking(replace(self.memory.booking(booking_id), **changes))

    def signed(self, event: dict[str, Any]) -> tuple[bytes, str]:
        body = json.dumps(event).encode()
        return body, sign(body, WEBHOOK_SECRET, timestamp=int(self.now.timestamp()))

    def events(self, kind: str = "payment_intent") -> list[dict[str, Any]]:
        """The events that Stripe made so far, oldest first."""
        return [e for e in self.fake.events.values() if e["type"].startswith(kind)]

    def booking(self, booking_id: str = BOOKING_ID) -> Booking:
        return self.memory.booking(booking_id)

    def snapshot(self, booking_id: str = BOOKING_ID) -> Snapshot:
        return self.run(self.memory.get(booking_id))

    def history(self, booking_id: str = BOOKING_ID) -> list[str]:
        return [line.decision for line in self.run(self.memory.history(booking_id))]

    def calls(self, method: str = "POST") -> list[Any]:
        return [r for r in self.fake.requests if r.method == method]

    def close(self) -> None:
        if self.asynchronous:
            self.runner.run(self.client.aclose())
        else:
            self.client.close()
        self.runner.close()


@contextlib.contextmanager
def opened(colour: str, *bookings: Booking, **settings: object) -> Iterator[Shop]:
    shop = Shop(colour, *bookings, **settings)
    try:
        yield shop
    finally:
        shop.close()
