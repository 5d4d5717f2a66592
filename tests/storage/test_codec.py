"""The ledger's document: whatever a ledger holds comes back, and damage is UnreadableLedger, never another error."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airport_payments.core.announcements import BookingConfirmed, PaymentFailed, PaymentNeedsReview, Pending
from airport_payments.core.codec import UnreadableLedger, dump, from_us, load, to_us
from airport_payments.core.commands import CancelIntent, CreateIntent
from airport_payments.core.model import (
    Failure,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
    RequestKey,
    ReviewReason,
)
from airport_payments.core.money import EXPONENTS, MAX_AMOUNT_MINOR, STEPS_MINOR, Money

texts = st.text(max_size=12)
ids = st.text("abcXYZ019._~:@-", min_size=1, max_size=12)
counts = st.integers(0, 2**31)
times = st.datetimes(timezones=st.just(UTC))
maybe_time = st.none() | times


@st.composite
def money(draw: st.DrawFn) -> Money:
    currency = draw(st.sampled_from(sorted(EXPONENTS)))
    step = STEPS_MINOR.get(currency, 1)
    return Money(draw(st.integers(0, MAX_AMOUNT_MINOR // step)) * step, currency)


@st.composite
def payments(draw: st.DrawFn) -> Payment:
    place = draw(st.sampled_from(Place))
    return Payment(
        draw(ids),
        draw(money()),
        draw(st.sampled_from(PaymentState)),
        draw(st.none() | ids),
        draw(st.none() | st.sampled_from(IntentStatus)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.none() | st.builds(Failure, texts, texts, st.none() | texts, st.none() | texts)),
        place,
        draw(st.none() | st.sampled_from(ReviewReason)),
        # Money that was received has a place: the document relies on it.
        0 if place is Place.NONE else draw(st.integers(0, MAX_AMOUNT_MINOR)),
        tuple(draw(st.lists(texts, max_size=4))),
        draw(maybe_time),
        draw(maybe_time),
        draw(counts),
        draw(counts),
    )


effects = st.builds(CreateIntent, ids, ids, texts, money(), texts, times, times, counts, counts) | st.builds(
    CancelIntent, ids, ids, texts, times, times, counts, counts
)
common: dict[str, Any] = {"booking_id": ids, "sequence": counts, "at": times, "payment_intent_id": st.none() | ids}
announcements = (
    st.builds(BookingConfirmed, amount=money(), **common)
    | st.builds(PaymentFailed, error_code=texts, decline_code=st.none() | texts, **common)
    | st.builds(PaymentNeedsReview, reason=texts, amount_minor=counts, currency=texts, **common)
)
ledgers = st.builds(
    Ledger,
    counts,
    st.lists(payments(), max_size=3).map(tuple),
    st.lists(effects, max_size=3).map(tuple),
    st.lists(st.builds(Pending, announcements, times, counts), max_size=3).map(tuple),
    counts,
    st.lists(st.builds(RequestKey, texts, texts), max_size=3).map(tuple),
)


@given(ledgers)
def test_a_ledger_comes_back_as_it_was(ledger: Ledger) -> None:
    assert load(dump(ledger), ledger.version) == ledger


@given(ledgers)
def test_a_document_is_one_line_of_ascii(ledger: Ledger) -> None:
    document = dump(ledger)
    assert document.isascii()
    assert "\n" not in document


@given(times)
def test_a_time_comes_back_to_the_microsecond(moment: datetime) -> None:
    assert from_us(to_us(moment)) == moment


def readable_or_refused(document: str) -> None:
    try:
        load(document, 1)
    except UnreadableLedger:
        return


@given(ledgers, st.data())
def test_a_document_cut_or_changed_anywhere_is_read_or_refused(ledger: Ledger, data: st.DataObject) -> None:
    document = dump(ledger)
    start = data.draw(st.integers(0, len(document)))
    end = data.draw(st.integers(start, min(len(document), start + 20)))
    readable_or_refused(document[:start] + data.draw(st.text(max_size=5)) + document[end:])


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in inner for place in places(child, (*path, key)))]


@given(ledgers, junk, st.data())
def test_a_document_with_any_value_replaced_or_missing_is_read_or_refused(
    ledger: Ledger, value: Any, data: st.DataObject
) -> None:
    document = json.loads(dump(ledger))
    *path, last = data.draw(st.sampled_from([place for place in places(document) if place]))
    node = document
    for key in path:
        node = node[key]
    if data.draw(st.booleans()):
        node[last] = value
    else:
        del node[last]
    readable_or_refused(json.dumps(document))


@given(junk)
def test_any_other_json_is_read_or_refused(value: Any) -> None:
    readable_or_refused(json.dumps(value))


PAYMENT = '{"attempt":"at","amount":100,"currency":"usd","state":"open"%s}'
DOCUMENT = '{"format":1,"payments":[%s]%s}'


@pytest.mark.parametrize(
    "document",
    [
        "",
        "null",
        "[]",
        "{}",
        "NaN",
        '{"format":1}',
        '{"format":0,"payments":[]}',
        '{"format":true,"payments":[]}',
        '{"format":"1","payments":[]}',
        "[" * 100_000,
        '{"format":1,"payments":' + "[" * 100_000,
        DOCUMENT % (PAYMENT % ',"state":"unheard_of"', ""),
        DOCUMENT % (PAYMENT % ',"status":"unheard_of"', ""),
        DOCUMENT % (PAYMENT % ',"place":"unheard_of"', ""),
        DOCUMENT % (PAYMENT % ',"review":"unheard_of"', ""),
        DOCUMENT % (PAYMENT % ',"currency":"xxx"', ""),
        DOCUMENT % (PAYMENT % ',"amount":-1', ""),
        DOCUMENT % (PAYMENT % ',"amount":1.5', ""),
        DOCUMENT % (PAYMENT % ',"amount":' + "9" * 5000, ""),
        DOCUMENT % (PAYMENT % ',"look_us":9999999999999999999999', ""),
        DOCUMENT % (PAYMENT % ',"look_us":Infinity', ""),
        DOCUMENT % (PAYMENT % ',"failure":["code"]', ""),
        DOCUMENT % ("", ',"effects":[{"do":"unheard_of","attempt":"a","key":"k"}]'),
        DOCUMENT % ("", ',"effects":[{"do":"refund","attempt":"a","key":"k","sent_us":1,"due_us":1,"tries":0,"server_errors":0}]'),
        DOCUMENT % ("", ',"announcements":[{"kind":"unheard_of","booking":"b","sequence":1,"at_us":1,"due_us":1}]'),
        DOCUMENT % ("", ',"request_keys":[["one"]]'),
        "\x00",
        "\ud800",
    ],
)  # fmt: skip
def test_damage_and_what_only_a_newer_version_knows_is_refused(document: str) -> None:
    with pytest.raises(UnreadableLedger):
        load(document, 1)


def test_the_refusal_shows_nothing_long_of_the_document() -> None:
    with pytest.raises(UnreadableLedger) as caught:
        load('{"format":"' + "x" * 5000 + '"}', 1)
    assert len(str(caught.value)) < 120
