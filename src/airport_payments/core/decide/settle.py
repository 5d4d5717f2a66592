"""What has to follow from how things stand, whatever happened: rules 3, 4 and 7."""

from airport_payments.core.commands import CancelIntent, CaptureIntent, ConfirmIntent
from airport_payments.core.decide.draft import Draft
from airport_payments.core.decide.refunds import settle_money
from airport_payments.core.decide.table import PROCESSING_FIRST
from airport_payments.core.evolve import replace
from airport_payments.core.model import BookingStatus, CancelReason, IntentStatus, Payment, PaymentState, Place
from airport_payments.core.money import spell


def settle(draft: Draft) -> None:
    """See that what should not be paid is being cancelled, and that what should go back is going back."""
    if draft.cancelling is not None:
        _think_better(draft)
    for payment in draft.payments:
        state = payment.state
        if state is PaymentState.SUCCEEDED:
            settle_money(draft, payment)
        elif state is PaymentState.OPEN or state is PaymentState.REQUIRES_CAPTURE or state is PaymentState.OPENING:
            _live(draft, payment)
    if draft.cancelling is not None and draft.live() is None:
        draft.cancel_booking(draft.cancelling)


def expire(draft: Draft) -> None:
    """See that a pending booking whose hold is over is being cancelled. One that is paid is not: that takes a refund."""
    booking = draft.booking
    over = booking.hold_until is not None and booking.hold_until <= draft.now
    paid = any(p.place is Place.ATTACHED for p in draft.payments)
    if over and not paid and draft.cancelling is None and booking.status is BookingStatus.PENDING:
        draft.cancelling = CancelReason.EXPIRED
        draft.note("settled", "the hold is over: to be cancelled")


def _think_better(draft: Draft) -> None:
    """Give up a cancellation if it was decided otherwise meanwhile. What is only authorised will be released by it."""
    attached = next((p for p in draft.payments if p.place is Place.ATTACHED), None)
    if attached is not None and attached.state is PaymentState.REQUIRES_CAPTURE:
        return
    booking = draft.booking
    held = booking.hold_until is not None and booking.hold_until > draft.now
    stands = None
    if attached is not None or booking.status is not BookingStatus.PENDING:
        # Its capture may have won the race; and the team may have set back to pending what is paid.
        stands = "the booking is " + ("paid" if attached is not None else booking.status.value)
    elif held and draft.cancelling is CancelReason.EXPIRED:
        stands = "its hold was made longer"
    if stands is not None:
        draft.cancelling = None
        draft.note("settled", f"no longer to be cancelled: {stands}")


def _live(draft: Draft, payment: Payment) -> None:
    if not payment.closing and wanted(draft, payment):
        # While its exact status is unknown, the look that is due says first whether an earlier capture did it.
        if payment.capture_minor is not None and payment.stripe_status is IntentStatus.REQUIRES_CAPTURE:
            order_capture(draft, payment, payment.capture_minor)
        return
    news = not payment.closing
    if news:
        draft.note("settled", "no longer wanted: to be canceled", payment.intent_id)
        payment = draft.put(replace(payment, closing=True, looks=0))
    give_up(draft, payment, "the booking does not want it any more")
    if draft.effect_of(payment) is None:
        _close(draft, payment, news=news)


def give_up(draft: Draft, payment: Payment, why: str) -> None:
    """Forget a charge or a capture without an answer: it is not wanted any more, so nobody is to send it again.

    It may have been done, or be on its way. Stripe's next answer about the PaymentIntent says so.
    """
    effect = draft.effect_of(payment)
    if isinstance(effect, (CaptureIntent, ConfirmIntent)):
        draft.answered(payment, type(effect))
        name = "charge" if isinstance(effect, ConfirmIntent) else "capture"
        draft.note("settled", f"its {name} had no answer and is not sent again: {why}", effect.intent_id)


def wanted(draft: Draft, payment: Payment) -> bool:
    """Return whether the booking, as it stands now, wants to be paid by this payment.

    While money is in review nothing is: the person who decides may let that money confirm the booking.
    """
    if draft.cancelling is not None:
        return False
    if payment.place is Place.ATTACHED:
        # It is authorised, and that confirmed the booking; the team may have cancelled that since.
        return draft.booking.status is not BookingStatus.CANCELLED
    booking = draft.booking
    pending = booking.status is BookingStatus.PENDING and not draft.in_review()
    return pending and not payment.stray and payment.amount == booking.price


def order_capture(draft: Draft, payment: Payment, amount_minor: int) -> None:
    """Command the capture of an authorised payment, unless that is under way."""
    if draft.effect_of(payment) is not None or payment.intent_id is None:
        return
    key = f"{draft.policy.namespace}/{payment.attempt_id}/capture/{payment.captures}"
    draft.command(CaptureIntent(payment.attempt_id, payment.intent_id, amount_minor, key, draft.now, draft.now))
    draft.put(replace(payment, capture_minor=amount_minor, captures=payment.captures + 1))
    draft.note("capture", f"capture of {spell(amount_minor, payment.amount.currency)} commanded", payment.intent_id)


def _close(draft: Draft, payment: Payment, *, news: bool) -> None:
    """Command the cancellation, or a look first where the exact status is unknown or forbids it.

    `news`: that it is to be canceled was decided, and noted, just now.
    """
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
    if not news:
        draft.note("settled", "its cancellation commanded", payment.intent_id)
