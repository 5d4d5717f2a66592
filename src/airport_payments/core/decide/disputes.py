"""Disputes: a state of their own. They move no booking, and give nothing back by themselves."""

from typing import Final

from airport_payments.core.announcements import DisputeClosed, PaymentDisputed
from airport_payments.core.decide.draft import Draft
from airport_payments.core.decide.table import DISPUTE_FORWARD
from airport_payments.core.dispute import Dispute
from airport_payments.core.evolve import replace
from airport_payments.core.facts import DisputeObserved, DisputeView
from airport_payments.core.model import Payment

# A card payment may be disputed again after a decision; more than this of one payment are not real.
MAX_DISPUTES: Final = 20


def note_dispute(draft: Draft, payment: Payment, fact: DisputeObserved) -> None:
    """Apply what an event shows of a dispute, if it is news."""
    view = fact.view
    old = next((d for d in payment.disputes if d.dispute_id == view.id), None)
    if old is None and len(payment.disputes) >= MAX_DISPUTES:
        return
    before = old or _new(view)
    new = _moved(before, view) if old is not None else before
    new = replace(
        new,
        withdrawn=new.withdrawn or fact.event_type == "charge.dispute.funds_withdrawn",
        reinstated=new.reinstated or fact.event_type == "charge.dispute.funds_reinstated",
    )
    if new == old:
        return
    kept = tuple(new if d is old else d for d in payment.disputes)
    draft.put(replace(payment, disputes=kept if old is not None else (*kept, new)))
    draft.note("observed", f"dispute {new.dispute_id}: {_words(old, new)}", payment.intent_id)
    # An inquiry that becomes a formal dispute is told again: now there is money to lose, and another date.
    formal = old is not None and old.status.startswith("warning_") and not new.status.startswith("warning_")
    if new.open and (old is None or not old.open or formal):
        _tell_open(draft, payment, new)
    elif not new.open and (old is None or old.status is not new.status):
        _tell_closed(draft, payment, new)


def _words(old: Dispute | None, new: Dispute) -> str:
    """Return how a dispute stands, for the history."""
    words = [new.status.value]
    if new.withdrawn and not (old is not None and old.withdrawn):
        words.append("the money was taken from the balance")
    if new.reinstated and not (old is not None and old.reinstated):
        words.append("the money is back in the balance")
    return ", ".join(words)


def _new(view: DisputeView) -> Dispute:
    return Dispute(
        view.id, view.amount.amount_minor, view.amount.currency, view.status, view.reason, view.due_by, view.refundable
    )


def _moved(old: Dispute, view: DisputeView) -> Dispute:
    """Return the dispute with a newer status. The rest of what Stripe says is as new as that status is."""
    if view.status is not old.status and view.status not in DISPUTE_FORWARD[old.status]:
        return old
    if view.status is old.status:
        # Evidence may be asked for until another date; a date that goes backwards is old news.
        later = view.due_by is not None and (old.due_by is None or view.due_by > old.due_by)
        return replace(old, due_by=view.due_by) if later else old
    return replace(old, status=view.status, due_by=view.due_by, refundable=view.refundable)


def _tell_open(draft: Draft, payment: Payment, dispute: Dispute) -> None:
    draft.announce(
        lambda number: PaymentDisputed(
            booking_id=draft.booking.id,
            sequence=number,
            at=draft.now,
            payment_intent_id=payment.intent_id,
            dispute_id=dispute.dispute_id,
            status=dispute.status.value,
            reason=dispute.reason,
            amount_minor=dispute.amount_minor,
            currency=dispute.currency,
            due_by=dispute.due_by,
        )
    )


def _tell_closed(draft: Draft, payment: Payment, dispute: Dispute) -> None:
    draft.announce(
        lambda number: DisputeClosed(
            booking_id=draft.booking.id,
            sequence=number,
            at=draft.now,
            payment_intent_id=payment.intent_id,
            dispute_id=dispute.dispute_id,
            status=dispute.status.value,
            amount_minor=dispute.amount_minor,
            currency=dispute.currency,
        )
    )
