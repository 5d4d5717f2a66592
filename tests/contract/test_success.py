"""What the four endpoints answer when all is well: the whole body, and nothing more."""

import pytest

from airport_payments import BookingStatus, Money
from airport_payments.testing.fake_stripe import Fault

from .expect import ok, refused

BOOKED = {"bookingId": "b-1", "amount": 450.99, "currency": "usd", "status": "confirmed"}
COMPLETED = {"paymentStatus": "completed", "bookingStatus": "confirmed", "booking": BOOKED}


def test_create_answers_with_the_payment_intent(shop):
    shop.book("b-1")

    reply = shop.create("b-1")

    (intent,) = shop.fake.intents.values()
    data = {
        "paymentIntentId": intent["id"],
        "clientSecret": intent["client_secret"],
        "status": "requires_payment_method",
        "amount": 450.99,
        "currency": "usd",
    }
    ok(reply, data)
    assert b'"amount":450.99,' in reply.body
    assert (intent["amount"], intent["currency"]) == (45099, "usd")


def test_create_again_answers_with_the_same_payment_intent(shop):
    shop.book("b-1")

    first, second = shop.create("b-1"), shop.create("b-1", currency="usd")

    assert first.json == second.json
    assert len(shop.fake.intents) == 1


def test_create_after_a_decline_answers_with_the_same_payment_intent(shop):
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id, "4000000000000002")

    assert shop.create("b-1").json["data"]["paymentIntentId"] == intent_id
    assert len(shop.fake.intents) == 1


def test_create_finds_out_that_it_was_paid_meanwhile(shop):
    shop.fake.pay(shop.opened("b-1"))

    refused(shop.create("b-1"), 409, "booking_already_paid")

    ok(shop.status("b-1"), {"paymentStatus": "completed", "bookingStatus": "confirmed", "stripeStatus": "succeeded"})


def test_create_for_a_new_price_cancels_the_old_intent_first(shop):
    old = shop.opened("b-1")
    shop.set_price("b-1", Money(50000, "usd"))

    reply = shop.create("b-1", amount=500)

    assert reply.json["data"]["amount"] == 500
    assert b'"amount":500,' in reply.body
    assert [(i["status"], i["amount"]) for i in shop.fake.intents.values()] == [
        ("canceled", 45099),
        ("requires_payment_method", 50000),
    ]
    assert reply.json["data"]["paymentIntentId"] != old


@pytest.mark.parametrize(
    ("price", "sent", "written"),
    [
        (Money(1000, "jpy"), b"1000", b"1000"),
        (Money(10230, "kwd"), b"10.230", b"10.23"),
        (Money(1000, "isk"), b"10", b"10"),
        (Money(100, "eur"), b"1.00", b"1"),
        (Money(45099, "usd"), b"4.5099e2", b"450.99"),
        (Money(110, "usd"), b"1.1000000000000000000000000000000000", b"1.1"),
    ],
)
def test_amounts_are_major_units_read_exactly(shop, price, sent, written):
    shop.book("b-1", price)

    reply = shop.post(
        "/payment/create-payment-intent",
        b'{"bookingId":"b-1","amount":%s,"currency":"%s"}' % (sent, price.currency.upper().encode()),
    )

    assert reply.status == 200
    assert b'"amount":%s,"currency":"%s"' % (written, price.currency.encode()) in reply.body
    (intent,) = shop.fake.intents.values()
    assert (intent["amount"], intent["currency"]) == (price.amount_minor, price.currency)


@pytest.mark.parametrize("currency", ["usd", "USD", "uSd"])
def test_a_currency_comes_in_any_case_and_leaves_in_lower_case(shop, currency):
    shop.book("b-1")

    assert shop.create("b-1", currency=currency).json["data"]["currency"] == "usd"


def test_unknown_fields_are_ignored(shop):
    shop.book("b-1")

    assert shop.create("b-1", note="window seat").status == 200


@pytest.mark.parametrize("keys", [("k-1", "k-1"), ('"k-1"', "k-1"), ('"k-1"', '"k-1"')], ids=str)
def test_an_idempotency_key_may_be_quoted_or_bare(shop, keys):
    shop.book("b-1")

    first, second = (shop.create("b-1", ("Idempotency-Key", key)) for key in keys)

    assert first.status == 200
    assert first.json == second.json


def test_an_idempotency_key_belongs_to_one_booking(shop):
    shop.book("b-1")
    shop.book("b-2", Money(100, "usd"))

    assert shop.create("b-1", ("Idempotency-Key", "k-1")).status == 200
    assert shop.create("b-2", ("Idempotency-Key", "k-1"), amount=1).status == 200


def test_confirm_answers_with_the_confirmed_booking(shop):
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id)

    ok(shop.confirm("b-1", intent_id), COMPLETED)
    ok(shop.confirm("b-1", intent_id), COMPLETED)
    ok(shop.status("b-1"), {"paymentStatus": "completed", "bookingStatus": "confirmed", "stripeStatus": "succeeded"})


def test_confirm_before_any_card_says_what_to_do(shop):
    intent_id = shop.opened("b-1")

    reply = shop.confirm("b-1", intent_id)

    data = {
        "paymentStatus": "requires_payment_method",
        "message": "Payment requires payment method. Use Stripe.js on frontend to complete payment.",
        "clientSecret": shop.fake.intents[intent_id]["client_secret"],
    }
    ok(reply, data, success=False)


@pytest.mark.parametrize(
    ("card", "code", "decline_code", "message"),
    [
        ("4000000000000002", "card_declined", "generic_decline", "Your card was declined."),
        ("4000000000009995", "card_declined", "insufficient_funds", "Your card has insufficient funds."),
        ("4000000000000069", "expired_card", None, "Your card has expired."),
        ("4000000000009987", "card_declined", "generic_decline", "Your card was declined."),  # lost
        ("4000000000009979", "card_declined", "generic_decline", "Your card was declined."),  # stolen
        ("4100000000000019", "card_declined", "generic_decline", "Your card was declined."),  # fraudulent
    ],
)
def test_confirm_after_a_decline_says_why_but_not_that_a_card_is_stolen(shop, card, code, decline_code, message):
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id, card)

    reply = shop.confirm("b-1", intent_id)

    data = {
        "paymentStatus": "requires_payment_method",
        "message": "Payment requires payment method. Use Stripe.js on frontend to complete payment.",
        "clientSecret": shop.fake.intents[intent_id]["client_secret"],
        "error_code": code,
        "decline_code": decline_code,
        "error_message": message,
    }
    ok(reply, data, success=False)
    status = {"paymentStatus": "failed", "bookingStatus": "pending", "stripeStatus": "requires_payment_method"}
    ok(shop.status("b-1"), status)


def test_confirm_of_a_payment_that_waits_for_the_customer(shop):
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id, "4000002760003184")

    reply = shop.confirm("b-1", intent_id)

    data = {
        "paymentStatus": "requires_action",
        "message": "Payment requires action. Use Stripe.js on frontend to complete payment.",
        "clientSecret": shop.fake.intents[intent_id]["client_secret"],
    }
    ok(reply, data, success=False)
    ok(shop.status("b-1"), {"paymentStatus": "pending", "bookingStatus": "pending", "stripeStatus": "requires_action"})
    shop.fake.authenticate(intent_id)
    ok(shop.confirm("b-1", intent_id), COMPLETED)


def test_confirm_of_a_payment_that_the_bank_still_processes(shop):
    intent_id = shop.opened("b-1")
    shop.pay_slowly(intent_id)

    reply = shop.confirm("b-1", intent_id)

    data = {
        "paymentStatus": "processing",
        "message": "Payment is processing. Ask again in a moment.",
        "clientSecret": shop.fake.intents[intent_id]["client_secret"],
    }
    ok(reply, data, success=False)
    ok(shop.status("b-1"), {"paymentStatus": "pending", "bookingStatus": "pending", "stripeStatus": "processing"})
    shop.fake.settle(intent_id)
    ok(shop.confirm("b-1", intent_id), COMPLETED)


def test_create_after_the_intent_was_canceled_at_stripe_opens_another(shop):
    old = shop.opened("b-1")
    shop.ask_stripe(f"/v1/payment_intents/{old}/cancel")

    new = shop.create("b-1").json["data"]["paymentIntentId"]

    assert new != old
    assert shop.create("b-1").json["data"]["paymentIntentId"] == new
    refused(shop.confirm("b-2", new), 404, "booking_not_found")


def test_confirm_of_a_canceled_intent_gives_no_client_secret(shop):
    intent_id = shop.opened("b-1")
    assert shop.post("/bookings/b-1/cancel", {}).status == 200

    reply = shop.confirm("b-1", intent_id)

    message = "Payment was canceled. Create a new payment intent."
    ok(reply, {"paymentStatus": "canceled", "message": message, "clientSecret": None}, success=False)
    ok(shop.status("b-1"), {"paymentStatus": "canceled", "bookingStatus": "cancelled", "stripeStatus": "canceled"})


def test_status_before_the_first_intent_has_no_stripe_status(shop):
    shop.book("b-1")

    ok(shop.status("b-1"), {"paymentStatus": "pending", "bookingStatus": "pending", "stripeStatus": None})


def test_status_is_from_the_repository_alone(shop):
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id)
    asked = len(shop.fake.requests)
    shop.fake.inject(Fault.connection_lost(), times=100)

    with shop.unwritten():
        reply = shop.status("b-1")

    status = {"paymentStatus": "pending", "bookingStatus": "pending", "stripeStatus": "requires_payment_method"}
    ok(reply, status)
    assert len(shop.fake.requests) == asked


def test_status_of_money_that_confirms_nothing_is_review(shop):
    intent_id = shop.opened("b-1")
    shop.fake.pay(intent_id)
    shop.set_status("b-1", BookingStatus.CANCELLED)

    shop.fake.deliver()

    ok(shop.status("b-1"), {"paymentStatus": "review", "bookingStatus": "cancelled", "stripeStatus": "succeeded"})


def test_any_content_type_will_do_for_a_json_body(shop):
    """The body is read as JSON whatever it is called: a wrong label must not lose a payment."""
    shop.book("b-1")
    body = b'{"bookingId":"b-1","amount":450.99,"currency":"usd"}'

    for name in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert shop.post("/payment/create-payment-intent", body, ("Content-Type", name)).status == 200
