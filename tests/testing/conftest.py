"""The real stripe-python, talking to the fake without a socket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
import stripe

from airport_payments.testing import FakeStripe

from . import schemas


class TransportClient(stripe.HTTPClient):
    """stripe-python's own extension point, over an httpx transport."""

    name = "test"

    def __init__(self, transport):
        super().__init__()
        self.client = httpx.Client(transport=transport)

    def request(self, method, url, headers, post_data=None):
        try:
            answer = self.client.request(method, url, headers=headers, content=post_data)
        except httpx.TransportError as error:
            raise stripe.APIConnectionError(str(error), should_retry=False) from error
        return answer.content, answer.status_code, answer.headers

    def close(self):
        self.client.close()


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def forward(self, **delta):
        self.now += timedelta(**delta)


def stripe_client(fake, **options):
    return stripe.StripeClient(
        options.pop("api_key", "sk_test_fake"), http_client=TransportClient(fake.transport()), **options
    )


@pytest.fixture
def clock():
    return Clock()


class CheckedFake(FakeStripe):
    """Validates every answer against Stripe's schemas."""

    def transport(self):
        return CheckedTransport(super().transport())


class CheckedTransport(httpx.BaseTransport):
    def __init__(self, inner):
        self.inner = inner

    def handle_request(self, request):
        answer = self.inner.handle_request(request)
        body = answer.json()
        if request.url.path != "/v1/account" or "error" in body:
            schemas.check(body)
        return answer


@pytest.fixture
def fake(clock):
    """A fake whose every answer, and every object that it holds in the end, has Stripe's form."""
    fake = CheckedFake(clock=clock)
    yield fake
    for kind in schemas.KINDS:
        for obj in fake.objects(kind).values():
            schemas.check(obj)


@pytest.fixture
def client(fake):
    return stripe_client(fake).v1
