"""Small helpers that several tests share: values to start from, and the pure loop that plays `decide` against replies."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from airport_payments.core.announcements import Announcement, Pending
from airport_payments.core.commands import Command
from airport_payments.core.decide import Decision, decide
from airport_payments.core.facts import (
    Answer,
    BookingChanged,
    ConfirmRequested,
    Delivered,
    Fact,
    IntentObserved,
    IntentSeen,
    IntentView,
    PaymentRequested,
    PortReply,
    TimePassed,
)
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    Failure,
    IntentStatus,
    Payment,
    Policy,
    RequestKey,
    Snapshot,
)
from airport_payments.core.money import Money
from airport_payments.core.secret import Secret

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
PRICE = Money(45099, "usd")
NAMESPACE = "airport"
POLICY = Policy(NAMESPACE, livemode=False)
BOOKING_ID = "BK-1"
OWNER = "alice"
INTENT_ID = "pi_00000001"

API_KEY = "sk_test_CANARYKEY00"
WEBHOOK_SECRET = "whsec_CANARYHOOK0000000000000000000000"

Reply = PortReply | Callable[[Command], PortReply]


def booking(**changes: object) -> Booking:
    return replace(Booking(BOOKING_ID, OWNER, PRICE), **changes)


def view(
    status: IntentStatus | str, attempt_id: str | None = "a1", intent_id: str = INTENT_ID, **changes
) -> IntentView:
    """A PaymentIntent as Stripe shows it, with our marks; what it received follows from its status."""
    status = IntentStatus(status)
    amount = changes.pop("amount", PRICE)
    paid = amount.amount_minor if status is IntentStatus.SUCCEEDED else 0
    marks = (None, None, None) if attempt_id is None else (NAMESPACE, BOOKING_ID, attempt_id)
    whole = IntentView(
        intent_id, status, amount, paid, False, *marks, client_secret=Secret(f"{intent_id}_secret_CANARY")
    )
    return replace(whole, **changes)


def declined(charge: str | None = "ch_1", code: str = "card_declined", decline_code: str | None = None) -> Failure:
    return Failure(code, "Your card was declined.", decline_code, charge)


@dataclass
class Driver:
    """The loop without I/O: it loads, decides and commits, and answers commands from a script."""

    snapshot: Snapshot = field(default_factory=lambda: Snapshot(booking()))
    now: datetime = NOW
    policy: Policy = POLICY
    performed: list[Command] = field(default_factory=list)
    heard: list[Announcement] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    due_at: datetime | None = None
    confirmations: int = 0

    # ---- one step ----

    def feed(self, fact: Fact) -> Decision:
        """Decide on a fact and commit, as the repository would."""
        decision = decide(self.snapshot, fact, self.now, self.policy)
        change = decision.change
        if change is not None:
            assert change.read is self.snapshot
            assert change.ledger.version == self.snapshot.ledger.version + 1
            team = self.snapshot.booking
            if change.booking_status is not None:
                assert team.status is BookingStatus.PENDING
                assert change.booking_status is BookingStatus.CONFIRMED
                self.confirmations += 1
                team = replace(team, status=change.booking_status)
            self.snapshot = Snapshot(team, change.ledger)
            self.due_at = change.due_at
            self.history += [line.decision for line in change.history]
        return decision

    # ---- whole conversations ----

    def ask(self, asker: Fact, *replies: Reply) -> object:
        """Play a fact to its end: every command gets the next reply of the script. Returns the last reply."""
        script = iter(replies)
        decision = self.feed(asker)
        for _ in range(100):
            act = decision.act
            if act is None:
                assert next(script, None) is None, "the script was longer than the conversation"
                return decision.reply
            if isinstance(act, Pending):
                self.heard.append(act.announcement)
                decision = self.feed(Delivered(act.announcement.sequence))
                continue
            self.performed.append(act)
            reply = next(script, None)
            assert reply is not None, f"nothing in the script answers {act}"
            version = self.snapshot.ledger.version
            decision = self.feed(Answer(act, reply(act) if callable(reply) else reply, version, asker))
        raise AssertionError("the conversation has no end")

    def request(
        self,
        *replies: Reply,
        attempt: str = "a1",
        owner: str = OWNER,
        amount: Money = PRICE,
        key: RequestKey | None = None,
    ):
        return self.ask(PaymentRequested(owner, amount, attempt, key), *replies)

    def confirm(self, *replies: Reply, intent_id: str = INTENT_ID, owner: str = OWNER) -> object:
        return self.ask(ConfirmRequested(owner, intent_id), *replies)

    def tick(self, *replies: Reply, after: timedelta = timedelta(0)) -> object:
        self.now += after
        return self.ask(TimePassed(), *replies)

    def changed(self, *replies: Reply, **changes: object) -> object:
        """The team changes its row and says so."""
        self.team(**changes)
        return self.ask(BookingChanged(), *replies)

    def event(self, seen: IntentView, event_id: str = "evt_1", *, placed: bool = False) -> Decision:
        return self.feed(IntentObserved(seen, event_id, f"payment_intent.{seen.status}", placed=placed))

    def team(self, **changes: object) -> None:
        """The team changes its row and says nothing."""
        self.snapshot = replace(self.snapshot, booking=replace(self.snapshot.booking, **changes))

    # ---- what it looks like ----

    @property
    def booking(self) -> Booking:
        return self.snapshot.booking

    @property
    def payments(self) -> tuple[Payment, ...]:
        return self.snapshot.ledger.payments

    @property
    def payment(self) -> Payment:
        (only,) = self.payments
        return only

    @property
    def effects(self):
        return self.snapshot.ledger.effects

    @property
    def announced(self) -> list[str]:
        """The kinds of all announcements so far, heard or waiting."""
        waiting = [p.announcement for p in self.snapshot.ledger.announcements]
        return [type(a).__name__ for a in (*self.heard, *waiting)]


def seen(
    status: IntentStatus | str, attempt_id: str | None = "a1", intent_id: str = INTENT_ID, **changes
) -> IntentSeen:
    """Stripe's answer with a PaymentIntent."""
    replayed = changes.pop("replayed", False)
    return IntentSeen(view(status, attempt_id, intent_id, **changes), replayed)


def opened(**changes: object) -> Driver:
    """A driver whose booking has an open PaymentIntent, `a1` / INTENT_ID."""
    driver = Driver(Snapshot(booking(**changes)))
    price = driver.booking.price
    driver.request(seen("requires_payment_method", amount=price), amount=price)
    return driver


def kinds(commands: Iterable[Command]) -> list[str]:
    return [type(command).__name__ for command in commands]
