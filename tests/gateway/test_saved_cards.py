"""Customers, receipts and saved cards, through the real stripe-python."""

from datetime import timedelta

import httpx
import pytest
from tests.gateway.shop import KEY
from tests.support import OWNER, PRICE

from airport_payments import (
    BookingNotFound,
    BookingStatus,
    CardDeclined,
    InvalidRequest,
    Misconfigured,
    Money,
    PaymentInReview,
    PaymentOptions,
    StripeUnavailable,
)
from airport_payments.core.model import Place
from airport_payments.testing import Fault


def saved(shop, payment_method="pm_card_visa", owner=OWNER):
    """Save a card for the owner's customer, as an earlier payment would. Returns customer and payment method."""
    customer = shop.run(shop.gateway.customer(owner))
    with httpx.Client(transport=shop.fake.transport(), base_url="https://api.stripe.com", auth=(KEY, "")) as stripe:
        answer = stripe.post(f"/v1/payment_methods/{payment_method}/attach", data={"customer": customer})
    assert answer.status_code == 200, answer.text
    return customer, answer.json()["id"]


def charge(shop, customer, method, *, owner=OWNER, amount=PRICE):
    options = PaymentOptions(customer_id=customer)
    return shop.run(
        shop.gateway.charge_saved_card("BK-1", owner=owner, amount=amount, payment_method_id=method, options=options)
    )


CONFIRMATION = ("POST", "/v1/payment_intents/*/confirm")


def confirmations(shop):
    return [r for r in shop.calls() if r.path.endswith("/confirm")]


def intents(shop):
    return list(shop.fake.intents.values())


class TestCustomer:
    def test_an_owner_has_one_customer_however_often_it_is_asked_for(self, shop):
        first = shop.run(shop.gateway.customer(OWNER, email="alice@example.org"))
        assert shop.run(shop.gateway.customer(OWNER)) == first
        assert shop.run(shop.gateway.customer("bob")) != first

    def test_two_at_once_make_one_customer(self, shop):
        found = shop.together(*[lambda: shop.gateway.customer(OWNER)] * 8)
        assert len(set(found)) == 1

    def test_stripe_is_told_a_hash_of_our_id(self, shop):
        shop.run(shop.gateway.customer("alice@corporate.example"))
        (made,) = [r for r in shop.calls() if r.path == "/v1/customers"]
        assert "corporate" not in repr(made.params)

    def test_a_stripe_that_is_away_is_said(self, shop):
        shop.fake.inject(Fault.server_error(), "GET", "/v1/customers/search", times=5)
        with pytest.raises(StripeUnavailable):
            shop.run(shop.gateway.customer(OWNER))

    @pytest.mark.parametrize("email", ["", "nobody", "a b@c", "x" * 300])
    def test_an_address_that_is_none_is_refused_before_anything_is_sent(self, shop, email):
        with pytest.raises(InvalidRequest):
            shop.run(shop.gateway.customer(OWNER, email=email))
        assert shop.fake.requests == []


class TestOptions:
    def test_they_reach_the_intent_beside_our_marks(self, shop):
        customer = shop.run(shop.gateway.customer(OWNER))
        options = PaymentOptions(
            customer_id=customer,
            receipt_email="alice@example.org",
            description="Parking P3, 3 days",
            statement_descriptor_suffix="PARKING P3",
            metadata={"terminal": "2"},
            setup_future_usage="off_session",
        )
        shop.run(shop.gateway.create_payment("BK-1", owner=OWNER, amount=PRICE, options=options))
        (intent,) = intents(shop)
        assert (intent["customer"], intent["receipt_email"]) == (customer, "alice@example.org")
        assert (intent["description"], intent["setup_future_usage"]) == ("Parking P3, 3 days", "off_session")
        assert intent["statement_descriptor_suffix"] == "PARKING P3"
        assert intent["metadata"]["terminal"] == "2"
        assert intent["metadata"]["airport_booking"] == "BK-1"

    def test_what_was_saved_is_sent_again_as_it_was(self, shop):
        shop.fake.inject(Fault.read_timeout(), "POST", "/v1/payment_intents", times=3)
        options = PaymentOptions(receipt_email="alice@example.org", metadata={"terminal": "2"})
        with pytest.raises(StripeUnavailable):
            shop.run(shop.gateway.create_payment("BK-1", owner=OWNER, amount=PRICE, options=options))
        shop.create()
        sent = [r for r in shop.calls() if r.path == "/v1/payment_intents"]
        assert len({(r.idempotency_key, repr(r.params)) for r in sent}) == 1
        assert intents(shop)[0]["receipt_email"] == "alice@example.org"

    def test_personal_data_goes_with_the_command(self, shop):
        options = PaymentOptions(receipt_email="alice@example.org")
        shop.run(shop.gateway.create_payment("BK-1", owner=OWNER, amount=PRICE, options=options))
        assert "alice@example.org" not in repr(shop.snapshot().ledger)
        assert "alice@example.org" not in repr(shop.history())


class TestSavedCard:
    def test_it_pays_and_confirms_the_booking_at_once(self, shop):
        customer, method = saved(shop)
        paid = charge(shop, customer, method)
        assert paid.completed
        assert shop.booking().status is BookingStatus.CONFIRMED

    def test_a_second_call_collects_nothing_more(self, shop):
        customer, method = saved(shop)
        charge(shop, customer, method)
        assert charge(shop, customer, method).completed
        assert sum(i["amount_received"] for i in intents(shop)) == PRICE.amount_minor

    def test_many_at_once_collect_once(self, shop):
        customer, method = saved(shop)
        options = PaymentOptions(customer_id=customer)
        call = lambda: shop.gateway.charge_saved_card(  # noqa: E731 - it is called eight times
            "BK-1", owner=OWNER, amount=PRICE, payment_method_id=method, options=options
        )
        shop.together(*[call] * 8)
        assert charge(shop, customer, method).completed
        assert sum(i["amount_received"] for i in intents(shop)) == PRICE.amount_minor

    def test_authentication_required_is_brought_back_as_something_to_do(self, shop):
        customer, method = saved(shop, "pm_card_authenticationRequired")
        answer = charge(shop, customer, method)
        assert not answer.completed
        assert answer.failure.code == "authentication_required"
        assert answer.client_secret.reveal().startswith(intents(shop)[0]["id"])
        assert shop.booking().status is BookingStatus.PENDING

    def test_the_customer_may_then_pay_the_same_intent(self, shop):
        customer, method = saved(shop, "pm_card_authenticationRequired")
        charge(shop, customer, method)
        again = shop.create()
        assert again.payment_intent_id == intents(shop)[0]["id"]
        shop.fake.pay(again.payment_intent_id)
        assert shop.confirm(again.payment_intent_id).completed

    def test_cards_that_were_declined_for_days_keep_nobody_from_seeing_that_it_was_paid(self, shop):
        customer, method = saved(shop, "pm_card_chargeCustomerFail")
        for _ in range(12):
            with pytest.raises(CardDeclined):
                charge(shop, customer, method)
            shop.tick(after=timedelta(hours=20))
        # The owner pays by themselves, and no webhook comes.
        (intent,) = intents(shop)
        shop.fake.pay(intent["id"])
        shop.tick(after=timedelta(hours=24))
        assert shop.booking().status is BookingStatus.CONFIRMED

    def test_authentication_required_is_so_too_in_an_answer_that_stripe_had_stored(self, shop):
        customer, method = saved(shop, "pm_card_authenticationRequired")
        shop.fake.inject(Fault.read_timeout(), *CONFIRMATION, times=1, after_effect=True)
        answer = charge(shop, customer, method)
        assert answer.failure.code == "authentication_required"
        assert answer.client_secret is not None

    @pytest.mark.parametrize("method", ["pm_nobodyHasIt", "card_123"])
    def test_a_card_that_stripe_does_not_know_is_said_and_keeps_no_other_from_paying(self, shop, method):
        customer, good = saved(shop)
        with pytest.raises(InvalidRequest) as refused:
            charge(shop, customer, method)
        assert [e.field for e in refused.value.errors] == ["payment_method_id"]
        shop.tick(after=timedelta(minutes=20))
        assert len(confirmations(shop)) == 1
        assert charge(shop, customer, good).completed

    def test_a_card_of_another_customer_is_refused(self, shop):
        _, theirs = saved(shop, owner="bob")
        customer, _ = saved(shop)
        with pytest.raises(Misconfigured, match="belongs to"):
            charge(shop, customer, theirs)
        assert shop.snapshot().ledger.effects == ()
        assert intents(shop)[0]["amount_received"] == 0

    def test_another_card_takes_the_place_of_one_without_answer(self, shop):
        customer, declined = saved(shop, "pm_card_chargeCustomerFail")
        _, good = saved(shop)
        shop.fake.inject(Fault.read_timeout(), *CONFIRMATION, times=3)
        with pytest.raises(StripeUnavailable):
            charge(shop, customer, declined)
        assert charge(shop, customer, good).completed
        assert confirmations(shop)[-1].params["payment_method"] == good
        assert intents(shop)[0]["last_payment_error"] is None

    def test_the_same_card_charges_once_what_had_no_answer(self, shop):
        customer, method = saved(shop)
        shop.fake.inject(Fault.read_timeout(), *CONFIRMATION, times=3, after_effect=True)
        with pytest.raises(StripeUnavailable):
            charge(shop, customer, method)
        assert charge(shop, customer, method).completed
        assert len({r.idempotency_key for r in confirmations(shop)}) == 1

    @pytest.mark.parametrize(
        "change",
        [{"status": BookingStatus.CANCELLED}, {"status": BookingStatus.CONFIRMED}, {"price": Money(100, "usd")}],
        ids=["cancelled", "paid at the counter", "repriced"],
    )
    @pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
    def test_what_is_not_wanted_any_more_is_not_charged_later(self, shop, change, after_effect):
        customer, method = saved(shop)
        shop.fake.inject(Fault.read_timeout(), *CONFIRMATION, times=3, after_effect=after_effect)
        with pytest.raises(StripeUnavailable):
            charge(shop, customer, method)
        sent = len(confirmations(shop))
        shop.team(**change)
        for _ in range(4):
            shop.tick(after=timedelta(minutes=20))
        assert len(confirmations(shop)) == sent
        (intent,) = intents(shop)
        assert intent["status"] == ("succeeded" if after_effect else "canceled")
        assert [p.place for p in shop.snapshot().ledger.payments] == [Place.REVIEW if after_effect else Place.NONE]

    def test_cancelling_sends_no_charge_that_had_no_answer(self, shop):
        customer, method = saved(shop)
        shop.fake.inject(Fault.read_timeout(), *CONFIRMATION, times=3)
        with pytest.raises(StripeUnavailable):
            charge(shop, customer, method)
        shop.run(shop.gateway.cancel("BK-1"))
        assert shop.booking().status is BookingStatus.CANCELLED
        assert intents(shop)[0]["status"] == "canceled"

    def test_another_no_of_the_bank_is_a_declined_card(self, shop):
        customer, method = saved(shop, "pm_card_chargeCustomerFail")
        with pytest.raises(CardDeclined):
            charge(shop, customer, method)
        assert shop.booking().status is BookingStatus.PENDING

    @pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
    def test_an_unanswered_confirmation_is_finished_by_tick_and_collects_once(self, shop, after_effect):
        customer, method = saved(shop)
        shop.fake.inject(Fault.read_timeout(), *CONFIRMATION, times=3, after_effect=after_effect)
        with pytest.raises(StripeUnavailable):
            charge(shop, customer, method)
        for _ in range(12):
            shop.tick(after=timedelta(minutes=20))
        assert shop.booking().status is BookingStatus.CONFIRMED
        assert sum(i["amount_received"] for i in intents(shop)) == PRICE.amount_minor

    def test_a_confirmation_that_stripe_failed_on_is_tried_again_only_when_asked_for(self, shop):
        customer, method = saved(shop)
        shop.fake.inject(Fault.server_error(), *CONFIRMATION)
        with pytest.raises(StripeUnavailable):
            charge(shop, customer, method)
        for _ in range(12):
            shop.tick(after=timedelta(minutes=20))
        assert shop.booking().status is BookingStatus.PENDING
        assert shop.snapshot().ledger.effects == ()
        assert charge(shop, customer, method).completed
        assert sum(i["amount_received"] for i in intents(shop)) == PRICE.amount_minor

    def test_one_that_was_opened_on_the_page_wants_an_address_to_come_back_to(self, shop):
        customer, method = saved(shop)
        options = PaymentOptions(customer_id=customer)
        shop.run(shop.gateway.create_payment("BK-1", owner=OWNER, amount=PRICE, options=options))
        with pytest.raises(Misconfigured, match="return_url"):
            charge(shop, customer, method)
        options = PaymentOptions(customer_id=customer, return_url="https://airport.example/back")
        paid = shop.run(
            shop.gateway.charge_saved_card("BK-1", owner=OWNER, amount=PRICE, payment_method_id=method, options=options)
        )
        assert paid.completed

    def test_it_is_the_owners_booking_or_nobodys(self, shop):
        customer, method = saved(shop)
        with pytest.raises(BookingNotFound):
            charge(shop, customer, method, owner="mallory")
        assert intents(shop) == []

    def test_nothing_is_collected_while_money_is_in_review(self, shop):
        made = shop.create()
        shop.team(price=Money(50000, "usd"))
        shop.fake.pay(made.payment_intent_id)
        with pytest.raises(PaymentInReview):
            shop.confirm(made.payment_intent_id)
        customer, method = saved(shop)
        with pytest.raises(PaymentInReview):
            charge(shop, customer, method, amount=Money(50000, "usd"))
