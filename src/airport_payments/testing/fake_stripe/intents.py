"""The payment intent's life: which operation is legal in which status, and what it does.

Sources: the docstrings of stripe-python's `PaymentIntent` and docs.stripe.com/payments/paymentintents/lifecycle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airport_payments.testing.fake_stripe import attempts, money, payment_methods
from airport_payments.testing.fake_stripe.charges import collect, consequences
from airport_payments.testing.fake_stripe.constants import DEFAULT_ACCOUNT
from airport_payments.testing.fake_stripe.errors import invalid_request, unexpected_state
from airport_payments.testing.fake_stripe.json_types import changed_attributes, clone
from airport_payments.testing.fake_stripe.objects import new_intent
from airport_payments.testing.fake_stripe.validation import merged_metadata

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.json_types import Obj

# In which statuses an operation is possible; the order is that of Stripe's messages.
# `processing` can be canceled only "in rare cases", none of which the fake plays.
LEGAL: Final = {
    "confirm": ("requires_payment_method", "requires_confirmation", "requires_action"),
    "capture": ("requires_capture",),
    "cancel": ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action"),
    "update": ("requires_payment_method", "requires_confirmation", "requires_action"),
}
# What the refusal names; some of these statuses the API's own documentation does not know.
_CANCELABLE: Final = (
    "requires_payment_method, requires_capture, requires_reauthorization, requires_confirmation, requires_action, "
    "expired, processing"
)
# Possible in every status.
_HARMLESS: Final = frozenset({"metadata", "description", "transfer_group", "expand"})
# Only together with confirm=true, see Stripe's reference of the create call.
_ONLY_WHEN_CONFIRMING: Final = ("off_session", "return_url", "error_on_requires_action", "mandate_data", "mandate")
_COPIED: Final = (
    "capture_method", "confirmation_method", "description", "on_behalf_of", "payment_method_options",
    "receipt_email", "setup_future_usage", "shipping", "statement_descriptor", "statement_descriptor_suffix",
    "transfer_group", "application_fee_amount", "payment_details", "hooks", "excluded_payment_method_types",
    "allowed_payment_method_types", "transfer_data",
)  # fmt: skip
# These are not null when they are empty: they are not there.
_ABSENT_WHEN_EMPTY: Final = frozenset({"payment_details", "hooks", "allowed_payment_method_types"})
# What an intent shows of the details of its amount; `line_items` it shows only when asked, which the fake does not play.
_AMOUNT_DETAILS: Final = ("discount_amount", "shipping", "tax")
# What a capture may still change.
_AT_CAPTURE: Final = ("application_fee_amount", "hooks", "payment_details", "statement_descriptor_suffix")
_MISSING_METHOD: Final = (
    "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
    "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment "
    "method or ConfirmationToken."
)


def create(call: Call, params: Obj) -> Obj:
    """POST /v1/payment_intents."""
    currency = money.checked_currency(params["currency"])
    money.check_amount(params["amount"], currency)
    confirming = params.get("confirm", False)
    _check_combinations(params, confirming=confirming)
    metadata = merged_metadata({}, params.get("metadata", {}))
    if "customer" in params:
        call.books.get("customer", params["customer"], "customer", in_url=False)
    method = _given_method(call, params)
    if confirming and method is None:
        raise invalid_request(_MISSING_METHOD, code="payment_intent_unexpected_state", executed=True)
    _check_fee(call, params)
    fields: Obj = {key: params[key] for key in _COPIED if params.get(key)}
    fields |= {"amount": params["amount"], "currency": currency, "metadata": metadata}
    fields |= _accepted_methods(params) | {"customer": params.get("customer")}
    intent = new_intent(call, fields)
    _detail(intent, params)
    _note_session(call, intent, params)
    if method is not None:
        _check_owner(intent, method)
        intent["payment_method"] = method["id"]
        intent["status"] = "requires_confirmation"
        if confirming:
            _check_return_url(call, intent, params)
            attempts.check_method(call, intent, method)
    call.books.add(intent)
    call.record("payment_intent.created", intent)
    return attempts.start(call, intent, params) if confirming else intent


def update(call: Call, intent: Obj, params: Obj) -> Obj:
    """POST /v1/payment_intents/{id}."""
    decisive = [name for name in params if name not in _HARMLESS]
    if decisive:
        _check_legal(intent, "update", decisive[0])
    currency = money.checked_currency({**intent, **params}["currency"])
    if {"amount", "currency"} & params.keys():
        money.check_amount({**intent, **params}["amount"], currency)
    if "customer" in params:
        call.books.get("customer", params["customer"], "customer", in_url=False)
    metadata = merged_metadata(intent["metadata"], params.get("metadata", {}))
    _check_transfer(intent, params)
    _check_fee(call, {**intent, **params})
    method = _given_method(call, params)
    if method is not None:
        _check_owner({**intent, **params}, method)
    if params.get("transfer_data"):
        params["transfer_data"] = {**intent["transfer_data"], **params["transfer_data"]}
    _change(intent, params)
    intent["metadata"], intent["currency"] = metadata, currency
    # "Cleared when the PaymentIntent is updated" (stripe-python, `last_payment_error`).
    intent["last_payment_error"] = None
    if method is not None:
        intent["payment_method"] = method["id"]
    if decisive:
        intent["next_action"] = None
        intent["status"] = "requires_confirmation" if intent["payment_method"] else "requires_payment_method"
    return intent


def confirm(call: Call, intent: Obj, params: Obj) -> Obj:
    """POST /v1/payment_intents/{id}/confirm."""
    _check_legal(intent, "confirm")
    if call.publishable and intent["confirmation_method"] == "manual":
        raise invalid_request(
            "This PaymentIntent cannot be confirmed using your publishable key because its `confirmation_method` "
            "is set to `manual`. Please use your secret key instead.",
            executed=True,
        )
    _check_return_url(call, intent, params)
    method = _given_method(call, params) or call.books.objects["payment_method"].get(intent["payment_method"] or "")
    if method is None:
        raise unexpected_state(_MISSING_METHOD, intent)
    _check_owner(intent, method)
    proposed = clone(intent)
    _change(proposed, params)
    attempts.check_method(call, proposed, method)
    _change(intent, params)
    _note_session(call, intent, params)
    if method["id"] != intent["payment_method"]:
        intent["payment_method"] = method["id"]
        call.books.secrets_of(intent["id"]).pop("authenticated", None)
    return attempts.start(call, intent, params)


def capture(call: Call, intent: Obj, params: Obj) -> Obj:
    """POST /v1/payment_intents/{id}/capture: once; what is not captured is released, which is no refund."""
    if intent["status"] == "succeeded":
        raise unexpected_state(
            "The remaining amount on this PaymentIntent could not be captured because the remainder of the authorized "
            "amount has been released.",
            intent,
        )
    _check_legal(intent, "capture")
    amount: int = {"amount_to_capture": intent["amount_capturable"], **params}["amount_to_capture"]
    _check_capture(intent, amount, params)
    metadata = merged_metadata(intent["metadata"], params.get("metadata", {}))
    charge = call.books.objects["charge"][intent["latest_charge"]]
    before = clone(charge)
    intent["metadata"] = metadata
    intent.update({name: params[name] for name in _AT_CAPTURE if params.get(name)})
    _detail(intent, params)
    if "transfer_data" in params:
        intent["transfer_data"] = {**intent["transfer_data"], **params["transfer_data"]}
    charge.update({name: intent[name] for name in ("application_fee_amount", "transfer_data")})
    collect(call, charge, amount)
    attempts.succeed(intent, amount)
    call.record("charge.captured", charge, changed_attributes(before, charge))
    call.record("payment_intent.succeeded", intent)
    method = call.books.objects["payment_method"][charge["payment_method"]]
    consequences(call, charge, payment_methods.card_of(call.books, method))
    return intent


def _check_capture(intent: Obj, amount: int, params: Obj) -> None:
    carried: Obj = {"payment_intent": clone(intent)}
    if amount < 0:
        raise invalid_request("Invalid non-negative integer", param="amount_to_capture", executed=True, extra=carried)
    if amount == 0:
        raise invalid_request(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
            executed=True,
            extra=carried,
        )
    if amount > intent["amount_capturable"]:
        raise invalid_request(
            "The payment could not be captured because the requested capture amount is greater than the amount you "
            "can capture for this charge. Contact us via https://support.stripe.com/contact/ for help.",
            code="amount_too_large",
            executed=True,
            extra=carried,
        )
    if params.get("statement_descriptor") and "card" in intent["payment_method_types"]:
        raise attempts.no_descriptor()
    _check_transfer(intent, params)
    # Remembered, not confirmed: capturing in several steps is for accounts and cards that have multicapture.
    if not params.get("final_capture", True):
        raise invalid_request(
            "The `final_capture` parameter is only supported for PaymentIntents with multicapture available.",
            param="final_capture",
            executed=True,
            extra=carried,
        )


def cancel(call: Call, intent: Obj, params: Obj) -> Obj:
    """POST /v1/payment_intents/{id}/cancel."""
    _check_legal(intent, "cancel")
    return end(call, intent, params.get("cancellation_reason"))


def end(call: Call, intent: Obj, reason: str | None) -> Obj:
    """Cancel an intent. An authorisation is released; since basil (2025-03-31) that makes no refund."""
    intent.update(
        status="canceled",
        canceled_at=call.now,
        cancellation_reason=reason,
        amount_capturable=0,
        next_action=None,
    )
    call.record("payment_intent.canceled", intent)
    return intent


def expire_authorisation(call: Call, intent: Obj) -> None:
    """Cancel an authorisation that nobody captured; `expired` is the reason since basil (2025-03-31)."""
    if intent["status"] == "requires_capture":
        charge = call.books.objects["charge"][intent["latest_charge"]]
        call.record("charge.expired", charge)
        end(call, intent, "expired")


def _given_method(call: Call, params: Obj) -> Obj | None:
    if "payment_method_data" in params:
        return payment_methods.from_data(call, params["payment_method_data"])
    if "payment_method" in params:
        return payment_methods.from_id(call, params["payment_method"])
    return None


def _check_legal(intent: Obj, operation: str, what: str = "") -> None:
    status = intent["status"]
    if status in LEGAL[operation]:
        return
    allowed = ", ".join(LEGAL[operation])
    messages = {
        "cancel": f"You cannot cancel this PaymentIntent because it has a status of {status}. Only a PaymentIntent "
        f"with one of the following statuses may be canceled: {_CANCELABLE}.",
        "capture": f"This PaymentIntent could not be captured because it has a status of {status}. Only a "
        f"PaymentIntent with one of the following statuses may be captured: {allowed}.",
        "confirm": f"You cannot confirm this PaymentIntent because it has a status of {status}. Only a PaymentIntent "
        f"with one of the following statuses may be confirmed: {allowed}.",
        "update": f"This PaymentIntent's {what} could not be updated because it has a status of {status}. You may "
        f"only update the {what} of a PaymentIntent with one of the following statuses: {allowed}.",
    }
    if operation == "confirm" and status == "succeeded":
        raise unexpected_state(
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.",
            intent,
        )
    raise unexpected_state(messages[operation], intent)


def _check_combinations(params: Obj, *, confirming: bool) -> None:
    automatic = params.get("automatic_payment_methods", {}).get("enabled", False)
    if automatic and "payment_method_types" in params:
        raise invalid_request(
            "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
            param="automatic_payment_methods",
        )
    for name in _ONLY_WHEN_CONFIRMING:
        if name in params and not confirming:
            raise invalid_request(
                f"The parameter `{name}` cannot be passed when creating a PaymentIntent unless `confirm` is set to "
                "true.",
                param=name,
            )
    if "statement_descriptor" in params and "card" in params.get("payment_method_types", ()):
        raise attempts.no_descriptor()


def _accepted_methods(params: Obj) -> Obj:
    if "payment_method_types" in params:
        return {"payment_method_types": params["payment_method_types"]}
    # Without either parameter Stripe uses the Dashboard's methods (since 2023-08-16).
    given = params.get("automatic_payment_methods", {"enabled": True})
    if not given["enabled"]:
        return {"payment_method_types": ["card"]}
    redirects = given.get("allow_redirects", "always")
    return {
        "automatic_payment_methods": {"allow_redirects": redirects, "enabled": True},
        "payment_method_types": ["card", "link"],
    }


def _check_return_url(call: Call, intent: Obj, params: Obj) -> None:
    """Stripe wants to know where to return to if the Dashboard's methods may redirect, even for a card."""
    automatic = intent["automatic_payment_methods"]
    if automatic is None or automatic["allow_redirects"] == "never":
        return
    if call.publishable or params.get("return_url") or params.get("use_stripe_sdk"):
        return
    raise invalid_request(
        "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of "
        "these payment methods might redirect your customer off of your page, you must provide a `return_url`. If "
        "you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to "
        "`true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
        "Payment Intents.",
        executed=True,
        extra={"payment_intent": clone(intent)},
    )


def _check_owner(intent: Obj, method: Obj) -> None:
    owner = method["customer"]
    if owner is not None and owner != intent.get("customer"):
        raise invalid_request(
            f"The PaymentMethod {method['id']} belongs to the Customer {owner}. Please include the Customer in the "
            "`customer` parameter on the PaymentIntent.",
            executed=True,
        )


def _change(intent: Obj, params: Obj) -> None:
    """Copy what a request changes; an empty string unsets."""
    for name in (*_COPIED, "amount", "customer"):
        if params.get(name):
            intent[name] = params[name]
        elif name in params and name in _ABSENT_WHEN_EMPTY:
            intent.pop(name, None)
        elif name in params:
            intent[name] = None
    if "payment_method_types" in params:
        intent["payment_method_types"] = params["payment_method_types"]
        intent["automatic_payment_methods"] = None
    _detail(intent, params)


def _detail(intent: Obj, params: Obj) -> None:
    """Show the details of an amount, and let an empty one vanish."""
    given = params.get("amount_details")
    if given == "":
        intent["amount_details"] = {"tip": {}}
    elif given is not None:
        shown = {name: given[name] for name in _AMOUNT_DETAILS if name in given}
        intent["amount_details"] = {
            name: value for name, value in {**intent["amount_details"], **shown}.items() if value != ""
        }


def _note_session(call: Call, intent: Obj, params: Obj) -> None:
    """Remember Radar's session of the browser: charges show it."""
    if "radar_options" in params:
        call.books.secrets_of(intent["id"])["radar_options"] = params["radar_options"]


def _check_transfer(intent: Obj, params: Obj) -> None:
    """Refuse to change a transfer that was not asked for at the creation. The message is guessed."""
    if params.get("transfer_data") and not intent["transfer_data"]:
        raise invalid_request(
            "The transfer_data of a PaymentIntent can only be changed if it was given at its creation.",
            param="transfer_data",
        )


def _check_fee(call: Call, params: Obj) -> None:
    """Refuse a fee of which there is nobody to take it from (docs.stripe.com/connect/charges)."""
    for_another = call.books.account != DEFAULT_ACCOUNT or params.get("transfer_data") or params.get("on_behalf_of")
    if params.get("application_fee_amount") and not for_another:
        raise invalid_request(
            "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using an "
            "OAuth key or Stripe-Account header) or destination payment (using `transfer_data[destination]`).",
            param="application_fee_amount",
        )
