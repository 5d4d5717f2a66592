from __future__ import annotations

import json
import re

import pytest
import stripe

CARD = {"payment_method_types": ["card"]}
CONFIRMED = {**CARD, "confirm": True, "payment_method": "pm_card_visa"}


@pytest.fixture
def create(client):
    return lambda **given: client.payment_intents.create({"amount": 2000, "currency": "usd", **given})


@pytest.fixture
def types(fake):
    return lambda: [event["type"] for event in fake.events.values()]


def unexpected(call, *args):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*args)
    assert caught.value.code == "payment_intent_unexpected_state"
    return caught.value.error


def test_a_new_intent_waits_for_a_payment_method(create, types):
    intent = create()
    assert intent.status == "requires_payment_method"
    assert re.fullmatch(r"pi_3[A-Za-z0-9]{23}", intent.id)
    assert re.fullmatch(intent.id + r"_secret_[A-Za-z0-9]{25}", intent.client_secret)
    assert intent.latest_charge is None
    assert intent.capture_method == "automatic_async"
    assert intent.automatic_payment_methods.enabled
    assert types() == ["payment_intent.created"]


def test_a_new_intent_with_a_method_waits_for_confirmation(create):
    assert create(payment_method="pm_card_visa", **CARD).status == "requires_confirmation"


def test_paying_succeeds_and_writes_the_events(fake, create, client, types):
    intent = create()
    assert fake.pay(intent.id)["status"] == "succeeded"
    paid = client.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (paid.amount_received, paid.latest_charge.amount_captured, paid.latest_charge.captured) == (2000, 2000, True)
    assert types() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


@pytest.mark.parametrize(("method", "booked"), [("automatic", True), ("automatic_async", False)])
def test_automatic_async_books_the_balance_transaction_later(fake, create, client, types, method, booked):
    intent = create(capture_method=method, expand=["latest_charge"], **CONFIRMED)
    assert (intent.latest_charge.balance_transaction is not None) is booked
    fake.advance(5)
    charge = client.charges.retrieve(intent.latest_charge.id, {"expand": ["balance_transaction"]})
    assert charge.balance_transaction.net == 2000 - charge.balance_transaction.fee
    assert ("charge.updated" in types()) is not booked


@pytest.mark.parametrize(
    "given", [{}, {"payment_method": "pm_card_visa", **CARD}, {"capture_method": "manual", **CONFIRMED}]
)
def test_cancel_is_possible_until_the_money_is_taken(create, client, types, given):
    canceled = client.payment_intents.cancel(create(**given).id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert types()[-1] == "payment_intent.canceled"
    assert not client.refunds.list().data


def test_a_refused_cancel_carries_the_paid_intent(create, client):
    intent = create(**CONFIRMED)
    error = unexpected(client.payment_intents.cancel, intent.id)
    assert (error.payment_intent.id, error.payment_intent.status) == (intent.id, "succeeded")


def test_terminal_intents_accept_nothing(create, client, types):
    paid, gone = create(**CONFIRMED).id, client.payment_intents.cancel(create().id).id
    count = len(types())
    for intent_id in (paid, gone):
        for call in (client.payment_intents.confirm, client.payment_intents.cancel, client.payment_intents.capture):
            unexpected(call, intent_id)
        unexpected(client.payment_intents.update, intent_id, {"amount": 5})
        assert client.payment_intents.update(intent_id, {"metadata": {"a": "b"}}).metadata["a"] == "b"
    assert len(types()) == count


def test_confirm_needs_a_method(create, client):
    error = unexpected(client.payment_intents.confirm, create(**CARD).id)
    assert "missing a payment method" in error.message
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        create(confirm=True, **CARD)


def test_server_side_confirm_of_dashboard_methods_needs_a_return_url(create, client):
    intent = create(payment_method="pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        client.payment_intents.confirm(intent.id)
    assert client.payment_intents.confirm(intent.id, {"return_url": "https://example.com"}).status == "succeeded"
    never = create(
        automatic_payment_methods={"enabled": True, "allow_redirects": "never"}, payment_method="pm_card_visa"
    )
    assert client.payment_intents.confirm(never.id).status == "succeeded"


@pytest.mark.parametrize(
    ("given", "action"),
    [({}, "use_stripe_sdk"), ({"return_url": "https://example.com/back"}, "redirect_to_url")],
)
def test_3ds_asks_the_customer_and_then_charges(fake, create, client, types, given, action):
    intent = create(**{**CONFIRMED, "payment_method": "pm_card_threeDSecure2Required", **given})
    assert (intent.status, intent.next_action.type, intent.latest_charge) == ("requires_action", action, None)
    assert types()[-1] == "payment_intent.requires_action"
    assert fake.authenticate(intent.id)["status"] == "succeeded"
    assert client.payment_intents.retrieve(intent.id).next_action is None
    with pytest.raises(ValueError, match="waits for no authentication"):
        fake.authenticate(intent.id)


def test_failed_3ds_waits_for_another_card_and_makes_no_charge(fake, create, client, types):
    intent = create(**{**CONFIRMED, "payment_method": "pm_card_authenticationRequired"})
    fake.authenticate(intent.id, succeed=False)
    failed = client.payment_intents.retrieve(intent.id)
    assert (failed.status, failed.payment_method, failed.latest_charge) == ("requires_payment_method", None, None)
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    assert types()[-1] == "payment_intent.payment_failed"
    assert fake.pay(intent.id)["status"] == "succeeded"


def test_3ds_may_be_followed_by_a_decline(fake, create):
    intent = create(**{**CONFIRMED, "payment_method": "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"})
    failed = fake.authenticate(intent.id)
    assert failed["last_payment_error"]["decline_code"] == "insufficient_funds"
    assert failed["latest_charge"]


def test_manual_confirmation_returns_to_the_server_after_3ds(fake, create, client):
    card = {"payment_method": "pm_card_threeDSecure2Required"}
    intent = create(**{**CONFIRMED, **card, "confirmation_method": "manual"})
    assert fake.authenticate(intent.id)["status"] == "requires_confirmation"
    assert client.payment_intents.confirm(intent.id).status == "succeeded"


def test_manual_confirmation_is_not_for_browsers(fake, create):
    intent = create(confirmation_method="manual", **CARD)
    with pytest.raises(Exception, match="publishable key"):
        fake.pay(intent.id)


def test_a_decline_keeps_the_intent_open_for_another_card(create, client, fake, types):
    intent = create()
    fake.pay(intent.id, "4000000000009995")
    failed = client.payment_intents.retrieve(intent.id)
    assert (failed.status, failed.payment_method) == ("requires_payment_method", None)
    error = failed.last_payment_error
    assert (error.type, error.code, error.decline_code, error.charge) == (
        "card_error", "card_declined", "insufficient_funds", failed.latest_charge,
    )  # fmt: skip
    assert types()[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    paid = fake.pay(intent.id)
    assert (paid["status"], paid["last_payment_error"]) == ("succeeded", None)
    assert paid["latest_charge"] != failed.latest_charge


def test_updating_clears_the_last_error_and_asks_for_confirmation_again(fake, create, client):
    intent = create()
    fake.pay(intent.id, "4000000000000002")
    updated = client.payment_intents.update(intent.id, {"payment_method": "pm_card_visa", "amount": 2100})
    assert (updated.status, updated.amount, updated.last_payment_error) == ("requires_confirmation", 2100, None)


@pytest.mark.parametrize(("iban", "seconds", "end"), [
    ("AT321904300235473204", 180, "succeeded"),
    ("AT051904300235473205", 180, "requires_payment_method"),
])  # fmt: skip
def test_delayed_methods_are_processing_until_the_bank_answers(fake, create, client, types, iban, seconds, end):
    data = {"type": "sepa_debit", "sepa_debit": {"iban": iban}, "billing_details": {"name": "A"}}
    intent = create(currency="eur", payment_method_types=["sepa_debit"], payment_method_data=data, confirm=True)
    assert (intent.status, types()[-1]) == ("processing", "payment_intent.processing")
    unexpected(client.payment_intents.cancel, intent.id)
    fake.advance(seconds)
    assert client.payment_intents.retrieve(intent.id).status == end
    names = {"succeeded": "payment_intent.succeeded"}
    assert types()[-1] == names.get(end, "payment_intent.payment_failed")


@pytest.mark.parametrize(("succeed", "end"), [(True, "succeeded"), (False, "requires_payment_method")])
def test_processing_can_be_settled_by_hand(fake, create, succeed, end):
    types = {"payment_method_types": ["us_bank_account"]}
    intent = create(payment_method="pm_usBankAccount_processing", confirm=True, **types)
    fake.advance(10 * 86400)
    assert fake.intents[intent.id]["status"] == "processing"
    assert fake.settle(intent.id, succeed=succeed)["status"] == end


def test_error_on_requires_action_refuses_instead_of_asking(create):
    with pytest.raises(stripe.CardError) as caught:
        create(**{**CONFIRMED, "payment_method": "pm_card_threeDSecure2Required", "error_on_requires_action": True})
    assert caught.value.code == "authentication_required"
    assert caught.value.error.payment_intent.status == "requires_payment_method"


def test_a_method_without_a_customer_is_good_for_one_payment(create, client):
    method = client.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    assert create(**{**CONFIRMED, "payment_method": method.id}).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="previously used"):
        create(**{**CONFIRMED, "payment_method": method.id})


@pytest.mark.parametrize(
    ("call", "param", "status"),
    [
        (lambda v1: v1.payment_intents.retrieve("pi_nothing"), "intent", 404),
        (lambda v1: v1.charges.retrieve("ch_nothing"), "charge", 404),
        (lambda v1: v1.refunds.retrieve("re_nothing"), "refund", 404),
        (lambda v1: v1.refunds.create({"payment_intent": "pi_nothing"}), "payment_intent", 400),
        (
            lambda v1: v1.payment_intents.create({"amount": 100, "currency": "usd", "customer": "cus_x"}),
            "customer",
            400,
        ),
        (
            lambda v1: v1.payment_intents.create({"amount": 100, "currency": "usd", "payment_method": "pm_x"}),
            "payment_method",
            400,
        ),
    ],
)
def test_missing_objects_are_resource_missing(client, call, param, status):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(client)
    assert (caught.value.code, caught.value.param, caught.value.http_status) == ("resource_missing", param, status)
    assert caught.value.user_message.startswith("No such ")


def test_ids_are_the_same_for_the_same_seed():
    from airport_payments.testing import FakeStripe

    from .conftest import stripe_client

    def ids(seed):
        fake = FakeStripe(seed=seed)
        intent = stripe_client(fake).v1.payment_intents.create({"amount": 100, "currency": "usd"})
        return intent.id, intent.client_secret

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


@pytest.mark.parametrize(
    "given",
    [
        {"confirm": True, "payment_method": "pm_card_visa"},  # no return_url
        {"confirm": True, "payment_method": "pm_usBankAccount_success", **CARD},
        {
            "confirm": True,
            "payment_method": "pm_card_visa",
            "payment_method_types": ["sepa_debit"],
            "statement_descriptor": "X",
        },
        {"confirm": True, **CARD},
        {"confirm": True, "payment_method_data": {"type": "card", "card": {"number": "4242424242424242"}}, **CARD},
        {"confirm": True, "confirmation_token": "ctoken_1", **CARD},
        {"metadata": {f"k{n}": "v" for n in range(51)}},
        {"payment_method_types": ["card"], "automatic_payment_methods": {"enabled": True}},
    ],
)
def test_a_refused_create_leaves_nothing_behind(fake, create, given):
    with pytest.raises(stripe.StripeError):
        create(**given)
    assert (fake.intents, fake.charges, fake.events) == ({}, {}, {})


@pytest.mark.parametrize(
    "given",
    [
        {"payment_method": "pm_usBankAccount_success"},
        {"payment_method": "pm_card_visa", "payment_method_types": ["sepa_debit"]},
        {"payment_method": "pm_nothing", "receipt_email": "a@example.com"},
        {"setup_future_usage": "off_session"},
    ],
)
def test_a_refused_confirm_changes_nothing(fake, create, client, given):
    intent = create(**CARD)
    before = fake.dump()
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_intents.confirm(intent.id, given)
    saved, now = (json.loads(text)["accounts"][0]["objects"] for text in (before, fake.dump()))
    assert (now["payment_intent"], now["event"]) == (saved["payment_intent"], saved["event"])
