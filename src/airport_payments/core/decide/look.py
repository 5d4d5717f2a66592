"""How to get a command answered, and how to ask how things stand."""

from datetime import datetime

from airport_payments.core.commands import Command, CreateRefund, Effect, FindIntent, ListRefunds, RetrieveIntent
from airport_payments.core.decide.draft import Draft
from airport_payments.core.decide.table import spent
from airport_payments.core.model import Payment


def perform(draft: Draft, effect: Effect) -> Command:
    """Return how to get this command answered: by sending it as saved, or by looking when its key is spent (rule 9)."""
    payment = draft.attempt(effect.attempt_id)
    if payment is None or not spent(effect, draft.now):
        return effect
    if isinstance(effect, CreateRefund):
        return ListRefunds(effect.attempt_id, effect.intent_id)
    return look(payment, draft)


def look(payment: Payment, draft: Draft) -> RetrieveIntent | FindIntent:
    """Return the question that tells how this payment stands."""
    if payment.intent_id is not None:
        return RetrieveIntent(payment.attempt_id, payment.intent_id)
    since: datetime = payment.opened_at or draft.now
    return FindIntent(payment.attempt_id, draft.booking.id, draft.policy.namespace, since)
