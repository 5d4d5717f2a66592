"""Whose event it is, and what becomes of it: rules 6, 8 and 10; pains 8, 10, 15, 16 and 19."""

import copy
import json
import logging

import pytest
from tests.support import WEBHOOK_SECRET

from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import (
    InternalError,
    InvalidSignature,
    Misconfigured,
    StorageUnavailable,
    StripeUnavailable,
)
from airport_payments.core.model import BookingStatus
from airport_payments.stripe_api.events import construct_event
from airport_payments.testing import Fault

SUCCEEDED = "payment_intent.succeeded"


@pytest.fixture
def event(paid):
    return copy.deepcopy(paid.events(SUCCEEDED)[0])


def levels(caplog) -> list[str]:
    return [r.levelname for r in caplog.records if r.name == "airport_payments"]


def test_a_signed_event_confirms_the_booking(paid, event) -> None:
    assert paid.webhook(event) is EventOutcome.APPLIED
    assert paid.booking().status is BookingStatus.CONFIRMED


def test_pain_10_an_event_before_our_own_answer_finds_its_attempt(shop) -> None:
    """The create's answer is lost, then the event arrives."""
    shop.fake.inject(Fault.connection_lost(), "POST", "/v1/payment_intents", times=3, after_effect=True)
    with pytest.raises(StripeUnavailable):
        shop.create()
    (intent_id,) = shop.fake.intents
    shop.fake.pay(intent_id)
    assert shop.webhook(shop.events(SUCCEEDED)[0]) is EventOutcome.APPLIED
    assert shop.booking().status is BookingStatus.CONFIRMED
    assert not shop.snapshot().ledger.effects


class TestNothingIsWritten:
    @pytest.fixture(autouse=True)
    def unchanged(self, paid):
        before = paid.snapshot()
        yield
        assert paid.snapshot() == before

    def test_s9_a_forged_event(self, paid, event) -> None:
        body, header = paid.signed(event)
        for forged in ((body + b" ", header), (body, header[:-1] + "0"), (body, None), (body, "")):
            if forged[1] == header and forged[0] == body:
                continue
            with pytest.raises(InvalidSignature):
                paid.run(paid.gateway.handle_webhook(*forged))

    def test_a_stale_event_by_the_gateways_own_clock(self, paid, event) -> None:
        from datetime import timedelta

        body, header = paid.signed(event)
        for skew in (timedelta(seconds=301), timedelta(seconds=-602)):
            paid.pass_time(skew)
            with pytest.raises(InvalidSignature):
                paid.run(paid.gateway.handle_webhook(body, header))

    def test_a_signed_body_that_is_no_event(self, paid) -> None:
        for body in ({}, [], None, 1, "x", {"id": "evt_1"}):
            with pytest.raises(InvalidSignature):
                paid.webhook(body)

    def test_a_signed_body_with_nan_is_not_json(self, paid, event) -> None:
        event["data"]["object"]["amount_capturable"] = float("nan")
        with pytest.raises(InvalidSignature):
            paid.webhook(event)

    @pytest.mark.parametrize(
        ("change", "level"),
        [
            ({"type": "charge.succeeded"}, "DEBUG"),
            ({"type": "customer.created"}, "DEBUG"),
            ({"livemode": True}, "ERROR"),
            ({"account": "acct_other"}, "ERROR"),
            ({"context": "acct_org"}, "ERROR"),
        ],
    )
    def test_what_is_not_ours_is_ignored_and_said(self, paid, event, caplog, change, level) -> None:
        caplog.set_level(logging.DEBUG, "airport_payments")
        assert paid.webhook({**event, **change}) is EventOutcome.IGNORED
        assert levels(caplog) == [level]
        assert not list(paid.calls("GET"))

    def test_another_namespace_is_ignored_quietly(self, paid, event, caplog) -> None:
        caplog.set_level(logging.DEBUG, "airport_payments")
        event["data"]["object"]["metadata"]["airport_namespace"] = "hotel"
        assert paid.webhook(event) is EventOutcome.IGNORED
        assert levels(caplog) == ["DEBUG"]

    def test_no_metadata_and_unknown_is_another_applications(self, paid, event, caplog) -> None:
        caplog.set_level(logging.DEBUG, "airport_payments")
        event["data"]["object"].update(metadata={}, id="pi_of_somebody_else")
        assert paid.webhook(event) is EventOutcome.IGNORED
        assert levels(caplog) == ["DEBUG"]

    def test_ours_but_of_no_booking_is_unmatched_and_an_error(self, paid, event, caplog) -> None:
        event["data"]["object"]["metadata"]["airport_booking"] = "BK-404"
        event["data"]["object"]["id"] = "pi_that_no_booking_has"
        assert paid.webhook(event) is EventOutcome.UNMATCHED
        assert levels(caplog) == ["ERROR"]
        assert "BK-404" in caplog.text

    def test_storage_away_is_not_acknowledged(self, paid, event) -> None:
        def away(*_: object, **__: object) -> None:
            raise StorageUnavailable

        for method in ("get", "save"):
            paid.hooks = {method: away}
            with pytest.raises(StorageUnavailable):
                paid.webhook(event)
        paid.hooks = {}


def test_after_the_storage_is_back_the_same_event_is_applied(paid, event) -> None:
    def away(*_: object, **__: object) -> None:
        raise StorageUnavailable

    paid.hooks["save"] = away
    with pytest.raises(StorageUnavailable):
        paid.webhook(event)
    paid.hooks.clear()
    assert paid.webhook(event) is EventOutcome.APPLIED


def test_no_metadata_but_one_of_our_intents_is_ours(paid, event) -> None:
    event["data"]["object"]["metadata"] = {}
    assert paid.webhook(event) is EventOutcome.APPLIED
    assert paid.booking().status is BookingStatus.CONFIRMED


def test_metadata_that_name_no_booking_any_more_do_not_hide_whose_intent_it_is(paid, event) -> None:
    event["data"]["object"]["metadata"]["airport_booking"] = "BK-404"
    assert paid.webhook(event) is EventOutcome.APPLIED
    assert paid.booking().status is BookingStatus.CONFIRMED


def test_metadata_that_names_another_booking_does_not_pay_that_one(colour) -> None:
    from tests.gateway.shop import opened
    from tests.support import OWNER, PRICE

    from airport_payments.core.model import Booking

    with opened(colour, Booking("BK-1", OWNER, PRICE), Booking("BK-2", OWNER, PRICE)) as shop:
        shop.fake.pay(shop.create("BK-1").payment_intent_id)
        event = copy.deepcopy(shop.events(SUCCEEDED)[0])
        event["data"]["object"]["metadata"]["airport_booking"] = "BK-2"
        assert shop.webhook(event) is EventOutcome.APPLIED
        assert shop.booking("BK-1").status is BookingStatus.CONFIRMED
        assert shop.booking("BK-2").status is BookingStatus.PENDING
        assert shop.snapshot("BK-2").ledger.version == 0


def test_a_deleted_booking_is_unmatched(paid, event) -> None:
    paid.memory._bookings.clear()
    assert paid.webhook(event) is EventOutcome.UNMATCHED


class TestAnotherVersionsEvent:
    """An authentic event whose fields this version cannot read is fetched, never called forged: pain 19."""

    @pytest.fixture(params=["a status of tomorrow", "an amount of another kind", "a missing field"])
    def unreadable(self, request, event):
        obj = event["data"]["object"]
        if request.param == "a status of tomorrow":
            obj["status"] = "requires_telepathy"
        elif request.param == "an amount of another kind":
            obj["amount"] = {"value": 45099}
        else:
            del obj["amount_received"]
        return event

    def test_its_object_is_fetched(self, paid, unreadable) -> None:
        assert paid.webhook(unreadable) is EventOutcome.APPLIED
        assert paid.booking().status is BookingStatus.CONFIRMED
        assert len(paid.calls("GET")) == 1

    @pytest.mark.parametrize(
        ("marks", "expected"),
        [
            ({"airport_namespace": "hotel"}, EventOutcome.IGNORED),
            ({"airport_booking": "BK-404", "id": "pi_of_a_deleted_booking"}, EventOutcome.UNMATCHED),
        ],
    )
    def test_what_was_fetched_says_whose_it_is(self, paid, unreadable, marks, expected) -> None:
        """An event's head may show no marks at all; the object that Stripe then shows is another application's."""
        unreadable["data"]["object"]["metadata"] = 7
        (intent,) = paid.fake.intents.values()
        unreadable["data"]["object"]["id"] = marks.get("id", intent["id"])
        shown = {**intent, "id": marks.get("id", intent["id"]), "metadata": {**intent["metadata"], **marks}}
        paid.fake.inject(Fault(status=200, body=json.dumps(shown).encode()), "GET")
        assert paid.webhook(unreadable) is expected
        assert paid.booking().status is BookingStatus.PENDING

    def test_stripe_away_is_not_acknowledged(self, paid, unreadable) -> None:
        paid.fake.inject(Fault.connection_lost(), "GET", times=9)
        with pytest.raises(StripeUnavailable):
            paid.webhook(unreadable)
        paid.fake.clear_faults()
        assert paid.webhook(unreadable) is EventOutcome.APPLIED

    def test_a_refused_key_is_not_acknowledged(self, paid, unreadable) -> None:
        paid.fake.inject(Fault.response(401, {"type": "invalid_request_error"}), "GET", times=9)
        with pytest.raises(Misconfigured):
            paid.webhook(unreadable)

    def test_what_cannot_be_read_even_then_is_not_acknowledged(self, paid, unreadable) -> None:
        paid.fake.inject(Fault(status=200, body=b'{"id": "pi_x"}'), "GET", times=9)
        with pytest.raises(InternalError):
            paid.webhook(unreadable)

    def test_one_that_does_not_exist_here_is_ignored_with_an_alarm(self, paid, unreadable, caplog) -> None:
        unreadable["data"]["object"]["id"] = "pi_does_not_exist"
        assert paid.webhook(unreadable) is EventOutcome.IGNORED
        assert "ERROR" in levels(caplog)

    def test_an_object_without_an_id_is_not_asked_for(self, paid, unreadable) -> None:
        for wrong in ("", "..", "pi_", "pi_x/../../charges", "ch_00000000"):
            unreadable["data"]["object"]["id"] = wrong
            assert paid.webhook(unreadable) is EventOutcome.IGNORED
        assert not paid.calls("GET")


class TestHandleEvent:
    """Events that were verified elsewhere: by `construct_event`, or by a queue that only Stripe can fill."""

    def envelope(self, kind: str, event):
        if kind == "eventbridge":
            return {"version": "0", "detail-type": event["type"], "source": "aws.partner/stripe.com", "detail": event}
        if kind == "eventgrid":
            return {"specversion": "1.0", "type": event["type"], "source": "/stripe", "data": event}
        return event

    @pytest.mark.parametrize("kind", ["bare", "eventbridge", "eventgrid"])
    def test_envelopes(self, paid, event, kind) -> None:
        message = json.dumps(self.envelope(kind, event))
        assert paid.handle(message) is EventOutcome.APPLIED
        assert paid.handle(message.encode()) is EventOutcome.UNCHANGED

    def test_an_event_that_construct_event_returned(self, paid, event) -> None:
        body, header = paid.signed(event)
        built = construct_event(body, header, WEBHOOK_SECRET, now=paid.now.timestamp())
        assert paid.handle(built) is EventOutcome.APPLIED

    @pytest.mark.parametrize("message", [b"", b"{", b"[]", b'{"detail": {}, "detail-type": "x"}', "\ud800", b"\xff"])
    def test_what_is_no_event_is_refused(self, shop, message) -> None:
        with pytest.raises(InvalidSignature):
            shop.handle(message)


def test_an_open_stray_event_is_adopted_and_cancelled_by_the_next_tick(shop) -> None:
    """A restored backup: Stripe knows an intent with our marks that the tables do not."""
    intent_id = shop.create().payment_intent_id
    event = shop.events("payment_intent.created")[0]
    with_nothing = type(shop)("async" if shop.asynchronous else "sync")
    try:
        with_nothing.fake = shop.fake
        with_nothing.gateway = with_nothing.new_gateway()
        assert with_nothing.webhook(event) is EventOutcome.APPLIED
        with_nothing.tick()
        assert shop.fake.intents[intent_id]["status"] == "canceled"
    finally:
        with_nothing.close()
