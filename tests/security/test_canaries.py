"""S12: planted secrets (API key, webhook secret, client secret) show in nothing, whoever looks and however."""

from __future__ import annotations

import asyncio
import gc
import re

import httpx
import pytest
import stripe
from tests.gateway.shop import Shop
from tests.support import API_KEY, PRICE, WEBHOOK_SECRET

import airport_payments
from airport_payments import (
    AsyncPaymentEndpoints,
    BookingNotFound,
    InvalidSignature,
    PaymentEndpoints,
    PaymentsError,
    StorageUnavailable,
    StripeSettings,
    StripeUnavailable,
    construct_event,
)
from airport_payments.core.errors import ConfigurationError
from airport_payments.core.money import Money
from airport_payments.stripe_api.signature import sign
from airport_payments.testing import Fault

from .showing import WAYS, EveryLogger, shown, told_by

OURS = str(airport_payments.__path__[0])
GENERATED = "<string>"  # where dataclasses say that their constructors stand


@pytest.fixture(params=["sync", "async"])
def shop(request, monkeypatch):
    monkeypatch.setattr("tests.gateway.shop.KEY", API_KEY)
    shop = Shop(request.param)
    yield shop
    shop.close()


def canaries(shop: Shop) -> list[str]:
    """What may show nowhere. Parts too: half a secret is half a secret lost."""
    secrets = [API_KEY, WEBHOOK_SECRET, *(i["client_secret"] for i in shop.fake.intents.values())]
    return [*secrets, "CANARY"]


def leaks(shop: Shop, text: str) -> list[str]:
    found = [canary for canary in canaries(shop) if canary in text]
    return found + re.findall(r"pi_\w+_secret_\w*", text)


def a_life(shop: Shop) -> dict[str, object]:
    """Everything that the gateway hands out in the life of a booking: results, errors, events."""
    plain = type(shop.gateway)(shop.memory, shop.settings)  # without the hooks, which hold a whole fake Stripe
    made: dict[str, object] = {"gateway": plain, "settings": shop.settings, "policy": shop.settings.policy}
    made["endpoints"] = endpoints(shop, plain)
    made["opened"] = shop.create(key="k")
    intent_id = made["opened"].payment_intent_id
    shop.fake.pay(intent_id, "4000000000000002")
    made["not completed"] = shop.confirm(intent_id)
    shop.fake.pay(intent_id)
    for number, event in enumerate(shop.events("")):
        body, header = shop.signed(event)
        made[f"event {number}"] = construct_event(body, header, WEBHOOK_SECRET, now=shop.now.timestamp())
        made[f"outcome {number}"] = shop.run(shop.gateway.handle_webhook(body, header))
    made["completed"] = shop.confirm(intent_id)
    made["status"] = shop.status()
    made["refund"] = shop.run(shop.gateway.refund("BK-1", amount=Money(100, "usd"), request_id="r"))
    made["tick"] = shop.tick()
    made["story"] = shop.run(shop.gateway.explain("BK-1"))
    made["history"] = shop.run(shop.gateway.history("BK-1"))
    made["waiting"] = shop.run(shop.gateway.needs_attention())
    made["snapshot"] = shop.snapshot()
    made["report"] = shop.run(shop.gateway.reconcile(shop.now.replace(hour=0), dry_run=True))
    made["heard"] = list(shop.heard)
    for name, call in failures(shop).items():
        with pytest.raises(PaymentsError) as caught:
            call()
        made[name] = caught.value
    return made


def failures(shop: Shop):
    """Calls that fail, each in another place."""
    body, header = shop.signed(shop.events()[0])
    at = int(shop.now.timestamp())
    forged = sign(body, "whsec_another_endpoint_00000", timestamp=at)
    now = shop.now.timestamp()

    def refused_by_stripe(*faults: Fault, times: int = 1):
        def call():
            for fault in faults:
                shop.fake.inject(fault, times=times)
            try:
                shop.run(shop.gateway.customer("carol"))
            finally:
                shop.fake.clear_faults()

        return call

    message = {"type": "invalid_request_error", "message": f"Invalid API Key provided: {API_KEY[:10]}******EY00"}
    return {
        "not found": lambda: shop.create("BK-404"),
        "wrong price": lambda: shop.create(amount=Money(1, "usd")),
        "key used": lambda: shop.create(amount=Money(2, "usd"), key="k"),
        "forged": lambda: shop.run(shop.gateway.handle_webhook(body, forged)),
        "stale": lambda: construct_event(body, header, WEBHOOK_SECRET, now=now + 999),
        "altered": lambda: construct_event(body + b" ", header, [WEBHOOK_SECRET], now=now),
        "no event": lambda: construct_event(b"{}", sign(b"{}", WEBHOOK_SECRET, timestamp=at), WEBHOOK_SECRET, now=now),
        "no header": lambda: construct_event(body, None, WEBHOOK_SECRET),
        "another short secret": lambda: construct_event(body, header, [WEBHOOK_SECRET, "CANARY"], now=now),
        "wrong settings": lambda: StripeSettings(API_KEY, [WEBHOOK_SECRET, "whsec_CANARY"]),
        "wrong environment": lambda: StripeSettings.from_env(
            {"STRIPE_SECRET_KEY": API_KEY, "STRIPE_WEBHOOK_SECRET": f"{WEBHOOK_SECRET},whsec_CANARY"}
        ),
        "two keys mixed up": lambda: StripeSettings(WEBHOOK_SECRET, API_KEY),
        "publishable key": lambda: StripeSettings(API_KEY, WEBHOOK_SECRET, publishable_key=API_KEY),
        "key refused": refused_by_stripe(Fault.response(401, message)),
        "stripe down": refused_by_stripe(Fault.connection_lost(), times=9),
        "stripe errs": refused_by_stripe(
            Fault.response(500, {"type": "api_error", "payment_intent": {"client_secret": "CANARY"}}), times=9
        ),
    }


def endpoints(shop: Shop, gateway=None):
    async def customer_async(token: str) -> str:
        return token

    if shop.asynchronous:
        return AsyncPaymentEndpoints(gateway or shop.gateway, customer_async)
    return PaymentEndpoints(gateway or shop.gateway, lambda token: token)


def test_nothing_that_the_gateway_hands_out_shows_a_secret(shop) -> None:
    life = a_life(shop)
    assert [(name, way) for name, value in life.items() for way in WAYS if leaks(shop, shown(way, value))] == []


def test_no_logger_shows_a_secret_at_debug(shop, monkeypatch) -> None:
    monkeypatch.setattr(stripe, "log", "debug")
    with EveryLogger() as logged:
        a_life(shop)
    assert {"stripe", "httpx", "airport_payments"} <= logged.names
    for line in logged.said:
        assert not leaks(shop, line)


def test_no_error_shows_a_secret_in_its_arguments_its_causes_or_the_locals_of_our_frames(shop) -> None:
    made = a_life(shop)
    errors = {name: value for name, value in made.items() if isinstance(value, PaymentsError)}
    assert len(errors) == len(failures(shop))
    assert {ConfigurationError, BookingNotFound, InvalidSignature, StripeUnavailable} <= set(map(type, errors.values()))
    for name, error in errors.items():
        assert not leaks(shop, told_by(error, only=OURS) + told_by(error, only=GENERATED)), name


class Broken(Exception):
    """Breaks off what is going on, where nobody expects it."""


def broken(*_: object, **__: object) -> None:
    raise Broken


def test_an_exception_from_below_shows_no_secret_in_any_frame_on_its_way(shop, monkeypatch) -> None:
    """Through httpx, stripe-python and us: a cancelled request, a bug in a transport, a signal."""

    class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
        handle_request = handle_async_request = broken

    kind = httpx.AsyncClient if shop.asynchronous else httpx.Client
    client = kind(transport=Transport(), trust_env=False)
    gateway = type(shop.gateway)(shop.memory, shop.settings, http_client=client)
    with pytest.raises(Broken) as caught:
        shop.run(gateway.create_payment("BK-1", owner="alice", amount=PRICE))
    shop.run(client.aclose() if shop.asynchronous else client.close())
    told = told_by(caught.value, only="site-packages") + told_by(caught.value, only=OURS)
    assert "_api_requestor.py" in told
    assert "httpx" in told
    assert not leaks(shop, told)


def test_a_database_that_fails_under_a_webhook_shows_nothing_of_the_event(shop) -> None:
    shop.fake.pay(shop.create().payment_intent_id)
    body, header = shop.signed(shop.events("payment_intent.succeeded")[0])
    assert leaks(shop, body.decode())

    def down(*_: object) -> None:
        raise StorageUnavailable

    shop.hooks["get"] = down
    with pytest.raises(StorageUnavailable) as caught:
        shop.run(shop.gateway.handle_webhook(body, header))
    assert not leaks(shop, told_by(caught.value, only=OURS))


def test_what_the_endpoints_catch_shows_nothing_of_the_event(shop, monkeypatch) -> None:
    shop.fake.pay(shop.create().payment_intent_id)
    body, header = shop.signed(shop.events("payment_intent.succeeded")[0])
    caught: list[BaseException] = []
    module = "airport_payments.endpoints_async" if shop.asynchronous else "airport_payments.endpoints"
    real = __import__(module, fromlist=["error_answer"]).error_answer
    monkeypatch.setattr(f"{module}.error_answer", lambda error: caught.append(error) or real(error))
    shop.hooks["get"] = broken

    async def pieces():
        yield body

    chunks = pieces() if shop.asynchronous else iter([body])
    headers = [("Stripe-Signature", header)]
    with EveryLogger() as logged:
        answer = shop.run(endpoints(shop).handle("POST", "/payment/webhook", headers, chunks))
    (error,) = caught
    assert answer.status == 500
    assert isinstance(error, Broken)
    assert not leaks(shop, told_by(error, only=OURS) + "".join(logged.said))


def test_stripe_python_is_never_given_the_key(shop) -> None:
    """What it does not hold, no object, log line or frame of it can show."""
    shop.create()
    gc.collect()
    clients = [o for o in gc.get_objects() if type(o) is stripe.StripeClient]
    assert clients
    for client in clients:
        assert API_KEY not in repr(vars(client._requestor._options))
    assert shop.fake.requests


def test_stripe_is_given_the_key(shop) -> None:
    """The fake refuses any other; so what keeps it from stripe-python does not keep it from Stripe."""
    assert shop.create().payment_intent_id in shop.fake.intents


def test_a_cancelled_wait_for_stripe_shows_no_secret(monkeypatch) -> None:
    """`asyncio.timeout` hands its TimeoutError on with the cancelled frames inside."""
    monkeypatch.setattr("tests.gateway.shop.KEY", API_KEY)
    shop = Shop("async")

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            await asyncio.Event().wait()

    async def ask() -> None:
        async with httpx.AsyncClient(transport=Silent(), trust_env=False) as client:
            gateway = airport_payments.AsyncPaymentGateway(shop.memory, shop.settings, http_client=client)
            async with asyncio.timeout(0.05):
                await gateway.create_payment("BK-1", owner="alice", amount=PRICE)

    with pytest.raises(TimeoutError) as caught:
        shop.run(ask())
    told = told_by(caught.value, only="site-packages") + told_by(caught.value, only=OURS)
    assert "_api_requestor.py" in told
    assert not leaks(shop, told)
    shop.close()
