"""Small helpers that several tests share: values to start from, and the pure loop that plays `decide` against replies."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from airport_payments.core.announcements import Announcement, Deliver
from airport_payments.core.codec import dump, load
from airport_payments.core.commands import Command, CreateRefund
from airport_payments.core.decide import Decision, decide
from airport_payments.core.decide.table import ATTENTION_AT
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.facts import (
    Answer,
    BookingChanged,
    CancelRequested,
    CaptureRequested,
    ConfirmRequested,
    Delivered,
    DisputeObserved,
    DisputeView,
    Fact,
    IntentObserved,
    IntentSeen,
    IntentView,
    PaymentRequested,
    PortReply,
    RefundObserved,
    RefundRequested,
    RefundSeen,
    RefundsHinted,
    RefundsSeen,
    RefundView,
    Resolution,
    ResolveRequested,
    TimePassed,
)
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    CancelReason,
    Failure,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
    Policy,
    RequestKey,
    Snapshot,
)
from airport_payments.core.money import Money
from airport_payments.core.refund import Refund, RefundReason, RefundState
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


def refund_view(
    refund_id: str = "re_1",
    amount_minor: int = PRICE.amount_minor,
    state: RefundState | str = "succeeded",
    *,
    ref: str | None = None,
    intent_id: str | None = INTENT_ID,
    **changes,
) -> RefundView:
    """A refund as Stripe shows it; with our marks, if `ref` says which of ours it is."""
    marks = (None, None) if ref is None else (NAMESPACE, ref)
    money = Money(amount_minor, changes.pop("currency", "usd"))
    return replace(RefundView(refund_id, intent_id, money, RefundState(state), *marks), **changes)


def made(refund_id: str = "re_1", state: RefundState | str = "succeeded", *, replayed: bool = False, **changes):
    """Stripe makes the refund that it is asked for."""

    def reply(command: Command) -> RefundSeen:
        assert isinstance(command, CreateRefund)
        return RefundSeen(
            refund_view(
                refund_id, command.amount_minor, state, ref=command.ref, intent_id=command.intent_id, **changes
            ),
            replayed,
        )

    return reply


def dispute_view(status: DisputeStatus | str = "needs_response", dispute_id: str = "dp_1", **changes) -> DisputeView:
    whole = DisputeView(dispute_id, INTENT_ID, PRICE, DisputeStatus(status), "fraudulent")
    return replace(whole, **changes)


def material(ledger: Ledger) -> object:
    """What of a ledger a person would call a change; the rest is bookkeeping: looks, tries, leases, ordinals."""
    bookkeeping = {"news": (), "look_at": None, "looks": 0, "closes": 0, "refund_orders": 0, "refunds_at": None,
                   "refund_looks": 0, "captures": 0, "confirms": 0, "opened_at": None, "stripe_status": None}  # fmt: skip
    payments = tuple(replace(p, **bookkeeping) for p in ledger.payments)
    return payments, ledger.cancelling, {e.key for e in ledger.effects}, ledger.dead_letters


# A process in which one subscriber hears everything.
TICK = TimePassed(((Announcement, "all"),))


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
    cancellations: int = 0
    resolving: bool = False

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
                team = self._moved(team, change.booking_status, change.ledger.payments)
            self._check(change.ledger)
            before, after = material(self.snapshot.ledger), material(change.ledger)
            changed = before != after or change.booking_status is not None
            assert change.history or not changed, f"a change without a line in the history: {before} -> {after}"
            assert load(dump(change.ledger), change.ledger.version) == change.ledger
            self.snapshot = Snapshot(team, change.ledger)
            # What waits for a person alone is due in a time that no tick reaches.
            self.due_at = None if change.due_at == ATTENTION_AT else change.due_at
            self.history += [line.decision for line in change.history]
        return decision

    def _moved(self, team: Booking, status: BookingStatus, payments: tuple[Payment, ...]) -> Booking:
        assert status is not team.status
        if status is BookingStatus.CONFIRMED:
            assert team.status is BookingStatus.PENDING or self.resolving, "confirmed, but not by a payment in time"
            self.confirmations += 1
        else:
            assert status is BookingStatus.CANCELLED
            assert not any(p.payable for p in payments), "cancelled while something of it is payable"
            self.cancellations += 1
        return replace(team, status=status)

    def _check(self, ledger: Ledger) -> None:
        """What holds of the money after every step."""
        payments = ledger.payments
        known_before = {e.target for e in self.snapshot.ledger.effects}
        for order in ledger.effects:
            # One that is ordered anew with another key was ordered when there was enough; Stripe says whether there is.
            if isinstance(order, CreateRefund) and order.ref not in known_before:
                target = next(p for p in payments if p.attempt_id == order.attempt_id)
                assert target.rest_minor >= 0, "S11: more is ordered back than was collected"
        assert sum(p.place is Place.ATTACHED for p in payments) <= 1
        for payment in payments:
            assert len({r.ref for r in payment.refunds}) == len(payment.refunds)
            known = [r.refund_id for r in payment.refunds if r.refund_id is not None]
            assert len(set(known)) == len(known), "one refund of Stripe's, two of ours"
            if payment.state is PaymentState.SUCCEEDED:
                assert payment.place is not Place.NONE, "money that nobody answers for"

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
            if isinstance(act, Deliver):
                self.heard.append(act.announcement)
                assert isinstance(asker, TimePassed)
                decision = self.feed(Delivered(act.announcement.sequence, act.subscriber, asker))
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
        return self.ask(TICK, *replies)

    def changed(self, *replies: Reply, **changes: object) -> object:
        """The team changes its row and says so."""
        self.team(**changes)
        return self.ask(BookingChanged(), *replies)

    def refund(
        self,
        *replies: Reply,
        amount: Money | None = None,
        request: str = "r1",
        payment: str | None = None,
        owner: str | None = None,
        reason: str = "requested_by_customer",
    ) -> object:
        return self.ask(refund_request(amount, request, payment, owner, reason), *replies)

    def cancel(self, *replies: Reply, owner: str | None = None, reason: str = "asked") -> object:
        return self.ask(CancelRequested(CancelReason(reason), owner), *replies)

    def capture(self, *replies: Reply, amount: Money | None = None, payment: str | None = None) -> object:
        return self.ask(CaptureRequested(payment, amount), *replies)

    def resolve(self, resolution: str, *replies: Reply, payment: str = INTENT_ID) -> object:
        self.resolving = True
        reply = self.ask(ResolveRequested(payment, Resolution(resolution), "operator-7"), *replies)
        self.resolving = False
        return reply

    def refund_event(self, seen: RefundView, event_id: str = "evt_r", kind: str = "refund.updated") -> Decision:
        return self.feed(RefundObserved(seen, event_id, kind))

    def hint(self, refunded_minor: int, event_id: str = "evt_h", intent_id: str = INTENT_ID) -> Decision:
        return self.feed(RefundsHinted(intent_id, refunded_minor, event_id, "charge.refunded"))

    def dispute_event(self, seen: DisputeView, kind: str = "created", event_id: str = "evt_d") -> Decision:
        return self.feed(DisputeObserved(seen, event_id, f"charge.dispute.{kind}"))

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
    def refunds(self) -> tuple[Refund, ...]:
        return self.payment.refunds

    @property
    def refund_states(self) -> list[str]:
        return [r.state.value for r in self.refunds]

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


def refund_request(
    amount: Money | None = None,
    request: str = "r1",
    payment: str | None = None,
    owner: str | None = None,
    reason: str = "requested_by_customer",
) -> RefundRequested:
    asked = f"{payment} {amount}"
    return RefundRequested(payment, amount, RefundReason(reason), (request, asked), owner)


def collected(policy: Policy = POLICY, **changes: object) -> Driver:
    """A driver whose booking is paid and confirmed, with everything heard."""
    driver = opened(**changes)
    driver.policy = policy
    driver.event(view("succeeded", amount=driver.booking.price))
    driver.tick()
    driver.heard.clear()
    driver.performed.clear()
    return driver


def authorised(policy: Policy = replace(POLICY, manual_capture=True), **changes: object) -> Driver:
    """A driver whose booking has its money held on the card, with everything heard."""
    driver = Driver(Snapshot(booking(**changes)), policy=policy)
    driver.request(seen("requires_payment_method"))
    driver.event(view("requires_capture"))
    driver.tick()
    driver.heard.clear()
    driver.performed.clear()
    return driver


def listed(*views: RefundView) -> RefundsSeen:
    """Stripe lists these refunds, and no others."""
    return RefundsSeen(views)


def kinds(commands: Iterable[Command]) -> list[str]:
    return [type(command).__name__ for command in commands]
