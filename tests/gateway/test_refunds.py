"""Money that goes back, through the real stripe-python: full, partial, at once, from the dashboard, late failures."""

import pytest
from tests.gateway.shop import opened
from tests.support import BOOKING_ID, PRICE

from airport_payments.core.announcements import BookingCancelled, PaymentNeedsReview, PaymentRefunded, RefundFailed
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.decide.table import KEY_FORGOTTEN
from airport_payments.core.errors import (
    BookingNotFound,
    CurrencyMismatch,
    DisputedPayment,
    IdempotencyKeyReused,
    InvalidRequest,
    NothingToRefund,
    PaymentIntentMismatch,
    RefundRefused,
    RefundTooLarge,
    StripeUnavailable,
)
from airport_payments.core.model import BookingStatus, Place, Surplus
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState
from airport_payments.core.views import PaymentStatus, RefundReport
from airport_payments.testing import Fault

ALL = PRICE.amount_minor
PART = Money(10_000, "usd")


@pytest.fixture
def bought(paid):
    """A shop whose customer has paid, and which knows it."""
    for event in paid.events():
        paid.webhook(event)
    paid.tick()
    paid.heard.clear()
    return paid


def refund(shop, request_id: str = "r1", **asked):
    return shop.run(shop.gateway.refund(BOOKING_ID, request_id=request_id, **asked))


def tell(shop, kind: str = "") -> list[EventOutcome]:
    """Deliver what Stripe said of refunds and disputes so far."""
    outcomes = [shop.webhook(e) for e in shop.events(kind) if not e["type"].startswith("payment_intent")]
    shop.tick()
    return outcomes


def standing(shop) -> int:
    return sum(r["amount"] for r in shop.fake.refunds.values() if r["status"] not in {"failed", "canceled"})


def intent(shop) -> str:
    return next(iter(shop.fake.intents))


def heard(shop) -> list[type]:
    shop.tick()
    return [type(a) for a in shop.heard]


class TestFullAndPartial:
    def test_a_full_refund(self, bought) -> None:
        report = refund(bought)
        (made,) = bought.fake.refunds.values()
        assert (report.refund_id, report.state, report.amount) == (made["id"], RefundState.SUCCEEDED, PRICE)
        assert (report.rest, report.booking_status) == (Money(0, "usd"), BookingStatus.CANCELLED)
        assert (made["amount"], made["metadata"]["airport_refund"]) == (ALL, report.ref)
        assert heard(bought) == [PaymentRefunded, BookingCancelled]
        assert bought.status().payment_status is PaymentStatus.REFUNDED

    def test_the_booking_stays_where_the_team_wants_it_so(self, colour) -> None:
        with opened(colour, refund_cancels_booking=False) as shop:
            shop.fake.pay(shop.create().payment_intent_id)
            shop.confirm(intent(shop))
            assert refund(shop).booking_status is BookingStatus.CONFIRMED

    def test_several_partial_ones(self, bought) -> None:
        for number in range(3):
            report = refund(bought, f"r{number}", amount=PART)
        assert report.rest == Money(ALL - 3 * PART.amount_minor, "usd")
        assert standing(bought) == 3 * PART.amount_minor
        assert bought.status().payment_status is PaymentStatus.PARTIALLY_REFUNDED
        with pytest.raises(RefundTooLarge):
            refund(bought, "r9", amount=PRICE)
        refund(bought, "r10")
        assert standing(bought) == ALL
        assert bought.booking().status is BookingStatus.CANCELLED

    def test_events_of_our_own_refund_change_nothing_more(self, bought) -> None:
        refund(bought)
        assert set(tell(bought)) <= {EventOutcome.UNCHANGED, EventOutcome.IGNORED}
        assert heard(bought) == [PaymentRefunded, BookingCancelled]

    def test_the_same_request_again_gives_nothing_back(self, bought) -> None:
        first = refund(bought, amount=PART)
        for _ in range(3):
            assert refund(bought, amount=PART) == first
        assert len(bought.fake.refunds) == 1


class TestAtOnce:
    def test_s11_of_thirty_two_full_refunds_exactly_one_stands(self, bought) -> None:
        calls = [lambda n=n: bought.gateway.refund(BOOKING_ID, request_id=f"r{n}") for n in range(32)]
        results = bought.together(*calls)
        assert sum(isinstance(r, RefundReport) for r in results) == 1
        assert {type(r) for r in results} == {RefundReport, NothingToRefund}
        assert (len(bought.fake.refunds), standing(bought)) == (1, ALL)

    def test_thirty_two_copies_of_one_request_are_one_refund(self, bought) -> None:
        calls = [lambda: bought.gateway.refund(BOOKING_ID, request_id="same", amount=PART)] * 32
        results = bought.together(*calls)
        assert len({r.refund_id for r in results}) == 1
        assert len(bought.fake.refunds) == 1

    def test_partial_ones_at_once_never_exceed_what_was_collected(self, bought) -> None:
        calls = [lambda n=n: bought.gateway.refund(BOOKING_ID, request_id=f"r{n}", amount=PART) for n in range(8)]
        results = bought.together(*calls)
        assert sum(isinstance(r, RefundReport) for r in results) == 4
        assert {type(r) for r in results} == {RefundReport, RefundTooLarge}
        assert standing(bought) == 4 * PART.amount_minor

    def test_a_refund_races_the_dashboards_and_all_the_events(self, bought) -> None:
        bought.fake.refund(intent(bought), 30_000)
        with pytest.raises((NothingToRefund, RefundTooLarge, RefundRefused)):
            refund(bought)  # we do not know of it yet; Stripe does
        tell(bought)
        assert refund(bought, "r2").amount == Money(ALL - 30_000, "usd")
        assert standing(bought) == ALL
        assert bought.booking().status is BookingStatus.CANCELLED


class TestDashboard:
    @pytest.mark.parametrize("order", [1, -1])
    def test_they_are_picked_up_from_events_in_any_order(self, bought, order) -> None:
        for _ in range(2):
            bought.fake.refund(intent(bought), PART.amount_minor)
        events = (bought.events() + bought.events("refund") + bought.events("charge"))[::order]
        for event in events * 2:
            bought.webhook(event)
        bought.tick()
        (payment,) = bought.snapshot().ledger.payments
        assert sorted(r.refund_id for r in payment.refunds) == sorted(bought.fake.refunds)
        assert payment.rest_minor == ALL - 2 * PART.amount_minor
        assert heard(bought) == [PaymentRefunded] * 2

    def test_pain_18_charge_refunded_alone_is_enough_and_is_not_added_up(self, bought) -> None:
        for _ in range(2):
            bought.fake.refund(intent(bought), PART.amount_minor)
        for event in bought.events("charge.refunded") * 3:
            bought.webhook(event)
        bought.tick()
        assert bought.snapshot().ledger.payments[0].rest_minor == ALL - 2 * PART.amount_minor

    def test_a_full_one_cancels_the_booking(self, bought) -> None:
        bought.fake.refund(intent(bought))
        tell(bought)
        assert bought.booking().status is BookingStatus.CANCELLED


class TestLateFailures:
    def test_one_that_fails_after_it_succeeded_is_told_and_waits_for_a_person(self, bought) -> None:
        made = refund(bought)
        bought.fake.fail_refund(made.refund_id)
        tell(bought)
        assert heard(bought) == [PaymentRefunded, BookingCancelled, RefundFailed, PaymentNeedsReview]
        assert bought.snapshot().ledger.payments[0].place is Place.REVIEW
        bought.run(bought.gateway.resolve(BOOKING_ID, intent(bought), "refund", by="op-1"))
        bought.tick()
        assert standing(bought) == ALL
        assert bought.snapshot().ledger.payments[0].place is Place.REFUNDED

    def test_a_pending_one_is_found_succeeded_without_any_event(self, bought) -> None:
        bought.fake.hold_refunds()
        made = refund(bought)
        assert made.state is RefundState.PENDING
        bought.fake.settle_refund(made.refund_id)
        bought.pass_time(bought.snapshot().ledger.payments[0].refunds_at - bought.now)
        assert heard(bought)[-1] is PaymentRefunded
        assert refund(bought).state is RefundState.SUCCEEDED


class TestStripeDoesNotAnswer:
    def test_an_answer_that_is_lost_is_replayed_and_the_refund_is_one(self, bought) -> None:
        bought.fake.inject(Fault.connection_lost(), "POST", "/v1/refunds", times=3, after_effect=True)
        with pytest.raises(StripeUnavailable):
            refund(bought)
        assert refund(bought).state is RefundState.SUCCEEDED
        assert len(bought.fake.refunds) == 1

    def test_an_event_of_ours_before_our_own_answer_is_ours(self, bought) -> None:
        bought.fake.inject(Fault.connection_lost(), "POST", "/v1/refunds", times=3, after_effect=True)
        with pytest.raises(StripeUnavailable):
            refund(bought)
        tell(bought)
        (found,) = bought.snapshot().ledger.payments[0].refunds
        assert (found.state, found.refund_id) == (RefundState.SUCCEEDED, next(iter(bought.fake.refunds)))
        assert not bought.snapshot().ledger.effects
        posts = len(bought.calls())
        assert refund(bought).refund_id == found.refund_id
        assert len(bought.calls()) == posts

    def test_a_stored_500_is_looked_for_and_gets_another_key_after_25_hours(self, bought) -> None:
        def keys() -> list[str]:
            return sorted({r.idempotency_key for r in bought.calls() if r.path == "/v1/refunds"})

        bought.fake.inject(Fault.response(500, {"type": "api_error"}), "POST", "/v1/refunds", times=6)
        with pytest.raises(StripeUnavailable):
            refund(bought)
        start = bought.now
        bought.gateway = bought.new_gateway()  # whose circuit is closed
        bought.tick(after=bought.snapshot().ledger.effects[0].due_at - bought.now)
        bought.fake.clear_faults()
        posts = len(bought.calls())
        for _ in range(200):
            bought.pass_time(bought.snapshot().ledger.effects[0].due_at - bought.now)
            if bought.now >= start + KEY_FORGOTTEN:
                break
            bought.tick()
        assert (len(bought.calls()), keys(), standing(bought)) == (posts, ["airport/attempt1/refund/0"], 0)
        bought.tick()
        assert (keys()[1:], standing(bought)) == (["airport/attempt1/refund/1"], ALL)


class TestErrors:
    @pytest.mark.parametrize(
        ("asked", "error", "code"),
        [
            ({"amount": Money(ALL + 1, "usd")}, RefundTooLarge, "refund_too_large"),
            ({"amount": Money(0, "usd")}, InvalidRequest, "invalid_request"),
            ({"amount": Money(100, "eur")}, CurrencyMismatch, "currency_mismatch"),
            ({"amount": 100}, InvalidRequest, "invalid_request"),
            ({"payment_id": "pi_00000000guess"}, PaymentIntentMismatch, "payment_intent_mismatch"),
            ({"payment_id": "pi 1"}, InvalidRequest, "invalid_request"),
            ({"reason": "because"}, InvalidRequest, "invalid_request"),
            ({"request_id": ""}, InvalidRequest, "invalid_request"),
            ({"owner": "mallory"}, BookingNotFound, "booking_not_found"),
            ({"owner": ""}, InvalidRequest, "invalid_request"),
        ],
    )
    def test_each_is_typed_and_writes_and_asks_nothing(self, bought, asked, error, code) -> None:
        before, posts = bought.snapshot(), len(bought.calls())
        with pytest.raises(error) as caught:
            refund(bought, **{"request_id": "r1", **asked})
        assert caught.value.code == code
        assert (bought.snapshot(), len(bought.calls())) == (before, posts)

    def test_while_pending(self, shop) -> None:
        shop.create()
        with pytest.raises(NothingToRefund) as caught:
            refund(shop)
        assert caught.value.code == "nothing_to_refund"

    def test_of_a_booking_that_does_not_exist(self, bought) -> None:
        with pytest.raises(BookingNotFound):
            bought.run(bought.gateway.refund("BK-404", request_id="r1"))

    def test_a_request_id_of_another_refund(self, bought) -> None:
        refund(bought, amount=PART)
        with pytest.raises(IdempotencyKeyReused) as caught:
            refund(bought)
        assert caught.value.code == "idempotency_key_reused"

    @pytest.mark.parametrize("known", [True, False])
    def test_a_disputed_payment_with_the_reason(self, bought, known) -> None:
        bought.fake.dispute(intent(bought))
        if known:
            tell(bought)
        with pytest.raises(DisputedPayment) as caught:
            refund(bought)
        assert caught.value.code == "payment_disputed"
        assert standing(bought) == 0

    def test_what_the_dashboard_gave_back_already(self, bought) -> None:
        bought.fake.refund(intent(bought))
        with pytest.raises(NothingToRefund):
            refund(bought)
        bought.tick()
        assert bought.booking().status is BookingStatus.CANCELLED


class TestSurplus:
    def test_rule_7_late_money_goes_back_at_once_where_the_team_wants_it_so(self, colour) -> None:
        with opened(colour, surplus=Surplus.REFUND) as shop:
            shop.fake.pay(shop.create().payment_intent_id)
            shop.team(status=BookingStatus.CANCELLED)
            events = shop.events("payment_intent.succeeded")
            posts = len(shop.calls())
            assert shop.webhook(events[0]) is EventOutcome.APPLIED
            assert len(shop.calls()) == posts  # rule 10: a webhook performs nothing
            shop.tick()
            assert standing(shop) == ALL
            shop.webhook(events[0])
            shop.tick()
            assert len(shop.fake.refunds) == 1
            assert heard(shop) == [PaymentRefunded]
