"""The real gateway on the repository, with a fake Stripe: what races there come to in the end."""

import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import httpx

from airport_payments.core.announcements import BookingConfirmed
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import StorageUnavailable
from airport_payments.core.model import BookingStatus
from airport_payments.core.views import ConfirmedPayment, CreatedPayment
from airport_payments.gateway import PaymentGateway
from airport_payments.gateway_async import AsyncPaymentGateway
from airport_payments.repository import AsyncBookingRepository, BookingRepository
from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.signature import sign
from airport_payments.testing.fake_stripe import FakeStripe
from airport_payments.testing.repository_conformance.crashing import COMPARE, ONE_TRANSACTION
from airport_payments.testing.repository_conformance.harness import AnyRepository
from airport_payments.testing.repository_conformance.subject import Subject
from airport_payments.testing.repository_conformance.telling import must
from airport_payments.testing.repository_conformance.values import NOW

if TYPE_CHECKING:
    from collections.abc import Generator

Gateway: TypeAlias = PaymentGateway | AsyncPaymentGateway

KEY: Final = "sk_test_fake"
SECRET: Final = "whsec_only_for_the_conformance_suite"  # noqa: S105 - made up


class Service:
    """A service of the team's: two processes with a gateway each, on one database and one Stripe."""

    def __init__(self, subject: Subject, wrap: Callable[[AnyRepository], AnyRepository]) -> None:
        self.subject = subject
        self.now: datetime = NOW
        self.fake = FakeStripe(KEY, clock=lambda: self.now)
        self.heard: list[BookingConfirmed] = []
        self._clients: list[httpx.Client | httpx.AsyncClient] = []
        self.gateways = [self._gateway(wrap(one)) for one in (subject.repository, subject.another())]

    def _gateway(self, repository: AnyRepository) -> Gateway:
        settings = StripeSettings(KEY, SECRET)
        gateway: Gateway
        if self.subject.asynchronous:
            client = httpx.AsyncClient(transport=self.fake.async_transport(), trust_env=False)
            self._clients.append(client)
            gateway = AsyncPaymentGateway(
                cast("AsyncBookingRepository", repository),
                settings,
                http_client=client,
                clock=lambda: self.now,
                sleep=_no_wait_async,
            )

            async def hear_async(told: BookingConfirmed) -> None:
                self.heard.append(told)

            gateway.on(BookingConfirmed, name="suite")(hear_async)
        else:
            sync = httpx.Client(transport=self.fake.transport(), trust_env=False)
            self._clients.append(sync)
            gateway = PaymentGateway(
                cast("BookingRepository", repository),
                settings,
                http_client=sync,
                clock=lambda: self.now,
                sleep=_no_wait,
            )
            gateway.on(BookingConfirmed, name="suite")(self.heard.append)
        return gateway

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients:
            if isinstance(client, httpx.AsyncClient):
                self.subject.run(client.aclose())
            else:
                client.close()

    def create(self, booking_id: str, gateway: Gateway) -> object:
        """Ask for a payment of a booking, as its owner."""
        harness = self.subject.harness
        return gateway.create_payment(booking_id, owner=harness.owner(1), amount=harness.prices[0])

    def paid(self) -> str:
        """Let a customer open a payment of the first booking and pay it; its webhooks are still under way."""
        created = cast("CreatedPayment", self.subject.run(self.create(self.subject.add().booking.id, self.gateways[0])))
        self.fake.pay(created.payment_intent_id)
        return created.payment_intent_id

    def webhook(self, gateway: Gateway) -> object:
        """Deliver the event that tells of the payment."""
        (event,) = [e for e in self.fake.events.values() if e["type"] == "payment_intent.succeeded"]
        body = json.dumps(event).encode()
        return gateway.handle_webhook(body, sign(body, SECRET, timestamp=int(self.now.timestamp())))

    def confirmed_once(self) -> None:
        """Check that the first booking was confirmed, and that everything says so once."""
        subject = self.subject
        row = subject.row(subject.id())
        must(row is not None and row.status is BookingStatus.CONFIRMED, ONE_TRANSACTION, seen=row)
        told = [one.decision for one in subject.history(subject.id())]
        must(told.count("paid: booking confirmed") == 1, COMPARE, seen=told)
        for _ in range(2):
            for gateway in self.gateways:
                subject.run(gateway.tick())
            self.now += timedelta(seconds=1)
        must(
            len({one.id for one in self.heard}) == 1, f"one confirmation, one announcement. {COMPARE}", seen=self.heard
        )

    def many(self, count: int, call: Callable[[Gateway], object]) -> list[Callable[[], object]]:
        """Return so many calls, by both processes."""
        return [partial(call, self.gateways[n % 2]) for n in range(count)]


def _no_wait(_: float) -> None:
    """Do not wait: the fake is never busy for long."""


async def _no_wait_async(_: float) -> None:
    """Do not wait."""


def _same(repository: AnyRepository) -> AnyRepository:
    return repository


@contextmanager
def service(subject: Subject, wrap: Callable[[AnyRepository], AnyRepository] = _same) -> "Generator[Service]":
    """Open a service, and close it."""
    made = Service(subject, wrap)
    try:
        yield made
    finally:
        made.close()


def fine(answers: Sequence[object], kinds: type | tuple[type, ...]) -> None:
    """Check that all calls had a good end."""
    bad = [answer for answer in answers if not isinstance(answer, kinds)]
    if bad and isinstance(bad[0], BaseException):
        raise AssertionError(
            f"with many at once the gateway failed on this repository: {type(bad[0]).__name__}: {bad[0]}. Where save() "
            "loses a race it returns False, and the next get() sees what the winner wrote"
        ) from bad[0]
    must(not bad, f"with many at once the gateway answered otherwise than alone. {COMPARE}", seen=bad)


class Gateways:
    """The races of a real service."""

    def test_eight_creates_at_once_make_one_payment_intent(self, subject: Subject) -> None:
        """Two PaymentIntents could both be paid."""
        booking_id = subject.add().booking.id
        with service(subject) as shop:
            answers = subject.together(shop.many(8, partial(shop.create, booking_id)))
            fine(answers, CreatedPayment)
            must(len(shop.fake.intents) == 1, COMPARE, seen=f"{len(shop.fake.intents)} PaymentIntents")
            found = {subject.find(intent_id) for intent_id in shop.fake.intents}
            must(found == {booking_id}, "save() writes the index row of an intent with its ledger", seen=found)

    def test_thirty_two_copies_of_one_event_have_one_effect(self, subject: Subject) -> None:
        """Stripe sends an event at least once."""
        with service(subject) as shop:
            shop.paid()
            answers = subject.together(shop.many(32, shop.webhook))
            fine(answers, EventOutcome)
            applied = answers.count(EventOutcome.APPLIED)
            must(applied == 1, COMPARE, seen=f"{applied} of 32 had an effect")
            shop.confirmed_once()

    def test_the_webhook_and_the_confirm_call_at_once_confirm_once(self, subject: Subject) -> None:
        """They bring the same news."""
        with service(subject) as shop:
            intent_id = shop.paid()
            owner = subject.harness.owner(1)

            def confirm(gateway: Gateway) -> object:
                return gateway.confirm_payment(subject.id(), intent_id, owner=owner)

            answers = subject.together([*shop.many(4, shop.webhook), *shop.many(4, confirm)])
            fine(answers, (EventOutcome, ConfirmedPayment))
            shop.confirmed_once()

    def test_a_booking_that_keeps_failing_starves_no_other(self, subject: Subject) -> None:
        """`tick` pages on behind it."""
        failing = {subject.id(1), subject.id(2)}
        with service(subject, lambda repository: cast("AnyRepository", Failing(repository, failing))) as shop:
            for number in range(1, 7):
                ours = subject.add(number).booking
                failing.discard(ours.id)
                subject.run(shop.create(ours.id, shop.gateways[0]))
                subject.write(replace(ours, status=BookingStatus.CANCELLED))
            failing |= {subject.id(1), subject.id(2)}
            for _ in range(4):
                subject.run(shop.gateways[0].tick(limit=2))
            closed = sum(intent["status"] == "canceled" for intent in shop.fake.intents.values())
            must(
                closed == 4,
                "due() pages by id, WHERE id > after ORDER BY id: what stays due on the first page must "
                "not hide what is behind it",
                seen=f"{closed} of 4 payments of cancelled bookings were closed",
            )


class Failing:
    """A repository that cannot read some bookings."""

    def __init__(self, inner: AnyRepository, failing: set[str]) -> None:
        self._inner, self._failing = inner, failing

    def get(self, booking_id: str) -> object:
        """Fail, or return what there is."""
        if booking_id in self._failing:
            raise StorageUnavailable("this booking cannot be read")
        return self._inner.get(booking_id)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)
