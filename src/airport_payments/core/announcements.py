"""What the team wants to hear: saved with the change that caused it, delivered at least once, in order per booking."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingCancelled(Announcement):
    """The booking was cancelled by this library. `reason`: `asked`, `expired` (its hold is over) or `refunded`."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded(Announcement):
    """A refund of `amount_minor` succeeded, whoever made it. `refund_id` is Stripe's."""

    refund_id: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFailed(Announcement):
    """A refund of `amount_minor` failed or was canceled, maybe after it had succeeded: the money is still here.

    The customer has to be given it in another way, or the refund tried again. `refund_id` is None for one that Stripe
    refused to make.
    """

    refund_id: str | None
    amount_minor: int
    currency: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDisputed(Announcement):
    """The customer's bank disputes the payment, or asks about it (a status with `warning_`).

    Args:
        due_by: until when evidence is taken, aware UTC; None where none is.
    """

    dispute_id: str
    status: str
    reason: str
    amount_minor: int
    currency: str
    due_by: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeClosed(Announcement):
    """A dispute is decided. `status`: `won`, `lost`, `warning_closed` or `prevented`."""

    dispute_id: str
    status: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorized(Announcement):
    """The money is held on the card: collect it with `capture`, within seven days for most cards."""

    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationLost(Announcement):
    """The money was held on the card, confirmed the booking, and is not any more: it expired or was released at Stripe."""

    amount: Money


KINDS: Final[dict[str, type[Announcement]]] = {
    "booking_confirmed": BookingConfirmed,
    "booking_cancelled": BookingCancelled,
    "payment_failed": PaymentFailed,
    "payment_needs_review": PaymentNeedsReview,
    "payment_refunded": PaymentRefunded,
    "refund_failed": RefundFailed,
    "payment_disputed": PaymentDisputed,
    "dispute_closed": DisputeClosed,
    "payment_authorized": PaymentAuthorized,
    "authorization_lost": AuthorizationLost,
}
NAMES: Final[dict[type[Announcement], str]] = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One subscriber that has not taken an announcement yet.

    Args:
        subscriber: its name, as `gateway.on` has it.
        due_at: when to call it; while a worker calls it, when that worker's lease runs out.
        tries: how often it was called.
    """

    subscriber: str
    due_at: datetime
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """An announcement that not every subscriber has taken. Without deliveries no worker has taken it up yet."""

    announcement: Announcement
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An announcement that one subscriber could not be given. A person may have it delivered again.

    Args:
        announcement: what was to be heard.
        subscriber: who did not take it.
        tries: how often it was called.
        at: when it was given up, aware UTC.
        error: the kind of what it raised last; no message, which could hold personal data.
    """

    announcement: Announcement
    subscriber: str
    tries: int
    at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """A call to a subscriber, with its lease already in the ledger. `tries` says which call of them it is."""

    announcement: Announcement
    subscriber: str
    tries: int


# Who hears what, in this process: the kind that was asked for, and the subscriber's name.
Subscription: TypeAlias = tuple[type[Announcement], str]
