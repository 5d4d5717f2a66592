"""The OpenAPI page of the FastAPI example says what is served, and what is served is what it says."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.contract.harness import (
    CONFIRM,
    CREATE,
    STATUS,
    WEBHOOK,
    WEBHOOK_SECRET,
    bearer,
    open_shop,
    token,
)

from airport_payments.testing.fake_stripe import sign

STATUS_PATH = STATUS + "{booking_id}"
JSON = "application/json"
# The contract's table, by endpoint: status, and the codes that stand there.
TRY_AGAIN = {"stripe_unavailable", "storage_unavailable", "busy"}
COMMON = {
    400: {"invalid_request"},
    401: {"unauthorized"},
    404: {"booking_not_found"},
    500: {"misconfigured", "internal_error"},
    503: TRY_AGAIN,
}
CODES = {
    ("post", CREATE): {
        **COMMON,
        400: {"invalid_request", "amount_too_small", "amount_too_large"},
        402: {"card_declined", "Stripe's own code"},
        409: {
            "booking_already_paid",
            "booking_not_payable",
            "payment_in_review",
            "amount_mismatch",
            "currency_mismatch",
        },
        413: {"payload_too_large"},
        422: {"idempotency_key_reused"},
    },
    ("post", CONFIRM): {**COMMON, 409: {"payment_intent_mismatch", "payment_in_review"}, 413: {"payload_too_large"}},
    ("get", STATUS_PATH): {**COMMON, 500: {"internal_error"}, 503: {"storage_unavailable"}},
    ("post", WEBHOOK): {
        400: {"invalid_signature"},
        413: {"payload_too_large"},
        500: {"misconfigured", "internal_error"},
        503: TRY_AGAIN,
    },
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with open_shop("fastapi", tmp_path_factory.mktemp("shop")) as opened:
        opened.opened("b-1001")
        yield opened


@pytest.fixture(scope="module")
def page(shop):
    """The document as clients get it."""
    return shop.send("GET", "/openapi.json").json


def test_the_page_lists_the_four_endpoints_and_no_other_under_payment(page):
    listed = {
        (method, path) for path, methods in page["paths"].items() for method in methods if path.startswith("/pay")
    }

    assert listed == set(CODES)


@pytest.mark.parametrize(("method", "path"), CODES)
def test_each_endpoint_shows_all_its_error_codes(page, method, path):
    responses = page["paths"][path][method]["responses"]

    shown = {int(status): set(r["description"].split(" · ")) for status, r in responses.items() if status != "200"}
    assert shown == CODES[method, path]
    for status in shown:
        schema = responses[str(status)]["content"][JSON]["schema"]
        assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}


@pytest.mark.parametrize(("method", "path"), CODES)
def test_all_but_the_webhook_ask_for_a_bearer_token(page, method, path):
    security = page["paths"][path][method].get("security", [])

    assert security == ([] if path == WEBHOOK else [{"HTTPBearer": []}])
    assert page["components"]["securitySchemes"]["HTTPBearer"] == {"type": "http", "scheme": "bearer"}


REQUESTS = {CREATE: {"bookingId": "string", "amount": "number", "currency": "string"},
            CONFIRM: {"paymentIntentId": "string", "bookingId": "string"}}  # fmt: skip


@pytest.mark.parametrize("path", REQUESTS)
def test_requests_are_shown_with_their_real_fields(page, path):
    body = page["paths"][path]["post"]["requestBody"]
    schema = body["content"][JSON]["schema"]

    assert body["required"] is True
    assert {name: field["type"] for name, field in schema["properties"].items()} == REQUESTS[path]
    assert set(schema["required"]) == set(REQUESTS[path])


def fields(page, name: str) -> set[str]:
    return set(page["components"]["schemas"][name]["properties"])


def test_answers_are_shown_with_their_real_fields(page):
    assert fields(page, "PaymentIntentData") == {"paymentIntentId", "clientSecret", "status", "amount", "currency"}
    assert fields(page, "CompletedData") == {"paymentStatus", "bookingStatus", "booking"}
    assert fields(page, "NotCompletedData") == {
        "paymentStatus", "message", "clientSecret", "error_code", "decline_code", "error_message",
    }  # fmt: skip
    assert fields(page, "StatusData") == {"paymentStatus", "bookingStatus", "stripeStatus"}
    assert fields(page, "WebhookData") == {"received", "outcome"}
    assert fields(page, "ErrorAnswer") == {"success", "message", "data"}
    assert fields(page, "ErrorData") == {"error_code", "error_message", "decline_code", "errors"}
    for path, model in {CREATE: "PaymentIntentAnswer", STATUS_PATH: "StatusAnswer", WEBHOOK: "WebhookAnswer"}.items():
        (operation,) = page["paths"][path].values()
        assert operation["responses"]["200"]["content"][JSON]["schema"] == {"$ref": f"#/components/schemas/{model}"}


def closed(schema: object) -> object:
    """The same schema, where an object has no fields but those it names."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {name: closed(part) for name, part in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        whole["additionalProperties"] = False
    return whole


@pytest.fixture(scope="module")
def operations(page):
    """The contract's endpoints, as schemathesis reads them from the page."""
    strict = {**page, "components": {**page["components"], "schemas": closed(page["components"]["schemas"])}}
    found = [result.ok() for result in schemathesis.openapi.from_dict(strict).get_all_operations()]
    return {(operation.method, operation.path): operation for operation in found}


@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
@pytest.mark.parametrize(("method", "path"), [key for key in CODES if key[1] != WEBHOOK])
@given(data=st.data())
def test_every_answer_conforms_to_the_page(shop, operations, method, path, mode, data):
    """Of requests that the page allows and of those that it forbids: status, content type and every field."""
    case = data.draw(operations[method, path].as_strategy(generation_mode=mode))
    asked = case.as_transport_kwargs(base_url="http://shop.test")

    conforms(shop, case, requests.Request(**without(asked, "timeout", "verify")).prepare())


@settings(max_examples=20)
@given(body=st.binary(max_size=200))
def test_every_answer_to_a_webhook_conforms_to_the_page(shop, operations, body):
    case = operations["post", WEBHOOK].Case()
    signed = {"Stripe-Signature": sign(body, WEBHOOK_SECRET, int(time.time()))}

    conforms(shop, case, requests.Request("POST", f"http://shop.test{WEBHOOK}", headers=signed, data=body).prepare())


def test_answers_of_a_whole_payment_conform_to_the_page(shop, operations):
    intent_id = shop.opened("b-2002")
    created = ("post", CREATE), {"bookingId": "b-2002", "amount": 450.99, "currency": "usd"}
    asked = ("post", CONFIRM), {"bookingId": "b-2002", "paymentIntentId": intent_id}
    status = ("get", STATUS_PATH), None
    event = ("post", WEBHOOK), None
    for card in (None, "4000000000000002", "4000002760003184", "4242424242424242"):
        if card:
            shop.fake.pay(intent_id, card)
        for key, document in (created, asked, status, event):
            url = f"http://shop.test{key[1]}".replace("{booking_id}", "b-2002")
            headers, data = {}, None
            if key[1] == WEBHOOK:
                data = json.dumps(list(shop.fake.events.values())[-1]).encode()
                headers = {"Stripe-Signature": sign(data, WEBHOOK_SECRET, int(time.time()))}
            request = requests.Request(key[0].upper(), url, headers=headers, json=document, data=data).prepare()
            where = {"booking_id": "b-2002"} if key[1] == STATUS_PATH else {}
            conforms(shop, operations[key].Case(path_parameters=where), request)


def conforms(shop, case, request: requests.PreparedRequest) -> None:
    headers = [(n, v if isinstance(v, bytes) else v.encode("latin-1", "replace")) for n, v in request.headers.items()]
    headers = [(name, value) for name, value in headers if name.lower() not in {"authorization", "content-length"}]
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    reply = shop.send(request.method, request.path_url, [bearer(token()), *headers], body)

    answer = httpx.Response(
        reply.status,
        headers=reply.headers,
        content=reply.body,
        request=httpx.Request(request.method, request.url),
        extensions={"http_version": b"HTTP/1.1"},
    )
    answer.elapsed = timedelta(0)
    case.validate_response(answer, checks=CHECKS)


def without(given_values: dict, *names: str) -> dict:
    return {name: value for name, value in given_values.items() if name not in names}


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
