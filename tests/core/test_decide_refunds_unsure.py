"""Refunds without an answer, refused ones, and ones made elsewhere: found again, never made twice, never lost."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support import (
    BOOKING_ID,
    INTENT_ID,
    NAMESPACE,
    PRICE,
    TICK,
    collected,
    kinds,
    listed,
    made,
    opened,
    refund_request,
    refund_view,
    seen,
    view,
)

from airport_payments.core.commands import CreateRefund, ListRefunds, RetrieveIntent
from airport_payments.core.decide.draft import Unplaced
from airport_payments.core.decide.table import (
    KEY_FORGOTTEN,
    MAX_REFUNDS,
    RETRY_FIRST,
    RETRY_MOST,
)
from airport_payments.core.errors import (
    DisputedPayment,
    Misconfigured,
    NothingToRefund,
    RefundRefused,
    StripeUnavailable,
)
from airport_payments.core.facts import Answer, RefundSeen, RefusalKind, Refused, Unanswered
from airport_payments.core.model import BookingStatus, PaymentState, Place, ReviewReason, Surplus
from airport_payments.core.money import Money
from airport_payments.core.refund import Refund, RefundState

ALL = PRICE.amount_minor
PART = Money(10_000, "usd")
DAY = timedelta(hours=25)
FAILED_500 = Unanswered("Stripe answered 500", server_error=True)
LOST = Unanswered("lost")


def refused(kind: RefusalKind = RefusalKind.INVALID) -> Refused:
    return Refused(kind, f"{kind.value}: no")


class TestUnanswered:
    def test_it_is_saved_and_a_worker_sends_it_again_with_its_key(self) -> None:
        driver = collected()
        driver.refund(LOST)
        driver.tick(LOST, after=RETRY_FIRST)
        driver.tick(made(), after=timedelta(minutes=1))
        assert len({c.key for c in driver.performed}) == 1
        assert driver.refund_states == ["succeeded"]

    @pytest.mark.parametrize("found", [True, False])
    def test_two_server_errors_make_it_look_before_anything_else(self, found) -> None:
        driver = collected()
        driver.refund(FAILED_500)
        driver.tick(FAILED_500, after=RETRY_FIRST)
        views = [refund_view(ref="a1.0")] if found else []
        driver.tick(listed(*views), after=timedelta(minutes=1))
        assert kinds(driver.performed) == ["CreateRefund", "CreateRefund", "ListRefunds"]
        assert driver.refund_states == ["succeeded" if found else "requested"]
        assert driver.performed[-1] == ListRefunds("a1", INTENT_ID)

    def test_a_stored_500_gets_another_key_only_after_25_hours_and_only_if_it_is_not_listed(self) -> None:
        driver = collected()
        start = driver.now
        driver.refund(FAILED_500)
        driver.tick(FAILED_500, after=RETRY_FIRST)
        driver.now = driver.due_at
        while driver.now < start + KEY_FORGOTTEN:
            driver.tick(listed())
            assert driver.due_at - driver.now <= RETRY_MOST
            driver.now = driver.due_at
        assert {c.key for c in driver.performed if isinstance(c, CreateRefund)} == {"airport/a1/refund/0"}
        driver.tick(listed(), made())
        again = driver.performed[-1]
        assert (again.key, again.ref, again.first_sent_at) == ("airport/a1/refund/1", "a1.0", driver.now)
        assert (driver.refund_states, driver.effects) == (["succeeded"], ())

    @pytest.mark.parametrize("hours", [23, 24, 24.99])
    def test_a_key_past_its_hours_is_not_sent_and_no_other_either(self, hours) -> None:
        driver = collected()
        driver.refund(LOST)
        driver.now += timedelta(hours=hours)
        driver.tick(listed())
        assert kinds(driver.performed) == ["CreateRefund", "ListRefunds"]
        assert len(driver.effects) == 1

    @pytest.mark.parametrize("hours", [23, 24, 25, 1000])
    def test_one_that_was_made_meanwhile_is_found_and_not_made_again(self, hours) -> None:
        driver = collected()
        driver.refund(LOST)
        driver.now += timedelta(hours=hours)
        driver.tick(listed(refund_view(ref="a1.0")))
        assert (driver.refund_states, driver.effects) == (["succeeded"], ())

    def test_a_key_that_can_bring_no_answer_is_looked_for_at_once_and_the_caller_waits(self) -> None:
        driver = collected()
        assert isinstance(driver.refund(Unanswered("other parameters", key_spent=True)), StripeUnavailable)
        assert isinstance(driver.refund(), StripeUnavailable)
        assert kinds(driver.performed) == ["CreateRefund"]
        driver.now = driver.due_at
        assert isinstance(driver.refund(listed()), StripeUnavailable)
        assert isinstance(driver.refund(), StripeUnavailable)
        assert kinds(driver.performed) == ["CreateRefund", "ListRefunds"]

    def test_a_list_that_says_nothing_orders_nothing(self) -> None:
        driver = collected()
        driver.refund(LOST)
        driver.tick(LOST, after=DAY)
        assert kinds(driver.performed) == ["CreateRefund", "ListRefunds"]
        assert driver.due_at > driver.now

    def test_a_list_that_was_read_before_something_else_happened_orders_nothing(self) -> None:
        """A worker that hung for a day may bring an answer from before the refund was made."""
        driver = collected()
        driver.refund(LOST)
        version = driver.snapshot.ledger.version
        driver.now += timedelta(hours=23)
        list_, nothing = ListRefunds("a1", INTENT_ID), listed()
        driver.tick(nothing)
        driver.now += timedelta(hours=2)
        driver.feed(Answer(list_, nothing, version, TICK))
        assert {e.key for e in driver.effects} == {"airport/a1/refund/0"}

    def test_two_workers_that_find_nothing_order_one(self) -> None:
        driver = collected()
        driver.refund(LOST)
        driver.now += DAY
        first = driver.feed(TICK).act
        version = driver.snapshot.ledger.version
        for _ in range(2):
            driver.feed(Answer(first, listed(), version, TICK))
        (command,) = driver.effects
        assert command.key == "airport/a1/refund/1"

    def test_a_refused_key_leaves_it_due_for_when_the_key_is_mended(self) -> None:
        driver = collected()
        assert isinstance(driver.refund(Refused(RefusalKind.CREDENTIALS, "401")), Misconfigured)
        driver.tick(made(), after=timedelta(minutes=2))
        assert driver.refund_states == ["succeeded"]
        assert len({c.key for c in driver.performed}) == 1

    def test_a_replayed_answer_names_the_refund_and_its_status_is_asked_for(self) -> None:
        driver = collected()
        driver.refund(LOST)
        reply = driver.refund(
            made(state="pending", replayed=True), listed(refund_view(state="failed", failure="lost_or_stolen_card"))
        )
        assert (reply.refund.refund_id, reply.refund.state) == ("re_1", RefundState.FAILED)
        assert driver.effects == ()

    def test_the_answer_names_a_refund_that_is_known_under_another_name(self) -> None:
        """A restored backup repeats its numbers: the key brings the answer to the refund of before, listed meanwhile."""
        driver = collected()
        driver.refund_event(refund_view("re_old", PART.amount_minor, ref="a1.0"), kind="refund.created")
        reply = driver.refund(made("re_old", replayed=True), amount=PART)
        assert (reply.refund.refund_id, reply.refund.request) == ("re_old", refund_request(PART).request)
        assert [r.refund_id for r in driver.refunds] == ["re_old"]
        assert driver.effects == ()
        assert driver.announced.count("PaymentRefunded") == 1


class TestStripeRefuses:
    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            (RefusalKind.ALREADY_REFUNDED, NothingToRefund),
            (RefusalKind.DISPUTED, DisputedPayment),
            (RefusalKind.MISSING, Misconfigured),
            (RefusalKind.INVALID, RefundRefused),
            (RefusalKind.AMOUNT_TOO_LARGE, RefundRefused),
            (RefusalKind.CARD, RefundRefused),
            (RefusalKind.UNEXPECTED_STATE, RefundRefused),
        ],
    )
    def test_it_says_why_and_nothing_stands(self, kind, error) -> None:
        driver = collected()
        assert type(driver.refund(refused(kind))) is error
        assert (driver.refund_states, driver.payment.rest_minor, driver.effects) == (["refused"], ALL, ())

    def test_the_list_then_shows_what_took_its_place(self) -> None:
        driver = collected()
        driver.refund(refused(RefusalKind.ALREADY_REFUNDED))
        driver.tick(listed(refund_view("re_dashboard")))
        assert driver.refund_states == ["refused", "succeeded"]
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_nobody_hears_of_a_refusal_that_the_caller_was_told(self) -> None:
        driver = collected()
        driver.refund(refused())
        driver.tick(listed())
        assert driver.announced == []

    def test_a_refused_one_that_turns_out_to_exist_counts(self) -> None:
        """Another sending of the same command got through."""
        driver = collected()
        driver.refund(refused())
        driver.tick(listed(refund_view(ref="a1.0")))
        assert driver.refund_states == ["succeeded"]
        assert driver.booking.status is BookingStatus.CANCELLED


class TestMadeElsewhere:
    """In Stripe's dashboard: known by their own ids, in any order, never added up."""

    @pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "charge.refund.updated"])
    def test_an_event_makes_it_known(self, kind) -> None:
        driver = collected()
        driver.refund_event(refund_view("re_d", PART.amount_minor), kind=kind)
        assert driver.refunds == (
            Refund("re_d", PART.amount_minor, RefundState.SUCCEEDED, "re_d", asked_at=driver.now),
        )
        assert driver.announced == ["PaymentRefunded"]

    def test_the_same_news_again_changes_nothing(self) -> None:
        driver = collected()
        driver.refund_event(refund_view("re_d"))
        for number, kind in enumerate(["refund.created", "refund.updated", "charge.refund.updated"]):
            assert driver.refund_event(refund_view("re_d"), f"evt_{number}", kind).change is None
        assert driver.hint(ALL).change is None
        assert driver.announced == ["PaymentRefunded", "BookingCancelled"]

    def test_a_hint_lists_and_adds_nothing_up(self) -> None:
        driver = collected()
        driver.hint(PART.amount_minor)
        assert driver.refunds == ()
        driver.tick(listed(refund_view("re_d", PART.amount_minor)))
        assert driver.refund_states == ["succeeded"]
        assert driver.due_at is None

    def test_a_hint_of_nothing_lists_where_no_refund_is_known(self) -> None:
        """The charge of a thin event is asked for: when it came, the one refund had failed already."""
        driver = collected()
        driver.hint(0)
        driver.tick(listed(refund_view("re_d", state=RefundState.FAILED)))
        assert driver.refund_states == ["failed"]
        assert driver.hint(0).change is None

    def test_a_hint_is_not_forgotten_over_news_of_another_refund(self) -> None:
        """charge.refunded speaks of two; the event of one comes next, and that of the other never."""
        driver = collected()
        driver.hint(2 * PART.amount_minor)
        driver.refund_event(refund_view("re_1", PART.amount_minor))
        driver.tick(listed(*(refund_view(f"re_{n}", PART.amount_minor) for n in (1, 2))))
        assert driver.refund_states == ["succeeded", "succeeded"]

    def test_a_hint_outlives_a_list_that_stripe_did_not_answer(self) -> None:
        driver = collected()
        driver.hint(2 * PART.amount_minor)
        driver.tick(LOST)
        driver.refund_event(refund_view("re_1", PART.amount_minor))
        driver.now = driver.due_at
        driver.tick(listed(*(refund_view(f"re_{n}", PART.amount_minor) for n in (1, 2))))
        assert driver.refund_states == ["succeeded", "succeeded"]

    def test_a_hint_outlives_a_list_that_was_read_before_it(self) -> None:
        driver = collected()
        driver.hint(PART.amount_minor)
        act = driver.feed(TICK).act
        version = driver.snapshot.ledger.version
        driver.refund_event(refund_view("re_1", PART.amount_minor))
        driver.hint(2 * PART.amount_minor, "evt_h2")
        early = listed(refund_view("re_1", PART.amount_minor))
        decision = driver.feed(Answer(act, early, version, TICK))
        assert decision.act == act
        driver.tick(listed(*(refund_view(f"re_{n}", PART.amount_minor) for n in (1, 2))))
        assert driver.refund_states == ["succeeded", "succeeded"]

    def test_one_of_ours_that_is_seen_before_our_answer_is_ours(self) -> None:
        driver = collected()
        asked = driver.feed(refund_request())
        driver.refund_event(refund_view(ref="a1.0"), kind="refund.created")
        assert (driver.refunds[0].ref, driver.refunds[0].refund_id, driver.effects) == ("a1.0", "re_1", ())
        driver.feed(Answer(asked.act, made()(asked.act), 0, refund_request()))
        assert driver.refund_states == ["succeeded"]
        assert driver.announced == ["PaymentRefunded", "BookingCancelled"]

    @pytest.mark.parametrize(
        "marks", [{"namespace": "hotel"}, {"ref": "a1.7"}, {"ref": None}, {"amount": Money(1, "usd")}]
    )
    def test_one_whose_marks_are_not_those_of_the_refund_we_wait_for_is_not_it(self, marks) -> None:
        driver = collected()
        driver.feed(refund_request(PART))
        driver.refund_event(replace(refund_view("re_x", PART.amount_minor, ref="a1.0"), **marks))
        assert driver.refund_states == ["requested", "succeeded"]
        assert len(driver.effects) == 1

    def test_a_payment_that_is_not_this_bookings_is_unplaced(self) -> None:
        driver = collected()
        for intent_id in ("pi_00000009", None):
            assert isinstance(driver.refund_event(refund_view(intent_id=intent_id)).reply, Unplaced)
        assert isinstance(driver.hint(1, intent_id="pi_00000009").reply, Unplaced)

    def test_news_of_a_refund_before_that_of_the_payment_asks_for_the_payment(self) -> None:
        driver = opened()
        driver.refund_event(refund_view("re_d", PART.amount_minor))
        assert driver.due_at <= driver.now
        driver.tick(seen("succeeded"))
        assert driver.performed[-1] == RetrieveIntent("a1", INTENT_ID)
        assert (driver.payment.state, driver.payment.rest_minor) == (PaymentState.SUCCEEDED, ALL - PART.amount_minor)

    @pytest.mark.parametrize("cancels", [True, False])
    def test_a_payment_that_went_back_before_it_was_seen_paid_confirms_nothing(self, cancels) -> None:
        driver = opened()
        driver.policy = replace(driver.policy, refund_cancels_booking=cancels)
        driver.refund_event(refund_view("re_d"))
        driver.event(view("succeeded"), "evt_2")
        assert driver.payment.place is Place.REFUNDED
        assert driver.confirmations == 0
        # As it ends in the other order; where a refund cancels nothing, a booking without money stays to be paid.
        assert driver.booking.status is (BookingStatus.CANCELLED if cancels else BookingStatus.PENDING)
        assert ("BookingCancelled" in driver.announced) is cancels

    def test_a_refund_from_before_a_restored_backup_keeps_its_number(self) -> None:
        """Its key still brings its answer: another refund under it would be taken for made."""
        driver = collected()
        driver.refund_event(refund_view("re_d", PART.amount_minor, ref="a1.0"))
        driver.refund(made("re_2"), amount=PART)
        (command,) = (c for c in driver.performed if isinstance(c, CreateRefund))
        assert (command.ref, command.key) == ("a1.1", f"{NAMESPACE}/a1/refund/1")

    @pytest.mark.parametrize("ref", ["a2.7", "a1.x", "a1.-7", "a1.99999", "7", "a1.\u0667"])
    def test_a_number_that_was_never_given_is_none(self, ref) -> None:
        driver = collected()
        driver.refund_event(refund_view("re_d", PART.amount_minor, ref=ref))
        driver.refund(made("re_2"), amount=PART)
        assert driver.performed[-1].ref == "a1.0"

    def test_what_is_kept_is_bounded(self) -> None:
        driver = collected()
        for number in range(2 * MAX_REFUNDS + 5):
            driver.refund_event(refund_view(f"re_{number}", 1), f"evt_{number}")
        assert len(driver.refunds) == 2 * MAX_REFUNDS


def test_an_answer_to_a_command_of_an_attempt_that_is_gone_changes_nothing() -> None:
    driver = collected()
    command = CreateRefund("gone", "gone.0", BOOKING_ID, NAMESPACE, INTENT_ID, 1, None, "k", driver.now, driver.now)
    assert driver.feed(Answer(command, RefundSeen(refund_view()), 0, TICK)).change is None


class TestOtherSendings:
    """A command may be sent twice: by a process that died since, or on a slow way. One may be refused, one get through."""

    def test_a_refund_that_was_refused_is_found_when_another_sending_of_it_gets_through(self) -> None:
        driver = collected()
        driver.refund(refused())
        driver.tick(listed())
        (ours,) = driver.payment.refunds
        assert ours.state is RefundState.REFUSED
        assert driver.due_at is not None
        driver.now = driver.due_at
        driver.tick(listed(refund_view(ref=ours.ref)))
        (found,) = driver.payment.refunds
        assert (found.ref, found.refund_id, found.state) == (ours.ref, "re_1", RefundState.SUCCEEDED)
        assert driver.booking.status is BookingStatus.CANCELLED

    def test_a_refund_that_was_refused_is_listed_until_no_sending_of_it_can_get_through(self) -> None:
        driver = collected()
        driver.refund(refused())
        asked = driver.now
        while driver.due_at is not None:
            driver.now = max(driver.now, driver.due_at)
            driver.tick(listed())
        assert asked + KEY_FORGOTTEN <= driver.now < asked + 2 * KEY_FORGOTTEN

    def test_a_refund_that_the_rules_ordered_and_stripe_refused_is_in_review_at_once(self) -> None:
        driver = opened()
        driver.policy = replace(driver.policy, surplus=Surplus.REFUND)
        driver.team(status=BookingStatus.CANCELLED)
        driver.event(view("succeeded"))
        driver.tick(refused(), listed())
        assert driver.payment.review is ReviewReason.REFUND_FAILED
