"""What is to be known of an event before a booking is loaded: that it is Stripe's, whose it is, and what it shows."""

import logging
from dataclasses import dataclass
from typing import Final, TypeAlias

from airport_payments.core.commands import Fetch, RetrieveCharge, RetrieveDispute, RetrieveRefund
from airport_payments.core.decide.route import SUBJECTS, EventHead, EventOutcome, Ignore, Subject, unsaid
from airport_payments.core.errors import InternalError, InvalidSignature, Misconfigured, StripeUnavailable
from airport_payments.core.facts import (
    ChargeSeen,
    DisputeObserved,
    DisputeSeen,
    IntentObserved,
    IntentView,
    PortReply,
    RefundObserved,
    RefundSeen,
    RefundsHinted,
    RefusalKind,
    Refused,
    Unanswered,
)
from airport_payments.core.ids import CHARGE_ID, DISPUTE_ID, REFUND_ID
from airport_payments.core.model import Policy
from airport_payments.loop import logger
from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.events import Event, construct_event, to_bytes

AftermathFact: TypeAlias = RefundObserved | RefundsHinted | DisputeObserved
# The facts that an event brings: they perform nothing at Stripe (rule 10).
OBSERVED: Final = (IntentObserved, RefundObserved, RefundsHinted, DisputeObserved)

FOREIGN: Final = Ignore("another application's object")
NO_OBJECT: Final = Ignore("it does not say what it is about", alarm=True)
NO_SUCH_OBJECT: Final = Ignore("its object does not exist in this account", alarm=True)


@dataclass(frozen=True, slots=True)
class Unread:
    """A refund, a dispute or a charge of which nothing can be read but its PaymentIntent, empty for none."""

    intent_id: str


def ignored(event: Event, why: Ignore) -> EventOutcome:
    """Log an event that is not ours; loudly, where it says that something is set up wrongly."""
    level = logging.ERROR if why.alarm else logging.DEBUG
    logger.log(level, "event %.64r (%.64r) ignored: %s", event.id, event.type, why.reason)
    return EventOutcome.IGNORED


def shown_intent(event: Event, policy: Policy) -> IntentView | None:
    """Return the PaymentIntent that an event shows, None where it has to be fetched."""
    return None if unsaid(event.account, event.context, policy) else event.intent


def shown_owner(event: Event, policy: Policy) -> str | None:
    """Return the PaymentIntent whose refund, dispute or charge an event shows, empty for none; None: it does not say."""
    return None if unsaid(event.account, event.context, policy) else event.intent_id


def shown_aftermath(event: Event, policy: Policy) -> AftermathFact | None:
    """Return what an event shows of collected money, None where it has to be fetched."""
    return None if unsaid(event.account, event.context, policy) else event.aftermath


def head_of(event: Event, view: IntentView) -> EventHead:
    """Return whose an event is by the marks of its PaymentIntent."""
    kind = event.name if SUBJECTS[event.name] is Subject.INTENT else "payment_intent.succeeded"
    return EventHead(kind, view.livemode, event.account, event.context, view.namespace, view.booking_id)


def intent_of(fact: AftermathFact | Unread) -> str:
    """Return the PaymentIntent that a refund, a dispute or a charge belongs to, empty for none."""
    return (fact.intent_id if isinstance(fact, (RefundsHinted, Unread)) else fact.view.intent_id) or ""


def fetch_of(event: Event) -> Fetch | Ignore:
    """Return the question that brings an event's object in this version's shape.

    Raises:
        InternalError: its id is of a kind that this version does not know, but a later one may.
    """
    object_id, subject = event.object_id, SUBJECTS[event.name]
    if not object_id:
        return NO_OBJECT
    if subject is Subject.REFUND and REFUND_ID.fullmatch(object_id):
        return RetrieveRefund(object_id)
    if subject is Subject.DISPUTE and DISPUTE_ID.fullmatch(object_id):
        return RetrieveDispute(object_id)
    if subject is Subject.CHARGE and CHARGE_ID.fullmatch(object_id):
        return RetrieveCharge(object_id)
    raise _unreadable(event.id)


def fetched(event: Event, reply: PortReply) -> AftermathFact | Unread | Ignore:
    """Return what a fetched object says, or why it is not ours. Raises as `not_fetched` does."""
    if isinstance(reply, RefundSeen):
        return RefundObserved(reply.view, event.id, event.name)
    if isinstance(reply, DisputeSeen):
        return DisputeObserved(reply.view, event.id, event.name)
    if isinstance(reply, ChargeSeen):
        return RefundsHinted(reply.intent_id or "", reply.refunded_minor, event.id, event.name)
    if isinstance(reply, Unanswered) and reply.intent_id is not None:
        return Unread(reply.intent_id)
    return not_fetched(event.id, reply)


def readable(event: Event, found: AftermathFact | Unread | Ignore) -> AftermathFact | Ignore:
    """Return what was found of our own. Raises `InternalError` if it cannot be read: Stripe sends the event again."""
    if isinstance(found, Unread) or found is NO_OBJECT:
        raise _unreadable(event.id)
    return found


def not_fetched(event_id: str, reply: PortReply) -> Ignore:
    """Return why an object is not ours, and raise if Stripe did not say.

    Raises:
        StripeUnavailable: it did not answer; it sends the event again.
        InternalError: the object cannot be read.
        Misconfigured: Stripe does not let us see it.
    """
    if isinstance(reply, Unanswered):
        if reply.key_spent:
            raise _unreadable(event_id)
        raise StripeUnavailable(reply.reason)
    if isinstance(reply, Refused) and reply.kind is RefusalKind.FOREIGN:
        return FOREIGN
    if isinstance(reply, Refused) and reply.kind is not RefusalKind.MISSING:
        raise Misconfigured(f"event {event_id:.64}: Stripe refuses to show its object ({reply.reason})")
    return NO_SUCH_OBJECT


def _unreadable(event_id: str) -> InternalError:
    return InternalError(
        f"event {event_id:.64}: its object cannot be read; is this version of airport-payments too old?"
    )


def verified(body: bytes, signature: str | None, settings: StripeSettings, now_s: float) -> Event:
    """Return the event of a webhook. Raises as `construct_event`, and `InvalidSignature` for NaN or Infinity in the body.

    What is raised keeps nothing of the body.
    """
    from airport_payments.stripe_api.wire import has_constants  # noqa: PLC0415 - loads pydantic, which importing must not

    try:
        body = to_bytes(body)
        event = construct_event(body, signature, settings.secrets, tolerance=settings.tolerance_s, now=now_s)
        if not has_constants(body):
            return event
        raise InvalidSignature("the body is not JSON")
    finally:
        del body
