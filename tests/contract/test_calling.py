"""What a framework has at hand may be given as it is: headers as pairs or as a mapping, a body in pieces or whole."""

import asyncio
import json
from types import MappingProxyType

import httpx
import pytest
from tests.security.showing import told_by

from airport_payments import (
    AsyncPaymentEndpoints,
    AsyncPaymentGateway,
    Booking,
    Money,
    PaymentEndpoints,
    PaymentGateway,
    StripeSettings,
)
from airport_payments.storage.memory import AsyncMemoryBookingRepository, MemoryBookingRepository
from airport_payments.testing import FakeStripe

CREATE, WEBHOOK = "/payment/create-payment-intent", "/payment/webhook"
BODY = json.dumps({"bookingId": "b-1", "amount": 450.99, "currency": "USD"}).encode()
HEADERS = {"AUTHORIZATION": "Bearer alice", "Content-Type": "application/json"}
BOOKING = Booking("b-1", "alice", Money.from_major("450.99", "USD"))
SETTINGS = StripeSettings("sk_test_fake", "whsec_only_for_tests_0123456789")

each_colour = pytest.mark.parametrize("colour", ["sync", "async"])


def login(token: str) -> str:
    return "alice"


async def login_async(token: str) -> str:
    return "alice"


async def in_pieces(pieces):
    for piece in pieces:
        yield piece


def handle(colour: str, path: str, headers, body, method: str = "POST"):
    """Answer one request to a new shop; a body that is no bytes comes in pieces."""
    fake = FakeStripe(api_key="sk_test_fake")
    if colour == "sync":
        gateway = PaymentGateway(
            MemoryBookingRepository([BOOKING]), SETTINGS, http_client=httpx.Client(transport=fake.transport())
        )
        return PaymentEndpoints(gateway, login).handle(method, path, headers, body)
    whole = body if isinstance(body, bytes) else in_pieces(body)

    async def run():
        async with httpx.AsyncClient(transport=fake.async_transport()) as client:
            gateway = AsyncPaymentGateway(AsyncMemoryBookingRepository([BOOKING]), SETTINGS, http_client=client)
            return await AsyncPaymentEndpoints(gateway, login_async).handle(method, path, headers, whole)

    return asyncio.run(run())


@each_colour
@pytest.mark.parametrize("body", [BODY, [BODY], [BODY[:5], b"", BODY[5:]]], ids=["whole", "one", "pieces"])
@pytest.mark.parametrize(
    "headers",
    [HEADERS, MappingProxyType(HEADERS), httpx.Headers(HEADERS), HEADERS.items(), iter(HEADERS.items())],
    ids=["dict", "mapping", "httpx", "items", "iterator"],
)
def test_headers_and_body_are_taken_as_they_come(colour, headers, body) -> None:
    headers = iter(HEADERS.items()) if hasattr(headers, "__next__") else headers
    answer = handle(colour, CREATE, headers, body)
    assert answer.status == 200
    assert json.loads(answer.body)["data"]["amount"] == 450.99


@each_colour
@pytest.mark.parametrize(("path", "limit"), [(CREATE, 16 * 1024), (WEBHOOK, 256 * 1024)])
def test_a_whole_body_is_held_to_the_limit(colour, path, limit) -> None:
    headers = {**HEADERS, "Stripe-Signature": "t=1,v1=" + "0" * 64}
    answer = handle(colour, path, headers, b" " * (limit + 1))
    assert answer.status == 413
    assert json.loads(answer.body)["data"]["error_code"] == "payload_too_large"
    assert handle(colour, path, headers, b" " * limit).status == 400


@each_colour
def test_a_request_without_a_body_may_say_so_with_no_bytes(colour) -> None:
    answer = handle(colour, "/payment/status/b-1", HEADERS, b"", "GET")
    assert answer.status == 200


@each_colour
@pytest.mark.parametrize("path", [CREATE, WEBHOOK])
def test_an_unexpected_error_names_no_token_and_no_body_in_the_locals_of_our_frames(colour, path, caplog, monkeypatch):
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    module = f"airport_payments.endpoints{'_async' if colour == 'async' else ''}"
    monkeypatch.setattr(f"{module}.signature", breaks)
    monkeypatch.setattr(f"{module}.idempotency_key", breaks)
    headers = {"Authorization": "Bearer CANARY-token", "Stripe-Signature": "CANARY-signature"}
    answer = handle(colour, path, headers, BODY if path == CREATE else b'{"client_secret": "CANARY-secret"}')
    assert answer.status == 500
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [str(error) for error in errors] == ["a bug"]
    told = told_by(errors[0], only="airport_payments/endpoints")
    assert "'method': \"'POST'\"" in told
    assert "CANARY" not in told
