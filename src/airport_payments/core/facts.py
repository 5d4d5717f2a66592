"""What happened. Frozen, typed, without behaviour."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from airport_payments.core.commands import Command
from airport_payments.core.model import Failure, IntentStatus, RequestKey
from airport_payments.core.money import Money
from airport_payments.core.secret import Secret


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


# ---- from the team -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaymentRequested:
    """A customer wants to pay. `attempt_id` is random, for the attempt that this may open."""

    owner: str
    amount: Money
    attempt_id: str
    request_key: RequestKey | None = None


@dataclass(frozen=True, slots=True)
class ConfirmRequested:
    """A customer asks whether this PaymentIntent paid the booking."""

    owner: str
    intent_id: str


@dataclass(frozen=True, slots=True)
class BookingChanged:
    """The team changed its booking: cancelled it, or gave it another price."""


# ---- from the clock and from the handlers ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Something may be due."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The handlers took announcement number `sequence`."""

    sequence: int


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A handler raised on announcement number `sequence`."""

    sequence: int


# ---- from Stripe -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IntentObserved:
    """An event showed a PaymentIntent. `placed`: no other booking of ours has this PaymentIntent."""

    view: IntentView
    event_id: str
    event_type: str
    placed: bool = False


@dataclass(frozen=True, slots=True)
class IntentSeen:
    """Stripe answered with a PaymentIntent. `replayed`: with an answer that it had stored, so its status may be old."""

    view: IntentView
    replayed: bool = False


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


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer that tells whether it was done: a time-out, a lost connection, 429, 409, 5xx.

    Args:
        reason: for the log.
        server_error: Stripe answered 5xx, which it may repeat for as long as it keeps the key.
        key_spent: this key can bring no answer any more; the object has to be looked for.
        sent: False when the circuit was open and nothing was sent.
    """

    reason: str
    server_error: bool = False
    key_spent: bool = False
    sent: bool = True


Asker: TypeAlias = PaymentRequested | ConfirmRequested | BookingChanged | TimePassed
PortReply: TypeAlias = IntentSeen | NothingFound | Refused | Unanswered


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to a command. `as_of` is the ledger's version when it was sent; `asker` is why it was sent."""

    command: Command
    reply: PortReply
    as_of: int
    asker: Asker


Fact: TypeAlias = Asker | Delivered | DeliveryFailed | IntentObserved | Answer
