"""Collecting with a card that the customer saved, while they are not there."""

from airport_payments.core.commands import ConfirmIntent
from airport_payments.core.decide.draft import Completed, Draft, NotCompleted, Reply, Step
from airport_payments.core.decide.intents import watched
from airport_payments.core.decide.look import look, perform
from airport_payments.core.decide.opening import open_attempt, refusal, remember_key
from airport_payments.core.decide.settle import give_up
from airport_payments.core.decide.table import LEASE
from airport_payments.core.errors import (
    BookingNotPayable,
    Busy,
    CardDeclined,
    FieldError,
    InvalidRequest,
    Misconfigured,
    PaymentsError,
)
from airport_payments.core.evolve import replace
from airport_payments.core.facts import Answer, ChargeRequested, IntentView, RefusalKind, Refused
from airport_payments.core.model import Failure, IntentStatus, Payment, PaymentState, Place

# The bank wants the customer to say yes themselves (docs.stripe.com/declines/codes). They can: with the client secret.
AUTHENTICATION_REQUIRED = "authentication_required"
# These refusals say nothing of the card: how the PaymentIntent stands does, or the settings.
_GO_ON = frozenset({RefusalKind.UNEXPECTED_STATE, RefusalKind.MISSING, RefusalKind.CREDENTIALS})
_READY = frozenset({IntentStatus.REQUIRES_PAYMENT_METHOD, IntentStatus.REQUIRES_CONFIRMATION})


def ask_charge(draft: Draft, asker: ChargeRequested, fresh: IntentView | None) -> Step:
    """Open the booking's attempt if there is none, and confirm it with the saved card: one try for each request."""
    attached = next((p for p in draft.payments if p.place is Place.ATTACHED), None)
    if attached is not None:
        return None, _paid(draft, attached)
    refused = refusal(draft, asker)
    if refused is not None:
        return None, refused
    remember_key(draft, asker)
    live = draft.live()
    if live is None:
        return open_attempt(draft, asker, asker.options)
    effect = draft.effect_of(live)
    if isinstance(effect, ConfirmIntent) and effect.payment_method_id != asker.payment_method_id:
        give_up(draft, live, "another card is to pay")
    elif effect is not None:
        return perform(draft, effect), None
    if live.state is PaymentState.REQUIRES_CAPTURE and not live.closing:
        return None, NotCompleted(draft.booking, IntentStatus.REQUIRES_CAPTURE, None, None)
    seen = fresh if fresh is not None and fresh.id == live.intent_id else None
    if seen is None:
        return look(live, draft), None
    if live.closing:
        return None, Busy("an earlier PaymentIntent is still being processed and cannot be canceled yet")
    if seen.status not in _READY:
        draft.put(watched(live, draft.now))
        return None, NotCompleted(draft.booking, seen.status, live.failure, seen.client_secret)
    return _confirm(draft, live, seen.id, asker.payment_method_id, asker.options.return_url), None


def _paid(draft: Draft, attached: Payment) -> Reply:
    if attached.state is not PaymentState.SUCCEEDED:
        return Completed(draft.booking, IntentStatus.REQUIRES_CAPTURE)
    if attached.rest_minor > 0:
        return Completed(draft.booking, IntentStatus.SUCCEEDED)
    return BookingNotPayable("its payment was given back: set the booking to pending to have it paid again")


def _confirm(
    draft: Draft, payment: Payment, intent_id: str, payment_method_id: str, return_url: str | None
) -> ConfirmIntent:
    key = f"{draft.policy.namespace}/{payment.attempt_id}/confirm/{payment.confirms}"
    due_at = draft.now + LEASE
    command = ConfirmIntent(payment.attempt_id, intent_id, payment_method_id, return_url, key, draft.now, due_at)
    draft.command(command)
    draft.put(replace(watched(payment, draft.now), confirms=payment.confirms + 1))
    draft.note("charge", "to be paid with a saved card", intent_id)
    return command


def charge_answered(draft: Draft, payment: Payment, fact: Answer) -> Step | None:
    """Return how a charge ended whose bank said no; None if the asker goes on as always."""
    reply = fact.reply
    if not isinstance(fact.asker, ChargeRequested) or not isinstance(fact.command, ConfirmIntent):
        return None
    if not isinstance(reply, Refused) or reply.kind in _GO_ON:
        return None
    failure = reply.failure
    error: PaymentsError
    if reply.kind is RefusalKind.PAYMENT_METHOD:
        error = InvalidRequest(FieldError("payment_method_id", "a card that is saved for this customer"))
    elif failure is None:
        error = Misconfigured(f"Stripe refuses to collect with a saved card: {reply.reason}")
    elif AUTHENTICATION_REQUIRED in {failure.code, failure.decline_code} and reply.seen is not None:
        return _to_authenticate(draft, payment, failure, reply.seen.view)
    else:
        error = CardDeclined(failure.code, failure.decline_code, failure.message)
    draft.problem = error
    return None, error


def _to_authenticate(draft: Draft, payment: Payment, failure: Failure, shown: IntentView) -> Step | None:
    """Let the customer say yes themselves, if it may still be paid; None if it is paid by now.

    `shown` may be older than what is known: a webhook is faster at times, and a stored answer is old. A client secret
    never changes.
    """
    now = draft.attempt(payment.attempt_id) or payment
    if now.state in {PaymentState.SUCCEEDED, PaymentState.REQUIRES_CAPTURE}:
        return None
    payable = now.state is PaymentState.OPEN and not now.closing
    secret = shown.client_secret if payable else None
    status = shown.status if now.stripe_status is None else now.stripe_status
    return None, NotCompleted(draft.booking, status, failure, secret)
