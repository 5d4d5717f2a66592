"""Stories of charges without an answer, of cards that Stripe does not take, and of holds. Each is named after its rule."""

from dataclasses import replace
from datetime import timedelta

from tests.core.beginnings import (
    HELD,
    HELD_CONFIRMS,
    LOST,
    REST,
    both,
    charge,
    no,
    opened,
    paid,
    start,
    story,
)
from tests.support import NOW, POLICY, PRICE, declined, made, seen, view

from airport_payments.core.facts import Answer, RefusalKind, Unanswered
from airport_payments.core.model import BookingStatus
from airport_payments.core.money import Money

REST_C = seen("requires_payment_method", "c1")
YES_WANTED = declined(code="authentication_required")
KEEPS = replace(POLICY, refund_cancels_booking=False)
SOON = timedelta(minutes=5)


@story
def a_card_that_stripe_does_not_know_is_said_and_ends_its_charge():
    told = start()
    charge(told, REST_C, no(RefusalKind.PAYMENT_METHOD, "resource_missing: No such PaymentMethod"))
    charge(told, REST_C, LOST, card="pm_2")
    told.tick(no(RefusalKind.PAYMENT_METHOD, "resource_missing: No such PaymentMethod"), after=SOON)
    charge(told, REST_C, seen("succeeded", "c1"), card="pm_3")
    return told


@story
def another_card_takes_the_place_of_a_charge_without_an_answer():
    told = start()
    charge(told, REST_C, LOST)
    charge(told, LOST, attempt="c2")
    charge(told, REST_C, LOST, attempt="c3", card="pm_2")
    first = told.performed[1]
    told.feed(Answer(first, LOST, 1, told.asker("pm_1")))
    told.feed(Answer(first, Unanswered("circuit open", sent=False), 1, told.asker("pm_1")))
    charge(told, seen("succeeded", "c1"), attempt="c4", card="pm_3")
    charge(told, attempt="c5")
    return told


@story
def a_customer_at_the_page_takes_the_place_of_a_charge_without_an_answer():
    told = start()
    charge(told, REST_C, LOST)
    told.request(REST_C, attempt="a2")
    told.event(view("succeeded", "c1"))
    return told


@story
def a_charge_without_an_answer_is_given_up_with_its_booking():
    cancelled = start()
    charge(cancelled, REST_C, LOST)
    cancelled.cancel(seen("canceled", "c1"))
    repriced = start()
    charge(repriced, REST_C, LOST)
    repriced.team(price=Money(100, "usd"))
    repriced.tick(LOST, after=SOON)
    repriced.tick(no(RefusalKind.UNEXPECTED_STATE, seen=seen("succeeded", "c1")), after=SOON)
    expired = start(hold_until=NOW + SOON)
    charge(expired, REST_C, LOST)
    expired.tick(no(RefusalKind.UNEXPECTED_STATE, seen=seen("processing", "c1")), after=SOON)
    return both(cancelled, repriced, expired)


@story
def a_capture_without_an_answer_is_given_up_with_its_booking():
    told = start(HELD_CONFIRMS)
    told.request(REST)
    told.event(view("requires_capture"))
    told.capture(LOST)
    told.team(status=BookingStatus.CANCELLED)
    told.tick(no(RefusalKind.UNEXPECTED_STATE, seen=seen("succeeded")), after=SOON)
    return told


@story
def an_authorisation_answers_the_charge_that_made_it():
    told = start(HELD)
    charge(told, REST_C, LOST)
    told.event(view("requires_capture", "c1"))
    charge(told, attempt="c2")
    told.capture(seen("succeeded", "c1"))
    return told


@story
def a_bank_that_wants_the_customer_lets_them_say_yes_however_old_its_answer_is():
    refused = no(RefusalKind.CARD, failure=YES_WANTED, seen=seen("requires_payment_method", "c1", failure=YES_WANTED))
    stored = no(RefusalKind.CARD, failure=YES_WANTED, seen=replace(refused.seen, replayed=True))
    by_decline_code = declined(code="card_declined", decline_code="authentication_required")
    told = start()
    charge(told, REST_C, refused)
    charge(told, REST_C, stored, attempt="c2")
    charge(told, REST_C, no(RefusalKind.CARD, failure=by_decline_code, seen=refused.seen), attempt="c3")
    charge(told, REST_C, no(RefusalKind.CARD, failure=YES_WANTED), attempt="c4")
    return both(told, *(_overtaken(refused, before) for before in ("succeeded", "canceled", "requires_action")))


def _overtaken(refused, before):
    told = start()
    charge(told, REST_C, LOST)
    command, version = told.performed[1], told.snapshot.ledger.version
    more = {"amount": Money(100, "usd")} if before == "requires_action" else {}
    told.event(view(before, "c1", **more), "evt_before")
    told.feed(Answer(command, refused, version, told.asker("pm_1")))
    return told


@story
def what_was_given_back_is_not_paid_and_can_be_paid_again_when_it_is_set_back():
    told = paid(KEEPS)
    told.refund(made(), amount=Money(PRICE.amount_minor - 1, "usd"))
    charge(told)
    told.confirm()
    told.refund(made("re_2"), request="r2")
    charge(told)
    told.confirm()
    told.tick()
    told.team(status=BookingStatus.PENDING)
    told.request(seen("requires_payment_method", "a2", "pi_2"), attempt="a2")
    return told


@story
def a_hold_that_is_made_longer_keeps_its_booking():
    told = opened(hold_until=NOW + SOON)
    told.cancel(reason="expired")
    told.tick(LOST, after=SOON)
    told.team(hold_until=NOW + 3 * SOON)
    told.tick(seen("canceled"), after=SOON)
    told.cancel(reason="expired")
    told.tick(after=SOON)
    asked = opened(hold_until=NOW + SOON)
    asked.cancel(LOST)
    asked.team(hold_until=NOW + 3 * SOON)
    asked.tick(seen("canceled"), after=SOON)
    return both(told, asked)
