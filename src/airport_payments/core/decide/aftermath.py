"""Events about what happens to money after it was collected."""

from airport_payments.core.decide.disputes import note_dispute
from airport_payments.core.decide.draft import Applied, Draft, Reply, Unplaced
from airport_payments.core.decide.refunds import note_refund
from airport_payments.core.decide.settle import settle
from airport_payments.core.evolve import replace
from airport_payments.core.facts import DisputeObserved, RefundObserved, RefundsHinted
from airport_payments.core.model import Payment, PaymentState


def observe_aftermath(draft: Draft, fact: RefundObserved | RefundsHinted | DisputeObserved) -> Reply:
    """Apply what an event shows of a refund or a dispute. `Unplaced`: its PaymentIntent is not one of this booking's."""
    draft.event = (fact.event_id, fact.event_type)
    intent_id = fact.intent_id if isinstance(fact, RefundsHinted) else fact.view.intent_id
    payment = draft.intent(intent_id) if intent_id is not None else None
    if payment is None:
        return Unplaced()
    if isinstance(fact, RefundObserved):
        note_refund(draft, payment, fact.view)
    elif isinstance(fact, DisputeObserved):
        note_dispute(draft, payment, fact)
    elif _tells_of_more(fact, payment):
        _list_soon(draft, payment)
    _find_out(draft, payment.attempt_id)
    settle(draft)
    return Applied()


def _tells_of_more(hint: RefundsHinted, payment: Payment) -> bool:
    """Return whether a charge shows refunds that are not known here.

    Where it had to be asked for, it shows how things stand now: the only refund may have failed already.
    """
    return not payment.refunds or hint.refunded_minor != sum(r.amount_minor for r in payment.refunds if r.made)


def _list_soon(draft: Draft, payment: Payment) -> None:
    if payment.refunds_at is None or payment.refunds_at > draft.now:
        draft.note("observed", "refunds were made that are not known here: to be listed", payment.intent_id)
        draft.put(replace(payment, refunds_at=draft.now, refund_looks=0))


def _find_out(draft: Draft, attempt_id: str) -> None:
    """Money that goes back was collected before: if that is not known yet, ask."""
    payment = draft.attempt(attempt_id)
    if payment is None or payment.state in {PaymentState.SUCCEEDED, PaymentState.CANCELED}:
        return
    if payment.look_at is None or payment.look_at > draft.now:
        draft.put(replace(payment, look_at=draft.now, looks=0))
