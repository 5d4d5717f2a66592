"""The ledger's document: whatever a ledger holds comes back, and damage is UnreadableLedger, never another error."""

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airport_payments.core.announcements import KINDS, Announcement, DeadLetter, Delivery, Pending
from airport_payments.core.codec import UnreadableLedger, dump, from_us, load, to_us
from airport_payments.core.commands import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    Effect,
)
from airport_payments.core.dispute import Dispute, DisputeStatus
from airport_payments.core.model import (
    CancelReason,
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
from airport_payments.core.options import FutureUsage, PaymentOptions
from airport_payments.core.refund import Refund, RefundState

LATER = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

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


amounts = st.integers(0, MAX_AMOUNT_MINOR)
refunds = st.builds(
    Refund, ids, amounts, st.sampled_from(RefundState), st.none() | ids, st.none() | st.tuples(texts, texts),
    st.none() | texts, maybe_time,
)  # fmt: skip
disputes = st.builds(
    Dispute, ids, amounts, texts, st.sampled_from(DisputeStatus), texts, maybe_time,
    st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip


@st.composite
def payments(draw: st.DrawFn) -> Payment:
    return Payment(
        draw(ids),
        draw(money()),
        draw(st.sampled_from(PaymentState)),
        draw(st.none() | ids),
        draw(st.none() | st.sampled_from(IntentStatus)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.none() | st.builds(Failure, texts, texts, st.none() | texts, st.none() | texts)),
        draw(st.sampled_from(Place)),
        draw(st.none() | st.sampled_from(ReviewReason)),
        draw(amounts),
        tuple(draw(st.lists(texts, max_size=4))),
        draw(maybe_time),
        draw(maybe_time),
        draw(counts),
        draw(counts),
        tuple(draw(st.lists(refunds, max_size=2))),
        draw(counts),
        draw(maybe_time),
        draw(counts),
        tuple(draw(st.lists(disputes, max_size=2))),
        draw(st.none() | amounts),
        draw(counts),
        draw(st.none() | st.sampled_from(sorted(EXPONENTS))),
        draw(counts),
    )


options = st.builds(
    PaymentOptions,
    customer_id=st.just("cus_1"),
    receipt_email=st.none() | st.just("a@example.org"),
    description=st.none() | st.text("abcä ", min_size=1).filter(str.strip),
    statement_descriptor_suffix=st.none() | st.just("PARKING"),
    metadata=st.dictionaries(
        st.text("abc", min_size=1, max_size=5), st.text("xyzß", min_size=1, max_size=5), max_size=3
    ),
    setup_future_usage=st.none() | st.sampled_from(FutureUsage),
    return_url=st.none() | st.just("https://airport.example/back"),
)
ending = (texts, times, times, counts, counts)
effects: st.SearchStrategy[Effect] = (
    st.builds(CreateIntent, ids, ids, texts, money(), *ending, st.booleans(), st.none() | options, st.booleans())
    | st.builds(ConfirmIntent, ids, ids, ids, st.none() | texts, *ending)
    | st.builds(CancelIntent, ids, ids, *ending)
    | st.builds(CaptureIntent, ids, ids, amounts, *ending)
    | st.builds(CreateRefund, ids, ids, ids, texts, ids, amounts, st.none() | texts, *ending)
)
# By the kind of a field, so that an announcement that is added is drawn without a word here.
of_field = {
    "str": texts,
    "str | None": st.none() | texts,
    "int": amounts,
    "Money": money(),
    "datetime": times,
    "datetime.datetime | None": maybe_time,
}


def announcement(kind: type[Announcement]) -> st.SearchStrategy[Announcement]:
    own = {f.name: of_field[getattr(f.type, "__name__", str(f.type))] for f in fields(kind)}
    return st.builds(kind, **own)


announcements = st.one_of([announcement(kind) for kind in KINDS.values()])
deliveries = st.builds(Delivery, texts, times, counts)
letters = st.builds(DeadLetter, announcements, texts, counts, times, texts)
ledgers = st.builds(
    Ledger,
    counts,
    st.lists(payments(), max_size=3).map(tuple),
    st.lists(effects, max_size=3).map(tuple),
    st.lists(st.builds(Pending, announcements, st.lists(deliveries, max_size=2).map(tuple)), max_size=3).map(tuple),
    counts,
    st.lists(st.builds(RequestKey, texts, texts), max_size=3).map(tuple),
    st.none() | st.sampled_from(CancelReason),
    dead_letters=st.lists(letters, max_size=2).map(tuple),
)


@given(ledgers)
def test_a_ledger_comes_back_as_it_was(ledger: Ledger) -> None:
    assert load(dump(ledger), ledger.version) == ledger


def test_every_field_of_a_payment_a_refund_and_a_dispute_is_kept() -> None:
    """A field that is added has to be written: one that is set and not its default comes back."""
    refund = Refund("a.0", 5, RefundState.PENDING, "re_1", ("hash", "hash2"), "why", LATER)
    dispute = Dispute("dp_1", 5, "eur", DisputeStatus.LOST, "fraudulent", LATER, True, True, True)
    failure = Failure("code", "message", "decline", "ch_1")
    whole = Payment(
        "a", Money(100, "usd"), PaymentState.SUCCEEDED, "pi_1", IntentStatus.SUCCEEDED, True, True, failure, Place.REVIEW,
        ReviewReason.LATE, 99, ("news",), LATER, LATER, 1, 2, (refund,), 3, LATER, 4, (dispute,), 5, 6, "eur", 7,
    )  # fmt: skip
    ledger = Ledger(1, (whole,), cancelling=CancelReason.EXPIRED)
    for value in (whole, refund, dispute):
        unset = [f.name for f in fields(value) if getattr(value, f.name) == f.default]
        assert not unset, f"{type(value).__name__}: set {unset} here"
    assert load(dump(ledger), 1) == ledger


def test_a_ledger_of_before_refunds_is_read() -> None:
    document = DOCUMENT % (PAYMENT % ',"place":"attached","received":100,"closes":1', "")
    (payment,) = load(document, 1).payments
    assert (payment.received_minor, payment.closes, payment.refunds, payment.disputes) == (100, 1, (), ())


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
        DOCUMENT % (PAYMENT % ',"refunds":[{"ref":"r","amount":1,"state":"unheard_of"}]', ""),
        DOCUMENT % (PAYMENT % ',"refunds":[{"ref":"r"}]', ""),
        DOCUMENT % (PAYMENT % ',"disputes":[{"id":"dp_1","amount":1,"currency":"usd","status":"unheard_of","reason":"r"}]', ""),
        DOCUMENT % ("", ',"cancelling":"unheard_of"'),
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
