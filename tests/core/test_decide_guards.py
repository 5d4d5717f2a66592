"""Guards against what should not happen: a row that was reset, an amount that was changed at Stripe, money in review."""

from tests.support import INTENT_ID, OWNER, PRICE, TICK, Driver, declined, kinds, opened, seen, view

from airport_payments.core.commands import CreateIntent
from airport_payments.core.decide.draft import Ready
from airport_payments.core.decide.table import MAX_NEWS
from airport_payments.core.errors import BookingNotFound, Misconfigured, PaymentInReview
from airport_payments.core.facts import Answer, PaymentRequested, RefusalKind, Refused
from airport_payments.core.model import BookingStatus, PaymentState, Place, ReviewReason
from airport_payments.core.money import Money


def test_s1_a_booking_that_the_team_set_back_to_pending_is_not_confirmed_by_a_second_payment() -> None:
    driver = opened()
    driver.event(view("succeeded"))
    driver.team(status=BookingStatus.PENDING)
    driver.event(view("succeeded", attempt_id="a2", intent_id="pi_00000002"), "evt_2", placed=True)
    assert driver.confirmations == 1
    assert [p.place for p in driver.payments] == [Place.ATTACHED, Place.REVIEW]


def test_s1_the_surplus_is_told_by_the_money_and_not_by_the_teams_status() -> None:
    driver = opened()
    driver.event(view("succeeded"))
    driver.team(status=BookingStatus.PENDING)
    driver.request()  # already paid: nothing is opened
    assert kinds(driver.performed) == ["CreateIntent"]


def test_rule_3_while_money_is_in_review_an_open_intent_is_closed() -> None:
    driver = opened()
    driver.event(view("succeeded", attempt_id="forgotten", intent_id="pi_00000002"), "evt_2", placed=True)
    assert [p.review for p in driver.payments] == [None, ReviewReason.UNKNOWN_ATTEMPT]
    assert kinds(driver.effects) == ["CancelIntent"]
    driver.tick(seen("canceled"))
    assert driver.payments[0].state is PaymentState.CANCELED
    assert isinstance(driver.request(), PaymentInReview)


def test_s13_an_amount_changed_at_stripe_is_not_handed_out_but_replaced() -> None:
    driver = opened()
    other = Money(1, "usd")
    reply = driver.request(
        seen("requires_payment_method", amount=other),
        seen("canceled", amount=other),
        seen("requires_payment_method", "a2", "pi_00000002"),
        attempt="a2",
    )
    assert isinstance(reply, Ready)
    assert (reply.view.id, reply.amount) == ("pi_00000002", PRICE)
    assert kinds(driver.performed) == ["CreateIntent", "RetrieveIntent", "CancelIntent", "CreateIntent"]


def test_s13_an_amount_changed_at_stripe_and_paid_goes_to_review() -> None:
    driver = opened()
    driver.event(view("succeeded", amount=Money(1, "usd")))
    assert driver.payment.review is ReviewReason.AMOUNT_MISMATCH
    assert driver.payment.intent_id == INTENT_ID
    assert driver.booking.status is BookingStatus.PENDING


def test_s10_a_stranger_moves_nothing_even_where_something_is_due() -> None:
    """The team cancelled the booking in silence: what follows from that is not a stranger's to set going."""
    driver = opened()
    driver.team(status=BookingStatus.CANCELLED)
    before = driver.snapshot
    assert type(driver.request(owner="mallory")) is BookingNotFound
    assert type(driver.confirm(owner="mallory")) is BookingNotFound
    assert driver.snapshot is before


def test_rule_3_a_create_refused_late_does_not_take_the_place_from_the_intent_that_another_sending_made() -> None:
    """Two clicks send the same saved create; one is answered, the booking is repriced, the other is refused."""
    driver = Driver()
    create = driver.feed(PaymentRequested(OWNER, PRICE, "a1")).act
    assert isinstance(create, CreateIntent)
    version = driver.snapshot.ledger.version
    driver.feed(Answer(create, seen("requires_payment_method"), version, PaymentRequested(OWNER, PRICE, "a1")))
    driver.team(price=Money(50000, "usd"))
    driver.feed(TICK)
    assert kinds(driver.effects) == ["CancelIntent"]
    refused = Refused(RefusalKind.INVALID, "x")
    decision = driver.feed(Answer(create, refused, version, PaymentRequested(OWNER, PRICE, "a2")))
    assert isinstance(decision.reply, Misconfigured)
    assert (driver.payment.state, driver.payment.payable) == (PaymentState.OPEN, True)
    assert kinds(driver.effects) == ["CancelIntent"]


def test_s7_a_failure_is_not_announced_again_however_many_came_after_it() -> None:
    """Someone tries stolen cards, and Stripe delivers the first failure once more."""
    driver = opened()
    for number in (*range(MAX_NEWS + 8), 0, 1, MAX_NEWS + 1):
        charge = f"ch_{number}"
        driver.event(view("requires_payment_method", failure=declined(charge), charge_id=charge), f"evt_{number}")
    assert driver.announced.count("PaymentFailed") == len(driver.payment.news) - 1 == MAX_NEWS - 1
    driver.event(view("succeeded"))
    assert driver.booking.status is BookingStatus.CONFIRMED
