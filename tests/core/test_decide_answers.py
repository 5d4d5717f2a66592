"""What Stripe's answers mean: rules 1, 2 and 9, and what becomes of an attempt that was never answered."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support import INTENT_ID, NOW, OWNER, PRICE, TICK, Driver, declined, kinds, opened, seen, view

from airport_payments.core.commands import CreateIntent, FindIntent, RetrieveIntent
from airport_payments.core.decide.draft import Done, Ready, Unplaced
from airport_payments.core.decide.table import (
    KEY_LIFETIME,
    LEASE,
    LOOK_FIRST,
    RETRY_FIRST,
    RETRY_MOST,
    SERVER_ERRORS_BEFORE_LOOKING,
)
from airport_payments.core.errors import (
    AmountTooLarge,
    AmountTooSmall,
    CardDeclined,
    Misconfigured,
    StripeUnavailable,
)
from airport_payments.core.facts import (
    Answer,
    ConfirmRequested,
    NothingFound,
    PaymentRequested,
    RefusalKind,
    Refused,
    Unanswered,
)
from airport_payments.core.model import BookingStatus, PaymentState, Place, ReviewReason

FAILED = Unanswered("500", server_error=True)
LOST = Unanswered("time-out")


class TestRefusedCreate:
    @pytest.mark.parametrize(
        ("refusal", "error"),
        [
            (Refused(RefusalKind.AMOUNT_TOO_SMALL, "x"), AmountTooSmall),
            (Refused(RefusalKind.AMOUNT_TOO_LARGE, "x"), AmountTooLarge),
            (Refused(RefusalKind.INVALID, "x"), Misconfigured),
            (Refused(RefusalKind.CARD, "x", failure=declined()), CardDeclined),
            (Refused(RefusalKind.MISSING, "x"), Misconfigured),
        ],
    )
    def test_it_ends_the_attempt_and_the_next_request_opens_another(self, refusal, error) -> None:
        driver = Driver()
        assert type(driver.request(refusal)) is error
        assert (driver.payment.state, driver.effects) == (PaymentState.ABANDONED, ())
        reply = driver.request(seen("requires_payment_method", "a2", "pi_00000002"), attempt="a2")
        assert isinstance(reply, Ready)
        assert driver.performed[-1].key == "airport/a2/create/0"

    def test_it_is_watched_because_another_sending_may_have_got_through(self) -> None:
        """One process sends the saved create, which is executed, and dies; another sends it again and is refused."""
        driver = Driver()
        driver.request(Refused(RefusalKind.INVALID, "x"))
        assert driver.due_at == driver.now + LOOK_FIRST
        driver.tick(seen("requires_payment_method"), seen("canceled"), after=LOOK_FIRST)
        assert driver.payment.state is PaymentState.CANCELED

    @pytest.mark.parametrize("kind", [RefusalKind.AMOUNT_TOO_SMALL, RefusalKind.AMOUNT_TOO_LARGE])
    def test_an_amount_that_stripe_never_takes_needs_no_watching(self, kind) -> None:
        driver = Driver()
        driver.request(Refused(kind, "x"))
        assert driver.due_at is None

    def test_refused_credentials_leave_the_command_for_when_the_key_is_mended(self) -> None:
        driver = Driver()
        reply = driver.request(Refused(RefusalKind.CREDENTIALS, "401 api_key_expired"))
        assert isinstance(reply, Misconfigured)
        assert "api_key_expired" in str(reply)
        assert "api_key_expired" not in reply.public_message
        assert driver.payment.state is PaymentState.OPENING
        saved = driver.effects[0]
        driver.tick(seen("requires_payment_method"), after=timedelta(hours=1))
        assert driver.performed[-1] == saved
        assert driver.payment.state is PaymentState.OPEN

    def test_a_late_refusal_does_not_end_an_attempt_that_has_its_intent(self) -> None:
        driver = Driver()
        act = driver.feed(PaymentRequested(OWNER, PRICE, "a1")).act
        driver.event(view("requires_payment_method"))
        driver.feed(Answer(act, Refused(RefusalKind.INVALID, "x"), 1, PaymentRequested(OWNER, PRICE, "a1")))
        assert driver.payment.state is PaymentState.OPEN


class TestUnanswered:
    def test_the_create_stays_and_is_sent_again_exactly_as_saved(self) -> None:
        driver = Driver()
        assert isinstance(driver.request(LOST), StripeUnavailable)
        first = driver.performed[0]
        assert driver.due_at == NOW + RETRY_FIRST
        assert isinstance(driver.tick(seen("requires_payment_method"), after=RETRY_FIRST), Done)
        again = driver.performed[1]
        assert replace(again, tries=0, due_at=first.due_at) == first
        assert driver.payment.intent_id == INTENT_ID

    def test_its_waits_double_up_to_the_most(self) -> None:
        driver = Driver()
        driver.request(LOST)
        waits = []
        for _ in range(12):
            waits.append(driver.due_at - driver.now)
            driver.now = driver.due_at
            driver.tick(LOST)
        assert waits[:4] == [RETRY_FIRST * factor for factor in (1, 2, 4, 8)]
        assert waits[-1] == RETRY_MOST

    def test_a_call_that_was_not_sent_counts_as_no_try(self) -> None:
        driver = Driver()
        driver.request(Unanswered("circuit open", sent=False))
        assert (driver.effects[0].tries, driver.due_at) == (0, NOW + RETRY_FIRST)

    def test_a_worker_leaves_a_request_its_own_command_for_a_while(self) -> None:
        driver = Driver()
        driver.feed(PaymentRequested(OWNER, PRICE, "a1"))
        assert isinstance(driver.tick(after=LEASE - timedelta(seconds=1)), Done)
        driver.tick(seen("requires_payment_method"), after=timedelta(seconds=1))
        assert driver.payment.state is PaymentState.OPEN

    def test_rule_1_a_crash_leaves_exactly_the_command_without_an_answer(self) -> None:
        driver = Driver()
        act = driver.feed(PaymentRequested(OWNER, PRICE, "a1")).act
        driver.tick(seen("requires_payment_method"), after=LEASE)
        assert driver.performed == [act]

    def test_two_server_errors_make_it_look_instead_of_repeating(self) -> None:
        driver = Driver()
        driver.request(FAILED)
        driver.tick(FAILED, after=RETRY_FIRST)
        driver.tick(seen("requires_payment_method"), after=timedelta(minutes=1))
        assert kinds(driver.performed) == ["CreateIntent", "CreateIntent", "FindIntent"]
        assert driver.performed[-1] == FindIntent("a1", "BK-1", "airport", NOW)
        assert driver.payment.intent_id == INTENT_ID
        assert SERVER_ERRORS_BEFORE_LOOKING == 2

    def test_a_spent_key_is_looked_for_at_once(self) -> None:
        driver = Driver()
        driver.request(Unanswered("idempotency_error", key_spent=True))
        driver.tick(NothingFound(), after=RETRY_FIRST)
        assert kinds(driver.performed) == ["CreateIntent", "FindIntent"]

    def test_more_than_the_bound_is_unanswered_and_never_none(self) -> None:
        driver = Driver()
        driver.request(Unanswered("x", key_spent=True))
        for _ in range(5):
            driver.tick(Unanswered("more than 2000"), after=RETRY_MOST)
        assert driver.payment.state is PaymentState.OPENING
        assert isinstance(driver.request(LOST, attempt="a2"), StripeUnavailable)
        assert len(driver.payments) == 1

    def test_a_request_whose_own_attempt_came_to_nothing_is_told_to_come_again(self) -> None:
        driver = Driver()
        driver.request(Unanswered("x", key_spent=True))
        assert isinstance(driver.request(NothingFound(), attempt="a1"), StripeUnavailable)
        reply = driver.request(seen("requires_payment_method", "a2", "pi_00000002"), attempt="a2")
        assert isinstance(reply, Ready)
        assert [p.state for p in driver.payments] == [PaymentState.ABANDONED, PaymentState.OPEN]


class TestRule9:
    def test_a_create_key_is_sent_until_its_23_hours_are_over_and_never_later(self) -> None:
        assert timedelta(hours=23) == KEY_LIFETIME
        driver = Driver()
        driver.request(LOST)
        driver.tick(LOST, after=KEY_LIFETIME - timedelta(microseconds=1))
        assert isinstance(driver.performed[-1], CreateIntent)
        driver.tick(NothingFound(), after=RETRY_MOST)
        assert isinstance(driver.performed[-1], FindIntent)
        driver.now = NOW + KEY_LIFETIME
        other = Driver()
        other.request(LOST)
        other.tick(NothingFound(), after=KEY_LIFETIME)
        assert isinstance(other.performed[-1], FindIntent)

    def test_a_customer_does_not_send_it_later_either(self) -> None:
        driver = Driver()
        driver.request(LOST)
        driver.now += KEY_LIFETIME
        reply = driver.request(NothingFound(), seen("requires_payment_method", "a2", "pi_00000002"), attempt="a2")
        assert kinds(driver.performed) == ["CreateIntent", "FindIntent", "CreateIntent"]
        assert isinstance(reply, Ready)

    def test_a_cancel_key_past_its_hours_is_retrieved_and_cancelled_with_a_new_key(self) -> None:
        driver = opened()
        driver.changed(LOST, status=BookingStatus.CANCELLED)
        driver.tick(seen("requires_payment_method"), seen("canceled"), after=KEY_LIFETIME)
        assert kinds(driver.performed[1:]) == ["CancelIntent", "RetrieveIntent", "CancelIntent"]
        assert [c.key[-8:] for c in (driver.performed[1], driver.performed[3])] == ["cancel/0", "cancel/1"]
        assert driver.performed[3].first_sent_at == driver.now
        assert (driver.payment.state, driver.effects) == (PaymentState.CANCELED, ())


class TestRule2:
    """An answer's identity always applies; its status only on the version that was loaded, and never from a replay."""

    def between(self, status: str, *, replayed: bool = False, news: bool = True):
        """Return a driver whose create was answered after an event came in between, and the decision on the answer."""
        driver = Driver()
        asker = PaymentRequested(OWNER, PRICE, "a1")
        act = driver.feed(asker).act
        if news:
            driver.feed(PaymentRequested(OWNER, PRICE, "a2", None))
            driver.event(view("processing"))
        version = driver.snapshot.ledger.version if not news else 1
        return driver, driver.feed(Answer(act, seen(status, replayed=replayed), version, asker))

    def test_on_a_conflict_the_status_is_not_believed_but_asked_for(self) -> None:
        driver, decision = self.between("succeeded")
        assert driver.booking.status is BookingStatus.PENDING
        assert driver.payment.stripe_status == "processing"
        assert decision.act == RetrieveIntent("a1", INTENT_ID)

    def test_on_a_conflict_the_identity_applies(self) -> None:
        driver = Driver()
        asker = PaymentRequested(OWNER, PRICE, "a1")
        act = driver.feed(asker).act
        driver.feed(Answer(act, LOST, 1, TICK))
        decision = driver.feed(Answer(act, seen("requires_payment_method"), 1, asker))
        assert (driver.payment.intent_id, driver.payment.stripe_status, driver.effects) == (INTENT_ID, None, ())
        assert decision.act == RetrieveIntent("a1", INTENT_ID)

    def test_a_replayed_answer_gives_the_identity_and_its_status_is_asked_for(self) -> None:
        driver, decision = self.between("requires_payment_method", replayed=True, news=False)
        assert (driver.payment.intent_id, driver.payment.stripe_status) == (INTENT_ID, None)
        assert decision.act == RetrieveIntent("a1", INTENT_ID)

    def test_a_replayed_cancellation_does_not_cancel(self) -> None:
        driver = opened()
        driver.team(status=BookingStatus.CANCELLED)
        driver.tick(seen("canceled", replayed=True), seen("succeeded"))
        assert (driver.payment.state, driver.payment.review) == (PaymentState.SUCCEEDED, ReviewReason.LATE)

    def test_a_refusals_intent_is_believed_only_on_the_loaded_version(self) -> None:
        driver = opened()
        driver.team(status=BookingStatus.CANCELLED)
        act = driver.feed(TICK).act
        driver.event(view("processing"))
        late = Refused(RefusalKind.UNEXPECTED_STATE, "x", seen=seen("succeeded"))
        decision = driver.feed(Answer(act, late, 0, TICK))
        assert driver.payment.state is PaymentState.OPEN
        assert isinstance(decision.act, RetrieveIntent)

    def test_an_answer_to_an_attempt_that_nobody_knows_changes_nothing(self) -> None:
        driver = opened()
        stray = Answer(RetrieveIntent("zz", INTENT_ID), seen("succeeded"), driver.snapshot.ledger.version, TICK)
        assert driver.feed(stray).change is None

    def test_the_wrong_mode_is_never_believed(self) -> None:
        driver = opened()
        driver.confirm(seen("succeeded", livemode=True))
        assert driver.booking.status is BookingStatus.PENDING


class TestAbandoned:
    """A create that was looked for and not found may still be completed by Stripe: it is watched."""

    @pytest.fixture
    def driver(self) -> Driver:
        driver = Driver()
        driver.request(Unanswered("x", key_spent=True))
        driver.tick(NothingFound(), after=RETRY_FIRST)
        assert driver.payment.state is PaymentState.ABANDONED
        assert driver.due_at == driver.now + LOOK_FIRST
        return driver

    def test_open_it_is_canceled(self, driver) -> None:
        driver.tick(seen("requires_payment_method"), seen("canceled"), after=LOOK_FIRST)
        assert kinds(driver.performed[-2:]) == ["FindIntent", "CancelIntent"]
        assert (driver.payment.state, driver.payment.stray) == (PaymentState.CANCELED, True)

    def test_an_event_of_it_leaves_its_cancellation_due_now(self, driver) -> None:
        driver.event(view("requires_payment_method"))
        assert driver.due_at == driver.now
        driver.tick(seen("canceled"))
        assert driver.payment.state is PaymentState.CANCELED

    def test_paid_it_goes_to_review(self, driver) -> None:
        driver.event(view("succeeded"))
        assert (driver.payment.place, driver.payment.review) == (Place.REVIEW, ReviewReason.UNKNOWN_ATTEMPT)
        assert driver.booking.status is BookingStatus.PENDING
        assert driver.announced == ["PaymentNeedsReview"]

    def test_a_late_answer_to_its_create_finds_it_too(self, driver) -> None:
        driver.request(seen("requires_payment_method", "a2", "pi_00000002"), attempt="a2")
        asker = PaymentRequested(OWNER, PRICE, "a1")
        decision = driver.feed(Answer(driver.performed[0], seen("requires_payment_method"), 1, asker))
        assert decision.act == RetrieveIntent("a2", "pi_00000002")
        assert driver.snapshot.ledger.payment_of_intent(INTENT_ID).stray
        assert driver.snapshot.ledger.live.attempt_id == "a2"

    def test_it_is_looked_for_again_and_again_but_not_for_ever(self, driver) -> None:
        looks = 0
        while driver.due_at is not None and looks < 99:
            driver.now = driver.due_at
            driver.tick(NothingFound())
            looks += 1
        assert 5 <= looks <= 20
        assert driver.now - NOW > timedelta(days=3)


class TestStrays:
    """A PaymentIntent with our mark that this database never asked for: a restored backup, or a forgotten key."""

    def test_an_event_first_asks_whether_another_booking_has_it(self) -> None:
        driver = Driver()
        assert isinstance(driver.event(view("succeeded")).reply, Unplaced)
        assert driver.snapshot.ledger.version == 0

    def test_open_it_is_canceled_and_never_handed_out(self) -> None:
        driver = Driver()
        driver.event(view("requires_payment_method", "lost"), placed=True)
        assert not driver.payment.payable
        driver.tick(seen("canceled", "lost"))
        assert kinds(driver.performed) == ["CancelIntent"]

    def test_paid_it_goes_to_review_and_confirms_nothing(self) -> None:
        driver = Driver()
        driver.event(view("succeeded", "lost"), placed=True)
        assert (driver.payment.place, driver.payment.review) == (Place.REVIEW, ReviewReason.UNKNOWN_ATTEMPT)
        assert driver.booking.status is BookingStatus.PENDING

    def test_it_does_not_take_the_place_of_the_bookings_own_attempt(self) -> None:
        driver = opened()
        driver.event(view("requires_payment_method", "lost", "pi_00000009"), placed=True)
        assert driver.snapshot.ledger.live.intent_id == INTENT_ID
        driver.event(view("succeeded"), "evt_2")
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_s5_a_second_intent_of_one_attempt_is_a_stray_under_its_own_id(self) -> None:
        driver = opened()
        assert isinstance(driver.event(view("requires_payment_method", "a1", "pi_00000009")).reply, Unplaced)
        driver.event(view("requires_payment_method", "a1", "pi_00000009"), placed=True)
        assert [(p.attempt_id, p.stray) for p in driver.payments] == [("a1", False), ("pi_00000009", True)]

    def test_a_second_intent_in_an_answer_is_a_stray_too(self) -> None:
        driver = opened()
        asker = ConfirmRequested(OWNER, INTENT_ID)
        answer = Answer(driver.performed[0], seen("requires_payment_method", "a1", "pi_00000009"), 2, asker)
        driver.feed(answer)
        driver.feed(answer)
        assert [(p.intent_id, p.payable) for p in driver.payments] == [(INTENT_ID, True), ("pi_00000009", False)]

    def test_rule_6_metadata_that_names_an_attempt_still_opening_is_enough(self) -> None:
        driver = Driver()
        driver.request(LOST)
        driver.event(view("succeeded"))
        assert (driver.booking.status, driver.payment.place) == (BookingStatus.CONFIRMED, Place.ATTACHED)
        assert not driver.effects
