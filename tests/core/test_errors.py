"""The tree of errors: what the docstring draws is what the classes are, and the codes are the contract's."""

import inspect
import re

import pytest

from airport_payments.core import errors
from airport_payments.core.errors import FieldError, PaymentsError

TREE = (errors.__doc__ or "").split("Each carries")[0]
CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, PaymentsError)]
SPECIAL = {
    "MethodNotAllowed": ("POST",),
    "InvalidRequest": (FieldError("amount", "must be a number"),),
    "InvalidSignature": ("why",),
    "ReconcileInterrupted": (errors.StripeUnavailable("a time-out"), None),
    "RefundTooLarge": (100, "usd"),
    "CardDeclined": ("card_declined", "generic_decline", "Your card was declined."),
}
# The contract's table: code and status.
CONTRACT = {
    "invalid_request": 400, "invalid_signature": 400, "unauthorized": 401, "amount_too_small": 400, "amount_too_large": 400,
    "card_declined": 402, "booking_not_found": 404, "booking_already_paid": 409, "booking_not_payable": 409, "payment_in_review": 409,
    "amount_mismatch": 409, "currency_mismatch": 409, "payment_intent_mismatch": 409, "payload_too_large": 413,
    "idempotency_key_reused": 422, "nothing_to_refund": 409, "refund_too_large": 409, "payment_disputed": 409, "stripe_unavailable": 503, "storage_unavailable": 503, "busy": 503, "misconfigured": 500, "internal_error": 500,
}  # fmt: skip


def drawn() -> dict[str, tuple[str | None, str]]:
    """Read the drawing: each class with its parent's name, and the words beside it."""
    found: dict[str, tuple[str | None, str]] = {}
    above: list[str] = []
    for line in TREE.splitlines():
        match = re.match(r"^    ((?:[│ ]   )*(?:[├└]── )?)(\w+)\s*(.*)$", line)
        if match is None or not match[2][0].isupper():
            continue
        depth = len(match[1]) // 4
        found[match[2]] = (above[depth - 1] if depth else None, match[3])
        above[depth:] = [match[2]]
    return found


def made(cls: type[PaymentsError]) -> PaymentsError:
    return cls(*SPECIAL.get(cls.__name__, ()))


def test_why_a_signature_is_invalid_is_told_for_the_log() -> None:
    assert errors.InvalidSignature("the body is over the limit").reason == "the body is over the limit"


def test_the_drawing_is_the_real_tree() -> None:
    real = {c.__name__: c.__base__.__name__ if c is not PaymentsError else None for c in CLASSES}
    assert {name: parent for name, (parent, _) in drawn().items()} == real


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_what_is_drawn_beside_a_class_is_what_it_carries(cls) -> None:
    words = drawn()[cls.__name__][1]
    status = re.match(r"\d{3}\b", words)
    if status:
        assert cls.http_status == int(status[0])
    code = re.search(r"\b[a-z]+_[a-z_]+\b|\bunauthorized\b|\bbusy\b", words)
    if code and "retry_after_s" not in words:
        assert cls.code == code[0]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_each_has_a_code_a_status_and_a_public_message(cls) -> None:
    error = made(cls)
    assert re.fullmatch(r"[a-z_]{4,40}", error.code)
    assert error.http_status in {400, 401, 402, 404, 405, 409, 413, 422, 500, 503}
    assert error.public_message.endswith(".")
    assert str(error)
    assert cls.__doc__


def test_the_contracts_codes_and_statuses() -> None:
    have = {c.code: c.http_status for c in CLASSES if not c.__subclasses__() or c is errors.InternalError}
    assert {code: have.get(code) for code in CONTRACT} == CONTRACT


def test_no_two_classes_of_the_contract_share_a_code() -> None:
    leaves = [c.code for c in CLASSES if not c.__subclasses__() or c is errors.InternalError]
    assert sorted(leaves) == sorted(set(leaves))


def test_a_detail_is_for_the_log_and_not_for_the_customer() -> None:
    error = errors.Misconfigured("the key of account acct_1 is refused")
    assert "acct_1" in str(error)
    assert "acct_1" not in error.public_message


def test_those_who_may_try_again_are_told_when() -> None:
    for cls in (errors.StripeUnavailable, errors.StorageUnavailable, errors.Busy):
        assert 1 <= cls.retry_after_s <= 60


def test_not_found_says_the_same_whoever_asks() -> None:
    one, other = errors.BookingNotFound(), errors.BookingNotFound()
    assert (str(one), one.public_message, vars(one)) == (str(other), other.public_message, vars(other))


def test_field_errors_are_listed() -> None:
    error = errors.InvalidRequest(FieldError("a", "b"), FieldError("c", "d"))
    assert (str(error), len(error.errors)) == ("a: b; c: d", 2)
    assert errors.InvalidRequest().errors == ()
