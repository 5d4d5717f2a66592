"""One attempt to pay an intent: the 3DS question, the charge, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airport_payments.testing.fake_stripe import payment_methods
from airport_payments.testing.fake_stripe.cards import AUTHENTICATION, NEVER
from airport_payments.testing.fake_stripe.charges import collect, consequences
from airport_payments.testing.fake_stripe.constants import AUTHORISATION_LIFETIME, PAGE_PATH
from airport_payments.testing.fake_stripe.errors import StripeRefusal, invalid_request
from airport_payments.testing.fake_stripe.json_types import clone
from airport_payments.testing.fake_stripe.objects import new_charge

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.cards import Card, Decline
    from airport_payments.testing.fake_stripe.json_types import Obj


def start(call: Call, intent: Obj, params: Obj) -> Obj:
    """Attempt to pay, after `check_method`: ends in an action to be taken, a charge, or a refusal.

    Raises:
        StripeRefusal: 402 when the card is declined; the intent then waits for another payment method.
    """
    method = call.books.objects["payment_method"][intent["payment_method"]]
    card = payment_methods.card_of(call.books, method)
    hidden = call.books.secrets_of(intent["id"])
    intent["last_payment_error"] = None
    intent["next_action"] = None
    if not hidden.get("authenticated") and _must_authenticate(call, intent, method, card, params):
        return _ask(call, intent, method, params)
    refusal = charge(call, intent, method, card)
    if refusal is not None:
        raise refusal
    return intent


def answer(call: Call, intent: Obj, *, succeed: bool) -> Obj:
    """Take the customer's answer to the 3DS question. Whatever follows is no error of this call."""
    if intent["status"] != "requires_action":
        raise ValueError(f"{intent['id']} waits for no authentication: it is {intent['status']}")
    method = call.books.objects["payment_method"][intent["payment_method"]]
    intent["next_action"] = None
    if not succeed:
        refuse(call, intent, method, _not_authenticated())
    elif intent["confirmation_method"] == "manual":
        # The server confirms once more (stripe-python, docstring of `confirm`).
        call.books.secrets_of(intent["id"])["authenticated"] = True
        intent["status"] = "requires_confirmation"
    else:
        charge(call, intent, method, payment_methods.card_of(call.books, method))
    return intent


def charge(call: Call, intent: Obj, method: Obj, card: Card, decline: Decline | None = None) -> StripeRefusal | None:
    """Charge the card; returns the refusal if it is declined."""
    decline = decline or (card.decline if card.delay is None else None)
    attempt = call.books.add(new_charge(call, intent, method, card, decline))
    attempt["radar_options"] = call.books.secrets_of(intent["id"]).get("radar_options", {})
    intent["latest_charge"] = attempt["id"]
    call.books.secrets_of(intent["id"]).pop("authenticated", None)
    if decline is not None:
        refusal = payment_methods.card_error(decline, {"charge": attempt["id"]})
        call.record("charge.failed", attempt)
        return refuse(call, intent, method, refusal)
    _keep_method(call, intent, method)
    if card.delay is not None:
        _wait_for_bank(call, intent, attempt, card.delay)
    elif intent["capture_method"] == "manual":
        _authorise(call, intent, attempt)
    else:
        collect(call, attempt, intent["amount"], at_once=intent["capture_method"] == "automatic")
        succeed(intent, intent["amount"])
        call.record("charge.succeeded", attempt)
        # Recorded: a test card's dispute is announced before the payment intent is.
        consequences(call, attempt, card)
        call.record("payment_intent.succeeded", intent)
    return None


def succeed(intent: Obj, amount: int) -> None:
    """Set what an intent shows once its money was taken."""
    intent.update(status="succeeded", amount_received=amount, amount_capturable=0, next_action=None, processing=None)


def refuse(call: Call, intent: Obj, method: Obj, refusal: StripeRefusal) -> StripeRefusal:
    """Let an attempt fail: the intent waits for another payment method, and remembers why."""
    error: Obj = {**refusal.error, "payment_method": clone(method)}
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        processing=None,
        last_payment_error=error,
    )
    call.record("payment_intent.payment_failed", intent)
    # The error carries the intent, and the intent's own last error carries it no second time.
    return StripeRefusal(refusal.status, {**error, "payment_intent": clone(intent)}, executed=True)


def bank_answers(call: Call, intent: Obj, *, succeeds: bool | None = None) -> None:
    """End the `processing` of a delayed method; by default as its test account says."""
    if intent["status"] != "processing":
        return
    attempt = call.books.objects["charge"][intent["latest_charge"]]
    method = call.books.objects["payment_method"][attempt["payment_method"]]
    card = payment_methods.card_of(call.books, method)
    if succeeds is None:
        succeeds = card.decline is None
    if succeeds:
        attempt.update(status="succeeded", paid=True)
        collect(call, attempt, intent["amount"])
        succeed(intent, intent["amount"])
        call.record("charge.succeeded", attempt)
        # Recorded: a test card's dispute is announced before the payment intent is.
        consequences(call, attempt, card)
        call.record("payment_intent.succeeded", intent)
        return
    decline = card.decline
    message = decline.message if decline else "The bank refused the debit."
    code = decline.code if decline else "payment_intent_payment_attempt_failed"
    attempt.update(status="failed", paid=False, failure_code=code, failure_message=message)
    call.record("charge.failed", attempt)
    refuse(call, intent, method, invalid_request(message, code=code, extra={"charge": attempt["id"]}))


def no_descriptor() -> StripeRefusal:
    """Make the refusal of a whole statement descriptor for a card, which can only have a suffix."""
    return invalid_request(
        "The `statement_descriptor` parameter is not supported for this payment method type. Use "
        "`statement_descriptor_suffix` for cards.",
        param="statement_descriptor",
    )


def check_method(call: Call, intent: Obj, method: Obj) -> None:
    """Refuse a method that this intent cannot be paid with, before anything is changed.

    Raises:
        StripeRefusal: If the method is of a wrong type, or was used up.
    """
    card = payment_methods.card_of(call.books, method)
    if call.books.secrets_of(method["id"]).get("used") and method["customer"] is None:
        raise payment_methods.already_used()
    if card.kind == "card" and intent["statement_descriptor"]:
        raise no_descriptor()
    automatic = intent["automatic_payment_methods"] is not None
    if not automatic and card.kind not in intent["payment_method_types"]:
        raise invalid_request(
            f"The PaymentMethod provided ({card.kind}) is not allowed for this PaymentIntent. Please attach a "
            f"PaymentMethod of one of the following types: {', '.join(intent['payment_method_types'])}.",
            executed=True,
            extra={"payment_intent": clone(intent)},
        )


def _must_authenticate(call: Call, intent: Obj, method: Obj, card: Card, params: Obj) -> bool:
    """Decide whether the bank asks the customer; for a customer who is away that means a decline."""
    off_session = bool(params.get("off_session"))
    was_set_up = bool(call.books.secrets_of(method["id"]).get("set_up"))
    wanted = {
        "none": False,
        "optional": False,
        "required": True,
        "always": True,
        "unless_set_up": not (off_session and was_set_up),
        "set_up": not off_session,
    }[card.three_ds]
    options: Obj = intent["payment_method_options"] or {}
    card_options: Obj = options.get("card") or {}
    asked = card_options.get("request_three_d_secure") in {"any", "challenge"} and card.three_ds != "none"
    if not (wanted or (asked and not off_session)):
        return False
    if off_session:
        # Recorded: where Stripe itself wants 3DS nothing is charged; where the bank does, the bank declines a charge.
        if card.three_ds == "required":
            raise refuse(call, intent, method, payment_methods.card_error(AUTHENTICATION))
        refusal = charge(call, intent, method, card, AUTHENTICATION)
        assert refusal is not None  # noqa: S101 - a decline was given
        raise refusal
    if params.get("error_on_requires_action"):
        message = "This payment required an authentication action to complete, but `error_on_requires_action` was set."
        error: Obj = {"code": "authentication_required", "message": message, "type": "card_error"}
        raise refuse(call, intent, method, StripeRefusal(402, error, executed=True))
    return True


def _ask(call: Call, intent: Obj, method: Obj, params: Obj) -> Obj:
    query = {"payment_intent": intent["id"], "client_secret": intent["client_secret"]}
    if params.get("return_url"):
        query["return_url"] = params["return_url"]
    page = f"{call.page_url}{PAGE_PATH}?{urlencode(query)}"
    if params.get("return_url") and not params.get("use_stripe_sdk"):
        action: Obj = {
            "redirect_to_url": {"return_url": params["return_url"], "url": page},
            "type": "redirect_to_url",
        }
    else:
        sdk: Obj = {"source": f"src_{call.ids.text(24)}", "stripe_js": page, "type": "three_d_secure_redirect"}
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
    intent.update(status="requires_action", next_action=action, payment_method=method["id"])
    call.record("payment_intent.requires_action", intent)
    return intent


def _not_authenticated() -> StripeRefusal:
    return invalid_request(
        "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
        "PaymentMethod to attempt to fulfill this PaymentIntent again.",
        code="payment_intent_authentication_failure",
    )


def _keep_method(call: Call, intent: Obj, method: Obj) -> None:
    """Save the method for later if that was asked for; otherwise it was good for this once."""
    hidden = call.books.secrets_of(method["id"])
    if intent["setup_future_usage"] and intent["customer"]:
        hidden["set_up"] = True
        if method["customer"] is None:
            payment_methods.bind(call, method, intent["customer"])
    elif method["customer"] is None:
        hidden["used"] = True


def _authorise(call: Call, intent: Obj, attempt: Obj) -> None:
    intent.update(status="requires_capture", amount_capturable=intent["amount"], next_action=None)
    if attempt["payment_method_details"]["type"] == "card":
        attempt["payment_method_details"]["card"]["capture_before"] = call.now + AUTHORISATION_LIFETIME
    call.books.later(call.now + AUTHORISATION_LIFETIME, "expire_authorisation", intent["id"])
    call.record("charge.succeeded", attempt)
    call.record("payment_intent.amount_capturable_updated", intent)


def _wait_for_bank(call: Call, intent: Obj, attempt: Obj, delay: int) -> None:
    attempt.update(status="pending", paid=False)
    intent.update(status="processing", next_action=None, processing=None)
    if delay != NEVER:
        call.books.later(call.now + delay, "bank_answers", intent["id"])
    call.record("charge.pending", attempt)
    call.record("payment_intent.processing", intent)
