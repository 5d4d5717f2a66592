"""News in any order, any number of times: rules 5 and 8. The end depends on the rules alone, never on the order."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.support import PRICE, Driver, declined, opened, refund_view, seen, view

from airport_payments.core.facts import IntentObserved
from airport_payments.core.model import BookingStatus, IntentStatus, PaymentState, Place

S = IntentStatus
FAILED = view(S.REQUIRES_PAYMENT_METHOD, failure=declined("ch_1"), charge_id="ch_1")
FAILED_AGAIN = view(S.REQUIRES_PAYMENT_METHOD, failure=declined("ch_2"), charge_id="ch_2")
# Everything that can be told of one intent before it ends, as its events show it.
NEWS = [
    view(S.REQUIRES_PAYMENT_METHOD),
    view(S.REQUIRES_CONFIRMATION),
    view(S.REQUIRES_ACTION),
    view(S.PROCESSING, charge_id="ch_1"),
    FAILED,
    FAILED_AGAIN,
    view(S.REQUIRES_ACTION, charge_id="ch_2"),
    view(S.REQUIRES_CAPTURE, charge_id="ch_3"),
]
ENDS = [view(S.SUCCEEDED, charge_id="ch_3"), view(S.CANCELED)]


def tell(driver: Driver, news: list) -> None:
    for number, told in enumerate(news):
        driver.event(told, f"evt_{number}")


def end_of(driver: Driver):
    payment = driver.payment
    return payment.state, payment.place, payment.stripe_status, payment.failure, driver.booking.status, driver.effects


@settings(max_examples=examples(150), deadline=None)
@given(end=st.sampled_from(ENDS), news=st.lists(st.sampled_from(NEWS), max_size=14), data=st.data())
def test_the_end_state_depends_on_what_happened_and_not_on_the_order(end, news, data) -> None:
    order = data.draw(st.permutations([end, *news, end]))
    shuffled, plain = opened(), opened()
    tell(shuffled, order)
    tell(plain, [end])
    assert end_of(shuffled) == end_of(plain)
    on_the_way = {"PaymentFailed", "PaymentAuthorized"}
    ends = [a for a in shuffled.announced if a not in on_the_way]
    assert ends == [a for a in plain.announced if a not in on_the_way]
    before = shuffled.snapshot
    for number, told in enumerate(order):
        assert shuffled.event(told, f"again_{number}").change is None, "rule 8: repeated news is no change"
    assert shuffled.snapshot is before


@settings(max_examples=examples(100), deadline=None)
@given(news=st.lists(st.sampled_from(NEWS[:7]), max_size=12))
def test_each_failure_is_announced_once_however_often_it_is_told(news) -> None:
    driver = opened()
    tell(driver, news + news)
    assert driver.announced == ["PaymentFailed"] * len({v.failure.charge_id for v in news if v.failure})


@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_rule_8_any_news_twice_is_a_change_once(data) -> None:
    driver = opened()
    for told in data.draw(st.lists(st.sampled_from([*NEWS, *ENDS]), max_size=10)):
        driver.event(told)
        assert driver.event(told, "another_event_id").change is None


@pytest.mark.parametrize("order", list(permutations([FAILED, view(S.PROCESSING, charge_id="ch_2"), ENDS[0]])))
def test_a_failure_before_or_after_success_ends_paid(order) -> None:
    driver = opened()
    tell(driver, list(order))
    assert (driver.booking.status, driver.payment.place) == (BookingStatus.CONFIRMED, Place.ATTACHED)
    assert driver.payment.failure is None


@pytest.mark.parametrize("final", [PaymentState.SUCCEEDED, PaymentState.CANCELED])
@pytest.mark.parametrize("told", [*NEWS, *ENDS])
def test_s8_a_final_state_never_regresses(final, told) -> None:
    driver = opened()
    driver.event(view(str(final)))
    before = driver.snapshot
    decision = driver.event(told, "evt_late")
    assert decision.change is None
    assert driver.snapshot is before


def test_rule_5_within_open_an_event_is_a_hint_that_counts_once_and_what_we_asked_for_counts_always() -> None:
    driver = opened()
    driver.event(view(S.PROCESSING, charge_id="ch_1"))
    driver.confirm(seen(S.REQUIRES_ACTION, charge_id="ch_1"))
    driver.event(view(S.PROCESSING, charge_id="ch_1"), "evt_old_news")
    assert driver.payment.stripe_status is S.REQUIRES_ACTION
    driver.confirm(seen(S.PROCESSING, charge_id="ch_1"))
    assert driver.payment.stripe_status is S.PROCESSING


def test_a_failure_that_we_ask_for_again_and_again_is_announced_once() -> None:
    driver = opened()
    for _ in range(3):
        driver.confirm(seen(S.REQUIRES_PAYMENT_METHOD, failure=declined("ch_1"), charge_id="ch_1"))
    driver.event(FAILED)
    assert driver.announced == ["PaymentFailed"]


def test_rule_5_an_authorisation_does_not_go_back_to_open() -> None:
    driver = opened()
    driver.event(view(S.REQUIRES_CAPTURE))
    driver.event(view(S.REQUIRES_ACTION))
    assert driver.payment.state is PaymentState.REQUIRES_CAPTURE


def test_news_of_a_payment_is_bounded() -> None:
    driver = opened()
    for number in range(100):
        driver.event(view(S.REQUIRES_PAYMENT_METHOD, failure=declined(f"ch_{number}")))
    assert len(driver.payment.news) == 32


def test_the_event_id_is_kept_for_the_operator() -> None:
    driver = opened()
    told = IntentObserved(ENDS[0], "evt_42", "payment_intent.succeeded")
    (line,) = driver.feed(told).change.history
    assert (line.event_id, line.fact, line.intent_id) == ("evt_42", "payment_intent.succeeded", "pi_00000001")


def test_rule_10_an_event_performs_nothing_at_stripe_and_leaves_the_rest_due_now() -> None:
    driver = opened()
    driver.team(status=BookingStatus.CANCELLED)
    decision = driver.event(view(S.REQUIRES_ACTION))
    assert decision.act is None
    assert driver.due_at == driver.now
    assert len(driver.effects) == 1


@pytest.mark.parametrize("refunded_minor", [100, PRICE.amount_minor - 1])
@pytest.mark.parametrize("first", ["refund", "payment"])
def test_a_part_that_went_back_confirms_whichever_is_heard_first(refunded_minor, first) -> None:
    driver = opened()
    news = [lambda: driver.event(view("succeeded")), lambda: driver.refund_event(refund_view("re_1", refunded_minor))]
    for tell in reversed(news) if first == "refund" else news:
        tell()
    assert (driver.booking.status, driver.payment.place) == (BookingStatus.CONFIRMED, Place.ATTACHED)
    assert driver.payment.rest_minor == PRICE.amount_minor - refunded_minor
    assert driver.confirmations == 1
