"""New objects with every field that Stripe shows for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airport_payments.testing.fake_stripe.constants import AVAILABLE_AFTER, DAY, DISPUTE_EVIDENCE_DAYS

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.cards import Card, Decline
    from airport_payments.testing.fake_stripe.json_types import Obj

EMPTY_ADDRESS: dict[str, None] = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def billing_details(given: Obj | None = None) -> Obj:
    """Make billing details, with null for what was not given."""
    given = given or {}
    return {
        "address": {**EMPTY_ADDRESS, **(given.get("address") or {})},
        "email": given.get("email"),
        "name": given.get("name"),
        "phone": given.get("phone"),
        "tax_id": given.get("tax_id"),
    }


def card_details(card: Card) -> Obj:
    """Make what both a payment method and a charge show of a card."""
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": card.address_check,
            "address_postal_code_check": card.address_check,
            "cvc_check": card.cvc_check,
        },
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"fp{card.number}"[:16].ljust(16, "0"),
        "funding": card.funding,
        "last4": card.last4,
        "wallet": None,
    }


def new_payment_method(call: Call, card: Card, given: Obj | None = None) -> Obj:
    """Make a payment method of a test card or a test bank account."""
    given = given or {}
    details: Obj
    if card.kind == "card":
        details = {
            **card_details(card),
            "display_brand": card.brand,
            "generated_from": None,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
        }
    else:
        details = {"bank_code": "19043", "country": "AT", "fingerprint": card.number[:16], "last4": card.last4}
    return {
        "id": call.ids.new("pm"),
        "object": "payment_method",
        "allow_redisplay": given.get("allow_redisplay", "unspecified"),
        "billing_details": billing_details(given.get("billing_details")),
        card.kind: details,
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "livemode": call.books.livemode,
        "metadata": dict(given.get("metadata") or {}),
        "type": card.kind,
    }


def new_charge(call: Call, intent: Obj, method: Obj, card: Card, decline: Decline | None) -> Obj:
    """Make a charge: an attempt of an intent, successful or not."""
    charge_id = call.ids.new("ch")
    descriptor = "FAKE STRIPE"
    if intent["statement_descriptor_suffix"]:
        descriptor += f"* {intent['statement_descriptor_suffix']}"
    return {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": intent["application_fee_amount"],
        "balance_transaction": None,
        "billing_details": dict(method["billing_details"]),
        "calculated_statement_descriptor": descriptor[:22],
        "captured": False,
        "created": call.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "livemode": call.books.livemode,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": intent["on_behalf_of"],
        "order": None,
        "outcome": _outcome(card, decline),
        "paid": decline is None,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _charge_details(intent, method, card),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None if decline else f"https://pay.stripe.com/receipts/payment/{charge_id}",
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "failed" if decline else "succeeded",
        "transfer_data": intent["transfer_data"],
        "transfer_group": intent["transfer_group"],
    }


def _charge_details(intent: Obj, method: Obj, card: Card) -> Obj:
    if card.kind != "card":
        return {card.kind: dict(method[card.kind]), "type": card.kind}
    return {
        "card": {
            "amount_authorized": intent["amount"],
            "authorization_code": "123456",
            **card_details(card),
            "extended_authorization": {"status": "disabled"},
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card.brand,
            "network_token": {"used": False},
            "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": None,
        },
        "type": "card",
    }


def _outcome(card: Card, decline: Decline | None) -> Obj:
    level, score = card.risk
    blocked = decline is not None and decline.decline_code == "fraudulent"
    status = "approved_by_network"
    if decline is not None:
        status = "not_sent_to_network" if blocked else "declined_by_network"
    return {
        "advice_code": decline.advice_code if decline else None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": status,
        "reason": (decline.decline_code or decline.code) if decline else None,
        "risk_level": "highest" if blocked else level,
        "risk_score": 95 if blocked else score,
        "seller_message": "Payment complete."
        if decline is None
        else "The bank did not return any further details with this decline.",
        "type": "blocked" if blocked else "issuer_declined" if decline else "authorized",
    }


def new_balance_transaction(call: Call, source: Obj, kind: str, amount: int, fee: int = 0) -> Obj:
    """Make the line that a charge, refund or dispute writes into the account's balance."""
    fees: list[Obj] = []
    if fee:
        fees.append({
            "amount": fee, "application": None, "currency": source["currency"],
            "description": "Stripe processing fees", "type": "stripe_fee",
        })  # fmt: skip
    return {
        "id": call.ids.new("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": call.now + AVAILABLE_AFTER,
        "balance_type": "payments",
        "created": call.now,
        "currency": source["currency"],
        "description": source.get("description"),
        "exchange_rate": None,
        "fee": fee,
        "fee_details": fees,
        "net": amount - fee,
        "reporting_category": kind,
        "source": source["id"],
        "status": "pending",
        "type": "adjustment" if kind.startswith("dispute") else kind,
    }


def new_refund(call: Call, charge: Obj, amount: int, params: Obj) -> Obj:
    """Make a refund of a charge."""
    return {
        "id": call.ids.new("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "destination_details": {
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
            "type": "card",
        },
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def evidence_due(call: Call) -> int:
    """Return until when evidence is taken: the last second of a day, in UTC."""
    return (call.now // DAY + DISPUTE_EVIDENCE_DAYS + 1) * DAY - 1


def new_dispute(call: Call, charge: Obj, reason: str, *, inquiry: bool) -> Obj:
    """Make a dispute of a charge, or an inquiry."""
    network = charge["payment_method_details"].get("card", {}).get("network")
    details: Obj = {
        "brand": network,
        "case_type": "inquiry" if inquiry else "chargeback",
        "network": network,
        "network_reason_code": "10" if inquiry else NETWORK_REASON_CODES.get(reason),
    }
    return {
        "id": call.ids.new("du"),
        "object": "dispute",
        "amount": charge["amount_captured"],
        "balance_transaction": None,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE_FIELDS), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": evidence_due(call),
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": call.books.livemode,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        **({"payment_method_details": {"card": details, "type": "card"}} if network else {}),
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


NETWORK_REASON_CODES = {"fraudulent": "10.4", "product_not_received": "13.1"}  # of Visa
EVIDENCE_FIELDS = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation",
    "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt", "refund_policy",
    "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
    "shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation",
    "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def new_customer(call: Call) -> Obj:
    """Make a customer without any details."""
    return {
        "id": f"cus_{call.ids.text(14)}",
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": call.ids.text(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": call.books.livemode,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def new_intent(call: Call, fields: dict[str, Any]) -> Obj:
    """Make a payment intent; `fields` replace the defaults."""
    intent_id = call.ids.new("pi")
    intent: Obj = {
        "id": intent_id,
        "object": "payment_intent",
        "amount": 0,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{call.ids.secret()}",
        "confirmation_method": "automatic",
        "created": call.now,
        "currency": "usd",
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": call.books.livemode,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    intent.update(fields)
    return intent
