"""What a PaymentIntent's state means for its booking: rules 5, 6 and 7."""

from datetime import datetime
from typing import Final

from airport_payments.core.announcements import AuthorizationLost, PaymentAuthorized, PaymentFailed
from airport_payments.core.commands import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent
from airport_payments.core.decide.draft import Applied, Draft, Reply, Unplaced
from airport_payments.core.decide.refunds import order_refund, to_review
from airport_payments.core.decide.settle import settle
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
    CancelReason,
    IntentStatus,
    Payment,
    PaymentState,
    Place,
    ReviewReason,
    Surplus,
)
from airport_payments.core.money import spell

# What an open payment waits for, in the words of its history.
WAITS: Final = {
    IntentStatus.REQUIRES_PAYMENT_METHOD: "waits for the customer to pay",
    IntentStatus.REQUIRES_CONFIRMATION: "waits for its confirmation",
    IntentStatus.REQUIRES_ACTION: "waits for the customer's bank (3D Secure)",
    IntentStatus.PROCESSING: "is being processed",
}


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
        payment = (_restore(draft, view) if fact.rebuild else None) or adopt(draft, view)
    observe(draft, identify(draft, payment, view), view, asked=False)
    settle(draft)
    return Applied()


def _restore(draft: Draft, view: IntentView) -> Payment | None:
    """Put back the booking's own attempt that a restored backup forgot, None where it may not be that.

    Its marks name it. It stands for the booking only if nothing else does: then rule 6 decides about it as ever.
    """
    named = view.attempt_id
    taken = draft.live() is not None or any(p.place is Place.ATTACHED for p in draft.payments)
    if named is None or taken or draft.attempt(named) is not None:
        return None
    draft.note("rebuilt", f"attempt {named} put back from its marks at Stripe", view.id)
    return draft.put(Payment(named, view.amount, PaymentState.OPENING, opened_at=draft.now))


def adopt(draft: Draft, view: IntentView) -> Payment:
    """Take in a PaymentIntent that carries our mark but that this database never asked for.

    So it is after a restored backup. It is never one to be paid: open, it is cancelled; paid, rule 7 answers it.
    """
    named = view.attempt_id
    attempt_id = named if named is not None and draft.attempt(named) is None else view.id
    # Abandoned before it is identified: that makes it a stray which is being closed.
    return draft.put(Payment(attempt_id, view.amount, PaymentState.ABANDONED, opened_at=draft.now))


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
        draft.answered(payment, ConfirmIntent)
        _authorised(draft, payment, view)
    else:
        for kind in (CancelIntent, CaptureIntent, ConfirmIntent):
            draft.answered(payment, kind)
        if state is PaymentState.SUCCEEDED:
            _collect(draft, payment, view)
        else:
            _canceled(draft, payment, view)


def _canceled(draft: Draft, payment: Payment, view: IntentView) -> None:
    """Nobody can pay it any more; money that was held on the card is released."""
    draft.note("observed", "canceled", view.id)
    draft.put(
        replace(
            payment,
            state=PaymentState.CANCELED,
            stripe_status=view.status,
            failure=None,
            look_at=None,
            place=Place.NONE,
            # What remains of having confirmed the booking: `cancel` knows it by this.
            closing=payment.closing and payment.place is not Place.ATTACHED,
        )
    )
    if payment.place is not Place.ATTACHED:
        return
    if draft.cancelling is not None and draft.booking.status is BookingStatus.CONFIRMED:
        draft.cancel_booking(draft.cancelling)
    elif draft.booking.status is BookingStatus.CONFIRMED:
        draft.announce(
            lambda number: AuthorizationLost(
                booking_id=draft.booking.id,
                sequence=number,
                at=draft.now,
                payment_intent_id=view.id,
                amount=payment.amount,
            )
        )


def _authorised(draft: Draft, payment: Payment, view: IntentView) -> None:
    """The money is held on the card. Where the team wants it so, that confirms the booking; else its capture does."""
    first = payment.state is not PaymentState.REQUIRES_CAPTURE
    moved = replace(payment, state=PaymentState.REQUIRES_CAPTURE, stripe_status=view.status, failure=None)
    if moved.look_at is None:
        moved = replace(moved, look_at=draft.now + LOOK_FIRST, looks=0)
    if _amount_changed(draft, payment, view):
        moved = replace(moved, closing=True, looks=0)
    if not first:
        draft.put(looked(moved, draft.now))
        return
    draft.note("observed", "the money is authorised", view.id)
    policy = draft.policy
    wanted = policy.confirm_at_authorization and not moved.closing
    if wanted and _objection(draft, payment, view, view.amount.amount_minor) is None:
        draft.put(looked(replace(moved, place=Place.ATTACHED), draft.now))
        draft.confirm_booking(payment, payment.amount.amount_minor)
        draft.note("observed", "authorised: booking confirmed", view.id)
        return
    draft.put(looked(moved, draft.now))
    draft.announce(
        lambda number: PaymentAuthorized(
            booking_id=draft.booking.id,
            sequence=number,
            at=draft.now,
            payment_intent_id=view.id,
            amount=view.amount,
        )
    )


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
    elif _moved(payment, view):
        draft.note("observed", WAITS[view.status], view.id)
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


def _moved(payment: Payment, view: IntentView) -> bool:
    """Return whether an open payment stands otherwise than was known, so that its history has to say so."""
    if view.failure != payment.failure:
        return True
    if payment.stripe_status is None:
        return view.status is not IntentStatus.REQUIRES_PAYMENT_METHOD  # as all begin
    return view.status is not payment.stripe_status


def looked(payment: Payment, now: datetime) -> Payment:
    """Return the payment with its next look planned, if the last one was due."""
    held = payment.state is PaymentState.REQUIRES_CAPTURE
    look_at, looks = _next_look(payment.look_at, payment.looks, now, closing=payment.closing, held=held)
    return payment if look_at == payment.look_at else replace(payment, look_at=look_at, looks=looks)


def watched(payment: Payment, now: datetime) -> Payment:
    """Return the payment looked at as when it was opened: it is handed out again, or charged, so it may be paid soon.

    The same, where its first look is still to come: a customer who reloads a page writes nothing.
    """
    if payment.look_at is not None and payment.looks <= 1:
        return payment
    return replace(payment, look_at=now + LOOK_FIRST, looks=1)


def _next_look(
    look_at: datetime | None, looks: int, now: datetime, *, closing: bool, held: bool = False
) -> tuple[datetime | None, int]:
    """Return when to look next, and how many looks that makes; as it was, unless a look was due.

    `held`: an authorisation. Stripe ends it, after seven days for most cards, so it is looked at until then.
    """
    if look_at is None or look_at > now:
        return look_at, looks
    if closing:
        # It should be gone: keep asking until it is.
        return now + backoff(PROCESSING_FIRST, PROCESSING_MOST, looks), looks + 1
    if held or looks < MAX_LOOKS:
        return now + backoff(LOOK_FIRST, LOOK_MOST, looks), looks + 1
    return None, looks


def _collect(draft: Draft, payment: Payment, view: IntentView) -> None:
    """The money is here. It confirms the booking (rule 6), or it becomes an obligation (rule 7)."""
    payment = replace(
        payment,
        state=PaymentState.SUCCEEDED,
        stripe_status=view.status,
        failure=None,
        look_at=None,
        received_minor=view.received_minor,
        received_currency=None if view.amount.currency == payment.amount.currency else view.amount.currency,
    )
    if payment.place is Place.ATTACHED:
        if draft.booking.status is not BookingStatus.CANCELLED:
            draft.put(payment)
            draft.note("observed", f"captured: {spell(view.received_minor, view.amount.currency)}", view.id)
            return
        # The team cancelled what the authorisation had confirmed, and the capture won: it is late money as any other.
        payment = draft.put(replace(payment, place=Place.NONE))
    reason = _objection(draft, payment, view, view.received_minor)
    back = payment.rest_minor <= 0  # all of it went back, before anyone told of the payment
    if reason is None and not back:
        draft.put(replace(payment, place=Place.ATTACHED))
        draft.confirm_booking(payment, view.received_minor)
        draft.note("observed", "paid: booking confirmed", view.id)
        return
    draft.note("observed", f"paid, but confirms nothing: {reason or 'all of it went back'}", view.id)
    if back or reason is None:
        draft.put(replace(payment, place=Place.REFUNDED))
        if reason is None and draft.policy.refund_cancels_booking:
            draft.cancel_booking(CancelReason.REFUNDED)  # as it ends when the payment is heard of first
    elif draft.policy.surplus is Surplus.REFUND and _asked_for(draft, payment):
        # Not what this database forgot or never asked for: after a restored backup that may well be a good payment.
        payment = draft.put(replace(payment, place=Place.REFUNDED))
        order_refund(draft, payment, payment.rest_minor)
    else:
        to_review(draft, payment, reason)


def _asked_for(draft: Draft, payment: Payment) -> bool:
    """Return whether this database asked for the payment, and remembers what became of it until now."""
    return not payment.stray and any(p.attempt_id == payment.attempt_id for p in draft.read.ledger.payments)


def _objection(draft: Draft, payment: Payment, view: IntentView, amount_minor: int) -> ReviewReason | None:
    """Return why this money does not confirm the booking, None if it does: rule 6, and nothing else, confirms."""
    asked, booking = payment.amount, draft.booking
    if payment.stray:
        return ReviewReason.UNKNOWN_ATTEMPT
    whole = amount_minor in {asked.amount_minor, payment.capture_minor}
    if not whole or view.amount != asked:
        return ReviewReason.AMOUNT_MISMATCH
    if booking.status is BookingStatus.CONFIRMED or any(p.place is Place.ATTACHED for p in draft.payments):
        return ReviewReason.SURPLUS
    if booking.status is not BookingStatus.PENDING or draft.cancelling is not None:
        return ReviewReason.LATE
    if booking.price != asked:
        return ReviewReason.PRICE_CHANGED
    return None
