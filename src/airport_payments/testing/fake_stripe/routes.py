"""Which URL does what: one table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from airport_payments.testing.fake_stripe import (
    destinations,
    disputes,
    intents,
    lists,
    payment_methods,
    refunds,
    thin,
    webhooks,
)
from airport_payments.testing.fake_stripe.books import KINDS
from airport_payments.testing.fake_stripe.errors import invalid_request, no_such, unknown_url
from airport_payments.testing.fake_stripe.json_types import changed_attributes, clone
from airport_payments.testing.fake_stripe.validation import merged_metadata

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.json_types import Obj

Operation: TypeAlias = "Callable[[Call, str, Obj], Obj]"

# What Stripe shows of an intent to the browser, which has the publishable key and the client secret:
# no metadata, no customer, no charge (docs.stripe.com/metadata; stripe.js types of PaymentIntent).
CLIENT_FIELDS: Final = (
    "id", "object", "amount", "amount_details", "automatic_payment_methods", "canceled_at", "cancellation_reason",
    "capture_method", "client_secret", "confirmation_method", "created", "currency", "description",
    "excluded_payment_method_types", "last_payment_error", "livemode", "next_action", "payment_method",
    "payment_method_configuration_details", "payment_method_types", "processing", "receipt_email",
    "setup_future_usage", "shipping", "source", "status",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API.

    Attributes:
        endpoint: As in the request table.
        pattern: Matches the path, with the id as its group.
        operation: What to do.
        kind: The kind of object that it answers with, or lists.
        listing: Whether it answers with a list.
        for_browsers: Whether a publishable key may do it.
    """

    endpoint: str
    pattern: re.Pattern[str]
    operation: Operation
    kind: str
    listing: bool
    for_browsers: bool

    @property
    def method(self) -> str:
        """Return the HTTP method."""
        return self.endpoint.partition(" ")[0]


def _on(kind: str, param: str, change: Callable[[Call, Obj, Obj], Obj | None]) -> Operation:
    """Make an operation on an object that is found first."""

    def operation(call: Call, object_id: str, params: Obj) -> Obj:
        obj = call.books.get(kind, object_id, param)
        return change(call, obj, params) or obj

    return operation


def _get(kind: str, param: str) -> Operation:
    return _on(kind, param, lambda _call, obj, _params: obj)


def _all(kind: str, url: str) -> Operation:
    return lambda call, _id, params: lists.listed(call, kind, url, params)


def _new(create: Callable[[Call, Obj], Obj]) -> Operation:
    return lambda call, _id, params: create(call, params)


def _with_client_secret(change: Callable[[Call, Obj, Obj], Obj]) -> Operation:
    """Let a browser reach an intent only by its client secret; a server needs none, but not a wrong one."""

    def operation(call: Call, object_id: str, params: Obj) -> Obj:
        intent = call.books.objects["payment_intent"].get(object_id)
        if intent is None:
            raise no_such("payment_intent", object_id, "intent")
        given = params.pop("client_secret", None)
        if given is None and call.publishable:
            raise invalid_request(
                "Missing required param: client_secret.", code="parameter_missing", param="client_secret"
            )
        if given is not None and given != intent["client_secret"]:
            raise invalid_request(
                "The client_secret provided does not match the client_secret associated with the PaymentIntent.",
                param="client_secret",
            )
        return change(call, intent, params)

    return operation


def for_browser(answer: Obj) -> Obj:
    """Leave out what a publishable key must not see."""
    if answer.get("object") != "payment_intent":
        return answer
    return {name: answer[name] for name in CLIENT_FIELDS}


def hide_in_error(error: Obj) -> Obj:
    """Do the same with the intent inside an error."""
    if "payment_intent" not in error:
        return error
    return {**error, "payment_intent": for_browser(error["payment_intent"])}


_OF_A_CHARGE: Final = ("customer", "description", "fraud_details", "receipt_email", "shipping", "transfer_group")


def _update_charge(call: Call, charge: Obj, params: Obj) -> None:
    before = clone(charge)
    charge["metadata"] = merged_metadata(charge["metadata"], params.get("metadata", {}))
    if "customer" in params:
        if charge["customer"] not in {None, params["customer"]}:
            raise invalid_request("You cannot change the customer of a charge that has one.", param="customer")
        call.books.get("customer", params["customer"], "customer", in_url=False)
    given = {name: params[name] for name in _OF_A_CHARGE if name in params}
    charge.update({name: value for name, value in given.items() if name != "fraud_details"})
    charge["fraud_details"] = {**charge["fraud_details"], **given.get("fraud_details", {})}
    call.record("charge.updated", charge, changed_attributes(before, charge))


def _customers_methods(call: Call, customer_id: str, params: Obj) -> Obj:
    call.books.get("customer", customer_id, "customer")
    url = f"/v1/customers/{customer_id}/payment_methods"
    return lists.listed(call, "payment_method", url, {**params, "customer": customer_id})


def _account(call: Call, object_id: str, params: Obj) -> Obj:
    del object_id, params
    return {
        "id": call.books.account,
        "object": "account",
        "business_profile": {"name": "Fake Stripe", "url": None},
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "fake@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Fake Stripe", "timezone": "Etc/UTC"}},
        "type": "standard",
    }


_INTENT: Final = "payment_intents/{intent}"
_OPERATIONS: Final[dict[str, Operation]] = {
    "POST payment_intents": _new(intents.create),
    "GET payment_intents": _all("payment_intent", "/v1/payment_intents"),
    "GET payment_intents/search": lambda call, _id, params: lists.searched(
        call, "payment_intent", "/v1/payment_intents/search", params
    ),
    f"GET {_INTENT}": _with_client_secret(lambda _call, intent, _params: intent),
    f"POST {_INTENT}": _on("payment_intent", "intent", intents.update),
    f"POST {_INTENT}/confirm": _with_client_secret(intents.confirm),
    f"POST {_INTENT}/capture": _on("payment_intent", "intent", intents.capture),
    f"POST {_INTENT}/cancel": _on("payment_intent", "intent", intents.cancel),
    "GET charges": _all("charge", "/v1/charges"),
    "GET charges/{charge}": _get("charge", "charge"),
    "POST charges/{charge}": _on("charge", "charge", _update_charge),
    "POST refunds": _new(refunds.create),
    "GET refunds": _all("refund", "/v1/refunds"),
    "GET refunds/{refund}": _get("refund", "refund"),
    "POST refunds/{refund}": _on("refund", "refund", refunds.update),
    "POST refunds/{refund}/cancel": _on("refund", "refund", refunds.cancel),
    "GET disputes": _all("dispute", "/v1/disputes"),
    "GET disputes/{dispute}": _get("dispute", "dispute"),
    "POST disputes/{dispute}": _on("dispute", "dispute", disputes.update),
    "POST disputes/{dispute}/close": _on("dispute", "dispute", disputes.close),
    "GET events": _all("event", "/v1/events"),
    "GET events/{id}": _get("event", "id"),
    "GET balance_transactions": _all("balance_transaction", "/v1/balance_transactions"),
    "GET balance_transactions/{id}": _get("balance_transaction", "id"),
    "POST customers": _new(payment_methods.create_customer),
    "GET customers": _all("customer", "/v1/customers"),
    "GET customers/search": lambda call, _id, params: lists.searched(call, "customer", "/v1/customers/search", params),
    "GET customers/{customer}": payment_methods.retrieve_customer,
    "POST customers/{customer}": payment_methods.update_customer,
    "DELETE customers/{customer}": payment_methods.delete_customer,
    "GET customers/{customer}/payment_methods": _customers_methods,
    "GET customers/{customer}/payment_methods/{payment_method}": payment_methods.of_customer,
    "POST payment_methods": _new(payment_methods.create),
    "GET payment_methods": _all("payment_method", "/v1/payment_methods"),
    "GET payment_methods/{payment_method}": _get("payment_method", "payment_method"),
    "POST payment_methods/{payment_method}/attach": payment_methods.attach,
    "POST payment_methods/{payment_method}/detach": payment_methods.detach,
    "POST webhook_endpoints": _new(webhooks.create),
    "GET webhook_endpoints": _all("webhook_endpoint", "/v1/webhook_endpoints"),
    "GET webhook_endpoints/{webhook_endpoint}": _get("webhook_endpoint", "id"),
    "POST webhook_endpoints/{webhook_endpoint}": webhooks.update,
    "DELETE webhook_endpoints/{webhook_endpoint}": webhooks.delete,
    "GET account": _account,
    "GET /v2/core/event_destinations": destinations.listed,
    "GET /v2/core/event_destinations/{id}": destinations.retrieve,
    "GET /v2/core/events": thin.listed,
    "GET /v2/core/events/{id}": thin.retrieve,
}
_FOR_BROWSERS: Final = frozenset({f"GET {_INTENT}", f"POST {_INTENT}/confirm", "POST payment_methods"})


def _route(key: str, operation: Operation) -> Route:
    method, path = key.split(" ")
    path = path if path.startswith("/") else f"/v1/{path}"
    pattern = re.compile(re.sub(r"\{\w+\}", "([^/]+)", path))
    collections = [part for part in path.split("/") if part.removesuffix("s") in KINDS]
    return Route(
        endpoint=f"{method} {path}",
        pattern=pattern,
        operation=operation,
        kind=collections[-1].removesuffix("s") if collections else "account",
        listing=method == "GET" and path.endswith(("s", "/search")),
        for_browsers=key in _FOR_BROWSERS,
    )


ROUTES: Final = tuple(_route(key, operation) for key, operation in _OPERATIONS.items())


def find(method: str, path: str) -> tuple[Route, str]:
    """Find the route of a request, and the ids in its path, joined by a slash. A slash at the end changes nothing.

    Raises:
        StripeRefusal: If there is none.
    """
    path = path.rstrip("/") or "/"
    for route in ROUTES:
        match = route.pattern.fullmatch(path) if route.method == method else None
        if match is not None:
            return route, "/".join(match.groups())
    raise unknown_url(method, path)
