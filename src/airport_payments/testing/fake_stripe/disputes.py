"""Disputes and inquiries: how they open, what evidence does, and how they end.

What is said here to be recorded was seen at Stripe's sandbox by others, with 2026-08-26.dahlia, and published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from airport_payments.testing.fake_stripe import refunds
from airport_payments.testing.fake_stripe.constants import INQUIRY_LIFETIME
from airport_payments.testing.fake_stripe.errors import invalid_request
from airport_payments.testing.fake_stripe.json_types import changed_attributes, clone
from airport_payments.testing.fake_stripe.objects import evidence_due, new_balance_transaction, new_dispute
from airport_payments.testing.fake_stripe.validation import merged_metadata

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.cards import DisputeReason
    from airport_payments.testing.fake_stripe.json_types import Obj

Outcome = Literal["won", "lost", "warning_closed", "prevented"]

DISPUTE_FEE: Final = 1500
# Recorded: the sandbox's banks answer evidence within five to ten seconds. Here it is a minute of the fake's clock.
DISPUTE_DECISION_DELAY: Final = 60
# Recorded: of the refunds made during an inquiry those of the last seconds fail when it becomes a chargeback, and one
# that was five minutes old stood.
REFUND_SETTLES_AFTER: Final = 120

# What evidence does to a dispute, by `evidence[uncategorized_text]` (docs.stripe.com/testing).
WINNING: Final = "winning_evidence"
LOSING: Final = "losing_evidence"
ESCALATING: Final = "escalate_inquiry_evidence"
ANSWERABLE: Final = {
    "needs_response": "under_review",
    "warning_needs_response": "warning_under_review",
    "appeal_needs_response": "appeal_under_review",
}
CLOSED: Final = frozenset({"won", "lost", "warning_closed", "prevented"})


def open_dispute(
    call: Call,
    charge: Obj,
    reason: DisputeReason,
    *,
    inquiry: bool = False,
    amount: int | None = None,
    prevented: bool = False,
) -> Obj:
    """Open a dispute (which takes the money back) or an inquiry (which does not).

    A `prevented` one is settled with the network before it becomes one (changelog of 2025-08-27.basil): the customer has
    the money, and nothing is to be answered. Which events tell of it is not known.
    """
    dispute = new_dispute(call, charge, reason, inquiry=inquiry)
    if amount is not None:
        dispute["amount"] = amount
    if prevented:
        dispute["status"] = "prevented"
        if "payment_method_details" in dispute:
            dispute["payment_method_details"]["card"]["case_type"] = "resolution"
    call.books.add(dispute)
    charge["disputed"] = True
    if not inquiry:
        _withdraw(call, dispute)
    call.books.later(dispute["evidence_details"]["due_by"], "miss_deadline", dispute["id"])
    if inquiry:
        call.books.later(call.now + INQUIRY_LIFETIME, "end_inquiry", dispute["id"])
    call.record("charge.dispute.created", dispute)
    if not inquiry:
        call.record("charge.dispute.funds_withdrawn", dispute)
        _fail_refunds(call, dispute, younger_than=0)
    if prevented:
        call.record("charge.dispute.closed", dispute)
    return dispute


def update(call: Call, dispute: Obj, params: Obj) -> None:
    """POST /v1/disputes/{id}: take evidence; by default it is submitted at once."""
    _check_open(dispute)
    before = clone(dispute)
    dispute["metadata"] = merged_metadata(dispute["metadata"], params.get("metadata", {}))
    if "evidence" in params:
        dispute["evidence"].update(params["evidence"])
        details = dispute["evidence_details"]
        details["has_evidence"] = True
        if params.get("submit", True):
            details["submission_count"] += 1
            details["submission_method"] = "manual"
            details["past_due"] = call.now > details["due_by"]
            dispute["status"] = ANSWERABLE.get(dispute["status"], dispute["status"])
            call.books.later(call.now + DISPUTE_DECISION_DELAY, "decide_dispute", dispute["id"])
    call.record("charge.dispute.updated", dispute, changed_attributes(before, dispute))
    # Recorded: Stripe announces the charge as well.
    call.record("charge.updated", call.books.objects["charge"][dispute["charge"]])


def close(call: Call, dispute: Obj, params: Obj) -> None:
    """POST /v1/disputes/{id}/close: accept it, which loses it. That an inquiry just ends is not confirmed."""
    del params
    _check_open(dispute)
    settle(call, dispute, "warning_closed" if _is_inquiry(dispute) else "lost")
    call.record("charge.updated", call.books.objects["charge"][dispute["charge"]])


def decide(call: Call, dispute: Obj) -> None:
    """Let the bank decide by the evidence; without the magic words it goes on thinking."""
    if dispute["status"] in CLOSED:
        return
    word = dispute["evidence"]["uncategorized_text"]
    if word == ESCALATING:
        escalate(call, dispute)
    elif word in {WINNING, LOSING}:
        won: Outcome = "won" if word == WINNING else "lost"
        settle(call, dispute, "warning_closed" if _is_inquiry(dispute) else won)


def escalate(call: Call, dispute: Obj) -> None:
    """Turn an inquiry into a chargeback: the money is taken now, and evidence can be given anew.

    The statuses, the money and the refunds are recorded; which events tell of it, and the new due date, are not.
    """
    if dispute["status"] in CLOSED or not _is_inquiry(dispute):
        return
    before = clone(dispute)
    dispute.update(status="needs_response", is_charge_refundable=False)
    dispute["evidence_details"]["due_by"] = evidence_due(call)
    if "payment_method_details" in dispute:
        dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    _withdraw(call, dispute)
    call.books.later(dispute["evidence_details"]["due_by"], "miss_deadline", dispute["id"])
    call.record("charge.dispute.updated", dispute, changed_attributes(before, dispute))
    call.record("charge.dispute.funds_withdrawn", dispute)
    _fail_refunds(call, dispute, younger_than=REFUND_SETTLES_AFTER)


def settle(call: Call, dispute: Obj, outcome: Outcome) -> None:
    """Close a dispute. A won one gives the money back, and the charge may be refunded again.

    That a `prevented` one moves no money and allows no refund is not confirmed.
    """
    before = clone(dispute)
    dispute["status"] = outcome
    if outcome == "won":
        dispute["is_charge_refundable"] = True
        if dispute["balance_transactions"]:
            _move_funds(call, dispute, 1, "dispute_reversal")
            call.record("charge.dispute.funds_reinstated", dispute)
    call.record("charge.dispute.closed", dispute, changed_attributes(before, dispute))


def appeal(call: Call, dispute: Obj) -> None:
    """Take a decision to the network once more, after either side lost; the money stays where the decision put it.

    The statuses are Stripe's; which events tell of them, and the new due date, are not known.
    """
    before = clone(dispute)
    if dispute["status"] == "won":
        # The bank appeals, and takes the money once more.
        dispute["is_charge_refundable"] = False
        _move_funds(call, dispute, -1, "dispute")
    dispute["status"] = "appeal_needs_response"
    dispute["evidence_details"]["due_by"] = evidence_due(call)
    call.books.later(dispute["evidence_details"]["due_by"], "miss_deadline", dispute["id"])
    call.record("charge.dispute.updated", dispute, changed_attributes(before, dispute))


def miss_deadline(call: Call, dispute: Obj) -> None:
    """Lose a dispute that nobody answered in time; Stripe says no more about when than that it is lost."""
    if (
        dispute["status"] in {"needs_response", "appeal_needs_response"}
        and call.now >= dispute["evidence_details"]["due_by"]
    ):
        settle(call, dispute, "lost")


def end_inquiry(call: Call, dispute: Obj) -> None:
    """End an inquiry that was not escalated within 120 days (docs.stripe.com/disputes/how-disputes-work)."""
    if _is_inquiry(dispute) and dispute["status"] not in CLOSED:
        settle(call, dispute, "warning_closed")


def _is_inquiry(dispute: Obj) -> bool:
    status: str = dispute["status"]
    return status.startswith("warning")


def _check_open(dispute: Obj) -> None:
    if dispute["status"] in CLOSED:
        raise invalid_request("This dispute is already closed", executed=True)


def _fail_refunds(call: Call, dispute: Obj, *, younger_than: int) -> None:
    """Let refunds fail that did not get through before the money was taken."""
    for refund in list(call.books.objects["refund"].values()):
        if refund["charge"] != dispute["charge"]:
            continue
        waiting = refund["status"] in {"pending", "requires_action"}
        fresh = refund["status"] == "succeeded" and call.now - refund["created"] < younger_than
        if waiting or fresh:
            refunds.fail(call, refund, "charge_for_pending_refund_disputed")


def _withdraw(call: Call, dispute: Obj) -> None:
    _move_funds(call, dispute, -1, "dispute")


def _move_funds(call: Call, dispute: Obj, sign: int, kind: str) -> None:
    fee = DISPUTE_FEE if sign < 0 else 0
    line = call.books.add(new_balance_transaction(call, dispute, kind, sign * dispute["amount"], fee))
    dispute["balance_transactions"].append(clone(line))
    dispute["balance_transaction"] = dispute["balance_transaction"] or line["id"]
