"""Which parameters each endpoint takes: Stripe's own list, and the few that it lacks.

`request_params.json` is a short form of Stripe's request schemas; `tests/testing` proves that it agrees with
them. A type is one of

- `"string"` (up to 5,000 characters), `"string<22"`, `"text"` (no limit), `"integer"`, `"boolean"`, `"any"`;
- `["a", "b"]`: one of these words; `{"[]": type}`: a list; `{"|": [types]}`: any of these;
- `{"name": type, "other!": type, "*": type}`: an object, `!` for required, `*` for every other name;
- `"@name"`: a type written once under `shared`.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final, TypeAlias

from airport_payments.testing.fake_stripe.constants import API_VERSION

ParamType: TypeAlias = "str | list[str] | dict[str, Any]"
Fields: TypeAlias = "dict[str, ParamType]"

_FILE: Final = json.loads(
    resources.files("airport_payments.testing.fake_stripe").joinpath("request_params.json").read_text("utf-8")
)
SHARED: Final[dict[str, ParamType]] = {
    **_FILE["shared"],
    # The list is one release older than the version that the fake speaks.
    "api_version": [*_FILE["shared"]["api_version"], API_VERSION],
}

_EXPAND: Final[Fields] = {"expand": {"[]": "string"}}
_PAGE: Final[Fields] = {**_EXPAND, "ending_before": "string", "limit": "integer", "starting_after": "string"}
_CREATED: Final[ParamType] = {"|": [{"gt": "integer", "gte": "integer", "lt": "integer", "lte": "integer"}, "integer"]}
_CARD: Final[Fields] = {
    "number": "string",
    "exp_month": "integer",
    "exp_year": "integer",
    "cvc": "string",
    "token": "string",
    "networks": "any",
}
# Sent by Stripe.js beside the documented parameters; the fake takes and ignores them.
BROWSER_ONLY: Final[Fields] = {
    "key": "string", "payment_user_agent": "string", "referrer": "string", "time_on_page": "string",
    "guid": "string", "muid": "string", "sid": "string", "pasted_fields": "string",
    "client_attribution_metadata": "any", "expected_payment_method_type": "string", "_stripe_account": "string",
    "_stripe_version": "string", "is_stripe_sdk": "boolean", "save_payment_method": "boolean",
}  # fmt: skip

_ONLY_AT_CREATION: Final = ("payment_method", "tax_id_data", "test_clock")

# From stripe-python's `stripe/params`, for endpoints that request_params.json doesn't hold.
_EXTRA: Final[dict[str, Fields]] = {
    "GET /v1/balance_transactions/{id}": _EXPAND,
    "GET /v1/customers": {**_PAGE, "created": _CREATED, "email": "string"},
    # Most of what can be set at creation can be changed later.
    "POST /v1/customers/{customer}": {
        name: kind for name, kind in _FILE["requests"]["POST /v1/customers"].items() if name not in _ONLY_AT_CREATION
    },
    "DELETE /v1/customers/{customer}": {},
    "GET /v1/customers/{customer}/payment_methods": {**_PAGE, "type": "string", "allow_redisplay": "string"},
    "GET /v1/customers/{customer}/payment_methods/{payment_method}": _EXPAND,
    "GET /v1/payment_methods": {**_PAGE, "customer": "string", "type": "string"},
    "POST /v1/payment_methods/{payment_method}/detach": _EXPAND,
    "GET /v1/webhook_endpoints/{webhook_endpoint}": _EXPAND,
    "POST /v1/webhook_endpoints/{webhook_endpoint}": {
        **_EXPAND,
        "description": "string",
        "disabled": "boolean",
        "enabled_events": {"[]": "string"},
        "metadata": {"|": [{"*": "text"}, [""]]},
        "url": "text",
    },
    "DELETE /v1/webhook_endpoints/{webhook_endpoint}": {},
    # From stripe-python's `params/v2`; the page's token stands in `next_page_url`.
    "GET /v2/core/events": {
        "created": {"gt": "string", "gte": "string", "lt": "string", "lte": "string"},
        "limit": "integer",
        "object_id": "string",
        "page": "string",
        "types": {"[]": "string"},
    },
    "GET /v2/core/events/{id}": {},
    "GET /v2/core/event_destinations": {"include": {"[]": "string"}, "limit": "integer", "page": "string"},
    "GET /v2/core/event_destinations/{id}": {"include": {"[]": "string"}},
    "POST /v1/charges/{charge}": {
        **_EXPAND,
        "customer": "string",
        "description": "string<40000",
        "fraud_details": {"user_report": ["", "fraudulent", "safe"]},
        "metadata": {"|": [{"*": "text"}, [""]]},
        "receipt_email": "text",
        "shipping": "any",
        "transfer_group": "text",
    },
}
# What the reduced schemas say nothing about: which parameters a request cannot do without.
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "POST /v1/payment_intents": ("amount", "currency"),
    "POST /v1/webhook_endpoints": ("enabled_events", "url"),
    "GET /v1/payment_intents/search": ("query",),
    "GET /v1/customers/search": ("query",),
    "POST /v1/payment_methods/{payment_method}/attach": ("customer",),
}


def _completed(fields: Fields) -> Fields:
    """Add what the reduced schemas cut off.

    A card may be given by its number or token: Stripe's public description leaves that out, Stripe.js does it.
    """
    completed = dict(fields)
    if "payment_method_data" in fields:
        data = SHARED["payment_method_data"]
        words = SHARED["type"]
        assert isinstance(data, dict)  # noqa: S101 - a fixed table
        assert isinstance(words, list)  # noqa: S101 - a fixed table
        completed["payment_method_data"] = {**data, "card": _CARD, "type!": ["card", *words]}
    if "excluded_payment_method_types" in fields:
        completed["excluded_payment_method_types"] = {"|": [{"[]": "@excluded_payment_method_types"}, [""]]}
    return completed


ENDPOINTS: Final[dict[str, Fields]] = {
    endpoint: _completed(fields) for endpoint, fields in {**_FILE["requests"], **_EXTRA}.items()
}
