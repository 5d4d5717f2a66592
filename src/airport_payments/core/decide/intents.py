"""What a PaymentIntent's state means for its booking: rules 5, 6 and 7."""

from datetime import datetime

from airport_payments.core.announcements import (
    BookingConfirmed,
    PaymentFailed,
    PaymentNeedsReview,
)
from airport_payments.core.commands import CancelIntent, CreateIntent
from airport_payments.core.decide.draft import Applied, Draft, Reply, Unplaced
from airport_payments.core.decide.table import (
    FORWARD,
    LOOK_FIRST,
    LOOK_MOST,
    MAX_LOOKS,
    MAX_NEWS,
    PROCESSING_FIRST,
    PROCESSING_MOST,
    STATE_OF,
    backoff,
)
from airport_payments.core.evolve import replace
from airport_payments.core.facts import IntentObserved, IntentView
from airport_payments.core.model import (
    BookingStatus,
    IntentStatus,
    Payment,
    PaymentState,
    Place,
    ReviewReason,
)


def observe_event(draft: Draft, fact: IntentObserved) -> Reply:
    """Apply what an event shows. An event performs nothing at Stripe; what follows from it is left due (rule 10)."""
    view = fact.view
    draft.event = (fact.event_id, fact.event_type)
    payment = draft.intent(view.id)
    if payment is None and view.attempt_id is not None:
        payment = draft.attempt(view.attempt_id)
        if payment is not None and payment.intent_id is not None:
            payment = None  # the attempt has another PaymentIntent: this one is a stray
    if payment is None:
        if not fact.placed:
            return Unplaced()
        payment = adopt(draft, view)
    observe(draft, identify(draft, payment, view), view, asked=False)
    settle(draft)
    return Applied()


def adopt(draft: Draft, view: IntentView) -> Payment:
    """Take in a PaymentIntent that carries our mark but that this database never asked for.

    So it is after a restored backup. It is never one to be paid: open, it is cancelled; paid, rule 7 answers it.
    """
    named = view.attempt_id
    attempt_id = named if named is not None and draft.attempt(named) is None else view.id
    return draft.put(
        Payment(attempt_id, view.amount, PaymentState.ABANDONED, stray=True, closing=True, opened_at=draft.now)
    )


def identify(draft: Draft, payment: Payment, view: IntentView) -> Payment:
    """Note which PaymentIntent belongs to this attempt. That always applies, however old the answer (rule 2)."""
    if payment.intent_id is not None:
        return payment
    draft.answered(payment, CreateIntent)
    # An abandoned attempt lost its place to a later one: what appears of it now is a stray.
    stray = payment.state is PaymentState.ABANDONED
    draft.note("identified", f"attempt {payment.attempt_id} is this PaymentIntent", view.id)
    return draft.put(
        replace(
            payment,
            intent_id=view.id,
            state=PaymentState.OPEN,
            stray=stray,
            closing=payment.closing or stray,
            look_at=draft.now,
            looks=0,
        )
    )


def observe(draft: Draft, payment: Payment, view: IntentView, *, asked: bool) -> None:
    """Apply a PaymentIntent's status to its payment, if it is news.

    Args:
        draft: the ledger being changed.
        payment: the payment whose PaymentIntent this is.
        view: what Stripe says of it.
        asked: whether this is the answer to a question of ours on this very version, so exact; else it is a hint.
    """
    if view.livemode is not draft.policy.livemode:
        draft.put(looked(payment, draft.now))
        return
    state = STATE_OF[view.status]
    if state not in FORWARD[payment.state]:
        return
    if state is PaymentState.OPEN:
        _open_news(draft, payment, view, asked=asked)
    elif state is PaymentState.REQUIRES_CAPTURE:
        _authorised(draft, payment, view)
    else:
        draft.answered(payment, CancelIntent)
        if state is PaymentState.SUCCEEDED:
            _collect(draft, payment, view)
        else:
            draft.note("observed", "canceled", view.id)
            draft.put(replace(payment, state=state, stripe_status=view.status, failure=None, look_at=None))


def _authorised(draft: Draft, payment: Payment, view: IntentView) -> None:
    """The money is held on the card. It confirms nothing until it is captured; see in time how that ends."""
    if payment.state is not PaymentState.REQUIRES_CAPTURE:
        draft.note("observed", "the money is authorised", view.id)
    moved = replace(payment, state=PaymentState.REQUIRES_CAPTURE, stripe_status=view.status, failure=None)
    if _amount_changed(draft, payment, view):
        moved = replace(moved, closing=True, looks=0)
    draft.put(looked(moved, draft.now))


def _amount_changed(draft: Draft, payment: Payment, view: IntentView) -> bool:
    """Return whether someone changed it at Stripe, newly so. Nobody is to pay another amount than the booking's."""
    if view.amount == payment.amount or payment.closing:
        return False
    draft.note("observed", "its amount was changed at Stripe: to be canceled", view.id)
    return True


def _open_news(draft: Draft, payment: Payment, view: IntentView, *, asked: bool) -> None:
    """Within open, Stripe goes back and forth: a hint counts once, what we asked for counts always."""
    mark = view.failure.charge_id or view.failure.code if view.failure else view.charge_id or "-"
    # A failure is one piece of news under whatever status it shows: its charge tells it from another.
    news = f"failed/{mark}" if view.failure else f"{view.status.value}/{mark}"
    # Where no more is kept, nothing more counts as news: forgetting the oldest would make it news again.
    known = news in payment.news or len(payment.news) >= MAX_NEWS
    if known and not asked:
        return
    if view.failure is not None and not known:
        failure = view.failure
        draft.announce(
            lambda number: PaymentFailed(
                booking_id=draft.booking.id,
                sequence=number,
                at=draft.now,
                payment_intent_id=view.id,
                error_code=failure.code,
                decline_code=failure.decline_code,
            )
        )
        draft.note("observed", f"payment failed: {failure.decline_code or failure.code}", view.id)
    closing, looks = payment.closing, payment.looks
    if _amount_changed(draft, payment, view):
        closing, looks = True, 0
    look_at, looks = _next_look(payment.look_at, looks, draft.now, closing=closing)
    draft.put(
        replace(
            payment,
            stripe_status=view.status,
            failure=view.failure,
            news=payment.news if known else (*payment.news, news),
            closing=closing,
            look_at=look_at,
            looks=looks,
        )
    )


def looked(payment: Payment, now: datetime) -> Payment:
    """Return the payment with its next look planned, if the last one was due."""
    look_at, looks = _next_look(payment.look_at, payment.looks, now, closing=payment.closing)
    return payment if look_at == payment.look_at else replace(payment, look_at=look_at, looks=looks)


def _next_look(look_at: datetime | None, looks: int, now: datetime, *, closing: bool) -> tuple[datetime | None, int]:
    """Return when to look next, and how many looks that makes; as it was, unless a look was due."""
    if look_at is None or look_at > now:
        return look_at, looks
    if closing:
        # It should be gone: keep asking until it is.
        return now + backoff(PROCESSING_FIRST, PROCESSING_MOST, looks), looks + 1
    if looks < MAX_LOOKS:
        return now + backoff(LOOK_FIRST, LOOK_MOST, looks), looks + 1
    return None, looks


def _collect(draft: Draft, payment: Payment, view: IntentView) -> None:
    """The money is here. It confirms the booking (rule 6), or it becomes an obligation (rule 7)."""
    reason = _objection(draft, payment, view)
    draft.put(
        replace(
            payment,
            state=PaymentState.SUCCEEDED,
            stripe_status=view.status,
            failure=None,
            look_at=None,
            received_minor=view.received_minor,
            place=Place.ATTACHED if reason is None else Place.REVIEW,
            review=reason,
        )
    )
    if reason is None:
        draft.confirm_booking()
        draft.announce(
            lambda number: BookingConfirmed(
                booking_id=draft.booking.id,
                sequence=number,
                at=draft.now,
                payment_intent_id=view.id,
                amount=payment.amount,
            )
        )
        draft.note("observed", "paid: booking confirmed", view.id)
        return
    draft.announce(
        lambda number: PaymentNeedsReview(
            booking_id=draft.booking.id,
            sequence=number,
            at=draft.now,
            payment_intent_id=view.id,
            reason=reason.value,
            amount_minor=view.received_minor,
            currency=view.amount.currency,
        )
    )
    draft.note("observed", f"paid, but confirms nothing: {reason}", view.id)


def _objection(draft: Draft, payment: Payment, view: IntentView) -> ReviewReason | None:
    """Return why this money does not confirm the booking, None if it does: rule 6, and nothing else, confirms."""
    asked, booking = payment.amount, draft.booking
    if payment.stray:
        return ReviewReason.UNKNOWN_ATTEMPT
    if view.received_minor != asked.amount_minor or view.amount != asked:
        return ReviewReason.AMOUNT_MISMATCH
    if booking.status is BookingStatus.CONFIRMED or any(p.place is Place.ATTACHED for p in draft.payments):
        return ReviewReason.SURPLUS
    if booking.status is not BookingStatus.PENDING:
        return ReviewReason.LATE
    if booking.price != asked:
        return ReviewReason.PRICE_CHANGED
    return None


def settle(draft: Draft) -> None:
    """See that every PaymentIntent which should not be paid any more is being cancelled (rules 3 and 4)."""
    for payment in draft.payments:
        if payment.state is not PaymentState.OPEN and payment.state is not PaymentState.REQUIRES_CAPTURE:
            continue
        if not payment.closing and wanted(draft, payment):
            continue
        if not payment.closing:
            draft.note("settled", "no longer wanted: to be canceled", payment.intent_id)
            payment = draft.put(replace(payment, closing=True, looks=0))
        if draft.effect_of(payment) is None:
            _close(draft, payment)


def wanted(draft: Draft, payment: Payment) -> bool:
    """Return whether the booking, as it stands now, wants to be paid by this payment.

    While money is in review nothing is: the person who decides may let that money confirm the booking.
    """
    booking = draft.booking
    pending = booking.status is BookingStatus.PENDING and not draft.in_review()
    return pending and not payment.stray and payment.amount == booking.price


def _close(draft: Draft, payment: Payment) -> None:
    """Command the cancellation, or a look first where the exact status is unknown or forbids it."""
    if payment.intent_id is None:
        return
    if payment.stripe_status is None:
        if payment.look_at is None:
            draft.put(replace(payment, look_at=draft.now))
        return
    if payment.stripe_status is IntentStatus.PROCESSING:
        # Stripe rarely cancels while processing: the look that is due says when it may be tried.
        if payment.look_at is None:
            draft.put(replace(payment, look_at=draft.now + PROCESSING_FIRST))
        return
    key = f"{draft.policy.namespace}/{payment.attempt_id}/cancel/{payment.closes}"
    draft.command(CancelIntent(payment.attempt_id, payment.intent_id, key, draft.now, draft.now))
    draft.put(replace(payment, closes=payment.closes + 1, look_at=None))
