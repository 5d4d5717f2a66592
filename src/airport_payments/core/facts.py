"""What happened. Frozen, typed, without behaviour."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from airport_payments.core.announcements import Subscription
from airport_payments.core.commands import Command
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.evolve import quick
from airport_payments.core.ids import code_of
from airport_payments.core.model import CancelReason, Failure, IntentStatus, RequestKey
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions
from airport_payments.core.refund import RefundReason, RefundState
from airport_payments.core.secret import Secret


@quick
@dataclass(frozen=True, slots=True)
class IntentView:
    """What Stripe says of one PaymentIntent, in our words.

    Args:
        namespace, booking_id, attempt_id: our marks in its metadata, None where they are missing.
        failure: why the last try to pay failed, None when it did not.
        charge_id: the latest charge, None before the first.
        client_secret: passed through to the customer, never stored.
    """

    id: str
    status: IntentStatus
    amount: Money
    received_minor: int
    livemode: bool
    namespace: str | None = None
    booking_id: str | None = None
    attempt_id: str | None = None
    failure: Failure | None = None
    charge_id: str | None = None
    client_secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class RefundView:
    """What Stripe says of one refund, in our words.

    Args:
        intent_id: the PaymentIntent whose money it gives back.
        namespace, ref: our marks in its metadata, None where they are missing.
        failure: why it failed, None when it did not.
    """

    id: str
    intent_id: str | None
    amount: Money
    state: RefundState
    namespace: str | None = None
    ref: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class DisputeView:
    """What Stripe says of one dispute, in our words. Fields as in `Dispute`."""

    id: str
    intent_id: str | None
    amount: Money
    status: DisputeStatus
    reason: str
    due_by: datetime | None = None
    refundable: bool = False


# ---- from the team -----------------------------------------------------------------------------------------------------


@quick
@dataclass(frozen=True, slots=True)
class PaymentRequested:
    """A customer wants to pay. `attempt_id` is random, for the attempt that this may open."""

    owner: str
    amount: Money
    attempt_id: str
    request_key: RequestKey | None = None
    options: PaymentOptions | None = None


@dataclass(frozen=True, slots=True)
class ChargeRequested:
    """The team wants to collect with a card that the customer saved. Fields as in `PaymentRequested`."""

    owner: str
    amount: Money
    attempt_id: str
    payment_method_id: str
    options: PaymentOptions
    request_key: RequestKey | None = None


@dataclass(frozen=True, slots=True)
class ConfirmRequested:
    """A customer asks whether this PaymentIntent paid the booking."""

    owner: str
    intent_id: str


@dataclass(frozen=True, slots=True)
class BookingChanged:
    """The team changed its booking: cancelled it, or gave it another price."""


class Resolution(StrEnum):
    """What a person decides about money in review."""

    CONFIRM = "confirm"  # it pays the booking after all
    REFUND = "refund"  # it goes back
    KEEP = "keep"  # it stays, and confirms nothing


@dataclass(frozen=True, slots=True)
class RefundRequested:
    """Somebody wants to give money back.

    Args:
        payment_id: which payment, by PaymentIntent or attempt. None: the one that has money of this booking.
        amount: how much. None: all that is left.
        request: hashes of the caller's request id and of what it asked for, so that a repetition is known as one.
        owner: who asks, None for the team itself.
    """

    payment_id: str | None
    amount: Money | None
    reason: RefundReason
    request: tuple[str, str]
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The booking is to be cancelled. `owner`: who asks, None for the team itself."""

    reason: CancelReason
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class ResolveRequested:
    """A person decided about money in review. `by` says who, for the history."""

    payment_id: str
    resolution: Resolution
    by: str


@dataclass(frozen=True, slots=True)
class CaptureRequested:
    """An authorised amount is to be collected. `amount` None: all of it."""

    payment_id: str | None
    amount: Money | None


@dataclass(frozen=True, slots=True)
class RedeliverRequested:
    """A person wants the dead letters of announcement number `sequence` delivered after all."""

    sequence: int


# ---- from the clock and from the handlers ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Something may be due. `subscriptions`: who hears what in the process that looks."""

    subscriptions: tuple[Subscription, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivered:
    """A subscriber took announcement number `sequence`. `asker`: who goes on with what is due, None for nobody."""

    sequence: int
    subscriber: str
    asker: TimePassed | None = None


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A subscriber raised on announcement number `sequence`.

    Args:
        tries: which call of it that was: while another worker has a later one, this says nothing.
        error: the kind of what it raised.
        asker: who goes on with what is due, None for nobody.
    """

    sequence: int
    subscriber: str
    tries: int
    error: str
    asker: TimePassed | None = None


# ---- from Stripe -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IntentObserved:
    """An event showed a PaymentIntent. `placed`: no other booking has it. `rebuild`: a restored backup may have lost it."""

    view: IntentView
    event_id: str
    event_type: str
    placed: bool = False
    rebuild: bool = False


@quick
@dataclass(frozen=True, slots=True)
class IntentSeen:
    """Stripe answered with a PaymentIntent. `replayed`: with an answer that it had stored, so its status may be old."""

    view: IntentView
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class RefundObserved:
    """An event showed a refund."""

    view: RefundView
    event_id: str
    event_type: str


@dataclass(frozen=True, slots=True)
class RefundsHinted:
    """An event said that `refunded_minor` of a PaymentIntent's charge went back, not by which refunds."""

    intent_id: str
    refunded_minor: int
    event_id: str
    event_type: str


@dataclass(frozen=True, slots=True)
class DisputeObserved:
    """An event showed a dispute."""

    view: DisputeView
    event_id: str
    event_type: str


@dataclass(frozen=True, slots=True)
class RefundSeen:
    """Stripe answered with a refund. `replayed`: with an answer that it had stored."""

    view: RefundView
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class DisputeSeen:
    """Stripe answered with a dispute."""

    view: DisputeView


@dataclass(frozen=True, slots=True)
class ChargeSeen:
    """Stripe answered with a charge: its PaymentIntent, None for none, and how much of it went back."""

    intent_id: str | None
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class CustomerSeen:
    """Stripe answered with a customer."""

    customer_id: str


@dataclass(frozen=True, slots=True)
class RefundsSeen:
    """Stripe answered with all refunds of a PaymentIntent."""

    views: tuple[RefundView, ...]


@dataclass(frozen=True, slots=True)
class NothingFound:
    """The whole window was searched, and no PaymentIntent carries this attempt's mark."""


class RefusalKind(StrEnum):
    """Why Stripe refused, as far as the rules tell refusals apart."""

    INVALID = "invalid"
    AMOUNT_TOO_SMALL = "amount_too_small"
    AMOUNT_TOO_LARGE = "amount_too_large"
    CARD = "card"
    UNEXPECTED_STATE = "unexpected_state"
    MISSING = "missing"
    CREDENTIALS = "credentials"
    ALREADY_REFUNDED = "already_refunded"
    DISPUTED = "disputed"
    EMAIL = "email"  # the address that the caller gave
    PAYMENT_METHOD = "payment_method"  # the saved card that the caller gave
    FOREIGN = "foreign"  # it is there, cannot be read, and does not carry our mark


@dataclass(frozen=True, slots=True)
class Refused:
    """Stripe answered 4xx: it did not do what was asked.

    Args:
        reason: for the log: Stripe's code and message, without anything secret.
        failure: for a card error, safe to show.
        seen: the PaymentIntent that the refusal carried.
    """

    kind: RefusalKind
    reason: str
    failure: Failure | None = None
    seen: IntentSeen | None = None

    @property
    def code(self) -> str:
        """Stripe's code alone, for what is kept: a message may repeat what a customer typed."""
        return code_of(self.reason) or self.kind.value


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer that tells whether it was done: a time-out, a lost connection, 429, 409, 5xx.

    Args:
        reason: for the log.
        server_error: Stripe answered 5xx, which it may repeat for as long as it keeps the key.
        key_spent: this key can bring no answer any more; the object has to be looked for.
        sent: False when the circuit was open and nothing was sent.
        intent_id: the PaymentIntent, empty for none, of an object that was fetched and cannot be read otherwise.
    """

    reason: str
    server_error: bool = False
    key_spent: bool = False
    sent: bool = True
    intent_id: str | None = None


Asker: TypeAlias = (
    PaymentRequested
    | ChargeRequested
    | ConfirmRequested
    | RefundRequested
    | CancelRequested
    | ResolveRequested
    | CaptureRequested
    | RedeliverRequested
    | BookingChanged
    | TimePassed
)
Observed: TypeAlias = IntentObserved | RefundObserved | RefundsHinted | DisputeObserved
PortReply: TypeAlias = (
    IntentSeen
    | RefundSeen
    | RefundsSeen
    | DisputeSeen
    | ChargeSeen
    | CustomerSeen
    | NothingFound
    | Refused
    | Unanswered
)


@quick
@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to a command. `as_of` is the ledger's version when it was sent; `asker` is why it was sent."""

    command: Command
    reply: PortReply
    as_of: int
    asker: Asker


Fact: TypeAlias = Asker | Delivered | DeliveryFailed | Observed | Answer
