"""What becomes of a refund afterwards, and money that goes back because it confirms nothing (rule 7)."""

from dataclasses import replace

import pytest
from tests.support import (
    POLICY,
    PRICE,
    Driver,
    collected,
    listed,
    made,
    opened,
    refund_view,
    view,
)

from airport_payments.core.decide.table import (
    LOOK_FIRST,
    MAX_LOOKS,
    PROCESSING_FIRST,
    REFUND_FORWARD,
    RETRY_MOST,
)
from airport_payments.core.facts import RefusalKind, Refused, Unanswered
from airport_payments.core.model import BookingStatus, Payment, PaymentState, Place, ReviewReason, Surplus
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState

ALL = PRICE.amount_minor
PART = Money(10_000, "usd")
KEEP_BOOKING = replace(POLICY, refund_cancels_booking=False)
LOST = Unanswered("lost")


def refused(kind: RefusalKind = RefusalKind.INVALID) -> Refused:
    return Refused(kind, f"{kind.value}: no")


class TestAfterwards:
    def test_one_that_fails_after_it_succeeded_reopens_the_obligation_and_is_announced(self) -> None:
        driver = collected()
        driver.refund(made())
        driver.tick()
        driver.refund_event(refund_view(state="failed", failure="expired_or_canceled_card"), kind="refund.failed")
        assert (driver.payment.place, driver.payment.review) == (Place.REVIEW, ReviewReason.REFUND_FAILED)
        driver.tick()
        failed, review = driver.heard[-2:]
        assert (failed.reason, failed.amount_minor, failed.refund_id) == ("expired_or_canceled_card", ALL, "re_1")
        assert (review.reason, review.amount_minor) == ("refund_failed", ALL)
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_where_a_refund_leaves_the_booking_alone_its_failure_does_too(self) -> None:
        driver = collected(KEEP_BOOKING)
        driver.refund(made())
        driver.refund_event(refund_view(state="failed"))
        assert (driver.payment.place, driver.booking.status) == (Place.ATTACHED, BookingStatus.CONFIRMED)
        assert driver.announced == ["PaymentRefunded", "RefundFailed"]

    def test_news_of_success_after_the_failure_is_old(self) -> None:
        driver = collected()
        driver.refund(made())
        driver.refund_event(refund_view(state="failed"))
        before = driver.snapshot
        for state in ("pending", "requires_action", "succeeded"):
            assert driver.refund_event(refund_view(state=state)).change is None
        assert driver.snapshot == before

    def test_a_pending_one_is_looked_at_ever_more_rarely_and_not_for_ever(self) -> None:
        driver = collected()
        driver.refund(made(state="pending"))
        driver.tick()
        waits = []
        while driver.due_at is not None:
            waits.append(driver.due_at - driver.now)
            driver.now = driver.due_at
            driver.tick(listed(refund_view(state="pending")))
            assert len(waits) < 30
        assert waits[0] == LOOK_FIRST
        assert waits == sorted(waits)
        assert len(waits) == MAX_LOOKS

    @pytest.mark.parametrize(
        ("reply", "wait"), [(LOST, PROCESSING_FIRST), (refused(RefusalKind.CREDENTIALS), PROCESSING_FIRST), (refused(), RETRY_MOST)]
    )  # fmt: skip
    def test_a_question_that_stripe_did_not_answer_is_no_look_at_a_pending_one(self, reply, wait) -> None:
        driver = collected()
        driver.refund(made(state="pending"))
        driver.tick()
        driver.now = driver.due_at
        for _ in range(10 * MAX_LOOKS):
            driver.tick(reply)
            assert driver.due_at == driver.now + wait
            driver.now = driver.due_at
        driver.tick(listed(refund_view(state="pending")))
        assert driver.due_at == driver.now + 2 * LOOK_FIRST

    def test_a_pending_one_whose_events_are_lost_is_found_succeeded(self) -> None:
        driver = collected()
        driver.refund(made(state="pending"))
        driver.tick(listed(refund_view()), after=LOOK_FIRST)
        assert (driver.refund_states, driver.due_at) == (["succeeded"], None)

    def test_each_end_of_a_refund_is_announced_once(self) -> None:
        driver = collected()
        driver.refund(made(state="pending"), amount=PART)
        for state in ("pending", "succeeded", "succeeded", "failed", "failed", "succeeded"):
            driver.refund_event(refund_view(amount_minor=PART.amount_minor, state=state), f"evt_{state}")
        assert driver.announced == ["PaymentRefunded", "RefundFailed"]

    def test_forward_is_forward(self) -> None:
        """No state of a refund can be left and come back to, but a refused one that turns out to exist."""
        for state in RefundState:
            reach, todo = set(), set(REFUND_FORWARD[state])
            while todo:
                reach |= todo
                todo = {n for r in todo for n in REFUND_FORWARD[r]} - reach
            assert state not in reach


class TestSurplusIsGivenBackAtOnce:
    POLICY = replace(POLICY, surplus=Surplus.REFUND)

    def paid(self, **changes: object) -> Driver:
        driver = opened()
        driver.policy = self.POLICY
        driver.team(status=BookingStatus.CANCELLED)
        driver.event(view("succeeded", **changes))
        return driver

    def test_an_event_performs_nothing_but_leaves_the_refund_due(self) -> None:
        driver = self.paid()
        (command,) = driver.effects
        assert (command.amount_minor, command.reason, command.due_at) == (ALL, None, driver.now)
        assert (driver.payment.place, driver.payment.review) == (Place.REFUNDED, None)
        driver.tick(made())
        assert driver.refund_states == ["succeeded"]
        assert driver.announced == ["PaymentRefunded"]

    def test_s11_the_same_news_orders_no_second_one(self) -> None:
        driver = self.paid()
        driver.event(view("succeeded"), "evt_2")
        driver.tick(made())
        driver.event(view("succeeded"), "evt_3")
        assert len(driver.refunds) == 1

    @pytest.mark.parametrize("received", [1, ALL - 1, ALL + 1])
    def test_what_is_given_back_is_what_came(self, received) -> None:
        assert self.paid(received_minor=received).effects[0].amount_minor == received

    def test_nothing_is_not_given_back(self) -> None:
        driver = self.paid(received_minor=0)
        assert (driver.effects, driver.payment.place) == ((), Place.REFUNDED)

    def test_what_the_dashboard_gave_back_before_is_not_given_again(self) -> None:
        driver = opened()
        driver.policy = self.POLICY
        driver.team(status=BookingStatus.CANCELLED)
        driver.refund_event(refund_view("re_d", PART.amount_minor))
        driver.event(view("succeeded"), "evt_2")
        assert driver.effects[0].amount_minor == ALL - PART.amount_minor

    def test_the_second_payment_goes_back_and_the_ticket_stays(self) -> None:
        driver = collected(self.POLICY)
        ledger = driver.snapshot.ledger
        second = Payment("a2", PRICE, PaymentState.OPEN, "pi_00000002", opened_at=driver.now)
        driver.snapshot = replace(driver.snapshot, ledger=replace(ledger, payments=(*ledger.payments, second)))
        driver.event(view("succeeded", "a2", "pi_00000002"), "evt_2")
        driver.tick(made())
        assert [p.place for p in driver.payments] == [Place.ATTACHED, Place.REFUNDED]
        assert driver.performed[-1].intent_id == "pi_00000002"
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_what_this_database_never_asked_for_waits_for_a_person_even_so(self) -> None:
        driver = collected(self.POLICY)
        driver.event(view("succeeded", "lost", "pi_00000009"), "evt_2", placed=True)
        assert (driver.payments[1].review, driver.effects) == (ReviewReason.UNKNOWN_ATTEMPT, ())

    def test_one_that_stripe_refuses_is_listed_and_then_waits_for_a_person(self) -> None:
        driver = self.paid()
        driver.tick(refused(RefusalKind.DISPUTED), listed())
        assert (driver.payment.place, driver.payment.review) == (Place.REVIEW, ReviewReason.REFUND_FAILED)
        assert driver.announced == ["RefundFailed", "PaymentNeedsReview"]
        assert (driver.heard[0].refund_id, driver.heard[1].amount_minor) == (None, ALL)

    def test_one_that_stripe_refuses_because_it_went_back_already_is_done(self) -> None:
        driver = self.paid()
        driver.tick(refused(RefusalKind.ALREADY_REFUNDED), listed(refund_view("re_d")))
        assert (driver.payment.place, driver.payment.rest_minor) == (Place.REFUNDED, 0)
        assert "PaymentNeedsReview" not in driver.announced

    def test_while_the_list_is_missing_nobody_is_bothered(self) -> None:
        driver = self.paid()
        driver.tick(refused(RefusalKind.ALREADY_REFUNDED), LOST)
        assert driver.payment.place is Place.REFUNDED
        driver.now = driver.due_at
        driver.tick(listed(refund_view("re_d")))
        assert "PaymentNeedsReview" not in driver.announced
