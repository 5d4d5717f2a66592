"""What the team decides about a booking and its money: cancelling, capturing, and money in review."""

from airport_payments.core.commands import CancelIntent
from airport_payments.core.decide.draft import CancelReply, Draft, PaymentReply, Step
from airport_payments.core.decide.look import look, perform
from airport_payments.core.decide.refunds import order_refund
from airport_payments.core.decide.settle import order_capture, settle
from airport_payments.core.errors import (
    AlreadyCaptured,
    BookingAlreadyPaid,
    Busy,
    CaptureTooLarge,
    CurrencyMismatch,
    FieldError,
    InvalidRequest,
    NothingToCapture,
    NotInReview,
    PaymentIntentMismatch,
    PaymentsError,
)
from airport_payments.core.evolve import replace
from airport_payments.core.facts import CancelRequested, CaptureRequested, IntentView, Resolution, ResolveRequested
from airport_payments.core.model import BookingStatus, CancelReason, Payment, PaymentState, Place

# ---- cancelling ----------------------------------------------------------------------------------------------------


def ask_cancel(draft: Draft, asker: CancelRequested, fresh: IntentView | None) -> Step:
    """Cancel a booking: its payable PaymentIntent first, so that nobody pays what is gone."""
    booking = draft.booking
    attached = next((p for p in draft.payments if p.place is Place.ATTACHED), None)
    if booking.status is not BookingStatus.CANCELLED and draft.cancelling is None:
        held = booking.hold_until is not None and booking.hold_until > draft.now
        if held and asker.reason is CancelReason.EXPIRED:
            return None, InvalidRequest(FieldError("booking_id", "a booking whose hold is over; `cancel` takes any"))
        if attached is not None and attached.state is PaymentState.SUCCEEDED:
            return None, BookingAlreadyPaid("the booking is paid: refund it instead")
        confirmed_otherwise = booking.status is BookingStatus.CONFIRMED and attached is None
        if confirmed_otherwise and not _lost(draft):
            return None, BookingAlreadyPaid(
                "the booking is confirmed, and not by a payment of ours: cancel it yourself"
            )
        if not confirmed_otherwise or draft.live() is None:
            draft.note("cancel", f"to be cancelled: {asker.reason.value}")
            if confirmed_otherwise:
                draft.cancel_booking(asker.reason)  # there is no authorisation left to release first
            else:
                draft.cancelling = asker.reason
        settle(draft)
    live = draft.live()
    if live is not None:
        effect = draft.effect_of(live)
        if effect is not None:
            return perform(draft, effect), None
        if fresh is None and live.intent_id is not None:
            # It is processing, as far as we know: see whether it still is.
            return look(live, draft), None
    return None, CancelReply(draft.booking, tuple(p for p in draft.payments if p.payable or _has_money(p)))


def _lost(draft: Draft) -> bool:
    """Return whether an authorisation may have confirmed the booking that is not there any more.

    What was canceled because we wanted it closed had confirmed nothing.
    """
    ended = any(p.state is PaymentState.CANCELED and not p.closing for p in draft.payments)
    return draft.policy.confirm_at_authorization and ended


def _has_money(payment: Payment) -> bool:
    """Return whether money of it is here, or on its way back."""
    return payment.rest_minor > 0 or any(r.open for r in payment.refunds)


# ---- money in review -----------------------------------------------------------------------------------------------


def ask_resolve(draft: Draft, asker: ResolveRequested) -> Step:
    """Do what a person decided about money in review. Deciding the same again changes nothing."""
    payment = draft.named(asker.payment_id)
    if payment is None:
        return None, PaymentIntentMismatch()
    outcome = {Resolution.CONFIRM: Place.ATTACHED, Resolution.REFUND: Place.REFUNDED, Resolution.KEEP: Place.KEPT}
    wished = outcome[asker.resolution]
    if payment.place is not Place.REVIEW:
        if payment.place is wished:
            return None, PaymentReply(draft.booking, payment)
        return None, NotInReview()
    refusal = _confirm_refusal(draft, payment) if wished is Place.ATTACHED else None
    if refusal is not None:
        return None, refusal
    draft.note("resolve", f"{asker.resolution.value}, decided by {asker.by}", payment.intent_id)
    payment = draft.put(replace(payment, place=wished, review=None))
    if wished is Place.ATTACHED and draft.booking.status is not BookingStatus.CONFIRMED:
        draft.confirm_booking(payment, payment.rest_minor)
    elif wished is Place.REFUNDED and payment.rest_minor > 0:
        order_refund(draft, payment, payment.rest_minor)
    settle(draft)
    return None, PaymentReply(draft.booking, draft.attempt(payment.attempt_id) or payment)


def _confirm_refusal(draft: Draft, payment: Payment) -> PaymentsError | None:
    """Return why this money cannot confirm the booking even if a person says so, None if it can."""
    if any(p.place is Place.ATTACHED for p in draft.payments):
        return BookingAlreadyPaid("another payment confirmed the booking: refund this one, or keep it")
    if payment.rest_minor <= 0:
        return NotInReview("all of its money went back")
    return None


# ---- capturing -----------------------------------------------------------------------------------------------------


def ask_capture(draft: Draft, asker: CaptureRequested) -> Step:
    """Collect an authorised amount, once."""
    payment = _authorised(draft, asker)
    if payment is None:
        return None, PaymentIntentMismatch() if asker.payment_id is not None else NothingToCapture()
    wished = payment.amount.amount_minor if asker.amount is None else asker.amount.amount_minor
    if asker.amount is not None and asker.amount.currency != payment.amount.currency:
        return None, CurrencyMismatch("the payment was authorised in another currency")
    if payment.state is PaymentState.SUCCEEDED:
        same = asker.amount is None or wished == payment.received_minor
        return None, PaymentReply(draft.booking, payment) if same else AlreadyCaptured()
    refusal = _capture_refusal(payment, wished)
    if refusal is not None:
        return None, refusal
    if payment.stripe_status is None and draft.effect_of(payment) is None:
        return look(payment, draft), None  # an earlier capture may have done it (rule 9)
    order_capture(draft, payment, wished)
    effect = draft.effect_of(payment)
    if effect is None or isinstance(effect, CancelIntent):
        return None, Busy("the authorisation is being released")
    return perform(draft, effect), None


def _authorised(draft: Draft, asker: CaptureRequested) -> Payment | None:
    if asker.payment_id is not None:
        return draft.named(asker.payment_id)
    live = draft.live()
    if live is not None:
        return live
    return next((p for p in draft.payments if p.place is Place.ATTACHED and p.capture_minor is not None), None)


def _capture_refusal(payment: Payment, amount_minor: int) -> PaymentsError | None:
    if payment.state is not PaymentState.REQUIRES_CAPTURE:
        return NothingToCapture()
    if payment.closing:
        return Busy("the authorisation is being released")
    if amount_minor <= 0:
        return InvalidRequest(FieldError("amount", "more than nothing"))
    if amount_minor > payment.amount.amount_minor:
        return CaptureTooLarge()
    if payment.capture_minor is not None and payment.capture_minor != amount_minor:
        return AlreadyCaptured("another amount is being captured")
    return None
