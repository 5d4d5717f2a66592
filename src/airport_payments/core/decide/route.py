"""Which events are ours, before any booking is loaded: rule 10."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from airport_payments.core.model import Policy


class Subject(StrEnum):
    """What an event's object is."""

    INTENT = "payment_intent"
    REFUND = "refund"
    CHARGE = "charge"
    DISPUTE = "dispute"


_INTENT: Final = (
    "amount_capturable_updated",
    "canceled",
    "created",
    "partially_funded",
    "payment_failed",
    "processing",
    "requires_action",
    "succeeded",
)
_DISPUTE: Final = ("closed", "created", "funds_reinstated", "funds_withdrawn", "updated")

# The events that this version acts on, and what their object is. `airport-payments events` prints them.
HANDLED: Final[dict[str, Subject]] = {
    **{f"payment_intent.{name}": Subject.INTENT for name in _INTENT},
    **{f"refund.{name}": Subject.REFUND for name in ("created", "failed", "updated")},
    "charge.refund.updated": Subject.REFUND,
    "charge.refunded": Subject.CHARGE,
    **{f"charge.dispute.{name}": Subject.DISPUTE for name in _DISPUTE},
}


# What reconcile reads in Stripe's lists goes the way of events: under this id, and under these types.
LISTED_ID: Final = "reconcile"
LISTED_PREFIX: Final = "reconcile."
SUBJECTS: Final[dict[str, Subject]] = {
    **HANDLED,
    **{f"{LISTED_PREFIX}{subject}": subject for subject in (Subject.INTENT, Subject.REFUND, Subject.DISPUTE)},
}

# What each of them does. The reference is drawn from this.
DOES: Final[dict[str, str]] = {
    "payment_intent.amount_capturable_updated": "The money is held on the card: announced, or, by setting, the booking is "
    "confirmed.",
    "payment_intent.canceled": "Nobody can pay it any more. A booking that waits for that is cancelled.",
    "payment_intent.created": "Tells which PaymentIntent an attempt has, should our own answer be lost.",
    "payment_intent.partially_funded": "Noted; a transfer may need more money.",
    "payment_intent.payment_failed": "One try failed: announced once. The same PaymentIntent may still be paid.",
    "payment_intent.processing": "Noted; it cannot be cancelled for now.",
    "payment_intent.requires_action": "Noted; the customer has something to do.",
    "payment_intent.succeeded": "Confirms the booking, or the money goes into review or back.",
    "refund.created": "A refund is known, also one that was made in the dashboard.",
    "refund.updated": "A refund moved on. When all money went back, the booking is cancelled, by setting.",
    "refund.failed": "The money did not go back, maybe after it seemed so: announced; what was owed is owed again.",
    "charge.refund.updated": "As `refund.updated`, for the payment methods that Stripe sends it for.",
    "charge.refunded": "A hint: if it tells of refunds that are not known, they are listed at Stripe.",
    "charge.dispute.created": "The bank disputes the payment: announced, with the date until which it takes evidence.",
    "charge.dispute.updated": "A dispute moved on; an inquiry that becomes a formal dispute is announced again.",
    "charge.dispute.funds_withdrawn": "Noted: Stripe took the disputed money from the balance.",
    "charge.dispute.funds_reinstated": "Noted: Stripe gave it back.",
    "charge.dispute.closed": "Won, lost, or an inquiry that ended: announced.",
}


class EventOutcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"  # it changed something, and that is committed
    UNCHANGED = "unchanged"  # a duplicate, or old news
    IGNORED = "ignored"  # not ours, or a type that is not handled
    UNMATCHED = "unmatched"  # ours, but there is no such booking


@dataclass(frozen=True, slots=True)
class EventHead:
    """What tells whose an event is.

    Args:
        account, context: the connected account or the organisation's context, None for our own account.
        namespace, booking_id: our marks in the metadata of the object, None where they are missing.
    """

    type: str
    livemode: bool
    account: str | None
    context: str | None
    namespace: str | None
    booking_id: str | None


@dataclass(frozen=True, slots=True)
class Ignore:
    """Not ours. `alarm`: someone should know, because the endpoint or the keys are set up wrongly."""

    reason: str
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Ours:
    """It carries our mark and names its booking."""

    booking_id: str


@dataclass(frozen=True, slots=True)
class Ask:
    """It carries no mark of its own: ours only if one of our payments has this PaymentIntent."""


Route: TypeAlias = Ignore | Ours | Ask


def account_of(account: str | None, context: str | None) -> str | None:
    """Return the account that is meant, None for the key's own.

    A context is a path from the key's owner down to the account (docs.stripe.com/context); ids of accounts are unique.
    """
    if account is not None:
        return account
    return None if context is None else context.rpartition("/")[2]


def unsaid(account: str | None, context: str | None, policy: Policy) -> bool:
    """Return whether an event does not say whose it is while the settings name an account: then only Stripe can say."""
    return account is None and context is None and (policy.account or policy.context) is not None


def route(head: EventHead, policy: Policy) -> Route:
    """Return whose this event is."""
    if head.type not in SUBJECTS:
        return Ignore("a type that is not handled")
    if head.livemode is not policy.livemode:
        return Ignore(
            "of the other mode: this endpoint's secret and STRIPE_SECRET_KEY disagree about live and test",
            alarm=True,
        )
    account = account_of(head.account, head.context)
    if account is not None and account != account_of(policy.account, policy.context):
        return Ignore(
            "of another account: this endpoint listens to more accounts than the one that the settings name", alarm=True
        )
    if head.namespace is None or head.booking_id is None or SUBJECTS[head.type] is not Subject.INTENT:
        # What happens to money later is ours if its PaymentIntent is, whatever its own metadata say.
        return Ask()
    if head.namespace != policy.namespace:
        return Ignore("another application's object")
    return Ours(head.booking_id)
