"""Whatever is sent to an endpoint, the answer is one of the contract's: never a 5xx, and nothing is written."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airport_payments.contract_models import ERRORS, STATUS_PREFIX
from airport_payments.testing.fake_stripe import sign

from .expect import check_headers
from .harness import CONFIRM, CREATE, STATUS, WEBHOOK, WEBHOOK_SECRET, bearer, token

TOKEN = bearer(token())
fuzzed = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=40)
    | st.sampled_from(["usd", "b-1", "pi_12345678", "payment_intent.succeeded", "payment_intent", 450.99, "alice"])
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
bodies = st.binary(max_size=400) | anything.map(lambda value: json.dumps(value).encode())


def objects(*names: str):
    """JSON objects that have some of these fields, of any kind."""
    fields = st.fixed_dictionaries({}, optional=dict.fromkeys(names, anything))
    return fields.map(lambda value: json.dumps(value).encode())


# Of a header's name and value, what a server lets through.
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
extra = st.lists(
    st.tuples(
        st.sampled_from(["Idempotency-Key", "Stripe-Signature", "Content-Type", "Accept", "Authorization", "X-Other"]),
        values.map(lambda value: value.encode("latin-1")),
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def before(shared):
    """The database as it stood, with a booking and an open payment."""
    if not shared.fake.intents:
        shared.opened("b-1")
    return shared.rows()


def check(shop, before, reply, path: str) -> None:
    """The envelope and nothing else, with a code that the contract has for this endpoint."""
    check_headers(reply)
    document = reply.json
    codes = [code for codes in ERRORS[path].values() for code in codes]
    assert reply.status < 500
    if reply.status == 200:
        assert set(document) == {"success", "data"}
    else:
        assert set(document) == {"success", "message", "data"}
        assert document["success"] is False
        assert document["data"]["error_code"] in codes
        assert set(document["data"]) <= {"error_code", "error_message", "errors"}
    assert shop.rows() == before


@fuzzed
@given(body=bodies | objects("bookingId", "amount", "currency"), headers=extra)
def test_create_payment_intent(shared, before, body, headers):
    check(shared, before, shared.send("POST", CREATE, [TOKEN, *headers], body), CREATE)


@fuzzed
@given(body=bodies | objects("bookingId", "paymentIntentId"), headers=extra)
def test_confirm_payment(shared, before, body, headers):
    check(shared, before, shared.send("POST", CONFIRM, [TOKEN, *headers], body), CONFIRM)


SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:@-"
segments = st.text(SAFE, min_size=1, max_size=200) | st.binary(min_size=1, max_size=30).filter(
    lambda b: b"/" not in b
).map(lambda raw: "".join(f"%{byte:02X}" for byte in raw))


@fuzzed
@given(segment=segments.filter(lambda s: s not in {".", ".."}), headers=extra)
def test_status(shared, before, segment, headers):
    check(shared, before, shared.send("GET", STATUS + segment, [TOKEN, *headers]), STATUS_PREFIX)


@fuzzed
@given(body=bodies, headers=extra)
def test_unsigned_webhooks(shared, before, body, headers):
    reply = shared.send("POST", WEBHOOK, headers, body)

    assert reply.status == 400
    check(shared, before, reply, WEBHOOK)


events = st.fixed_dictionaries(
    {},
    optional={
        "id": scalars,
        "type": scalars,
        "created": scalars,
        "livemode": scalars,
        "account": scalars,
        "data": anything | st.fixed_dictionaries({"object": anything}),
    },
)
head = {"id": "evt_1", "type": "payment_intent.succeeded", "created": 1, "livemode": False}
changed = events.map(lambda event: json.dumps({**head, **event}).encode())


@fuzzed
@given(body=bodies | changed)
def test_signed_webhooks_of_anything(shared, before, body):
    """Even a body that our own secret signed breaks nothing. (An intent of no form that we know is fetched: 404 there.)"""
    signature = sign(body, WEBHOOK_SECRET, int(time.time()))

    check(shared, before, shared.webhook(body, signature), WEBHOOK)


@fuzzed
@given(authorization=st.lists(values.map(lambda value: value.encode("latin-1")), max_size=2))
def test_authorization(shared, before, authorization):
    headers = [("Authorization", value) for value in authorization]
    reply = shared.send("GET", STATUS + "b-1", headers)

    assert (reply.status, reply.json["data"]["error_code"]) == (401, "unauthorized")
    check(shared, before, reply, STATUS_PREFIX)


tokens = st.one_of(
    st.text(max_size=100).map(lambda text: text.encode()),
    st.tuples(*[st.binary(max_size=40)] * 3).map(lambda parts: b".".join(part.hex().encode() for part in parts)),
)


@fuzzed
@given(given_token=tokens)
def test_bearer_tokens(shared, before, given_token):
    clean = bytes(byte for byte in given_token if 0x20 <= byte != 0x7F)
    reply = shared.send("POST", CREATE, [bearer(clean)], b"{}")

    assert reply.status == 401
    check(shared, before, reply, CREATE)
