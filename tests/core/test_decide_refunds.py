"""Giving money back: what may be, and once for each request."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support import (
    BOOKING_ID,
    INTENT_ID,
    NAMESPACE,
    OWNER,
    POLICY,
    PRICE,
    Driver,
    authorised,
    collected,
    dispute_view,
    kinds,
    listed,
    made,
    opened,
    refund_request,
    refund_view,
    view,
)

from airport_payments.core.commands import CreateRefund
from airport_payments.core.decide.draft import Done, RefundReply
from airport_payments.core.decide.table import (
    LEASE,
    MAX_REFUNDS,
)
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
from airport_payments.core.facts import Answer, RefusalKind, Refused, Unanswered
from airport_payments.core.model import BookingStatus, Place, ReviewReason, Surplus
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState

ALL = PRICE.amount_minor
PART = Money(10_000, "usd")
KEEP_BOOKING = replace(POLICY, refund_cancels_booking=False)
LOST = Unanswered("lost")


def refused(kind: RefusalKind = RefusalKind.INVALID) -> Refused:
    return Refused(kind, f"{kind.value}: no")


class TestARefund:
    def test_a_full_refund_asks_for_all_that_is_left_and_cancels_the_booking(self) -> None:
        driver = collected()
        reply = driver.refund(made())
        (command,) = driver.performed
        assert command == CreateRefund(
            attempt_id="a1",
            ref="a1.0",
            booking_id=BOOKING_ID,
            namespace=NAMESPACE,
            intent_id=INTENT_ID,
            amount_minor=ALL,
            reason="requested_by_customer",
            key="airport/a1/refund/0",
            first_sent_at=driver.now,
            due_at=driver.now + LEASE,
        )
        assert isinstance(reply, RefundReply)
        assert (reply.refund.refund_id, reply.refund.state) == ("re_1", RefundState.SUCCEEDED)
        assert reply.booking.status is BookingStatus.CANCELLED
        assert (driver.payment.place, driver.payment.rest_minor, driver.effects) == (Place.REFUNDED, 0, ())
        assert driver.announced == ["PaymentRefunded", "BookingCancelled"]
        assert driver.snapshot.ledger.announcements[1].announcement.reason == "refunded"

    def test_whether_that_cancels_the_booking_is_the_teams_policy(self) -> None:
        driver = collected(KEEP_BOOKING)
        driver.refund(made())
        assert driver.booking.status is BookingStatus.CONFIRMED
        assert (driver.payment.place, driver.payment.rest_minor) == (Place.ATTACHED, 0)
        assert driver.announced == ["PaymentRefunded"]

    def test_rule_1_it_is_saved_before_it_is_sent(self) -> None:
        driver = collected()
        decision = driver.feed(refund_request())
        assert decision.change is not None
        assert decision.act in decision.change.ledger.effects
        assert driver.refund_states == ["requested"]

    def test_a_worker_leaves_it_to_who_asked_for_a_lease(self) -> None:
        driver = collected()
        driver.feed(refund_request())
        assert isinstance(driver.tick(), Done)
        driver.tick(made(), after=LEASE)
        assert driver.refund_states == ["succeeded"]

    def test_partial_and_several_add_up_to_what_was_collected(self) -> None:
        driver = collected()
        for number in range(4):
            driver.refund(made(f"re_{number}"), amount=PART, request=f"r{number}")
        assert driver.booking.status is BookingStatus.CONFIRMED
        assert driver.payment.rest_minor == ALL - 4 * PART.amount_minor == 5099
        with pytest.raises(RefundTooLarge) as caught:
            raise driver.refund(amount=PART, request="r5")
        assert (caught.value.rest_minor, caught.value.currency) == (5099, "usd")
        driver.refund(made("re_5"), request="r6")
        assert driver.refunds[-1].amount_minor == 5099
        assert driver.booking.status is BookingStatus.CANCELLED
        assert [c.key for c in driver.performed] == [f"airport/a1/refund/{n}" for n in range(5)]

    def test_a_pending_refund_counts_and_one_that_failed_does_not(self) -> None:
        driver = collected()
        driver.refund(made(state="pending"))
        assert isinstance(driver.refund(request="r2"), NothingToRefund)
        driver.refund_event(refund_view(state="failed", failure="expired_or_canceled_card"))
        assert isinstance(driver.refund(made("re_2"), request="r3"), RefundReply)
        assert driver.refund_states == ["failed", "succeeded"]

    def test_an_unanswered_refund_counts_too(self) -> None:
        """Two people press the button at once."""
        driver = collected()
        first = driver.feed(refund_request(request="r1"))
        assert isinstance(driver.refund(request="r2"), NothingToRefund)
        assert isinstance(driver.refund(amount=Money(1, "usd"), request="r3"), NothingToRefund)
        driver.feed(Answer(first.act, made()(first.act), driver.snapshot.ledger.version, refund_request()))
        assert driver.refund_states == ["succeeded"]

    def test_pain_18_of_one_surplus_payment_it_leaves_the_valid_ticket_alone(self) -> None:
        driver = surplus()
        driver.refund(made("re_s"), payment="pi_surplus1")
        valid, extra = driver.payments
        assert (valid.place, valid.rest_minor) == (Place.ATTACHED, ALL)
        assert (extra.place, extra.rest_minor) == (Place.REFUNDED, 0)
        assert driver.booking.status is BookingStatus.CONFIRMED
        assert driver.performed[-1].intent_id == "pi_surplus1"

    def test_a_payment_may_be_named_by_its_attempt(self) -> None:
        assert isinstance(collected().refund(made(), payment="a1"), RefundReply)

    def test_without_a_name_it_is_the_one_that_paid_the_booking(self) -> None:
        driver = surplus(KEEP_BOOKING)
        driver.refund(made("re_s"))
        assert driver.payments[0].rest_minor == 0
        # And once that went back, it is not suddenly another one.
        assert isinstance(driver.refund(request="r2"), NothingToRefund)
        assert driver.payments[1].rest_minor == ALL

    def test_of_several_that_paid_nothing_one_has_to_be_named(self) -> None:
        driver = opened()
        driver.team(status=BookingStatus.CANCELLED)
        driver.event(view("succeeded"), "evt_1")
        driver.event(view("succeeded", "other", "pi_surplus1"), "evt_2", placed=True)
        assert isinstance(driver.refund(), InvalidRequest)
        assert isinstance(driver.refund(made(), payment=INTENT_ID), RefundReply)

    def test_money_in_review_that_went_back_whole_waits_for_nobody(self) -> None:
        driver = reviewed()
        driver.refund(made(), payment=INTENT_ID)
        assert (driver.payment.place, driver.payment.review) == (Place.REFUNDED, None)

    def test_money_in_review_of_which_a_part_went_back_still_waits(self) -> None:
        driver = reviewed()
        driver.refund(made(), amount=PART)
        assert (driver.payment.place, driver.payment.review) == (Place.REVIEW, ReviewReason.LATE)

    def test_a_refund_of_what_came_in_another_currency_is_in_that_currency(self) -> None:
        driver = opened()
        driver.event(view("succeeded", amount=Money(50_000, "jpy")))
        assert isinstance(driver.refund(amount=PART), CurrencyMismatch)
        reply = driver.refund(made(currency="jpy"), amount=Money(50_000, "jpy"), request="r2")
        assert (reply.payment.currency, reply.payment.rest_minor) == ("jpy", 0)
        assert driver.snapshot.ledger.announcements[-1].announcement.currency == "jpy"


def surplus(policy=POLICY) -> Driver:
    """A paid booking with a second payment in review."""
    driver = collected(policy)
    driver.event(view("succeeded", "other", "pi_surplus1"), "evt_s", placed=True)
    assert driver.payments[1].place is Place.REVIEW
    driver.tick()
    driver.heard.clear()
    return driver


def reviewed() -> Driver:
    """A cancelled booking that was paid late."""
    driver = opened()
    driver.team(status=BookingStatus.CANCELLED)
    driver.event(view("succeeded"))
    driver.tick()
    driver.heard.clear()
    driver.performed.clear()
    return driver


class TestWhatIsRefused:
    """Nothing is written and nothing is asked of Stripe."""

    def check(self, driver: Driver, error: type[Exception], **asked: object) -> Exception:
        before = driver.snapshot
        reply = driver.refund(**asked)
        assert type(reply) is error
        assert driver.snapshot == before
        assert not driver.performed
        return reply

    def test_more_than_is_left(self) -> None:
        error = self.check(collected(), RefundTooLarge, amount=Money(ALL + 1, "usd"))
        assert (error.rest_minor, error.code, error.http_status) == (ALL, "refund_too_large", 409)

    def test_nothing(self) -> None:
        self.check(collected(), InvalidRequest, amount=Money(0, "usd"))

    def test_another_currency(self) -> None:
        self.check(collected(), CurrencyMismatch, amount=Money(100, "eur"))

    def test_someone_elses_booking(self) -> None:
        self.check(collected(), BookingNotFound, owner="mallory")
        assert isinstance(collected().refund(made(), owner=OWNER), RefundReply)

    @pytest.mark.parametrize("payment", ["pi_00000009", "a9", "a1.0", "re_1"])
    def test_someone_elses_payment(self, payment) -> None:
        self.check(collected(), PaymentIntentMismatch, payment=payment)

    def test_while_pending(self) -> None:
        for payment in (None, INTENT_ID):
            driver = opened()
            driver.performed.clear()
            self.check(driver, NothingToRefund, payment=payment)
        self.check(Driver(), NothingToRefund)

    def test_an_authorisation_is_released_and_not_refunded(self) -> None:
        error = self.check(authorised(), NothingToRefund, payment=INTENT_ID)
        assert "cancel" in str(error)

    def test_what_was_canceled(self) -> None:
        driver = opened()
        driver.event(view("canceled"))
        driver.performed.clear()
        self.check(driver, NothingToRefund, payment=INTENT_ID)

    def test_what_went_back_already(self) -> None:
        driver = collected()
        driver.refund(made())
        driver.performed.clear()
        self.check(driver, NothingToRefund, request="r2")
        self.check(driver, NothingToRefund, request="r2", amount=Money(1, "usd"))

    @pytest.mark.parametrize("status", ["needs_response", "under_review", "lost", "warning_needs_response"])
    def test_what_is_disputed_with_the_reason(self, status) -> None:
        driver = collected()
        driver.dispute_event(dispute_view(status))
        error = self.check(driver, DisputedPayment)
        assert "dp_1" in str(error)
        assert status in str(error)

    @pytest.mark.parametrize(
        ("status", "refundable"), [("won", False), ("warning_closed", False), ("needs_response", True)]
    )
    def test_a_dispute_that_is_over_or_lets_it_refuses_nothing(self, status, refundable) -> None:
        driver = collected()
        driver.dispute_event(dispute_view(status, refundable=refundable))
        assert isinstance(driver.refund(made()), RefundReply)

    @pytest.mark.parametrize("order", [("dp_1", "dp_2"), ("dp_2", "dp_1")])
    def test_one_of_two_disputes_that_forbids_it_is_enough(self, order) -> None:
        driver = collected()
        for dispute_id in order:
            driver.dispute_event(dispute_view(dispute_id=dispute_id, refundable=dispute_id == "dp_1"))
        assert "dp_2" in str(self.check(driver, DisputedPayment))

    def test_the_same_request_id_for_another_refund(self) -> None:
        driver = collected()
        driver.refund(made(), amount=PART)
        driver.performed.clear()
        for asked in ({"amount": Money(1, "usd")}, {}, {"amount": PART, "payment": INTENT_ID}):
            self.check(driver, IdempotencyKeyReused, request="r1", **asked)

    def test_more_refunds_than_anybody_means(self) -> None:
        driver = collected()
        for number in range(MAX_REFUNDS):
            driver.refund_event(refund_view(f"re_{number}", 1), f"evt_{number}")
        self.check(driver, RefundRefused, amount=Money(1, "usd"))


class TestOncePerRequest:
    def test_the_same_again_says_how_it_stands_and_gives_nothing_back(self) -> None:
        driver = collected()
        driver.refund(made(state="pending"), amount=PART)
        before = driver.snapshot
        for _ in range(3):
            reply = driver.refund(amount=PART)
            assert (reply.refund.refund_id, reply.refund.state) == ("re_1", RefundState.PENDING)
        assert driver.snapshot == before
        driver.refund_event(refund_view(amount_minor=PART.amount_minor))
        assert driver.refund(amount=PART).refund.state is RefundState.SUCCEEDED
        assert kinds(driver.performed) == ["CreateRefund"]

    def test_the_same_again_after_everything_went_back(self) -> None:
        driver = collected()
        driver.refund(made())
        assert driver.refund().refund.refund_id == "re_1"

    def test_while_unanswered_it_is_sent_again_as_saved(self) -> None:
        driver = collected()
        assert isinstance(driver.refund(LOST), StripeUnavailable)
        driver.now += timedelta(minutes=1)
        assert driver.refund(made()).refund.state is RefundState.SUCCEEDED
        first, second = driver.performed
        assert (first.key, first.first_sent_at) == (second.key, second.first_sent_at)
        assert len(driver.refunds) == 1

    def test_a_refused_one_stays_refused_and_another_request_may_try_again(self) -> None:
        driver = collected()
        assert isinstance(driver.refund(refused()), RefundRefused)
        driver.tick(listed())
        assert driver.refund().refund.state is RefundState.REFUSED
        assert isinstance(driver.refund(made(), request="r2"), RefundReply)
        assert [c.key for c in driver.performed if isinstance(c, CreateRefund)] == [
            "airport/a1/refund/0",
            "airport/a1/refund/1",
        ]

    def test_of_a_refusal_only_stripes_code_is_kept_for_its_message_may_repeat_what_somebody_typed(self) -> None:
        driver = collected()
        driver.refund(Refused(RefusalKind.INVALID, "resource_missing: No such thing: jane@example.com"))
        assert driver.refunds[0].failure == "resource_missing"
        assert "jane" not in repr((driver.snapshot, driver.heard, driver.history))

    def test_so_it_is_where_the_rules_ordered_the_refund_and_announce_that_it_failed(self) -> None:
        driver = opened()
        driver.policy = replace(POLICY, surplus=Surplus.REFUND)
        driver.team(status=BookingStatus.CANCELLED)
        driver.event(view("succeeded"))
        driver.tick(Refused(RefusalKind.INVALID, "resource_missing: No such thing: jane@example.com"), listed())
        assert driver.refunds[0].failure == "resource_missing"
        assert "resource_missing" in repr(driver.heard)
        assert "jane" not in repr((driver.snapshot, driver.heard, driver.history))
