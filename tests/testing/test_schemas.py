"""Every object that the fake returns has Stripe's form; the fixture `fake` checks all answers of the other tests too."""

from __future__ import annotations

import json
import re
import typing
from pathlib import Path

import pytest
import stripe

from airport_payments.testing import fake_stripe

from . import schemas

NEW = {"amount": 2000, "currency": "usd", "payment_method_types": ["card"]}
SOURCES = Path(fake_stripe.__file__).parent
# Fields that Stripe still sends for the sake of old integrations, though its description has them no more.
LEGACY = {"payment_intent": {"source"}, "charge": {"order", "source"}, "dispute": {"balance_transaction"}}


def words(kind, field):
    """Return the words that stripe-python allows for a field."""
    hint = kind.__annotations__[field]
    literals = [hint, *typing.get_args(hint)]
    literals += [inner for part in literals for inner in typing.get_args(part) if not isinstance(inner, str)]
    return {word for literal in literals for word in typing.get_args(literal) if isinstance(word, str)}


def test_the_schemas_say_whose_they_are():
    assert "MIT" in json.loads(schemas.FILE.read_text())["comment"]


def test_dispute_statuses_are_stripe_pythons():
    assert words(stripe.Dispute, "status") == set(
        schemas.validator("dispute").schema["$defs"]["dispute"]["properties"]["status"]["enum"]
    )


@pytest.mark.parametrize(("kind", "field"), [
    (stripe.PaymentIntent, "status"),
    (stripe.PaymentIntent, "cancellation_reason"),
    (stripe.PaymentIntent, "capture_method"),
    (stripe.Charge, "status"),
])  # fmt: skip
def test_the_other_enums_are_the_same_in_both_versions(kind, field):
    properties = json.loads(schemas.FILE.read_text())["$defs"][kind.OBJECT_NAME]["properties"]
    enum = properties[field].get("enum") or properties[field]["anyOf"][0]["enum"]
    assert words(kind, field) == set(enum)


def test_all_event_types_exist():
    written = set()
    for path in SOURCES.glob("*.py"):
        written |= set(re.findall(r'record\(\s*"([a-z_.]+)"', path.read_text()))
    assert len(written) > 20
    assert written <= words(stripe.Event, "type")


def test_the_api_version_is_stripe_pythons():
    from airport_payments.testing.fake_stripe.constants import API_VERSION

    assert stripe.api_version == API_VERSION


def test_intents_of_every_status_have_stripes_form(fake, client):
    def confirmed(card, **more):
        return client.payment_intents.create({**NEW, "payment_method": card, "confirm": True, **more})

    client.payment_intents.create(NEW)
    client.payment_intents.create({**NEW, "payment_method": "pm_card_visa"})
    confirmed("pm_card_visa")
    confirmed("pm_card_visa", capture_method="manual")
    confirmed("pm_card_threeDSecure2Required")
    confirmed("pm_usBankAccount_processing", payment_method_types=["us_bank_account"])
    client.payment_intents.cancel(client.payment_intents.create(NEW).id)
    enum = json.loads(schemas.FILE.read_text())["$defs"]["payment_intent"]["properties"]["status"]["enum"]
    assert {intent["status"] for intent in fake.intents.values()} == set(enum)


def test_no_field_is_invented_and_none_is_left_out(fake, client):
    customer = client.customers.create({"payment_method": "pm_card_visa"})
    for card in ("pm_card_visa", "pm_card_createDispute", "pm_card_chargeDeclined"):
        fake.pay(client.payment_intents.create(NEW).id, card)
    client.refunds.create({"payment_intent": next(iter(fake.intents))})
    client.webhook_endpoints.create({"url": "https://example.com", "enabled_events": ["*"]})
    assert customer.id
    definitions = json.loads(schemas.FILE.read_text())["$defs"]
    for kind in schemas.KINDS:
        objects = fake.objects(kind)
        assert objects, kind
        for obj in objects.values():
            assert set(obj) - set(definitions[kind]["properties"]) <= LEGACY.get(kind, set()), kind
            nullable = {
                name
                for name, schema in definitions[kind]["properties"].items()
                if {"type": "null"} in schema.get("anyOf", ()) and name not in OMITTED.get(kind, ())
            }
            assert nullable <= set(obj), kind


# Nullable in the description, and shown only when asked for or by other features.
OMITTED = {
    "charge": {"refunds"},
    "customer": {"cash_balance"},
    "event": {"api_version"},
    "payment_intent": {"allowed_payment_method_types", "managed_payments"},
    "refund": {"customer", "customer_account"},
}


def test_every_event_carries_the_object_that_its_name_says(fake, client):
    def pay(card="pm_card_visa", **given):
        return fake.pay(client.payment_intents.create({**NEW, **given}).id, card)["id"]

    fake.fail_refund(fake.refund(pay())["id"])
    fake.close_dispute(fake.dispute(pay())["id"], "won")
    fake.escalate_dispute(fake.dispute(pay(), inquiry=True)["id"])
    pay("pm_card_chargeDeclined")
    client.payment_intents.capture(pay(capture_method="manual"))
    fake.expire(pay(capture_method="manual"))
    fake.advance(5)
    seen = {event["type"]: event["data"]["object"]["object"] for event in fake.events.values()}
    kinds = {"charge.refund.": "refund", "charge.dispute.": "dispute", "charge.": "charge", "refund.": "refund"}
    kinds |= {"payment_intent.": "payment_intent"}
    for name, kind in seen.items():
        assert kind == next(kinds[start] for start in kinds if name.startswith(start)), name
    wanted = {f"charge.{name}" for name in ("captured", "expired", "failed", "refunded", "refund.updated", "succeeded")}
    wanted |= {
        f"charge.dispute.{end}" for end in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
    }
    assert wanted | {"refund.created", "refund.updated", "refund.failed"} <= seen.keys()
