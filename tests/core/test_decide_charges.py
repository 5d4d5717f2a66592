"""Saved cards: what a charge that has no answer may still do, and who may have it sent again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.core.beginnings import DAY, HELD, HELD_CONFIRMS, LOST, OPTIONS, REST, no
from tests.support import (
    INTENT_ID,
    NOW,
    OWNER,
    POLICY,
    PRICE,
    Driver,
    declined,
    made,
    seen,
    view,
)

from airport_payments import (
    BookingNotPayable,
    BookingStatus,
    CardDeclined,
    InvalidRequest,
    Misconfigured,
    PaymentInReview,
    StripeUnavailable,
)
from airport_payments.core.commands import CancelIntent, CaptureIntent, ConfirmIntent
from airport_payments.core.decide import decide
from airport_payments.core.decide.draft import Completed, NotCompleted, Ready
from airport_payments.core.facts import Answer, ChargeRequested, RefusalKind
from airport_payments.core.model import IntentStatus, PaymentState, Place
from airport_payments.core.money import Money

YES_WANTED = declined(code="authentication_required")


def asked(card="pm_1", attempt="c1", price=PRICE):
    return ChargeRequested(OWNER, price, attempt, card, OPTIONS)


def charge(driver, *replies, card="pm_1", attempt="c1"):
    return driver.ask(asked(card, attempt), *replies)


def unanswered(policy=POLICY, **changes):
    """Return a booking whose charge with `pm_1` has no answer."""
    driver = Driver(policy=policy)
    driver.team(**changes)
    assert isinstance(charge(driver, seen("requires_payment_method", "c1"), LOST), StripeUnavailable)
    assert [type(e) for e in driver.effects] == [ConfirmIntent]
    return driver


def sent(driver, kind):
    return [c for c in driver.performed if isinstance(c, kind)]


def succeeded(**more):
    return seen("succeeded", "c1", **more)


class TestACardThatStripeDoesNotTake:
    def test_it_is_said_and_another_card_may_follow(self):
        driver = Driver()
        refused = no(RefusalKind.PAYMENT_METHOD, "resource_missing: No such PaymentMethod: 'pm_1'")
        reply = charge(driver, seen("requires_payment_method", "c1"), refused)
        assert isinstance(reply, InvalidRequest)
        assert [e.field for e in reply.errors] == ["payment_method_id"]
        assert driver.effects == ()
        again = charge(driver, seen("requires_payment_method", "c1"), succeeded(), card="pm_2")
        assert isinstance(again, Completed)

    def test_a_worker_sends_it_no_second_time(self):
        driver = unanswered()
        refused = no(RefusalKind.PAYMENT_METHOD, "resource_missing: No such PaymentMethod: 'pm_1'")
        driver.tick(refused, after=timedelta(minutes=5))
        assert driver.effects == ()
        assert isinstance(driver.request(seen("requires_payment_method", "c1"), attempt="a2"), Ready)

    def test_a_refusal_ends_it_also_when_another_process_put_it_off_meanwhile(self):
        driver = unanswered()
        first = sent(driver, ConfirmIntent)[0]
        assert driver.effects[0] != first
        refused = no(RefusalKind.PAYMENT_METHOD, "resource_missing: No such PaymentMethod: 'pm_1'")
        decision = driver.feed(Answer(first, refused, driver.snapshot.ledger.version - 1, asked()))
        assert isinstance(decision.reply, InvalidRequest)
        assert driver.effects == ()

    def test_an_unknown_payment_intent_is_still_one_of_the_settings(self):
        driver = Driver()
        reply = charge(driver, seen("requires_payment_method", "c1"), no(RefusalKind.MISSING))
        assert isinstance(reply, Misconfigured)
        assert [type(e) for e in driver.effects] == [ConfirmIntent]


class TestAnotherCard:
    def test_it_takes_the_place_of_a_charge_without_answer(self):
        driver = unanswered()
        reply = charge(driver, seen("requires_payment_method", "c1"), succeeded(), card="pm_2", attempt="c2")
        assert isinstance(reply, Completed)
        assert [c.payment_method_id for c in sent(driver, ConfirmIntent)] == ["pm_1", "pm_2"]
        assert len({c.key for c in sent(driver, ConfirmIntent)}) == 2

    def test_the_same_card_goes_on_with_the_same_try(self):
        driver = unanswered()
        assert isinstance(charge(driver, succeeded(), attempt="c2"), Completed)
        assert len({c.key for c in sent(driver, ConfirmIntent)}) == 1

    def test_what_the_first_card_paid_is_not_paid_again(self):
        driver = unanswered()
        reply = charge(driver, succeeded(), card="pm_2", attempt="c2")
        assert isinstance(reply, Completed)
        assert [c.payment_method_id for c in sent(driver, ConfirmIntent)] == ["pm_1"]

    def test_the_answer_to_the_first_comes_late_and_puts_off_nothing_of_the_second(self):
        driver = unanswered()
        first = sent(driver, ConfirmIntent)[0]
        charge(driver, seen("requires_payment_method", "c1"), LOST, card="pm_2", attempt="c2")
        (second,) = driver.effects
        late = decide(driver.snapshot, Answer(first, LOST, 1, asked()), driver.now, POLICY)
        assert isinstance(late.reply, StripeUnavailable)
        assert late.change is None
        assert driver.effects == (second,)


class TestACustomerWhoPaysByThemselves:
    def test_the_charge_without_answer_is_not_sent_again(self):
        driver = unanswered()
        reply = driver.request(seen("requires_payment_method", "c1"), attempt="a2")
        assert isinstance(reply, Ready)
        assert driver.effects == ()
        driver.tick(seen("requires_payment_method", "c1"), after=timedelta(hours=1))
        assert len(sent(driver, ConfirmIntent)) == 1


class TestWhatIsNotWantedAnyMore:
    def test_cancelling_sends_no_charge_but_closes_its_payment_intent(self):
        driver = unanswered()
        driver.cancel(seen("canceled", "c1"))
        assert driver.booking.status is BookingStatus.CANCELLED
        assert len(sent(driver, ConfirmIntent)) == 1

    @pytest.mark.parametrize(
        "change",
        [{"status": BookingStatus.CANCELLED}, {"status": BookingStatus.CONFIRMED}, {"price": Money(100, "usd")}],
        ids=["cancelled", "paid at the counter", "repriced"],
    )
    def test_a_worker_sends_no_charge_for_a_booking_that_changed(self, change):
        driver = unanswered()
        driver.team(**change)
        driver.tick(seen("canceled", "c1"), after=timedelta(minutes=20))
        assert [type(c) for c in driver.performed[2:]] == [CancelIntent]
        assert driver.payment.state is PaymentState.CANCELED

    def test_nor_after_the_hold(self):
        driver = unanswered(hold_until=NOW + timedelta(minutes=10))
        driver.tick(seen("canceled", "c1"), after=timedelta(minutes=10))
        assert driver.booking.status is BookingStatus.CANCELLED
        assert len(sent(driver, ConfirmIntent)) == 1

    def test_a_charge_that_had_got_through_is_late_money(self):
        driver = unanswered()
        driver.team(status=BookingStatus.CANCELLED)
        refused = no(RefusalKind.UNEXPECTED_STATE, seen=succeeded())
        driver.tick(refused, after=timedelta(minutes=20))
        assert driver.payment.place is Place.REVIEW
        assert isinstance(charge(driver, attempt="c2"), PaymentInReview)

    def test_a_charge_that_is_still_wanted_is_finished_by_a_worker(self):
        driver = unanswered()
        driver.tick(succeeded(), after=timedelta(minutes=5))
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_a_capture_without_answer_is_not_sent_by_who_cancels(self):
        driver = Driver(policy=HELD)
        driver.request(REST)
        driver.event(view("requires_capture"))
        driver.capture(LOST)
        driver.cancel(seen("canceled"))
        assert driver.booking.status is BookingStatus.CANCELLED
        assert len(sent(driver, CaptureIntent)) == 1
        assert (
            "its capture had no answer and is not sent again: the booking does not want it any more" in driver.history
        )

    def test_its_history_says_that_the_charge_was_given_up(self):
        driver = unanswered()
        driver.cancel(seen("canceled", "c1"))
        assert "its charge had no answer and is not sent again: the booking does not want it any more" in driver.history


class TestABankThatWantsTheCustomersOwnYes:
    def reply(self, driver, shown, *, before=None):
        """Return the reply to a charge whose answer is `shown`, after `before` came in between."""
        decision = driver.feed(asked())
        decision = driver.feed(
            Answer(decision.act, seen("requires_payment_method", "c1"), driver.snapshot.ledger.version, asked())
        )
        assert isinstance(decision.act, ConfirmIntent)
        version = driver.snapshot.ledger.version
        if before is not None:
            driver.event(before, "evt_before")
        refused = no(RefusalKind.CARD, failure=YES_WANTED, seen=shown)
        return driver.feed(Answer(decision.act, refused, version, asked()))

    def shown(self, **more):
        return seen("requires_payment_method", "c1", failure=YES_WANTED, **more)

    def test_they_are_let_do_that(self):
        reply = self.reply(Driver(), self.shown()).reply
        assert isinstance(reply, NotCompleted)
        assert (reply.failure, reply.client_secret.reveal()) == (YES_WANTED, f"{INTENT_ID}_secret_CANARY")

    def test_also_when_the_webhook_was_faster(self):
        before = view("requires_payment_method", "c1", failure=YES_WANTED)
        reply = self.reply(Driver(), self.shown(), before=before).reply
        assert isinstance(reply, NotCompleted)
        assert reply.client_secret is not None

    def test_also_when_the_answer_is_a_stored_one(self):
        reply = self.reply(Driver(), self.shown(replayed=True)).reply
        assert isinstance(reply, NotCompleted)
        assert (reply.status, reply.failure) == (IntentStatus.REQUIRES_PAYMENT_METHOD, YES_WANTED)
        assert reply.client_secret is not None

    def test_not_when_it_is_paid_by_now(self):
        reply = self.reply(Driver(), self.shown(), before=view("succeeded", "c1")).reply
        assert isinstance(reply, Completed)

    def test_nor_while_it_is_being_canceled(self):
        driver = Driver()
        before = view("requires_action", "c1", amount=Money(100, "usd"))
        reply = self.reply(driver, self.shown(), before=before).reply
        assert driver.payment.closing
        assert isinstance(reply, NotCompleted)
        assert reply.client_secret is None

    def test_nor_when_it_was_canceled(self):
        reply = self.reply(Driver(), self.shown(), before=view("canceled", "c1")).reply
        assert isinstance(reply, NotCompleted)
        assert (reply.status, reply.client_secret) == (IntentStatus.CANCELED, None)

    def test_without_the_payment_intent_it_is_a_declined_card(self):
        assert isinstance(self.reply(Driver(), None).reply, CardDeclined)


class TestMoneyThatWentBack:
    """Where a refund leaves the booking confirmed."""

    def given_back(self):
        driver = Driver(policy=replace(POLICY, refund_cancels_booking=False))
        driver.request(REST)
        driver.event(view("succeeded"))
        driver.refund(made())
        assert driver.booking.status is BookingStatus.CONFIRMED
        return driver

    def test_what_was_given_back_is_not_said_to_be_paid(self):
        driver = self.given_back()
        assert isinstance(charge(driver), BookingNotPayable)
        reply = driver.confirm()
        assert isinstance(reply, NotCompleted)
        assert (reply.status, reply.client_secret) == (IntentStatus.SUCCEEDED, None)

    def test_what_was_given_back_in_part_is_paid(self):
        driver = Driver(policy=replace(POLICY, refund_cancels_booking=False))
        driver.request(REST)
        driver.event(view("succeeded"))
        driver.refund(made(), amount=Money(PRICE.amount_minor - 1, "usd"))
        assert isinstance(charge(driver), Completed)
        assert isinstance(driver.confirm(), Completed)

    def test_set_back_to_pending_it_can_be_paid_again(self):
        driver = self.given_back()
        driver.team(status=BookingStatus.PENDING)
        reply = driver.request(seen("requires_payment_method", "a2", "pi_2"), attempt="a2")
        assert isinstance(reply, Ready)
        assert driver.payments[0].place is Place.REFUNDED
        driver.event(view("succeeded", "a2", "pi_2"))
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_cancelled_by_the_team_it_keeps_its_place(self):
        driver = self.given_back()
        driver.team(status=BookingStatus.CANCELLED)
        driver.tick(after=DAY)
        assert driver.payment.place is Place.ATTACHED


class TestAnAuthorisation:
    def test_an_event_that_shows_it_answers_the_charge_and_its_capture_sends_that_no_second_time(self):
        driver = unanswered(HELD)
        driver.event(view("requires_capture", "c1"))
        assert driver.effects == ()
        driver.capture(succeeded())
        assert driver.booking.status is BookingStatus.CONFIRMED
        assert [type(c) for c in driver.performed[2:]] == [CaptureIntent]


class TestAnAuthorisationThatConfirmed:
    def test_a_charge_of_it_is_completed(self):
        driver = Driver(policy=HELD_CONFIRMS)
        driver.request(REST)
        driver.event(view("requires_capture"))
        assert charge(driver) == Completed(driver.booking, IntentStatus.REQUIRES_CAPTURE)
