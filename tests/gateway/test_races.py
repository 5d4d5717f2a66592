"""Many at once: one intent, one effect, one announcement. Rules 1, 2, 3 and 8; pains 1 to 3 and 7."""

import threading

import pytest
from tests.support import BOOKING_ID, OWNER, PRICE

from airport_payments.core.announcements import BookingConfirmed, PaymentFailed
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import AmountMismatch, IdempotencyKeyReused, StripeUnavailable
from airport_payments.core.model import BookingStatus, PaymentState, Place
from airport_payments.core.money import Money
from airport_payments.core.views import ConfirmedPayment, CreatedPayment
from airport_payments.testing import Fault


def creates(shop, count: int):
    return [lambda: shop.gateway.create_payment(BOOKING_ID, owner=OWNER, amount=PRICE) for _ in range(count)]


def webhooks(shop, event, count: int):
    body, header = shop.signed(event)
    return [lambda: shop.gateway.handle_webhook(body, header) for _ in range(count)]


def confirmed(shop) -> int:
    shop.tick()
    return sum(isinstance(a, BookingConfirmed) for a in shop.heard)


@pytest.mark.parametrize("round_", range(5))
def test_rule_3_eight_creates_at_once_make_one_intent(shop, round_) -> None:
    results = shop.together(*creates(shop, 8))
    assert {r.payment_intent_id for r in results if isinstance(r, CreatedPayment)} == set(shop.fake.intents)
    assert [type(r) for r in results] == [CreatedPayment] * 8
    assert len(shop.fake.intents) == 1
    (intent,) = shop.fake.intents.values()
    assert (intent["amount"], intent["currency"]) == (45099, "usd")
    assert len({r.client_secret for r in results}) == 1


def test_one_key_with_two_bodies_at_once_opens_what_the_price_says_and_refuses_the_other(shop) -> None:
    wrong = Money(PRICE.amount_minor + 1, PRICE.currency)

    def asks(amount: Money):
        return lambda: shop.gateway.create_payment(BOOKING_ID, owner=OWNER, amount=amount, idempotency_key="k-1")

    # Refused for its amount, a request has not used the key up.
    with pytest.raises(AmountMismatch):
        shop.create(amount=wrong, key="k-1")
    results = shop.together(*[asks(PRICE), asks(wrong)] * 8)
    assert {r.payment_intent_id for r in results[::2]} == set(shop.fake.intents)
    assert len(shop.fake.intents) == 1
    assert {type(r) for r in results[1::2]} <= {AmountMismatch, IdempotencyKeyReused}
    with pytest.raises(IdempotencyKeyReused):
        shop.create(amount=wrong, key="k-1")


def test_a_create_in_flight_makes_the_others_wait_and_not_open_another(shop) -> None:
    gate = threading.Event()
    gate.set()
    shop.fake.inject(Fault.slow(0.05, gate), "POST", "/v1/payment_intents")
    results = shop.together(*creates(shop, 4))
    assert len(shop.fake.intents) == 1
    assert {type(r) for r in results} <= {CreatedPayment, StripeUnavailable}
    assert any(isinstance(r, CreatedPayment) for r in results)


def test_pain_02_thirty_two_copies_of_one_event_have_one_effect_and_one_announcement(paid) -> None:
    event = paid.events("payment_intent.succeeded")[0]
    results = paid.together(*webhooks(paid, event, 32))
    assert results.count(EventOutcome.APPLIED) == 1
    assert results.count(EventOutcome.UNCHANGED) == 31
    assert confirmed(paid) == 1
    assert paid.history().count("paid: booking confirmed") == 1


def test_s7_two_event_objects_of_one_thing_have_one_effect(paid) -> None:
    event = paid.events("payment_intent.succeeded")[0]
    assert paid.webhook(event) is EventOutcome.APPLIED
    assert paid.webhook({**event, "id": "evt_second"}) is EventOutcome.UNCHANGED
    assert confirmed(paid) == 1


def test_pain_01_the_webhook_races_the_confirm_call(paid) -> None:
    event = paid.events("payment_intent.succeeded")[0]
    (intent_id,) = paid.fake.intents
    confirms = [lambda: paid.gateway.confirm_payment(BOOKING_ID, intent_id, owner=OWNER) for _ in range(8)]
    results = paid.together(*webhooks(paid, event, 8), *confirms)
    assert all(r in {EventOutcome.APPLIED, EventOutcome.UNCHANGED} for r in results[:8])
    assert all(isinstance(r, ConfirmedPayment) and r.completed for r in results[8:])
    assert confirmed(paid) == 1
    assert paid.booking().status is BookingStatus.CONFIRMED
    # Neither took the other's payment for a second one: nothing goes back, nothing was collected twice.
    paid.tick()
    assert [p.place for p in paid.snapshot().ledger.payments] == [Place.ATTACHED]
    assert (len(paid.fake.intents), paid.fake.refunds) == (1, {})


def test_pain_03_all_the_events_of_a_payment_at_once(paid) -> None:
    events = paid.events()
    assert len(events) >= 2
    calls = [call for event in events for call in webhooks(paid, event, 4)]
    results = paid.together(*calls)
    assert not [r for r in results if isinstance(r, BaseException)]
    assert paid.booking().status is BookingStatus.CONFIRMED
    assert confirmed(paid) == 1


def test_rule_2_two_pieces_of_news_saved_at_once_are_both_kept(shop) -> None:
    intent_id = shop.create().payment_intent_id
    for _ in range(2):
        shop.fake.pay(intent_id, "4000000000000002")
    failures = shop.events("payment_intent.payment_failed")
    both_have_read = threading.Barrier(2)
    first_saves = iter([1, 2])

    def wait_for_the_other(*_: object) -> None:
        # Tasks come between each other anyway: the harness lets the loop go on before each call.
        if not shop.asynchronous and next(first_saves, None):
            both_have_read.wait(5)

    shop.hooks["save"] = wait_for_the_other
    results = shop.together(*[call for event in failures for call in webhooks(shop, event, 1)])
    assert results == [EventOutcome.APPLIED] * 2
    shop.tick()
    assert [(type(a), a.sequence) for a in shop.heard] == [(PaymentFailed, 1), (PaymentFailed, 2)]


def test_ticks_of_many_workers_send_a_saved_command_as_one(shop) -> None:
    shop.fake.inject(Fault.connection_lost(), "POST", "/v1/payment_intents", times=3, after_effect=True)
    with pytest.raises(StripeUnavailable):
        shop.create()
    shop.pass_time(shop.snapshot().ledger.effects[0].due_at - shop.now)
    shop.together(*[shop.gateway.tick for _ in range(6)])
    assert len(shop.fake.intents) == 1
    assert shop.snapshot().ledger.live.state is PaymentState.OPEN
    assert not shop.snapshot().ledger.effects


def test_workers_at_once_confirm_once_and_deliver_at_least_once_in_order(paid) -> None:
    for event in paid.events():
        paid.webhook(event)
    paid.together(*[paid.gateway.tick for _ in range(6)])
    assert {a.id for a in paid.heard} == {"BK-1:1"}
    assert not paid.snapshot().ledger.announcements


def test_a_payment_and_a_cancellation_at_once_end_confirmed_or_in_review(colour) -> None:
    from tests.gateway.shop import opened

    for first in (True, False):
        with opened(colour) as shop:
            intent_id = shop.create().payment_intent_id
            shop.fake.pay(intent_id)
            shop.team(status=BookingStatus.CANCELLED)
            calls = [lambda shop=shop: shop.gateway.booking_changed(BOOKING_ID)]
            calls += webhooks(shop, shop.events("payment_intent.succeeded")[0], 1)
            results = shop.together(*(calls if first else reversed(calls)))
            assert not [r for r in results if isinstance(r, BaseException)]
            assert shop.booking().status is BookingStatus.CANCELLED
            assert shop.snapshot().ledger.payments[0].review == "late"
