"""What counts as a difference, and when a forgotten attempt is put back."""

from dataclasses import replace

import pytest
from tests.support import BOOKING_ID, INTENT_ID, POLICY, PRICE, Driver, declined, opened, view

from airport_payments.core.decide.draft import Unplaced
from airport_payments.core.facts import IntentObserved
from airport_payments.core.model import BookingStatus, Place, ReviewReason, Surplus
from airport_payments.core.money import Money
from airport_payments.core.reconcile import Difference, DifferenceKind, ReconcileReport, differences


def rebuilt(driver, seen):
    return driver.feed(IntentObserved(seen, "reconcile", "reconcile.payment_intent", placed=True, rebuild=True))


def kinds(decision) -> list[str]:
    return [d.kind.value for d in differences(decision.change)] if decision.change is not None else []


class TestRebuild:
    def test_a_paid_attempt_confirms_by_rule_6(self) -> None:
        driver = Driver()
        assert kinds(rebuilt(driver, view("succeeded"))) == ["missing"]
        assert (driver.booking.status, driver.payment.place, driver.payment.stray) == (
            BookingStatus.CONFIRMED, Place.ATTACHED, False,
        )  # fmt: skip
        assert rebuilt(driver, view("succeeded")).change is None

    @pytest.mark.parametrize(
        "seen",
        [
            view("succeeded", amount=Money(1, "usd")),
            view("succeeded", received_minor=1),
            view("succeeded", amount=replace(PRICE, currency="eur")),
        ],
    )
    def test_what_rule_6_forbids_confirms_nothing(self, seen) -> None:
        driver = Driver()
        rebuilt(driver, seen)
        assert (driver.booking.status, driver.payment.place) == (BookingStatus.PENDING, Place.REVIEW)

    def test_a_booking_that_is_cancelled_by_now_is_not_confirmed(self) -> None:
        driver = Driver()
        driver.team(status=BookingStatus.CANCELLED)
        rebuilt(driver, view("succeeded"))
        assert (driver.booking.status, driver.payment.place) == (BookingStatus.CANCELLED, Place.REVIEW)

    def test_an_open_attempt_is_the_one_that_may_be_paid(self) -> None:
        driver = Driver()
        rebuilt(driver, view("requires_payment_method"))
        assert driver.payment.payable
        assert not driver.payment.closing

    def test_beside_a_live_or_a_paid_one_it_is_a_stray(self) -> None:
        for status in ("requires_payment_method", "succeeded"):
            driver = opened()
            driver.event(view(status))
            assert kinds(rebuilt(driver, view("succeeded", "a2", "pi_00000002"))) == ["orphan"]
            assert driver.payments[0].intent_id == INTENT_ID
            assert driver.payments[1].stray

    def test_without_its_mark_or_under_a_name_that_is_taken_it_is_a_stray(self) -> None:
        for seen in (
            replace(view("succeeded", intent_id="pi_00000002"), attempt_id=None),
            view("succeeded", "a1", "pi_00000002"),
        ):
            driver = opened()
            driver.event(view("canceled"))
            rebuilt(driver, seen)
            assert driver.payments[1].stray

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"received_minor": 1}, ReviewReason.AMOUNT_MISMATCH),
            ({"amount": Money(PRICE.amount_minor + 1, PRICE.currency)}, ReviewReason.PRICE_CHANGED),
        ],
    )
    def test_money_that_confirms_nothing_waits_for_a_person_though_surplus_goes_back(self, changes, reason) -> None:
        """What this database forgot about it, such as a capture of a part, may be why it does not fit."""
        driver = Driver(policy=replace(POLICY, surplus=Surplus.REFUND))
        rebuilt(driver, view("succeeded", **changes))
        assert (driver.payment.place, driver.payment.review) == (Place.REVIEW, reason)
        assert driver.refunds == ()

    def test_it_is_asked_first_whether_another_booking_has_it(self) -> None:
        driver = Driver()
        asked = IntentObserved(view("succeeded"), "reconcile", "reconcile.payment_intent", rebuild=True)
        assert driver.feed(asked).reply == Unplaced()


class TestDifferences:
    def test_news_of_a_known_payment_is_behind(self) -> None:
        driver = opened()
        (found,) = differences(driver.event(view("succeeded")).change)
        assert found == Difference(
            DifferenceKind.BEHIND, BOOKING_ID, INTENT_ID, "requires_payment_method", "succeeded", PRICE
        )

    def test_a_failure_says_why(self) -> None:
        (found,) = differences(opened().event(view("requires_payment_method", failure=declined())).change)
        assert found.at_stripe == "requires_payment_method (card_declined)"

    def test_what_was_collected_counts_not_what_was_asked(self) -> None:
        (found,) = differences(opened().event(view("succeeded", received_minor=1)).change)
        assert found.amount == Money(1, "usd")

    def test_what_we_decided_ourselves_is_no_difference(self) -> None:
        driver = opened()
        driver.team(status=BookingStatus.CANCELLED)
        decision = driver.event(view("requires_payment_method"))
        assert decision.change is not None
        assert kinds(decision) == []


def test_a_report_sums_money_by_currency_and_sorts_by_booking() -> None:
    some = [
        Difference(DifferenceKind.BEHIND, "b", "pi_1", None, "succeeded", Money(10, "usd")),
        Difference(DifferenceKind.REFUND, "a", "re_1", None, "succeeded", Money(5, "usd")),
        Difference(DifferenceKind.UNMATCHED, None, "pi_2", None, "succeeded", Money(7, "eur")),
        Difference(DifferenceKind.NOT_COMPARED, "a", "pi_3", None, "busy", None),
    ]
    from tests.support import NOW

    report = ReconcileReport(NOW, NOW, True, 4, 0, tuple(some), None)
    assert report.money_minor == {"usd": 15, "eur": 7}
    assert report.by_booking == {"b": (some[0],), "a": (some[1], some[3]), None: (some[2],)}
