from __future__ import annotations

import asyncio

import httpx
import pytest
import stripe

from airport_payments.testing import FakeStripe, Fault

from .conftest import stripe_client

NEW = {"amount": 2000, "currency": "usd"}


def test_faults_hit_only_the_requests_they_name(fake, client):
    injection = fake.inject(Fault.response(503), "POST", "/v1/payment_intents/*/confirm", times=2, skip=1)
    intent = client.payment_intents.create(NEW)
    client.payment_intents.list()
    statuses = []
    for _ in range(4):
        try:
            client.payment_intents.confirm(intent.id)
        except stripe.StripeError as error:
            statuses.append(error.http_status)
    assert statuses == [400, 503, 503, 400]
    assert injection.hits == 2


def test_stripe_python_retries_what_it_may(fake):
    patient = stripe_client(fake, max_network_retries=2).v1
    fake.inject(Fault.server_error(stored=False), times=1)
    assert patient.payment_intents.create(NEW).id
    fake.inject(Fault.rate_limited(), times=1)
    with pytest.raises(stripe.RateLimitError):
        patient.payment_intents.create(NEW)
    fake.inject(Fault.rate_limited(should_retry=True), times=1)
    assert patient.payment_intents.create(NEW).id
    fake.inject(Fault.server_error(should_retry=False), times=1)
    with pytest.raises(stripe.APIError):
        patient.payment_intents.create(NEW)


def test_any_status_body_and_header_can_be_scripted(fake):
    fake.inject(Fault(status=502, body=b"<html>Bad gateway</html>", headers={"Content-Type": "text/html"}))
    answer = httpx.Client(transport=FakeStripe.transport(fake)).get(
        "http://x/v1/account", headers={"Authorization": "Bearer sk_test_fake"}
    )
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
        502,
        "<html>Bad gateway</html>",
        "text/html",
    )


def test_faults_can_be_cleared(fake, client):
    fake.inject(Fault.server_error(), times=100)
    fake.clear_faults()
    assert client.payment_intents.create(NEW).id


def test_transports_raise_what_httpx_raises(fake):
    with httpx.Client(transport=fake.transport()) as client:
        fake.inject(Fault.connection_lost())
        with pytest.raises(httpx.ConnectError):
            client.get("http://x/v1/account")
        fake.inject(Fault.read_timeout())
        with pytest.raises(httpx.ReadTimeout):
            client.get("http://x/v1/account")


def test_the_async_transport_does_the_same():
    fake = FakeStripe()
    headers = {"Authorization": "Bearer sk_test_fake", "Idempotency-Key": "k"}

    async def run():
        async with httpx.AsyncClient(transport=fake.async_transport(), headers=headers, base_url="http://x") as client:
            fake.inject(Fault.read_timeout(), after_effect=True)
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/v1/payment_intents", data=NEW)
            fake.inject(Fault.slow(0.05))
            slow = asyncio.create_task(client.post("/v1/payment_intents", data=NEW, headers={"Idempotency-Key": "s"}))
            await asyncio.sleep(0.01)
            busy = await client.post("/v1/payment_intents", data=NEW, headers={"Idempotency-Key": "s"})
            return (
                busy.status_code,
                (await slow).status_code,
                (await client.post("/v1/payment_intents", data=NEW)).headers,
            )

    busy, slow, headers_again = asyncio.run(run())
    assert (busy, slow, headers_again["idempotent-replayed"]) == (409, 200, "true")
