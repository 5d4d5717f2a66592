"""Several accounts, organisations, and the two modes."""

from __future__ import annotations

import json

import pytest
import stripe

from airport_payments.testing import FakeStripe

from . import schemas
from .conftest import CheckedFake, stripe_client

NEW = {"amount": 2000, "currency": "usd"}
OTHER = "acct_1Other"


@pytest.fixture
def inbox(fake):
    """Return a function that registers an endpoint and gives the list of what it gets."""

    def register(**given):
        seen = []
        fake.send_webhooks_to(lambda body, header: seen.append(json.loads(body)) or 200, "whsec_1", **given)
        return seen

    return register


@pytest.mark.parametrize(
    "options",
    [
        {"stripe_account": OTHER},
        {"stripe_context": OTHER},
        {"stripe_context": f"acct_1Platform/{OTHER}"},
        {"stripe_context": OTHER, "stripe_account": OTHER},
    ],
)
def test_an_account_has_books_of_its_own(fake, client, options):
    created = client.payment_intents.create(NEW, options)
    assert list(fake.objects("payment_intent", account=OTHER)) == [created.id]
    assert not fake.intents
    assert client.payment_intents.retrieve(created.id, options=options).id == created.id
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        client.payment_intents.retrieve(created.id)
    assert fake.pay(created.id, account=OTHER)["status"] == "succeeded"
    refund = fake.refund(created.id, 500, account=OTHER)
    assert client.refunds.retrieve(refund["id"], options=options).amount == 500
    assert not client.refunds.list().data
    assert {event["account"] for event in fake.objects("event", account=OTHER).values()} == {OTHER}


@pytest.mark.parametrize(
    "options",
    [
        {"stripe_account": "not an account"},
        {"stripe_context": "acct_1/../acct_2"},
        {"stripe_account": OTHER, "stripe_context": "acct_1Another"},
    ],
)
def test_accounts_that_are_none_are_refused(fake, client, options):
    with pytest.raises(stripe.StripeError) as caught:
        client.payment_intents.create(NEW, options)
    assert caught.value.http_status in {400, 403}
    assert not fake.intents


def test_a_connect_endpoint_gets_the_events_of_the_other_accounts(fake, client, inbox):
    own, others = inbox(), inbox(events_from="@accounts")
    mine = client.payment_intents.create(NEW)
    theirs = client.payment_intents.create(NEW, {"stripe_account": OTHER})
    fake.deliver()
    (event,) = own
    assert event["data"]["object"]["id"] == mine.id
    assert not {"account", "context"} & event.keys()
    (event,) = others
    assert (event["data"]["object"]["id"], event["account"], event["context"]) == (theirs.id, OTHER, OTHER)


def test_an_endpoint_made_for_connect_over_the_api_is_one(fake, client):
    given = {"url": "http://127.0.0.1:1/", "enabled_events": ["*"], "connect": True}
    endpoint = client.webhook_endpoints.create(given)
    client.payment_intents.create(NEW)
    client.payment_intents.create(NEW, {"stripe_account": OTHER})
    assert [(item.endpoint_id, item.account) for item in fake.pending_deliveries()] == [(endpoint.id, OTHER)]


@pytest.mark.parametrize("payload", ["snapshot", "thin"])
def test_an_organisation_tells_its_members_apart_by_context(fake, client, inbox, payload):
    seen = inbox(events_from="@organization_members", payload=payload)
    client.payment_intents.create(NEW)
    client.payment_intents.create(NEW, {"stripe_context": OTHER})
    fake.deliver()
    assert [event["context"] for event in seen] == [client.accounts.retrieve_current().id, OTHER]
    for event in seen:
        assert "account" not in event
        schemas.check(event)


def test_a_thin_event_of_another_account_is_fetched_in_its_context(fake, client):
    whole, seen = stripe_client(fake), []
    fake.send_webhooks_to(lambda body, header: seen.append(body) or 200, "whsec_1", payload="thin", account=OTHER)
    created = client.payment_intents.create(NEW, {"stripe_account": OTHER})
    fake.deliver()
    notification = stripe.v2.core.EventNotification.from_json(seen[0], whole)
    assert str(notification.context) == OTHER
    assert notification.fetch_related_object().id == created.id
    assert notification.fetch_event().context == OTHER


def test_what_waits_for_a_connect_endpoint_is_saved(fake, client, clock):
    fake.send_webhooks_to("http://127.0.0.1:1/", "whsec_1", events_from="@accounts")
    client.payment_intents.create(NEW, {"stripe_account": OTHER})
    again = FakeStripe.load(fake.dump(), clock=clock)
    (delivery,) = again.pending_deliveries()
    assert delivery.account == OTHER != delivery.endpoint_account
    assert again.deliver() == [None]


def test_live_mode_shows_in_every_object(clock):
    fake = CheckedFake("sk_live_fake1", "pk_live_fake1", clock, livemode=True)
    client = stripe_client(fake, api_key="sk_live_fake1").v1
    fake.send_webhooks_to("http://127.0.0.1:1/", "whsec_1")
    client.customers.create({"payment_method": "pm_card_visa"})
    intent = client.payment_intents.create(NEW)
    fake.pay(intent.id, "pm_card_createDispute")
    shown = [obj for kind in schemas.KINDS for obj in fake.objects(kind).values() if "livemode" in obj]
    assert {obj["object"] for obj in shown} == set(schemas.KINDS) - {"refund", "balance_transaction"}
    assert all(obj["livemode"] for obj in shown)
    again = FakeStripe.load(fake.dump(), "sk_live_fake1", "pk_live_fake1", clock, livemode=True)
    created = stripe_client(again, api_key="sk_live_fake1").v1.payment_intents.create(NEW)
    assert created.livemode
    event = stripe_client(again, api_key="sk_live_fake1").v2.core.events.list().data[0]
    assert event.livemode


def test_no_key_that_could_be_real_is_taken_in_live_mode():
    for keys in (("sk_live_51Real", "pk_live_fake"), ("sk_live_fake", "pk_live_51Real"), ("sk_test_a", "pk_test_a")):
        with pytest.raises(ValueError, match="made-up"):
            FakeStripe(*keys, livemode=True)
    with pytest.raises(ValueError, match=r"^publishable_key: "):
        FakeStripe("sk_live_fake", livemode=True)
    with pytest.raises(ValueError, match="no live keys"):
        FakeStripe("sk_live_fake")
    fake = FakeStripe("sk_live_fake", "pk_live_fake", livemode=True)
    for key, status in (("sk_live_fake", 200), ("sk_live_51Real", 401), ("sk_test_fake", 401)):
        assert fake.handle("GET", "/v1/account", {"Authorization": f"Bearer {key}"}).status == status
