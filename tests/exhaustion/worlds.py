"""The small worlds, and what must hold in every one of them, after every step and in the end."""

import json
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.exhaustion.explorer import Actor, Call, Fault, Killed, Violation, World, point
from tests.simulation.books import WAITING, Books, Intent, Told
from tests.simulation.sched import drive

from airport_payments import AsyncPaymentGateway, Booking, BookingStatus, Money, StripeSettings
from airport_payments.core.announcements import Announcement, BookingConfirmed
from airport_payments.core.commands import Command, Fetch, FindIntent, ListRefunds, RetrieveIntent
from airport_payments.core.decide.table import ATTENTION_AT
from airport_payments.core.errors import StorageUnavailable
from airport_payments.core.facts import PortReply, Unanswered
from airport_payments.core.model import Change, HistoryLine, IntentStatus, PaymentState, Place, Snapshot
from airport_payments.core.refund import RefundState
from airport_payments.storage.memory import AsyncMemoryBookingRepository
from airport_payments.stripe_api.lists import ListPage, ListReply

NOW: Final = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
OLD, NEW = Money(45099, "usd"), Money(39900, "usd")
# Ticks until a world has to be at rest.
MAX_TICKS: Final = 60
SETTINGS: Final = StripeSettings("sk_test_0123456789abcdef", "whsec_0123456789abcdef0123456789")
MANUAL: Final = StripeSettings("sk_test_0123456789abcdef", "whsec_0123456789abcdef0123456789", manual_capture=True)


class Tables:
    """The database, for one actor at a time."""

    def __init__(self, world: "Shop", booking: Booking) -> None:
        self.inner = AsyncMemoryBookingRepository([booking])
        self._world = world

    async def get(self, booking_id: str) -> Snapshot | None:
        await point(Call.READ)
        return self._world.tell(self.inner._get(booking_id))

    async def find(self, payment_intent_id: str) -> str | None:
        await point(Call.READ)
        return self._world.tell(self.inner._find(payment_intent_id))

    async def save(self, change: Change) -> bool:
        fault = await point(Call.SAVE)
        if fault is Fault.CONFLICT:
            return self._world.tell(False)
        if fault is Fault.FAILS:
            raise StorageUnavailable
        saved = self.inner._save(change)
        if saved:
            self._world.saved(change)
        if fault is Fault.DIES:
            raise Killed
        if fault is Fault.UNKNOWN:
            raise StorageUnavailable("the connection was lost while committing")
        return self._world.tell(saved)

    async def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        await point(Call.READ)
        return self._world.tell(self.inner._due_ids(before, after, limit))

    async def history(self, booking_id: str) -> Sequence[HistoryLine]:
        return self.inner._story(booking_id)


class Port:
    """Stripe, for one actor at a time: a call is executed whole, once."""

    def __init__(self, world: "Shop") -> None:
        self._world = world

    async def perform(self, command: Command | Fetch) -> PortReply:
        fault = await point(Call.STRIPE)
        if fault is Fault.FAILS:
            return Unanswered("the connection was refused")
        books = self._world.books
        if isinstance(command, RetrieveIntent | FindIntent | ListRefunds):
            reply = books.read(command, 0)
        else:
            reply = books.execute(command, 0, None)  # type: ignore[arg-type]  # no world asks for a customer
        if fault is Fault.DIES:
            raise Killed
        if fault is Fault.UNKNOWN:
            reply = Unanswered("no answer in time")
        return self._world.tell(reply)

    async def page(self, command: ListPage) -> ListReply:
        raise NotImplementedError(command)

    async def close(self) -> None:
        """Nothing to close."""


class Shop(World):
    """One booking, its database, Stripe, and the real gateway between them.

    Args:
        faults: how many times something goes wrong.
        settings: the gateway's.
    """

    def __init__(self, faults: int, settings: StripeSettings = SETTINGS) -> None:
        super().__init__(faults)
        self.now = NOW
        self.tables = Tables(self, Booking("B1", "alice", OLD))
        self.books = Books(self._changed, lambda: int(self.now.timestamp()), lambda _: RefundState.SUCCEEDED)
        self.events: list[Told] = []
        self.given: list[str] = []
        self.confirmed: list[Money] = []
        self.heard: list[Announcement] = []
        self.prices = {OLD}
        self._ids = 0
        self.gateway = AsyncPaymentGateway(
            self.tables, settings, port=Port(self), clock=lambda: self.now, new_id=self._new_id, sleep=_no_wait,
            draw=lambda: 0.5,
        )  # fmt: skip
        self.gateway.on(Announcement)(self._hear)  # type: ignore[type-abstract]

    # ---- what the gateway needs ----

    def _new_id(self) -> str:
        """Return an id that depends only on who asks, and how often they did."""
        actor = self.current
        if actor is None:
            self._ids += 1
            return f"setup{self._ids}"
        actor.ids += 1
        return f"{actor.name.replace(' ', '_')}{actor.ids}"

    async def _hear(self, news: Announcement) -> None:
        self.heard.append(news)

    def tell(self, what: Any) -> Any:
        """Note what the actor is told."""
        if self.current is not None:
            self.current.hears(what)
        return what

    # ---- what is checked after every step ----

    def saved(self, change: Change) -> None:
        """A change was committed."""
        if change.booking_status is BookingStatus.CONFIRMED:
            self.confirmed.append(change.read.booking.price)
            require(len(self.confirmed) == 1, "S1: the booking is confirmed a second time")
            paid = [i for i in self.books.intents() if i.status is IntentStatus.SUCCEEDED and i.net > 0]
            held = [i for i in self.books.intents() if i.status is IntentStatus.REQUIRES_CAPTURE]
            price = change.read.booking.price.amount_minor
            require(any(i.amount == price for i in [*paid, *held]), "S2: confirmed, and nothing pays its price")
        for payment in change.ledger.payments:
            require(payment.rest_minor >= 0, "S11: more is ordered back than was collected")

    def _changed(self, intent: Intent, told: tuple[Told, ...]) -> None:
        self.events += told
        attempts = [i.attempt for i in self.books.intents()]
        require(len(attempts) == len(set(attempts)), "S5: one attempt has two PaymentIntents")
        require(intent.money.refunded <= intent.received, "S11: more went back than was collected")
        self._payable()

    def _payable(self) -> None:
        payable = [i.id for i in self.books.intents() if i.status in WAITING and i.id in self.given]
        require(len(payable) <= 1, f"S4: a customer can pay {payable}")

    def state(self) -> object:
        """Return all that the database and Stripe hold."""
        tables, books = self.tables.inner, self.books
        return (
            tables._bookings, tables._ledgers, sorted(tables._due.items()), books.intents(), sorted(books._keys.items()),
            len(self.events), self.given, self.confirmed,
        )  # fmt: skip

    # ---- what actors do ----

    def actor(
        self, name: str, act: Callable[[], Coroutine[Any, Any, object] | None], ready: Callable[[], bool] = lambda: True
    ) -> None:
        """Add an actor."""
        self.actors.append(Actor(name, act, ready))

    async def create(self, amount: Money = OLD) -> str:
        """A customer asks for their PaymentIntent, and gets its client secret."""
        payment = await self.gateway.create_payment("B1", owner="alice", amount=amount)
        self.given.append(payment.payment_intent_id)
        require(payment.amount == amount, f"S13: asked to pay {amount}, quoted {payment.amount}")
        self._payable()
        return payment.payment_intent_id

    def customer_pays(self, name: str = "the card") -> None:
        """Add a customer who pays the first PaymentIntent that they were given and that Stripe lets them pay."""

        def open_intents() -> list[Intent]:
            return [i for i in self.books.intents() if i.status in WAITING and i.id in self.given]

        def pay() -> None:
            self.books.deed(open_intents()[0].id, "pay")

        self.actor(name, pay, lambda: bool(open_intents()))

    def delivery(self, name: str, event_type: str) -> None:
        """Add the delivery of the first event of this type, once Stripe made it."""

        def events() -> list[Told]:
            return [told for told in self.events if told[0] == event_type]

        def deliver() -> Coroutine[Any, Any, object]:
            kind, obj = events()[0]
            return self.gateway.handle_event(json.dumps({
                "id": f"evt_{kind}", "object": "event", "type": kind, "created": int(NOW.timestamp()), "livemode": False,
                "api_version": "2026-10-28.endive", "data": {"object": obj},
            }).encode())  # fmt: skip

        self.actor(name, deliver, lambda: bool(events()))

    def reprice(self) -> None:
        """The team writes another price into its own row."""
        booking = self.tables.inner.booking("B1")
        assert booking is not None
        self.prices.add(NEW)
        self.tables.inner.put_booking(Booking("B1", "alice", NEW, booking.status))

    def before(self, work: Callable[[], Coroutine[Any, Any, object]]) -> object:
        """Let something happen before the world begins, with nobody between."""
        return drive(work())

    # ---- the end ----

    def finish(self) -> None:
        """Let the workers do what is due, without any event, and check how it ended: L1 to L5."""
        self.current = None
        for _ in range(MAX_TICKS):
            due = min((at for at in self.tables.inner._due.values() if at < ATTENTION_AT), default=None)
            if due is None and not self.tables.inner._due_ids(self.now, None, 1):
                break
            self.now = max(self.now + timedelta(seconds=1), due or self.now)
            drive(self.gateway.tick())
        else:
            raise Violation("L4: the world does not come to rest")
        self._ended()

    def _ended(self) -> None:
        snapshot = self.tables.inner._get("B1")
        assert snapshot is not None
        ledger, status = snapshot.ledger, snapshot.booking.status
        require(not ledger.effects, f"L4: commands are left: {ledger.effects}")
        require(not any(p.state is PaymentState.OPENING for p in ledger.payments), "L4: an attempt is still opening")
        left = [i.id for i in self.books.intents() if i.status in WAITING and status is not BookingStatus.PENDING]
        require(not left, f"L4: {left} can be paid, and the booking is {status}")
        collected = [i for i in self.books.intents() if i.net > 0]
        known = {p.intent_id: p for p in ledger.payments}
        places = {i.id: known[i.id].place if i.id in known else None for i in collected}
        require(not {None, Place.NONE} & set(places.values()), f"L3: collected, and nowhere: {places}")
        attached = [i for i in collected if places[i.id] is Place.ATTACHED]
        require((len(attached) == 1) is (status is BookingStatus.CONFIRMED), f"L2: {status}, and {places}")
        if attached:
            prices = {price.amount_minor for price in self.prices}
            require(attached[0].received in prices, f"L2: {attached[0].id} collected {attached[0].received}")
        require(not ledger.announcements, "L5: announcements are left")
        told = [a for a in self.heard if isinstance(a, BookingConfirmed)]
        require(len({a.id for a in told}) == len(self.confirmed), "L5: who listens was not told once")
        sequences = [a.sequence for a in self.heard]
        require(sequences == sorted(sequences), f"L5: heard out of order: {sequences}")


def require(holds: object, what: str) -> None:
    """Raise `Violation` if it does not hold."""
    if not holds:
        raise Violation(what)


async def _no_wait(_: float) -> None:
    """Whoever lost a race tries again at once: waiting only makes other orders, which are played too."""


Make = Callable[[int], Shop]


def two_clients(faults: int) -> Shop:
    """Two tabs ask at once, one customer pays, and the webhook comes twice at once."""
    shop = Shop(faults)
    shop.actor("tab 1", shop.create)
    shop.actor("tab 2", shop.create)
    shop.customer_pays()
    shop.delivery("webhook", "payment_intent.succeeded")
    shop.delivery("webhook again", "payment_intent.succeeded")
    return shop


def a_new_price(faults: int) -> Shop:
    """The team changes its price while one tab shows the old one, and another asks for the new one."""
    shop = Shop(faults)
    shop.actor("old tab", shop.create)
    shop.actor("the team", shop.reprice)
    shop.actor("new tab", lambda: shop.create(NEW))
    shop.customer_pays()
    shop.delivery("webhook", "payment_intent.succeeded")
    return shop


def confirm_and_webhook(faults: int) -> Shop:
    """The customer comes back from paying while the webhook arrives twice and a worker looks around."""
    shop = _opened(faults)
    intent_id = shop.given[0]
    shop.customer_pays()
    shop.actor("confirm", lambda: shop.gateway.confirm_payment("B1", intent_id, owner="alice"))
    shop.delivery("webhook", "payment_intent.succeeded")
    shop.delivery("webhook again", "payment_intent.succeeded")
    shop.actor("worker", shop.gateway.tick)
    return shop


def cancelled_while_paid(faults: int) -> Shop:
    """Staff cancel the booking while the customer pays it."""
    shop = _opened(faults)
    shop.actor("staff", lambda: shop.gateway.cancel("B1"))
    shop.customer_pays()
    shop.delivery("webhook", "payment_intent.succeeded")
    shop.delivery("its cancellation", "payment_intent.canceled")
    return shop


def two_refunds(faults: int) -> Shop:
    """Two people press the refund button at once, and one of them twice."""
    shop = _paid(faults)
    shop.actor("staff 1", lambda: shop.gateway.refund("B1", request_id="one"))
    shop.actor("staff 1 again", lambda: shop.gateway.refund("B1", request_id="one"))
    shop.actor("staff 2", lambda: shop.gateway.refund("B1", request_id="two"))
    shop.delivery("webhook", "refund.created")
    return shop


def two_captures(faults: int) -> Shop:
    """Two people capture what was authorised, one of them less, while a third releases it."""
    shop = _opened(faults, MANUAL)
    shop.books.deed(shop.given[0], "pay")
    shop.before(lambda: shop.gateway.confirm_payment("B1", shop.given[0], owner="alice"))
    shop.prices.add(Money(100, "usd"))
    shop.actor("staff 1", lambda: shop.gateway.capture("B1"))
    shop.actor("staff 2", lambda: shop.gateway.capture("B1", amount=Money(100, "usd")))
    shop.actor("staff 3", lambda: shop.gateway.cancel("B1"))
    shop.delivery("webhook", "payment_intent.succeeded")
    return shop


def _opened(faults: int, settings: StripeSettings = SETTINGS) -> Shop:
    shop = Shop(faults, settings)
    shop.before(shop.create)
    return shop


def _paid(faults: int) -> Shop:
    shop = _opened(faults)
    shop.books.deed(shop.given[0], "pay")
    shop.before(lambda: shop.gateway.confirm_payment("B1", shop.given[0], owner="alice"))
    shop.before(shop.gateway.tick)
    return shop


WORLDS: Final[dict[str, Make]] = {
    make.__name__: make
    for make in (two_clients, a_new_price, confirm_and_webhook, cancelled_while_paid, two_refunds, two_captures)
}
