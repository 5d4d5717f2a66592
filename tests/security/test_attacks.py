"""What attackers try, where no other test says it: the rest of the checklist in `test_checklist.py`."""

from __future__ import annotations

import gzip
import hmac
import importlib
import json
import pkgutil
import re
import zlib
from datetime import timedelta

import pytest
from tests.contract.harness import CONFIRM, CREATE, KINDS, WEBHOOK_SECRET, bearer, open_shop, token
from tests.gateway.shop import opened
from tests.support import PRICE

import airport_payments
import airport_payments.stripe_api.events as events_module
import airport_payments.stripe_api.signature as signature_module
from airport_payments import InvalidRequest, InvalidSignature, PaymentOptions, construct_event
from airport_payments.stripe_api.signature import sign

each_colour = pytest.mark.parametrize("colour", ["sync", "async"])
SECRET = "whsec_0123456789abcdef"
NOW = 1_790_000_000
BODY = b'{"id":"evt_1","type":"x","created":1,"livemode":false,"data":{"object":{"id":"pi_1","object":"x"}}}'


# ---- signatures ----


def signatures(*, good_at: int | None, count: int = 5) -> str:
    """A header of several signatures, one of them good, or none."""
    good = sign(BODY, SECRET, timestamp=NOW).partition("v1=")[2]
    parts = [good if at == good_at else f"{at:064x}" for at in range(count)]
    return f"t={NOW}," + ",".join(f"v1={part}" for part in parts)


@pytest.mark.parametrize("good_at", [None, 0, 2, 4])
@pytest.mark.parametrize("answer", [True, False])
def test_compare_digest_decides_and_nothing_else(monkeypatch, good_at, answer) -> None:
    """Whatever it says of all the signatures is what becomes of the body: nothing else compares them."""
    asked = []
    monkeypatch.setattr(signature_module.hmac, "compare_digest", lambda a, b: asked.append((a, b)) or answer)
    try:
        construct_event(BODY, signatures(good_at=good_at), SECRET, now=NOW)
        accepted = True
    except InvalidSignature:
        accepted = False
    assert accepted == answer
    assert len(asked) == 5
    assert all(type(side) is bytes and len(side) == 32 for pair in asked for side in pair)


@pytest.mark.parametrize("good_at", range(5))
def test_as_many_comparisons_wherever_the_good_signature_stands(monkeypatch, good_at) -> None:
    asked = []
    real = hmac.compare_digest
    monkeypatch.setattr(signature_module.hmac, "compare_digest", lambda a, b: asked.append(a) or real(a, b))
    construct_event(BODY, signatures(good_at=good_at), ["whsec_another_one_0", SECRET, "whsec_a_third_one_0"], now=NOW)
    assert len(asked) == 15


HOSTILE = {
    "not UTF-8": b'{"id":"\xff"}',
    "BOM": b"\xef\xbb\xbf" + BODY,
    "UTF-16": BODY.decode().encode("utf-16"),
    "NaN": b'{"id":NaN}',
    "duplicate keys": BODY[:-1] + b',"id":"evt_2"}',
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "no object": b"[1]",
    "a huge number": b"9" * 200_000,
    "half a surrogate": b'{"id":"\\ud800"}',
    "at the limit": b" " * 256 * 1024,
    "over the limit": b" " * (256 * 1024 + 1),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_nothing_of_a_body_is_read_before_its_signature_is_good(monkeypatch, body) -> None:
    read = []
    monkeypatch.setattr(events_module, "parse_event", read.append)
    with pytest.raises(InvalidSignature):
        construct_event(body, sign(body + b" ", SECRET, timestamp=NOW), SECRET, now=NOW)
    assert not read


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_signed_body_is_an_event_or_the_one_typed_error(body) -> None:
    header = sign(body, SECRET, timestamp=NOW)
    if body == HOSTILE["duplicate keys"]:
        # The last wins, as in Stripe's own libraries; Stripe sends none.
        assert construct_event(body, header, SECRET, now=NOW).id == "evt_2"
        return
    with pytest.raises(InvalidSignature) as caught:
        construct_event(body, header, SECRET, now=NOW)
    assert repr(body[:20])[2:-1] not in str(caught.value)


@each_colour
def test_an_event_that_is_replayed_with_a_fresh_signature_after_months_changes_nothing(colour) -> None:
    """No table of seen ids is asked, so none that is purged is missed: how things stand is the guard."""
    with opened(colour) as shop:
        intent_id = shop.create().payment_intent_id
        shop.fake.pay(intent_id, "4000000000000002")
        shop.fake.pay(intent_id)
        for event in shop.events():
            shop.webhook(event)
        shop.run(shop.gateway.refund("BK-1", request_id="r"))
        shop.tick()
        before, told = shop.snapshot(), len(shop.heard)
        for days in (1, 31, 400):
            shop.pass_time(timedelta(days=days))
            for event in shop.events():
                assert str(shop.webhook(event)) in {"unchanged", "ignored"}
        shop.tick()
        assert shop.snapshot() == before
        assert len(shop.heard) == told


# ---- requests ----

SMUGGLED = {
    "owner": "bob", "ownerId": "bob", "sub": "bob", "customer": "cus_1", "metadata": {"airport_booking": "b-2"},
    "api_base": "https://evil.test", "apiBase": "https://evil.test", "livemode": True, "status": "confirmed",
    "amount_minor": 1, "amountMinor": 1, "price": 1, "application_fee_amount": 45000, "transfer_data": {"destination": "acct_1"},
    "on_behalf_of": "acct_1", "confirm": True, "off_session": True, "payment_method": "pm_card_visa", "capture_method": "manual",
    "automatic_payment_methods": {"enabled": False}, "setup_future_usage": "off_session", "idempotency_key": "k",
    "stripe_account": "acct_1", "expand": ["customer"], "return_url": "https://evil.test", "__proto__": {"owner": "bob"},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_client_sends_beside_the_contract_reaches_neither_stripe_nor_the_booking(kind, tmp_path) -> None:
    def sent(*, smuggling: bool) -> tuple[list, list, object]:
        with open_shop(kind, tmp_path) as shop:
            shop.book("b-1")
            shop.book("b-2", owner="bob")
            more = SMUGGLED if smuggling else {}
            created = shop.post(CREATE, {"bookingId": "b-1", "amount": 450.99, "currency": "USD", **more})
            intent_id = created.json["data"]["paymentIntentId"]
            confirmed = shop.post(CONFIRM, {"bookingId": "b-1", "paymentIntentId": intent_id, **more})
            (intent,) = shop.fake.intents.values()
            kept = {name: value for name, value in intent.items() if name not in {"id", "client_secret", "created"}}
            kept["metadata"] = {**kept["metadata"], "airport_attempt": ""}
            answers = [created.status, sorted(created.json["data"]), confirmed.status, confirmed.json["success"]]
            bookings = [
                (b.owner, b.price, b.status) for b in (shop.run(shop.bookings.booking(i)) for i in ("b-1", "b-2"))
            ]
            return answers, bookings, kept

    assert sent(smuggling=True) == sent(smuggling=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_compressed_body_is_not_unpacked(kind, tmp_path) -> None:
    """A bomb of 10 MB in 10 KB is 10 KB that are no JSON."""
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 16 * 1024
    with open_shop(kind, tmp_path) as shop, shop.unwritten():
        for path in (CREATE, CONFIRM, "/payment/webhook"):
            for name, body in (
                ("gzip", bomb),
                ("deflate", zlib.compress(b" " * 10_000_000)),
                ("gzip, gzip", gzip.compress(bomb)),
            ):
                headers = [
                    bearer(token()),
                    ("Content-Encoding", name),
                    ("Stripe-Signature", sign(body, WEBHOOK_SECRET, timestamp=1)),
                ]
                assert shop.send("POST", path, headers, body).status == 400


TOO_MUCH = [
    {"metadata": {"k" * 41: "v"}},
    {"metadata": {"k": "v" * 501}},
    {"metadata": {f"k{n}": "v" for n in range(51)}},
    {"metadata": {"a[b]": "v"}},
    {"metadata": {"airport_booking": "BK-2"}},
    {"description": "x" * 100_000},
    {"receipt_email": "a@example.com\r\nBcc: all@example.com"},
    {"customer_id": "cus_1/../../v1/refunds"},
    {"statement_descriptor_suffix": "<script>"},
]


@pytest.mark.parametrize("options", TOO_MUCH, ids=lambda options: next(iter(options)))
def test_metadata_and_texts_over_stripes_limits_are_refused_before_anything_is_sent(options) -> None:
    with opened("sync") as shop:
        with pytest.raises(InvalidRequest):
            shop.gateway.create_payment("BK-1", owner="alice", amount=PRICE, options=PaymentOptions(**options))
        assert not shop.fake.requests


LINE = "\r\nERROR airport_payments forged line\x1b[2J\u2028"


@each_colour
def test_nothing_that_anyone_sends_starts_a_line_of_its_own_in_the_log(colour, caplog) -> None:
    caplog.set_level("DEBUG", "airport_payments")
    with opened(colour) as shop:
        shop.fake.pay(shop.create().payment_intent_id)
        event = shop.events("payment_intent.succeeded")[0]
        marks = {"airport_namespace": "airport", "airport_booking": f"BK{LINE}", "airport_attempt": LINE}
        thing = {**event["data"]["object"], "id": f"pi_00000000{LINE}", "metadata": marks, "status": LINE}
        for change in (
            {"type": f"payment_intent.succeeded{LINE}"}, {"id": f"evt{LINE}"}, {"account": f"acct{LINE}"}, {"context": LINE},
            {"api_version": LINE, "data": {"object": thing}}, {"livemode": True, "id": LINE}, {"data": {"object": {**thing, "status": "succeeded"}}},
            {"data": {"object": {**event["data"]["object"], "id": "pi_of_nobody", "metadata": marks}}},
        ):  # fmt: skip
            shop.webhook({**event, **change})
    assert len(caplog.records) >= 4
    for record in caplog.records:
        assert not re.search(r"[\x00-\x1f\x7f\u2028\u2029]", record.getMessage())


# ---- time and memory ----


def patterns() -> dict[str, re.Pattern]:
    """Every regular expression that the library keeps."""
    found = {}
    for module in pkgutil.walk_packages(airport_payments.__path__, "airport_payments."):
        if any(part in module.name for part in (".examples", ".testing", "__main__")):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                found[f"{module.name}.{name}"] = value
    return found


def ways_to_fail(pattern: re.Pattern) -> int:
    """How many repeats without an end stand in each other, or beside each other: 1 is read in one go."""
    parser = importlib.import_module("re._parser")

    def nested(tree) -> int:
        deepest = 0
        for operation, given in tree:
            if str(operation) in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
                _, most, inside = given
                endless = most >= 1000
                deepest = max(deepest, nested(inside) + endless)
            elif str(operation) == "SUBPATTERN":
                deepest = max(deepest, nested(given[-1]))
            elif str(operation) == "BRANCH":
                deepest = max([deepest, *(nested(branch) for branch in given[1])])
        return deepest

    return nested(parser.parse(pattern.pattern, pattern.flags))


def test_no_regular_expression_repeats_a_repeat_without_end() -> None:
    """That is what takes exponential time on a text made for it."""
    found = patterns()
    assert len(found) > 15
    assert ways_to_fail(re.compile(r"(?:a+)+b")) == 2
    assert {name: p.pattern for name, p in found.items() if ways_to_fail(p) > 1} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_of_keys_that_all_collide_is_refused_like_any_other(kind, tmp_path) -> None:
    """Python seeds the hashes of texts anew in each process; and 16 KB hold no more than a few thousand keys."""
    keys = {f"k{number}": 0 for number in range(1200)}
    with open_shop(kind, tmp_path) as shop, shop.unwritten():
        assert shop.post(CREATE, keys).status == 400
        twice = json.dumps(keys)[:-1] + "," + json.dumps(keys)[1:]
        assert shop.post(CREATE, twice[: 16 * 1024].encode()).status == 400
