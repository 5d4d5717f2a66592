"""Thin events: read, fetched and verified by stripe-python's own parts for them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import stripe
from stripe.events._event_classes import get_v2_event_notification_class
from stripe.v2.core._event import UnknownEventNotification

from airport_payments.testing import FakeStripe, fake_stripe

from . import schemas
from .conftest import stripe_client

NEW = {"amount": 2000, "currency": "usd"}
SECRET = "whsec_thin"


class Inbox:
    """A destination that believes only what stripe-python verifies and parses."""

    def __init__(self, client):
        self.client, self.bodies, self.seen = client, [], []

    def __call__(self, body, header):
        # The clock of the test is not stripe-python's, so the age is not looked at.
        stripe.WebhookSignature.verify_header(body.decode(), header, SECRET)
        self.bodies.append(json.loads(body))
        self.seen.append(stripe.v2.core.EventNotification.from_json(body, self.client))
        return 200


@pytest.fixture
def whole(fake):
    return stripe_client(fake)


@pytest.fixture
def inbox(fake, whole):
    inbox = Inbox(whole)
    fake.send_webhooks_to(inbox, SECRET, payload="thin")
    return inbox


def test_a_notification_names_the_object_and_leaves_it_out(fake, whole, inbox):
    created = whole.v1.payment_intents.create(NEW, {"idempotency_key": "k-1"})
    assert fake.deliver() == [200]
    (body,) = inbox.bodies
    schemas.check(body)
    assert (body["object"], body["type"]) == ("v2.core.event", "v1.payment_intent.created")
    assert body["related_object"] == {
        "id": created.id, "type": "payment_intent", "url": f"/v1/payment_intents/{created.id}",
    }  # fmt: skip
    assert body["reason"]["request"]["idempotency_key"] == "k-1"
    assert (body["created"], body["context"], body["livemode"]) == ("2026-11-01T12:00:00.000Z", None, False)
    assert not {"data", "snapshot_event"} & body.keys()
    (notification,) = inbox.seen
    assert type(notification).__name__ == "V1PaymentIntentCreatedEventNotification"
    assert notification.fetch_related_object().id == created.id


def test_the_event_is_fetched_and_names_its_snapshot(fake, whole, inbox):
    fake.pay(whole.v1.payment_intents.create(NEW).id)
    fake.deliver()
    for notification in inbox.seen:
        event = notification.fetch_event()
        assert (event.id, event.type) == (notification.id, notification.type)
        snapshot = whole.v1.events.retrieve(event.snapshot_event)
        assert f"v1.{snapshot.type}" == event.type
    assert inbox.seen[-1].reason is None


def test_one_happening_is_told_thin_to_one_and_whole_to_another(fake, whole, inbox):
    whole_bodies = []
    fake.send_webhooks_to(lambda body, header: whole_bodies.append(json.loads(body)) or 200, "whsec_whole")
    whole.v1.payment_intents.create(NEW)
    assert sorted(delivery.event_type for delivery in fake.pending_deliveries()) == [
        "payment_intent.created",
        "v1.payment_intent.created",
    ]
    fake.deliver()
    (thin,), (snapshot,) = inbox.bodies, whole_bodies
    assert whole.v2.core.events.retrieve(thin["id"]).snapshot_event == snapshot["id"]
    assert thin["id"] != snapshot["id"]


def test_destinations_get_only_what_they_asked_for(fake, whole):
    inbox = Inbox(whole)
    fake.send_webhooks_to(inbox, SECRET, payload="thin", events=["v1.payment_intent.succeeded", "v1.refund.*"])
    paid = fake.pay(whole.v1.payment_intents.create(NEW).id)
    fake.refund(paid["id"])
    fake.deliver()
    assert [body["type"] for body in inbox.bodies] == ["v1.payment_intent.succeeded", "v1.refund.created"]


def test_the_same_thin_event_may_come_twice(fake, whole, inbox):
    whole.v1.payment_intents.create(NEW)
    fake.deliver(copies=2)
    fake.deliver(*fake.resend(next(iter(fake.events))))
    assert len(inbox.bodies) == 3
    assert all(body == inbox.bodies[0] for body in inbox.bodies)


def test_thin_events_are_listed_in_pages_newest_first(fake, whole, clock):
    ids = []
    for _ in range(3):
        ids.append(whole.v1.payment_intents.create(NEW).id)
        clock.forward(minutes=1)
    fake.pay(ids[0])
    events = whole.v2.core.events

    def listed(**given):
        return [event.related_object.id for event in events.list({"limit": 2, **given}).auto_paging_iter()]

    assert listed(types=["v1.payment_intent.created"]) == ids[::-1]
    assert listed(object_id=ids[1]) == [ids[1]]
    assert listed(types=["v1.payment_intent.created"], created={"gte": "2026-11-01T12:01:00Z"}) == ids[:0:-1]
    assert listed(types=["v1.payment_intent.created"], created={"lt": "2026-11-01T12:01:00.000Z"}) == ids[:1]
    first = events.list({"limit": 2})
    assert first.next_page_url.startswith("/v2/core/events?")
    assert len(list(events.list().auto_paging_iter())) == len(fake.events)
    clock.forward(days=31)
    assert events.list().data == []


@pytest.mark.parametrize("given", [{"limit": 0}, {"created": {"gte": "yesterday"}}, {"colour": "red"}, {"page": "%"}])
def test_bad_lists_are_refused(whole, given):
    with pytest.raises(stripe.StripeError) as caught:
        whole.v2.core.events.list(given)
    assert caught.value.http_status == 400


def test_an_unknown_thin_event_is_not_found(fake, whole, clock):
    whole.v1.payment_intents.create(NEW)
    known = whole.v2.core.events.list().data[0].id
    snapshot = next(iter(fake.events))
    for event_id in ("evt_test_none", snapshot):
        with pytest.raises(stripe.StripeError) as caught:
            whole.v2.core.events.retrieve(event_id)
        assert (caught.value.http_status, caught.value.code) == (404, "not_found")
    clock.forward(days=31)
    with pytest.raises(stripe.StripeError):
        whole.v2.core.events.retrieve(known)


def test_destinations_are_shown_and_are_no_webhook_endpoints(fake, whole, inbox):
    fake.send_webhooks_to("http://127.0.0.1:1/hook", SECRET, events=["charge.*"])
    thin, snapshot = sorted(whole.v2.core.event_destinations.list().data, key=lambda item: item.event_payload)[::-1]
    assert (thin.event_payload, thin.events_from, thin.enabled_events) == ("thin", ["@self"], ["*"])
    assert (snapshot.event_payload, snapshot.snapshot_api_version) == ("snapshot", stripe.api_version)
    found = whole.v2.core.event_destinations.retrieve(snapshot.id, {"include": ["webhook_endpoint.url"]})
    assert found.webhook_endpoint.url == "http://127.0.0.1:1/hook"
    assert [endpoint.id for endpoint in whole.v1.webhook_endpoints.list()] == [snapshot.id]
    with pytest.raises(stripe.StripeError):
        whole.v2.core.event_destinations.retrieve("we_none")


def test_real_time_notifications_pass_stripe_pythons_own_parser():
    fake, seen = FakeStripe(), []
    fake.send_webhooks_to(lambda body, header: seen.append((body, header)) or 200, SECRET, payload="thin")
    whole = stripe_client(fake)
    whole.v1.payment_intents.create(NEW)
    fake.deliver()
    notification = whole.parse_event_notification(*seen[0], SECRET)
    assert notification.type == "v1.payment_intent.created"
    with pytest.raises(stripe.SignatureVerificationError):
        whole.parse_event_notification(*seen[0], "whsec_other")
    with pytest.raises(ValueError, match="parse_event_notification"):
        whole.construct_event(*seen[0], SECRET)


def test_pending_thin_events_are_saved(fake, whole, clock):
    fake.send_webhooks_to("http://127.0.0.1:1/hook", SECRET, payload="thin")
    whole.v1.payment_intents.create(NEW)
    again = FakeStripe.load(fake.dump(), clock=clock)
    (delivery,) = again.pending_deliveries()
    assert delivery.event_type == "v1.payment_intent.created"
    assert again.dump() == fake.dump()


def test_stripe_python_knows_every_thin_event_of_the_fake():
    written = set()
    for path in Path(fake_stripe.__file__).parent.glob("*.py"):
        written |= set(re.findall(r'record\(\s*"([a-z_.]+)"', path.read_text()))
    assert len(written) > 20
    assert not [name for name in written if get_v2_event_notification_class(f"v1.{name}") is UnknownEventNotification]
