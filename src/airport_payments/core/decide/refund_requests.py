"""What a person or a program asks for: which payment is to go back, whether it may, and how the same request stands."""

from airport_payments.core.decide.draft import Draft, RefundReply, Step
from airport_payments.core.decide.refunds import list_refunds, order_refund
from airport_payments.core.decide.table import LEASE, MAX_REFUNDS, spent
from airport_payments.core.errors import (
    CurrencyMismatch,
    DisputedPayment,
    FieldError,
    IdempotencyKeyReused,
    InvalidRequest,
    NothingToRefund,
    PaymentIntentMismatch,
    PaymentsError,
    RefundRefused,
    RefundTooLarge,
    StripeUnavailable,
)
from airport_payments.core.facts import RefundRequested
from airport_payments.core.model import Payment, PaymentState, Place
from airport_payments.core.refund import Refund, RefundState


def ask_refund(draft: Draft, asker: RefundRequested) -> Step:
    """Give money back, once per request id: command it, or say how the same request's refund stands."""
    for payment in draft.payments:
        for refund in payment.refunds:
            if refund.request is not None and refund.request[0] == asker.request[0]:
                if refund.request != asker.request:
                    return None, IdempotencyKeyReused("this request_id asked for another refund before")
                return _stands(draft, payment, refund)
    chosen = _choose(draft, asker)
    if isinstance(chosen, PaymentsError):
        return None, chosen
    amount = chosen.rest_minor if asker.amount is None else asker.amount.amount_minor
    refusal = _refusal(chosen, asker, amount)
    if refusal is not None:
        return None, refusal
    return order_refund(draft, chosen, amount, request=asker.request, reason=asker.reason.value, wait=LEASE), None


def _stands(draft: Draft, payment: Payment, refund: Refund) -> Step:
    """Return how a refund stands; while Stripe's answer is missing, ask for that first."""
    effect = draft.refund_effect(refund.ref)
    if effect is not None:
        if not spent(effect, draft.now):
            return effect, None
        if effect.due_at > draft.now:
            return None, StripeUnavailable("the refund is saved and has no answer from Stripe yet")
        return list_refunds(payment), None
    if refund.state is RefundState.REQUESTED and payment.refunds_at is not None and payment.refunds_at <= draft.now:
        return list_refunds(payment), None
    return None, RefundReply(draft.booking, payment, refund)


def _choose(draft: Draft, asker: RefundRequested) -> Payment | PaymentsError:
    """Return the payment that is meant."""
    if asker.payment_id is not None:
        named = draft.named(asker.payment_id)
        return named if named is not None else PaymentIntentMismatch()
    collected = [p for p in draft.payments if p.state is PaymentState.SUCCEEDED]
    attached = next((p for p in collected if p.place is Place.ATTACHED), None)
    if attached is not None:
        return attached  # also when all of it went back: who names none means no other
    left = [p for p in collected if p.rest_minor > 0] or collected
    if len(left) > 1:
        return InvalidRequest(FieldError("payment_id", "the booking has several payments: name one"))
    return left[0] if left else NothingToRefund("nothing was collected for this booking")


def _refusal(payment: Payment, asker: RefundRequested, amount_minor: int) -> PaymentsError | None:
    """Return why this cannot be given back, None if it can."""
    if payment.state is PaymentState.REQUIRES_CAPTURE:
        return NothingToRefund("the money is only authorised: cancel the booking to release it")
    if payment.state is not PaymentState.SUCCEEDED:
        return NothingToRefund("nothing was collected by this payment")
    if asker.amount is not None and asker.amount.currency != payment.currency:
        return CurrencyMismatch("the payment was made in another currency")
    if asker.amount is not None and amount_minor <= 0:
        return InvalidRequest(FieldError("amount", "more than nothing"))
    if payment.rest_minor <= 0:
        return NothingToRefund("all of it was given back")
    if amount_minor > payment.rest_minor:
        return RefundTooLarge(payment.rest_minor, payment.currency)
    dispute = next((d for d in payment.disputes if d.undecided_or_lost and not d.refundable), None)
    if dispute is not None:
        return DisputedPayment(f"dispute {dispute.dispute_id} is {dispute.status.value}")
    if len(payment.refunds) >= MAX_REFUNDS:
        return RefundRefused(f"the payment had {MAX_REFUNDS} refunds already")
    return None
