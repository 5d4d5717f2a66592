"""Stories of held money, refunds, money in review, disputes and announcements. Each is named after the rule that it shows."""

from dataclasses import replace
from datetime import timedelta

from tests.core.beginnings import (
    DAY,
    FAILED,
    HELD,
    HELD_CONFIRMS,
    LOST,
    REFUND,
    REST,
    both,
    held,
    in_review,
    no,
    opened,
    paid,
    start,
    story,
)
from tests.support import (
    INTENT_ID,
    NAMESPACE,
    OWNER,
    POLICY,
    PRICE,
    dispute_view,
    listed,
    made,
    refund_view,
    seen,
    view,
)

from airport_payments.core.decide.table import KEY_FORGOTTEN, LEASE, LOOK_FIRST, MAX_DELIVERIES
from airport_payments.core.facts import (
    Answer,
    DeliveryFailed,
    NothingFound,
    PaymentRequested,
    RedeliverRequested,
    RefusalKind,
    TimePassed,
)
from airport_payments.core.model import BookingStatus, PaymentState
from airport_payments.core.money import Money


@story
def money_is_held_and_captured_in_part():
    told = opened(HELD)
    told.event(view("requires_capture"))
    told.event(view("requires_capture"))
    told.capture(amount=Money(0, "usd"))
    told.capture(amount=Money(45100, "usd"))
    told.capture(amount=Money(1, "eur"))
    told.capture(LOST, amount=Money(100, "usd"))
    told.capture(amount=Money(200, "usd"))
    told.tick(seen("succeeded", received_minor=100), after=LEASE)
    told.capture(amount=Money(100, "usd"))
    told.capture(amount=Money(200, "usd"))
    told.capture(payment="pi_other")
    return told


@story
def nothing_is_captured_where_nothing_is_held():
    told = start(HELD)
    told.capture()
    told.request(REST)
    told.capture()
    return told


@story
def a_held_payment_confirms_by_setting_and_its_end_is_told():
    told = opened(HELD_CONFIRMS)
    told.event(view("requires_capture"))
    told.tick(seen("requires_capture"), after=LOOK_FIRST)
    told.event(view("canceled"))
    told.cancel()
    return told


@story
def a_held_payment_that_confirmed_is_captured_or_released():
    told = held(HELD_CONFIRMS)
    told.capture(no(RefusalKind.INVALID))
    told.capture(seen("requires_capture"), seen("succeeded"))
    other = held(HELD_CONFIRMS)
    other.cancel(seen("canceled"))
    third = held(HELD_CONFIRMS)
    third.team(status=BookingStatus.CANCELLED)
    third.event(view("succeeded"))
    return both(told, other, third)


@story
def a_capture_is_refused_and_nobody_tries_again_by_himself():
    told = held()
    told.capture(no(RefusalKind.UNEXPECTED_STATE, seen=seen("requires_capture")))
    told.tick(seen("requires_capture"))
    told.capture(no(RefusalKind.MISSING))
    told.capture(no(RefusalKind.UNEXPECTED_STATE, seen=seen("canceled")))
    other = held()
    other.event(view("requires_action", "b9", "pi_9"), placed=True)
    other.capture(seen("requires_capture", replayed=True), seen("requires_capture"), seen("succeeded"))
    return both(told, other)


@story
def an_authorisation_that_is_being_released_is_not_captured():
    told = held()
    told.cancel(LOST)
    told.capture()
    told.cancel(no(RefusalKind.UNEXPECTED_STATE, seen=seen("succeeded")))
    return told


@story
def an_authorised_amount_that_is_not_the_price_is_released():
    told = opened(HELD_CONFIRMS)
    told.event(view("requires_capture", amount=Money(100, "usd")))
    told.tick(seen("canceled", amount=Money(100, "usd")))
    return told


# ---- refunds


@story
def a_refund_in_parts_ends_the_booking_when_all_went_back():
    told = paid()
    told.refund(made("re_1", "pending"), amount=Money(99, "usd"))
    told.refund(amount=Money(99, "usd"))
    told.refund(amount=Money(98, "usd"))
    told.refund_event(refund_view("re_1", 99, "succeeded", ref="a1.0"), "evt_1")
    told.refund_event(refund_view("re_1", 99, "succeeded", ref="a1.0"), "evt_1")
    told.refund(amount=Money(45001, "usd"), request="r2")
    told.refund(made("re_2"), request="r3")
    told.tick()
    told.refund(request="r4")
    told.refund_event(refund_view("re_2", 45000, "failed", failure="lost_or_stolen_card"), "evt_2", "refund.failed")
    return told


@story
def a_refund_that_may_not_be_is_refused_with_its_reason():
    told = paid()
    told.refund(amount=Money(0, "usd"))
    told.refund(amount=Money(1, "eur"))
    told.refund(payment="pi_other")
    told.refund(owner="mallory")
    told.dispute_event(dispute_view())
    told.refund()
    other = held()
    other.refund(payment=INTENT_ID)
    third = opened()
    third.refund()
    third.refund(payment=INTENT_ID)
    return both(told, other, third)


@story
def each_kind_of_refusal_of_a_refund_has_its_error():
    told = paid()
    kinds = (
        RefusalKind.ALREADY_REFUNDED,
        RefusalKind.DISPUTED,
        RefusalKind.MISSING,
        RefusalKind.INVALID,
        RefusalKind.CREDENTIALS,
    )
    told.refund(made("re_1", "pending"), request="r", amount=Money(1, "usd"))
    for n, kind in enumerate(kinds):
        told.refund(no(kind), request=f"r{n}")
    told.tick(listed(), after=LEASE)
    return told


@story
def a_refund_without_an_answer_is_repeated_listed_and_ordered_anew_after_a_day():
    told = paid()
    told.refund(LOST)
    told.refund(FAILED)
    told.refund(FAILED)
    told.refund()
    told.tick(listed(), after=LEASE)
    told.refund()
    told.tick(LOST, after=timedelta(minutes=15))
    told.tick(listed(), after=DAY)
    told.tick(listed(), made(replayed=True), listed(refund_view("re_1", ref="a1.0")), after=KEY_FORGOTTEN)
    return told


@story
def a_refund_that_others_forestalled_is_not_made_any_more():
    told = paid()
    told.refund(FAILED)
    told.tick(FAILED, after=LEASE)
    told.refund_event(refund_view("re_9", 45000, "succeeded"))
    told.tick(listed(refund_view("re_9", 45000, "succeeded")), after=KEY_FORGOTTEN)
    return told


@story
def refunds_made_elsewhere_are_taken_up():
    told = paid()
    told.hint(500)
    told.hint(500)
    told.tick(listed(refund_view("re_5", 500, "pending"), refund_view("re_6", 100, "requires_action", ref="a1.3")))
    told.hint(600)
    told.tick(listed(refund_view("re_5", 500, "failed", failure="expired_or_canceled_card")), after=LOOK_FIRST)
    told.tick(no(RefusalKind.INVALID), after=2 * LOOK_FIRST)
    told.tick(LOST, after=4 * LOOK_FIRST)
    told.hint(9999)
    told.tick(listed(refund_view("re_6", 100)), after=4 * LOOK_FIRST)
    return told


@story
def what_happens_to_money_asks_how_it_was_collected():
    told = opened()
    told.refund_event(refund_view("re_1", 100))
    told.dispute_event(dispute_view())
    told.tick(seen("succeeded"))
    told.refund_event(refund_view("re_2", 1, intent_id="pi_other"))
    told.refund_event(refund_view("re_3", 1, intent_id=None))
    return told


@story
def all_of_it_went_back_before_anyone_told_of_the_payment():
    told = opened()
    told.refund_event(refund_view("re_1"))
    told.event(view("succeeded"))
    other = opened(replace(POLICY, refund_cancels_booking=False))
    other.refund_event(refund_view("re_1"))
    other.event(view("succeeded"))
    return both(told, other)


@story
def a_refund_is_known_again_after_a_backup_was_restored():
    told = paid()
    told.refund_event(refund_view("re_1", 99, "pending"))
    told.refund(LOST, amount=Money(99, "usd"))
    told.refund(made("re_1", "succeeded"), amount=Money(99, "usd"))
    return told


@story
def an_answer_that_stripe_had_stored_names_the_refund_and_no_more():
    told = paid()
    told.refund(made("re_1", "pending", replayed=True), listed(refund_view("re_1", ref="a1.0")))
    return told


@story
def money_that_confirms_nothing_goes_back_by_setting():
    told = in_review(REFUND)
    told.tick(no(RefusalKind.INVALID), listed())
    told.resolve("refund")
    told.tick(made())
    told.tick()
    return told


@story
def a_person_decides_about_money_in_review():
    told = in_review()
    told.resolve("confirm", payment="pi_other")
    told.resolve("confirm")
    told.resolve("confirm")
    told.resolve("refund")
    other = in_review()
    other.refund_event(refund_view("re_1", 45099, "pending"))
    other.resolve("confirm")
    third = paid()
    third.event(view("succeeded", "b1", "pi_2"), placed=True)
    third.resolve("confirm", payment="pi_2")
    third.refund(made("re_7"), payment="pi_2")
    return both(told, other, third)


@story
def a_booking_with_several_payments_wants_one_named():
    told = in_review()
    told.event(view("succeeded", "b1", "pi_2"), placed=True)
    told.refund()
    return told


@story
def one_cent_is_money():
    cent = Money(1, "usd")
    told = opened(price=cent)
    told.team(status=BookingStatus.CANCELLED)
    told.event(view("succeeded", amount=cent))
    told.cancel()
    told.resolve("confirm")
    told.refund(made())
    other = opened(REFUND, price=cent)
    other.team(status=BookingStatus.CANCELLED)
    other.event(view("succeeded", amount=cent))
    other.tick(no(RefusalKind.INVALID), listed())
    other.resolve("refund")
    third = opened(HELD, price=cent)
    third.event(view("requires_capture", amount=cent))
    third.capture(seen("succeeded", amount=cent))
    return both(told, other, third)


@story
def several_refunds_wait_for_their_answers():
    told = paid()
    for request, amount in (("r1", 99), ("r2", 98), ("r3", 97)):
        told.refund(LOST, amount=Money(amount, "usd"), request=request)
    told.refund(made("re_2", "pending"), amount=Money(98, "usd"), request="r2")
    told.refund(FAILED, amount=Money(99, "usd"), request="r1")
    told.tick(FAILED, FAILED, after=LEASE)
    told.tick(LOST, FAILED, after=LEASE)
    told.tick(listed(refund_view("re_2", 98, "pending", ref="a1.1")), after=2 * LEASE)
    told.refund_event(refund_view("re_9", 45000, "succeeded"))
    told.tick(listed(refund_view("re_2", 98, "pending", ref="a1.1")), after=KEY_FORGOTTEN)
    return told


@story
def several_refunds_that_were_not_made_are_all_ordered_anew():
    told = paid()
    for request, amount in (("r0", 1), ("r1", 99), ("r2", 98)):
        told.refund(made("re_0", "pending") if amount == 1 else LOST, amount=Money(amount, "usd"), request=request)
    told.tick(listed(refund_view("re_0", 1, ref="a1.0")), after=KEY_FORGOTTEN)
    return told


@story
def money_in_review_that_is_being_refunded_is_not_refunded_again_and_confirms_nothing():
    told = in_review()
    told.refund(LOST)
    told.resolve("confirm")
    told.resolve("refund")
    return told


# ---- disputes


@story
def a_dispute_is_told_when_it_opens_becomes_formal_and_closes():
    told = paid()
    soon, later = told.now + DAY, told.now + 2 * DAY
    told.dispute_event(dispute_view("warning_needs_response", due_by=soon, refundable=True))
    told.dispute_event(dispute_view("warning_needs_response", due_by=later, refundable=True))
    told.dispute_event(dispute_view("warning_needs_response", due_by=soon, refundable=True))
    told.dispute_event(dispute_view("needs_response", due_by=later), "updated")
    told.dispute_event(dispute_view("needs_response"), "funds_withdrawn")
    told.dispute_event(dispute_view("under_review", refundable=True), "updated")
    told.dispute_event(dispute_view("won"), "funds_reinstated")
    told.dispute_event(dispute_view("won"), "closed")
    told.dispute_event(dispute_view("lost", "dp_2"), "closed")
    told.tick()
    return told


# ---- announcements


@story
def a_subscriber_that_raises_is_called_again_and_its_dead_letter_delivered_after_all():
    told = opened()
    told.event(view("succeeded"))
    for tries in range(1, MAX_DELIVERIES + 1):
        told.feed(TimePassed(((object, "mail"),)))
        told.feed(DeliveryFailed(1, "mail", tries, "SMTPError"))
        if tries > 2 and tries < MAX_DELIVERIES - 1:
            told.lines.clear()
        told.now += timedelta(hours=1)
    told.ask(RedeliverRequested(1))
    told.ask(RedeliverRequested(1))
    return told


# ---- answers that come late


@story
def an_answer_to_an_older_version_says_who_and_not_how():
    told = start()
    create = told.feed(PaymentRequested(OWNER, PRICE, "a1")).act
    asker = PaymentRequested(OWNER, PRICE, "a1")
    told.feed(Answer(create, seen("succeeded"), told.snapshot.ledger.version - 1, asker))
    told.feed(Answer(create, no(RefusalKind.INVALID), told.snapshot.ledger.version, asker))
    told.feed(Answer(create, NothingFound(), told.snapshot.ledger.version, asker))
    told.feed(Answer(replace(create, attempt_id="a9"), REST, told.snapshot.ledger.version, TimePassed()))
    assert told.payment.state is PaymentState.OPEN
    assert NAMESPACE in create.key
    return told
