"""Which events are ours, before any booking is loaded: rule 10."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from airport_payments.core.model import Policy

# The events that this version acts on. Their object is a PaymentIntent.
HANDLED: Final = frozenset(
    {
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
        "payment_intent.created",
        "payment_intent.partially_funded",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
    }
)


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
    """It carries no mark: ours only if one of our payments has this PaymentIntent."""


Route: TypeAlias = Ignore | Ours | Ask


def route(head: EventHead, policy: Policy) -> Route:
    """Return whose this event is."""
    if head.type not in HANDLED:
        return Ignore("a type that is not handled")
    if head.livemode is not policy.livemode:
        return Ignore(
            "of the other mode: this endpoint's secret and STRIPE_SECRET_KEY disagree about live and test",
            alarm=True,
        )
    if head.account != policy.account or head.context is not None:
        return Ignore("of another account: the endpoint listens to connected accounts", alarm=True)
    if head.namespace is None or head.booking_id is None:
        return Ask()
    if head.namespace != policy.namespace:
        return Ignore("another application's object")
    return Ours(head.booking_id)
