"""What the apps read, what they refuse to start with, and the stand-in around the payments."""

import re

import pytest

from airport_payments import ConfigurationError

from .expect import invalid, ok, refused
from .harness import EXAMPLES, open_shop

WRONG = {
    "no key": ("STRIPE_SECRET_KEY", None),
    "an empty key": ("STRIPE_SECRET_KEY", ""),
    "a publishable key": ("STRIPE_SECRET_KEY", "pk_test_CANARY00"),
    "a key of another kind": ("STRIPE_SECRET_KEY", "CANARY-of-something-else"),
    "a key with a line break": ("STRIPE_SECRET_KEY", "sk_test_CANARY00\n"),
    "no webhook secret": ("STRIPE_WEBHOOK_SECRET", None),
    "an empty webhook secret": ("STRIPE_WEBHOOK_SECRET", ""),
    "commas alone": ("STRIPE_WEBHOOK_SECRET", " , ,"),
    "a webhook secret cut off": ("STRIPE_WEBHOOK_SECRET", "whsec_CAN"),
    "one of two is wrong": ("STRIPE_WEBHOOK_SECRET", "whsec_CANARY0000,CANARY"),
    "seventeen secrets": ("STRIPE_WEBHOOK_SECRET", ",".join(["whsec_CANARY0000"] * 17)),
    "no JWT secret": ("JWT_SECRET", None),
    "an empty JWT secret": ("JWT_SECRET", ""),
    "a short JWT secret": ("JWT_SECRET", "CANARY-31-bytes-is-one-too-few!"),
    "a secret key for the page": ("STRIPE_PUBLISHABLE_KEY", "sk_test_CANARY00"),
    "a live key for the page of a test shop": ("STRIPE_PUBLISHABLE_KEY", "pk_live_CANARY00"),
    "plain http to another machine": ("STRIPE_API_BASE", "http://api.stripe.test"),
    "a base with a password": ("STRIPE_API_BASE", "https://CANARY:CANARY@stripe.test"),
    "a base with a path": ("STRIPE_API_BASE", "https://stripe.test/v1"),
}


@pytest.mark.parametrize(("name", "value"), WRONG.values(), ids=WRONG)
def test_an_app_refuses_to_start_and_names_the_variable_but_not_its_value(tmp_path, kind, name, value):
    with pytest.raises(ConfigurationError) as caught, open_shop(kind, tmp_path, **{name: value}):
        pass

    message = str(caught.value)
    assert name in message or {"STRIPE_PUBLISHABLE_KEY": "publishable_key"}.get(name, name) in message
    assert "CANARY" not in message


def test_a_missing_publishable_key_is_served_as_empty(tmp_path, kind):
    with open_shop(kind, tmp_path, STRIPE_PUBLISHABLE_KEY=None) as shop:
        ok(shop.send("GET", "/config"), {"publishableKey": ""})


def test_the_page_is_told_the_publishable_key_and_nothing_else(shop):
    ok(shop.send("GET", "/config"), {"publishableKey": "pk_test_page0000"})


def test_the_database_is_airport_db_by_default(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_shop(kind, tmp_path, DATABASE_URL=None) as shop:
        shop.book("b-1")
        assert shop.status("b-1").status == 200
    assert (tmp_path / "airport.db").exists()


def test_tables_that_are_there_are_kept(tmp_path, kind):
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    with open_shop(kind, tmp_path, DATABASE_URL=url) as shop:
        shop.book("b-1")
    with open_shop(kind, tmp_path, DATABASE_URL=url) as shop:
        assert shop.status("b-1").status == 200


def test_an_app_holds_no_business_rule(kind):
    names = ("payments.py", "urls.py", "views.py") if kind == "django" else ("app.py",)
    source = "".join((EXAMPLES / f"{kind}_app" / name).read_text() for name in names)
    assert not re.search(r"succeeded|requires_|PENDING|CONFIRMED|amount", source)


# ---- the stand-in for the airport's booking service ----


def test_a_booking_is_made_for_the_caller(shop):
    reply = shop.post("/bookings", {"amount": 450.99, "currency": "USD"})

    booking_id = reply.json["data"]["bookingId"]
    ok(reply, {"bookingId": booking_id}, 201)
    data = {"bookingId": booking_id, "amount": 450.99, "currency": "usd", "status": "pending"}
    ok(shop.get(f"/bookings/{booking_id}"), data)
    refused(shop.get(f"/bookings/{booking_id}", owner="bob"), 404, "booking_not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b'{"amount":1,"amount":2,"currency":"usd"}', "body"),
        (b'{"amount":"1","currency":"usd"}', "amount"),
        (b'{"amount":0,"currency":"usd"}', "amount"),
        (b'{"amount":1.5,"currency":"jpy"}', "amount"),
        (b'{"amount":1,"currency":"xxx"}', "currency"),
    ],
)
def test_a_booking_needs_a_real_price(shop, body, field):
    with shop.unwritten():
        invalid(shop.post("/bookings", body), field)


def test_cancelling_a_booking_cancels_its_open_intent_at_once(shop):
    intent_id = shop.opened("b-1")

    reply = shop.post("/bookings/b-1/cancel", {})

    ok(reply, {"bookingId": "b-1", "amount": 450.99, "currency": "usd", "status": "cancelled"})
    assert shop.fake.intents[intent_id]["status"] == "canceled"
    refused(shop.create("b-1"), 409, "booking_not_payable")


def test_cancelling_twice_is_the_same_as_once(shop):
    shop.opened("b-1")
    first = shop.post("/bookings/b-1/cancel", {})

    with shop.unwritten():
        assert shop.post("/bookings/b-1/cancel", {}).json == first.json
