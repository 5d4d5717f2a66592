from __future__ import annotations

import json

import pytest

from airport_payments.testing import FakeStripe

from .conftest import stripe_client

NEW = {"amount": 2000, "currency": "usd"}


def test_a_saved_fake_goes_on_where_it_stopped(fake, client, clock):
    intent = client.payment_intents.create({**NEW, "capture_method": "manual"}, {"idempotency_key": "k"})
    fake.pay(intent.id)
    fake.send_webhooks_to("http://127.0.0.1:1/hook", "whsec_a", events=["payment_intent.succeeded"])
    fake.send_webhooks_to(lambda body, header: 200, "whsec_b")
    client.payment_intents.capture(intent.id)

    again = FakeStripe.load(fake.dump(), clock=clock)
    assert again.intents == fake.intents
    assert again.charges == fake.charges
    other = stripe_client(again).v1
    replayed = other.payment_intents.create({**NEW, "capture_method": "manual"}, {"idempotency_key": "k"})
    assert replayed.last_response.headers["Idempotent-Replayed"] == "true"
    assert other.payment_intents.create(NEW).id not in fake.intents
    (delivery,) = again.pending_deliveries()
    assert delivery.event_type == "payment_intent.succeeded"
    assert again.events[delivery.event_id]["pending_webhooks"] == 1
    assert FakeStripe.load(again.dump()).dump() == again.dump()


def test_timers_survive(fake, client, clock):
    held = client.payment_intents.create({**NEW, "capture_method": "manual"})
    fake.pay(held.id)
    fake.advance(86400)
    again = FakeStripe.load(fake.dump(), clock=clock)
    again.advance(6 * 86400)
    assert again.intents[held.id]["status"] == "canceled"


@pytest.mark.parametrize("text", ["[]", "{}", '{"saved_as": 2}', "1"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="not a state"):
        FakeStripe.load(text)


def test_a_fake_has_bounds(monkeypatch, client):
    from airport_payments.testing.fake_stripe import books

    monkeypatch.setattr(books, "MAX_OBJECTS", 1)
    client.payment_intents.create(NEW)
    with pytest.raises(books.FakeIsFull):
        client.payment_intents.create(NEW)


def test_reading_gives_copies(fake, client):
    intent = client.payment_intents.create(NEW)
    fake.intents[intent.id]["status"] = "succeeded"
    assert (
        json.loads(fake.dump())["accounts"][0]["objects"]["payment_intent"][intent.id]["status"]
        == "requires_payment_method"
    )
