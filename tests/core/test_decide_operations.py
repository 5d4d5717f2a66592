"""Cancelling, holds that end, and money that a person decides about."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support import (
    INTENT_ID,
    NOW,
    OWNER,
    POLICY,
    PRICE,
    TICK,
    Driver,
    booking,
    collected,
    dispute_view,
    kinds,
    listed,
    made,
    opened,
    refund_view,
    seen,
    view,
)

from airport_payments.core.commands import CancelIntent, CreateRefund
from airport_payments.core.decide.draft import CancelReply, Done, PaymentReply, Ready
from airport_payments.core.decide.table import PROCESSING_FIRST, RETRY_FIRST
from airport_payments.core.errors import (
    BookingAlreadyPaid,
    BookingNotFound,
    BookingNotPayable,
    InvalidRequest,
    Misconfigured,
    NotInReview,
    PaymentInReview,
    PaymentIntentMismatch,
    StripeUnavailable,
)
from airport_payments.core.facts import RefusalKind, Refused, Unanswered
from airport_payments.core.model import (
    BookingStatus,
    CancelReason,
    IndexState,
    PaymentState,
    Place,
    ReviewReason,
    Snapshot,
    Surplus,
)
from airport_payments.core.money import Money
from airport_payments.core.views import CancelOutcome
from airport_payments.loop import cancelled

ALL = PRICE.amount_minor
LOST = Unanswered("lost")
GIVE_BACK = replace(POLICY, surplus=Surplus.REFUND)
HOLD = NOW + timedelta(minutes=20)


def won(status: str = "succeeded") -> Refused:
    """Stripe does not cancel: the PaymentIntent is like this by now."""
    return Refused(RefusalKind.UNEXPECTED_STATE, "unexpected_state", seen=seen(status))


def outcome(reply: object) -> CancelOutcome:
    assert isinstance(reply, CancelReply)
    return cancelled(reply).outcome


class TestCancel:
    def test_the_intent_goes_first_and_then_the_booking(self) -> None:
        driver = opened()
        decision = driver.feed(cancel_request())
        assert isinstance(decision.act, CancelIntent)
        assert driver.booking.status is BookingStatus.PENDING
        assert driver.snapshot.ledger.cancelling is CancelReason.ASKED
        driver.cancel(seen("canceled"))
        assert driver.booking.status is BookingStatus.CANCELLED
        assert (driver.payment.state, driver.snapshot.ledger.cancelling) == (PaymentState.CANCELED, None)
        assert driver.announced == ["BookingCancelled"]
        assert driver.snapshot.ledger.announcements[0].announcement.reason == "asked"

    def test_a_booking_without_a_payment_is_cancelled_at_once(self) -> None:
        driver = Driver()
        assert outcome(driver.cancel()) is CancelOutcome.CANCELLED
        assert driver.booking.status is BookingStatus.CANCELLED
        assert driver.performed == []

    def test_again_it_says_the_same_and_changes_nothing(self) -> None:
        driver = opened()
        driver.cancel(seen("canceled"))
        before = driver.snapshot
        assert outcome(driver.cancel()) is CancelOutcome.CANCELLED
        assert driver.snapshot == before

    def test_of_a_booking_that_the_team_cancelled_it_cancels_the_intent(self) -> None:
        driver = opened()
        driver.team(status=BookingStatus.CANCELLED)
        assert outcome(driver.cancel(seen("canceled"))) is CancelOutcome.CANCELLED
        assert driver.announced == []

    @pytest.mark.parametrize("surplus", Surplus)
    def test_a_payment_that_won_the_race_is_said_and_answered_by_rule_7(self, surplus) -> None:
        driver = opened()
        driver.policy = replace(POLICY, surplus=surplus)
        reply = driver.cancel(won())
        assert outcome(reply) is CancelOutcome.PAID
        assert reply.booking.status is BookingStatus.CANCELLED
        if surplus is Surplus.REVIEW:
            assert (driver.payment.place, driver.payment.review) == (Place.REVIEW, ReviewReason.LATE)
        else:
            assert driver.payment.place is Place.REFUNDED
            driver.tick(made())
            # And once all of it is back, there is nothing left to say.
            assert outcome(driver.cancel()) is CancelOutcome.CANCELLED

    def test_news_of_the_payment_between_asking_and_cancelling_is_answered_by_rule_7(self) -> None:
        driver = opened()
        driver.cancel(LOST)
        driver.event(view("succeeded"))
        assert (driver.payment.review, driver.booking.status) == (ReviewReason.LATE, BookingStatus.CANCELLED)
        assert outcome(driver.cancel()) is CancelOutcome.PAID

    def test_one_that_is_processing_stays_due(self) -> None:
        driver = opened()
        reply = driver.cancel(won("processing"))
        assert outcome(reply) is CancelOutcome.PROCESSING
        assert driver.booking.status is BookingStatus.PENDING
        assert driver.due_at - driver.now <= 2 * PROCESSING_FIRST
        # Asked again, it looks whether that is still so.
        assert outcome(driver.cancel(seen("processing"))) is CancelOutcome.PROCESSING
        driver.now = driver.due_at
        driver.tick(seen("requires_payment_method"), seen("canceled"))
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_unanswered_it_stays_due_and_the_booking_waits(self) -> None:
        driver = opened()
        assert isinstance(driver.cancel(LOST), StripeUnavailable)
        assert driver.booking.status is BookingStatus.PENDING
        driver.tick(seen("canceled"), after=RETRY_FIRST)
        assert driver.booking.status is BookingStatus.CANCELLED
        assert len({c.key for c in driver.performed if isinstance(c, CancelIntent)}) == 1

    def test_while_it_is_being_cancelled_nothing_is_opened_and_no_secret_is_given(self) -> None:
        driver = opened()
        driver.cancel(won("processing"))
        assert isinstance(driver.request(attempt="a2"), BookingNotPayable)
        assert driver.confirm(seen("processing")).client_secret is None

    def test_an_attempt_whose_create_is_unanswered_is_found_first(self) -> None:
        driver = Driver()
        driver.request(LOST)
        driver.cancel(seen("requires_payment_method"), seen("canceled"))
        assert driver.booking.status is BookingStatus.CANCELLED
        assert driver.payment.state is PaymentState.CANCELED

    def test_a_create_that_left_nothing_leaves_nothing_to_cancel(self) -> None:
        from airport_payments.core.facts import NothingFound

        driver = Driver()
        driver.request(LOST)
        driver.now += timedelta(hours=24)
        assert outcome(driver.cancel(NothingFound())) is CancelOutcome.CANCELLED
        assert driver.booking.status is BookingStatus.CANCELLED

    @pytest.mark.parametrize("asked", ["cancel", "expire"])
    def test_after_success_it_is_refused(self, asked) -> None:
        driver = collected()
        before = driver.snapshot
        reply = driver.cancel(reason="asked" if asked == "cancel" else "expired")
        assert isinstance(reply, BookingAlreadyPaid)
        assert "refund" in str(reply)
        assert (driver.snapshot, driver.performed) == (before, [])

    def test_a_booking_that_the_team_confirmed_is_the_teams(self) -> None:
        driver = Driver(Snapshot(booking(status=BookingStatus.CONFIRMED)))
        assert isinstance(driver.cancel(), BookingAlreadyPaid)
        assert driver.snapshot.ledger.version == 0

    def test_someone_elses_booking_looks_like_none_and_nothing_moves(self) -> None:
        driver = opened(hold_until=HOLD)
        driver.now = HOLD
        before = driver.snapshot
        assert isinstance(driver.cancel(owner="mallory"), BookingNotFound)
        assert driver.snapshot == before
        assert outcome(driver.cancel(seen("canceled"), owner=OWNER)) is CancelOutcome.CANCELLED

    def test_a_booking_that_the_team_confirms_meanwhile_is_not_cancelled(self) -> None:
        driver = opened()
        driver.cancel(won("processing"))
        driver.team(status=BookingStatus.CONFIRMED)
        driver.event(view("canceled"))
        assert driver.booking.status is BookingStatus.CONFIRMED
        assert driver.snapshot.ledger.cancelling is None

    def test_a_refusal_of_what_could_be_canceled_is_not_tried_for_ever(self) -> None:
        driver = opened()
        refused = Refused(RefusalKind.INVALID, "no", seen=seen("requires_payment_method"))
        assert isinstance(driver.cancel(refused), Misconfigured)
        assert driver.booking.status is BookingStatus.PENDING
        waits = []
        for _ in range(6):
            waits.append(driver.due_at - driver.now)
            driver.now = driver.due_at
            driver.tick(seen("requires_payment_method"), refused)
        assert waits == sorted(waits)
        assert waits[-1] > PROCESSING_FIRST
        driver.now = driver.due_at
        driver.tick(seen("canceled"))
        assert driver.booking.status is BookingStatus.CANCELLED


def cancel_request(reason: str = "asked"):
    from airport_payments.core.facts import CancelRequested

    return CancelRequested(CancelReason(reason))


class TestHolds:
    def test_from_its_end_on_nothing_is_opened(self) -> None:
        driver = Driver(Snapshot(booking(hold_until=HOLD)))
        driver.now = HOLD
        assert isinstance(driver.request(), BookingNotPayable)
        driver.now = HOLD - timedelta(microseconds=1)
        assert isinstance(driver.request(seen("requires_payment_method")), Ready)

    def test_pain_17_a_tick_cancels_the_intent_and_then_the_booking(self) -> None:
        driver = opened(hold_until=HOLD)
        driver.now = HOLD
        assert isinstance(driver.tick(seen("canceled")), Done)
        assert (driver.payment.state, driver.booking.status) == (PaymentState.CANCELED, BookingStatus.CANCELLED)
        assert driver.heard[-1].reason == "expired"

    def test_before_its_end_a_tick_leaves_it_alone(self) -> None:
        driver = opened(hold_until=HOLD)
        driver.now = HOLD - timedelta(microseconds=1)
        driver.tick(seen("requires_payment_method"))
        assert driver.snapshot.ledger.cancelling is None

    def test_a_booking_that_nobody_tried_to_pay_is_cancelled_too(self) -> None:
        driver = Driver(Snapshot(booking(hold_until=HOLD)))
        driver.now = HOLD
        driver.tick()
        assert driver.booking.status is BookingStatus.CANCELLED
        assert driver.performed == []

    def test_saying_that_the_booking_changed_is_enough_too(self) -> None:
        driver = opened()
        driver.changed(seen("canceled"), hold_until=NOW)
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_a_payment_that_came_in_time_keeps_the_booking_though_its_news_is_late(self) -> None:
        driver = opened(hold_until=HOLD)
        driver.now = HOLD + timedelta(seconds=1)
        driver.event(view("succeeded"))
        assert driver.booking.status is BookingStatus.CONFIRMED
        driver.tick()
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_a_payment_that_won_the_race_against_the_tick_is_late(self) -> None:
        driver = opened(hold_until=HOLD)
        driver.now = HOLD
        driver.tick(won())
        assert (driver.payment.review, driver.booking.status) == (ReviewReason.LATE, BookingStatus.CANCELLED)
        assert driver.announced == ["PaymentNeedsReview", "BookingCancelled"]

    @pytest.mark.parametrize("status", [BookingStatus.CONFIRMED, BookingStatus.CANCELLED])
    def test_a_hold_of_a_booking_that_is_decided_means_nothing(self, status) -> None:
        driver = Driver(Snapshot(booking(hold_until=NOW, status=status)))
        assert driver.feed(TICK).change is None

    @pytest.mark.parametrize("hold_until", [None, NOW], ids=["which has none", "which is over"])
    def test_expire_does_it_for_a_booking_without_a_hold(self, hold_until) -> None:
        driver = opened()
        driver.team(hold_until=hold_until)
        assert outcome(driver.cancel(seen("canceled"), reason="expired")) is CancelOutcome.CANCELLED
        driver.tick()
        assert driver.heard[-1].reason == "expired"

    def test_expire_leaves_alone_what_is_still_held(self) -> None:
        driver = opened(hold_until=HOLD)
        reply = driver.cancel(reason="expired")
        assert isinstance(reply, InvalidRequest)
        assert driver.snapshot.ledger.cancelling is None
        assert outcome(driver.cancel(seen("canceled"))) is CancelOutcome.CANCELLED

    @pytest.mark.parametrize("says_so", [True, False])
    def test_a_hold_that_is_made_longer_in_time_keeps_the_booking(self, says_so) -> None:
        driver = opened(hold_until=HOLD)
        driver.now = HOLD
        driver.tick(Unanswered("time-out"))
        assert driver.snapshot.ledger.cancelling is CancelReason.EXPIRED
        longer = HOLD + timedelta(hours=1)
        if says_so:
            driver.changed(hold_until=longer)
        else:
            driver.team(hold_until=longer)
        driver.tick(seen("canceled"), after=timedelta(minutes=1))
        assert (driver.snapshot.ledger.cancelling, driver.booking.status) == (None, BookingStatus.PENDING)
        assert "no longer to be cancelled: its hold was made longer" in driver.history
        reply = driver.request(seen("requires_payment_method", "a2", "pi_2"), attempt="a2")
        assert isinstance(reply, Ready)

    def test_a_longer_hold_does_not_stop_who_asked_to_cancel(self) -> None:
        driver = opened(hold_until=HOLD)
        driver.cancel(Unanswered("time-out"))
        driver.team(hold_until=HOLD + timedelta(hours=1))
        driver.tick(seen("canceled"), after=timedelta(minutes=1))
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_one_that_is_processing_stays_due_and_is_marked_in_the_index(self) -> None:
        driver = opened(hold_until=HOLD)
        driver.now = HOLD
        change = driver.feed(TICK).change
        assert [row.state for row in change.index] == [IndexState.CLOSING]
        driver.tick(won("processing"))
        assert driver.booking.status is BookingStatus.PENDING
        assert driver.now < driver.due_at <= driver.now + 2 * PROCESSING_FIRST
        driver.now = driver.due_at
        driver.tick(seen("succeeded"))
        assert (driver.payment.review, driver.booking.status) == (ReviewReason.LATE, BookingStatus.CANCELLED)


def in_review(reason: str = "late") -> Driver:
    """Money that waits for a person."""
    driver = collected() if reason == "surplus" else opened()
    if reason == "late":
        driver.team(status=BookingStatus.CANCELLED)
        driver.event(view("succeeded"))
    elif reason == "amount_mismatch":
        driver.event(view("succeeded", received_minor=ALL - 1))
    elif reason == "price_changed":
        driver.team(price=Money(1, "usd"))
        driver.event(view("succeeded"))
    else:
        driver.event(view("succeeded", "other", "pi_surplus1"), "evt_2", placed=True)
    driver.tick()
    driver.heard.clear()
    driver.performed.clear()
    return driver


REASONS = ["late", "amount_mismatch", "price_changed"]


class TestResolve:
    @pytest.mark.parametrize("reason", REASONS)
    def test_confirm_lets_it_pay_the_booking_cancelled_or_not(self, reason) -> None:
        driver = in_review(reason)
        assert driver.payment.review.value == reason
        reply = driver.resolve("confirm")
        assert isinstance(reply, PaymentReply)
        assert (reply.booking.status, reply.payment.place) == (BookingStatus.CONFIRMED, Place.ATTACHED)
        (pending,) = driver.snapshot.ledger.announcements
        assert pending.announcement.amount == Money(driver.payment.received_minor, "usd")

    @pytest.mark.parametrize("reason", REASONS)
    def test_refund_gives_it_back_and_the_booking_stays(self, reason) -> None:
        driver = in_review(reason)
        before = driver.booking.status
        reply = driver.resolve("refund")
        assert reply.payment.place is Place.REFUNDED
        driver.tick(made())
        assert (driver.payment.rest_minor, driver.refund_states) == (0, ["succeeded"])
        assert driver.booking.status is before
        assert len([c for c in driver.performed if isinstance(c, CreateRefund)]) == 1

    @pytest.mark.parametrize("reason", REASONS)
    def test_keep_leaves_it_and_asks_nobody_again(self, reason) -> None:
        driver = in_review(reason)
        driver.resolve("keep")
        assert (driver.payment.place, driver.payment.review, driver.effects) == (Place.KEPT, None, ())
        driver.event(view("succeeded", received_minor=driver.payment.received_minor), "evt_3")
        assert driver.announced == []

    @pytest.mark.parametrize("resolution", ["confirm", "refund", "keep"])
    def test_it_is_recorded_with_who_decided(self, resolution) -> None:
        driver = in_review()
        driver.resolve(resolution)
        assert f"{resolution}, decided by operator-7" in driver.history

    @pytest.mark.parametrize("resolution", ["confirm", "refund", "keep"])
    def test_deciding_the_same_again_changes_nothing_and_otherwise_is_refused(self, resolution) -> None:
        driver = in_review()
        driver.resolve(resolution)
        driver.tick(*([made()] if resolution == "refund" else []))
        before = driver.snapshot
        assert isinstance(driver.resolve(resolution), PaymentReply)
        for other in {"confirm", "refund", "keep"} - {resolution}:
            assert isinstance(driver.resolve(other), NotInReview)
        assert driver.snapshot == before

    def test_what_was_never_in_review_is_refused(self) -> None:
        for driver in (opened(), collected()):
            before = driver.snapshot
            assert isinstance(driver.resolve("refund"), NotInReview)
            assert isinstance(driver.resolve("keep"), NotInReview)
            assert driver.snapshot == before

    def test_someone_elses_payment_is_refused(self) -> None:
        assert isinstance(in_review().resolve("refund", payment="pi_00000009"), PaymentIntentMismatch)

    def test_s1_confirm_is_refused_where_another_payment_has_the_booking(self) -> None:
        driver = in_review("surplus")
        before = driver.snapshot
        assert isinstance(driver.resolve("confirm", payment="pi_surplus1"), BookingAlreadyPaid)
        assert driver.snapshot == before
        driver.resolve("refund", payment="pi_surplus1")
        driver.tick(made(), after=timedelta(0))
        assert [p.place for p in driver.payments] == [Place.ATTACHED, Place.REFUNDED]

    def test_of_two_in_review_only_one_can_confirm(self) -> None:
        driver = in_review()
        driver.event(view("succeeded", "other", "pi_surplus1"), "evt_2", placed=True)
        driver.resolve("confirm")
        assert isinstance(driver.resolve("confirm", payment="pi_surplus1"), BookingAlreadyPaid)
        assert driver.confirmations == 1

    def test_confirm_where_the_team_confirmed_the_booking_itself_announces_nothing(self) -> None:
        driver = in_review()
        driver.team(status=BookingStatus.CONFIRMED)
        assert driver.resolve("confirm").payment.place is Place.ATTACHED
        assert (driver.confirmations, driver.announced) == (0, [])

    def test_what_is_left_is_what_is_decided_on(self) -> None:
        driver = in_review()
        driver.refund(made(), amount=Money(99, "usd"))
        driver.resolve("refund")
        assert driver.effects[0].amount_minor == ALL - 99

    def test_with_a_refund_unanswered_only_the_rest_goes_back(self) -> None:
        driver = in_review()
        driver.refund(LOST, amount=Money(99, "usd"))
        driver.resolve("refund")
        assert sorted(e.amount_minor for e in driver.effects) == [99, ALL - 99]

    def test_what_went_back_at_the_dashboard_cannot_confirm(self) -> None:
        driver = in_review()
        driver.refund(LOST)
        assert isinstance(driver.resolve("confirm"), NotInReview)

    def test_a_refund_that_stripe_refuses_comes_back_to_review(self) -> None:
        driver = in_review()
        driver.resolve("refund")
        driver.tick(Refused(RefusalKind.DISPUTED, "charge_disputed"), listed())
        assert (driver.payment.place, driver.payment.review) == (Place.REVIEW, ReviewReason.REFUND_FAILED)
        assert driver.announced == ["RefundFailed", "PaymentNeedsReview"]
        driver.resolve("keep")
        assert driver.payment.place is Place.KEPT

    def test_a_refund_that_fails_late_comes_back_to_review(self) -> None:
        driver = in_review()
        driver.resolve("refund")
        driver.tick(made())
        driver.refund_event(refund_view(ref="a1.0", state="failed"))
        assert driver.payment.review is ReviewReason.REFUND_FAILED
        driver.resolve("refund")
        driver.tick(made("re_2"))
        assert (driver.refund_states, driver.payment.place) == (["failed", "succeeded"], Place.REFUNDED)

    def test_while_money_is_in_review_no_payment_is_opened_and_after_it_is(self) -> None:
        driver = in_review("amount_mismatch")
        assert isinstance(driver.request(attempt="a2"), PaymentInReview)
        driver.resolve("keep")
        driver.request(seen("requires_payment_method", "a2", "pi_00000002"), attempt="a2")
        assert driver.payments[1].state is PaymentState.OPEN

    def test_a_dispute_moves_nothing_that_waits(self) -> None:
        driver = in_review()
        driver.dispute_event(dispute_view())
        assert (driver.payment.place, driver.payment.review) == (Place.REVIEW, ReviewReason.LATE)


class TestRule7:
    def test_with_the_policy_of_giving_back_nobody_has_to_decide(self) -> None:
        driver = opened()
        driver.policy = GIVE_BACK
        driver.team(status=BookingStatus.CANCELLED)
        driver.event(view("succeeded"))
        assert isinstance(driver.resolve("keep"), NotInReview)
        driver.tick(made())
        assert (driver.payment.place, driver.announced) == (Place.REFUNDED, ["PaymentRefunded"])

    def test_after_it_was_given_back_the_booking_can_be_paid(self) -> None:
        driver = opened()
        driver.policy = GIVE_BACK
        driver.event(view("succeeded", received_minor=1))
        driver.tick(made())
        driver.request(seen("requires_payment_method", "a2", "pi_00000002"), attempt="a2")
        driver.event(view("succeeded", "a2", "pi_00000002"), "evt_2")
        assert driver.booking.status is BookingStatus.CONFIRMED


def test_every_command_about_an_intent_names_the_attempt_that_it_is_of() -> None:
    driver = opened()
    driver.cancel(seen("canceled"))
    assert kinds(driver.performed) == ["CreateIntent", "CancelIntent"]
    assert {(c.attempt_id, getattr(c, "intent_id", INTENT_ID)) for c in driver.performed} == {("a1", INTENT_ID)}
