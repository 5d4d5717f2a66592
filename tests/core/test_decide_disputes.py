"""Disputes: a state of their own, told with their due date, only ever forward, in whatever order the events come."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import INTENT_ID, NOW, PRICE, Driver, collected, dispute_view, made, opened, seen, view

from airport_payments.core.announcements import DisputeClosed, PaymentDisputed
from airport_payments.core.decide.disputes import MAX_DISPUTES
from airport_payments.core.decide.draft import RefundReply, Unplaced
from airport_payments.core.decide.table import DISPUTE_FORWARD
from airport_payments.core.dispute import CLOSED, Dispute, DisputeStatus
from airport_payments.core.model import BookingStatus, PaymentState, Place, ReviewReason
from airport_payments.core.money import Money
from airport_payments.core.views import PaymentStatus, report

D = DisputeStatus
DUE = NOW + timedelta(days=9)
APPEALS = {D.APPEAL_NEEDS_RESPONSE, D.APPEAL_UNDER_REVIEW}


def told(driver: Driver) -> list:
    return [p.announcement for p in driver.snapshot.ledger.announcements]


class TestLife:
    def test_a_dispute_is_told_with_its_due_date(self) -> None:
        driver = collected()
        driver.dispute_event(dispute_view(due_by=DUE, amount=Money(40_000, "usd"), reason="product_not_received"))
        assert driver.payment.disputes == (
            Dispute("dp_1", 40_000, "usd", D.NEEDS_RESPONSE, "product_not_received", DUE),
        )
        (announced,) = told(driver)
        assert isinstance(announced, PaymentDisputed)
        assert (announced.dispute_id, announced.status, announced.reason) == (
            "dp_1",
            "needs_response",
            "product_not_received",
        )
        assert (announced.amount_minor, announced.currency, announced.due_by) == (40_000, "usd", DUE)

    def test_it_moves_no_booking_and_no_money(self) -> None:
        driver = collected()
        for status in ("needs_response", "under_review", "lost"):
            driver.dispute_event(dispute_view(status))
        assert (driver.booking.status, driver.payment.place) == (BookingStatus.CONFIRMED, Place.ATTACHED)
        assert (driver.effects, driver.payment.rest_minor, driver.cancellations) == ((), PRICE.amount_minor, 0)
        driver.tick()
        assert driver.performed == []

    def test_the_booking_shows_it_until_it_is_won(self) -> None:
        driver = collected()
        shown = []
        for status in ("needs_response", "under_review", "won"):
            driver.dispute_event(dispute_view(status))
            shown.append(report(driver.snapshot).payment_status)
        assert shown == [PaymentStatus.DISPUTED, PaymentStatus.DISPUTED, PaymentStatus.COMPLETED]
        driver.dispute_event(dispute_view("lost", "dp_2"))
        assert report(driver.snapshot).payment_status is PaymentStatus.DISPUTED

    @pytest.mark.parametrize("status", ["won", "lost", "warning_closed", "prevented"])
    def test_its_end_is_told(self, status) -> None:
        driver = collected()
        driver.dispute_event(dispute_view())
        if status == "warning_closed":
            driver = collected()
            driver.dispute_event(dispute_view("warning_needs_response"))
        driver.dispute_event(dispute_view(status), "closed")
        closed = told(driver)[-1]
        assert isinstance(closed, DisputeClosed)
        assert (closed.status, closed.dispute_id, closed.payment_intent_id) == (status, "dp_1", INTENT_ID)
        assert driver.announced == ["PaymentDisputed", "DisputeClosed"]

    def test_one_that_is_over_when_it_is_first_heard_of_is_told_as_over(self) -> None:
        driver = collected()
        driver.dispute_event(dispute_view("lost"), "closed")
        driver.dispute_event(dispute_view("needs_response"), "created", "evt_late")
        assert driver.announced == ["DisputeClosed"]

    def test_an_inquiry_that_becomes_formal_is_told_again(self) -> None:
        driver = collected()
        driver.dispute_event(dispute_view("warning_needs_response"))
        driver.dispute_event(dispute_view("warning_under_review"), "updated")
        assert driver.announced == ["PaymentDisputed"]
        driver.dispute_event(dispute_view("needs_response", due_by=DUE), "updated")
        assert driver.announced == ["PaymentDisputed"] * 2
        assert told(driver)[-1].due_by == DUE

    @pytest.mark.parametrize("formal", ["needs_response", "under_review", "lost"])
    def test_a_closed_inquiry_may_still_become_formal(self, formal) -> None:
        driver = collected()
        driver.dispute_event(dispute_view("warning_needs_response"))
        driver.dispute_event(dispute_view("warning_closed"), "closed")
        driver.dispute_event(dispute_view(formal), "updated")
        assert driver.payment.disputes[0].status == formal
        assert driver.announced[:2] == ["PaymentDisputed", "DisputeClosed"]
        assert driver.announced[2] == ("DisputeClosed" if formal == "lost" else "PaymentDisputed")

    @pytest.mark.parametrize("order", list(itertools.permutations(["created", "funds_withdrawn", "funds_reinstated"])))
    def test_what_happened_to_the_funds_is_kept_in_any_order(self, order) -> None:
        driver = collected()
        for kind in order:
            driver.dispute_event(dispute_view(), kind, f"evt_{kind}")
        (dispute,) = driver.payment.disputes
        assert (dispute.withdrawn, dispute.reinstated) == (True, True)
        assert driver.announced == ["PaymentDisputed"]

    def test_a_later_date_is_news_and_an_earlier_one_is_old(self) -> None:
        driver = collected()
        driver.dispute_event(dispute_view(due_by=DUE))
        driver.dispute_event(dispute_view(due_by=DUE + timedelta(days=1)), "updated")
        driver.dispute_event(dispute_view(due_by=DUE), "updated", "evt_old")
        driver.dispute_event(dispute_view(due_by=None), "updated", "evt_none")
        assert driver.payment.disputes[0].due_by == DUE + timedelta(days=1)

    def test_news_that_is_older_than_what_is_known_changes_nothing_of_it(self) -> None:
        driver = collected()
        driver.dispute_event(dispute_view("under_review", refundable=False))
        old = dispute_view("needs_response", refundable=True, due_by=DUE)
        assert driver.dispute_event(old, "created", "evt_old").change is None

    def test_two_disputes_of_one_payment_are_two(self) -> None:
        driver = collected()
        driver.dispute_event(dispute_view("needs_response", "dp_1"))
        driver.dispute_event(dispute_view("needs_response", "dp_2"))
        driver.dispute_event(dispute_view("lost", "dp_1"), "closed")
        driver.dispute_event(dispute_view("won", "dp_2"), "closed")
        assert [(d.dispute_id, d.status.value) for d in driver.payment.disputes] == [("dp_1", "lost"), ("dp_2", "won")]
        assert driver.announced == ["PaymentDisputed", "PaymentDisputed", "DisputeClosed", "DisputeClosed"]

    def test_the_same_news_again_changes_nothing(self) -> None:
        driver = collected()
        for kind in ("created", "funds_withdrawn"):
            driver.dispute_event(dispute_view(due_by=DUE), kind)
            assert driver.dispute_event(dispute_view(due_by=DUE), kind, "evt_again").change is None

    def test_what_is_kept_is_bounded_and_what_is_known_still_moves(self) -> None:
        driver = collected()
        for number in range(MAX_DISPUTES + 3):
            driver.dispute_event(dispute_view(dispute_id=f"dp_{number}"))
        assert len(driver.payment.disputes) == MAX_DISPUTES
        driver.dispute_event(dispute_view("lost", "dp_0"), "closed")
        assert driver.payment.disputes[0].status is D.LOST


class TestWhereItBelongs:
    def test_a_payment_that_is_not_this_bookings_is_unplaced(self) -> None:
        driver = collected()
        before = driver.snapshot
        for intent_id in ("pi_00000009", None):
            decision = driver.dispute_event(dispute_view(intent_id=intent_id))
            assert isinstance(decision.reply, Unplaced)
            assert decision.change is None
        assert driver.snapshot == before

    def test_news_of_a_dispute_before_that_of_the_payment_asks_for_the_payment(self) -> None:
        driver = opened()
        driver.dispute_event(dispute_view())
        driver.tick(seen("succeeded"))
        assert (driver.payment.state, len(driver.payment.disputes)) == (PaymentState.SUCCEEDED, 1)
        assert driver.booking.status is BookingStatus.CONFIRMED

    def test_a_dispute_of_money_in_review_leaves_the_decision_to_the_person(self) -> None:
        driver = opened()
        driver.team(status=BookingStatus.CANCELLED)
        driver.event(view("succeeded"))
        driver.dispute_event(dispute_view())
        assert driver.payment.review is ReviewReason.LATE
        assert report(driver.snapshot).payment_status is PaymentStatus.REVIEW


def test_a_refund_after_the_dispute_is_won_goes_through() -> None:
    driver = collected()
    driver.dispute_event(dispute_view())
    driver.dispute_event(dispute_view("won"), "closed")
    assert isinstance(driver.refund(made()), RefundReply)


# ---- the table -----------------------------------------------------------------------------------------------------


def reachable(status: DisputeStatus, leaving_out: frozenset[DisputeStatus] = frozenset()) -> set[DisputeStatus]:
    reach: set[DisputeStatus] = set()
    todo = set(DISPUTE_FORWARD[status])
    while todo:
        reach |= todo - leaving_out
        todo = {n for s in todo - leaving_out for n in DISPUTE_FORWARD[s]} - reach - leaving_out
    return reach


def test_the_table_knows_every_status_and_no_other() -> None:
    assert set(DISPUTE_FORWARD) == set(D)


def test_without_appeals_no_status_is_ever_come_back_to() -> None:
    for status in D:
        assert status not in reachable(status, frozenset(APPEALS)), status


def test_what_was_won_or_prevented_is_the_end() -> None:
    assert DISPUTE_FORWARD[D.WON] == DISPUTE_FORWARD[D.PREVENTED] == frozenset()


def test_everything_open_can_end() -> None:
    for status in set(D) - CLOSED:
        assert reachable(status) & CLOSED


# What Stripe can tell of one dispute, in the order in which it happens.
LIVES = [
    ["needs_response", "under_review", "won"],
    ["needs_response", "under_review", "lost"],
    ["needs_response", "lost"],
    ["needs_response", "prevented"],
    ["warning_needs_response", "warning_under_review", "warning_closed"],
    ["warning_needs_response", "warning_under_review", "needs_response", "under_review", "won"],
    ["warning_needs_response", "warning_closed", "needs_response", "under_review", "lost"],
    ["needs_response", "under_review", "lost", "appeal_needs_response", "appeal_under_review", "won"],
]


@given(st.sampled_from(LIVES), st.data())
def test_any_order_and_repetition_ends_the_same(life: list[str], data: st.DataObject) -> None:
    events = [(status, "updated") for status in life]
    events += [(life[0], "funds_withdrawn")]
    told_ = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=6))))
    driver = collected()
    seen_statuses = []
    for number, (status, kind) in enumerate(told_):
        driver.dispute_event(dispute_view(status), kind, f"evt_{number}")
        seen_statuses.append(driver.payment.disputes[0].status)
    (dispute,) = driver.payment.disputes
    assert (dispute.status.value, dispute.withdrawn) == (life[-1], True)
    for earlier, later in itertools.pairwise(seen_statuses):
        assert later is earlier or later in DISPUTE_FORWARD[earlier], "backward"
    for status, kind in told_:
        assert driver.dispute_event(dispute_view(status), kind, "evt_again").change is None
    assert driver.announced.count("DisputeClosed") >= 1
    # An old `lost` during an appeal cannot be told from a new one.
    assert len(driver.announced) <= len(life) or APPEALS & set(life)
