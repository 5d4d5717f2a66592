"""What is known: the booking, its ledger, its payments. Frozen; every change makes a new value."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from airport_payments.core.announcements import DeadLetter, Pending
from airport_payments.core.commands import Effect
from airport_payments.core.dispute import Dispute
from airport_payments.core.errors import FieldError, InvalidRequest
from airport_payments.core.evolve import quick
from airport_payments.core.ids import check_booking_id, check_owner, check_time
from airport_payments.core.money import Money
from airport_payments.core.refund import Refund


class BookingStatus(StrEnum):
    """The status of the team's booking."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class IntentStatus(StrEnum):
    """The statuses of a Stripe PaymentIntent (stripe-python 16.1, `_payment_intent.py`)."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class PaymentState(StrEnum):
    """How far one attempt to collect the price has come."""

    OPENING = "opening"  # we asked Stripe to create its PaymentIntent and have no answer yet
    OPEN = "open"  # the PaymentIntent exists and may still be paid
    REQUIRES_CAPTURE = "requires_capture"  # the money is held on the card
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"
    ABANDONED = "abandoned"  # no PaymentIntent is known, and nobody was given the means to pay one


class Place(StrEnum):
    """What became of a payment's money."""

    NONE = "none"  # nothing was collected
    ATTACHED = "attached"  # it confirmed the booking
    REVIEW = "review"  # it confirms nothing; a person has to decide
    REFUNDED = "refunded"  # it goes back, or went back, whole
    KEPT = "kept"  # a person decided that it stays, and confirms nothing


class ReviewReason(StrEnum):
    """Why money confirms nothing."""

    SURPLUS = "surplus"  # the booking is already confirmed
    LATE = "late"  # the booking is cancelled
    AMOUNT_MISMATCH = "amount_mismatch"  # not what was asked
    PRICE_CHANGED = "price_changed"  # what was asked, but no longer the price
    UNKNOWN_ATTEMPT = "unknown_attempt"  # carries our mark, but this database never asked for it
    REFUND_FAILED = "refund_failed"  # it was to go back, and did not


class CancelReason(StrEnum):
    """Why a booking is cancelled."""

    ASKED = "asked"  # somebody called `cancel`
    EXPIRED = "expired"  # its hold is over
    REFUNDED = "refunded"  # all of its money went back


class Surplus(StrEnum):
    """What becomes of money that confirms nothing (rule 7)."""

    REVIEW = "review"  # it is held until a person decides
    REFUND = "refund"  # it is given back at once


@dataclass(frozen=True, slots=True)
class Booking:
    """What the airport sells, as the team's own row has it.

    Args:
        id: 1 to 128 characters of `A-Z a-z 0-9 . _ ~ : @ -`.
        owner: the customer's id, as the Authenticator returns it.
        price: what it costs now.
        status: pending, confirmed or cancelled.
        hold_until: aware UTC; no PaymentIntent is opened from then on. None: no limit.
    """

    id: str
    owner: str
    price: Money
    status: BookingStatus = BookingStatus.PENDING
    hold_until: datetime | None = None


def check_booking(booking: Booking) -> Booking:
    """Return a booking that is to be written. One that was read from a database is not checked again.

    Raises:
        InvalidRequest: a field is not what the class says. The message names it.
    """
    if not _is(booking, Booking):
        raise InvalidRequest(FieldError("booking", "a Booking"))
    check_booking_id(booking.id)
    check_owner(booking.owner)
    check_price(booking.price)
    if booking.status not in tuple(BookingStatus):
        raise InvalidRequest(FieldError("status", "a BookingStatus: PENDING, CONFIRMED or CANCELLED"))
    if booking.hold_until is not None:
        check_time("hold_until", booking.hold_until)
    return booking


def check_price(price: Money) -> Money:
    """Return a price that is to be written. Raises `InvalidRequest` unless it is a Money."""
    if not _is(price, Money):
        raise InvalidRequest(FieldError("price", 'a Money, such as Money.from_major("450.99", "USD")'))
    return price


def _is(value: object, kind: type[object]) -> bool:
    return isinstance(value, kind)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last try to pay a PaymentIntent failed. `charge_id` tells one failure from another."""

    code: str
    message: str
    decline_code: str | None = None
    charge_id: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to collect the booking's price: one Stripe PaymentIntent.

    Args:
        attempt_id: random, ours, given before anything is sent.
        amount: price and currency as they were when the attempt was opened.
        intent_id: Stripe's id, once known.
        stripe_status: the newest status that we know, None before the first.
        stray: not the booking's one payable attempt (found again, or unknown to this database).
        closing: it was decided to cancel it at Stripe; a price that comes back does not take that back.
        news: what Stripe's events already told of this payment while open, so that a repetition changes nothing.
        look_at: when to ask Stripe again without being told to, None for not.
        looks: how often that was done.
        closes: how often a cancellation was asked for: the ordinal in the next one's idempotency key.
        refunds: oldest first.
        refund_orders: how many refunds were commanded: the ordinal in the next one's idempotency key.
        refunds_at: when to list its refunds at Stripe, None for not.
        refund_looks: how often that was done.
        disputes: oldest first.
        capture_minor: how much of an authorised amount we were told to collect, None before that.
        captures: how often a capture was commanded: the ordinal in the next one's idempotency key.
        received_currency: of what was collected, where that is not the currency that was asked for.
        confirms: how often we confirmed it ourselves: the ordinal in the next confirmation's idempotency key.
    """

    attempt_id: str
    amount: Money
    state: PaymentState
    intent_id: str | None = None
    stripe_status: IntentStatus | None = None
    stray: bool = False
    closing: bool = False
    failure: Failure | None = None
    place: Place = Place.NONE
    review: ReviewReason | None = None
    received_minor: int = 0
    news: tuple[str, ...] = ()
    opened_at: datetime | None = None
    look_at: datetime | None = None
    looks: int = 0
    closes: int = 0
    refunds: tuple[Refund, ...] = ()
    refund_orders: int = 0
    refunds_at: datetime | None = None
    refund_looks: int = 0
    disputes: tuple[Dispute, ...] = ()
    capture_minor: int | None = None
    captures: int = 0
    received_currency: str | None = None
    confirms: int = 0

    @property
    def currency(self) -> str:
        """The currency of what was collected, and so of its refunds."""
        return self.received_currency or self.amount.currency

    @property
    def rest_minor(self) -> int:
        """What was collected and is neither given back nor asked to be."""
        if not self.refunds:
            return self.received_minor
        return self.received_minor - sum([r.amount_minor for r in self.refunds if r.standing])

    @property
    def disputed(self) -> Dispute | None:
        """The dispute that is not decided yet, or was lost."""
        return next((d for d in self.disputes if d.undecided_or_lost), None)

    @property
    def payable(self) -> bool:
        """Whether this is the attempt that keeps another from being opened."""
        state = self.state
        live = state is PaymentState.OPEN or state is PaymentState.OPENING or state is PaymentState.REQUIRES_CAPTURE
        return live and not self.stray


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A caller's Idempotency-Key and a fingerprint of the body that came with it, both as hashes."""

    key: str
    fingerprint: str


@quick
@dataclass(frozen=True, slots=True)
class Ledger:
    """All that we know of one booking's money, as one versioned document.

    Args:
        version: 0 before the first save; each save adds one.
        payments: oldest first.
        effects: commands that change something at Stripe and have no answer yet.
        announcements: those that not every subscriber has taken, in order.
        announced: how many announcements this booking ever had; the next one's number is one more.
        request_keys: the last few Idempotency-Keys of our own endpoint.
        cancelling: why the booking is to be cancelled as soon as nothing of it can be paid any more, None if it is not.
        newer: a newer version of this library wrote it. It may be shown, but not saved: something would be lost.
        dead_letters: deliveries that were given up, oldest first.
    """

    version: int = 0
    payments: tuple[Payment, ...] = ()
    effects: tuple[Effect, ...] = ()
    announcements: tuple[Pending, ...] = ()
    announced: int = 0
    request_keys: tuple[RequestKey, ...] = ()
    cancelling: CancelReason | None = None
    newer: bool = False
    dead_letters: tuple[DeadLetter, ...] = ()

    def payment_of_intent(self, intent_id: str) -> Payment | None:
        """Return the payment with this PaymentIntent id, if there is one."""
        return next((p for p in self.payments if p.intent_id == intent_id), None)

    @property
    def live(self) -> Payment | None:
        """The one attempt that may be paid, if there is one."""
        return next((p for p in self.payments if p.payable), None)

    @property
    def attached(self) -> Payment | None:
        """The payment that confirmed the booking, if there is one."""
        return next((p for p in self.payments if p.place is Place.ATTACHED), None)

    @property
    def needs_attention(self) -> bool:
        """Whether it waits for a person: money in review, a dispute to answer, or dead letters."""
        if self.dead_letters:
            return True
        return any(p.place is Place.REVIEW or any(d.needs_response for d in p.disputes) for p in self.payments)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The booking as the team has it and its ledger, read at one moment."""

    booking: Booking
    ledger: Ledger = field(default_factory=Ledger)


@quick
@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of a booking's story: a fact that changed something, or one that was refused. No personal data."""

    at: datetime
    fact: str
    decision: str
    event_id: str | None = None
    intent_id: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class IndexRow:
    """One payment as the storage indexes it. `state` is what the unique constraint and `due` look at."""

    attempt_id: str
    intent_id: str | None
    state: "IndexState"
    amount: Money


class IndexState(StrEnum):
    """What the narrow index knows of a payment."""

    PAYABLE = "payable"  # at most one of PAYABLE and CLOSING for each booking
    CLOSING = "closing"  # still payable at Stripe, but its cancellation is under way
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the rules need to know of the settings.

    Args:
        namespace: marks our objects at Stripe; several systems may share one account.
        livemode: whether our key is a live one.
        account: the connected account that we act for, None for our own.
        context: the organisation's context that we act in, None for none.
        surplus: what becomes of money that confirms nothing.
        refund_cancels_booking: whether a booking whose money all went back is cancelled.
        manual_capture: whether money is authorised first and collected by `capture`.
        confirm_at_authorization: whether the authorisation already confirms the booking.
    """

    namespace: str
    livemode: bool
    account: str | None = None
    context: str | None = None
    surplus: Surplus = Surplus.REVIEW
    refund_cancels_booking: bool = True
    manual_capture: bool = False
    confirm_at_authorization: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Change:
    """What one decision writes, all of it or nothing.

    Args:
        read: the snapshot that was decided on. It stands only if the stored ledger still has `read.ledger.version`, and
            the team's row still has `read.booking`'s owner, price and status.
        ledger: the new document, with the next version.
        booking_status: the booking's new status, None to leave it.
        index: the payments whose index row is new or different.
        due_at: when something is next due, None for never.
        history: lines to append.
    """

    read: Snapshot
    ledger: Ledger
    booking_status: BookingStatus | None
    index: tuple[IndexRow, ...]
    due_at: datetime | None
    history: tuple[HistoryLine, ...]

    @property
    def booking_id(self) -> str:
        """The booking that this is about."""
        return self.read.booking.id
