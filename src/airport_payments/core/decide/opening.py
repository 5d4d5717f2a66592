"""When an attempt may be opened, and how: rules 3 and 4."""

from airport_payments.core.commands import CreateIntent
from airport_payments.core.decide.draft import Draft, Step
from airport_payments.core.decide.table import LEASE, MAX_PAYMENTS, MAX_REQUEST_KEYS
from airport_payments.core.errors import (
    AmountMismatch,
    BookingAlreadyPaid,
    BookingNotPayable,
    CurrencyMismatch,
    IdempotencyKeyReused,
    PaymentInReview,
    PaymentsError,
    StripeUnavailable,
)
from airport_payments.core.facts import ChargeRequested, PaymentRequested
from airport_payments.core.model import BookingStatus, Payment, PaymentState, Place
from airport_payments.core.options import PaymentOptions


def refusal(draft: Draft, fact: PaymentRequested | ChargeRequested) -> PaymentsError | None:
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


def remember_key(draft: Draft, fact: PaymentRequested | ChargeRequested) -> None:
    """Keep the caller's Idempotency-Key with the last few."""
    if fact.request_key is not None and fact.request_key not in draft.request_keys:
        draft.request_keys = (*draft.request_keys, fact.request_key)[-MAX_REQUEST_KEYS:]


def open_attempt(draft: Draft, fact: PaymentRequested | ChargeRequested, options: PaymentOptions | None) -> Step:
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
        options=options,
        # A saved card is charged without anybody there to be sent to another page.
        redirects=isinstance(fact, PaymentRequested),
    )
    draft.command(create)
    draft.note("payment_requested", f"attempt {fact.attempt_id} opened")
    return create, None
