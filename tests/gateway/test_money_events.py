"""Disputes, and events about money: whose they are, in which order they come, what is fetched: rules 8 and 10."""

import copy
import json

import pytest
from tests.gateway.shop import opened
from tests.support import BOOKING_ID, OWNER, PRICE

from airport_payments.core.announcements import DisputeClosed, PaymentDisputed
from airport_payments.core.decide.route import HANDLED, EventOutcome
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.errors import InternalError, Misconfigured, StripeUnavailable
from airport_payments.core.model import Booking, BookingStatus, Place
from airport_payments.core.views import PaymentStatus
from airport_payments.testing import Fault


@pytest.fixture
def bought(paid):
    """A shop whose customer has paid, and which knows it."""
    for event in paid.events():
        paid.webhook(event)
    paid.tick()
    paid.heard.clear()
    return paid


def intent(shop) -> str:
    return next(iter(shop.fake.intents))


def payment(shop):
    return shop.snapshot().ledger.payments[0]


def gets(shop) -> int:
    return len(shop.calls("GET"))


class TestDisputes:
    def test_the_life_of_one(self, bought) -> None:
        dispute = bought.fake.dispute(intent(bought))
        for event in bought.events("charge.dispute"):
            bought.webhook(event)
        (known,) = payment(bought).disputes
        assert (known.dispute_id, known.status, known.withdrawn) == (dispute["id"], DisputeStatus.NEEDS_RESPONSE, True)
        assert known.due_by.timestamp() == dispute["evidence_details"]["due_by"]
        assert bought.status().payment_status is PaymentStatus.DISPUTED
        bought.fake.answer_dispute(dispute["id"])
        bought.fake.close_dispute(dispute["id"], "won")
        for event in bought.events("charge.dispute"):
            bought.webhook(event)
        (known,) = payment(bought).disputes
        assert (known.status, known.reinstated) == (DisputeStatus.WON, True)
        assert bought.status().payment_status is PaymentStatus.COMPLETED
        assert bought.booking().status is BookingStatus.CONFIRMED
        bought.tick()
        assert [type(a) for a in bought.heard] == [PaymentDisputed, DisputeClosed]
        assert bought.heard[0].due_by == known.due_by or bought.heard[0].due_by is not None

    @pytest.mark.parametrize("outcome", ["won", "lost"])
    def test_its_events_in_the_wrong_order_and_twice_end_the_same(self, bought, outcome) -> None:
        dispute = bought.fake.dispute(intent(bought))
        bought.fake.close_dispute(dispute["id"], outcome)
        for event in bought.events("charge.dispute")[::-1] * 2:
            bought.webhook(event)
        (known,) = payment(bought).disputes
        assert (known.status, known.withdrawn) == (outcome, True)
        bought.tick()
        assert [type(a) for a in bought.heard] == [DisputeClosed]

    def test_an_unknown_charge_is_another_applications(self, bought) -> None:
        bought.fake.dispute(intent(bought))
        event = copy.deepcopy(bought.events("charge.dispute.created")[0])
        event["data"]["object"].update(payment_intent=None, charge="ch_somebody")
        before = bought.snapshot()
        assert bought.webhook(event) is EventOutcome.IGNORED
        assert bought.snapshot() == before

    def test_32_copies_of_one_event_are_one_announcement(self, bought) -> None:
        bought.fake.dispute(intent(bought))
        body, header = bought.signed(bought.events("charge.dispute.created")[0])
        results = bought.together(*[lambda: bought.gateway.handle_webhook(body, header)] * 32)
        assert sorted(results) == sorted([EventOutcome.APPLIED] + [EventOutcome.UNCHANGED] * 31)
        bought.tick()
        assert len(bought.heard) == 1


class TestOfAnIntentThatIsNotKnown:
    """Rule 10: the PaymentIntent is fetched once, and its metadata say whose it is."""

    @pytest.fixture
    def events(self, bought):
        bought.fake.refund(intent(bought), 100)
        bought.fake.dispute(intent(bought))
        kinds = ("refund.created", "charge.refunded", "charge.dispute.created")
        return {kind: copy.deepcopy(bought.events(kind)[0]) for kind in kinds}

    @pytest.fixture(params=["refund.created", "charge.refunded", "charge.dispute.created"])
    def kind(self, request) -> str:
        return request.param

    def test_another_applications_is_ignored(self, bought, events, kind) -> None:
        with opened("async" if bought.asynchronous else "sync", namespace="hotel") as hotel:
            hotel.fake = bought.fake
            hotel.gateway = hotel.new_gateway()
            before = gets(hotel)
            assert hotel.webhook(events[kind]) is EventOutcome.IGNORED
            assert gets(hotel) == before + 1
            assert hotel.snapshot().ledger.version == 0

    def test_ours_is_adopted(self, bought, events, kind) -> None:
        """A restored backup: the tables know nothing of the payment."""
        with opened("async" if bought.asynchronous else "sync") as restored:
            restored.fake = bought.fake
            restored.gateway = restored.new_gateway()
            before = gets(restored)
            assert restored.webhook(events[kind]) is EventOutcome.APPLIED
            assert gets(restored) == before + 1
            assert payment(restored).place is Place.REVIEW
            restored.tick()
            if kind != "charge.dispute.created":
                assert [r.amount_minor for r in payment(restored).refunds] == [100]
            else:
                assert len(payment(restored).disputes) == 1
            assert restored.webhook(events[kind]) is EventOutcome.UNCHANGED

    def test_ours_of_a_booking_that_does_not_exist_is_unmatched(self, bought, events, kind) -> None:
        colour = "async" if bought.asynchronous else "sync"
        with opened(colour, Booking("BK-OTHER", OWNER, PRICE)) as other:
            other.fake = bought.fake
            other.gateway = other.new_gateway()
            assert other.webhook(events[kind]) is EventOutcome.UNMATCHED

    def test_one_that_stripe_does_not_have_is_ignored_with_an_alarm(self, bought, events, kind, caplog) -> None:
        events[kind]["data"]["object"]["payment_intent"] = "pi_does_not_exist"
        assert bought.webhook(events[kind]) is EventOutcome.IGNORED
        assert "ERROR" in [r.levelname for r in caplog.records]

    def test_stripe_away_or_refusing_is_not_acknowledged(self, bought, events, kind) -> None:
        events[kind]["data"]["object"]["payment_intent"] = "pi_does_not_exist"
        bought.fake.inject(Fault.connection_lost(), "GET", times=9)
        with pytest.raises(StripeUnavailable):
            bought.webhook(events[kind])
        bought.fake.clear_faults()
        bought.fake.inject(Fault.response(401, {"type": "invalid_request_error"}), "GET", times=9)
        with pytest.raises(Misconfigured):
            bought.webhook(events[kind])

    @pytest.mark.parametrize("wrong", [None, "", "pi_", "pi_x/../../charges", "ch_00000000"])
    def test_what_is_no_id_of_an_intent_is_not_asked_for(self, bought, events, kind, wrong) -> None:
        before = gets(bought)
        events[kind]["data"]["object"]["payment_intent"] = wrong
        assert bought.webhook(events[kind]) is EventOutcome.IGNORED
        assert gets(bought) == before


class TestAnotherVersionsObject:
    """Pain 19: an object that this version cannot read is fetched as this version shows it."""

    @pytest.fixture(params=["refund.created", "charge.dispute.created"])
    def event(self, bought, request):
        bought.fake.refund(intent(bought), 100)
        bought.fake.dispute(intent(bought))
        event = copy.deepcopy(bought.events(request.param)[0])
        event["data"]["object"]["status"] = "of_tomorrow"
        return event

    def test_it_is_fetched_and_applied(self, bought, event) -> None:
        assert bought.webhook(event) is EventOutcome.APPLIED
        assert payment(bought).refunds or payment(bought).disputes

    def test_what_cannot_be_read_even_then_is_not_acknowledged(self, bought, event) -> None:
        bought.fake.inject(Fault(status=200, body=b'{"id": "x"}'), "GET", times=9)
        with pytest.raises(InternalError):
            bought.webhook(event)

    @pytest.mark.parametrize(
        "wrong", ["", "..", "re_", "dp_", "re_x/../../charges", "dp_x/../../charges", "re_ä", "dp_x\n"]
    )
    def test_what_is_no_id_of_such_an_object_is_not_asked_for(self, bought, event, wrong) -> None:
        before = gets(bought)
        event["data"]["object"]["id"] = wrong
        with pytest.raises(InternalError):
            bought.webhook(event)
        assert gets(bought) == before


@pytest.mark.parametrize(
    "kind", ["refund.created", "charge.refunded", "charge.dispute.created", "payment_intent.created"]
)
def test_an_event_that_does_not_say_what_it_is_about_is_ignored_with_an_alarm(bought, caplog, kind) -> None:
    """No other answer would be better the next time: 5xx, it would come again for days."""
    before, asked = bought.snapshot(), gets(bought)
    event = copy.deepcopy(next(iter(bought.fake.events.values())))
    for empty in ({}, {"metadata": {}}, {"id": "", "object": kind.split(".")[0]}):
        caplog.clear()
        event.update(type=kind, data={"object": empty})
        assert bought.webhook(event) is EventOutcome.IGNORED
        assert "ERROR" in [r.levelname for r in caplog.records]
    assert (bought.snapshot(), gets(bought)) == (before, asked)


def test_pain_15_none_of_them_is_ours_in_another_mode_or_of_another_account(bought, caplog) -> None:
    bought.fake.refund(intent(bought), 100)
    bought.fake.dispute(intent(bought))
    before, asked = bought.snapshot(), gets(bought)
    for event in bought.events("refund") + bought.events("charge"):
        for change in ({"livemode": True}, {"account": "acct_other"}, {"context": "org"}):
            assert bought.webhook({**event, **change}) is EventOutcome.IGNORED
    assert (bought.snapshot(), gets(bought)) == (before, asked)


def test_everything_that_stripe_tells_is_acknowledged_in_any_order(bought) -> None:
    """A life with all that this version acts on; every delivery is answered, and a second one changes nothing."""
    made = bought.fake.refund(intent(bought), 100)
    bought.fake.fail_refund(made["id"])
    dispute = bought.fake.dispute(intent(bought))
    bought.fake.close_dispute(dispute["id"], "lost")
    every = list(bought.fake.events.values())
    assert {e["type"] for e in every} & set(HANDLED) >= {"refund.failed", "charge.dispute.closed"}
    for event in every[::-1] + every:
        assert bought.webhook(event) in set(EventOutcome) - {EventOutcome.UNMATCHED}
    bought.tick()
    ledger = bought.snapshot().ledger
    for event in every:
        bought.webhook(event)
    bought.tick()
    assert bought.snapshot().ledger.payments == ledger.payments
    assert json.dumps([str(d.status) for d in payment(bought).disputes]) == '["lost"]'
    assert bought.booking(BOOKING_ID).status is BookingStatus.CONFIRMED
