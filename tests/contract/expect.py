"""What answers look like: the whole of them, and nothing more."""

from __future__ import annotations

from .frameworks import Reply


def check_headers(reply: Reply) -> None:
    """Every answer is JSON that nobody may cache."""
    assert reply.header("content-type") == "application/json"
    assert reply.header("cache-control") == "no-store"
    assert reply.header("content-length") in {None, str(len(reply.body))}


def ok(reply: Reply, data: object, status: int = 200, *, success: bool = True) -> None:
    """The whole of an answer that is no error."""
    check_headers(reply)
    assert (reply.status, reply.json) == (status, {"success": success, "data": data})


def refused(reply: Reply, status: int, code: str, message: str | None = None, **more: object) -> None:
    """The whole of an error: status, envelope and headers, and nothing more."""
    check_headers(reply)
    message = MESSAGES[code] if message is None else message
    data = {"error_code": code, "error_message": message, **more}
    assert (reply.status, reply.json) == (status, {"success": False, "message": message, "data": data})
    assert reply.header("www-authenticate") == ("Bearer" if status == 401 else None)
    assert reply.header("retry-after") == (RETRY_AFTER[code] if status == 503 else None)
    assert (reply.header("allow") is not None) == (status == 405)


def invalid(reply: Reply, *fields: str) -> None:
    """An `invalid_request`, for these fields."""
    errors = reply.json["data"].get("errors")
    refused(reply, 400, "invalid_request", errors=errors)
    assert [error["field"] for error in errors] == list(fields)
    for error in errors:
        assert set(error) == {"field", "reason"}
        assert isinstance(error["reason"], str)
        assert 0 < len(error["reason"]) < 200


RETRY_AFTER = {"stripe_unavailable": "5", "storage_unavailable": "5", "busy": "1"}
# What customers read. A changed word is a change of the contract.
MESSAGES = {
    "invalid_request": "The request is not valid.",
    "invalid_signature": "The webhook signature is not valid.",
    "amount_too_small": "The amount is below the minimum for this currency.",
    "amount_too_large": "The amount is above the maximum for this currency.",
    "unauthorized": "Authentication is required.",
    "booking_not_found": "There is no such booking.",
    "not_found": "There is nothing at this address.",
    "method_not_allowed": "This address does not take that method.",
    "booking_already_paid": "This booking is already paid.",
    "booking_not_payable": "This booking cannot be paid.",
    "payment_in_review": "A payment for this booking is being reviewed.",
    "amount_mismatch": "The amount is not the price of this booking.",
    "currency_mismatch": "The currency is not the one of this booking.",
    "payment_intent_mismatch": "This payment does not belong to this booking.",
    "payload_too_large": "The request body is too large.",
    "idempotency_key_reused": "This Idempotency-Key was used with another request.",
    "stripe_unavailable": "The payment service does not answer. Please try again.",
    "storage_unavailable": "The service is not available. Please try again.",
    "busy": "The booking is busy. Please try again.",
    "misconfigured": "The payment service is not set up correctly.",
    "internal_error": "Something went wrong on our side.",
}
