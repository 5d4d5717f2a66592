"""What a customer asks for: rules 3 and 4."""

from airport_payments.core.commands import CancelIntent, CreateIntent, ListRefunds
from airport_payments.core.decide.draft import Completed, Done, Draft, NotCompleted, Ready, Step
from airport_payments.core.decide.look import look, perform
from airport_payments.core.decide.operations import ask_cancel, ask_capture, ask_resolve
from airport_payments.core.decide.refunds import ask_refund
from airport_payments.core.decide.settle import expire, settle
from airport_payments.core.decide.table import LEASE, LOOK_FIRST, MAX_PAYMENTS, MAX_REQUEST_KEYS
from airport_payments.core.errors import (
    AmountMismatch,
    BookingAlreadyPaid,
    BookingNotFound,
    BookingNotPayable,
    Busy,
    CurrencyMismatch,
    IdempotencyKeyReused,
    PaymentInReview,
    PaymentIntentMismatch,
    PaymentsError,
    StripeUnavailable,
)
from airport_payments.core.evolve import replace
from airport_payments.core.facts import (
    Asker,
    BookingChanged,
    CancelRequested,
    CaptureRequested,
    ConfirmRequested,
    IntentView,
    PaymentRequested,
    RefundRequested,
    TimePassed,
)
from airport_payments.core.model import BookingStatus, Payment, PaymentState, Place


def step(draft: Draft, asker: Asker, fresh: IntentView | None = None) -> Step:
    """Return what `asker` needs next: something to do at Stripe or to deliver, or else its reply.

    Args:
        draft: the ledger being changed.
        asker: why we are here.
        fresh: a PaymentIntent whose state Stripe just told and which is already applied.
    """
    if isinstance(asker, (PaymentRequested, ConfirmRequested, RefundRequested, CancelRequested)) and (
        asker.owner is not None and asker.owner != draft.booking.owner
    ):
        # Before anything else: whose booking it is not learns nothing of it and moves nothing in it.
        return None, BookingNotFound()
    if isinstance(asker, (TimePassed, BookingChanged)):
        expire(draft)
    settle(draft)
    if isinstance(asker, PaymentRequested):
        return _payment(draft, asker, fresh)
    if isinstance(asker, ConfirmRequested):
        return _confirm(draft, asker, fresh)
    if isinstance(asker, TimePassed):
        return _due(draft)
    if isinstance(asker, BookingChanged):
        effect = next((e for e in draft.effects if e.due_at <= draft.now and isinstance(e, CancelIntent)), None)
        return (perform(draft, effect), None) if effect else (None, Done())
    if isinstance(asker, RefundRequested):
        return ask_refund(draft, asker)
    if isinstance(asker, CancelRequested):
        return ask_cancel(draft, asker, fresh)
    if isinstance(asker, CaptureRequested):
        return ask_capture(draft, asker)
    return ask_resolve(draft, asker)


def _payment(draft: Draft, fact: PaymentRequested, fresh: IntentView | None) -> Step:
    refusal = _refusal(draft, fact)
    if refusal is not None:
        return None, refusal
    _remember_key(draft, fact)
    live = draft.live()
    if live is None:
        return _open(draft, fact)
    effect = draft.effect_of(live)
    if effect is not None:
        return perform(draft, effect), None
    if live.state is PaymentState.REQUIRES_CAPTURE and not live.closing:
        return None, BookingAlreadyPaid("the money is authorised and waits for its capture")
    seen = fresh if fresh is not None and fresh.id == live.intent_id else None
    if seen is None:
        return look(live, draft), None
    if live.closing:
        return None, Busy("an earlier PaymentIntent is still being processed and cannot be canceled yet")
    if live.look_at is None:
        draft.put(replace(live, look_at=draft.now + LOOK_FIRST, looks=0))
    return None, Ready(seen, live.amount)


def _refusal(draft: Draft, fact: PaymentRequested) -> PaymentsError | None:
    """Return why this booking cannot be paid now at this price, None if it can."""
    booking = draft.booking
    key = fact.request_key
    if key and any(k.key == key.key and k.fingerprint != key.fingerprint for k in draft.request_keys):
        return IdempotencyKeyReused()
    if any(p.place is Place.ATTACHED for p in draft.payments):
        return BookingAlreadyPaid()
    if draft.in_review():
        return PaymentInReview()
    if booking.hold_until is not None and booking.hold_until <= draft.now:
        return BookingNotPayable("the booking's hold is over")
    if booking.status is not BookingStatus.PENDING or draft.cancelling is not None:
        return BookingNotPayable(f"the booking is {booking.status}")
    if booking.price.amount_minor == 0:
        return BookingNotPayable("there is nothing to pay")
    if fact.amount.currency != booking.price.currency:
        return CurrencyMismatch()
    if fact.amount != booking.price:
        return AmountMismatch()
    return None


def _remember_key(draft: Draft, fact: PaymentRequested) -> None:
    if fact.request_key is not None and fact.request_key not in draft.request_keys:
        draft.request_keys = (*draft.request_keys, fact.request_key)[-MAX_REQUEST_KEYS:]


def _open(draft: Draft, fact: PaymentRequested) -> Step:
    """Open a new attempt at the booking's own price, with its create saved before it is sent (rule 1)."""
    if draft.attempt(fact.attempt_id) is not None:
        # This request opened an attempt already, and Stripe failed on it.
        return None, StripeUnavailable("the PaymentIntent could not be created")
    if len(draft.payments) >= MAX_PAYMENTS:
        return None, BookingNotPayable(f"the booking had {MAX_PAYMENTS} attempts already")
    booking, policy = draft.booking, draft.policy
    draft.put(Payment(fact.attempt_id, booking.price, PaymentState.OPENING, opened_at=draft.now))
    create = CreateIntent(
        attempt_id=fact.attempt_id,
        booking_id=booking.id,
        namespace=policy.namespace,
        amount=booking.price,
        key=f"{policy.namespace}/{fact.attempt_id}/create/0",
        first_sent_at=draft.now,
        due_at=draft.now + LEASE,
        manual_capture=policy.manual_capture,
    )
    draft.command(create)
    draft.note("payment_requested", f"attempt {fact.attempt_id} opened")
    return create, None


def _confirm(draft: Draft, fact: ConfirmRequested, fresh: IntentView | None) -> Step:
    payment = draft.intent(fact.intent_id)
    if payment is None:
        return None, PaymentIntentMismatch()
    if payment.place is Place.ATTACHED:
        return None, Completed(draft.booking)
    if payment.place is Place.REVIEW:
        return None, PaymentInReview()
    seen = fresh if fresh is not None and fresh.id == fact.intent_id else None
    if seen is None and payment.state is not PaymentState.CANCELED:
        return look(payment, draft), None
    status = seen.status if seen else payment.stripe_status
    if status is None:
        return None, Busy("the payment is still being looked up")
    # Only the booking's one payable PaymentIntent is handed out, and not while it is being cancelled.
    payable = payment.payable and not payment.closing
    return None, NotCompleted(draft.booking, status, payment.failure, seen.client_secret if seen and payable else None)


def _due(draft: Draft) -> Step:
    """Return the first thing that is due."""
    for effect in draft.effects:
        if effect.due_at <= draft.now:
            return perform(draft, effect), None
    for payment in draft.payments:
        if payment.look_at is not None and payment.look_at <= draft.now:
            return look(payment, draft), None
        if payment.refunds_at is not None and payment.refunds_at <= draft.now and payment.intent_id is not None:
            return ListRefunds(payment.attempt_id, payment.intent_id), None
    for pending in draft.announcements[:1]:
        if pending.due_at <= draft.now:
            return pending, None
    return None, Done()
