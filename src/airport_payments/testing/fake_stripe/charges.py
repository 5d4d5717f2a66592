"""Charges and what follows a successful one: the balance, disputes, warnings of fraud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airport_payments.testing.fake_stripe.json_types import changed_attributes, clone
from airport_payments.testing.fake_stripe.objects import new_balance_transaction, new_dispute
from airport_payments.testing.fake_stripe.validation import merged_metadata

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.cards import Card
    from airport_payments.testing.fake_stripe.json_types import Obj

# With `automatic_async` capture the balance transaction comes after the answer, with a `charge.updated`.
BALANCE_DELAY: Final = 2
DISPUTE_FEE: Final = 1500
DISPUTE_DECISION_DELAY: Final = 60

# What evidence does to a dispute, by `evidence[uncategorized_text]` (docs.stripe.com/testing).
EVIDENCE_OUTCOMES: Final = {"winning_evidence": "won", "losing_evidence": "lost"}
ANSWERABLE: Final = {"needs_response": "under_review", "warning_needs_response": "warning_under_review"}
CLOSED: Final = frozenset({"won", "lost", "warning_closed", "prevented"})


def collect(call: Call, charge: Obj, amount: int, *, at_once: bool = True) -> None:
    """Take the money of a charge: the captured amount and its line in the balance."""
    charge["captured"] = True
    charge["amount_captured"] = amount
    if at_once:
        book_payment(call, charge)
    else:
        call.books.later(call.now + BALANCE_DELAY, "book_payment", charge["id"])


def book_payment(call: Call, charge: Obj) -> None:
    """Write the balance transaction of a captured charge."""
    amount = charge["amount_captured"]
    line = new_balance_transaction(call, charge, "charge", amount, amount * 29 // 1000 + 30)
    charge["balance_transaction"] = call.books.add(line)["id"]


def book_payment_later(call: Call, charge: Obj) -> None:
    """Do what `automatic_async` leaves for later."""
    if charge["balance_transaction"] is None:
        before = clone(charge)
        book_payment(call, charge)
        call.record("charge.updated", charge, changed_attributes(before, charge))


def consequences(call: Call, charge: Obj, card: Card) -> None:
    """Let happen what this test card is for, after its charge was captured."""
    if card.fraud_warning:
        warning = {
            "id": call.ids.new("issfr"),
            "object": "radar.early_fraud_warning",
            "actionable": True,
            "charge": charge["id"],
            "created": call.now,
            "fraud_type": "made_with_stolen_card",
            "livemode": False,
            "payment_intent": charge["payment_intent"],
        }
        call.record("radar.early_fraud_warning.created", warning)
    for _ in range(card.dispute_count if card.dispute else 0):
        open_dispute(call, charge, card.dispute or "fraudulent")


def open_dispute(call: Call, charge: Obj, reason: str) -> Obj:
    """Open a dispute (which takes the money back) or an inquiry (which does not)."""
    dispute = call.books.add(new_dispute(call, charge, reason))
    charge["disputed"] = True
    withdrawn = dispute["status"] == "needs_response"
    if withdrawn:
        _move_funds(call, dispute, -1, "dispute")
    call.record("charge.dispute.created", dispute)
    if withdrawn:
        call.record("charge.dispute.funds_withdrawn", dispute)
    return dispute


def update_dispute(call: Call, dispute: Obj, params: Obj) -> None:
    """Take evidence; by default it is submitted at once."""
    before = clone(dispute)
    dispute["metadata"] = merged_metadata(dispute["metadata"], params.get("metadata", {}))
    if "evidence" in params:
        dispute["evidence"].update(params["evidence"])
        details = dispute["evidence_details"]
        details["has_evidence"] = True
        if params.get("submit", True) and dispute["status"] in ANSWERABLE:
            details["submission_count"] += 1
            details["submission_method"] = "manual"
            dispute["status"] = ANSWERABLE[dispute["status"]]
            call.books.later(call.now + DISPUTE_DECISION_DELAY, "decide_dispute", dispute["id"])
    call.record("charge.dispute.updated", dispute, changed_attributes(before, dispute))


def decide_dispute(call: Call, dispute: Obj) -> None:
    """Let the bank decide by the evidence; without the magic words it goes on thinking."""
    outcome = EVIDENCE_OUTCOMES.get(dispute["evidence"]["uncategorized_text"] or "")
    if outcome is not None and dispute["status"] not in CLOSED:
        inquiry = dispute["status"].startswith("warning")
        settle_dispute(call, dispute, "warning_closed" if inquiry else outcome)


def settle_dispute(call: Call, dispute: Obj, status: str) -> None:
    """Close a dispute; a won one gives the money back."""
    before = clone(dispute)
    dispute["status"] = status
    call.record("charge.dispute.closed", dispute, changed_attributes(before, dispute))
    if status == "won":
        _move_funds(call, dispute, 1, "dispute_reversal")
        call.record("charge.dispute.funds_reinstated", dispute)


def _move_funds(call: Call, dispute: Obj, sign: int, kind: str) -> None:
    fee = DISPUTE_FEE if sign < 0 else 0
    line = call.books.add(new_balance_transaction(call, dispute, kind, sign * dispute["amount"], fee))
    dispute["balance_transactions"].append(clone(line))
    dispute["balance_transaction"] = dispute["balance_transaction"] or line["id"]
