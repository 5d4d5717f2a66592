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
