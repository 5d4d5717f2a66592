"""What users of comparable systems suffered, one test for each, through the real stripe-python on FakeStripe.

The numbers and the sources are those of the list in `PAINS`. Where the test stands elsewhere, its name says the number too.
"""

import ast
import copy
import dataclasses
import json
import re
import sys
import types
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from tests.gateway.shop import opened
from tests.support import BOOKING_ID, OWNER, PRICE, WEBHOOK_SECRET

from airport_payments.core.announcements import BookingConfirmed, DisputeClosed, PaymentDisputed, PaymentFailed
from airport_payments.core.decide.route import HANDLED, EventOutcome
from airport_payments.core.errors import (
    AmountMismatch,
    InternalError,
    InvalidRequest,
    InvalidSignature,
    StorageUnavailable,
)
from airport_payments.core.model import Booking, BookingStatus
from airport_payments.core.money import Money
from airport_payments.core.views import PaymentStatus
from airport_payments.stripe_api.signature import sign
from airport_payments.testing import Fault

PAINS = {
    1: "the webhook races the redirect or the confirm call",
    2: "the same event handled twice at the same moment",
    3: "different event types of one payment race each other",
    4: "a failure treated as final: charged, but no order",
    5: "an old failure delivered after success flips the order",
    6: "an idempotency key reused with other parameters",
    7: "several intents per order",
    8: "stripe-python's objects leak, and stopped being dicts",
    9: "an error swallowed, 200 answered, the event lost",
    10: "the webhook arrives before our row is committed",
    11: "ordering by `created` fails on ties",
    12: "the amount is not bound to the order",
    13: "the wrong currency exponent",
    14: "more than one webhook secret needed",
    15: "another application's events answered 4xx",
    16: "live and test mixed",
    17: "the hold expired, the intent stayed payable",
    18: "refunds mis-summed, the valid ticket killed",
    19: "API version skew: fields silently null",
    20: "nobody can test without a Stripe account",
    21: "disputes ignored",
    22: "the app was killed: did it succeed?",
    23: "which events to subscribe to is undocumented",
}
TESTS = Path(__file__).parents[1]
FAILED, SUCCEEDED = "payment_intent.payment_failed", "payment_intent.succeeded"


def test_every_pain_has_a_test_that_is_named_after_it() -> None:
    found = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                named = re.match(r"test_pain_(\d+)_", node.name)
                if named:
                    assert len(named[1]) == 2, f"{node.name}: two digits"
                    found.add(int(named[1]))
    assert found == set(PAINS)


def one(shop, kind: str, number: int = 0):
    return copy.deepcopy(shop.events(kind)[number])


@pytest.fixture
def declined_then_paid(shop):
    """A customer whose first card was declined, and of which the shop knows nothing yet."""
    intent_id = shop.create().payment_intent_id
    shop.fake.pay(intent_id, "4000000000000002")
    shop.fake.pay(intent_id)
    return shop


def test_pain_04_a_failure_is_not_final(declined_then_paid) -> None:
    shop = declined_then_paid
    shop.webhook(one(shop, FAILED))
    assert shop.status().payment_status in {PaymentStatus.FAILED, PaymentStatus.PENDING}
    assert shop.booking().status is BookingStatus.PENDING
    shop.webhook(one(shop, SUCCEEDED))
    assert shop.booking().status is BookingStatus.CONFIRMED


def test_pain_05_an_old_failure_after_success_changes_nothing(declined_then_paid) -> None:
    shop = declined_then_paid
    shop.webhook(one(shop, SUCCEEDED))
    assert shop.webhook(one(shop, FAILED)) is EventOutcome.UNCHANGED
    shop.tick()
    assert shop.booking().status is BookingStatus.CONFIRMED
    assert [type(a) for a in shop.heard] == [BookingConfirmed]


def test_pain_06_another_price_is_another_attempt_with_a_key_of_its_own(shop) -> None:
    first = shop.create(key="browser-1")
    shop.fake.pay(first.payment_intent_id, "4000000000000002")
    # The same again is the same intent, not the old decline.
    assert shop.create(key="browser-1").payment_intent_id == first.payment_intent_id
    shop.team(price=Money(50_000, "usd"))
    second = shop.create(amount=Money(50_000, "usd"))
    assert second.payment_intent_id != first.payment_intent_id
    creates = [r for r in shop.calls() if r.path == "/v1/payment_intents"]
    assert len({r.idempotency_key for r in creates}) == len(creates) == 2
    assert all(r.status == 200 for r in creates)


def test_pain_07_one_payable_intent_whatever_happens(shop) -> None:
    prices = [PRICE, Money(50_000, "usd"), PRICE]
    for price in prices:
        shop.team(price=price)
        shop.together(*[lambda p=price: shop.gateway.create_payment(BOOKING_ID, owner=OWNER, amount=p)] * 4)
        assert sum(i["status"] != "canceled" for i in shop.fake.intents.values()) == 1
    assert len(shop.fake.intents) == len(prices)


def test_pain_08_no_object_of_stripe_pythons_comes_out(paid) -> None:
    import stripe

    (intent_id,) = paid.fake.intents
    given = [paid.confirm(intent_id), paid.status()]
    given.append(paid.run(paid.gateway.refund(BOOKING_ID, request_id="r1")))
    paid.tick()
    given += [*paid.heard, paid.snapshot()]

    def modules(value: object) -> set[str]:
        found = {type(value).__module__.partition(".")[0]}
        if dataclasses.is_dataclass(value):
            found |= {m for f in dataclasses.fields(value) for m in modules(getattr(value, f.name))}
        elif isinstance(value, tuple | list):
            found |= {m for item in value for m in modules(item)}
        assert not isinstance(value, stripe.StripeObject)
        return found

    assert {m for value in given for m in modules(value)} <= {"airport_payments", "builtins", "datetime"}
    assert "stripe" in sys.modules  # and it was the real one that made the calls
    assert all(r.path.startswith("/v1/") for r in paid.fake.requests)


def test_pain_09_what_is_not_saved_is_not_acknowledged(paid) -> None:
    def away(*_: object) -> None:
        raise StorageUnavailable

    event = one(paid, SUCCEEDED)
    paid.hooks["save"] = away
    with pytest.raises(StorageUnavailable):
        paid.webhook(event)
    paid.hooks.clear()
    assert paid.webhook(event) is EventOutcome.APPLIED
    assert paid.booking().status is BookingStatus.CONFIRMED


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("skew_s", [-3600, 0, 3600])
def test_pain_11_created_decides_no_order(declined_then_paid, order, skew_s) -> None:
    shop = declined_then_paid
    failed, succeeded = one(shop, FAILED), one(shop, SUCCEEDED)
    failed["created"] = succeeded["created"] + skew_s
    for event in [failed, succeeded][::order]:
        shop.webhook(event)
    assert shop.booking().status is BookingStatus.CONFIRMED


def test_pain_12_the_price_is_the_bookings(shop) -> None:
    with pytest.raises(AmountMismatch):
        shop.create(amount=Money(100, "usd"))
    assert not shop.fake.intents
    intent_id = shop.create().payment_intent_id
    shop.fake.pay(intent_id)
    shop.team(price=Money(90_000, "usd"))
    shop.webhook(one(shop, SUCCEEDED))
    assert shop.booking().status is BookingStatus.PENDING
    assert shop.status().payment_status is PaymentStatus.REVIEW


@pytest.mark.parametrize(
    ("text", "currency", "sent"), [("6000", "JPY", 6000), ("60.00", "USD", 6000), ("6.000", "KWD", 6000)]
)
def test_pain_13_what_is_sent_is_what_was_quoted(colour, text, currency, sent) -> None:
    price = Money.from_major(text, currency)
    with opened(colour, Booking(BOOKING_ID, OWNER, price)) as shop:
        intent_id = shop.create(amount=price).payment_intent_id
        assert shop.fake.intents[intent_id]["amount"] == sent
    for wrong in ("60.001", "1e3x", "60,00"):
        with pytest.raises(InvalidRequest):
            Money.from_major(wrong, currency if currency != "KWD" else "USD")


def test_pain_14_a_gateway_takes_what_any_of_its_secrets_signed(colour) -> None:
    new = "whsec_the_secret_after_rolling"
    with opened(colour) as shop:
        shop.settings = dataclasses.replace(shop.settings, webhook_secrets=(new, WEBHOOK_SECRET))
        shop.gateway = shop.new_gateway()
        shop.fake.pay(shop.create().payment_intent_id)
        body, by_the_old = shop.signed(one(shop, SUCCEEDED))
        by_the_new, by_another = (sign(body, s, timestamp=int(shop.now.timestamp())) for s in (new, new[::-1]))
        assert shop.run(shop.gateway.handle_webhook(body, by_the_old)) is EventOutcome.APPLIED
        assert shop.run(shop.gateway.handle_webhook(body, by_the_new)) is EventOutcome.UNCHANGED
        with pytest.raises(InvalidSignature):
            shop.run(shop.gateway.handle_webhook(body, by_another))


def test_pain_15_another_applications_events_are_acknowledged(paid) -> None:
    before = paid.snapshot()
    event = one(paid, SUCCEEDED)
    for metadata in ({}, {"airport_namespace": "hotel", "airport_booking": BOOKING_ID, "airport_attempt": "x"}):
        event["data"]["object"].update(id="pi_of_somebody_else", metadata=metadata)
        assert paid.webhook(event) is EventOutcome.IGNORED
    assert paid.snapshot() == before


@pytest.mark.parametrize("kind", ["payment_intent", "refund", "dispute"])
def test_pain_15_what_cannot_be_read_of_another_application_is_acknowledged(paid, kind) -> None:
    """Its currency, say, may be one that this version does not know. What is ours and cannot be read is not."""
    before = paid.snapshot()
    (intent,) = paid.fake.intents.values()
    foreign = {**intent, "id": "pi_of_somebody_else", "metadata": {}, "currency": "gold"}
    event = copy.deepcopy(one(paid, SUCCEEDED))
    if kind == "payment_intent":
        event["data"]["object"] = foreign
    else:
        event["type"] = {"refund": "refund.created", "dispute": "charge.dispute.created"}[kind]
        event["data"]["object"] = {
            "id": "re_of_somebody_else", "object": kind, "amount": 1, "currency": "gold", "metadata": {},
            "payment_intent": "pi_of_somebody_else", "status": "needs_response",
        }  # fmt: skip
    paid.fake.inject(Fault(status=200, body=json.dumps(foreign).encode()), "GET")
    assert paid.webhook(event) is EventOutcome.IGNORED
    assert paid.snapshot() == before
    event["data"]["object"]["payment_intent"] = intent["id"]
    if kind != "payment_intent":
        paid.fake.inject(Fault(status=200, body=json.dumps(event["data"]["object"]).encode()), "GET")
        with pytest.raises(InternalError):
            paid.webhook(event)


def test_pain_16_a_live_event_does_nothing_in_test_mode(paid) -> None:
    before = paid.snapshot()
    for event in paid.events():
        assert paid.webhook({**event, "livemode": True}) is EventOutcome.IGNORED
    lying = one(paid, SUCCEEDED)
    lying["data"]["object"]["livemode"] = True
    paid.webhook(lying)
    assert paid.booking().status is BookingStatus.PENDING
    assert paid.snapshot().ledger.payments[0].state == before.ledger.payments[0].state


def test_pain_19_an_event_of_another_api_version_is_said_once_and_what_is_missing_is_asked_for(paid, caplog) -> None:
    event = one(paid, SUCCEEDED)
    ours = event["api_version"]
    paid.webhook(one(paid, "payment_intent.created"))
    assert not caplog.records
    event["api_version"] = "2019-02-11"
    del event["data"]["object"]["amount_received"]
    asked = len(paid.calls("GET"))
    assert [paid.webhook(event), paid.webhook(event)] == [EventOutcome.APPLIED, EventOutcome.UNCHANGED]
    assert len(paid.calls("GET")) == asked + 2
    assert paid.booking().status is BookingStatus.CONFIRMED
    (said,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "2019-02-11" in said
    assert ours in said
    assert "doctor" in said


def test_pain_20_a_whole_booking_is_played_without_an_account(shop) -> None:
    payment = shop.create()
    assert payment.client_secret.reveal().startswith(payment.payment_intent_id)
    shop.fake.pay(payment.payment_intent_id)
    assert shop.confirm(payment.payment_intent_id).completed
    assert shop.status().payment_status is PaymentStatus.COMPLETED


def test_pain_19_while_another_thread_still_loads_stripe_python_an_event_is_applied_all_the_same(
    paid, caplog, monkeypatch
) -> None:
    event = one(paid, SUCCEEDED)
    event["api_version"] = "2019-02-11"
    with monkeypatch.context() as loading:
        loading.setitem(sys.modules, "stripe", types.ModuleType("stripe"))  # begun, and nothing in it yet
        assert paid.webhook(event) is EventOutcome.APPLIED
    assert not caplog.records
    assert paid.webhook(event) is EventOutcome.UNCHANGED
    assert any("2019-02-11" in r.getMessage() for r in caplog.records)


def test_pain_21_a_dispute_changes_the_state_and_is_announced(paid) -> None:
    (intent_id,) = paid.fake.intents
    paid.confirm(intent_id)
    dispute = paid.fake.dispute(intent_id)
    paid.webhook(one(paid, "charge.dispute.created"))
    assert paid.status().payment_status is PaymentStatus.DISPUTED
    paid.fake.close_dispute(dispute["id"], "lost")
    paid.webhook(one(paid, "charge.dispute.closed"))
    paid.tick()
    assert [type(a) for a in paid.heard] == [BookingConfirmed, PaymentDisputed, DisputeClosed]


def test_pain_22_whenever_the_app_is_killed_the_status_is_answerable_and_asking_settles_it(shop) -> None:
    assert shop.status().payment_status is PaymentStatus.PENDING
    intent_id = shop.create().payment_intent_id
    assert shop.status().payment_status is PaymentStatus.PENDING
    # It is started again, and goes on with the same PaymentIntent.
    assert shop.create().payment_intent_id == intent_id
    # It is killed after the payment, and no event has come yet: not known, and nobody is told that it failed.
    shop.fake.pay(intent_id)
    assert shop.status().payment_status is PaymentStatus.PENDING
    assert shop.confirm(intent_id).completed
    assert shop.status().payment_status is PaymentStatus.COMPLETED
    assert shop.confirm(intent_id).completed


def test_pain_23_the_events_to_subscribe_to_are_one_list_that_stripe_knows() -> None:
    from stripe.params import WebhookEndpointCreateParams

    enabled = WebhookEndpointCreateParams.__annotations__["enabled_events"]
    known = {kind for literal in get_args(enabled) for kind in get_args(literal)}
    assert set(HANDLED) <= known
    assert {SUCCEEDED, FAILED} <= set(HANDLED)


def test_a_failure_is_told_once_and_the_success_after_it_too(declined_then_paid) -> None:
    shop = declined_then_paid
    for event in shop.events() * 2:
        shop.webhook(event)
    shop.tick(after=timedelta(minutes=1))
    assert [type(a) for a in shop.heard] == [PaymentFailed, BookingConfirmed]
