"""What a customer or an operator is shown of a booking's money: read from the snapshot alone."""

from dataclasses import dataclass
from enum import StrEnum

from airport_payments.core.model import (
    BookingStatus,
    IntentStatus,
    Payment,
    PaymentState,
    Place,
    Snapshot,
)


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
