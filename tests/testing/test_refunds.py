from __future__ import annotations

import pytest
import stripe

from airport_payments.testing import FakeStripe, StripeRefusal


@pytest.fixture
def paid(fake, client):
    def pay(card="4242424242424242", amount=2000):
        intent = client.payment_intents.create({"amount": amount, "currency": "usd", "capture_method": "automatic"})
        return fake.pay(intent.id, card)

    return pay


@pytest.fixture
def types(fake):
    return lambda: [event["type"] for event in fake.events.values()]


def test_refunds_add_up_to_the_charge_and_no_further(paid, client, types):
    intent = paid()
    first = client.refunds.create(
        {"payment_intent": intent["id"], "amount": 500, "reason": "duplicate", "metadata": {"a": "b"}}
    )
    assert (first.status, first.amount, first.reason, first.metadata["a"]) == ("succeeded", 500, "duplicate", "b")
    charge = client.charges.retrieve(intent["latest_charge"])
    assert (charge.amount_refunded, charge.refunded) == (500, False)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount") as caught:
        client.refunds.create({"payment_intent": intent["id"], "amount": 1501})
    assert caught.value.param == "amount"
    rest = client.refunds.create({"charge": intent["latest_charge"]})
    assert rest.amount == 1500
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.refunds.create({"payment_intent": intent["id"]})
    assert caught.value.code == "charge_already_refunded"
    assert types()[-4:] == ["refund.created", "charge.refunded"] * 2


def test_only_captured_money_is_refunded(client):
    intent = client.payment_intents.create({"amount": 2000, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.refunds.create({"payment_intent": intent.id})
    given = {
        "payment_method": "pm_card_visa",
        "confirm": True,
        "capture_method": "manual",
        "payment_method_types": ["card"],
    }
    held = client.payment_intents.create({"amount": 2000, "currency": "usd", **given})
    for target in ({"payment_intent": held.id}, {"charge": held.latest_charge}):
        with pytest.raises(stripe.InvalidRequestError):
            client.refunds.create(target)
    client.payment_intents.capture(held.id, {"amount_to_capture": 700})
    assert client.refunds.create({"payment_intent": held.id}).amount == 700


def test_a_refund_names_one_target(client):
    for given in ({}, {"charge": "ch_x", "payment_intent": "pi_x"}):
        with pytest.raises(stripe.InvalidRequestError):
            client.refunds.create(given)


def test_a_pending_refund_succeeds_later(fake, paid, client, types):
    refund = client.refunds.create({"payment_intent": paid("4000000000007726")["id"]})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    fake.advance(60)
    assert client.refunds.retrieve(refund.id).status == "succeeded"
    assert types()[-2:] == ["refund.updated", "charge.refund.updated"]


def test_a_succeeded_refund_may_fail_later_and_the_money_is_refundable_again(fake, paid, client, types):
    intent = paid("4000000000005126")
    refund = client.refunds.create({"payment_intent": intent["id"]})
    assert refund.status == "succeeded"
    fake.advance(60)
    failed = client.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert failed.failure_balance_transaction.amount == 2000
    charge = client.charges.retrieve(intent["latest_charge"])
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert types()[-3:] == ["refund.failed", "refund.updated", "charge.refund.updated"]
    fake.advance(60)
    assert client.refunds.retrieve(refund.id).status == "failed"


def test_a_refund_can_be_made_to_fail(fake, paid, client):
    refund = client.refunds.create({"payment_intent": paid()["id"]})
    fake.advance(30 * 86400)
    failed = fake.fail_refund(refund.id, reason="lost_or_stolen_card")
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert client.charges.retrieve(refund.charge).amount_refunded == 0
    assert client.refunds.create({"payment_intent": refund.payment_intent}).amount == 2000


def test_only_the_metadata_of_a_refund_can_be_changed(paid, client, types, fake):
    refund = client.refunds.create({"payment_intent": paid()["id"]})
    assert client.refunds.update(refund.id, {"metadata": {"order": "1"}}).metadata["order"] == "1"
    event = list(fake.events.values())[-1]
    assert (event["type"], event["data"]["previous_attributes"]) == (
        "charge.refund.updated",
        {"metadata": {"order": None}},
    )
    with pytest.raises(stripe.InvalidRequestError, match="Canceling this refund is unsupported"):
        client.refunds.cancel(refund.id)


def test_the_balance_tells_all_money_moves(fake, paid, client):
    intent = paid()
    fake.advance(10)
    client.refunds.create({"payment_intent": intent["id"], "amount": 500})
    lines = client.balance_transactions.list().data
    assert [(line.type, line.amount) for line in lines] == [("refund", -500), ("charge", 2000)]
    assert client.balance_transactions.retrieve(lines[0].id).source.startswith("re_")


def test_a_refund_at_the_dashboard_has_no_mark_of_the_program(fake, paid, client, types):
    intent = paid()
    refund = fake.refund(intent["id"], 700, reason="requested_by_customer")
    assert (refund["amount"], refund["metadata"], refund["reason"]) == (700, {}, "requested_by_customer")
    assert types()[-2:] == ["refund.created", "charge.refunded"]
    created = client.events.list({"type": "refund.created"}).data[0]
    assert (created.request.id, created.request.idempotency_key) == (None, None)
    assert fake.refund(intent["id"])["amount"] == 1300
    with pytest.raises(StripeRefusal, match="already been refunded"):
        fake.refund(intent["id"])


@pytest.mark.parametrize(("status", "field"), [("pending", "pending_reason"), ("requires_action", "next_action")])
def test_refunds_are_held_until_they_are_told_to_go_on(fake, paid, client, types, status, field):
    fake.hold_refunds(2, status=status)
    intent = paid()
    held, other = (client.refunds.create({"payment_intent": intent["id"], "amount": 500}) for _ in range(2))
    assert (held.status, other.status, held.balance_transaction) == (status, status, None)
    assert field in held
    assert client.refunds.create({"payment_intent": intent["id"], "amount": 500}).status == "succeeded"
    fake.advance(20 * 86400)
    assert client.refunds.retrieve(held.id).status == status
    settled = fake.settle_refund(held.id)
    assert settled["status"] == "succeeded"
    assert settled["balance_transaction"]
    assert field not in settled
    assert fake.fail_refund(other.id)["status"] == "failed"
    assert types()[-3:] == ["refund.failed", "refund.updated", "charge.refund.updated"]
    assert client.charges.retrieve(held.charge).amount_refunded == 1000


def test_only_a_refund_that_waits_for_the_customer_can_be_canceled_by_the_api(fake, paid, client, types):
    intent = paid()
    waiting = fake.refund(intent["id"], 500, status="requires_action")
    pending = fake.refund(intent["id"], 500, status="pending")
    assert client.refunds.cancel(waiting["id"]).status == "canceled"
    assert types()[-2:] == ["refund.updated", "charge.refund.updated"]
    with pytest.raises(stripe.InvalidRequestError, match="unsupported"):
        client.refunds.cancel(pending["id"])
    assert fake.cancel_refund(pending["id"])["status"] == "canceled"
    assert client.charges.retrieve(intent["latest_charge"]).amount_refunded == 0
    assert client.refunds.create({"payment_intent": intent["id"]}).amount == 2000


def test_a_hold_of_refunds_is_saved(fake, paid, client, clock):
    fake.hold_refunds()
    intent = paid()
    again = FakeStripe.load(fake.dump(), clock=clock)
    assert again.refund(intent["id"])["status"] == "pending"
    assert again.refunds.keys() != fake.refunds.keys()


def test_refused_refunds_say_what_stripe_says(fake, paid, client):
    intent = paid()

    def refusal(given):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.refunds.create(given)
        return caught.value.user_message, caught.value.code, caught.value.param, caught.value.http_status

    one_of = "One of the following params should be provided for this request: payment_intent or charge."
    assert refusal({}) == (one_of, None, None, 400)
    assert refusal({"charge": "ch_none"}) == ("No such charge: 'ch_none'", "resource_missing", "id", 404)
    assert refusal({"charge": intent["latest_charge"], "amount": 4000}) == (
        "Refund amount ($40.00) is greater than unrefunded amount on charge ($20.00)", None, "amount", 400,
    )  # fmt: skip
    assert refusal({"charge": intent["latest_charge"], "amount": 0})[1] == "parameter_invalid_integer"
    assert refusal({"charge": intent["latest_charge"], "reason": "expired_uncaptured_charge"})[0] == (
        "Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer"
    )
    failed = paid("4000000000000341")
    assert refusal({"charge": failed["latest_charge"]})[0] == (
        f"This PaymentIntent ({failed['id']}) does not have a successful charge to refund."
    )


def test_refunds_are_listed_by_their_payment_and_in_pages(fake, paid, client):
    first, second = paid(), paid()
    ids = [client.refunds.create({"payment_intent": first["id"], "amount": 100}).id for _ in range(5)]
    other = client.refunds.create({"payment_intent": second["id"]}).id
    assert [item.id for item in client.refunds.list({"limit": 2})] == [other, ids[4]]
    assert [item.id for item in client.refunds.list({"charge": second["latest_charge"]})] == [other]
    pages = client.refunds.list({"payment_intent": first["id"], "limit": 2})
    assert [item.id for item in pages.auto_paging_iter()] == ids[::-1]
    before = client.refunds.list({"payment_intent": first["id"], "ending_before": ids[1], "limit": 2})
    assert ([item.id for item in before], before.has_more) == ([ids[3], ids[2]], True)
    with pytest.raises(stripe.InvalidRequestError, match="No such refund"):
        client.refunds.list({"starting_after": "re_none"})


def test_the_banks_reference_is_news_that_changes_nothing_else(fake, paid, client, types):
    refund = client.refunds.create({"payment_intent": paid()["id"]})
    assert refund.destination_details.card.reference_status == "pending"
    count = len(types())
    fake.advance(10)
    found = client.refunds.retrieve(refund.id)
    assert found.destination_details.card.reference_status == "available"
    assert found.status == "succeeded"
    assert types()[count:] == ["refund.updated", "charge.refund.updated"]
    failed = client.refunds.create({"payment_intent": paid()["id"]})
    fake.fail_refund(failed.id)
    count = len(types())
    fake.advance(10)
    assert len(types()) == count
