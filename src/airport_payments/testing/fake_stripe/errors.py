"""Stripe's error bodies: one exception, and one constructor per kind of refusal.

The messages are the ones that Stripe's API answers with, as far as they are known from its SDKs, its public
documentation and bug reports; codes come from stripe-python's `error_codes` and Stripe's list of codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airport_payments.testing.fake_stripe.json_types import clone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airport_payments.testing.fake_stripe.json_types import Obj

DOCS = "https://stripe.com/docs/error-codes/"


class StripeRefusal(Exception):
    """The request is answered with an error.

    Attributes:
        status: The HTTP status.
        error: What stands under `error` in the body.
        executed: Whether the request began to execute. Only then does Stripe store the answer under the
            idempotency key: refusals of parameters, keys and limits come before that.
    """

    def __init__(self, status: int, error: Obj, *, executed: bool = False) -> None:
        self.status = status
        self.error = error
        self.executed = executed
        super().__init__(str(error.get("message", "")))


def invalid_request(
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    status: int = 400,
    executed: bool = False,
    extra: Obj | None = None,
) -> StripeRefusal:
    """Make an `invalid_request_error`."""
    error: Obj = {"message": message, "type": "invalid_request_error"}
    if code is not None:
        error["code"] = code
        error["doc_url"] = DOCS + code.replace("_", "-")
    if param is not None:
        error["param"] = param
    error.update(extra or {})
    return StripeRefusal(status, error, executed=executed)


def unauthorized(message: str, *, code: str | None = None) -> StripeRefusal:
    """Make the 401 for a missing, wrong or unsuitable API key."""
    return invalid_request(message, code=code, status=401)


def unknown_url(method: str, path: str) -> StripeRefusal:
    """Make the 404 for a path that is not part of the API."""
    return invalid_request(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        status=404,
    )


def no_such(kind: str, object_id: str, param: str, *, in_url: bool = True) -> StripeRefusal:
    """Make `resource_missing`: 404 for an id in the URL, 400 for one among the parameters."""
    return invalid_request(
        f"No such {kind}: '{object_id}'",
        code="resource_missing",
        param=param,
        status=404 if in_url else 400,
        executed=not in_url,
    )


def parameter_missing(param: str) -> StripeRefusal:
    """Make the refusal of a request that lacks a required parameter."""
    return invalid_request(f"Missing required param: {param}.", code="parameter_missing", param=param)


def parameters_unknown(names: Sequence[str]) -> StripeRefusal:
    """Make the refusal of parameters that the endpoint does not have."""
    noun = "parameter" if len(names) == 1 else "parameters"
    return invalid_request(f"Received unknown {noun}: {', '.join(names)}", code="parameter_unknown", param=names[0])


def unexpected_state(message: str, intent: Obj) -> StripeRefusal:
    """Make `payment_intent_unexpected_state`, which carries the intent as it is now."""
    return invalid_request(
        message,
        code="payment_intent_unexpected_state",
        executed=True,
        extra={"payment_intent": clone(intent)},
    )


def idempotency_mismatch(key: str) -> StripeRefusal:
    """Make the refusal of a key that was first used with other parameters."""
    return StripeRefusal(
        400,
        {
            "message": "Keys for idempotent requests can only be used with the same parameters they were first "
            f"used with. Try using a key other than '{key}' if you meant to execute a different request.",
            "type": "idempotency_error",
        },
    )


def key_in_use(key: str) -> StripeRefusal:
    """Make the refusal of a key whose first request is still being executed."""
    return StripeRefusal(
        409,
        {
            "code": "idempotency_key_in_use",
            "doc_url": DOCS + "idempotency-key-in-use",
            "message": "There is currently another in-progress request using this Stripe idempotency key "
            f"(that probably means you submitted twice, and the other request is still going through): {key}.",
            "type": "idempotency_error",
        },
    )


def api_error(message: str = "An unknown error occurred", status: int = 500) -> StripeRefusal:
    """Make the body of a 500."""
    return StripeRefusal(status, {"message": message, "type": "api_error"}, executed=True)


def rate_limited(*, lock_timeout: bool = False) -> StripeRefusal:
    """Make one of the two kinds of 429: too many requests, or an object locked by another request."""
    code = "lock_timeout" if lock_timeout else "rate_limit"
    message = (
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it. If you see this error intermittently, retry the request. If you see this error "
        "frequently and are making multiple concurrent requests to a single object, make your requests "
        "serially or at a lower rate."
        if lock_timeout
        else "Request rate limit exceeded. You can learn more about rate limits here "
        "https://stripe.com/docs/rate-limits."
    )
    return invalid_request(message, code=code, status=429)
