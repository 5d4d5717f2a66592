"""S12: a planted canary shows in no log line, console output, repr or traceback, whatever Stripe and the network do."""

import logging
import traceback

import httpx
import pytest
import stripe
from tests.stripe_api.objects import CREATE, stripe_intent
from tests.support import API_KEY

from airport_payments.core.errors import PaymentsError
from airport_payments.stripe_api.bodies import HeldBody, QuietBody
from airport_payments.stripe_api.http_client import HttpxTransport

LOGGERS = ["stripe", "httpx", "httpcore", "airport_payments", "asyncio"]
# Stripe masks the key in what it says of it, and stripe-python logs what Stripe says.
MASKED = "Invalid API Key provided: sk_test_******EY00"
ANSWERS = [
    httpx.Response(200, json=stripe_intent()),
    httpx.Response(200, text='{"client_secret": "pi_1_secret_CANARY'),
    httpx.Response(200, json=stripe_intent(status="CANARY")),
    httpx.Response(400, json={"error": {"type": "invalid_request_error", "payment_intent": stripe_intent()}}),
    httpx.Response(401, json={"error": {"type": "invalid_request_error", "message": MASKED}}),
    httpx.Response(500, json={"error": {"type": "api_error"}, "client_secret": "CANARY"}),
    httpx.Response(500, text="CANARY"),
    httpx.Response(409, json={"error": {"type": "idempotency_error", "payment_intent": stripe_intent()}}),
    httpx.ReadTimeout("CANARY"),
    httpx.ConnectError("CANARY"),
    httpx.RemoteProtocolError("CANARY"),
]


@pytest.fixture
def debug(caplog, monkeypatch):
    """Everything at DEBUG, as a team that looks for a fault sets it."""
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, name)
    monkeypatch.setattr(stripe, "log", "debug")
    return caplog


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_no_log_line_and_no_console_output_shows_a_secret(harness, debug, capfd, answer) -> None:
    harness.answer(answer)
    reply = harness.perform(CREATE)
    out = capfd.readouterr()
    assert "stripe" in {record.name for record in debug.records}
    logged = "".join(f"{record.getMessage()} {record.__dict__}" for record in debug.records)
    assert "message=" in out.err + out.out, "stripe.log was not on"
    for text in (debug.text, logged, out.err, out.out, repr(reply)):
        assert "CANARY" not in text


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_what_the_gateway_logs_of_a_failure_shows_no_secret(harness, debug, answer) -> None:
    from tests.support import OWNER, PRICE, Driver

    from airport_payments.core.facts import Answer, PaymentRequested
    from airport_payments.reporting import log_problem

    harness.answer(answer)
    driver = Driver()
    act = driver.feed(PaymentRequested(OWNER, PRICE, "a1")).act
    decision = driver.feed(Answer(act, harness.perform(act), 1, PaymentRequested(OWNER, PRICE, "a1")))
    log_problem("BK-1", decision)
    assert "CANARY" not in debug.text + repr(decision) + repr(driver)


@pytest.mark.parametrize("error", [httpx.ReadTimeout("CANARY"), httpx.ConnectError("CANARY")], ids=repr)
def test_a_connection_error_keeps_nothing_of_the_request(harness, error) -> None:
    harness.answer(error)
    kinds = {"async_client" if harness.asynchronous else "client": harness.client}
    transport = HttpxTransport(**kinds)
    headers = {"Authorization": f"Bearer {API_KEY}"}
    send = transport.request_async if harness.asynchronous else transport.request
    url = "https://api.stripe.com/v1/payment_intents"
    with pytest.raises(stripe.APIConnectionError, match=type(error).__name__) as caught:
        harness.run(send("post", url, headers, "amount=1"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "CANARY" not in str(caught.value)


def test_no_exception_of_ours_shows_a_secret_even_with_its_locals(harness) -> None:
    """`format_exception` with `capture_locals`, as error trackers do it, through every frame of the port."""
    harness.answer(httpx.Response(200, json=stripe_intent()))

    class Boom(Exception):
        pass

    def sleep(_: float) -> None:
        raise Boom

    async def sleep_async(_: float) -> None:
        raise Boom

    harness.answer(httpx.Response(500, json={"error": {"message": "x"}}))
    port = harness.port_class(
        harness.settings, client=harness.client, sleep=sleep_async if harness.asynchronous else sleep
    )
    try:
        harness.run(port.perform(CREATE))
    except Boom as caught:
        shown = "".join(traceback.TracebackException.from_exception(caught, capture_locals=True).format())
    assert "Boom" in shown
    assert "CANARY" not in shown


def test_a_configuration_error_shows_no_value() -> None:
    from airport_payments.settings import StripeSettings

    wrong = [
        ("pk_test_CANARY0000", "whsec_CANARY00000000000000"),
        ("sk_test_CANARY 000", "whsec_CANARY00000000000000"),
        ("sk_test_CANARY0000", "sk_test_CANARY0000"),
        ("sk_test_CANARY0000", ""),
        ("sk_test_CANARY0000", " CANARY "),
        ("whsec_CANARY000000", "whsec_CANARY00000000000000"),
        ("", "whsec_CANARY00000000000000"),
    ]
    for key, secret in wrong:
        with pytest.raises(PaymentsError) as caught:
            StripeSettings(key, secret)
        shown = "".join(traceback.format_exception(caught.value))
        assert "CANARY" not in str(caught.value)
        assert "CANARY" not in shown.replace(str(__file__), "")


def test_settings_show_neither_key_nor_secrets(harness) -> None:
    settings = harness.settings
    assert "CANARY" not in f"{settings} {settings!r} {settings.key} {settings.secrets}"
    assert settings.key.reveal() == API_KEY


def test_a_quiet_body_reads_as_json_and_shows_nothing() -> None:
    import json

    body = QuietBody('{"client_secret": "CANARY"}')
    assert json.loads(body)["client_secret"] == "CANARY"
    shown = [repr(body), str(body), f"{body}", f"{body!s:>40}", "%s" % body, repr([body])]  # noqa: UP031
    assert not [text for text in shown if "CANARY" in text]


def test_a_held_body_reads_as_nothing_and_shows_nothing() -> None:
    import json

    body = HeldBody.of(b'{"client_secret": "CANARY"}')
    assert json.loads(body) == {}
    assert "CANARY" in body.content.decode()
    assert not [text for text in (repr(body), str(body), f"{body}", repr([body])) if "CANARY" in text]
