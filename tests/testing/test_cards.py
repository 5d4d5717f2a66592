from __future__ import annotations

import pytest
import stripe

from airport_payments.testing.fake_stripe.cards import BY_NAME, CARDS

DECLINED = [
    (name, card) for name, card in BY_NAME.items() if card.decline and card.three_ds == "none" and card.delay is None
]
OTHERS = [name for name, card in BY_NAME.items() if name.startswith("pm_card") and not card.decline]

# As Stripe's page on testing lists them, numbers and codes written out.
DOCUMENTED = [
    ("4242424242424242", None, None),
    ("4000000000000002", "card_declined", "generic_decline"),
    ("4000000000009995", "card_declined", "insufficient_funds"),
    ("4000000000009987", "card_declined", "lost_card"),
    ("4000000000009979", "card_declined", "stolen_card"),
    ("4000000000006975", "card_declined", "card_velocity_exceeded"),
    ("4000000000000069", "expired_card", None),
    ("4000000000000127", "incorrect_cvc", None),
    ("4000000000000119", "processing_error", None),
    ("4000 0000 0000 0259", None, None),
    ("4000000000007726", None, None),
    ("4000000000005126", None, None),
]


@pytest.mark.parametrize(("number", "code", "decline_code"), DOCUMENTED)
def test_numbers_do_what_stripes_page_says(fake, client, number, code, decline_code):
    intent = client.payment_intents.create({"amount": 2000, "currency": "usd"})
    after = fake.pay(intent.id, number)
    error = after["last_payment_error"] or {}
    assert (error.get("code"), error.get("decline_code")) == (code, decline_code)
    assert after["status"] == ("requires_payment_method" if code else "succeeded")


@pytest.mark.parametrize(("name", "card"), [row for row in DECLINED if row[0].startswith("pm_")])
def test_declining_names_answer_402(fake, client, name, card):
    with pytest.raises(stripe.CardError) as caught:
        client.payment_intents.create(
            {
                "amount": 2000,
                "currency": "usd",
                "payment_method": name,
                "confirm": True,
                "payment_method_types": ["card"],
            }
        )
    error = caught.value
    assert (error.http_status, error.code, error.error.decline_code) == (
        402,
        card.decline.code,
        card.decline.decline_code,
    )
    charge = client.charges.retrieve(error.error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, card.decline.code)
    assert error.error.payment_method.type == "card"
    assert error.error.payment_intent.id in fake.intents


@pytest.mark.parametrize("name", OTHERS)
def test_all_other_names_pay_or_ask(fake, client, name):
    intent = client.payment_intents.create(
        {"amount": 2000, "currency": "usd", "payment_method": name, "confirm": True, "payment_method_types": ["card"]}
    )
    if intent.status == "requires_action":
        fake.authenticate(intent.id)
    after = client.payment_intents.retrieve(intent.id, {"expand": ["latest_charge", "payment_method"]})
    assert after.status == "succeeded"
    assert after.payment_method.card.last4 == BY_NAME[name].last4
    assert after.latest_charge.payment_method_details.card.brand == BY_NAME[name].brand


def test_both_namings_of_declines_are_known():
    for name in ("chargeDeclined", "chargeDeclinedInsufficientFunds", "chargeDeclinedExpiredCard"):
        assert BY_NAME[f"pm_card_{name}"] is BY_NAME[f"pm_card_visa_{name}"]
    assert BY_NAME["tok_visa"] is BY_NAME["pm_card_visa"]


def test_numbers_and_names_are_unique():
    assert len({card.number for card in CARDS}) == len(CARDS)
    names = [name for card in CARDS for name in card.names]
    assert len(set(names)) == len(names)


def test_an_unknown_number_is_an_incorrect_number(fake, client):
    intent = client.payment_intents.create({"amount": 2000, "currency": "usd"})
    assert fake.pay(intent.id, "1234")["status"] == "requires_payment_method"


def test_a_servers_raw_card_number_is_refused(client):
    with pytest.raises(stripe.StripeError, match="generally unsafe"):
        client.payment_methods.create(
            {"type": "card", "card": {"number": "4242424242424242", "exp_month": 1, "exp_year": 2030}}
        )


def test_plain_declines_cannot_be_saved_but_charge_customer_fail_can(client):
    customer = client.customers.create({})
    with pytest.raises(stripe.CardError):
        client.payment_methods.attach("pm_card_visa_chargeDeclined", {"customer": customer.id})
    assert (
        client.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id}).customer == customer.id
    )


def test_methods_are_attached_and_detached_once(client):
    customer = client.customers.create({})
    method = client.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    assert client.payment_methods.detach(method.id).customer is None
    for call in (
        lambda: client.payment_methods.detach(method.id),
        lambda: client.payment_methods.attach(method.id, {"customer": customer.id}),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            call()


def test_a_fraud_warning_is_announced(fake, client):
    fake.pay(client.payment_intents.create({"amount": 2000, "currency": "usd"}).id, "pm_card_createIssuerFraudRecord")
    assert "radar.early_fraud_warning.created" in {event["type"] for event in fake.events.values()}
