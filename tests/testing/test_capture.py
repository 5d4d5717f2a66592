"""Authorising first and capturing later: all, less, never."""

from __future__ import annotations

import pytest
import stripe

HELD = {
    "amount": 2000,
    "currency": "usd",
    "payment_method_types": ["card"],
    "confirm": True,
    "payment_method": "pm_card_visa",
    "capture_method": "manual",
}


@pytest.fixture
def create(client):
    return lambda **given: client.payment_intents.create({**HELD, **given})


@pytest.fixture
def types(fake):
    return lambda: [event["type"] for event in fake.events.values()]


def refused(call, *args):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*args)
    return caught.value


def test_manual_capture_authorises_then_captures_a_part(create, client, types):
    intent = create()
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 2000, 0)
    captured = client.payment_intents.capture(intent.id, {"amount_to_capture": 1500, "expand": ["latest_charge"]})
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 1500, 0)
    # Since basil the part that is released is no refund.
    assert (captured.latest_charge.amount_captured, captured.latest_charge.amount_refunded) == (1500, 0)
    assert types() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
    ]


def test_an_authorisation_expires_after_seven_days(clock, create, client, types):
    intent = create()
    clock.forward(days=6, hours=23)
    assert client.payment_intents.retrieve(intent.id).status == "requires_capture"
    clock.forward(hours=2)
    expired = client.payment_intents.retrieve(intent.id)
    assert (expired.status, expired.cancellation_reason, expired.amount_capturable) == ("canceled", "expired", 0)
    assert types()[-2:] == ["charge.expired", "payment_intent.canceled"]
    assert expired.canceled_at == intent.created + 7 * 86400
    assert refused(client.payment_intents.capture, intent.id).code == "payment_intent_unexpected_state"


def test_what_is_not_captured_is_no_refund_and_is_told_in_the_event(create, client):
    held = create()
    client.payment_intents.capture(held.id, {"amount_to_capture": 700})
    captured = client.events.list({"type": "charge.captured"}).data[0]
    assert (captured.data.object.amount, captured.data.object.amount_captured) == (2000, 700)
    assert captured.data.previous_attributes.to_dict() == {
        "amount_captured": 0,
        "balance_transaction": None,
        "captured": False,
    }
    assert client.balance_transactions.list().data[0].amount == 700
    assert not client.refunds.list().data
    assert client.refunds.create({"payment_intent": held.id}).amount == 700


@pytest.mark.parametrize(
    ("given", "code", "param", "message"),
    [
        ({"amount_to_capture": 2001}, "amount_too_large", None, "greater than the amount you can capture"),
        ({"amount_to_capture": 0}, "parameter_invalid_integer", "amount", "greater than or equal to 1"),
        ({"amount_to_capture": -1}, None, "amount_to_capture", "Invalid non-negative integer"),
        ({"amount_to_capture": 5, "final_capture": False}, None, "final_capture", "multicapture"),
    ],
)
def test_a_refused_capture_carries_the_intent_and_changes_nothing(create, client, types, given, code, param, message):
    held = create()
    count = len(types())
    error = refused(client.payment_intents.capture, held.id, given)
    assert (error.code, error.param, error.error.payment_intent.status) == (code, param, "requires_capture")
    assert message in error.user_message
    assert (client.payment_intents.retrieve(held.id).status, len(types())) == ("requires_capture", count)


def test_nothing_is_captured_twice(create, client, types):
    held = create()
    client.payment_intents.capture(held.id, {"amount_to_capture": 500})
    count = len(types())
    error = refused(client.payment_intents.capture, held.id, {"amount_to_capture": 500})
    assert error.code == "payment_intent_unexpected_state"
    assert "the remainder of the authorized amount has been released" in error.user_message
    assert error.error.payment_intent.amount_received == 500
    assert len(types()) == count


def test_only_an_authorisation_is_captured(create, client):
    new = client.payment_intents.create({"amount": 2000, "currency": "usd", "capture_method": "manual"})
    error = refused(client.payment_intents.capture, new.id)
    assert error.code == "payment_intent_unexpected_state"
    assert "status of requires_payment_method" in error.user_message


def test_a_released_authorisation_keeps_its_charge_uncaptured(create, client, types):
    held = create()
    canceled = client.payment_intents.cancel(held.id)
    assert (canceled.status, canceled.cancellation_reason, canceled.amount_capturable) == ("canceled", None, 0)
    charge = client.charges.retrieve(held.latest_charge)
    assert (charge.status, charge.captured, charge.amount_captured, charge.refunded) == ("succeeded", False, 0, False)
    assert types()[-1] == "payment_intent.canceled"
    again = refused(client.payment_intents.cancel, held.id)
    assert "status of canceled" in again.user_message
    assert "uncaptured Charge" in refused(client.refunds.create, {"charge": charge.id}).user_message


def test_an_authorisation_can_be_let_expire(fake, create, client, types):
    held = create()
    expired = fake.expire(held.id)
    assert (expired["status"], expired["cancellation_reason"]) == ("canceled", "expired")
    assert types()[-2:] == ["charge.expired", "payment_intent.canceled"]
    with pytest.raises(ValueError, match="no authorisation"):
        fake.expire(held.id)
    fake.advance(8 * 86400)
    assert types()[-2:] == ["charge.expired", "payment_intent.canceled"]
    assert len([name for name in types() if name == "charge.expired"]) == 1


def test_what_was_captured_does_not_expire(fake, create, client):
    held = create()
    client.payment_intents.capture(held.id)
    fake.advance(8 * 86400)
    assert client.payment_intents.retrieve(held.id).status == "succeeded"


def test_a_customer_can_authorise_after_3ds(fake, create, client, types):
    held = create(payment_method="pm_card_threeDSecure2Required")
    assert fake.authenticate(held.id)["status"] == "requires_capture"
    assert types()[-1] == "payment_intent.amount_capturable_updated"
    assert client.payment_intents.capture(held.id).amount_received == 2000
