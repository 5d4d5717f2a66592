"""What the team wants to hear: saved with the change that caused it, delivered at least once, in order per booking."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from airport_payments.core.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Something happened to a booking's money. Register a handler with `gateway.on(...)`.

    Args:
        booking_id: the booking.
        sequence: 1, 2, 3, … within the booking.
        at: when it was decided, aware UTC.
        payment_intent_id: the PaymentIntent it is about, None where there is none.
    """

    booking_id: str
    sequence: int
    at: datetime
    payment_intent_id: str | None = None

    @property
    def id(self) -> str:
        """The same for every delivery of the same announcement: use it to do a thing once."""
        return f"{self.booking_id}:{self.sequence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingConfirmed(Announcement):
    """The booking is paid and confirmed. `amount` is what was collected."""

    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed(Announcement):
    """One try to pay failed; the customer may try again. `error_code` and `decline_code` are safe to show."""

    error_code: str
    decline_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentNeedsReview(Announcement):
    """Money arrived that confirms nothing: `amount_minor` of it, for this `reason`. A person has to decide."""

    reason: str
    amount_minor: int
    currency: str


KINDS: Final[dict[str, type[Announcement]]] = {
    "booking_confirmed": BookingConfirmed,
    "payment_failed": PaymentFailed,
    "payment_needs_review": PaymentNeedsReview,
}
NAMES: Final[dict[type[Announcement], str]] = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Pending:
    """An announcement that was not yet delivered, how often that was tried, and when it is due."""

    announcement: Announcement
    due_at: datetime
    tries: int = 0
