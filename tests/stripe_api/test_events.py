"""Events: read once, strictly, after their origin is known; whatever arrives, only the typed errors come out."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from airport_payments.core.errors import ConfigurationError, InvalidSignature
from airport_payments.core.model import IntentStatus
from airport_payments.core.money import Money
from airport_payments.core.secret import Secret
from airport_payments.stripe_api.events import Event, construct_event, parse_event, to_bytes, unwrap
from airport_payments.stripe_api.signature import MAX_BODY_BYTES, sign
from airport_payments.stripe_api.wire import has_constants

SECRET = "whsec_test_secret_0123456789"
NOW = 1_790_000_000
SAMPLES = sorted((Path(__file__).parent.parent / "samples").glob("*.json"))
SAMPLE = SAMPLES[-1].read_bytes()


def construct(body: bytes | bytearray | str, **changes: object) -> Event:
    raw = body if isinstance(body, bytes) else to_bytes(body)
    return construct_event(body, sign(raw, SECRET, timestamp=NOW), SECRET, **{"now": NOW, **changes})


def sample(**changes: object) -> dict:
    """The sample event, with changes to its object."""
    event = json.loads(SAMPLE)
    event["data"]["object"].update(changes)
    return event


def body_of(event: object) -> bytes:
    return json.dumps(event).encode()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_stripes_own_events_are_read(path) -> None:
    event = construct(path.read_bytes())
    raw = json.loads(path.read_bytes())
    intent = raw["data"]["object"]
    assert (event.id, event.type, event.livemode) == (raw["id"], raw["type"], raw["livemode"])
    assert (event.object_id, event.object_type) == (intent["id"], "payment_intent")
    assert event.created.timestamp() == raw["created"]
    assert event.created.tzinfo is not None
    view = event.intent
    assert view.status is IntentStatus.SUCCEEDED
    assert view.amount == Money(intent["amount"], intent["currency"])
    assert view.received_minor == intent["amount_received"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_stripe_python_reads_the_same_from_the_same_bytes(path) -> None:
    import time

    body = path.read_bytes()
    header = sign(body, SECRET, timestamp=int(time.time()))
    theirs, ours = stripe.Webhook.construct_event(body, header, SECRET), construct_event(body, header, SECRET)
    assert (ours.id, ours.type, ours.object_id) == (theirs.id, theirs.type, theirs.data.object["id"])


def test_rule_11_an_event_shows_and_holds_no_client_secret() -> None:
    event = construct(SAMPLE)
    assert "client_secret" not in event._object
    assert "_secret_" not in repr(event) + repr(event._object)
    assert event.intent.client_secret is None


@pytest.mark.parametrize("form", [bytes, bytearray, lambda b: b.decode()])
def test_bytes_bytearray_and_text_are_the_same(form) -> None:
    assert construct(form(SAMPLE)) == construct(SAMPLE)


def test_secrets_may_be_one_or_several_plain_or_held() -> None:
    header = sign(SAMPLE, SECRET, timestamp=NOW)
    for secrets in (SECRET, Secret(SECRET), [SECRET], ("whsec_another_secret", Secret(SECRET))):
        assert construct_event(SAMPLE, header, secrets, now=NOW).id
    for wrong in ("", [], Secret(""), [SECRET, ""]):
        with pytest.raises(ConfigurationError):
            construct_event(SAMPLE, header, wrong, now=NOW)


THIN = {
    "id": "evt_test_61abc",
    "object": "v2.core.event",
    "type": "v1.payment_intent.succeeded",
    "created": "2026-11-01T12:00:00.000Z",
    "livemode": False,
    "context": None,
    "related_object": {
        "id": "pi_00000001",
        "type": "payment_intent",
        "url": "https://evil.example/v1/payment_intents/pi_1",
    },
}

NOT_EVENTS = {
    "empty": b"",
    "space": b" ",
    "an array": b"[1]",
    "null": b"null",
    "a number": b"1",
    "a text": b'"x"',
    "an empty object": b"{}",
    "no JSON": b"{",
    "trailing garbage": SAMPLE + b"x",
    "two documents": SAMPLE + SAMPLE,
    "a byte order mark": b"\xef\xbb\xbf" + SAMPLE,
    "UTF-16": SAMPLE.decode().encode("utf-16"),
    "not UTF-8 where it is read": SAMPLE.replace(b'"id": "evt_', b'"id": "\xff'),
    "not UTF-8 where it is not read": SAMPLE.replace(b'"description": "Airport', b'"description": "\xff\xfe'),
    "deep arrays": b"[" * 200_000,
    "deep objects": b'{"a":' * 40_000,
    "a deep event": b'{"id":"evt_1","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "an escape of half a character": SAMPLE.replace(b'"id": "evt_', b'"id": "\\ud800'),
    "a control character": SAMPLE.replace(b'"id": "evt_', b'"id": "\x00'),
    "a thin event of nothing": b'{"id":"evt_1","object":"v2.core.event","type":"v1.payment_intent.succeeded"}',
    "a thin event at no time": body_of({**THIN, "created": "soon"}),
    "a thin event without a time zone": body_of({**THIN, "created": "2026-01-01T00:00:00"}),
    "a thin event before 1970": body_of({**THIN, "created": "1969-01-01T00:00:00Z"}),
    "a thin event in the year 10000": body_of({**THIN, "created": "10000-01-01T00:00:00Z"}),
    "a thin event of a mode that is none": body_of({**THIN, "livemode": "false"}),
    "a thin event of an object that is none": body_of({**THIN, "related_object": "pi_1"}),
    "a thin event of a context that is none": body_of({**THIN, "context": {"id": "acct_1"}}),
    "an object that is no event": body_of({**THIN, "object": "v2.core.account"}),
    "a thin event whose object has no type": b'{"id":"evt_1","object":"v2.core.event","type":"v1.payment_intent.succeeded",'
    b'"created":"2026-01-01T00:00:00.000Z","livemode":false,"related_object":{"id":"pi_1"}}',
    "created before 1970": body_of({**sample(), "created": -1}),
    "created after 9999": body_of({**sample(), "created": 253_402_300_800}),
    "created huge": body_of({**sample(), "created": 10**30}),
    "created as a fraction": body_of({**sample(), "created": 1.5}),
    "created as text": body_of({**sample(), "created": "1790000000"}),
    "created true": body_of({**sample(), "created": True}),
    "livemode as text": body_of({**sample(), "livemode": "false"}),
    "livemode as a number": body_of({**sample(), "livemode": 0}),
    "an id that is a number": body_of({**sample(), "id": 1}),
    "data missing": body_of({k: v for k, v in sample().items() if k != "data"}),
    "data empty": body_of({**sample(), "data": {}}),
    "an object that is none": body_of({**sample(), "data": {"object": [1]}}),
    "an account that is a number": body_of({**sample(), "account": 7}),
    "five thousand digits": SAMPLE.replace(b'"created": 1', b'"created": ' + b"9" * 5000, 1),
}


@pytest.mark.parametrize("name", NOT_EVENTS)
def test_a_signed_body_that_is_no_event_is_the_typed_error(name) -> None:
    body = NOT_EVENTS[name]
    with pytest.raises(InvalidSignature) as caught:
        construct(body)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("text", ["\ud800", '{"id": "\udcff"}'])
def test_text_with_half_characters_is_the_typed_error(text) -> None:
    with pytest.raises(InvalidSignature):
        construct_event(text, f"t={NOW},v1={'0' * 64}", SECRET, now=NOW)


def test_duplicate_keys_the_last_wins_as_it_does_for_everyone() -> None:
    doubled = SAMPLE.replace(b'"id": "evt_', b'"id": "evt_first", "id": "evt_', 1)
    assert construct(doubled).id == json.loads(doubled)["id"] != "evt_first"


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_nan_is_not_json_where_it_stands_as_a_value(constant) -> None:
    unread = SAMPLE.replace(b'"amount_capturable": 0', b'"amount_capturable": ' + constant)
    assert unread != SAMPLE
    assert has_constants(unread)
    read = construct(SAMPLE.replace(b'"amount": 24900', b'"amount": ' + constant, 1))
    assert read.intent is None
    said = SAMPLE.replace(b"Airport transfer", b"NaN Infinity transfer")
    assert not has_constants(said)
    assert construct(said).intent is not None


class TestFieldsThatCannotBeRead:
    """They make an event whose object is fetched, never a forgery: only its head is read."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"amount": "24900"},
            {"amount": 24900.0},
            {"amount": True},
            {"amount": None},
            {"amount": {"value": 1}},
            {"amount": -1},
            {"amount": 10**30},
            {"amount_received": None},
            {"amount_received": "24900"},
            {"currency": None},
            {"currency": "EUR"},
            {"currency": "xxx"},
            {"currency": 978},
            {"livemode": None},
            {"livemode": "false"},
            {"status": "requires_telepathy"},
            {"status": None},
            {"status": 1},
            {"id": "pi_"},
            {"id": "pi_x/../y"},
            {"metadata": {"airport_booking": 7}},
            {"metadata": []},
            {"latest_charge": 7},
        ],
    )
    def test_the_intent_is_not_guessed(self, changes) -> None:
        event = construct(body_of(sample(**changes)))
        assert event.intent is None
        assert event.type == "payment_intent.succeeded"

    @pytest.mark.parametrize("field", ["status", "amount", "amount_received", "currency", "livemode", "id"])
    def test_required_fields_are_required(self, field) -> None:
        raw = sample()
        del raw["data"]["object"][field]
        assert construct(body_of(raw)).intent is None

    def test_the_head_still_says_whose_event_it_is(self) -> None:
        event = construct(body_of({**sample(amount="x"), "account": "acct_1", "context": "ctx"}))
        assert (event.object_id, event.object_type) == (sample()["data"]["object"]["id"], "payment_intent")
        assert (event.account, event.context, event.head.booking_id) == ("acct_1", "ctx", None)


def test_an_expanded_charge_reads_as_its_id() -> None:
    event = construct(body_of(sample(latest_charge={"id": "ch_9", "object": "charge", "amount": 1})))
    assert event.intent.charge_id == "ch_9"


def test_null_metadata_is_none_of_ours() -> None:
    assert construct(body_of(sample(metadata=None))).head.namespace is None


def test_our_marks_are_read_from_the_metadata() -> None:
    marks = {"airport_namespace": "n", "airport_booking": "b", "airport_attempt": "a", "other": "x"}
    event = construct(body_of(sample(metadata=marks)))
    assert (event.head.namespace, event.head.booking_id, event.intent.attempt_id) == ("n", "b", "a")


def test_another_object_is_an_event_without_an_intent() -> None:
    event = construct(body_of({**sample(object="charge", id="ch_1"), "type": "charge.succeeded"}))
    assert (event.intent, event.object_type) == (None, "charge")


class TestEnvelopes:
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda e: e,
            lambda e: {"version": "0", "id": "x", "detail-type": e["type"], "detail": e},
            lambda e: {"specversion": "1.0", "id": "x", "type": e["type"], "data": e},
        ],
    )
    def test_an_event_is_found_bare_or_wrapped(self, wrap) -> None:
        message = json.dumps(wrap(json.loads(SAMPLE)))
        assert unwrap(message) == unwrap(message.encode()) == parse_event(SAMPLE)

    @pytest.mark.parametrize(
        "message",
        [
            *[body for name, body in NOT_EVENTS.items() if "UTF-16" not in name],
            b'{"detail-type": "x", "detail": null}',
            b'{"detail-type": "x", "detail": {"id": "\\ud800"}}',
            b'{"specversion": "1.0", "data": [[[]]]}',
            b'{"detail-type": "x", "detail": ' + b"[" * 900 + b"]" * 900 + b"}",
            b'{"detail-type": "x", "detail": ' + b"9" * 5000 + b"}",
            b" " * (2 * MAX_BODY_BYTES + 1),
            "\ud800",
        ],
    )
    def test_what_holds_no_event_is_the_typed_error(self, message) -> None:
        with pytest.raises(InvalidSignature):
            unwrap(message)


# ---- fuzz ----

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
HEADERS = (
    st.none()
    | st.text(max_size=200)
    | st.from_regex(r"(t=[0-9]{0,14}|v[01]=[0-9a-f]{0,66}|,| |=){0,8}", fullmatch=True)
)


@settings(max_examples=examples(150), deadline=None)
@given(body=st.binary(max_size=300) | st.text(max_size=100), header=HEADERS)
def test_no_unsigned_input_raises_anything_but_the_typed_error(body, header) -> None:
    with pytest.raises(InvalidSignature):
        construct_event(body, header, SECRET, now=NOW)


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data())
def test_no_signed_input_raises_anything_but_the_typed_error(data) -> None:
    event = sample()
    where = data.draw(st.sampled_from([event, event["data"], event["data"]["object"]]))
    for _ in range(data.draw(st.integers(0, 2))):
        where[data.draw(st.sampled_from(sorted(where)))] = data.draw(JSON)
    body = bytearray(body_of(event))
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
    try:
        read = construct(bytes(body))
    except InvalidSignature:
        return
    assert isinstance(read, Event)
    _ = (read.intent, read.head, read.object_id, read.object_type, repr(read))


class TestAftermath:
    """What an event says of a refund, a dispute or a refunded charge; None where it cannot be read, never an error."""

    def event(self, **changes: object) -> Event:
        obj = {"id": "re_1", "object": "refund", "amount": 100, "currency": "usd", "status": "succeeded", **changes}
        return parse_event(body_of({**sample(), "type": "refund.created", "data": {"object": obj}}))

    def test_it_says_which_event_said_it(self) -> None:
        fact = self.event().aftermath
        assert (fact.view.id, fact.event_id, fact.event_type) == ("re_1", json.loads(SAMPLE)["id"], "refund.created")

    @pytest.mark.parametrize(
        "changes",
        [
            {"status": "new"},
            {"amount": -1},
            {"amount": "100"},
            {"amount": None},
            {"currency": "xxx"},
            {"id": ".."},
            {"object": "invoice"},
        ],
    )
    def test_what_cannot_be_read_is_none(self, changes) -> None:
        assert self.event(**changes).aftermath is None

    @given(st.dictionaries(
        st.sampled_from(["id", "object", "amount", "currency", "status", "payment_intent", "amount_refunded", "reason",
                         "evidence_details", "metadata", "failure_reason", "is_charge_refundable"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["refund", "dispute", "charge"])
        | st.dictionaries(st.sampled_from(["id", "due_by", "airport_refund"]), st.none() | st.integers() | st.text(max_size=5)),
    ))  # fmt: skip
    @settings(deadline=None)
    def test_garbage_is_a_fact_or_none(self, changes) -> None:
        try:
            fact = self.event(**changes).aftermath
        except InvalidSignature:
            return  # its id or its kind is no text: no event at all
        assert fact is None or fact.event_type == "refund.created"


def test_a_thin_event_names_its_object_and_shows_nothing_of_it() -> None:
    event = construct(body_of(THIN))
    assert event.thin
    assert not construct(SAMPLE).thin
    assert (event.id, event.type, event.name) == (
        "evt_test_61abc",
        "v1.payment_intent.succeeded",
        "payment_intent.succeeded",
    )
    assert (event.object_id, event.object_type) == ("pi_00000001", "payment_intent")
    assert event.created == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert (event.livemode, event.account, event.context, event.api_version) == (False, None, None, None)
    assert (event.intent, event.aftermath, dict(event.metadata)) == (None, None, {})
    assert event.head.type == "payment_intent.succeeded"
    assert "evil.example" not in repr(event) + repr(event._object) + repr(event._envelope)


@pytest.mark.parametrize("related", [None, {"id": "x", "type": "billing.meter", "url": "/v1/x", "more": 1}])
def test_a_thin_event_of_something_else_is_an_event(related) -> None:
    event = construct(
        body_of({**THIN, "type": "v2.core.account.closed", "related_object": related, "reason": {"a": 1}})
    )
    assert event.thin
    assert event.name == event.type
    assert event.object_id == (related or {}).get("id", "")


@pytest.mark.parametrize(
    "created", ["2026-11-01T13:00:00+01:00", "2026-11-01T12:00:00Z", "2026-11-01T12:00:00.123456Z"]
)
def test_a_thin_events_time_is_read_in_its_own_zone(created) -> None:
    assert int(construct(body_of({**THIN, "created": created})).created.timestamp()) == 1793534400
