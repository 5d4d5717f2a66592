"""Refunds: of a charge or an intent, whole or in part, and what becomes of them later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airport_payments.testing.fake_stripe import payment_methods
from airport_payments.testing.fake_stripe.charges import CLOSED
from airport_payments.testing.fake_stripe.constants import REFUND_DELAY
from airport_payments.testing.fake_stripe.errors import invalid_request, parameter_missing
from airport_payments.testing.fake_stripe.json_types import changed_attributes, clone
from airport_payments.testing.fake_stripe.money import in_words
from airport_payments.testing.fake_stripe.objects import new_balance_transaction, new_refund
from airport_payments.testing.fake_stripe.validation import merged_metadata

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.json_types import Obj


def create(call: Call, params: Obj) -> Obj:
    """POST /v1/refunds."""
    charge = _charge(call, params)
    _check_refundable(call, charge)
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    _check_amount(charge, amount, left)
    metadata = merged_metadata({}, params.get("metadata", {}))
    refund = new_refund(call, charge, amount, params)
    refund["metadata"] = metadata
    method = call.books.objects["payment_method"][charge["payment_method"]]
    fate = payment_methods.card_of(call.books, method).refund
    if fate == "pending":
        refund.update(status="pending", pending_reason="processing")
    else:
        _book(call, refund)
    if fate != "ok":
        call.books.later(call.now + REFUND_DELAY, f"refund_{fate}", refund["id"])
    call.books.add(refund)
    before = clone(charge)
    _add_refunded(charge, amount)
    call.record("refund.created", refund)
    call.record("charge.refunded", charge, changed_attributes(before, charge))
    return refund


def update(call: Call, refund: Obj, params: Obj) -> Obj:
    """POST /v1/refunds/{id}: the metadata is all that can be changed."""
    before = clone(refund)
    refund["metadata"] = merged_metadata(refund["metadata"], params.get("metadata", {}))
    _record_update(call, refund, before)
    return refund


def cancel(call: Call, refund: Obj, params: Obj) -> Obj:
    """POST /v1/refunds/{id}/cancel: only while it waits for the customer's bank details."""
    del params
    if refund["status"] != "requires_action":
        raise invalid_request(
            f"You can only cancel refunds with a status of requires_action. This refund has a status of "
            f"{refund['status']}.",
            executed=True,
        )
    before = clone(refund)
    refund["status"] = "canceled"
    _give_back(call, refund)
    _record_update(call, refund, before)
    return refund


def succeed(call: Call, refund: Obj) -> None:
    """Let a pending refund arrive."""
    if refund["status"] != "pending":
        return
    before = clone(refund)
    refund["status"] = "succeeded"
    refund.pop("pending_reason", None)
    _book(call, refund)
    _record_update(call, refund, before)


def fail(call: Call, refund: Obj, reason: str = "expired_or_canceled_card") -> None:
    """Let a refund come back from the bank, after it had succeeded or while it was pending."""
    if refund["status"] not in {"succeeded", "pending", "requires_action"}:
        return
    before = clone(refund)
    refund.pop("pending_reason", None)
    refund.update(status="failed", failure_reason=reason)
    if refund["balance_transaction"] is not None:
        line = new_balance_transaction(call, refund, "refund_failure", refund["amount"])
        refund["failure_balance_transaction"] = call.books.add(line)["id"]
    _give_back(call, refund)
    call.record("refund.failed", refund, changed_attributes(before, refund))
    _record_update(call, refund, before)


def _charge(call: Call, params: Obj) -> Obj:
    given = [name for name in ("charge", "payment_intent") if name in params]
    if not given:
        raise parameter_missing("payment_intent")
    if len(given) > 1:
        raise invalid_request("You may only specify one of these parameters: charge, payment_intent.", param="charge")
    if "charge" in params:
        return call.books.get("charge", params["charge"], "charge", in_url=False)
    intent = call.books.get("payment_intent", params["payment_intent"], "payment_intent", in_url=False)
    charge = call.books.objects["charge"].get(intent["latest_charge"] or "")
    if charge is None or charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid_request(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
            executed=True,
        )
    return charge


def _check_refundable(call: Call, charge: Obj) -> None:
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid_request(f"Charge {charge['id']} was not captured: there is nothing to refund.", executed=True)
    if charge["refunded"]:
        raise invalid_request(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", executed=True
        )
    for dispute in call.books.objects["dispute"].values():
        lost_or_open = dispute["status"] not in CLOSED or dispute["status"] == "lost"
        if dispute["charge"] == charge["id"] and lost_or_open and not dispute["is_charge_refundable"]:
            raise invalid_request(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.",
                code="charge_disputed",
                executed=True,
            )


def _check_amount(charge: Obj, amount: int, left: int) -> None:
    if amount < 1:
        raise invalid_request(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount > left:
        raise invalid_request(
            f"Refund amount ({in_words(amount, charge['currency'])}) is greater than unrefunded amount on charge "
            f"({in_words(left, charge['currency'])})",
            param="amount",
            executed=True,
        )


def _book(call: Call, refund: Obj) -> None:
    line = new_balance_transaction(call, refund, "refund", -refund["amount"])
    refund["balance_transaction"] = call.books.add(line)["id"]


def _add_refunded(charge: Obj, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] >= charge["amount_captured"]


def _give_back(call: Call, refund: Obj) -> None:
    """Count the amount as not refunded after all; it may be refunded once more."""
    _add_refunded(call.books.objects["charge"][refund["charge"]], -refund["amount"])


def _record_update(call: Call, refund: Obj, before: Obj) -> None:
    """Write both names of the event. Stripe writes the older one for selected methods only, cards among them."""
    previous = changed_attributes(before, refund)
    call.record("refund.updated", refund, previous)
    call.record("charge.refund.updated", refund, previous)
