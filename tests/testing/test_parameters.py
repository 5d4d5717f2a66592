from __future__ import annotations

import json

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from airport_payments.testing import FakeStripe
from airport_payments.testing.fake_stripe import request_table
from airport_payments.testing.fake_stripe.forms import decode_form, guessed
from airport_payments.testing.fake_stripe.routes import ROUTES

from .compact_requests import SCHEMAS, compact_table

BEARER = {"Authorization": "Bearer sk_test_fake"}


def post(fake, path, body):
    answer = fake.handle("POST", path, BEARER, body.encode())
    return answer.status, json.loads(answer.body)


def refused(fake, path, body):
    status, answer = post(fake, path, body)
    assert status == 400
    return answer["error"]


def test_request_table_is_stripes_own():
    table = compact_table()
    # Not among the schemas at hand: every search takes the same parameters (docs.stripe.com/search).
    search = {"GET /v1/customers/search": table["requests"]["GET /v1/payment_intents/search"]}
    assert {**table["requests"], **search} == request_table._FILE["requests"]
    assert table["shared"] == request_table._FILE["shared"]


def test_every_endpoint_of_the_schemas_is_served():
    served = {route.endpoint.replace("{id}", "{}") for route in ROUTES}
    asked = json.loads(SCHEMAS.read_text())["requests"]
    assert {endpoint.replace("{id}", "{}") for endpoint in asked} <= served


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", {"a": "1"}),
        ("a[b][c]=1&a[b][d]=2", {"a": {"b": {"c": "1", "d": "2"}}}),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        ("a[][b]=1&a[][c]=2&a[][b]=3", {"a": [{"b": "1", "c": "2"}, {"b": "3"}]}),
        ("a%5Bb%5D=x+y%26", {"a": {"b": "x y&"}}),
        ("a=", {"a": ""}),
    ],
)
def test_forms_are_decoded_as_stripe_does(text, expected):
    assert {name: guessed(value) for name, value in decode_form(text).items()} == expected


@given(st.text(max_size=200))
def test_no_form_breaks_the_fake(text):
    answer = FakeStripe().handle("POST", "/v1/payment_intents", BEARER, text.encode("utf-8", "surrogatepass"))
    assert answer.status in {400, 413}


@pytest.mark.parametrize(
    "body", ["a" * 9 + "[x]" * 20 + "=1", "&".join(f"a{n}=1" for n in range(1001)), "a=1&a[b]=2", "[=1"]
)
def test_forms_beyond_the_bounds_are_refused(fake, body):
    assert refused(fake, "/v1/payment_intents", body)["type"] == "invalid_request_error"


def test_unknown_parameters_are_refused_by_name(fake):
    error = refused(fake, "/v1/payment_intents", "amount=100&currency=usd&amuont=1")
    assert (error["code"], error["param"]) == ("parameter_unknown", "amuont")
    assert error["message"] == "Received unknown parameter: amuont"
    assert error["doc_url"].endswith("parameter-unknown")
    error = refused(
        fake,
        "/v1/payment_intents",
        "amount=100&currency=usd&automatic_payment_methods[enabled]=1&automatic_payment_methods[x]=1",
    )
    assert error["param"] == "automatic_payment_methods[x]"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("currency=usd", "parameter_missing", "amount"),
        ("amount=100", "parameter_missing", "currency"),
        ("amount=ten&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=10.5&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=NaN&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=0&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=-100&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=&currency=usd", "parameter_invalid_empty", "amount"),
        ("amount=49&currency=usd", "amount_too_small", "amount"),
        ("amount=29&currency=gbp", "amount_too_small", "amount"),
        ("amount=1000000000000&currency=usd", "amount_too_large", "amount"),
        ("amount=100&currency=xxx", None, "currency"),
        ("amount=100&currency=usd&capture_method=later", None, "capture_method"),
        ("amount=100&currency=usd&confirm=maybe", None, "confirm"),
        ("amount=100&currency=usd&payment_method_types=card", None, "payment_method_types"),
        ("amount=100&currency=usd&statement_descriptor_suffix=" + "x" * 23, None, "statement_descriptor_suffix"),
        (
            "amount=100&currency=usd&payment_method_types[]=card&statement_descriptor=HELLO",
            None,
            "statement_descriptor",
        ),
        ("amount=100&currency=usd&off_session=true", None, "off_session"),
        ("amount=100&currency=usd&shipping[name]=x", "parameter_missing", "shipping[address]"),
        ("amount=5124&currency=kwd", "invalid_charge_amount", "amount"),
        ("amount=550&currency=isk", "invalid_charge_amount", "amount"),
        ("amount=550&currency=ugx", "invalid_charge_amount", "amount"),
    ],
)
def test_bad_parameters_are_refused_with_stripes_codes(fake, body, code, param):
    error = refused(fake, "/v1/payment_intents", body)
    assert (error.get("code"), error["param"]) == (code, param)
    assert not fake.intents


@pytest.mark.parametrize(
    ("amount", "currency"), [(50, "usd"), (5120, "kwd"), (500, "isk"), (50, "jpy"), (999_999_999_999, "EUR")]
)
def test_amounts_within_the_rules_are_taken(client, amount, currency):
    intent = client.payment_intents.create({"amount": amount, "currency": currency})
    assert (intent.amount, intent.currency) == (amount, currency.lower())


def test_metadata_has_stripes_limits(client):
    def create(metadata):
        return client.payment_intents.create({"amount": 100, "currency": "usd", "metadata": metadata})

    assert create({f"k{n}": "v" for n in range(50)}).metadata["k49"] == "v"
    for metadata in ({f"k{n}": "v" for n in range(51)}, {"k" * 41: "v"}, {"k": "v" * 501}):
        with pytest.raises(stripe.InvalidRequestError, match="Metadata"):
            create(metadata)


def test_metadata_is_merged_and_unset_by_empty_values(client):
    intent = client.payment_intents.create(
        {"amount": 100, "currency": "usd", "metadata": {"a": "1", "b": "2", "0": "x"}}
    )
    updated = client.payment_intents.update(intent.id, {"metadata": {"a": "", "c": "3"}})
    assert updated.metadata.to_dict() == {"b": "2", "c": "3", "0": "x"}
    assert client.payment_intents.update(intent.id, {"metadata": ""}).metadata.to_dict() == {}


def test_a_bad_api_version_of_an_endpoint_is_refused_and_the_pin_is_taken(client):
    given = {"url": "https://example.com", "enabled_events": ["charge.refunded"]}
    with pytest.raises(stripe.InvalidRequestError, match="api_version"):
        client.webhook_endpoints.create({**given, "api_version": "1999-01-01"})
    assert client.webhook_endpoints.create({**given, "api_version": "2026-10-28.endive"}).secret.startswith("whsec_")
    with pytest.raises(stripe.InvalidRequestError, match=r"enabled_events\[0\]"):
        client.webhook_endpoints.create({**given, "enabled_events": ["charge.exploded"]})
