"""Manual capture: money is held on the card first, and collected, in whole or in part, once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support import INTENT_ID, POLICY, PRICE, TICK, Driver, authorised, collected, kinds, opened, seen, view

from airport_payments.core.commands import CaptureIntent
from airport_payments.core.decide.draft import CancelReply, Completed, PaymentReply
from airport_payments.core.decide.table import PROCESSING_FIRST, RETRY_FIRST
from airport_payments.core.errors import (
    AlreadyCaptured,
    BookingAlreadyPaid,
    Busy,
    CaptureRefused,
    CaptureTooLarge,
    CurrencyMismatch,
    InvalidRequest,
    Misconfigured,
    NothingToCapture,
    PaymentIntentMismatch,
    StripeUnavailable,
)
from airport_payments.core.facts import Answer, RefusalKind, Refused, Unanswered
from airport_payments.core.model import (
    BookingStatus,
    CancelReason,
    IndexState,
    IntentStatus,
    PaymentState,
    Place,
    ReviewReason,
    Surplus,
)
from airport_payments.core.money import Money

MANUAL = replace(POLICY, manual_capture=True)
AT_AUTHORISATION = replace(MANUAL, confirm_at_authorization=True)
ALL = PRICE.amount_minor
PART = Money(10_000, "usd")
LOST = Unanswered("lost")
FAILED_500 = Unanswered("Stripe answered 500", server_error=True)


def captured(received_minor: int = ALL, **changes: object):
    return seen("succeeded", received_minor=received_minor, **changes)


def captures(driver: Driver) -> list[CaptureIntent]:
    return [c for c in driver.performed if isinstance(c, CaptureIntent)]


class TestACaptureThatWins:
    """The money is collected while a cancellation waits for the authorisation to be released: what is paid stands."""

    @pytest.mark.parametrize("there_and_back", [False, True])
    def test_a_booking_whose_money_was_captured_meanwhile_is_not_cancelled(self, there_and_back) -> None:
        driver = authorised(AT_AUTHORISATION)
        driver.capture(LOST)
        if there_and_back:
            driver.changed(LOST, status=BookingStatus.CANCELLED)
            driver.team(status=BookingStatus.PENDING)
        driver.cancel(LOST, reason="expired")
        assert driver.snapshot.ledger.cancelling is CancelReason.EXPIRED
        driver.event(view("succeeded", received_minor=ALL))
        assert driver.payment.place is Place.ATTACHED
        assert driver.booking.status is (BookingStatus.PENDING if there_and_back else BookingStatus.CONFIRMED)
        assert driver.snapshot.ledger.cancelling is None
        assert driver.history[-1] == "no longer to be cancelled: the booking is paid"
        assert isinstance(driver.cancel(), BookingAlreadyPaid)


class TestAuthorised:
    def test_the_intent_is_created_for_manual_capture(self) -> None:
        driver = Driver(policy=MANUAL)
        driver.request(seen("requires_payment_method"))
        assert driver.performed[0].manual_capture
        assert not opened().performed[0].manual_capture

    def test_it_is_announced_once_and_confirms_nothing_yet(self) -> None:
        driver = Driver(policy=MANUAL)
        driver.request(seen("requires_payment_method"))
        for number in range(3):
            driver.event(view("requires_capture"), f"evt_{number}")
        assert driver.announced == ["PaymentAuthorized"]
        assert driver.snapshot.ledger.announcements[0].announcement.amount == PRICE
        assert (driver.booking.status, driver.payment.place) == (BookingStatus.PENDING, Place.NONE)

    def test_no_second_attempt_is_opened(self) -> None:
        driver = authorised()
        assert isinstance(driver.request(attempt="a2"), BookingAlreadyPaid)
        assert len(driver.payments) == 1

    def test_where_the_team_wants_it_so_it_confirms_the_booking(self) -> None:
        driver = authorised(AT_AUTHORISATION)
        assert (driver.booking.status, driver.payment.place) == (BookingStatus.CONFIRMED, Place.ATTACHED)
        assert driver.confirmations == 1
        assert driver.confirm(seen("requires_capture")) == Completed(driver.booking, IntentStatus.REQUIRES_CAPTURE)

    def test_and_its_capture_confirms_nothing_again(self) -> None:
        driver = authorised(AT_AUTHORISATION)
        driver.capture(captured())
        assert (driver.confirmations, driver.announced) == (1, [])
        assert driver.payment.received_minor == ALL

    def test_such_a_payment_is_nothing_that_a_customer_could_still_pay(self) -> None:
        driver = Driver(policy=AT_AUTHORISATION)
        driver.request(seen("requires_payment_method"))
        change = driver.event(view("requires_capture")).change
        assert [row.state for row in change.index] == [IndexState.CLOSED]

    @pytest.mark.parametrize(
        "changes",
        [{"status": BookingStatus.CANCELLED}, {"status": BookingStatus.CONFIRMED}, {"price": Money(1, "usd")}],
    )
    def test_an_authorisation_that_the_booking_does_not_want_is_released(self, changes) -> None:
        driver = Driver(policy=AT_AUTHORISATION)
        driver.request(seen("requires_payment_method"))
        driver.team(**changes)
        driver.event(view("requires_capture"))
        assert driver.confirmations == 0
        driver.tick(seen("canceled"))
        assert driver.payment.state is PaymentState.CANCELED

    def test_one_that_expires_is_told_if_it_confirmed_the_booking(self) -> None:
        driver = authorised(AT_AUTHORISATION)
        driver.event(view("canceled"), "evt_late")
        assert (driver.payment.state, driver.payment.place) == (PaymentState.CANCELED, Place.NONE)
        assert driver.announced == ["AuthorizationLost"]
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_after_that_the_team_can_cancel_the_booking(self) -> None:
        driver = authorised(AT_AUTHORISATION)
        driver.event(view("canceled"), "evt_late")
        assert isinstance(driver.cancel(), CancelReply)
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_after_that_another_payment_that_is_still_open_is_cancelled_before_the_booking(self) -> None:
        driver = Driver(policy=AT_AUTHORISATION)
        driver.request(seen("requires_payment_method"))
        driver.event(view("canceled"), "evt_gone")
        driver.request(seen("requires_payment_method", "a2", "pi_00000002"), attempt="a2")
        driver.team(status=BookingStatus.CONFIRMED)
        cancelled = driver.cancel(
            seen("requires_payment_method", "a2", "pi_00000002"), seen("canceled", "a2", "pi_00000002")
        )
        assert isinstance(cancelled, CancelReply)
        assert [p.state for p in driver.payments] == [PaymentState.CANCELED, PaymentState.CANCELED]
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_after_one_whose_amount_was_changed_at_stripe_is_cancelled_the_team_can_cancel_the_booking(self) -> None:
        driver = authorised(AT_AUTHORISATION)
        driver.event(replace(view("requires_capture"), amount=Money(1, PRICE.currency)), "evt_edited")
        driver.tick(seen("requires_capture"), seen("canceled"))
        assert driver.announced == ["AuthorizationLost"]
        assert isinstance(driver.cancel(), CancelReply)
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_a_payment_that_we_were_cancelling_confirmed_nothing_that_could_be_lost(self) -> None:
        driver = Driver(policy=AT_AUTHORISATION)
        driver.request(seen("requires_payment_method"))
        driver.team(price=Money(1234, PRICE.currency))
        driver.tick(seen("requires_payment_method"), seen("canceled"))
        assert driver.payment.state is PaymentState.CANCELED
        driver.team(status=BookingStatus.CONFIRMED)
        assert isinstance(driver.cancel(), BookingAlreadyPaid)
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_it_is_released_when_the_team_cancels_its_row_and_nobody_is_told_that_it_is_lost(self) -> None:
        driver = authorised(AT_AUTHORISATION)
        driver.changed(seen("canceled"), status=BookingStatus.CANCELLED)
        assert driver.payment.state is PaymentState.CANCELED
        assert driver.announced == []

    @pytest.mark.parametrize("surplus", Surplus)
    def test_a_capture_that_is_faster_than_that_release_is_late_money(self, surplus) -> None:
        driver = authorised(replace(AT_AUTHORISATION, surplus=surplus))
        driver.team(status=BookingStatus.CANCELLED)
        driver.event(view("succeeded"), "evt_late")
        place = {Surplus.REVIEW: Place.REVIEW, Surplus.REFUND: Place.REFUNDED}[surplus]
        assert driver.payment.place is place
        assert driver.payment.review is (ReviewReason.LATE if surplus is Surplus.REVIEW else None)
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_one_that_expires_before_it_confirmed_anything_can_be_tried_again(self) -> None:
        driver = authorised()
        driver.event(view("canceled"), "evt_late")
        assert driver.announced == []
        driver.request(seen("requires_payment_method", "a2", "pi_00000002"), attempt="a2")
        assert driver.payments[1].state is PaymentState.OPEN


class TestCapture:
    def test_all_of_it_confirms_the_booking(self) -> None:
        driver = authorised()
        reply = driver.capture(captured())
        (command,) = driver.performed
        assert command == CaptureIntent("a1", INTENT_ID, ALL, "airport/a1/capture/0", driver.now, driver.now)
        assert isinstance(reply, PaymentReply)
        assert (reply.booking.status, reply.payment.place) == (BookingStatus.CONFIRMED, Place.ATTACHED)
        assert driver.announced == ["BookingConfirmed"]

    @pytest.mark.parametrize("policy", [MANUAL, AT_AUTHORISATION])
    def test_less_releases_the_rest_and_confirms_too(self, policy) -> None:
        driver = authorised(policy)
        reply = driver.capture(captured(PART.amount_minor), amount=PART)
        assert driver.performed[0].amount_minor == PART.amount_minor
        assert reply.payment.received_minor == reply.payment.rest_minor == PART.amount_minor
        assert (reply.booking.status, reply.payment.place) == (BookingStatus.CONFIRMED, Place.ATTACHED)

    def test_less_than_we_said_confirms_nothing(self) -> None:
        driver = authorised()
        driver.capture(captured(9_999), amount=PART)
        assert driver.payment.review is ReviewReason.AMOUNT_MISMATCH

    def test_rule_1_it_is_saved_before_it_is_sent_and_sent_again_as_saved(self) -> None:
        driver = authorised()
        assert isinstance(driver.capture(LOST), StripeUnavailable)
        assert len(driver.effects) == 1
        driver.tick(captured(), after=RETRY_FIRST)
        assert len({c.key for c in captures(driver)}) == 1
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_an_event_that_tells_first_is_answer_enough(self) -> None:
        driver = authorised()
        driver.capture(LOST)
        driver.event(view("succeeded"), "evt_2")
        assert (driver.effects, driver.booking.status) == ((), BookingStatus.CONFIRMED)

    def test_two_captures_of_the_same_are_one(self) -> None:
        driver = authorised()
        driver.capture(captured())
        assert isinstance(driver.capture(), PaymentReply)
        assert isinstance(driver.capture(amount=PRICE, payment=INTENT_ID), PaymentReply)
        assert len(driver.performed) == 1

    def test_a_second_one_of_another_amount_is_refused(self) -> None:
        driver = authorised()
        driver.capture(captured())
        assert isinstance(driver.capture(amount=PART), AlreadyCaptured)

    def test_a_second_one_while_the_first_is_unanswered(self) -> None:
        driver = authorised()
        driver.capture(LOST, amount=PART)
        assert isinstance(driver.capture(), AlreadyCaptured)
        reply = driver.capture(captured(PART.amount_minor), amount=PART)
        assert isinstance(reply, PaymentReply)
        assert len({c.key for c in captures(driver)}) == 1

    def test_a_spent_key_is_looked_at_before_another_is_used(self) -> None:
        driver = authorised()
        driver.capture(FAILED_500)
        driver.tick(FAILED_500, after=RETRY_FIRST)
        driver.tick(seen("requires_capture"), captured(), after=timedelta(minutes=1))
        assert kinds(driver.performed[-2:]) == ["RetrieveIntent", "CaptureIntent"]
        assert [c.key for c in captures(driver)] == ["airport/a1/capture/0"] * 2 + ["airport/a1/capture/1"]
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_a_replayed_answer_is_looked_at_before_another_key_is_used(self) -> None:
        """Rule 9: a capture never gets a new key before it was looked for."""
        driver = authorised()
        driver.capture(LOST)
        reply = driver.capture(captured(replayed=True), captured())
        assert isinstance(reply, PaymentReply)
        assert kinds(driver.performed) == ["CaptureIntent", "CaptureIntent", "RetrieveIntent"]

    def test_an_answer_on_an_older_version_is_looked_at_before_another_key_is_used(self) -> None:
        driver = authorised()
        driver.capture(LOST)
        driver.now += RETRY_FIRST
        act = driver.feed(TICK).act
        decision = driver.feed(Answer(act, captured(), 0, TICK))
        assert kinds([decision.act]) == ["RetrieveIntent"]
        driver.tick(captured())
        assert len({c.key for c in captures(driver)} | {act.key}) == 1

    def test_release_is_a_cancellation(self) -> None:
        driver = authorised()
        reply = driver.cancel(seen("canceled"))
        assert isinstance(reply, CancelReply)
        assert (reply.booking.status, reply.payments) == (BookingStatus.CANCELLED, ())
        assert kinds(driver.performed) == ["CancelIntent"]

    def test_release_of_an_authorisation_that_confirmed_the_booking(self) -> None:
        driver = authorised(AT_AUTHORISATION)
        reply = driver.cancel(seen("canceled"))
        assert (reply.booking.status, reply.payments) == (BookingStatus.CANCELLED, ())
        assert driver.announced == ["BookingCancelled"]

    def test_a_release_that_the_capture_won_leaves_the_booking_confirmed_and_says_so(self) -> None:
        driver = authorised(AT_AUTHORISATION)
        reply = driver.cancel(Refused(RefusalKind.UNEXPECTED_STATE, "no", seen=captured()))
        assert isinstance(reply, BookingAlreadyPaid)
        assert "refund" in str(reply)
        assert (driver.booking.status, driver.payment.place) == (BookingStatus.CONFIRMED, Place.ATTACHED)
        assert driver.snapshot.ledger.cancelling is None


class TestWhatIsRefused:
    def check(self, driver: Driver, error: type[Exception], **asked: object) -> None:
        before = driver.snapshot
        driver.performed.clear()
        assert type(driver.capture(**asked)) is error
        assert driver.snapshot == before
        assert not driver.performed

    def test_more_than_was_authorised(self) -> None:
        self.check(authorised(), CaptureTooLarge, amount=Money(ALL + 1, "usd"))

    def test_nothing(self) -> None:
        self.check(authorised(), InvalidRequest, amount=Money(0, "usd"))

    def test_another_currency(self) -> None:
        self.check(authorised(), CurrencyMismatch, amount=Money(100, "eur"))

    def test_someone_elses_payment(self) -> None:
        self.check(authorised(), PaymentIntentMismatch, payment="pi_00000009")

    @pytest.mark.parametrize("payment", [None, INTENT_ID])
    def test_what_is_not_authorised_yet_or_any_more(self, payment) -> None:
        self.check(opened(), NothingToCapture, payment=payment)
        driver = authorised()
        driver.event(view("canceled"), "evt_2")
        self.check(driver, NothingToCapture, payment=payment)

    def test_what_was_never_asked_for(self) -> None:
        self.check(Driver(), NothingToCapture)

    def test_what_was_collected_at_once(self) -> None:
        self.check(collected(), NothingToCapture)

    def test_what_is_being_released(self) -> None:
        driver = authorised()
        driver.cancel(LOST)
        self.check(driver, Busy)

    def test_an_authorisation_of_another_price_is_released_instead(self) -> None:
        driver = authorised()
        driver.team(price=Money(50_000, "usd"))
        assert isinstance(driver.capture(), Busy)
        driver.tick(seen("canceled"))
        assert captures(driver) == []


class TestStripeRefuses:
    def test_a_refusal_that_says_nothing_is_looked_at(self) -> None:
        driver = authorised()
        assert isinstance(driver.capture(Refused(RefusalKind.INVALID, "no")), CaptureRefused)
        assert (driver.effects, driver.payment.capture_minor) == ((), None)
        driver.tick(seen("canceled"))
        assert driver.payment.state is PaymentState.CANCELED

    @pytest.mark.parametrize("status", ["succeeded", "canceled"])
    def test_a_refusal_that_shows_the_intent_is_applied(self, status) -> None:
        driver = authorised()
        reply = driver.capture(Refused(RefusalKind.UNEXPECTED_STATE, "no", seen=seen(status)))
        assert driver.payment.state == status
        assert isinstance(reply, PaymentReply if status == "succeeded" else NothingToCapture)
        assert len(driver.performed) == 1

    @pytest.mark.parametrize("asker", ["capture", "tick"])
    def test_a_refusal_of_what_could_be_captured_is_not_tried_for_ever(self, asker) -> None:
        driver = authorised()
        refused = Refused(RefusalKind.INVALID, "amount_too_large: no", seen=seen("requires_capture"))
        if asker == "capture":
            assert isinstance(driver.capture(refused), CaptureRefused)
            driver.tick(seen("requires_capture"))
        else:
            driver.capture(LOST)
            driver.tick(refused, seen("requires_capture"), after=RETRY_FIRST)
        assert (driver.effects, driver.payment.capture_minor) == ((), None)
        driver.tick(after=PROCESSING_FIRST)
        assert len({c.key for c in captures(driver)}) == 1
        # Who wants it still says so again.
        assert isinstance(driver.capture(captured()), PaymentReply)

    def test_a_refused_api_key_leaves_it_due(self) -> None:
        driver = authorised()
        assert isinstance(driver.capture(Refused(RefusalKind.CREDENTIALS, "401")), Misconfigured)
        driver.tick(captured(), after=timedelta(minutes=1))
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_missing_it_stays_due_and_says_that_the_key_is_another_accounts(self) -> None:
        driver = authorised()
        assert isinstance(driver.capture(Refused(RefusalKind.MISSING, "resource_missing")), Misconfigured)
        assert len(driver.effects) == 1
