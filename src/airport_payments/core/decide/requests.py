"""What a customer asks for: rules 3 and 4."""

from airport_payments.core.commands import CancelIntent, ConfirmIntent, ListRefunds
from airport_payments.core.decide.charges import ask_charge
from airport_payments.core.decide.deliveries import ask_redeliver, next_delivery
from airport_payments.core.decide.draft import Completed, Done, Draft, NotCompleted, Ready, Step
from airport_payments.core.decide.intents import watched
from airport_payments.core.decide.look import look, perform
from airport_payments.core.decide.opening import open_attempt, refusal, remember_key
from airport_payments.core.decide.operations import ask_cancel, ask_capture, ask_resolve
from airport_payments.core.decide.refund_requests import ask_refund
from airport_payments.core.decide.settle import expire, give_up, settle
from airport_payments.core.errors import (
    BookingAlreadyPaid,
    BookingNotFound,
    Busy,
    PaymentInReview,
    PaymentIntentMismatch,
)
from airport_payments.core.facts import (
    Asker,
    BookingChanged,
    CancelRequested,
    CaptureRequested,
    ChargeRequested,
    ConfirmRequested,
    IntentView,
    PaymentRequested,
    RedeliverRequested,
    RefundRequested,
    ResolveRequested,
    TimePassed,
)
from airport_payments.core.model import IntentStatus, PaymentState, Place


def step(draft: Draft, asker: Asker, fresh: IntentView | None = None) -> Step:
    """Return what `asker` needs next: something to do at Stripe or to deliver, or else its reply.

    Args:
        draft: the ledger being changed.
        asker: why we are here.
        fresh: a PaymentIntent whose state Stripe just told and which is already applied.
    """
    if isinstance(asker, (PaymentRequested, ChargeRequested, ConfirmRequested, RefundRequested, CancelRequested)) and (
        asker.owner is not None and asker.owner != draft.booking.owner
    ):
        # Before anything else: whose booking it is not learns nothing of it and moves nothing in it.
        return None, BookingNotFound()
    if isinstance(asker, (TimePassed, BookingChanged)):
        expire(draft)
    settle(draft)
    if isinstance(asker, PaymentRequested):
        return _payment(draft, asker, fresh)
    if isinstance(asker, ChargeRequested):
        return ask_charge(draft, asker, fresh)
    if isinstance(asker, ConfirmRequested):
        return _confirm(draft, asker, fresh)
    if isinstance(asker, TimePassed):
        return _due(draft, asker)
    if isinstance(asker, BookingChanged):
        effect = next((e for e in draft.effects if e.due_at <= draft.now and isinstance(e, CancelIntent)), None)
        return (perform(draft, effect), None) if effect else (None, Done())
    return _staff(draft, asker, fresh)


def _staff(
    draft: Draft,
    asker: RefundRequested | CancelRequested | CaptureRequested | RedeliverRequested | ResolveRequested,
    fresh: IntentView | None,
) -> Step:
    if isinstance(asker, RefundRequested):
        return ask_refund(draft, asker)
    if isinstance(asker, CancelRequested):
        return ask_cancel(draft, asker, fresh)
    if isinstance(asker, CaptureRequested):
        return ask_capture(draft, asker)
    if isinstance(asker, RedeliverRequested):
        return ask_redeliver(draft, asker)
    return ask_resolve(draft, asker)


def _payment(draft: Draft, fact: PaymentRequested, fresh: IntentView | None) -> Step:
    refused = refusal(draft, fact)
    if refused is not None:
        return None, refused
    remember_key(draft, fact)
    live = draft.live()
    if live is None:
        return open_attempt(draft, fact, fact.options)
    effect = draft.effect_of(live)
    if isinstance(effect, ConfirmIntent):
        give_up(draft, live, "the customer pays by themselves")
    elif effect is not None:
        return perform(draft, effect), None
    if live.state is PaymentState.REQUIRES_CAPTURE and not live.closing:
        return None, BookingAlreadyPaid("the money is authorised and waits for its capture")
    seen = fresh if fresh is not None and fresh.id == live.intent_id else None
    if seen is None:
        return look(live, draft), None
    if live.closing:
        return None, Busy("an earlier PaymentIntent is still being processed and cannot be canceled yet")
    draft.put(watched(live, draft.now))
    return None, Ready(seen, live.amount)


def _confirm(draft: Draft, fact: ConfirmRequested, fresh: IntentView | None) -> Step:
    payment = draft.intent(fact.intent_id)
    if payment is None:
        return None, PaymentIntentMismatch()
    if payment.place is Place.ATTACHED and payment.state is PaymentState.SUCCEEDED:
        if payment.rest_minor <= 0:  # and the booking stays as it is, by the settings
            return None, NotCompleted(draft.booking, IntentStatus.SUCCEEDED, None, None)
        return None, Completed(draft.booking, IntentStatus.SUCCEEDED)
    if payment.place is Place.REVIEW:
        return None, PaymentInReview()
    seen = fresh if fresh is not None and fresh.id == fact.intent_id else None
    if seen is None and payment.state is not PaymentState.CANCELED:
        return look(payment, draft), None
    if seen is not None and payment.place is Place.ATTACHED:
        return None, Completed(draft.booking, seen.status)  # authorised, and that confirmed the booking
    status = seen.status if seen else payment.stripe_status
    if status is None:
        return None, Busy("the payment is still being looked up")
    # Only the booking's one payable PaymentIntent is handed out, and not while it is being cancelled or is authorised.
    if seen is None or payment.closing or payment.state is not PaymentState.OPEN:
        return None, NotCompleted(draft.booking, status, payment.failure, None)
    draft.put(watched(payment, draft.now))
    return None, NotCompleted(draft.booking, status, payment.failure, seen.client_secret)


def _due(draft: Draft, asker: TimePassed) -> Step:
    """Return the first thing that is due."""
    for effect in draft.effects:
        if effect.due_at <= draft.now:
            return perform(draft, effect), None
    for payment in draft.payments:
        if payment.look_at is not None and payment.look_at <= draft.now:
            return look(payment, draft), None
        if payment.refunds_at is not None and payment.refunds_at <= draft.now and payment.intent_id is not None:
            return ListRefunds(payment.attempt_id, payment.intent_id), None
    delivery = next_delivery(draft, asker)
    return (delivery, None) if delivery is not None else (None, Done())
