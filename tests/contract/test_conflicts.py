"""402, 404, 409 and 422: what a well-formed request meets, and that only what must be written is."""

from datetime import UTC, datetime, timedelta

import pytest

from airport_payments import BookingStatus, Money
from airport_payments.testing.fake_stripe import Fault

from .expect import ok, refused
from .harness import CONFIRM, CREATE

PAST = datetime.now(UTC) - timedelta(seconds=1)


# ---- 404 ----


def test_unknown_and_someone_elses_booking_are_the_same_bytes(shop):
    intent_id = shop.opened("b-1")

    def answers(booking_id: str, owner: str):
        yield shop.create(booking_id, owner=owner)
        yield shop.confirm(booking_id, intent_id, owner=owner)
        yield shop.status(booking_id, owner=owner)
        yield shop.get(f"/bookings/{booking_id}", owner=owner)
        yield shop.post(f"/bookings/{booking_id}/cancel", {}, owner=owner)

    with shop.unwritten():
        theirs, none = list(answers("b-1", "mallory")), list(answers("b-2", "mallory"))
    for reply, other in zip(theirs, none, strict=True):
        refused(reply, 404, "booking_not_found")
        assert (reply.body, reply.headers) == (other.body, other.headers)


def test_someone_elses_booking_is_not_found_however_it_stands(shop):
    """Neither price, nor status, nor an Idempotency-Key tells a stranger that the booking exists."""
    shop.book("b-cancelled", status=BookingStatus.CANCELLED)
    shop.book("b-over", hold_until=PAST)
    shop.book("b-free", Money(0, "usd"))
    shop.book("b-open")
    shop.create("b-open", ("Idempotency-Key", "k-1"))
    shop.fake.pay(shop.opened("b-paid"))
    shop.fake.deliver()

    with shop.unwritten():
        for booking_id in ("b-cancelled", "b-over", "b-free", "b-open", "b-paid"):
            refused(shop.create(booking_id, owner="mallory"), 404, "booking_not_found")
            refused(shop.create(booking_id, owner="mallory", amount=1, currency="eur"), 404, "booking_not_found")
            key = ("Idempotency-Key", "k-1")
            refused(shop.create(booking_id, key, owner="mallory", amount=2), 404, "booking_not_found")


# ---- 409 ----


def test_a_paid_booking_is_not_paid_again(shop):
    shop.fake.pay(shop.opened("b-1"))
    shop.fake.deliver()

    with shop.unwritten():
        refused(shop.create("b-1"), 409, "booking_already_paid")


@pytest.mark.parametrize(
    "fields",
    [{"status": BookingStatus.CANCELLED}, {"status": BookingStatus.CONFIRMED}, {"hold_until": PAST}],
    ids=["cancelled", "confirmed without us", "hold over"],
)
def test_a_booking_that_is_not_pending_is_not_payable(shop, fields):
    shop.book("b-1", **fields)

    with shop.unwritten():
        refused(shop.create("b-1"), 409, "booking_not_payable")


def test_a_booking_that_costs_nothing_is_not_payable(shop):
    shop.book("b-1", Money(0, "usd"))

    with shop.unwritten():
        refused(shop.create("b-1", amount=1), 409, "booking_not_payable")


def test_a_hold_that_is_not_over_is_payable(shop):
    shop.book("b-1", hold_until=datetime.now(UTC) + timedelta(hours=1))

    assert shop.create("b-1").status == 200


@pytest.mark.parametrize("amount", [450.98, 451, 0.01, 45099])
def test_the_price_is_the_bookings(shop, amount):
    shop.book("b-1")

    with shop.unwritten():
        refused(shop.create("b-1", amount=amount), 409, "amount_mismatch")


@pytest.mark.parametrize("currency", ["eur", "CAD"])
def test_the_currency_is_the_bookings(shop, currency):
    shop.book("b-1")

    with shop.unwritten():
        refused(shop.create("b-1", currency=currency), 409, "currency_mismatch")


def test_money_in_review_opens_no_other_payment_and_confirms_nothing(shop):
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id)
    shop.set_status("b-1", BookingStatus.CANCELLED)
    shop.fake.deliver()

    with shop.unwritten():
        refused(shop.create("b-1"), 409, "payment_in_review")
        refused(shop.confirm("b-1", intent_id), 409, "payment_in_review")


def test_confirm_of_another_bookings_intent_is_a_mismatch(shop):
    other = shop.opened("b-2")
    shop.opened("b-1")
    shop.fake.pay(other)

    with shop.unwritten():
        refused(shop.confirm("b-1", other), 409, "payment_intent_mismatch")
        refused(shop.confirm("b-1", "pi_00000000000000"), 409, "payment_intent_mismatch")


def test_a_confirmed_booking_is_not_cancelled_by_the_stand_in(shop):
    shop.fake.pay(shop.opened("b-1"))
    shop.fake.deliver()

    with shop.unwritten():
        refused(shop.post("/bookings/b-1/cancel", {}), 409, "booking_not_payable")


# ---- 422 ----


@pytest.mark.parametrize("second", ["k-1", '"k-1"'])
def test_an_idempotency_key_with_another_body_is_refused(shop, second):
    shop.book("b-1")
    shop.create("b-1", ("Idempotency-Key", "k-1"))

    with shop.unwritten():
        refused(shop.create("b-1", ("Idempotency-Key", second), amount=1), 422, "idempotency_key_reused")
        refused(shop.create("b-1", ("Idempotency-Key", second), currency="eur"), 422, "idempotency_key_reused")


def test_an_idempotency_key_with_the_same_price_in_other_words_is_the_same_body(shop):
    shop.book("b-1", Money(45000, "usd"))
    first = shop.create("b-1", ("Idempotency-Key", "k-1"), amount=450)

    again = shop.post(CREATE, b'{"currency":"usd","amount":450.00,"bookingId":"b-1"}', ("Idempotency-Key", "k-1"))

    assert (first.status, again.json) == (200, first.json)


# ---- Stripe's own refusals: 400 and 402 ----


def test_stripes_own_minimum_is_reported_as_such(shop):
    shop.book("b-1", Money(10, "usd"))

    refused(shop.create("b-1", amount=0.10), 400, "amount_too_small")
    assert not shop.fake.intents
    ok(shop.status("b-1"), {"paymentStatus": "pending", "bookingStatus": "pending", "stripeStatus": None})


def test_stripes_own_maximum_is_reported_as_such(shop):
    shop.book("b-1", Money(45099, "usd"))
    too_large = {
        "type": "invalid_request_error",
        "code": "amount_too_large",
        "message": "Amount must be no more than …",
    }
    shop.fake.inject(Fault.response(400, too_large))

    refused(shop.create("b-1"), 400, "amount_too_large")


def card_error(code: str, decline_code: str | None, message: str) -> Fault:
    return Fault.response(402, {"type": "card_error", "code": code, "decline_code": decline_code, "message": message})


def test_a_card_error_of_a_call_of_ours_is_402_with_stripes_code(shop):
    shop.book("b-1")
    shop.fake.inject(card_error("card_declined", "insufficient_funds", "Your card has insufficient funds."))

    reply = shop.create("b-1")

    message = "Your card has insufficient funds."
    refused(reply, 402, "card_declined", message, decline_code="insufficient_funds")


def test_a_card_error_without_a_decline_code(shop):
    shop.book("b-1")
    shop.fake.inject(card_error("expired_card", None, "Your card has expired."))

    refused(shop.create("b-1"), 402, "expired_card", "Your card has expired.", decline_code=None)


HIDDEN = ["fraudulent", "lost_card", "stolen_card", "lost_or_stolen_card", "merchant_blacklist"]


@pytest.mark.parametrize("decline_code", HIDDEN)
def test_a_card_error_never_says_that_a_card_is_stolen(shop, decline_code):
    shop.book("b-1")
    shop.fake.inject(card_error("card_declined", decline_code, "Your card was reported."))

    reply = shop.create("b-1")

    refused(reply, 402, "card_declined", "Your card was declined.", decline_code="generic_decline")
    assert decline_code not in "".join(shop.rows())


def test_after_a_card_error_the_booking_can_still_be_paid(shop):
    shop.book("b-1")
    shop.fake.inject(card_error("card_declined", None, "Your card was declined."))
    shop.create("b-1")

    intent_id = shop.create("b-1").json["data"]["paymentIntentId"]
    shop.fake.pay(intent_id)

    assert shop.post(CONFIRM, {"bookingId": "b-1", "paymentIntentId": intent_id}).json["success"] is True
