"""What time brings: announcements in order, their backoff, and looks at payments that no event tells of."""

from datetime import timedelta

from tests.support import BOOKING_ID, INTENT_ID, PRICE, declined, opened, seen, view

from airport_payments.core.announcements import BookingConfirmed, PaymentFailed, Pending
from airport_payments.core.commands import RetrieveIntent
from airport_payments.core.decide.draft import Done
from airport_payments.core.decide.table import (
    LOOK_FIRST,
    LOOK_MOST,
    MAX_LOOKS,
    PROCESSING_FIRST,
    REDELIVER_FIRST,
    REDELIVER_MOST,
    backoff,
)
from airport_payments.core.facts import Delivered, DeliveryFailed, RefusalKind, Refused, TimePassed, Unanswered
from airport_payments.core.model import BookingStatus

MINUTE = timedelta(minutes=1)


def failed_then_paid():
    driver = opened()
    driver.event(view("requires_payment_method", failure=declined()))
    driver.event(view("succeeded"), "evt_2")
    return driver


class TestAnnouncements:
    def test_they_are_saved_with_the_change_that_caused_them(self) -> None:
        driver = opened()
        change = driver.event(view("succeeded")).change
        (pending,) = change.ledger.announcements
        assert change.booking_status is BookingStatus.CONFIRMED
        assert change.due_at == driver.now
        assert pending.announcement == BookingConfirmed(
            booking_id=BOOKING_ID, sequence=1, at=driver.now, payment_intent_id=INTENT_ID, amount=PRICE
        )
        assert pending.announcement.id == "BK-1:1"

    def test_they_are_delivered_in_order_each_once(self) -> None:
        driver = failed_then_paid()
        assert isinstance(driver.tick(), Done)
        assert [(type(a), a.sequence) for a in driver.heard] == [(PaymentFailed, 1), (BookingConfirmed, 2)]
        assert driver.due_at is None
        driver.tick(after=timedelta(days=1))
        assert len(driver.heard) == 2

    def test_one_that_fails_keeps_the_later_ones_waiting(self) -> None:
        driver = failed_then_paid()
        decision = driver.feed(DeliveryFailed(1))
        assert isinstance(decision.reply, Done)
        assert driver.due_at == driver.now + REDELIVER_FIRST
        driver.tick(after=REDELIVER_FIRST)
        assert [a.sequence for a in driver.heard] == [1, 2]

    def test_its_waits_double_up_to_the_most_and_nothing_is_ever_lost(self) -> None:
        driver = failed_then_paid()
        waits = []
        for _ in range(40):
            driver.feed(DeliveryFailed(1))
            waits.append(driver.due_at - driver.now)
            driver.now = driver.due_at
        assert waits[:3] == [REDELIVER_FIRST, REDELIVER_FIRST * 2, REDELIVER_FIRST * 4]
        assert waits[-1] == REDELIVER_MOST
        assert driver.announced == ["PaymentFailed", "BookingConfirmed"]

    def test_a_delivery_that_another_worker_already_noted_changes_nothing(self) -> None:
        driver = failed_then_paid()
        driver.feed(Delivered(1))
        before = driver.snapshot
        for stale in (Delivered(1), DeliveryFailed(1)):
            decision = driver.feed(stale)
            assert decision.change is None
            assert isinstance(decision.act, Pending)
            assert decision.act.announcement.sequence == 2
        assert driver.snapshot is before

    def test_commands_come_before_announcements(self) -> None:
        driver = failed_then_paid()
        driver.event(view("requires_payment_method", "lost", "pi_00000009"), "evt_3", placed=True)
        assert not isinstance(driver.feed(TimePassed()).act, Pending)

    def test_numbers_go_on_after_all_were_delivered(self) -> None:
        driver = opened()
        driver.event(view("requires_payment_method", failure=declined()))
        driver.tick()
        driver.event(view("succeeded"), "evt_2")
        driver.tick()
        assert [a.sequence for a in driver.heard] == [1, 2]


class TestLooks:
    def test_a_payment_is_found_though_every_webhook_is_lost(self) -> None:
        driver = opened()
        assert driver.due_at == driver.now + LOOK_FIRST
        driver.tick(seen("succeeded"), after=LOOK_FIRST)
        assert driver.performed[-1] == RetrieveIntent("a1", INTENT_ID)
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_looks_grow_rarer_and_end_after_some_days(self) -> None:
        driver = opened()
        began, waits = driver.now, []
        while driver.due_at is not None and len(waits) < 99:
            waits.append(driver.due_at - driver.now)
            driver.now = driver.due_at
            driver.tick(seen("requires_payment_method"))
        assert waits[:4] == [LOOK_FIRST, LOOK_FIRST * 2, LOOK_FIRST * 4, LOOK_FIRST * 8]
        assert max(waits) == LOOK_MOST
        assert len(waits) == MAX_LOOKS
        assert timedelta(days=3) < driver.now - began < timedelta(days=7)

    def test_nothing_is_asked_before_it_is_due(self) -> None:
        driver = opened()
        assert isinstance(driver.tick(after=LOOK_FIRST - MINUTE), Done)

    def test_news_before_the_look_is_due_does_not_move_it(self) -> None:
        driver = opened()
        due = driver.due_at
        driver.now += MINUTE
        driver.event(view("requires_action"))
        assert driver.due_at == due

    def test_an_unanswered_look_stays_due_in_a_while(self) -> None:
        driver = opened()
        driver.tick(Unanswered("time-out"), after=LOOK_FIRST)
        assert driver.due_at == driver.now + PROCESSING_FIRST

    def test_a_refused_look_stays_due_ever_later(self) -> None:
        driver = opened()
        driver.tick(Refused(RefusalKind.MISSING, "resource_missing"), after=LOOK_FIRST)
        assert driver.due_at == driver.now + 2 * LOOK_FIRST
        driver.tick(Refused(RefusalKind.MISSING, "resource_missing"), after=2 * LOOK_FIRST)
        assert driver.due_at == driver.now + 4 * LOOK_FIRST

    def test_a_paid_or_canceled_payment_is_not_looked_at(self) -> None:
        for status in ("succeeded", "canceled"):
            driver = opened()
            driver.event(view(status))
            driver.tick(after=timedelta(days=30))
            assert driver.due_at is None


def test_backoff_doubles_to_the_most_and_never_overflows() -> None:
    second = timedelta(seconds=1)
    assert [backoff(second, MINUTE, n) for n in (0, 1, 2, 5, 6)] == [
        second,
        2 * second,
        4 * second,
        32 * second,
        MINUTE,
    ]
    assert backoff(timedelta(days=1), timedelta(days=900), 10**9) == timedelta(days=900)
