"""Every parameter of every endpoint that the fake serves: taken with its effect, or refused; none is forgotten."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from airport_payments.testing import FakeStripe
from airport_payments.testing.fake_stripe.errors import StripeRefusal
from airport_payments.testing.fake_stripe.forms import decode_form
from airport_payments.testing.fake_stripe.request_table import ENDPOINTS, SHARED
from airport_payments.testing.fake_stripe.routes import ROUTES
from airport_payments.testing.fake_stripe.strangers import STRANGERS, UNPLAYED
from airport_payments.testing.fake_stripe.thin import thin_id
from airport_payments.testing.fake_stripe.validation import checked

from . import schemas
from .conftest import Clock
from .parameters import DIFFERS, NEW, TABLE, Ignored, Refused, Row

KEY = {"Authorization": "Bearer sk_test_fake"}
ROWS = [(endpoint, number) for endpoint, (_, _, rows) in TABLE.items() for number in range(len(rows))]


def form(pairs):
    return urlencode([(name, value) for name, value in pairs.items() if value is not None])


def asked(fake, method, path, pairs):
    text = form(pairs)
    target, body = (path, text.encode()) if method == "POST" else (f"{path}?{text}", b"")
    answer = fake.handle(method, target, KEY, body)
    return answer.status, json.loads(answer.body)


def named(fake, kind, name=None):
    """Return the placeholders of the two newest objects of a kind."""
    ids = list(fake.objects(kind))
    return {f"{name or kind}_newest": ids[-1], f"{name or kind}_second": ids[-2]}


def world():
    """Make a fake with at least two of everything, and the ids of what is in it."""
    clock = Clock()
    fake = FakeStripe(clock=clock)
    names = {}

    def post(path, **pairs):
        status, answer = asked(fake, "POST", path, pairs)
        assert status == 200, answer
        clock.forward(seconds=1)
        return answer["id"]

    def intent(**pairs):
        return post("/v1/payment_intents", **{**NEW, **pairs})

    names["customer"] = post("/v1/customers", payment_method="pm_card_visa")
    post("/v1/payment_methods/pm_card_mastercard/attach", customer=names["customer"])
    names |= named(fake, "payment_method", "saved")
    names["other"] = post("/v1/customers")
    paid = {"payment_method": "pm_card_visa", "confirm": "true", "capture_method": "automatic"}
    of_customer = intent(**{**paid, "customer": names["customer"]})
    names["partly"] = intent(**paid)
    post("/v1/refunds", payment_intent=names["partly"], amount=5)
    post("/v1/refunds", payment_intent=of_customer, amount=5)
    names["refund_waiting"] = fake.refund(names["partly"], 5, status="requires_action")["id"]
    intent(**{**paid, "payment_method": "pm_card_createDispute"})
    names["paid"] = intent(**paid)
    names["disputed"] = intent(**{**paid, "payment_method": "pm_card_createDisputeProductNotReceived"})
    names["charge"], names["charge_of_customer"] = (
        fake.intents[one]["latest_charge"] for one in (names["paid"], of_customer)
    )
    manual = {**paid, "capture_method": "manual"}
    names["for_other"] = intent(**{**manual, "transfer_data[destination]": "acct_1Other"})
    names["for_other_open"] = intent(**{"transfer_data[destination]": "acct_1Other"})
    names["authorised"], names["open"] = intent(**manual), intent()
    names["bank"] = intent(**{"payment_method_types[]": "us_bank_account"})
    for number in (1, 2):
        post(
            "/v1/webhook_endpoints", **{"url": f"https://example.com/hooks{number}", "enabled_events[]": "payout.paid"}
        )
    clock.forward(hours=1)
    fake.advance(0)
    for kind in ("payment_intent", "charge", "refund", "dispute", "event", "balance_transaction", "payment_method",
                 "webhook_endpoint", "customer"):  # fmt: skip
        names |= named(fake, kind)
    names["thin_event"] = thin_id(list(fake.events.values())[-1])
    return fake.dump(), names


@pytest.fixture(scope="module")
def prepared():
    return world()


def filled(value, names):
    return value.format(**names) if isinstance(value, str) and "{" in value else value


def at(answer, path):
    for part in path.split("."):
        if answer is None or (part != "#" and isinstance(answer, str)):
            return None
        if part == "#":
            return len(answer)
        if isinstance(answer, list):
            answer = dict(enumerate(answer)).get(int(part))
            continue
        answer = answer.get(part)
    return answer


def sent(prepared, endpoint, row, *, with_row):
    saved, names = prepared
    clock = Clock()
    clock.forward(hours=2)
    fake = FakeStripe.load(saved, clock=clock)
    target, base, _ = TABLE[endpoint]
    target = row.on if row.on.startswith("{") else target
    pairs = {**base, **row.beside}
    if row.on == "bank":
        pairs.pop("payment_method_types[]", None)
        target = "{bank}" if target else target
        pairs |= {} if target else {"payment_method_types[]": "us_bank_account"}
    if row.on == "plain":
        pairs["automatic_payment_methods[enabled]"] = "false"
    if row.on == "bare":
        pairs["type"] = "us_bank_account" if not with_row else row.beside["type"]
    if with_row:
        pairs = {**pairs, **row.given}
    method, path = endpoint.split(" ")
    ids = iter(filled(target, names).split("|"))
    path = "/".join(next(ids) if part.startswith("{") else part for part in path.split("/"))
    return asked(fake, method, path, {name: filled(value, names) for name, value in pairs.items()})


def test_every_endpoint_has_its_rows():
    assert set(TABLE) == set(ENDPOINTS)
    assert {route.endpoint for route in ROUTES} == set(ENDPOINTS)


@pytest.mark.parametrize("endpoint", sorted(TABLE))
def test_every_parameter_has_a_row(endpoint):
    in_rows = {name.partition("[")[0] for row in TABLE[endpoint][2] for name in row.given}
    known = set(ENDPOINTS[endpoint])
    assert in_rows <= known
    # These hashes are for payment methods of other types, which the fake refuses by their type; see below.
    of_types = set(SHARED["type"]) | OTHER_METHODS if endpoint == "POST /v1/payment_methods" else set()
    assert known - in_rows - of_types == set()


OTHER_METHODS = {"custom", "interac_present"}


@pytest.mark.parametrize(("endpoint", "number"), ROWS)
def test_a_parameter_has_its_effect(prepared, endpoint, number):
    row = TABLE[endpoint][2][number]
    status, answer = sent(prepared, endpoint, row, with_row=True)
    before_status, before = sent(prepared, endpoint, row, with_row=False)
    if endpoint != "GET /v1/account" or status != 200:
        schemas.check(answer)
    if isinstance(row.effect, Refused):
        assert status in {400, 402, 404}, answer
        assert (answer["error"].get("code"), row.effect.words in answer["error"]["message"]) == (
            row.effect.code, True,
        ), answer["error"]  # fmt: skip
        return
    assert status == 200, answer
    if isinstance(row.effect, Ignored):
        assert answer == before
        return
    for path, wanted in row.effect.items():
        wanted = filled(wanted, prepared[1])
        if wanted is DIFFERS:
            assert at(answer, path) not in {None, at(before, path)}
        else:
            assert at(answer, path) == wanted, path
    if before_status == 200:
        assert any(at(before, path) != at(answer, path) for path in row.effect), "it makes no difference"


@pytest.mark.parametrize("endpoint", sorted(TABLE))
def test_an_unknown_parameter_is_refused_by_name(prepared, endpoint):
    status, answer = sent(prepared, endpoint, Row({"colour": "red"}, None), with_row=True)
    assert status == 400
    assert (answer["error"]["code"], answer["error"]["param"]) == ("parameter_unknown", "colour")


def samples(kind, name):
    """Return values of a type, so that every word of every enum and every inner name is among them; and a wrong one."""
    if isinstance(kind, str) and kind.startswith("@"):
        yield from samples(SHARED[kind[1:]], name)
    elif isinstance(kind, list):
        yield from ({name: word} for word in kind)
    elif isinstance(kind, str):
        yield {name: {"integer": "7", "boolean": "true"}.get(kind, "x")}
    elif "|" in kind:
        for option in kind["|"]:
            yield from samples(option, name)
    elif "[]" in kind:
        yield from samples(kind["[]"], f"{name}[0]")
    else:
        yield from of_object(kind, name)


def of_object(kind, name):
    required = {}
    for key, inner in kind.items():
        if key.endswith("!"):
            required |= next(iter(samples(inner, f"{name}[{key[:-1]}]")))
    for key, inner in kind.items():
        shown = "any" if key == "*" else key.removesuffix("!")
        for sample in samples(inner, f"{name}[{shown}]"):
            yield {**{k: v for k, v in required.items() if not k.startswith(f"{name}[{shown}]")}, **sample}


def minimal(endpoint):
    return {
        "POST /v1/payment_intents": {"amount": "2000", "currency": "usd"},
        "POST /v1/webhook_endpoints": {"enabled_events[0]": "*", "url": "https://example.com"},
        "GET /v1/payment_intents/search": {"query": "x"},
        "GET /v1/customers/search": {"query": "x"},
        "POST /v1/payment_methods/{payment_method}/attach": {"customer": "cus_1"},
    }.get(endpoint, {})


def validated(endpoint, pairs):
    return checked(endpoint, decode_form(urlencode(pairs)))


ELSEWHERE = {"email_invalid", "resource_missing"}


@pytest.mark.parametrize("endpoint", sorted(TABLE))
def test_every_inner_name_and_every_word_of_the_schema_is_known(endpoint):
    """Business rules (an id that names nothing, an address) come after the form of a request, and are not asked here."""
    for name, kind in ENDPOINTS[endpoint].items():
        seen = 0
        for sample in samples(kind, name):
            seen += 1
            try:
                validated(endpoint, {**minimal(endpoint), **sample})
            except StripeRefusal as refusal:
                ours = name in UNPLAYED.get(endpoint, {}) or name in STRANGERS
                if not (ours or refusal.error.get("code") in ELSEWHERE or "" in sample.values()):
                    raise
        assert seen, name


def word_lists(kind, name):
    if isinstance(kind, str) and kind.startswith("@"):
        yield from word_lists(SHARED[kind[1:]], name)
    elif isinstance(kind, list):
        yield name
    elif isinstance(kind, dict) and "[]" in kind:
        yield from word_lists(kind["[]"], f"{name}[0]")
    elif isinstance(kind, dict) and "|" not in kind:
        for key, inner in kind.items():
            if key != "*":
                yield from word_lists(inner, f"{name}[{key.removesuffix('!')}]")


@pytest.mark.parametrize("endpoint", sorted(TABLE))
def test_a_word_that_is_none_of_the_schemas_is_refused(endpoint):
    for name, kind in ENDPOINTS[endpoint].items():
        for path in word_lists(kind, name):
            with pytest.raises(StripeRefusal) as caught:
                validated(endpoint, {**minimal(endpoint), path: "colour"})
            assert caught.value.status == 400


@pytest.mark.parametrize("endpoint", sorted(TABLE))
def test_an_unknown_inner_name_is_refused_with_its_path(endpoint):
    for name, kind in ENDPOINTS[endpoint].items():
        whole = SHARED[kind[1:]] if isinstance(kind, str) and kind.startswith("@") else kind
        if not isinstance(whole, dict) or "*" in whole or "|" in whole or "[]" in whole:
            continue
        with pytest.raises(StripeRefusal) as caught:
            validated(endpoint, {**minimal(endpoint), f"{name}[colour]": "red"})
        assert (caught.value.error["code"], caught.value.error["param"]) == ("parameter_unknown", f"{name}[colour]")


PLAYED_METHODS = {"card", "sepa_debit", "us_bank_account"}


@pytest.mark.parametrize("kind", sorted({"card", *SHARED["type"]}))
def test_a_type_of_payment_method_is_played_or_refused_by_name(kind):
    fake = FakeStripe(clock=Clock())
    given = {"card": {"card[token]": "tok_visa"}, "sepa_debit": {"sepa_debit[iban]": "AT611904300234573201"}}
    status, answer = asked(fake, "POST", "/v1/payment_methods", {"type": kind, **given.get(kind, {})})
    if kind in PLAYED_METHODS:
        assert (status, answer["type"]) == (200, kind)
    else:
        assert (status, answer["error"]["param"]) == (400, "[type]") or "not part" in answer["error"]["message"]
