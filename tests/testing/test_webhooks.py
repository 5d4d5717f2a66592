from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import stripe

from airport_payments.testing import FakeStripe

NEW = {"amount": 2000, "currency": "usd"}
SECRET = "whsec_test"


class Receiver:
    """A webhook target that keeps what it gets; answers from a script, then 200."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.bodies, self.headers = [], []

    def __call__(self, body, header):
        self.bodies.append(body)
        self.headers.append(header)
        answer = self.statuses.pop(0) if self.statuses else 200
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def types(self):
        return [json.loads(body)["type"] for body in self.bodies]


@pytest.fixture
def receiver(fake):
    receiver = Receiver()
    fake.send_webhooks_to(receiver, SECRET)
    return receiver


def test_deliveries_are_signed_so_that_stripe_python_believes_them(fake, client, receiver, clock):
    intent = client.payment_intents.create(NEW)
    assert fake.deliver() == [200]
    (body,), (header,) = receiver.bodies, receiver.headers
    # The clock of the test is not stripe-python's: the tolerance is checked by hand below.
    stripe.WebhookSignature.verify_header(body.decode(), header, SECRET)
    assert header.startswith(f"t={int(clock.now.timestamp())},v1=")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body.decode() + " ", header, SECRET)
    event = json.loads(body)
    assert (event["object"], event["type"], event["api_version"]) == (
        "event",
        "payment_intent.created",
        "2026-10-28.endive",
    )
    assert (event["data"]["object"]["id"], event["livemode"], event["pending_webhooks"]) == (intent.id, False, 1)
    assert body.startswith(b'{\n  "id": "evt_1')


def test_real_time_deliveries_pass_construct_event():
    fake, receiver = FakeStripe(), Receiver()
    fake.send_webhooks_to(receiver, SECRET)
    fake.handle("POST", "/v1/payment_intents", {"Authorization": "Bearer sk_test_fake"}, b"amount=100&currency=usd")
    fake.deliver()
    assert (
        stripe.Webhook.construct_event(receiver.bodies[0], receiver.headers[0], SECRET).type == "payment_intent.created"
    )


def test_events_name_the_request_that_caused_them(fake, client):
    intent = client.payment_intents.create(NEW, {"idempotency_key": "key-1"})
    (event,) = client.events.list().data
    assert (event.request.id, event.request.idempotency_key) == (intent.last_response.request_id, "key-1")
    fake.pay(intent.id)
    assert client.events.list().data[0].request.id is None


def test_events_are_snapshots(fake, client):
    intent = client.payment_intents.create(NEW)
    created = client.events.list().data[0].id
    client.payment_intents.update(intent.id, {"metadata": {"a": "b"}})
    fake.pay(intent.id)
    snapshot = client.events.retrieve(created).data.object
    assert (snapshot.status, snapshot.metadata.to_dict()) == ("requires_payment_method", {})


def test_updates_say_what_was_before(fake, client):
    intent = fake.pay(client.payment_intents.create(NEW).id)
    client.refunds.create({"payment_intent": intent["id"], "amount": 300})
    event = next(event for event in fake.events.values() if event["type"] == "charge.refunded")
    assert event["data"]["previous_attributes"] == {"amount_refunded": 0}
    client.charges.update(intent["latest_charge"], {"metadata": {"a": "b"}})
    event = list(fake.events.values())[-1]
    assert event["data"]["previous_attributes"] == {"metadata": {"a": None}}


def test_events_are_listed_by_type_delivery_and_age(fake, client, receiver, clock):
    intent = client.payment_intents.create(NEW)
    fake.deliver()
    fake.pay(intent.id)

    def listed(**given):
        return [event.type for event in client.events.list(given).data]

    assert listed(type="charge.succeeded") == ["charge.succeeded"]
    assert listed(types=["payment_intent.created", "charge.succeeded"]) == [
        "charge.succeeded",
        "payment_intent.created",
    ]
    assert listed(type="payment_intent.*") == ["payment_intent.succeeded", "payment_intent.created"]
    assert listed(delivery_success=False) == ["payment_intent.succeeded", "charge.succeeded"]
    assert listed(delivery_success=True) == ["payment_intent.created"]
    fake.deliver()
    assert listed(delivery_success=False) == []
    clock.forward(days=31)
    assert "payment_intent.created" not in listed()


def test_endpoints_get_only_what_they_asked_for(fake, client):
    some, refunds = Receiver(), Receiver()
    fake.send_webhooks_to(some, SECRET, events=["payment_intent.succeeded"])
    fake.send_webhooks_to(refunds, "whsec_other", events=["refund.*"], api_version="2026-08-26.dahlia")
    intent = client.payment_intents.create(NEW)
    fake.pay(intent.id)
    client.refunds.create({"payment_intent": intent.id})
    fake.deliver()
    assert (some.types, refunds.types) == (["payment_intent.succeeded"], ["refund.created"])
    assert json.loads(refunds.bodies[0])["api_version"] == "2026-08-26.dahlia"


def test_what_fails_stays_pending_and_each_attempt_is_signed_anew(fake, client, clock):
    receiver = Receiver(500, 302, RuntimeError("the target broke"))
    fake.send_webhooks_to(receiver, SECRET)
    event_id = client.payment_intents.create(NEW).id and next(iter(fake.events))
    for status in (500, 302, None):
        assert fake.deliver() == [status]
        assert client.events.retrieve(event_id).pending_webhooks == 1
        clock.forward(seconds=60)
    (delivery,) = fake.pending_deliveries()
    assert (delivery.attempts, delivery.last_status, delivery.state) == (3, None, "pending")
    assert fake.deliver() == [200]
    assert len(set(receiver.headers)) == 4
    assert len(set(receiver.bodies)) == 1
    assert client.events.retrieve(event_id).pending_webhooks == 0
    assert fake.deliver() == []


def test_deliveries_can_be_chosen_copied_reordered_and_dropped(fake, client, receiver):
    fake.pay(client.payment_intents.create(NEW).id)
    created, charged, succeeded = fake.pending_deliveries()
    fake.drop(charged)
    fake.deliver(succeeded, created, order="reversed", copies=2)
    assert receiver.types == ["payment_intent.created"] * 2 + ["payment_intent.succeeded"] * 2
    assert (fake.pending_deliveries(), charged.state) == ([], "dropped")
    fake.deliver(created)
    assert receiver.types[-1] == "payment_intent.created"


def test_shuffling_follows_the_seed():
    def order(seed):
        fake, receiver = FakeStripe(seed=seed), Receiver()
        fake.send_webhooks_to(receiver, SECRET)
        for _ in range(6):
            fake.handle(
                "POST", "/v1/payment_intents", {"Authorization": "Bearer sk_test_fake"}, b"amount=100&currency=usd"
            )
        numbers = {delivery.event_id: delivery.number for delivery in fake.pending_deliveries()}
        fake.deliver(order="shuffled")
        return [numbers[json.loads(body)["id"]] for body in receiver.bodies]

    assert order(1) == order(1) != sorted(order(1))


def test_an_event_can_be_sent_again(fake, client, receiver):
    client.payment_intents.create(NEW)
    fake.deliver()
    (again,) = fake.resend(next(iter(fake.events)))
    fake.deliver(again)
    assert receiver.bodies[0] == receiver.bodies[1]
    with pytest.raises(KeyError):
        fake.resend("evt_nothing")


def test_endpoints_are_managed_over_the_api(fake, client):
    made = client.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/hook", "enabled_events": ["*"], "description": "d"}
    )
    assert made.secret.startswith("whsec_")
    assert "secret" not in client.webhook_endpoints.retrieve(made.id)
    assert len(client.webhook_endpoints.list().data) == 1
    updated = client.webhook_endpoints.update(made.id, {"disabled": True, "metadata": {"a": "b"}})
    assert (updated.status, updated.metadata["a"]) == ("disabled", "b")
    client.payment_intents.create(NEW)
    assert fake.pending_deliveries() == []
    assert client.webhook_endpoints.delete(made.id).deleted
    with pytest.raises(stripe.InvalidRequestError, match="scheme"):
        client.webhook_endpoints.create({"url": "127.0.0.1/hook", "enabled_events": ["*"]})


def test_a_target_may_call_the_fake(fake, client):
    seen = []

    def target(body, header):
        seen.append(client.payment_intents.retrieve(json.loads(body)["data"]["object"]["id"]).status)
        return 200

    fake.send_webhooks_to(target, SECRET)
    client.payment_intents.create(NEW)
    fake.deliver()
    assert seen == ["requires_payment_method"]


@pytest.fixture
def url_receiver():
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver(body, self.headers["Stripe-Signature"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    yield receiver
    server.shutdown()
    thread.join(5)
    server.server_close()


def wait_for(condition):
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def test_a_url_gets_deliveries_by_hand(fake, client, url_receiver):
    fake.send_webhooks_to(url_receiver.url, SECRET)
    fake.send_webhooks_to("http://127.0.0.1:1/nobody", SECRET)
    client.payment_intents.create(NEW)
    assert fake.deliver() == [200, None]
    assert url_receiver.types == ["payment_intent.created"]


def test_automatic_deliveries_retry_until_they_are_taken(client, fake, url_receiver):
    url_receiver.statuses = [500, 429]
    fake.send_webhooks_to(url_receiver.url, SECRET)
    with fake.automatic_deliveries(retry_scale=0.0001):
        client.payment_intents.create(NEW)
        wait_for(lambda: not fake.pending_deliveries())
    assert len(url_receiver.bodies) == 3
    (delivery,) = fake.deliveries()
    assert (delivery.state, delivery.attempts) == ("delivered", 3)


def test_automatic_deliveries_give_up_after_three_retries(client, fake):
    receiver = Receiver(*[500] * 9)
    fake.send_webhooks_to(receiver, SECRET)
    with fake.automatic_deliveries(retry_scale=0.0001):
        client.payment_intents.create(NEW)
        wait_for(lambda: not fake.pending_deliveries())
    assert len(receiver.bodies) == 4
    assert fake.deliveries()[0].state == "failed"


def test_automatic_deliveries_can_duplicate_and_shuffle(client, fake):
    receiver = Receiver()
    fake.send_webhooks_to(receiver, SECRET)
    for _ in range(5):
        client.payment_intents.create(NEW)
    with fake.automatic_deliveries(duplicates=True, shuffled=True):
        wait_for(lambda: len(receiver.bodies) == 10)
    ids = [json.loads(body)["id"] for body in receiver.bodies]
    assert sorted(ids) == sorted(list(fake.events) * 2)
    assert ids[::2] != list(fake.events)
