"""The history: a line for each fact that changed something or was refused; none for looks, tries and leases.

That every change has its line is checked after each step of every test that drives `decide` (`tests.support.Driver`).
"""

from datetime import timedelta

import pytest
from tests.support import INTENT_ID, NOW, PRICE, TICK, Driver, collected, dispute_view, listed, made, opened, seen, view
from tests.support import refund_view as shown

from airport_payments.core.announcements import Deliver
from airport_payments.core.decide.intents import WAITS
from airport_payments.core.decide.table import KEY_FORGOTTEN, LOOK_FIRST, STATE_OF
from airport_payments.core.facts import Delivered, DeliveryFailed, RefusalKind, Refused, Unanswered
from airport_payments.core.model import BookingStatus, PaymentState
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState


def lines(driver: Driver, known: int) -> list[str]:
    return driver.history[known:]


@pytest.mark.parametrize("status", [s for s in WAITS if s != "requires_payment_method"])
def test_news_within_an_open_payment_has_a_line_and_its_repetition_has_none(status) -> None:
    driver = opened()
    known = len(driver.history)
    driver.event(view(status))
    assert lines(driver, known) == [WAITS[status]]
    driver.event(view(status), "evt_again")
    assert len(driver.history) == known + 1


def test_there_are_words_for_every_status_of_an_open_payment() -> None:
    assert {s for s, state in STATE_OF.items() if state is PaymentState.OPEN} == set(WAITS)


def test_opening_an_attempt_takes_two_lines_and_no_more() -> None:
    assert opened().history == ["attempt a1 opened", "attempt a1 is this PaymentIntent"]


def test_looks_tries_and_leases_have_no_line() -> None:
    driver = opened()
    known = len(driver.history)
    driver.tick(seen("requires_payment_method"), after=LOOK_FIRST)
    driver.tick(Unanswered("no answer"), after=2 * LOOK_FIRST)
    assert lines(driver, known) == []
    driver.event(view("succeeded"))
    known = len(driver.history)
    act = driver.feed(TICK).act
    assert isinstance(act, Deliver)
    driver.feed(DeliveryFailed(1, act.subscriber, act.tries, "OSError"))
    driver.now += timedelta(seconds=1)
    driver.feed(TICK)
    driver.feed(Delivered(1, act.subscriber))
    assert not driver.snapshot.ledger.announcements
    assert lines(driver, known) == []


def test_a_cancellation_that_stripe_answers_otherwise_has_its_line() -> None:
    driver = opened()
    driver.changed(Refused(RefusalKind.UNEXPECTED_STATE, "payment_intent_unexpected_state: busy", None,
                           seen("processing")), price=Money(1, "usd"))  # fmt: skip
    assert driver.history[-1] in {"is being processed", "cancellation answered: it is processing"}
    assert "no longer wanted: to be canceled" in driver.history


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("email_invalid: bob@personal.example is not an address", "email_invalid"),
        ("bob@personal.example", "invalid"),
        ("", "invalid"),
        ("x" * 65, "invalid"),
    ],
)
def test_of_a_refusal_only_stripes_code_is_kept(reason, kept) -> None:
    driver = Driver()
    driver.request(Refused(RefusalKind.INVALID, reason))
    assert driver.history[-1] == f"attempt a1 refused: {kept}"


def test_what_became_of_disputed_money_is_said() -> None:
    driver = collected()
    driver.dispute_event(dispute_view("needs_response"))
    driver.dispute_event(dispute_view("needs_response"), "funds_withdrawn")
    driver.dispute_event(dispute_view("won"), "closed")
    driver.dispute_event(dispute_view("won"), "funds_reinstated")
    assert driver.history[-4:] == [
        "dispute dp_1: needs_response",
        "dispute dp_1: needs_response, the money was taken from the balance",
        "dispute dp_1: won",
        "dispute dp_1: won, the money is back in the balance",
    ]


def test_a_replayed_answer_that_names_a_refund_has_a_line() -> None:
    driver = collected()
    driver.refund(made("re_1", replayed=True), listed(shown("re_1", ref="a1.0")))
    assert "refund a1.0 is re_1" in driver.history
    assert driver.history[-1] == "all of its money went back"


def test_a_refund_whose_money_others_took_meanwhile_is_not_commanded_again() -> None:
    driver = collected()
    driver.refund(Unanswered("no answer"))
    driver.now = NOW + KEY_FORGOTTEN + timedelta(hours=1)
    elsewhere = shown("re_9", 10_000)
    driver.tick(listed(elsewhere))
    states = {r.ref: r.state for r in driver.refunds}
    assert states == {"a1.0": RefundState.REFUSED, "re_9": RefundState.SUCCEEDED}
    assert not driver.effects
    assert "refund a1.0 refused: refund_exceeds_rest" in driver.history
    assert driver.payment.rest_minor == PRICE.amount_minor - 10_000
    assert driver.payment.intent_id == INTENT_ID


def test_a_cancellation_that_the_team_took_back_has_a_line() -> None:
    driver = opened()
    driver.event(view("processing"))
    driver.cancel(seen("processing"))
    assert driver.snapshot.ledger.cancelling is not None
    driver.changed(status=BookingStatus.CONFIRMED)
    assert driver.snapshot.ledger.cancelling is None
    assert driver.history[-1] == "no longer to be cancelled: the booking is confirmed"
