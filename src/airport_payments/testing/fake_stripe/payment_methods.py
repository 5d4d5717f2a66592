"""Payment methods and customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airport_payments.testing.fake_stripe import cards
from airport_payments.testing.fake_stripe.errors import StripeRefusal, invalid_request, no_such, parameter_missing
from airport_payments.testing.fake_stripe.json_types import changed_attributes, clone
from airport_payments.testing.fake_stripe.objects import new_customer, new_payment_method
from airport_payments.testing.fake_stripe.validation import merged_metadata

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Books, Call
    from airport_payments.testing.fake_stripe.cards import Card, Decline
    from airport_payments.testing.fake_stripe.json_types import Obj

DOCS = "https://stripe.com/docs/error-codes/"


def card_error(decline: Decline, extra: Obj | None = None) -> StripeRefusal:
    """Make the 402 of a declined card."""
    error: Obj = {
        "code": decline.code,
        "doc_url": DOCS + decline.code.replace("_", "-"),
        "message": decline.message,
        "type": "card_error",
    }
    if decline.decline_code:
        error["decline_code"] = decline.decline_code
    if decline.advice_code:
        error["advice_code"] = decline.advice_code
    if decline.code in {"incorrect_cvc", "expired_card", "incorrect_number"}:
        error["param"] = {"incorrect_cvc": "cvc", "expired_card": "exp_month"}.get(decline.code, "number")
    return StripeRefusal(402, {**error, **(extra or {})}, executed=True)


def card_of(books: Books, method: Obj) -> Card:
    """Return the test card behind a payment method."""
    return cards.BY_NUMBER[books.hidden[method["id"]]["number"]]


def add_method(call: Call, card: Card, given: Obj | None = None) -> Obj:
    """Store a new payment method of a test card."""
    method = call.books.add(new_payment_method(call, card, given))
    call.books.secrets_of(method["id"])["number"] = card.number
    return method


def from_id(call: Call, method_id: str, param: str = "payment_method", *, in_url: bool = False) -> Obj:
    """Find a payment method; a test name such as `pm_card_visa` makes a new one each time."""
    card = cards.BY_NAME.get(method_id)
    if card is not None and method_id.startswith("pm_"):
        return add_method(call, card)
    found = call.books.objects["payment_method"].get(method_id)
    if found is None:
        raise no_such("PaymentMethod", method_id, param, in_url=in_url)
    return found


def from_data(call: Call, data: Obj, param: str = "payment_method_data") -> Obj:
    """Make a payment method of what a request or the browser gives."""
    return add_method(call, _card_given(call, data, param), data)


def _card_given(call: Call, data: Obj, param: str) -> Card:
    kind: str = data.get("type", "card")
    details: Obj = data.get(kind) or {}
    if kind == "sepa_debit":
        card = cards.by_number(details.get("iban", ""))
        if card is None:
            raise invalid_request(
                "The IBAN you provided is invalid.", code="invalid_bank_account_iban", param=f"{param}[{kind}][iban]"
            )
        return card
    if kind == "us_bank_account":
        card = cards.by_number(details.get("account_number", ""))
        return card or cards.BY_NAME["pm_usBankAccount_success"]
    if kind != "card":
        raise invalid_request(f'The payment method type "{kind}" is not part of this fake.', param=f"{param}[type]")
    if "token" in details:
        card = cards.BY_NAME.get(details["token"])
        if card is None or not details["token"].startswith("tok_"):
            raise no_such("token", details["token"], f"{param}[card][token]", in_url=False)
        return card
    if "number" not in details:
        raise parameter_missing(f"{param}[card]" if param else "card")
    if not call.publishable:
        raise invalid_request(
            "Sending credit card numbers directly to the Stripe API is generally unsafe. To continue processing "
            "use Stripe.js, the Stripe mobile bindings, or Stripe Elements.",
            status=402,
        )
    card = cards.by_number(details["number"])
    if card is None or card is cards.BY_NAME["pm_card_chargeDeclinedIncorrectNumber"]:
        raise card_error(cards.NUMBER)
    return card


def create(call: Call, params: Obj) -> Obj:
    """POST /v1/payment_methods."""
    if "type" not in params:
        raise parameter_missing("type")
    method = add_method(call, _card_given(call, params, ""), params)
    method["metadata"] = merged_metadata({}, params.get("metadata", {}))
    if params.get("radar_options"):
        method["radar_options"] = params["radar_options"]
    return method


def attach(call: Call, method_id: str, params: Obj) -> Obj:
    """POST /v1/payment_methods/{id}/attach."""
    customer = call.books.get("customer", params["customer"], "customer", in_url=False)
    method = from_id(call, method_id, in_url=True)
    if method["customer"] not in {None, customer["id"]}:
        raise invalid_request(
            "The payment method you provided has already been attached to a customer.",
            executed=True,
        )
    card = card_of(call.books, method)
    if card.decline is not None and not card.attaches:
        raise card_error(card.decline)
    if call.books.secrets_of(method["id"]).get("used"):
        raise already_used()
    bind(call, method, customer["id"])
    return method


def bind(call: Call, method: Obj, customer_id: str) -> None:
    """Attach a method to a customer and say so."""
    method["customer"] = customer_id
    call.record("payment_method.attached", method)


def detach(call: Call, method_id: str, params: Obj) -> Obj:
    """POST /v1/payment_methods/{id}/detach."""
    del params
    method = call.books.get("payment_method", method_id, "payment_method")
    if method["customer"] is None:
        raise invalid_request(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            executed=True,
        )
    before = clone(method)
    method["customer"] = None
    call.books.secrets_of(method_id)["used"] = True
    call.record("payment_method.detached", method, changed_attributes(before, method))
    return method


def already_used() -> StripeRefusal:
    """Make the refusal of a method that was used once without belonging to a customer."""
    return invalid_request(
        "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared "
        "with a connected account without Customer attachment, or was detached from a Customer. It may not be "
        "used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.",
        executed=True,
    )


_CUSTOMER_FIELDS = (
    "address", "balance", "business_name", "description", "email", "individual_name", "invoice_prefix", "name",
    "next_invoice_sequence", "phone", "preferred_locales", "shipping", "tax_exempt",
)  # fmt: skip


def create_customer(call: Call, params: Obj) -> Obj:
    """POST /v1/customers."""
    customer = new_customer(call)
    _set_customer(customer, params)
    if "payment_method" in params:
        method = from_id(call, params["payment_method"])
        card = card_of(call.books, method)
        if card.decline is not None and not card.attaches:
            raise card_error(card.decline)
        call.books.add(customer)
        bind(call, method, customer["id"])
    call.books.objects["customer"][customer["id"]] = customer
    call.record("customer.created", customer)
    return customer


def update_customer(call: Call, customer_id: str, params: Obj) -> Obj:
    """POST /v1/customers/{id}."""
    customer = call.books.get("customer", customer_id, "customer")
    before = clone(customer)
    _set_customer(customer, params)
    call.record("customer.updated", customer, changed_attributes(before, customer))
    return customer


def delete_customer(call: Call, customer_id: str, params: Obj) -> Obj:
    """DELETE /v1/customers/{id}."""
    del params
    customer = call.books.get("customer", customer_id, "id")
    for method in call.books.objects["payment_method"].values():
        if method["customer"] == customer_id:
            method["customer"] = None
            call.books.secrets_of(method["id"])["used"] = True
    call.record("customer.deleted", customer)
    del call.books.objects["customer"][customer_id]
    call.books.secrets_of(customer_id)["deleted"] = True
    return _deleted(customer_id)


def retrieve_customer(call: Call, customer_id: str, params: Obj) -> Obj:
    """GET /v1/customers/{id}: a deleted one is still told to be deleted."""
    del params
    if call.books.hidden.get(customer_id, {}).get("deleted"):
        return _deleted(customer_id)
    return call.books.get("customer", customer_id, "id")


def of_customer(call: Call, path: str, params: Obj) -> Obj:
    """GET /v1/customers/{id}/payment_methods/{id}."""
    del params
    customer_id, _, method_id = path.partition("/")
    call.books.get("customer", customer_id, "customer")
    method = call.books.get("payment_method", method_id, "payment_method")
    if method["customer"] != customer_id:
        raise no_such("PaymentMethod", method_id, "payment_method")
    return method


def _deleted(customer_id: str) -> Obj:
    return {"id": customer_id, "object": "customer", "deleted": True}


def _set_customer(customer: Obj, params: Obj) -> None:
    metadata = merged_metadata(customer["metadata"], params.get("metadata", {}))
    customer.update({key: None if params[key] == "" else params[key] for key in _CUSTOMER_FIELDS if key in params})
    customer["invoice_settings"].update(params.get("invoice_settings", {}))
    customer["metadata"] = metadata
