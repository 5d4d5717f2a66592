"""The shapes of ids that come from outside. Anything else is refused before it reaches a database, a URL or a log."""

import re
from datetime import datetime
from typing import Final

from airport_payments.core.errors import FieldError, InvalidRequest

BOOKING_ID: Final = re.compile(r"[A-Za-z0-9._~:@-]{1,128}", re.ASCII)
# A bare "pi_" would turn a retrieval into another call; Stripe's ids are far shorter than this bound.
PAYMENT_INTENT_ID: Final = re.compile(r"pi_[A-Za-z0-9_]{8,252}", re.ASCII)
# `pyr_` are refunds of payments without a card: remembered, not confirmed by Stripe's documentation.
REFUND_ID: Final = re.compile(r"(re|pyr)_[A-Za-z0-9_]{1,250}", re.ASCII)
CHARGE_ID: Final = re.compile(r"(ch|py)_[A-Za-z0-9_]{1,250}", re.ASCII)
DISPUTE_ID: Final = re.compile(r"(dp|du)_[A-Za-z0-9_]{1,250}", re.ASCII)
_BY: Final = re.compile(r"[A-Za-z0-9._~:@ -]{1,128}", re.ASCII)
_CODE: Final = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_OWNER: Final = re.compile(r".+", re.DOTALL)
IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


def check_booking_id(booking_id: str) -> str:
    """Return the id. Raises `InvalidRequest` unless it is 1 to 128 of `A-Z a-z 0-9 . _ ~ : @ -`, and not only dots."""
    if not _fits(BOOKING_ID, booking_id) or not booking_id.strip("."):
        raise InvalidRequest(FieldError("bookingId", "1 to 128 letters, digits or . _ ~ : @ -"))
    return booking_id


def check_intent_id(intent_id: str) -> str:
    """Return the id. Raises `InvalidRequest` unless it has the shape of a PaymentIntent's."""
    if not _fits(PAYMENT_INTENT_ID, intent_id):
        raise InvalidRequest(FieldError("paymentIntentId", "the id of a PaymentIntent, pi_…"))
    return intent_id


def check_idempotency_key(key: str) -> str:
    """Return the key. Raises `InvalidRequest` unless it is 1 to 255 visible ASCII characters."""
    if not _fits(IDEMPOTENCY_KEY, key):
        raise InvalidRequest(FieldError("Idempotency-Key", "1 to 255 visible ASCII characters"))
    return key


def check_payment_id(payment_id: str) -> str:
    """Return the id. Raises `InvalidRequest` unless it is 1 to 255 visible ASCII characters: a PaymentIntent's or ours."""
    if not _fits(IDEMPOTENCY_KEY, payment_id):
        raise InvalidRequest(FieldError("payment_id", "the id of a PaymentIntent, pi_…"))
    return payment_id


def check_request_id(request_id: str) -> str:
    """Return the id. Raises `InvalidRequest` unless it is 1 to 255 visible ASCII characters."""
    if not _fits(IDEMPOTENCY_KEY, request_id):
        raise InvalidRequest(
            FieldError("request_id", "1 to 255 visible ASCII characters, one for each refund you mean")
        )
    return request_id


def check_by(by: str) -> str:
    """Return who decided. Raises `InvalidRequest` unless it is 1 to 128 characters of an id."""
    if not _fits(_BY, by):
        raise InvalidRequest(FieldError("by", "who decides: 1 to 128 letters, digits, blanks or . _ ~ : @ -"))
    return by


def check_owner(owner: str) -> str:
    """Return the customer's id. Raises `InvalidRequest` unless it is text: nobody is not somebody."""
    if not _fits(_OWNER, owner) or not is_text(owner):
        raise InvalidRequest(FieldError("owner", "the customer's id, as text that is not empty"))
    return owner


def check_time(field: str, at: object) -> None:
    """Raise `InvalidRequest` unless it is a time that says its zone."""
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise InvalidRequest(FieldError(field, "a datetime with its time zone, such as datetime.now(UTC)"))


def is_text(value: object) -> bool:
    """Return whether it is text that can be sent and stored: halves of characters (lone surrogates) cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    # Ids often come as numbers, from a database or a form.
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def code_of(reason: str) -> str | None:
    """Return the code that a reason of Stripe's begins with, None if it begins with none."""
    code = reason.partition(":")[0]
    return code if _CODE.fullmatch(code) else None
