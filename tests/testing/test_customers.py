"""Customers, the cards they leave, and paying with those while the customer is away."""

from __future__ import annotations

import pytest
import stripe

CARD = {"payment_method_types": ["card"]}


@pytest.fixture
def create(client):
    return lambda **given: client.payment_intents.create({"amount": 2000, "currency": "usd", **given})


@pytest.fixture
def saved(client):
    """Return a function that gives a new customer a card: what a payment with it needs."""

    def save(card):
        customer = client.customers.create({"payment_method": card})
        method = client.payment_methods.list({"customer": customer.id}).data[0]
        return {"customer": customer.id, "payment_method": method.id, **CARD}

    return save


def test_customers_are_created_updated_and_deleted(client, fake):
    customer = client.customers.create({"email": "a@example.com", "metadata": {"a": "b"}})
    assert client.customers.update(customer.id, {"name": "Ana"}).name == "Ana"
    assert client.customers.list({"email": "a@example.com"}).data[0].id == customer.id
    method = client.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    assert client.customers.delete(customer.id).deleted
    assert client.customers.retrieve(customer.id).deleted
    assert client.payment_methods.retrieve(method.id).customer is None
    assert not client.customers.list().data
    for call in (client.customers.delete, client.customers.update):
        with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
            call(customer.id)
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.payment_intents.create({"amount": 2000, "currency": "usd", "customer": customer.id})
    assert [event["type"] for event in fake.events.values()] == [
        "customer.created", "customer.updated", "payment_method.attached", "customer.deleted",
    ]  # fmt: skip


def test_a_customers_cards_are_listed_and_found(client, saved):
    first, second = saved("pm_card_visa"), saved("pm_card_mastercard")
    found = client.customers.payment_methods.list(first["customer"])
    assert [method.id for method in found] == [first["payment_method"]]
    assert client.customers.payment_methods.retrieve(first["customer"], first["payment_method"]).card.brand == "visa"
    with pytest.raises(stripe.InvalidRequestError, match="No such PaymentMethod"):
        client.customers.payment_methods.retrieve(first["customer"], second["payment_method"])


def test_off_session_declines_where_the_customer_would_be_asked(create, client):
    customer = client.customers.create({"payment_method": "pm_card_authenticationRequired"})
    method = client.payment_methods.list({"customer": customer.id}).data[0]
    given = {"customer": customer.id, "payment_method": method.id, "off_session": True, "confirm": True, **CARD}
    with pytest.raises(stripe.CardError) as caught:
        create(**given)
    error = caught.value.error
    assert (caught.value.code, error.decline_code) == ("authentication_required", "authentication_required")
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_method.id == method.id
    assert error.charge == error.payment_intent.latest_charge


def test_setup_future_usage_saves_the_card_for_later(fake, create, client):
    customer = client.customers.create({"email": "a@example.com"})
    intent = create(customer=customer.id, setup_future_usage="off_session")
    fake.pay(intent.id, "4000002500003155")
    assert fake.authenticate(intent.id)["status"] == "succeeded"
    saved = client.customers.payment_methods.list(customer.id).data[0]
    again = create(customer=customer.id, payment_method=saved.id, off_session=True, confirm=True, **CARD)
    assert again.status == "succeeded"


def test_a_customers_method_needs_its_customer(create, client):
    customer = client.customers.create({"payment_method": "pm_card_visa"})
    method = client.payment_methods.list({"customer": customer.id}).data[0]
    with pytest.raises(stripe.InvalidRequestError, match="belongs to the Customer"):
        create(payment_method=method.id, **CARD)


def test_where_stripe_itself_wants_3ds_nothing_is_charged_off_session(create, saved, fake):
    given = saved("pm_card_threeDSecure2Required")
    with pytest.raises(stripe.CardError) as caught:
        create(**given, off_session=True, confirm=True)
    error = caught.value.error
    assert (caught.value.code, error.decline_code, caught.value.http_status) == (
        "authentication_required", "authentication_required", 402,
    )  # fmt: skip
    assert error.charge is None
    assert (error.payment_intent.status, error.payment_intent.latest_charge) == ("requires_payment_method", None)
    assert error.payment_method.id == given["payment_method"]
    assert not fake.charges
    assert list(fake.events.values())[-1]["type"] == "payment_intent.payment_failed"


def test_a_customer_who_comes_back_can_authenticate_what_was_declined_off_session(create, saved, client, fake):
    given = saved("pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as caught:
        create(**given, off_session=True, confirm=True)
    intent_id = caught.value.error.payment_intent.id
    again = client.payment_intents.confirm(intent_id, {"payment_method": given["payment_method"]})
    assert again.status == "requires_action"
    assert fake.authenticate(intent_id)["status"] == "succeeded"


def test_a_saved_card_pays_again_and_again(create, saved):
    given = saved("pm_card_visa")
    for _ in range(2):
        assert create(**given, off_session=True, confirm=True).status == "succeeded"


@pytest.mark.parametrize(
    ("given", "code", "param", "message"),
    [
        ({"receipt_email": "nobody"}, "email_invalid", "receipt_email", "Invalid email address: nobody"),
        ({"statement_descriptor_suffix": "A<B"}, None, "statement_descriptor_suffix", "cannot include <"),
        ({"statement_descriptor_suffix": "it's"}, None, "statement_descriptor_suffix", "cannot include '"),
        ({"statement_descriptor_suffix": "12345"}, None, "statement_descriptor_suffix", "at least one Latin character"),
        ({"statement_descriptor_suffix": "x" * 23}, None, "statement_descriptor_suffix", "at most 22 characters"),
        ({"statement_descriptor": "HELLO", **CARD}, None, "statement_descriptor", "statement_descriptor_suffix"),
        ({"description": "x" * 1001}, None, "description", "at most 1000 characters"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata", "up to 40 characters"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]", "up to 500 characters"),
    ],
)
def test_what_the_customer_would_read_is_checked(create, fake, given, code, param, message):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        create(**given)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert message in caught.value.user_message
    assert not fake.intents


def test_what_the_customer_will_read_stands_in_the_charge(create, client):
    intent = create(
        receipt_email="a@example.com", statement_descriptor_suffix="BA117", description="Flight", confirm=True,
        payment_method="pm_card_visa", **CARD,
    )  # fmt: skip
    charge = client.charges.retrieve(intent.latest_charge)
    assert (charge.receipt_email, charge.description) == ("a@example.com", "Flight")
    assert charge.calculated_statement_descriptor == "FAKE STRIPE* BA117"
    assert client.payment_intents.update(intent.id, {"description": "Other"}).description == "Other"


def test_a_customers_payments_are_listed(create, saved, client):
    given = saved("pm_card_visa")
    ids = [create(**given).id for _ in range(3)]
    create()
    assert [intent.id for intent in client.payment_intents.list({"customer": given["customer"]})] == ids[::-1]
