from __future__ import annotations

import inspect
import re
import typing
from datetime import UTC, datetime

import pytest
import stripe

from airport_payments.testing import StripeRefusal
from airport_payments.testing.fake_stripe.cards import DisputeReason
from airport_payments.testing.fake_stripe.disputes import CLOSED, Outcome


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
    assert types()[-4:] == [
        "charge.succeeded",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "payment_intent.succeeded",
    ]
    assert client.charges.retrieve(intent["latest_charge"]).disputed
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.refunds.create({"payment_intent": intent["id"]})
    assert caught.value.code == "charge_disputed"


@pytest.mark.parametrize(("evidence", "end", "last"), [
    ("winning_evidence", "won", ["charge.dispute.funds_reinstated", "charge.dispute.closed"]),
    ("losing_evidence", "lost", ["charge.updated", "charge.dispute.closed"]),
    ("well", "under_review", ["charge.dispute.updated", "charge.updated"]),
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
    assert types()[-2:] == last


@pytest.mark.parametrize(
    ("card", "end"), [("pm_card_createDispute", "lost"), ("pm_card_createDisputeInquiry", "warning_closed")]
)
def test_closing_accepts_a_dispute_and_ends_an_inquiry(paid, client, types, card, end):
    paid(card)
    dispute = client.disputes.list().data[0]
    assert client.disputes.close(dispute.id).status == end
    assert types()[-2:] == ["charge.dispute.closed", "charge.updated"]
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.disputes.close(dispute.id)
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "late"}})


def test_an_inquiry_takes_no_money_and_allows_refunds(paid, client):
    intent = paid("pm_card_createDisputeInquiry")
    dispute = client.disputes.list({"charge": intent["latest_charge"]}).data[0]
    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert client.refunds.create({"payment_intent": intent["id"]}).status == "succeeded"


def test_multiple_disputes_of_one_charge(paid, client):
    paid("pm_card_createMultipleDisputes")
    assert len(client.disputes.list().data) == 2


def test_evidence_is_due_at_the_end_of_a_day(fake, paid, clock):
    dispute = fake.dispute(paid()["id"])
    due = datetime.fromtimestamp(dispute["evidence_details"]["due_by"], UTC)
    assert (due.hour, due.minute, due.second) == (23, 59, 59)
    assert (due.date() - clock.now.date()).days == 8


def test_any_payment_can_be_disputed_in_part(fake, paid, client):
    intent = paid()
    dispute = fake.dispute(intent["id"], 500, reason="product_not_received")
    assert (dispute["amount"], dispute["reason"], dispute["status"]) == (500, "product_not_received", "needs_response")
    assert dispute["payment_method_details"]["card"]["network_reason_code"] == "13.1"
    assert client.balance_transactions.retrieve(dispute["balance_transactions"][0]["id"]).amount == -500
    assert client.charges.retrieve(intent["latest_charge"]).disputed
    assert client.disputes.list({"payment_intent": intent["id"]}).data[0].id == dispute["id"]


def test_what_was_not_captured_cannot_be_disputed(fake, client):
    for intent in (
        client.payment_intents.create({"amount": 2000, "currency": "usd"}),
        client.payment_intents.create({
            "amount": 2000, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa",
            "capture_method": "manual", "payment_method_types": ["card"],
        }),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="no captured charge"):
            fake.dispute(intent.id)


def test_a_won_dispute_gives_the_money_back_and_allows_refunds(fake, paid, client, types):
    intent = paid()
    dispute = fake.dispute(intent["id"])
    won = fake.close_dispute(dispute["id"], "won")
    assert (won["status"], won["is_charge_refundable"]) == ("won", True)
    assert [line["amount"] for line in won["balance_transactions"]] == [-2000, 2000]
    assert types()[-2:] == ["charge.dispute.funds_reinstated", "charge.dispute.closed"]
    closed = client.events.list({"type": "charge.dispute.closed"}).data[0]
    assert closed.data.object.status == "won"
    assert client.charges.retrieve(intent["latest_charge"]).disputed
    assert client.refunds.create({"payment_intent": intent["id"]}).status == "succeeded"
    with pytest.raises(ValueError, match="closed already"):
        fake.close_dispute(dispute["id"], "lost")
    with pytest.raises(StripeRefusal, match="already closed"):
        fake.answer_dispute(dispute["id"])


@pytest.mark.parametrize("outcome", ["lost", "prevented"])
def test_a_dispute_that_was_not_won_keeps_the_money_and_blocks_refunds(fake, paid, client, outcome):
    intent = paid()
    dispute = fake.close_dispute(fake.dispute(intent["id"])["id"], outcome)
    assert (dispute["status"], len(dispute["balance_transactions"])) == (outcome, 1)
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        client.refunds.create({"payment_intent": intent["id"]})


def test_a_dispute_that_nobody_answers_is_lost_at_its_due_date(fake, paid, client):
    silent, answered = fake.dispute(paid()["id"])["id"], fake.dispute(paid()["id"])["id"]
    assert fake.answer_dispute(answered)["status"] == "under_review"
    fake.advance(9 * 86400)
    assert client.disputes.retrieve(silent).status == "lost"
    assert client.disputes.retrieve(answered).status == "under_review"


def test_evidence_can_be_kept_without_submitting_it(fake, paid, client):
    dispute = fake.dispute(paid()["id"])
    kept = client.disputes.update(dispute["id"], {"evidence": {"customer_name": "A"}, "submit": False})
    assert (kept.status, kept.evidence_details.has_evidence, kept.evidence_details.submission_count) == (
        "needs_response", True, 0,
    )  # fmt: skip


def test_an_inquiry_ends_after_120_days(fake, paid, client, types):
    inquiry = fake.dispute(paid()["id"], inquiry=True)
    assert fake.answer_dispute(inquiry["id"])["status"] == "warning_under_review"
    fake.advance(119 * 86400)
    assert client.disputes.retrieve(inquiry["id"]).status == "warning_under_review"
    fake.advance(2 * 86400)
    assert client.disputes.retrieve(inquiry["id"]).status == "warning_closed"
    assert types()[-1] == "charge.dispute.closed"
    assert not [name for name in types() if "funds" in name]


def test_an_escalated_inquiry_takes_the_money_and_fails_the_refunds_that_are_on_their_way(fake, paid, client, types):
    intent = paid()
    old = client.refunds.create({"payment_intent": intent["id"], "amount": 300})
    inquiry = fake.dispute(intent["id"], inquiry=True)
    fake.advance(300)
    fresh = client.refunds.create({"payment_intent": intent["id"], "amount": 300})
    waiting = fake.refund(intent["id"], 300, status="pending")
    count = len(types())
    dispute = fake.escalate_dispute(inquiry["id"])
    assert (dispute["status"], dispute["is_charge_refundable"]) == ("needs_response", False)
    assert dispute["payment_method_details"]["card"]["case_type"] == "chargeback"
    assert [line["amount"] for line in dispute["balance_transactions"]] == [-2000]
    assert types()[count : count + 2] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    found = [client.refunds.retrieve(refund_id) for refund_id in (old.id, fresh.id, waiting["id"])]
    assert [refund.status for refund in found] == ["succeeded", "failed", "failed"]
    assert found[1].failure_reason == found[2].failure_reason == "charge_for_pending_refund_disputed"
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        client.refunds.create({"payment_intent": intent["id"], "amount": 1})
    fake.advance(121 * 86400)
    assert client.disputes.retrieve(inquiry["id"]).status == "lost"


def test_the_word_for_it_escalates_an_inquiry(fake, paid, client):
    inquiry = fake.dispute(paid()["id"], inquiry=True)
    answered = client.disputes.update(inquiry["id"], {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}})
    assert answered.status == "warning_under_review"
    fake.advance(60)
    assert client.disputes.retrieve(inquiry["id"]).status == "needs_response"
    assert client.disputes.update(inquiry["id"], {"evidence": {"uncategorized_text": "winning_evidence"}}).status == (
        "under_review"
    )
    fake.advance(60)
    assert client.disputes.retrieve(inquiry["id"]).status == "won"


def test_a_held_card_is_disputed_only_after_its_capture(fake, client, types):
    held = client.payment_intents.create({
        "amount": 2000, "currency": "usd", "confirm": True, "payment_method": "pm_card_createDispute",
        "capture_method": "manual", "payment_method_types": ["card"],
    })  # fmt: skip
    assert not fake.disputes
    client.payment_intents.capture(held.id)
    assert [dispute["status"] for dispute in fake.disputes.values()] == ["needs_response"]


def test_disputes_are_listed_in_pages(fake, paid, client):
    ids = [fake.dispute(paid()["id"])["id"] for _ in range(5)]
    listed = client.disputes.list({"limit": 2})
    assert [dispute.id for dispute in listed.auto_paging_iter()] == ids[::-1]


def test_a_bank_debit_can_be_disputed_too(fake, client):
    data = {"type": "sepa_debit", "sepa_debit": {"iban": "AT591904300235473203"}}
    given = {"payment_method_types": ["sepa_debit"], "payment_method_data": data, "confirm": True}
    client.payment_intents.create({"amount": 2000, "currency": "eur", **given})
    fake.advance(1)
    assert [dispute["reason"] for dispute in fake.disputes.values()] == ["fraudulent"]


def test_the_words_for_a_dispute_are_stripe_pythons():
    statuses, _text = typing.get_args(stripe.Dispute.__annotations__["status"])
    assert set(typing.get_args(Outcome)) == CLOSED <= set(typing.get_args(statuses))
    documented = inspect.getsource(stripe.Dispute).partition("Reason given by cardholder for dispute.")[2][:500]
    assert set(re.findall(r"`([a-z_]+)`", documented)) == set(typing.get_args(DisputeReason))
