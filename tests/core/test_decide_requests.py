"""Asking for a payment: rules 1, 3 and 4, and what each state of a booking answers."""

from datetime import timedelta

import pytest
from tests.support import (
    BOOKING_ID,
    INTENT_ID,
    NOW,
    OWNER,
    PRICE,
    Driver,
    booking,
    declined,
    kinds,
    opened,
    seen,
    view,
)

from airport_payments.core.commands import CancelIntent, CreateIntent, RetrieveIntent
from airport_payments.core.decide.draft import Completed, NotCompleted, Ready
from airport_payments.core.decide.table import LEASE, LOOK_FIRST, MAX_PAYMENTS, MAX_REQUEST_KEYS
from airport_payments.core.errors import (
    AmountMismatch,
    BookingAlreadyPaid,
    BookingNotFound,
    BookingNotPayable,
    Busy,
    CurrencyMismatch,
    IdempotencyKeyReused,
    PaymentInReview,
    PaymentIntentMismatch,
    StripeUnavailable,
)
from airport_payments.core.facts import PaymentRequested, Unanswered
from airport_payments.core.model import BookingStatus, Payment, PaymentState, Place, RequestKey, Snapshot
from airport_payments.core.money import Money

DEARER = Money(50000, "usd")


def test_rule_1_the_create_is_saved_before_it_is_performed() -> None:
    driver = Driver()
    decision = driver.feed(PaymentRequested(OWNER, PRICE, "a1"))
    create = CreateIntent("a1", BOOKING_ID, "airport", PRICE, "airport/a1/create/0", NOW, NOW + LEASE)
    assert decision.act == create
    assert decision.change.ledger.effects == (create,)
    assert decision.change.due_at == create.due_at
    assert driver.payment.state is PaymentState.OPENING


def test_rule_9_the_key_is_namespace_attempt_operation_ordinal_and_a_create_never_confirms() -> None:
    driver = opened()
    driver.changed(seen("canceled"), status=BookingStatus.CANCELLED)
    assert [c.key for c in driver.performed] == ["airport/a1/create/0", "airport/a1/cancel/0"]
    assert not hasattr(driver.performed[0], "confirm")


def test_s13_the_amount_asked_of_stripe_is_the_bookings_own_price() -> None:
    driver = opened(price=DEARER)
    assert driver.performed[0].amount == DEARER
    assert driver.payment.amount == DEARER


def test_rule_3_asking_again_answers_with_the_same_intent_as_stripe_has_it_now() -> None:
    driver = opened()
    reply = driver.request(seen("requires_action"), attempt="a2")
    assert isinstance(reply, Ready)
    assert (reply.view.id, reply.view.status, reply.amount) == (INTENT_ID, "requires_action", PRICE)
    assert kinds(driver.performed) == ["CreateIntent", "RetrieveIntent"]
    assert len(driver.payments) == 1


def test_rule_3_a_second_request_sends_the_saved_create_and_not_one_of_its_own() -> None:
    driver = Driver()
    first = driver.feed(PaymentRequested(OWNER, PRICE, "a1")).act
    second = driver.feed(PaymentRequested(OWNER, PRICE, "a2"))
    assert second.act == first
    assert second.change is None


def test_pain_06_after_a_decline_the_same_intent_is_paid_again() -> None:
    driver = opened()
    driver.event(view("requires_payment_method", failure=declined(), charge_id="ch_1"))
    reply = driver.request(seen("requires_payment_method", failure=declined(), charge_id="ch_1"), attempt="a2")
    assert isinstance(reply, Ready)
    assert reply.view.id == INTENT_ID
    assert len(driver.payments) == 1
    driver.event(view("succeeded", charge_id="ch_2"), "evt_2")
    assert driver.booking.status is BookingStatus.CONFIRMED


def test_rule_4_a_new_price_cancels_the_old_intent_before_another_is_opened() -> None:
    driver = opened()
    driver.team(price=DEARER)
    reply = driver.request(
        seen("canceled"),
        seen("requires_payment_method", "a2", "pi_00000002", amount=DEARER),
        attempt="a2",
        amount=DEARER,
    )
    assert kinds(driver.performed) == ["CreateIntent", "CancelIntent", "CreateIntent"]
    assert isinstance(reply, Ready)
    assert (reply.view.id, reply.amount) == ("pi_00000002", DEARER)
    assert [p.state for p in driver.payments] == [PaymentState.CANCELED, PaymentState.OPEN]


def test_rule_3_while_the_old_intent_is_still_processing_the_caller_is_told_to_come_again() -> None:
    driver = opened()
    driver.request(seen("processing"), attempt="a2")
    driver.team(price=DEARER)
    reply = driver.request(seen("processing"), attempt="a3", amount=DEARER)
    assert isinstance(reply, Busy)
    assert len(driver.payments) == 1
    assert not driver.effects


def test_rule_3_an_unanswered_cancellation_keeps_the_next_attempt_closed() -> None:
    driver = opened()
    driver.team(price=DEARER)
    assert isinstance(driver.request(Unanswered("lost"), attempt="a2", amount=DEARER), StripeUnavailable)
    assert isinstance(driver.request(Unanswered("lost"), attempt="a3", amount=DEARER), StripeUnavailable)
    assert len(driver.payments) == 1
    assert driver.performed[-1].key == driver.performed[-2].key == "airport/a1/cancel/0"


@pytest.mark.parametrize(
    ("changes", "owner", "amount", "error"),
    [
        ({}, "mallory", PRICE, BookingNotFound),
        ({"status": BookingStatus.CANCELLED}, OWNER, PRICE, BookingNotPayable),
        ({"status": BookingStatus.CONFIRMED}, OWNER, PRICE, BookingNotPayable),
        ({"hold_until": NOW}, OWNER, PRICE, BookingNotPayable),
        ({"hold_until": NOW - timedelta(microseconds=1)}, OWNER, PRICE, BookingNotPayable),
        ({"price": Money(0, "usd")}, OWNER, Money(0, "usd"), BookingNotPayable),
        ({}, OWNER, DEARER, AmountMismatch),
        ({}, OWNER, Money(45098, "usd"), AmountMismatch),
        ({}, OWNER, Money(45099, "eur"), CurrencyMismatch),
        ({"status": BookingStatus.CANCELLED}, "mallory", DEARER, BookingNotFound),
    ],
)
def test_each_refusal_asks_stripe_nothing_and_writes_nothing(changes, owner, amount, error) -> None:
    driver = Driver(Snapshot(booking(**changes)))
    assert type(driver.request(owner=owner, amount=amount)) is error
    assert driver.snapshot.ledger.version == 0


def test_a_hold_that_is_not_over_yet_can_be_paid() -> None:
    assert opened(hold_until=NOW + timedelta(microseconds=1)).payment.intent_id == INTENT_ID


def test_a_paid_booking_answers_already_paid_even_when_stripe_is_only_asked_now() -> None:
    driver = opened()
    assert isinstance(driver.request(seen("succeeded"), attempt="a2"), BookingAlreadyPaid)
    assert driver.booking.status is BookingStatus.CONFIRMED
    assert isinstance(driver.request(attempt="a3"), BookingAlreadyPaid)
    assert driver.confirmations == 1


def test_an_authorised_booking_answers_already_paid() -> None:
    driver = opened()
    assert isinstance(driver.request(seen("requires_capture"), attempt="a2"), BookingAlreadyPaid)
    assert driver.booking.status is BookingStatus.PENDING


def test_rule_7_money_in_review_keeps_every_new_attempt_closed() -> None:
    driver = opened()
    driver.event(view("succeeded", received_minor=1))
    assert isinstance(driver.request(attempt="a2"), PaymentInReview)
    assert isinstance(driver.confirm(), PaymentInReview)


def test_an_intent_that_stripe_canceled_makes_room_for_the_next_one() -> None:
    driver = opened()
    reply = driver.request(seen("canceled"), seen("requires_payment_method", "a2", "pi_00000002"), attempt="a2")
    assert isinstance(reply, Ready)
    assert reply.view.id == "pi_00000002"


def test_a_booking_takes_no_more_attempts_than_anyone_means() -> None:
    old = tuple(Payment(f"x{n}", PRICE, PaymentState.ABANDONED) for n in range(MAX_PAYMENTS))
    driver = Driver()
    driver.snapshot = Snapshot(booking(), driver.snapshot.ledger.__class__(1, payments=old))
    assert isinstance(driver.request(), BookingNotPayable)


class TestIdempotencyKeys:
    def test_the_same_key_with_another_body_is_refused(self) -> None:
        driver = Driver()
        driver.request(seen("requires_payment_method"), key=RequestKey("k", "body"))
        assert isinstance(driver.request(attempt="a2", key=RequestKey("k", "other")), IdempotencyKeyReused)

    def test_the_same_key_and_body_answer_as_before(self) -> None:
        driver = Driver()
        for attempt, status in (("a1", "requires_payment_method"), ("a2", "requires_payment_method")):
            reply = driver.request(seen(status), attempt=attempt, key=RequestKey("k", "body"))
            assert isinstance(reply, Ready)
        assert driver.snapshot.ledger.request_keys == (RequestKey("k", "body"),)

    def test_a_stranger_learns_nothing_of_a_key(self) -> None:
        driver = Driver()
        driver.request(seen("requires_payment_method"), key=RequestKey("k", "body"))
        assert isinstance(driver.request(owner="mallory", key=RequestKey("k", "other")), BookingNotFound)

    def test_a_refused_request_does_not_use_its_key_up(self) -> None:
        driver = Driver()
        driver.request(amount=DEARER, key=RequestKey("k", "wrong"))
        assert isinstance(driver.request(seen("requires_payment_method"), key=RequestKey("k", "right")), Ready)

    def test_only_the_last_keys_are_kept(self) -> None:
        driver = opened()
        for n in range(MAX_REQUEST_KEYS + 3):
            driver.request(seen("requires_payment_method"), attempt=f"b{n}", key=RequestKey(f"k{n}", "body"))
        kept = [k.key for k in driver.snapshot.ledger.request_keys]
        assert kept == [f"k{n}" for n in range(3, MAX_REQUEST_KEYS + 3)]


class TestConfirm:
    def test_a_paid_intent_confirms_the_booking_exactly_as_the_webhook_would(self) -> None:
        by_hand, by_webhook = opened(), opened()
        reply = by_hand.confirm(seen("succeeded"))
        by_webhook.event(view("succeeded"))
        assert isinstance(reply, Completed)
        assert reply.booking.status is BookingStatus.CONFIRMED
        assert by_hand.snapshot == by_webhook.snapshot

    def test_it_is_asked_only_once_after_that(self) -> None:
        driver = opened()
        driver.confirm(seen("succeeded"))
        assert isinstance(driver.confirm(), Completed)

    @pytest.mark.parametrize(
        "status",
        ["requires_payment_method", "requires_confirmation", "requires_action", "processing", "requires_capture"],
    )
    def test_an_unpaid_intent_is_reported_as_stripe_has_it(self, status) -> None:
        reply = opened().confirm(seen(status))
        assert isinstance(reply, NotCompleted)
        assert (reply.status, reply.booking.status) == (status, BookingStatus.PENDING)
        assert (reply.client_secret is None) is (
            status == "requires_capture"
        )  # authorised: there is nothing left to pay

    def test_a_decline_is_reported_with_its_failure(self) -> None:
        reply = opened().confirm(seen("requires_payment_method", failure=declined()))
        assert reply.failure == declined()

    def test_another_bookings_intent_is_a_mismatch(self) -> None:
        assert isinstance(opened().confirm(intent_id="pi_99999999"), PaymentIntentMismatch)

    def test_s10_a_stranger_gets_not_found_whatever_the_intent(self) -> None:
        for intent_id in (INTENT_ID, "pi_99999999"):
            assert type(opened().confirm(owner="mallory", intent_id=intent_id)) is BookingNotFound

    def test_s4_a_closing_or_canceled_intent_is_not_handed_out(self) -> None:
        driver = opened()
        driver.request(seen("processing"), attempt="a2")
        driver.team(price=DEARER)
        reply = driver.confirm(seen("processing"))
        assert (reply.status, reply.client_secret) == ("processing", None)
        driver.event(view("canceled"))
        assert driver.confirm().client_secret is None

    def test_an_unanswered_question_is_stripe_unavailable_and_writes_nothing(self) -> None:
        driver = opened()
        before = driver.snapshot
        assert isinstance(driver.confirm(Unanswered("time-out")), StripeUnavailable)
        assert driver.snapshot is before

    def test_it_retrieves_and_never_confirms_at_stripe(self) -> None:
        driver = opened()
        driver.confirm(seen("processing"))
        assert driver.performed[-1] == RetrieveIntent("a1", INTENT_ID)


def test_a_closing_attempt_that_was_paid_after_all_confirms_if_the_price_came_back() -> None:
    driver = opened()
    driver.team(price=DEARER)
    driver.changed(Unanswered("lost"))
    driver.team(price=PRICE)
    assert isinstance(driver.effects[0], CancelIntent)
    driver.event(view("succeeded"))
    assert (driver.payment.place, driver.booking.status) == (Place.ATTACHED, BookingStatus.CONFIRMED)
    assert not driver.effects


def test_a_request_restarts_the_looks_of_an_attempt_that_was_left_alone() -> None:
    driver = opened()
    for _ in range(40):
        if driver.due_at is None:
            break
        driver.now = driver.due_at
        driver.tick(seen("requires_payment_method"))
    assert driver.due_at is None
    driver.request(seen("requires_payment_method"), attempt="a2")
    assert driver.due_at == driver.now + LOOK_FIRST
