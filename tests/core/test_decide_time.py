"""What time brings: looks at payments that no event tells of."""

from datetime import datetime, timedelta

import pytest
from tests.support import INTENT_ID, opened, seen, view

from airport_payments.core.commands import RetrieveIntent
from airport_payments.core.decide.draft import Done
from airport_payments.core.decide.table import (
    LOOK_FIRST,
    LOOK_MOST,
    MAX_LOOKS,
    PROCESSING_FIRST,
    backoff,
)
from airport_payments.core.facts import RefusalKind, Refused, Unanswered
from airport_payments.core.model import BookingStatus

MINUTE = timedelta(minutes=1)


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

    @pytest.mark.parametrize("day", [0, 0.5, 1, 3, 5, 9])
    def test_what_is_paid_five_days_after_it_was_last_handed_out_is_found(self, day) -> None:
        driver = opened()
        began = driver.now

        def nothing_until(moment: datetime) -> None:
            while driver.due_at is not None and driver.due_at <= moment:
                driver.now = driver.due_at
                driver.tick(seen("requires_payment_method"))
            driver.now = moment

        nothing_until(began + timedelta(days=day))
        driver.request(seen("requires_payment_method"))
        nothing_until(driver.now + timedelta(days=5))
        assert driver.due_at is not None
        driver.now = driver.due_at
        driver.tick(seen("succeeded"))
        assert driver.booking.status is BookingStatus.CONFIRMED

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
