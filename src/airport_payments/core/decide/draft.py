"""A ledger being changed: what the rules work on, and the Change that comes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from airport_payments.core.announcements import (
    Announcement,
    BookingCancelled,
    BookingConfirmed,
    DeadLetter,
    Deliver,
    Pending,
)
from airport_payments.core.commands import Command, CreateRefund, Effect, IntentEffect
from airport_payments.core.decide.table import ATTENTION_AT
from airport_payments.core.errors import PaymentsError
from airport_payments.core.evolve import quick, replace
from airport_payments.core.facts import IntentView
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    CancelReason,
    Change,
    Failure,
    HistoryLine,
    IndexRow,
    IndexState,
    IntentStatus,
    Ledger,
    Payment,
    Place,
    Policy,
    RequestKey,
    Snapshot,
)
from airport_payments.core.money import Money
from airport_payments.core.refund import Refund
from airport_payments.core.secret import Secret


@quick
@dataclass(frozen=True, slots=True)
class Ready:
    """There is a PaymentIntent to pay. `view` is its state as Stripe just said."""

    view: IntentView
    amount: Money


@dataclass(frozen=True, slots=True)
class Completed:
    """The booking has the payment. `status` says whether it is collected, or authorised where that confirms it."""

    booking: Booking
    status: IntentStatus


@dataclass(frozen=True, slots=True)
class NotCompleted:
    """The PaymentIntent is not paid yet. `client_secret` is there only if the customer may still pay it."""

    booking: Booking
    status: IntentStatus
    failure: Failure | None
    client_secret: Secret | None


@dataclass(frozen=True, slots=True)
class RefundReply:
    """How a refund that was asked for stands."""

    booking: Booking
    payment: Payment
    refund: Refund


@dataclass(frozen=True, slots=True)
class CancelReply:
    """How a cancellation stands: `payments` are those that may still be paid, or whose money is here."""

    booking: Booking
    payments: tuple[Payment, ...]


@dataclass(frozen=True, slots=True)
class PaymentReply:
    """How one payment of a booking stands, after somebody decided something about it."""

    booking: Booking
    payment: Payment


@dataclass(frozen=True, slots=True)
class RedeliverReply:
    """The subscribers that are to hear an announcement after all."""

    subscribers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """An event was looked at; it was news if the decision has a change."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """An event names this booking, but its attempt is unknown here: see first whether another booking has it."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing (more) is due."""


Reply: TypeAlias = (
    Ready
    | Completed
    | NotCompleted
    | RefundReply
    | CancelReply
    | PaymentReply
    | RedeliverReply
    | Applied
    | Unplaced
    | Done
    | PaymentsError
)


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a fact: commit `change`, then perform `act` and feed its answer back, or give `reply`.

    `problem` is for the log: what went wrong at Stripe, also where nobody waits for the reply.
    """

    change: Change | None
    act: Command | Deliver | None = None
    reply: Reply | None = None
    problem: PaymentsError | None = None


Step: TypeAlias = tuple[Command | Deliver | None, Reply | None]


class Draft:
    """A working copy of a snapshot. The rules change it; `change()` says what came of it, None if nothing did."""

    __slots__ = ("announced", "announcements", "booking", "cancelling", "dead_letters", "effects", "event", "history",
                 "now", "payments", "policy", "problem", "read", "request_keys")  # fmt: skip

    def __init__(self, read: Snapshot, now: datetime, policy: Policy) -> None:
        ledger = read.ledger
        self.read = read
        self.now = now
        self.policy = policy
        self.booking = read.booking
        self.payments = ledger.payments
        self.effects = ledger.effects
        self.announcements = ledger.announcements
        self.announced = ledger.announced
        self.dead_letters: tuple[DeadLetter, ...] = ledger.dead_letters
        self.request_keys: tuple[RequestKey, ...] = ledger.request_keys
        self.cancelling: CancelReason | None = ledger.cancelling
        self.problem: PaymentsError | None = None
        self.history: list[HistoryLine] = []
        self.event: tuple[str, str] | None = None  # id and type of the event that is being applied

    # ---- reading ----

    def attempt(self, attempt_id: str) -> Payment | None:
        """Return the payment with this attempt id."""
        for payment in self.payments:
            if payment.attempt_id == attempt_id:
                return payment
        return None

    def intent(self, intent_id: str) -> Payment | None:
        """Return the payment with this PaymentIntent id."""
        for payment in self.payments:
            if payment.intent_id == intent_id:
                return payment
        return None

    def live(self) -> Payment | None:
        """Return the one payment that keeps another from being opened."""
        for payment in self.payments:
            if payment.payable:
                return payment
        return None

    def in_review(self) -> bool:
        """Return whether money waits for a person's decision."""
        return any(p.place is Place.REVIEW for p in self.payments)

    def named(self, payment_id: str) -> Payment | None:
        """Return the payment with this PaymentIntent id or attempt id."""
        return self.intent(payment_id) or self.attempt(payment_id)

    def effect_of(self, payment: Payment) -> IntentEffect | None:
        """Return the command about this payment's PaymentIntent that has no answer yet."""
        for effect in self.effects:
            if not isinstance(effect, CreateRefund) and effect.attempt_id == payment.attempt_id:
                return effect
        return None

    def refund_effect(self, ref: str) -> CreateRefund | None:
        """Return the command of this refund that has no answer yet."""
        for effect in self.effects:
            if isinstance(effect, CreateRefund) and effect.ref == ref:
                return effect
        return None

    # ---- changing ----

    def put(self, payment: Payment) -> Payment:
        """Store a payment in the place of the one with its attempt id, or at the end."""
        payments = list(self.payments)
        for place, old in enumerate(payments):
            if old.attempt_id == payment.attempt_id:
                payments[place] = payment
                break
        else:
            payments.append(payment)
        self.payments = tuple(payments)
        return payment

    def command(self, effect: Effect) -> None:
        """Save a command; of one target there is one at a time."""
        self.effects = (*(e for e in self.effects if e.target != effect.target), effect)

    def answered(self, payment: Payment, kind: type[IntentEffect]) -> None:
        """Forget the payment's command of this kind: it has its answer, or needs none any more."""
        if not self.effects:
            return
        left = tuple(e for e in self.effects if e.attempt_id != payment.attempt_id or not isinstance(e, kind))
        if len(left) != len(self.effects):
            self.effects = left

    def refund_answered(self, ref: str) -> None:
        """Forget the command of a refund: it has its answer."""
        left = tuple(e for e in self.effects if not isinstance(e, CreateRefund) or e.ref != ref)
        if len(left) != len(self.effects):
            self.effects = left

    def postpone(self, effect: Effect, due_at: datetime, *, tries: int = 1, server_errors: int = 0) -> None:
        """Note that a command stayed unanswered."""
        errors = effect.server_errors + server_errors
        later = replace(effect, due_at=due_at, tries=effect.tries + tries, server_errors=errors)
        self.effects = tuple(later if e == effect else e for e in self.effects)

    def confirm_booking(self, payment: Payment, amount_minor: int) -> None:
        """Move the team's booking to confirmed, and say so. `amount_minor`: what pays it."""
        self.booking = replace(self.booking, status=BookingStatus.CONFIRMED)
        self.cancelling = None
        amount = Money(amount_minor, payment.currency)
        self.announce(
            lambda number: BookingConfirmed(
                booking_id=self.booking.id,
                sequence=number,
                at=self.now,
                payment_intent_id=payment.intent_id,
                amount=amount,
            )
        )

    def cancel_booking(self, reason: CancelReason) -> None:
        """Move the team's booking to cancelled, and say so."""
        self.booking = replace(self.booking, status=BookingStatus.CANCELLED)
        self.cancelling = None
        self.announce(
            lambda number: BookingCancelled(
                booking_id=self.booking.id, sequence=number, at=self.now, reason=reason.value
            )
        )
        self.note("settled", f"booking cancelled: {reason.value}")

    def announce(self, build: Callable[[int], Announcement]) -> None:
        """Add an announcement; `build` gets its number."""
        self.announced += 1
        self.announcements = (*self.announcements, Pending(build(self.announced)))

    def note(self, fact: str, decision: str, intent_id: str | None = None) -> None:
        """Add a line to the booking's history."""
        event_id, event_type = self.event or (None, fact)
        self.history.append(HistoryLine(self.now, event_type, decision, event_id, intent_id))

    # ---- the outcome ----

    def change(self) -> Change | None:
        """Return what has to be saved, None if nothing changed."""
        old = self.read.ledger
        same = (
            _same(self.payments, old.payments)
            and _same(self.effects, old.effects)
            and _same(self.announcements, old.announcements)
            and _same(self.request_keys, old.request_keys)
            and _same(self.dead_letters, old.dead_letters)
        )
        status = self.booking.status
        moved = status is not self.read.booking.status
        if same and not moved and not self.history and self.cancelling is old.cancelling:
            return None
        new = Ledger(
            old.version + 1,
            self.payments,
            self.effects,
            self.announcements,
            self.announced,
            self.request_keys,
            self.cancelling,
            dead_letters=self.dead_letters,
        )
        return Change(
            self.read, new, status if moved else None, _index_changes(old, new), due_at(new), tuple(self.history)
        )


def _same(new: tuple[object, ...], old: tuple[object, ...]) -> bool:
    # Most parts of a ledger are left as they were read: the same object needs no comparison.
    return new is old or new == old


def after(change: Change) -> Snapshot:
    """Return what a reading would show right after a change was saved."""
    booking = change.read.booking
    if change.booking_status is not None:
        booking = replace(booking, status=change.booking_status)
    return Snapshot(booking, change.ledger)


def index_row(payment: Payment) -> IndexRow:
    """Return a payment as the storage indexes it."""
    state = IndexState.CLOSED
    # An authorisation that confirmed the booking is nothing that a customer could still pay.
    if payment.payable and payment.place is not Place.ATTACHED:
        state = IndexState.CLOSING if payment.closing else IndexState.PAYABLE
    return IndexRow(payment.attempt_id, payment.intent_id, state, payment.amount)


def _index_changes(old: Ledger, new: Ledger) -> tuple[IndexRow, ...]:
    """Return the rows that are new or different. Payments keep their places; new ones come at the end."""
    rows: list[IndexRow] = []
    for place, payment in enumerate(new.payments):
        before = old.payments[place] if place < len(old.payments) else None
        if payment is before:
            continue
        row = index_row(payment)
        if before is None or row != index_row(before):
            rows.append(row)
    return tuple(rows)


def due_at(ledger: Ledger) -> datetime | None:
    """Return when something in this ledger is next due: for a tick, or else for a person (`ATTENTION_AT`)."""
    soonest: datetime | None = None
    for effect in ledger.effects:
        if soonest is None or effect.due_at < soonest:
            soonest = effect.due_at
    for payment in ledger.payments:
        if payment.look_at is not None and (soonest is None or payment.look_at < soonest):
            soonest = payment.look_at
        if payment.refunds_at is not None and (soonest is None or payment.refunds_at < soonest):
            soonest = payment.refunds_at
    waiting: set[str] = set()
    for pending in ledger.announcements:
        if not pending.deliveries and (soonest is None or pending.announcement.at < soonest):
            soonest = pending.announcement.at
        for delivery in pending.deliveries:
            # Of one subscriber only the first is due: order holds.
            if delivery.subscriber not in waiting and (soonest is None or delivery.due_at < soonest):
                soonest = delivery.due_at
            waiting.add(delivery.subscriber)
    return ATTENTION_AT if soonest is None and ledger.needs_attention else soonest
