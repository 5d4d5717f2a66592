"""Stories of paying, of saved cards, and of cancelling. A story is named after the rule that it shows."""

from tests.core.beginnings import (
    DAY,
    FAILED,
    HELD,
    HELD_CONFIRMS,
    LOST,
    OPTIONS,
    REFUND,
    REST,
    both,
    charge,
    held,
    no,
    opened,
    paid,
    start,
    story,
)
from tests.support import (
    INTENT_ID,
    OWNER,
    PRICE,
    declined,
    made,
    seen,
    view,
)

from airport_payments.core.decide.table import LEASE, LOOK_FIRST
from airport_payments.core.facts import (
    ChargeRequested,
    ConfirmRequested,
    IntentObserved,
    NothingFound,
    PaymentRequested,
    RefusalKind,
    Unanswered,
)
from airport_payments.core.model import BookingStatus, Failure, RequestKey
from airport_payments.core.money import Money


@story
def a_payment_is_opened_failed_tried_again_and_confirms_the_booking():
    told = start()
    key = RequestKey("k1", "f1")
    told.request(REST, key=key)
    told.event(view("requires_payment_method", failure=declined()), "evt_1")
    told.event(view("requires_payment_method", failure=declined()), "evt_2")
    told.event(view("requires_action", charge_id="ch_2"), "evt_3")
    told.event(view("processing", charge_id="ch_2"), "evt_4")
    told.confirm(seen("processing", charge_id="ch_2"))
    told.request(seen("processing", charge_id="ch_2"), attempt="a2", key=key)
    told.event(view("succeeded", charge_id="ch_2"), "evt_5")
    told.event(view("succeeded", charge_id="ch_2"), "evt_5")
    told.tick()
    told.confirm()
    told.request(attempt="a3")
    return told


@story
def what_the_customer_asks_brings_the_news_when_no_event_does():
    told = start()
    told.request(seen("requires_confirmation"))
    told.confirm(seen("requires_action"))
    told.confirm(seen("requires_payment_method", failure=declined(None)))
    told.tick(seen("requires_payment_method", failure=declined(None)), after=LOOK_FIRST)
    told.confirm(seen("succeeded"))
    return told


@story
def a_request_that_may_not_pay_is_refused_with_its_reason():
    told = start()
    told.request(owner="mallory")
    told.request(amount=Money(1, "usd"))
    told.request(amount=Money(45099, "eur"))
    told.team(price=Money(0, "usd"))
    told.request(amount=Money(0, "usd"))
    told.team(price=PRICE, hold_until=told.now)
    told.request()
    told.team(hold_until=told.now + DAY)
    told.request(LOST, key=RequestKey("k1", "f1"))
    told.request(key=RequestKey("k1", "f2"))
    told.team(status=BookingStatus.CANCELLED)
    told.request()
    told.confirm(intent_id="pi_other")
    return told


@story
def each_kind_of_refusal_of_the_create_has_its_error_and_its_watch():
    told = start()
    reply = no(RefusalKind.CARD, failure=Failure("card_declined", "Your card was declined.", "lost_card"))
    for n, refused in enumerate((
        no(RefusalKind.AMOUNT_TOO_SMALL), no(RefusalKind.AMOUNT_TOO_LARGE), no(RefusalKind.EMAIL), reply,
        no(RefusalKind.CARD), no(RefusalKind.INVALID), no(RefusalKind.FOREIGN, "secret words"),
    )):  # fmt: skip
        told.request(refused, attempt=f"a{n}")
    told.request(no(RefusalKind.CREDENTIALS), attempt="a9")
    told.request(attempt="a0")
    return told


@story
def a_create_without_an_answer_is_repeated_looked_for_and_given_up_but_watched():
    told = start()
    told.request(LOST)
    told.request(Unanswered("circuit open", sent=False))
    told.tick(FAILED, after=LEASE)
    told.tick(FAILED, after=LEASE)
    told.request(LOST)
    told.tick(NothingFound(), after=LOOK_FIRST)
    told.request(attempt="a1")
    told.tick(NothingFound(), after=LOOK_FIRST)
    told.event(view("requires_payment_method"))
    told.tick(no(RefusalKind.INVALID), after=LOOK_FIRST)
    told.tick(seen("canceled"), after=LOOK_FIRST)
    return told


@story
def a_key_that_is_spent_is_never_sent_and_what_it_made_is_found():
    told = start()
    told.request(LOST)
    told.tick(LOST, after=DAY)
    told.tick(no(RefusalKind.CREDENTIALS), after=LOOK_FIRST)
    told.tick(REST, after=LOOK_FIRST)
    return told


@story
def a_spent_key_is_said_at_once_to_be_spent():
    told = start()
    told.request(Unanswered("idempotency key in use", key_spent=True))
    told.request(seen("requires_payment_method", replayed=True))
    return told


@story
def the_second_intent_of_one_attempt_is_a_stray_that_is_cancelled():
    told = opened()
    told.ask(ConfirmRequested(OWNER, INTENT_ID), seen("requires_payment_method", intent_id="pi_2"), REST)
    told.tick(seen("canceled", intent_id="pi_2"))
    told.ask(ConfirmRequested(OWNER, INTENT_ID), seen("requires_payment_method", intent_id="pi_2"), REST)
    told.event(view("succeeded", "a1", "pi_3"))
    told.event(view("succeeded", "a1", "pi_3"), placed=True)
    told.event(view("requires_action", "a7", "pi_4"), placed=True)
    told.event(view("requires_action", None, "pi_5"), placed=True)
    return told


@story
def a_restored_backup_takes_its_own_attempt_back_and_nothing_else():
    told = start()
    told.feed(IntentObserved(view("requires_action", "a7"), "evt_1", "reconcile.payment_intent", True, True))
    told.feed(IntentObserved(view("requires_action", "a8", "pi_2"), "evt_2", "reconcile.payment_intent", True, True))
    told.feed(IntentObserved(view("succeeded", "a7"), "evt_3", "reconcile.payment_intent", True, True))
    told.feed(IntentObserved(view("succeeded", None, "pi_3"), "evt_4", "reconcile.payment_intent", True, True))
    return told


@story
def what_stripe_shows_of_the_other_mode_moves_nothing():
    told = opened()
    told.confirm(seen("processing", livemode=True))
    told.event(view("succeeded", livemode=True))
    told.now += LOOK_FIRST
    told.event(view("succeeded", livemode=True))
    return told


@story
def someone_changes_the_amount_at_stripe():
    told = opened()
    told.event(view("requires_payment_method", amount=Money(100, "usd"), charge_id="ch_9"))
    told.tick(no(RefusalKind.UNEXPECTED_STATE, seen=seen("succeeded", amount=Money(100, "usd"))))
    told.tick()
    told.request(attempt="a2")
    told.confirm()
    return told


@story
def money_in_another_currency_is_named_in_that_currency():
    told = opened(REFUND)
    told.event(view("succeeded", amount=Money(5000, "jpy")))
    told.tick(made(currency="jpy"))
    return told


@story
def a_price_that_changed_before_the_money_came():
    told = opened()
    told.team(price=Money(100, "usd"))
    told.event(view("succeeded"))
    told.resolve("keep")
    told.resolve("keep")
    told.resolve("confirm")
    return told


@story
def nothing_is_paid_while_money_is_in_review():
    told = opened()
    told.changed(LOST, price=Money(100, "usd"))
    told.request(seen("canceled"), REST, attempt="a2", amount=Money(100, "usd"))
    told.event(view("succeeded", "a1"))
    told.event(view("succeeded", "a1", "pi_9"), placed=True)
    told.request(attempt="a3", amount=Money(100, "usd"))
    told.confirm(intent_id="pi_9")
    return told


@story
def an_attempt_that_was_to_be_cancelled_is_not_once_it_is_abandoned():
    told = start()
    told.request(LOST)
    told.cancel(LOST)
    told.tick(NothingFound(), after=DAY)
    other = start()
    other.request(LOST)
    other.changed(price=Money(100, "usd"))
    other.tick(no(RefusalKind.INVALID), after=LEASE)
    return both(told, other)


@story
def a_failure_is_over_when_the_payment_is_canceled_or_its_money_held():
    told = opened()
    told.event(view("requires_payment_method", failure=declined()))
    told.event(view("canceled"))
    other = opened(HELD)
    other.event(view("requires_payment_method", failure=declined()))
    other.confirm(seen("requires_capture"))
    third = opened(HELD_CONFIRMS)
    third.confirm(seen("requires_capture"))
    return both(told, other, third)


@story
def what_the_team_adds_goes_with_the_create():
    told = start()
    told.ask(PaymentRequested(OWNER, PRICE, "a1", None, OPTIONS), REST)
    return told


# ---- charging a saved card


@story
def a_saved_card_pays():
    told = start()
    key = RequestKey("k1", "f1")
    charge(told, seen("requires_payment_method", "c1"), seen("succeeded", "c1"), key=key)
    charge(told, key=key)
    return told


@story
def a_saved_card_is_declined_and_may_be_tried_again():
    told = start()
    bad = declined("ch_1", "card_declined", "insufficient_funds")
    after = seen("requires_payment_method", "c1", failure=bad)
    charge(told, seen("requires_payment_method", "c1"), no(RefusalKind.CARD, failure=bad, seen=after))
    charge(told, after, LOST, attempt="c2")
    charge(
        told,
        seen("requires_confirmation", "c1", replayed=True),
        seen("requires_confirmation", "c1"),
        LOST,
        attempt="c3",
    )
    told.tick(after, after=DAY)
    return told


@story
def a_bank_that_wants_the_customer_gets_the_customer():
    told = start()
    for n, code in enumerate(
        (declined("ch_1", "authentication_required", None), declined("ch_2", "x", "authentication_required"))
    ):
        after = seen("requires_action" if n else "requires_payment_method", "c1", failure=code)
        first = (seen("requires_payment_method", "c1"),)
        charge(told, *first, no(RefusalKind.CARD, failure=code, seen=after))
    charge(told, seen("requires_action", "c1", failure=declined("ch_3")))
    late = declined("ch_4", "authentication_required", None)
    charge(told, seen("requires_payment_method", "c1"), no(RefusalKind.CARD, failure=late, seen=seen("canceled", "c1")))
    return told


@story
def a_charge_that_stripe_refuses_for_another_reason():
    told = start()
    charge(told, no(RefusalKind.AMOUNT_TOO_SMALL), attempt="c0")
    charge(told, seen("requires_payment_method", "c1"), no(RefusalKind.INVALID))
    charge(told, REST_C := seen("requires_payment_method", "c1"), no(RefusalKind.MISSING), attempt="c2")
    told.now += LEASE
    charge(told, no(RefusalKind.CREDENTIALS), attempt="c3")
    charge(told, no(RefusalKind.UNEXPECTED_STATE, seen=REST_C), REST_C, no(RefusalKind.UNEXPECTED_STATE), attempt="c4")
    return told


@story
def a_charge_is_refused_where_a_payment_would_be():
    told = start(status=BookingStatus.CANCELLED)
    charge(told)
    told.team(status=BookingStatus.PENDING)
    told.ask(ChargeRequested("mallory", PRICE, "c1", "pm_1", OPTIONS))
    return told


@story
def a_charge_waits_for_what_is_being_cancelled_or_is_held():
    told = opened()
    told.changed(no(RefusalKind.UNEXPECTED_STATE, seen=seen("processing")), price=Money(100, "usd"))
    told.team(price=PRICE)
    charge(told, seen("processing"))
    told.request(seen("processing"), attempt="a2")
    other = held()
    charge(other)
    other.request(attempt="a2")
    other.confirm(seen("requires_capture"))
    third = held(HELD_CONFIRMS)
    charge(third)
    third.confirm(seen("requires_capture"))
    return both(told, other, third)


# ---- cancelling


@story
def a_booking_is_cancelled_with_what_could_still_be_paid():
    told = opened()
    told.cancel(LOST)
    told.cancel(Unanswered("500", server_error=True))
    told.tick(seen("canceled"), after=LEASE)
    told.cancel()
    told.tick()
    return told


@story
def a_cancellation_that_finds_it_processing_waits():
    told = opened()
    told.event(view("processing"))
    told.cancel(seen("processing"))
    told.tick(seen("processing"), after=LOOK_FIRST)
    told.tick(seen("requires_payment_method"), seen("canceled", replayed=True), after=DAY)
    told.tick(seen("canceled"), after=LEASE)
    return told


@story
def a_cancellation_that_comes_too_late_finds_the_money():
    told = opened()
    told.cancel(no(RefusalKind.UNEXPECTED_STATE, seen=seen("succeeded")))
    told.resolve("refund")
    told.tick(made(state="pending"))
    return told


@story
def a_cancellation_is_refused_or_its_intent_is_missing():
    told = opened()
    told.cancel(no(RefusalKind.INVALID))
    told.cancel(no(RefusalKind.MISSING))
    told.tick(no(RefusalKind.CREDENTIALS), after=LEASE)
    told.tick(LOST, after=LOOK_FIRST)
    told.tick(seen("requires_payment_method"), LOST, after=DAY)
    return told


@story
def a_cancellation_without_an_answer_for_a_day_is_looked_at_and_ordered_anew():
    told = opened()
    told.cancel(LOST)
    told.tick(seen("requires_payment_method"), seen("canceled"), after=DAY)
    return told


@story
def a_paid_booking_is_not_cancelled():
    told = paid()
    told.cancel()
    told = both(told, other := start(status=BookingStatus.CONFIRMED))
    other.cancel()
    return both(told, other)


@story
def a_hold_that_is_over_cancels_the_booking():
    told = opened(hold_until=start().now + DAY)
    told.tick(seen("requires_payment_method"), after=LOOK_FIRST)
    told.tick(seen("requires_payment_method"), seen("canceled"), after=DAY)
    return told


@story
def the_team_decides_otherwise_while_it_is_being_cancelled():
    told = opened()
    told.cancel(LOST)
    told.changed(status=BookingStatus.CONFIRMED)
    told.tick(seen("canceled"), after=LEASE)
    return told
