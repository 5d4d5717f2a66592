"""What a customer or an operator is shown of a booking's money: read from the snapshot alone."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from airport_payments.core.announcements import DeadLetter
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.evolve import quick
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    Failure,
    IntentStatus,
    Payment,
    PaymentState,
    Place,
    ReviewReason,
    Snapshot,
)
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState
from airport_payments.core.secret import Secret


class PaymentStatus(StrEnum):
    """How a booking's payment stands, in the words of the HTTP contract."""

    COMPLETED = "completed"
    PENDING = "pending"
    FAILED = "failed"
    CANCELED = "canceled"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"
    DISPUTED = "disputed"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class PaymentReport:
    """How a booking and its payment stand. `stripe_status` is None before the first PaymentIntent."""

    payment_status: PaymentStatus
    booking_status: BookingStatus
    stripe_status: IntentStatus | None


def report(snapshot: Snapshot) -> PaymentReport:
    """Return how the payment of this booking stands."""
    ledger = snapshot.ledger
    shown = _shown(ledger.payments)
    status = PaymentStatus.PENDING
    if shown is None:
        pass
    elif shown.state is PaymentState.SUCCEEDED:
        status = _collected(shown)
    elif shown.state is PaymentState.CANCELED:
        status = PaymentStatus.CANCELED
    elif shown.failure is not None and shown.stripe_status is IntentStatus.REQUIRES_PAYMENT_METHOD:
        status = PaymentStatus.FAILED
    return PaymentReport(status, snapshot.booking.status, shown.stripe_status if shown else None)


def _collected(payment: Payment) -> PaymentStatus:
    """Return how collected money stands. What a person has to decide on comes first, then what its bank says."""
    if payment.place is Place.REVIEW:
        return PaymentStatus.REVIEW
    if payment.disputed is not None:
        return PaymentStatus.DISPUTED
    made = sum(r.amount_minor for r in payment.refunds if r.made)
    if payment.place is Place.REFUNDED or (made and made >= payment.received_minor):
        return PaymentStatus.REFUNDED
    return PaymentStatus.PARTIALLY_REFUNDED if made else PaymentStatus.COMPLETED


def _shown(payments: tuple[Payment, ...]) -> Payment | None:
    """Return the payment that speaks for the booking: what was collected first, then what is live, then the last."""
    for place in (Place.ATTACHED, Place.REVIEW):
        for payment in payments:
            if payment.place is place:
                return payment
    own = [p for p in payments if not p.stray and p.intent_id is not None]
    live = next((p for p in own if p.payable), None)
    if live is None:
        live = next((p for p in reversed(payments) if p.state is PaymentState.SUCCEEDED), None)
    return live or (own[-1] if own else None)


@quick
@dataclass(frozen=True, slots=True)
class CreatedPayment:
    """A PaymentIntent for the customer to pay.

    Args:
        payment_intent_id: Stripe's id.
        client_secret: for this customer's own browser or app only: `client_secret.reveal()`. Do not store or log it.
        status: the PaymentIntent's status.
        amount: the booking's price.
    """

    payment_intent_id: str
    client_secret: Secret
    status: IntentStatus
    amount: Money


@dataclass(frozen=True, slots=True)
class ConfirmedPayment:
    """Whether a PaymentIntent paid its booking.

    Args:
        completed: True when the booking has the money: collected, or authorised where the settings let that confirm it.
        stripe_status: the PaymentIntent's status.
        booking: the booking as it is now.
        failure: why the last try to pay failed, safe to show.
        client_secret: while it may still be paid, None otherwise.
    """

    completed: bool
    stripe_status: IntentStatus
    booking: Booking
    failure: Failure | None = None
    client_secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one tick did.

    Args:
        bookings: how many had something due and were looked after.
        problems: how many of those raised; each is logged, and stays due.
        more: whether more bookings are due than the limit let through.
    """

    bookings: int
    problems: int
    more: bool


@dataclass(frozen=True, slots=True)
class RefundReport:
    """How a refund stands.

    Args:
        ref: our own name of it; also in its metadata at Stripe.
        refund_id: Stripe's id, None until Stripe answered.
        payment_intent_id: whose money goes back.
        amount: how much.
        state: `pending` and `requires_action` are on their way; `failed` and `canceled` did not reach the customer.
        rest: what is left of the payment after it.
        booking_status: the booking's, which a full refund may have cancelled.
    """

    ref: str
    refund_id: str | None
    payment_intent_id: str
    amount: Money
    state: RefundState
    rest: Money
    booking_status: BookingStatus


class CancelOutcome(StrEnum):
    """How a cancellation ended."""

    CANCELLED = "cancelled"  # nobody can pay it any more, and no money of it is here
    PAID = "paid"  # the payment came first: its money is held for review, or goes back, by the settings
    PROCESSING = "processing"  # the payment is being processed: it is cancelled, or answered, as soon as that ends


@dataclass(frozen=True, slots=True)
class Cancellation:
    """How a cancellation ended, and the booking as it is now."""

    outcome: CancelOutcome
    booking: Booking


@dataclass(frozen=True, slots=True)
class PaymentDecision:
    """A payment after somebody decided about it.

    Args:
        payment_intent_id: Stripe's id.
        state: how far the payment has come.
        place: what became of its money.
        received: what was collected of it so far.
        booking: the booking as it is now.
    """

    payment_intent_id: str | None
    state: PaymentState
    place: Place
    received: Money
    booking: Booking


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a long list.

    Args:
        items: what was found; maybe nothing, though there is more.
        after: give this to the next call to go on. None: that was all.
    """

    items: tuple[Item, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class MoneyInReview:
    """Money that confirms nothing until a person decides with `resolve`.

    Args:
        payment_intent_id: what to call the payment in `resolve`.
        amount_minor: how much of it is here.
        reason: why it confirms nothing.
    """

    payment_intent_id: str
    amount_minor: int
    currency: str
    reason: ReviewReason | None


@dataclass(frozen=True, slots=True)
class DisputeToAnswer:
    """A dispute whose bank waits for a response, to be given at Stripe.

    Args:
        payment_intent_id: whose money is disputed.
        amount_minor: how much.
        reason: the bank's, in Stripe's words.
        due_by: until when evidence is taken, aware UTC; None where none is.
    """

    dispute_id: str
    payment_intent_id: str
    amount_minor: int
    currency: str
    status: DisputeStatus
    reason: str
    due_by: datetime | None


@dataclass(frozen=True, slots=True)
class Attention:
    """A booking that waits for a person, and what for: at least one of the three."""

    booking_id: str
    booking_status: BookingStatus
    reviews: tuple[MoneyInReview, ...]
    disputes: tuple[DisputeToAnswer, ...]
    dead_letters: tuple[DeadLetter, ...]


def attention(snapshot: Snapshot) -> Attention:
    """Return what of a booking waits for a person."""
    booking, ledger = snapshot.booking, snapshot.ledger
    reviews = tuple(
        MoneyInReview(p.intent_id or p.attempt_id, p.rest_minor, p.currency, p.review)
        for p in ledger.payments
        if p.place is Place.REVIEW
    )
    disputes = tuple(
        DisputeToAnswer(
            d.dispute_id,
            p.intent_id or p.attempt_id,
            d.amount_minor,
            d.currency,
            d.status,
            d.reason,
            d.due_by,
        )
        for p in ledger.payments
        for d in p.disputes
        if d.needs_response
    )
    return Attention(booking.id, booking.status, reviews, disputes, ledger.dead_letters)
