"""Collecting with a card that the customer saved, while they are not there."""

from airport_payments.core.commands import ConfirmIntent
from airport_payments.core.decide.draft import Completed, Draft, NotCompleted, Step
from airport_payments.core.decide.intents import watched
from airport_payments.core.decide.look import look, perform
from airport_payments.core.decide.opening import open_attempt, refusal, remember_key
from airport_payments.core.decide.table import LEASE
from airport_payments.core.errors import Busy, CardDeclined, Misconfigured, PaymentsError
from airport_payments.core.evolve import replace
from airport_payments.core.facts import Answer, ChargeRequested, IntentView, RefusalKind, Refused
from airport_payments.core.model import IntentStatus, Payment, PaymentState, Place

# The bank wants the customer to say yes themselves (docs.stripe.com/declines/codes). They can: with the client secret.
AUTHENTICATION_REQUIRED = "authentication_required"
# These refusals say nothing of the card: how the PaymentIntent stands does, or the settings.
_GO_ON = frozenset({RefusalKind.UNEXPECTED_STATE, RefusalKind.MISSING, RefusalKind.CREDENTIALS})
_READY = frozenset({IntentStatus.REQUIRES_PAYMENT_METHOD, IntentStatus.REQUIRES_CONFIRMATION})


def ask_charge(draft: Draft, asker: ChargeRequested, fresh: IntentView | None) -> Step:
    """Open the booking's attempt if there is none, and confirm it with the saved card: one try for each request."""
    attached = next((p for p in draft.payments if p.place is Place.ATTACHED), None)
    if attached is not None:
        collected = attached.state is PaymentState.SUCCEEDED
        return None, Completed(draft.booking, IntentStatus.SUCCEEDED if collected else IntentStatus.REQUIRES_CAPTURE)
    refused = refusal(draft, asker)
    if refused is not None:
        return None, refused
    remember_key(draft, asker)
    live = draft.live()
    if live is None:
        return open_attempt(draft, asker, asker.options)
    effect = draft.effect_of(live)
    if effect is not None:
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


def charge_answered(draft: Draft, payment: Payment, fact: Answer, fresh: IntentView | None) -> Step | None:
    """Return how a charge ended whose bank said no; None if the asker goes on as always."""
    reply = fact.reply
    if not isinstance(fact.asker, ChargeRequested) or not isinstance(fact.command, ConfirmIntent):
        return None
    if not isinstance(reply, Refused) or reply.kind in _GO_ON:
        return None
    failure = reply.failure
    if failure is None:
        draft.problem = Misconfigured(f"Stripe refuses to collect with a saved card: {reply.reason}")
        return None, draft.problem
    if AUTHENTICATION_REQUIRED in {failure.code, failure.decline_code} and fresh is not None:
        now = draft.attempt(payment.attempt_id) or payment
        secret = fresh.client_secret if now.payable and not now.closing else None
        return None, NotCompleted(draft.booking, fresh.status, failure, secret)
    error: PaymentsError = CardDeclined(failure.code, failure.decline_code, failure.message)
    draft.problem = error
    return None, error
