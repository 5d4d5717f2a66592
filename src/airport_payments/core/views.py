"""What a customer or an operator is shown of a booking's money: read from the snapshot alone."""

from dataclasses import dataclass
from enum import StrEnum

from airport_payments.core.model import (
    Booking,
    BookingStatus,
    Failure,
    IntentStatus,
    Payment,
    PaymentState,
    Place,
    Snapshot,
)
from airport_payments.core.money import Money
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
    elif shown.place is Place.ATTACHED:
        status = PaymentStatus.COMPLETED
    elif shown.place is Place.REVIEW:
        status = PaymentStatus.REVIEW
    elif shown.state is PaymentState.CANCELED:
        status = PaymentStatus.CANCELED
    elif shown.failure is not None and shown.stripe_status is IntentStatus.REQUIRES_PAYMENT_METHOD:
        status = PaymentStatus.FAILED
    return PaymentReport(status, snapshot.booking.status, shown.stripe_status if shown else None)


def _shown(payments: tuple[Payment, ...]) -> Payment | None:
    """Return the payment that speaks for the booking: what was collected first, then what is live, then the last."""
    for place in (Place.ATTACHED, Place.REVIEW):
        for payment in payments:
            if payment.place is place:
                return payment
    own = [p for p in payments if not p.stray and p.intent_id is not None]
    return next((p for p in own if p.payable), own[-1] if own else None)


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
        completed: True when the money is collected and the booking has it.
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
