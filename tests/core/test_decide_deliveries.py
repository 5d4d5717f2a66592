"""Announcements: to each subscriber in order, at least once, tried for about a day, then a dead letter."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import BOOKING_ID, INTENT_ID, PRICE, TICK, Driver, collected, declined, dispute_view, opened, view

from airport_payments.core.announcements import (
    Announcement,
    BookingConfirmed,
    Deliver,
    PaymentFailed,
    PaymentNeedsReview,
)
from airport_payments.core.decide.deliveries import NO_ANSWER, NOT_REGISTERED
from airport_payments.core.decide.draft import Done, RedeliverReply, due_at
from airport_payments.core.decide.table import (
    ATTENTION_AT,
    DELIVERY_LEASE,
    MAX_DEAD_LETTERS,
    MAX_DELIVERIES,
    REDELIVER_FIRST,
    REDELIVER_MOST,
)
from airport_payments.core.errors import NothingToRedeliver
from airport_payments.core.facts import Delivered, DeliveryFailed, RedeliverRequested, TimePassed
from airport_payments.core.model import BookingStatus

TWO = TimePassed(((Announcement, "mailer"), (Announcement, "books")))
NOBODY = TimePassed()


def failed_then_paid() -> Driver:
    """A booking with two announcements that nobody has heard."""
    driver = opened()
    driver.event(view("requires_payment_method", failure=declined()))
    driver.event(view("succeeded"), "evt_2")
    return driver


def failing(act: Deliver, asker: TimePassed | None = None, error: str = "RuntimeError") -> DeliveryFailed:
    return DeliveryFailed(act.announcement.sequence, act.subscriber, act.tries, error, asker)


def taking(act: Deliver, asker: TimePassed | None = None) -> Delivered:
    return Delivered(act.announcement.sequence, act.subscriber, asker)


def play(driver: Driver, asker: TimePassed, broken: frozenset[str] = frozenset()) -> list[tuple[str, int]]:
    """A worker's whole visit: who was called with what, in order."""
    calls: list[tuple[str, int]] = []
    act = driver.feed(asker).act
    for _ in range(500):
        if act is None:
            return calls
        assert isinstance(act, Deliver)
        calls.append((act.subscriber, act.announcement.sequence))
        fact = failing(act, asker) if act.subscriber in broken else taking(act, asker)
        act = driver.feed(fact).act
    raise AssertionError("a visit without an end")


class TestDeliveries:
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

    def test_each_subscriber_hears_them_in_order_each_once(self) -> None:
        driver = failed_then_paid()
        assert play(driver, TWO) == [("mailer", 1), ("books", 1), ("mailer", 2), ("books", 2)]
        assert driver.due_at is None
        assert not driver.snapshot.ledger.announcements
        driver.now += timedelta(days=1)
        assert play(driver, TWO) == []

    def test_one_that_took_it_is_not_called_again_when_another_fails(self) -> None:
        driver = failed_then_paid()
        assert play(driver, TWO, frozenset({"mailer"})) == [("mailer", 1), ("books", 1), ("books", 2)]
        driver.now += REDELIVER_FIRST
        assert play(driver, TWO) == [("mailer", 1), ("mailer", 2)]

    def test_order_holds_for_each_subscriber_and_a_failing_one_keeps_only_itself_waiting(self) -> None:
        driver = failed_then_paid()
        play(driver, TWO, frozenset({"mailer"}))
        assert driver.due_at == driver.now + REDELIVER_FIRST
        (first, second) = driver.snapshot.ledger.announcements
        assert [d.subscriber for p in (first, second) for d in p.deliveries] == ["mailer", "mailer"]
        driver.now += timedelta(milliseconds=500)
        assert play(driver, TWO) == []

    def test_a_kind_is_heard_by_its_own_subscribers_only(self) -> None:
        driver = failed_then_paid()
        only = TimePassed(((BookingConfirmed, "printer"), (PaymentFailed, "helpdesk"), (PaymentNeedsReview, "boss")))
        assert play(driver, only) == [("helpdesk", 1), ("printer", 2)]

    def test_what_nobody_hears_costs_one_save_however_much_it_is(self) -> None:
        driver = failed_then_paid()
        before = driver.snapshot.ledger.version
        assert isinstance(driver.feed(NOBODY).reply, Done)
        assert driver.snapshot.ledger.version == before + 1
        assert not driver.snapshot.ledger.announcements
        assert driver.feed(NOBODY).change is None

    def test_a_delivery_costs_one_save_and_the_visit_one_more(self) -> None:
        driver = failed_then_paid()
        before = driver.snapshot.ledger.version
        assert len(play(driver, TWO)) == 4
        assert driver.snapshot.ledger.version == before + 4 + 1

    def test_commands_come_before_announcements(self) -> None:
        driver = failed_then_paid()
        driver.event(view("requires_payment_method", "lost", "pi_00000009"), "evt_3", placed=True)
        assert not isinstance(driver.feed(TICK).act, Deliver)

    def test_numbers_go_on_after_all_were_delivered(self) -> None:
        driver = opened()
        driver.event(view("requires_payment_method", failure=declined()))
        driver.tick()
        driver.event(view("succeeded"), "evt_2")
        driver.tick()
        assert [a.sequence for a in driver.heard] == [1, 2]


class TestLease:
    def test_it_is_saved_before_the_call_and_another_worker_leaves_the_delivery_alone(self) -> None:
        driver = failed_then_paid()
        act = driver.feed(TICK).act
        assert isinstance(act, Deliver)
        assert driver.snapshot.ledger.announcements[0].deliveries[0].due_at == driver.now + DELIVERY_LEASE
        other = driver.feed(TICK)
        assert (other.act, other.change) == (None, None)
        driver.now += DELIVERY_LEASE - timedelta(microseconds=1)
        assert driver.feed(TICK).act is None

    def test_another_subscriber_need_not_wait_for_it(self) -> None:
        driver = failed_then_paid()
        first, second = driver.feed(TWO).act, driver.feed(TWO).act
        assert (first.subscriber, second.subscriber) == ("mailer", "books")

    def test_it_is_taken_over_when_it_ran_out_and_a_late_end_of_the_first_still_counts(self) -> None:
        driver = failed_then_paid()
        first = driver.feed(TICK).act
        driver.now += DELIVERY_LEASE
        second = driver.feed(TICK).act
        assert (second.announcement, second.tries) == (first.announcement, 2)
        driver.feed(taking(first))
        assert [p.announcement.sequence for p in driver.snapshot.ledger.announcements] == [2]

    def test_a_late_failure_of_the_first_says_nothing_while_the_second_is_at_it(self) -> None:
        driver = failed_then_paid()
        first = driver.feed(TICK).act
        driver.now += DELIVERY_LEASE
        driver.feed(TICK)
        assert driver.feed(failing(first)).change is None

    def test_what_is_noted_twice_changes_nothing(self) -> None:
        driver = failed_then_paid()
        act = driver.feed(TICK).act
        driver.feed(taking(act))
        for stale in (taking(act), failing(act)):
            assert driver.feed(stale).change is None

    def test_a_call_that_kills_its_worker_each_time_is_given_up_too(self) -> None:
        driver = failed_then_paid()
        for _ in range(MAX_DELIVERIES):
            assert isinstance(driver.feed(TICK).act, Deliver)
            driver.now += DELIVERY_LEASE
        assert driver.feed(TICK).act.announcement.sequence == 2
        (letter,) = driver.snapshot.ledger.dead_letters
        assert (letter.announcement.sequence, letter.tries, letter.error) == (1, MAX_DELIVERIES, NO_ANSWER)


class TestDeadLetters:
    def given_up(self, asker: TimePassed = TICK, name: str = "all") -> tuple[Driver, list[timedelta]]:
        driver = failed_then_paid()
        waits = []
        for _ in range(MAX_DELIVERIES - 1):
            play(driver, asker, frozenset({name}))
            waits.append(driver.due_at - driver.now)
            driver.now = driver.due_at
        assert not driver.snapshot.ledger.dead_letters
        act = driver.feed(asker).act
        driver.feed(failing(act, None, "MailServerAway"))
        return driver, waits

    def test_it_is_tried_for_about_a_day_with_waits_that_double_up_to_the_most(self) -> None:
        driver, waits = self.given_up()
        assert waits[:3] == [REDELIVER_FIRST, REDELIVER_FIRST * 2, REDELIVER_FIRST * 4]
        assert waits == sorted(waits)
        assert waits[-1] == REDELIVER_MOST
        assert timedelta(hours=23) < sum(waits, timedelta()) < timedelta(hours=26)
        assert driver.history[-1] == "announcement 1 (PaymentFailed) given up for all after 36 tries: MailServerAway"

    def test_later_announcements_go_on(self) -> None:
        driver, _ = self.given_up()
        (letter,) = driver.snapshot.ledger.dead_letters
        assert (letter.announcement.sequence, letter.subscriber, letter.tries) == (1, "all", MAX_DELIVERIES)
        assert (letter.at, letter.error) == (driver.now, "MailServerAway")
        assert play(driver, TICK) == [("all", 2)]

    def test_a_ledger_with_one_is_due_when_no_tick_comes(self) -> None:
        driver, _ = self.given_up()
        play(driver, TICK)
        assert due_at(driver.snapshot.ledger) == ATTENTION_AT
        assert driver.feed(TICK).change is None

    def test_redelivery_comes_at_once_before_later_ones_and_with_all_its_tries(self) -> None:
        driver, _ = self.given_up(TWO, "mailer")
        assert driver.ask(RedeliverRequested(1)) == RedeliverReply(("mailer",))
        assert driver.due_at == driver.now
        assert not driver.snapshot.ledger.dead_letters
        assert play(driver, TWO, frozenset({"mailer"})) == [("mailer", 1)]
        driver.now += REDELIVER_FIRST
        assert play(driver, TWO) == [("mailer", 1), ("mailer", 2)]
        assert due_at(driver.snapshot.ledger) is None

    def test_redelivery_of_several_subscribers_at_once(self) -> None:
        driver = failed_then_paid()
        for _ in range(MAX_DELIVERIES):
            play(driver, TWO, frozenset({"mailer", "books"}))
            driver.now = max(driver.now, driver.due_at)
        assert [d.subscriber for d in driver.snapshot.ledger.dead_letters] == ["mailer", "books"]
        assert driver.ask(RedeliverRequested(1)) == RedeliverReply(("mailer", "books"))
        assert play(driver, TWO) == [("mailer", 1), ("books", 1), ("mailer", 2), ("books", 2)]

    @pytest.mark.parametrize("sequence", [1, 2, 3, 0])
    def test_what_is_no_dead_letter_is_not_redelivered(self, sequence) -> None:
        driver = failed_then_paid()
        driver.feed(TICK)
        assert isinstance(driver.feed(RedeliverRequested(sequence)).reply, NothingToRedeliver)
        play(driver, TICK)
        assert driver.feed(RedeliverRequested(sequence)).change is None

    def test_one_that_no_process_knows_any_more_is_given_up_as_well(self) -> None:
        driver = failed_then_paid()
        play(driver, TWO, frozenset({"mailer"}))
        others = TimePassed(((Announcement, "books"),))
        for _ in range(2 * MAX_DELIVERIES):
            if driver.due_at is None:
                break
            driver.now = max(driver.now, driver.due_at)
            assert play(driver, others) == []
        letters = driver.snapshot.ledger.dead_letters
        assert [(d.announcement.sequence, d.subscriber) for d in letters] == [(1, "mailer"), (2, "mailer")]
        assert {d.error for d in letters} == {NOT_REGISTERED}

    def test_they_are_bounded_and_what_is_dropped_leaves_a_line(self) -> None:
        driver, _ = self.given_up()
        (letter,) = driver.snapshot.ledger.dead_letters
        many = tuple(
            replace(letter, announcement=replace(letter.announcement, sequence=1000 + n))
            for n in range(MAX_DEAD_LETTERS)
        )
        ledger = driver.snapshot.ledger
        driver.snapshot = replace(driver.snapshot, ledger=replace(ledger, dead_letters=many))
        for _ in range(MAX_DELIVERIES):
            act = driver.feed(TICK).act
            driver.feed(failing(act))
            driver.now = driver.now if driver.due_at is None else max(driver.now, driver.due_at)
        kept = driver.snapshot.ledger.dead_letters
        assert len(kept) == MAX_DEAD_LETTERS
        assert [d.announcement.sequence for d in (kept[0], kept[-1])] == [1001, 2]
        assert driver.history[-1] == "dead letter 1000 for all dropped: there are too many"


class TestAttention:
    def test_money_in_review_is_due_in_a_time_that_no_tick_reaches_until_it_is_resolved(self) -> None:
        driver = opened()
        driver.event(view("succeeded", received_minor=1))
        play(driver, TICK)
        assert due_at(driver.snapshot.ledger) == ATTENTION_AT
        driver.resolve("keep")
        assert due_at(driver.snapshot.ledger) is None

    @pytest.mark.parametrize("status", ["needs_response", "warning_needs_response", "appeal_needs_response"])
    def test_so_is_a_dispute_until_it_is_answered(self, status) -> None:
        driver = collected()
        driver.dispute_event(dispute_view(status))
        play(driver, TICK)
        assert due_at(driver.snapshot.ledger) == ATTENTION_AT
        driver.dispute_event(dispute_view("won"), "closed")
        play(driver, TICK)
        assert due_at(driver.snapshot.ledger) is None

    def test_what_a_tick_can_do_comes_first(self) -> None:
        driver = collected()
        driver.dispute_event(dispute_view("needs_response"))
        assert due_at(driver.snapshot.ledger) == driver.now


steps = st.lists(
    st.sampled_from(["visit", "die", "mailer fails", "books fails", "wait", "long wait", "news", "redeliver"]),
    max_size=40,
)


@given(steps)
def test_whatever_happens_each_subscriber_hears_every_announcement_in_order_or_it_is_a_dead_letter(script) -> None:
    driver, charges = failed_then_paid(), 1
    calls: list[tuple[str, int]] = []
    for word in script:
        if word == "wait":
            driver.now += timedelta(seconds=3)
        elif word == "long wait":
            driver.now += DELIVERY_LEASE
        elif word == "news":
            charges += 1
            late = view("requires_payment_method", "lost", f"pi_0000010{charges}", failure=declined(f"ch_{charges}"))
            driver.event(late, f"evt_{charges}", placed=True)
            driver.event(replace(late, status=type(late.status).CANCELED, failure=None), placed=True)
        elif word == "die":
            driver.feed(TWO)
        elif word == "redeliver":
            driver.feed(RedeliverRequested(1))
        else:
            calls += heard(driver, frozenset({word.split()[0]}))
    for _ in range(200):
        if driver.due_at is None:
            break
        driver.now = max(driver.now, driver.due_at)
        calls += heard(driver, frozenset())
    ledger = driver.snapshot.ledger
    assert not ledger.announcements
    dead = {(d.subscriber, d.announcement.sequence) for d in ledger.dead_letters}
    for name in ("mailer", "books"):
        taken = [sequence for who, sequence in calls if who == name]
        assert taken == sorted(set(taken)), "out of order, or twice"
        assert set(taken) | {s for who, s in dead if who == name} == set(range(1, ledger.announced + 1))


def heard(driver: Driver, broken: frozenset[str]) -> list[tuple[str, int]]:
    """A visit without errands at Stripe: who took what."""
    taken: list[tuple[str, int]] = []
    act = driver.feed(TWO).act
    for _ in range(300):
        if not isinstance(act, Deliver):
            return taken
        if act.subscriber not in broken:
            taken.append((act.subscriber, act.announcement.sequence))
        act = driver.feed(failing(act, TWO) if act.subscriber in broken else taking(act, TWO)).act
    raise AssertionError("a visit without an end")
