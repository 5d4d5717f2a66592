"""What goes on at the same time must not lose money or news of it: cases that the simulation found."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support import POLICY, Driver, opened, seen, view

from airport_payments.core.decide.draft import Completed, NotCompleted
from airport_payments.core.model import BookingStatus, IntentStatus, Place

HOUR = timedelta(hours=1)


def at_authorization(**changes: object) -> Driver:
    """An open PaymentIntent where the authorisation confirms the booking."""
    driver = opened(**changes)
    driver.policy = replace(POLICY, manual_capture=True, confirm_at_authorization=True)
    return driver


class TestAuthorised:
    def test_a_booking_that_its_authorisation_confirmed_is_not_said_to_be_collected(self) -> None:
        driver = at_authorization()
        reply = driver.confirm(seen("requires_capture"))
        assert isinstance(reply, Completed)
        assert reply.status is IntentStatus.REQUIRES_CAPTURE
        assert isinstance(driver.confirm(seen("requires_capture")), Completed)
        reply = driver.confirm(seen("succeeded"))
        assert isinstance(reply, Completed)
        assert reply.status is IntentStatus.SUCCEEDED

    def test_a_released_authorisation_is_not_said_to_be_completed(self) -> None:
        driver = at_authorization()
        driver.confirm(seen("requires_capture"))
        reply = driver.confirm(seen("canceled"))
        assert isinstance(reply, NotCompleted)
        assert driver.payment.place is Place.NONE

    @pytest.mark.parametrize("late", [False, True], ids=["at once", "after its last look"])
    def test_an_authorisation_is_looked_at_until_it_ends(self, late: bool) -> None:
        driver = at_authorization()
        while late and driver.due_at is not None:
            driver.now = driver.due_at
            driver.tick(seen("requires_action"))
        driver.event(view("requires_capture"))
        driver.tick()
        authorised = driver.now
        while driver.now < authorised + timedelta(days=30):
            assert driver.due_at is not None
            assert driver.due_at <= driver.now + timedelta(days=1)
            driver.now = driver.due_at
            driver.tick(seen("requires_capture"))
        assert driver.due_at is not None
        driver.now = driver.due_at
        driver.tick(seen("canceled"))
        assert driver.announced[-1] == "AuthorizationLost"
        assert driver.due_at is None


class TestHolds:
    @pytest.mark.parametrize("manual", [False, True], ids=["collected", "authorised"])
    def test_a_paid_booking_that_the_team_reopened_is_not_cancelled_by_its_hold(self, manual: bool) -> None:
        driver = at_authorization() if manual else opened()
        driver.event(view("requires_capture" if manual else "succeeded"))
        driver.team(status=BookingStatus.PENDING, hold_until=driver.now - HOUR)
        driver.tick()
        assert driver.booking.status is BookingStatus.PENDING
        assert driver.payment.place is Place.ATTACHED
        assert not driver.effects
