from __future__ import annotations

import pytest
import stripe


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
    assert fake.fail_refund(refund.id)["status"] == "failed"
    assert client.charges.retrieve(refund.charge).amount_refunded == 0


def test_only_the_metadata_of_a_refund_can_be_changed(paid, client, types, fake):
    refund = client.refunds.create({"payment_intent": paid()["id"]})
    assert client.refunds.update(refund.id, {"metadata": {"order": "1"}}).metadata["order"] == "1"
    event = list(fake.events.values())[-1]
    assert (event["type"], event["data"]["previous_attributes"]) == (
        "charge.refund.updated",
        {"metadata": {"order": None}},
    )
    with pytest.raises(stripe.InvalidRequestError, match="requires_action"):
        client.refunds.cancel(refund.id)


def test_a_dispute_withdraws_the_money_and_blocks_refunds(fake, paid, client, types):
    intent = paid("pm_card_createDispute")
    dispute = client.disputes.list({"payment_intent": intent["id"]}).data[0]
    assert (dispute.status, dispute.reason, dispute.is_charge_refundable) == ("needs_response", "fraudulent", False)
    assert dispute.balance_transactions[0].amount == -2000
    assert types()[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert client.charges.retrieve(intent["latest_charge"]).disputed
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.refunds.create({"payment_intent": intent["id"]})
    assert caught.value.code == "charge_disputed"


@pytest.mark.parametrize(("evidence", "end", "last"), [
    ("winning_evidence", "won", "charge.dispute.funds_reinstated"),
    ("losing_evidence", "lost", "charge.dispute.closed"),
    ("well", "under_review", "charge.dispute.updated"),
])  # fmt: skip
def test_evidence_decides_a_dispute(fake, paid, client, types, evidence, end, last):
    paid("4000000000000259")
    dispute = client.disputes.list().data[0]
    updated = client.disputes.update(dispute.id, {"evidence": {"uncategorized_text": evidence}, "metadata": {"a": "b"}})
    assert (updated.status, updated.evidence_details.submission_count, updated.metadata["a"]) == (
        "under_review",
        1,
        "b",
    )
    fake.advance(60)
    assert client.disputes.retrieve(dispute.id).status == end
    assert types()[-1] == last


@pytest.mark.parametrize(
    ("card", "end"), [("pm_card_createDispute", "lost"), ("pm_card_createDisputeInquiry", "warning_closed")]
)
def test_closing_accepts_a_dispute_and_ends_an_inquiry(paid, client, types, card, end):
    paid(card)
    dispute = client.disputes.list().data[0]
    assert client.disputes.close(dispute.id).status == end
    assert types()[-1] == "charge.dispute.closed"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.disputes.close(dispute.id)


def test_an_inquiry_takes_no_money_and_allows_refunds(paid, client):
    intent = paid("pm_card_createDisputeInquiry")
    dispute = client.disputes.list({"charge": intent["latest_charge"]}).data[0]
    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert client.refunds.create({"payment_intent": intent["id"]}).status == "succeeded"


def test_multiple_disputes_of_one_charge(paid, client):
    paid("pm_card_createMultipleDisputes")
    assert len(client.disputes.list().data) == 2


def test_the_balance_tells_all_money_moves(fake, paid, client):
    intent = paid()
    fake.advance(10)
    client.refunds.create({"payment_intent": intent["id"], "amount": 500})
    lines = client.balance_transactions.list().data
    assert [(line.type, line.amount) for line in lines] == [("refund", -500), ("charge", 2000)]
    assert client.balance_transactions.retrieve(lines[0].id).source.startswith("re_")
