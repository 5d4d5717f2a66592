"""Giving money back: what may be, what was, and what that means for the booking."""

from datetime import datetime, timedelta

from airport_payments.core.announcements import PaymentNeedsReview, PaymentRefunded, RefundFailed
from airport_payments.core.commands import CreateRefund, ListRefunds
from airport_payments.core.decide.draft import Draft
from airport_payments.core.decide.table import (
    KEY_FORGOTTEN,
    LOOK_FIRST,
    LOOK_MOST,
    MAX_LOOKS,
    MAX_REFUNDS,
    REFUND_FORWARD,
    RETRY_MOST,
    backoff,
    spent,
)
from airport_payments.core.errors import (
    DisputedPayment,
    Misconfigured,
    NothingToRefund,
    PaymentsError,
    RefundRefused,
)
from airport_payments.core.evolve import replace
from airport_payments.core.facts import RefundSeen, RefundsSeen, RefundView, RefusalKind, Refused
from airport_payments.core.model import (
    BookingStatus,
    CancelReason,
    Payment,
    Place,
    ReviewReason,
)
from airport_payments.core.money import spell
from airport_payments.core.refund import Refund, RefundState, ordinal_of, ref_of

# ---- commanded -----------------------------------------------------------------------------------------------------


def order_refund(
    draft: Draft,
    payment: Payment,
    amount_minor: int,
    *,
    request: tuple[str, str] | None = None,
    reason: str | None = None,
    wait: timedelta = timedelta(0),
) -> CreateRefund:
    """Command a refund. `wait`: how long a worker leaves it to whoever performs it now."""
    assert payment.intent_id is not None  # noqa: S101 - it was collected, so Stripe told us which it is
    ordinal = payment.refund_orders
    ref = ref_of(payment.attempt_id, ordinal)
    command = CreateRefund(
        attempt_id=payment.attempt_id,
        ref=ref,
        booking_id=draft.booking.id,
        namespace=draft.policy.namespace,
        intent_id=payment.intent_id,
        amount_minor=amount_minor,
        reason=reason,
        key=_key(draft, payment, ordinal),
        first_sent_at=draft.now,
        due_at=draft.now + wait,
    )
    refund = Refund(ref, amount_minor, RefundState.REQUESTED, request=request, asked_at=draft.now)
    draft.command(command)
    draft.put(replace(payment, refunds=(*payment.refunds, refund), refund_orders=ordinal + 1))
    draft.note("refund", f"refund {ref} of {spell(amount_minor, payment.currency)} commanded", payment.intent_id)
    return command


def _key(draft: Draft, payment: Payment, ordinal: int) -> str:
    return f"{draft.policy.namespace}/{payment.attempt_id}/refund/{ordinal}"


def list_refunds(payment: Payment) -> ListRefunds:
    """Return the command that asks for all refunds of this payment."""
    return ListRefunds(payment.attempt_id, payment.intent_id or "")


# ---- seen ----------------------------------------------------------------------------------------------------------


def note_refund(draft: Draft, payment: Payment, view: RefundView, *, replayed: bool = False) -> Payment:
    """Apply what Stripe says of one refund, if it is news. Refunds are known by their ids; nothing is ever added up.

    One of ours may be seen before its own answer came: it carries our mark.
    """
    old = next((r for r in payment.refunds if r.refund_id == view.id), None)
    if old is None:
        old = _unanswered(draft, payment, view)
    if old is None:
        if len(payment.refunds) >= 2 * MAX_REFUNDS:
            return payment
        old = Refund(view.id, view.amount.amount_minor, RefundState.REQUESTED, refund_id=view.id, asked_at=draft.now)
        # One that this payment ordered before a backup was restored has used up its number, and its key for a day.
        ours = view.namespace == draft.policy.namespace
        orders = max(payment.refund_orders, 1 + (ordinal_of(view.ref or "", payment.attempt_id) if ours else -1))
        payment = draft.put(replace(payment, refunds=(*payment.refunds, old), refund_orders=orders))
    elif old.refund_id is None:
        draft.refund_answered(old.ref)
        payment = _put(draft, payment, replace(old, refund_id=view.id))
        old = replace(old, refund_id=view.id)
    if replayed:
        # A stored answer may be old: its status is asked for.
        draft.note("answered", f"refund {old.ref} is {view.id}", payment.intent_id)
        return draft.put(replace(payment, refunds_at=draft.now))
    if view.state not in REFUND_FORWARD[old.state]:
        return payment
    new = replace(old, state=view.state, failure=view.failure)
    payment = _watch(draft, _put(draft, payment, new))
    draft.note(
        "observed",
        f"refund {view.id} of {view.amount}: {new.state.value}",
        payment.intent_id,
    )
    _tell(draft, payment, new)
    return payment


def _unanswered(draft: Draft, payment: Payment, view: RefundView) -> Refund | None:
    """Return the refund of ours whose answer this is. A restored database may have given its name to another amount."""
    if view.ref is None or view.namespace != draft.policy.namespace:
        return None
    for refund in payment.refunds:
        if refund.ref == view.ref and refund.refund_id is None and refund.amount_minor == view.amount.amount_minor:
            return refund
    return None


def _put(draft: Draft, payment: Payment, refund: Refund) -> Payment:
    refunds = tuple(refund if r.ref == refund.ref else r for r in payment.refunds)
    return draft.put(replace(payment, refunds=refunds))


def _waiting(payment: Payment) -> bool:
    return any(r.open and r.refund_id is not None for r in payment.refunds)


def _may_get_through(payment: Payment, now: datetime) -> bool:
    """Return whether another sending of a refund that was refused may still be executed: a process died, a way was slow."""
    refused = (r.asked_at for r in payment.refunds if r.state is RefundState.REFUSED)
    return any(asked is not None and now < asked + KEY_FORGOTTEN for asked in refused)


def _watch(draft: Draft, payment: Payment) -> Payment:
    """Plan a list after news of one refund. What a list was wanted for, only a list ends: there may be other refunds."""
    planned = payment.refunds_at
    if planned is None:
        return _look_later(draft, payment) if _waiting(payment) else payment
    if planned <= draft.now or _waiting(payment):
        return payment
    return draft.put(replace(payment, refunds_at=draft.now))


def _listed(draft: Draft, payment: Payment) -> Payment:
    """Plan the next list after one that shows how things stand: while a refund's end is still to come."""
    planned = payment.refunds_at
    if not _waiting(payment) and not _may_get_through(payment, draft.now):
        return payment if planned is None else draft.put(replace(payment, refunds_at=None, refund_looks=0))
    return payment if planned is not None and planned > draft.now else _look_later(draft, payment)


def _look_later(draft: Draft, payment: Payment) -> Payment:
    """Look at refunds again for as long as an open payment is looked at."""
    if payment.refund_looks >= MAX_LOOKS:
        return draft.put(replace(payment, refunds_at=None))
    later = draft.now + backoff(LOOK_FIRST, LOOK_MOST, payment.refund_looks)
    return draft.put(replace(payment, refunds_at=later, refund_looks=payment.refund_looks + 1))


def _tell(draft: Draft, payment: Payment, refund: Refund) -> None:
    currency = payment.currency
    if refund.state is RefundState.SUCCEEDED:
        draft.announce(
            lambda number: PaymentRefunded(
                booking_id=draft.booking.id,
                sequence=number,
                at=draft.now,
                payment_intent_id=payment.intent_id,
                refund_id=refund.refund_id or "",
                amount_minor=refund.amount_minor,
                currency=currency,
            )
        )
    elif not refund.standing:
        draft.announce(
            lambda number: RefundFailed(
                booking_id=draft.booking.id,
                sequence=number,
                at=draft.now,
                payment_intent_id=payment.intent_id,
                refund_id=refund.refund_id,
                amount_minor=refund.amount_minor,
                currency=currency,
                reason=refund.failure or refund.state.value,
            )
        )


# ---- answered ------------------------------------------------------------------------------------------------------


def refund_seen(draft: Draft, payment: Payment, command: CreateRefund, reply: RefundSeen) -> None:
    """Stripe made the refund that we commanded, now or when the same key came before."""
    ours = next((r for r in payment.refunds if r.ref == command.ref and r.refund_id is None), None)
    known = next((r for r in payment.refunds if r.refund_id == reply.view.id), None)
    if ours is not None and known is not None:
        # It was seen before, without a mark that says it is ours: a restored database repeats its keys, and metadata can
        # be edited. The answer says it; what was asked for is that one refund, and no second.
        draft.refund_answered(ours.ref)
        one = replace(known, ref=ours.ref, request=ours.request)
        payment = draft.put(replace(payment, refunds=tuple(r for r in payment.refunds if r is not known)))
        payment = _put(draft, payment, one)
        draft.note("answered", f"refund {ours.ref} is {known.refund_id}", payment.intent_id)
    note_refund(draft, payment, reply.view, replayed=reply.replayed)


def refunds_seen(draft: Draft, payment: Payment, reply: RefundsSeen, *, current: bool) -> None:
    """Stripe listed every refund of this PaymentIntent; one of ours that is not there was not made, so far.

    `current`: nothing else happened since it was asked for. What an older list does not show may be there by now.
    """
    for view in reply.views:
        payment = note_refund(draft, payment, view)
    if not current:
        return
    for refund in payment.refunds:
        effect = draft.refund_effect(refund.ref)
        if effect is None or not spent(effect, draft.now):
            continue
        if draft.now < effect.first_sent_at + KEY_FORGOTTEN:
            draft.postpone(effect, draft.now + RETRY_MOST)
            continue
        if payment.rest_minor < 0:
            # Meanwhile other refunds took what it was to give back: it was not made, and cannot be any more.
            payment = _not_made(draft, payment, refund, "refund_exceeds_rest")
            continue
        ordinal = payment.refund_orders
        payment = draft.put(replace(payment, refund_orders=ordinal + 1))
        again = replace(
            effect,
            key=_key(draft, payment, ordinal),
            first_sent_at=draft.now,
            due_at=draft.now,
            tries=0,
            server_errors=0,
        )
        draft.command(again)
        payment = _put(draft, payment, replace(refund, asked_at=draft.now))
        draft.note("refund", f"refund {refund.ref} was not made: commanded again", payment.intent_id)
    payment = _listed(draft, payment)
    if payment.place is Place.REFUNDED:
        _see_that_it_went_back(draft, payment)


def refund_refused(draft: Draft, payment: Payment, command: CreateRefund, reply: Refused) -> PaymentsError:
    """Stripe did not make the refund. Another may have taken its place: so its list is asked for."""
    refund = next((r for r in payment.refunds if r.ref == command.ref), None)
    if refund is not None and refund.refund_id is None and refund.state is RefundState.REQUESTED:
        payment = _not_made(draft, payment, refund, reply.code)
        draft.put(replace(payment, refunds_at=draft.now, refund_looks=0))
    if reply.kind is RefusalKind.ALREADY_REFUNDED:
        return NothingToRefund(reply.reason)
    if reply.kind is RefusalKind.DISPUTED:
        return DisputedPayment(reply.reason)
    if reply.kind is RefusalKind.MISSING:
        return Misconfigured(
            f"Stripe does not know PaymentIntent {command.intent_id}: is STRIPE_SECRET_KEY of another account or mode?"
        )
    return RefundRefused(reply.reason)


def _not_made(draft: Draft, payment: Payment, refund: Refund, code: str) -> Payment:
    """End a refund of ours that Stripe did not make. Its `code` alone is kept: a message may repeat what someone typed."""
    draft.refund_answered(refund.ref)
    refused = replace(refund, state=RefundState.REFUSED, failure=code)
    payment = _put(draft, payment, refused)
    draft.note("answered", f"refund {refund.ref} refused: {code}", payment.intent_id)
    if refund.request is None:
        _tell(draft, payment, refused)  # nobody waits for the answer to a refund that the rules ordered
    return payment


# ---- what follows --------------------------------------------------------------------------------------------------


def settle_money(draft: Draft, payment: Payment) -> None:
    """See what became of collected money: whether all of it went back, or was to go back and did not."""
    if not payment.refunds:
        return
    if payment.place is Place.REFUNDED:
        if not _unsure(draft, payment):
            _see_that_it_went_back(draft, payment)
        return
    if payment.rest_minor > 0 or any(r.state is RefundState.REQUESTED for r in payment.refunds):
        return
    if payment.place is Place.ATTACHED:
        if not draft.policy.refund_cancels_booking and draft.booking.status is not BookingStatus.PENDING:
            return  # set back to pending, it wants to be paid again
        if draft.booking.status is BookingStatus.CONFIRMED:
            draft.cancel_booking(CancelReason.REFUNDED)
    draft.put(replace(payment, place=Place.REFUNDED, review=None))
    draft.note("settled", "all of its money went back", payment.intent_id)


def _see_that_it_went_back(draft: Draft, payment: Payment) -> None:
    if payment.rest_minor > 0:
        draft.note("settled", "it was to go back, and did not: in review", payment.intent_id)
        to_review(draft, payment, ReviewReason.REFUND_FAILED)


def _unsure(draft: Draft, payment: Payment) -> bool:
    """Return whether there may be refunds that are not known here, and a list that will tell is due."""
    planned = payment.refunds_at
    return planned is not None and (planned <= draft.now or not _waiting(payment))


def to_review(draft: Draft, payment: Payment, reason: ReviewReason) -> None:
    """Hold money until a person decides, and say so."""
    draft.put(replace(payment, place=Place.REVIEW, review=reason))
    draft.announce(
        lambda number: PaymentNeedsReview(
            booking_id=draft.booking.id,
            sequence=number,
            at=draft.now,
            payment_intent_id=payment.intent_id,
            reason=reason.value,
            amount_minor=payment.rest_minor,
            currency=payment.currency,
        )
    )
