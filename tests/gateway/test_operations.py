"""Cancel, expire, resolve and capture through the real stripe-python, against the clock and against each other."""

from datetime import timedelta

import pytest
from tests.gateway.shop import opened
from tests.support import BOOKING_ID, OWNER, PRICE

from airport_payments.core.announcements import (
    AuthorizationLost,
    BookingCancelled,
    BookingConfirmed,
    PaymentAuthorized,
    PaymentNeedsReview,
)
from airport_payments.core.errors import (
    AlreadyCaptured,
    BookingAlreadyPaid,
    BookingNotFound,
    BookingNotPayable,
    CaptureTooLarge,
    CurrencyMismatch,
    InvalidRequest,
    NothingToCapture,
    NotInReview,
    PaymentIntentMismatch,
    PaymentsError,
    StripeUnavailable,
)
from airport_payments.core.model import Booking, BookingStatus, PaymentState, Place, Surplus
from airport_payments.core.money import Money
from airport_payments.core.views import Cancellation, CancelOutcome, PaymentDecision
from airport_payments.testing import Fault

ALL = PRICE.amount_minor
PART = Money(10_000, "usd")


def intent(shop) -> str:
    return next(iter(shop.fake.intents))


def status_at_stripe(shop) -> str:
    return shop.fake.intents[intent(shop)]["status"]


def cancel(shop, **named):
    return shop.run(shop.gateway.cancel(BOOKING_ID, **named))


def resolve(shop, resolution: str, payment_id: str | None = None):
    return shop.run(shop.gateway.resolve(BOOKING_ID, payment_id or intent(shop), resolution, by="op-1"))


def capture(shop, **named):
    return shop.run(shop.gateway.capture(BOOKING_ID, **named))


def heard(shop) -> list[type]:
    shop.tick()
    return [type(a) for a in shop.heard]


class TestCancel:
    def test_it_cancels_at_stripe_first(self, shop) -> None:
        shop.create()
        assert cancel(shop).outcome is CancelOutcome.CANCELLED
        assert (status_at_stripe(shop), shop.booking().status) == ("canceled", BookingStatus.CANCELLED)
        assert heard(shop) == [BookingCancelled]
        with pytest.raises(BookingNotPayable):
            shop.create()

    @pytest.mark.parametrize("surplus", Surplus)
    def test_a_payment_that_won_the_race_is_said(self, colour, surplus) -> None:
        with opened(colour, surplus=surplus) as shop:
            shop.fake.pay(shop.create().payment_intent_id)
            result = cancel(shop)
            assert (result.outcome, result.booking.status) == (CancelOutcome.PAID, BookingStatus.CANCELLED)
            shop.tick()
            place = Place.REVIEW if surplus is Surplus.REVIEW else Place.REFUNDED
            assert shop.snapshot().ledger.payments[0].place is place
            assert bool(shop.fake.refunds) is (surplus is Surplus.REFUND)

    def test_after_success_it_is_refused(self, paid) -> None:
        paid.confirm(intent(paid))
        for call in (paid.gateway.cancel, paid.gateway.expire):
            with pytest.raises(BookingAlreadyPaid) as caught:
                paid.run(call(BOOKING_ID))
            assert caught.value.code == "booking_already_paid"

    def test_unanswered_it_stays_due(self, shop) -> None:
        shop.create()
        shop.fake.inject(Fault.connection_lost(), "POST", "*/cancel", times=3)
        with pytest.raises(StripeUnavailable):
            cancel(shop)
        assert shop.booking().status is BookingStatus.PENDING
        shop.tick(after=timedelta(minutes=1))
        assert (status_at_stripe(shop), shop.booking().status) == ("canceled", BookingStatus.CANCELLED)

    def test_many_at_once_with_a_payment_end_one_way(self, shop) -> None:
        shop.fake.pay(shop.create().payment_intent_id)
        confirm = [lambda: shop.gateway.confirm_payment(BOOKING_ID, intent(shop), owner=OWNER)] * 4
        results = shop.together(*[lambda: shop.gateway.cancel(BOOKING_ID)] * 4, *confirm)
        assert not [r for r in results if isinstance(r, BaseException) and not isinstance(r, PaymentsError)]
        (payment,) = shop.snapshot().ledger.payments
        if shop.booking().status is BookingStatus.CONFIRMED:
            assert payment.place is Place.ATTACHED
            assert all(isinstance(r, BookingAlreadyPaid) for r in results[:4])
        else:
            assert (shop.booking().status, payment.place) == (BookingStatus.CANCELLED, Place.REVIEW)
            assert {r.outcome for r in results[:4] if isinstance(r, Cancellation)} == {CancelOutcome.PAID}

    def test_s10_someone_elses_booking_looks_like_none(self, shop) -> None:
        shop.create()
        before, posts = shop.snapshot(), len(shop.calls())
        said = []
        for booking_id, owner in ((BOOKING_ID, "mallory"), ("BK-404", OWNER)):
            for call in (
                lambda booking_id=booking_id, owner=owner: shop.gateway.cancel(booking_id, owner=owner),
                lambda booking_id=booking_id, owner=owner: shop.gateway.refund(booking_id, owner=owner, request_id="r"),
            ):
                with pytest.raises(BookingNotFound) as caught:
                    shop.run(call())
                said.append((str(caught.value), caught.value.code, vars(caught.value)))
        assert said[:2] == said[2:]
        assert (shop.snapshot(), len(shop.calls())) == (before, posts)
        assert cancel(shop, owner=OWNER).outcome is CancelOutcome.CANCELLED


class TestHolds:
    @pytest.fixture
    def held(self, colour):
        from datetime import UTC, datetime

        until = datetime(2026, 11, 1, 12, 20, tzinfo=UTC)
        with opened(colour, Booking(BOOKING_ID, OWNER, PRICE, hold_until=until)) as shop:
            yield shop

    def test_pain_17_a_tick_expires_what_is_due(self, held) -> None:
        held.create()
        held.tick(after=timedelta(minutes=19, seconds=59))
        assert held.booking().status is BookingStatus.PENDING
        held.tick(after=timedelta(seconds=1))
        assert (status_at_stripe(held), held.booking().status) == ("canceled", BookingStatus.CANCELLED)
        assert heard(held) == [BookingCancelled]
        assert held.heard[0].reason == "expired"

    def test_one_that_nobody_tried_to_pay_expires_too(self, held) -> None:
        held.tick(after=timedelta(minutes=20))
        assert held.booking().status is BookingStatus.CANCELLED
        assert not held.fake.requests

    def test_losing_the_race_is_rule_7(self, held) -> None:
        held.fake.pay(held.create().payment_intent_id)
        held.tick(after=timedelta(minutes=20))
        assert held.booking().status is BookingStatus.CANCELLED
        assert heard(held) == [PaymentNeedsReview, BookingCancelled]

    def test_expire_does_it_at_once(self, held) -> None:
        held.create()
        with pytest.raises(InvalidRequest, match="hold"):
            held.run(held.gateway.expire(BOOKING_ID))
        held.pass_time(timedelta(minutes=20))
        assert held.run(held.gateway.expire(BOOKING_ID)).outcome is CancelOutcome.CANCELLED
        assert held.run(held.gateway.expire(BOOKING_ID)).outcome is CancelOutcome.CANCELLED

    def test_many_workers_expire_it_once(self, held) -> None:
        held.create()
        held.pass_time(timedelta(minutes=20))
        held.together(*[held.gateway.tick] * 8)
        held.tick()
        assert {a.id for a in held.heard} == {f"{BOOKING_ID}:1"}
        assert status_at_stripe(held) == "canceled"


class TestResolve:
    @pytest.fixture
    def late(self, paid):
        paid.team(status=BookingStatus.CANCELLED)
        paid.webhook(paid.events("payment_intent.succeeded")[0])
        paid.tick()
        return paid

    @pytest.mark.parametrize(
        ("resolution", "place", "booking", "refunds"),
        [
            ("confirm", Place.ATTACHED, BookingStatus.CONFIRMED, 0),
            ("refund", Place.REFUNDED, BookingStatus.CANCELLED, 1),
            ("keep", Place.KEPT, BookingStatus.CANCELLED, 0),
        ],
    )
    def test_three_ways(self, late, resolution, place, booking, refunds) -> None:
        decision = resolve(late, resolution)
        assert isinstance(decision, PaymentDecision)
        assert (decision.place, decision.booking.status) == (place, booking)
        late.tick()
        assert (late.booking().status, len(late.fake.refunds)) == (booking, refunds)
        assert f"{resolution}, decided by op-1" in late.history()
        assert resolve(late, resolution).place is place
        for other in {"confirm", "refund", "keep"} - {resolution}:
            with pytest.raises(NotInReview) as caught:
                resolve(late, other)
            assert caught.value.code == "not_in_review"
        assert len(late.fake.refunds) == refunds

    def test_of_many_who_decide_at_once_one_decides(self, late) -> None:
        ways = ["confirm", "refund", "keep"] * 8
        pi = intent(late)
        results = late.together(*[lambda w=w: late.gateway.resolve(BOOKING_ID, pi, w, by="op-1") for w in ways])
        places = {r.place for r in results if isinstance(r, PaymentDecision)}
        assert len(places) == 1
        assert {type(r) for r in results} == {PaymentDecision, NotInReview}

    @pytest.mark.parametrize(
        ("payment_id", "resolution", "by", "error"),
        [
            ("pi_00000000guess", "refund", "op", PaymentIntentMismatch),
            (None, "burn", "op", InvalidRequest),
            (None, "refund", "", InvalidRequest),
            (None, "refund", "a\nb", InvalidRequest),
            ("", "refund", "op", InvalidRequest),
        ],
    )
    def test_wrong_arguments_write_nothing(self, late, payment_id, resolution, by, error) -> None:
        before = late.snapshot()
        with pytest.raises(error):
            chosen = intent(late) if payment_id is None else payment_id
            late.run(late.gateway.resolve(BOOKING_ID, chosen, resolution, by=by))
        assert late.snapshot() == before


class TestCapture:
    @pytest.fixture(params=[False, True], ids=["confirmed at capture", "confirmed at authorisation"])
    def held(self, colour, request):
        """A shop whose customer's money is held on the card."""
        with opened(colour, manual_capture=True, confirm_at_authorization=request.param) as shop:
            shop.early = request.param
            shop.fake.pay(shop.create().payment_intent_id)
            for event in shop.events():
                shop.webhook(event)
            yield shop

    def test_the_authorisation_is_told_or_confirms(self, held) -> None:
        assert status_at_stripe(held) == "requires_capture"
        assert heard(held) == [BookingConfirmed if held.early else PaymentAuthorized]
        assert (held.booking().status is BookingStatus.CONFIRMED) is held.early

    def test_full(self, held) -> None:
        decision = capture(held)
        assert (decision.received, decision.place, decision.state) == (PRICE, Place.ATTACHED, PaymentState.SUCCEEDED)
        assert held.booking().status is BookingStatus.CONFIRMED
        assert heard(held).count(BookingConfirmed) == 1
        for event in held.events():
            held.webhook(event)
        assert heard(held).count(BookingConfirmed) == 1

    def test_less(self, held) -> None:
        assert capture(held, amount=PART).received == PART
        assert held.fake.intents[intent(held)]["amount_received"] == PART.amount_minor
        assert held.booking().status is BookingStatus.CONFIRMED
        report = held.run(held.gateway.refund(BOOKING_ID, request_id="r1"))
        assert report.amount == PART

    def test_twice(self, held) -> None:
        first = capture(held)
        assert capture(held) == first
        with pytest.raises(AlreadyCaptured) as caught:
            capture(held, amount=PART)
        assert caught.value.code == "already_captured"
        assert len([r for r in held.calls() if r.path.endswith("/capture")]) == 1

    def test_many_at_once_collect_once(self, held) -> None:
        results = held.together(*[lambda: held.gateway.capture(BOOKING_ID)] * 8)
        assert {r.received for r in results} == {PRICE}
        keys = {r.idempotency_key for r in held.calls() if r.path.endswith("/capture")}
        assert len(keys) == 1

    def test_an_answer_that_is_lost_is_found(self, held) -> None:
        held.fake.inject(Fault.connection_lost(), "POST", "*/capture", times=3, after_effect=True)
        with pytest.raises(StripeUnavailable):
            capture(held)
        held.tick(after=timedelta(minutes=1))
        assert held.snapshot().ledger.payments[0].received_minor == ALL
        assert held.booking().status is BookingStatus.CONFIRMED
        keys = {r.idempotency_key for r in held.calls() if r.path.endswith("/capture")}
        assert len(keys) == 1

    def test_release(self, held) -> None:
        assert cancel(held).outcome is CancelOutcome.CANCELLED
        assert (status_at_stripe(held), held.booking().status) == ("canceled", BookingStatus.CANCELLED)
        assert heard(held)[-1] is BookingCancelled
        assert AuthorizationLost not in heard(held)

    def test_expiry_as_stripe_reports_it(self, held) -> None:
        held.fake.advance(8 * 86_400)
        assert status_at_stripe(held) == "canceled"
        for event in held.events("payment_intent.canceled"):
            held.webhook(event)
        assert held.snapshot().ledger.payments[0].state is PaymentState.CANCELED
        assert (AuthorizationLost in heard(held)) is held.early
        with pytest.raises(NothingToCapture) as caught:
            capture(held)
        assert caught.value.code == "nothing_to_capture"

    def test_an_expiry_that_nobody_told_us_of_is_found_by_the_capture(self, held) -> None:
        held.fake.expire(intent(held))
        with pytest.raises(NothingToCapture):
            capture(held)
        assert held.snapshot().ledger.payments[0].state is PaymentState.CANCELED

    @pytest.mark.parametrize(
        ("asked", "error", "code"),
        [
            ({"amount": Money(ALL + 1, "usd")}, CaptureTooLarge, "capture_too_large"),
            ({"amount": Money(0, "usd")}, InvalidRequest, "invalid_request"),
            ({"amount": Money(100, "eur")}, CurrencyMismatch, "currency_mismatch"),
            ({"amount": 100}, InvalidRequest, "invalid_request"),
            ({"payment_id": "pi_00000000guess"}, PaymentIntentMismatch, "payment_intent_mismatch"),
            ({"payment_id": ""}, InvalidRequest, "invalid_request"),
        ],
    )
    def test_wrong_arguments_write_and_ask_nothing(self, held, asked, error, code) -> None:
        before, posts = held.snapshot(), len(held.calls())
        with pytest.raises(error) as caught:
            capture(held, **asked)
        assert caught.value.code == code
        assert (held.snapshot(), len(held.calls())) == (before, posts)

    def test_of_a_booking_that_does_not_exist_or_holds_nothing(self, shop) -> None:
        with pytest.raises(BookingNotFound):
            shop.run(shop.gateway.capture("BK-404"))
        with pytest.raises(NothingToCapture):
            capture(shop)
