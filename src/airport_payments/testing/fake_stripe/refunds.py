"""Refunds: of a charge or an intent, whole or in part, and what becomes of them later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airport_payments.testing.fake_stripe import payment_methods
from airport_payments.testing.fake_stripe.constants import REFUND_ACTION_PERIOD, REFUND_DELAY, REFUND_REFERENCE_DELAY
from airport_payments.testing.fake_stripe.errors import invalid_request
from airport_payments.testing.fake_stripe.json_types import changed_attributes, clone
from airport_payments.testing.fake_stripe.money import with_symbol
from airport_payments.testing.fake_stripe.objects import new_balance_transaction, new_refund
from airport_payments.testing.fake_stripe.validation import merged_metadata

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.json_types import Obj

Reason = Literal["duplicate", "fraudulent", "requested_by_customer"]
HeldStatus = Literal["pending", "requires_action"]
FailureReason = Literal[
    "charge_for_pending_refund_disputed",
    "declined",
    "expired_or_canceled_card",
    "insufficient_funds",
    "lost_or_stolen_card",
    "merchant_request",
    "unknown",
]


def create(call: Call, params: Obj, status: HeldStatus | None = None) -> Obj:
    """POST /v1/refunds; a status that is given stays until someone ends it."""
    charge = _charge(call, params)
    _check_refundable(call, charge)
    _check_connect(charge, params)
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    _check_amount(charge, amount, left)
    metadata = merged_metadata({}, params.get("metadata", {}))
    refund = new_refund(call, charge, amount, params)
    refund["metadata"] = metadata
    if params.get("instructions_email"):
        refund["instructions_email"] = params["instructions_email"]
    _begin(call, refund, status or _held(call))
    call.books.add(refund)
    before = clone(charge)
    # That a refund that waits counts at once, and is announced as `charge.refunded`, is not confirmed.
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
        raise invalid_request("Canceling this refund is unsupported.", executed=True)
    return end(call, refund)


def end(call: Call, refund: Obj) -> Obj:
    """Cancel a refund that waits; what the API refuses for a pending one, the dashboard does."""
    if refund["status"] not in {"pending", "requires_action"}:
        raise invalid_request("Canceling this refund is unsupported.", executed=True)
    before = clone(refund)
    _end_waiting(refund)
    refund["status"] = "canceled"
    _give_back(call, refund)
    _record_update(call, refund, before)
    return refund


def succeed(call: Call, refund: Obj) -> None:
    """Let a refund that waits arrive."""
    if refund["status"] not in {"pending", "requires_action"}:
        return
    before = clone(refund)
    _end_waiting(refund)
    refund["status"] = "succeeded"
    _book(call, refund)
    _record_update(call, refund, before)


def fail(call: Call, refund: Obj, reason: FailureReason = "expired_or_canceled_card") -> None:
    """Let a refund come back from the bank, after it had succeeded or while it was waiting."""
    if refund["status"] not in {"succeeded", "pending", "requires_action"}:
        return
    before = clone(refund)
    _end_waiting(refund)
    refund.update(status="failed", failure_reason=reason)
    if refund["balance_transaction"] is not None:
        line = new_balance_transaction(call, refund, "refund_failure", refund["amount"])
        refund["failure_balance_transaction"] = call.books.add(line)["id"]
    _give_back(call, refund)
    call.record("refund.failed", refund, changed_attributes(before, refund))
    _record_update(call, refund, before)


def name_reference(call: Call, refund: Obj) -> None:
    """Let the bank name its reference, by which a customer can ask for the money: news that changes nothing else."""
    card: Obj = refund["destination_details"].get("card", {})
    if refund["status"] == "succeeded" and card.get("reference_status") == "pending":
        before = clone(refund)
        card.update(reference_status="available", reference=f"{call.ids.count:023d}")
        _record_update(call, refund, before)


def _begin(call: Call, refund: Obj, status: HeldStatus | None) -> None:
    """Set how a refund begins: as it is told to, else as the card is known for."""
    if status == "pending":
        refund.update(status="pending", pending_reason="insufficient_funds")
    elif status == "requires_action":
        sent = {"email_sent_at": call.now, "email_sent_to": "customer@example.com"}
        details = {"email_sent": sent, "expires_at": call.now + REFUND_ACTION_PERIOD}
        refund.update(status=status, next_action={"display_details": details, "type": "display_details"})
    else:
        method = call.books.objects["payment_method"][refund["payment_method"]]
        fate = payment_methods.card_of(call.books, method).refund
        if fate == "pending":
            refund.update(status="pending", pending_reason="processing")
        else:
            _book(call, refund)
        # Recorded: seconds later the bank's reference arrives, and is announced as an update.
        call.books.later(call.now + REFUND_REFERENCE_DELAY, "refund_reference", refund["id"])
        if fate != "ok":
            call.books.later(call.now + REFUND_DELAY, f"refund_{fate}", refund["id"])


def _held(call: Call) -> HeldStatus | None:
    """Return the status in which a test wants the next refund to wait, and count it."""
    switch = call.books.switches.get("held_refunds")
    if switch is None or switch["times"] < 1:
        return None
    switch["times"] -= 1
    status: HeldStatus = switch["status"]
    return status


def _end_waiting(refund: Obj) -> None:
    refund.pop("pending_reason", None)
    refund.pop("next_action", None)


def _charge(call: Call, params: Obj) -> Obj:
    given = [name for name in ("charge", "payment_intent") if name in params]
    if not given:
        raise invalid_request(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    if len(given) > 1:
        raise invalid_request("You may only specify one of these parameters: charge, payment_intent.", param="charge")
    if "charge" in params:
        return call.books.get("charge", params["charge"], "id")
    intent = call.books.get("payment_intent", params["payment_intent"], "payment_intent", in_url=False)
    charge = call.books.objects["charge"].get(intent["latest_charge"] or "")
    if charge is None:
        raise _nothing_to_refund(intent["id"])
    return charge


def _nothing_to_refund(intent_id: str) -> Exception:
    return invalid_request(
        f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.", executed=True
    )


def _check_refundable(call: Call, charge: Obj) -> None:
    if charge["status"] != "succeeded":
        raise _nothing_to_refund(charge["payment_intent"])
    if not charge["captured"]:
        raise invalid_request(
            f"This uncaptured Charge was created by a PaymentIntent ({charge['payment_intent']}). You must cancel the "
            "PaymentIntent to reverse the authorization instead of refunding the Charge directly. For more "
            "information, see https://stripe.com/docs/payments/place-a-hold-on-a-payment-method",
            executed=True,
        )
    if charge["refunded"]:
        raise invalid_request(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", executed=True
        )
    disputes = call.books.objects["dispute"].values()
    if any(dispute["charge"] == charge["id"] and not dispute["is_charge_refundable"] for dispute in disputes):
        raise invalid_request(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            executed=True,
        )


def _check_connect(charge: Obj, params: Obj) -> None:
    """Refuse to take back what the fake never made: a transfer, a fee. The messages are guessed."""
    for name, what in (("reverse_transfer", "transfer"), ("refund_application_fee", "application fee")):
        if params.get(name):
            raise invalid_request(
                f"Attempting to {name} on charge {charge['id']}, but it has no associated {what}.",
                param=name,
                executed=True,
            )
    if params.get("currency", charge["currency"]) != charge["currency"]:
        raise invalid_request(
            f"The currency of a refund must be that of its charge: {charge['currency']}.",
            param="currency",
            executed=True,
        )


def _check_amount(charge: Obj, amount: int, left: int) -> None:
    if amount < 1:
        raise invalid_request(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount > left:
        raise invalid_request(
            f"Refund amount ({with_symbol(amount, charge['currency'])}) is greater than unrefunded amount on charge "
            f"({with_symbol(left, charge['currency'])})",
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
