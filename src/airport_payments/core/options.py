"""What a team may add to a PaymentIntent: a customer, a receipt, words on the statement, metadata of its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from airport_payments.core.errors import FieldError, InvalidRequest
from airport_payments.core.ids import is_text

# Limits of docs.stripe.com/metadata: 50 keys of 40 characters without brackets, values of 500. Three keys are ours.
MAX_METADATA: Final = 47
MAX_METADATA_KEY: Final = 40
MAX_METADATA_VALUE: Final = 500
RESERVED_PREFIX: Final = "airport_"
# Stripe's own limit of a description is not published; this is what its dashboard takes.
MAX_DESCRIPTION: Final = 1000

_URL: Final = re.compile(r"https://[\x21-\x7e]{1,2000}", re.ASCII)
_CUSTOMER: Final = re.compile(r"cus_[A-Za-z0-9_]{1,250}", re.ASCII)
_PAYMENT_METHOD: Final = re.compile(r"(?:pm|card|src)_[A-Za-z0-9_]{1,250}", re.ASCII)
# The shape only: whether it exists, nobody knows before a receipt arrives.
_EMAIL: Final = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,189}")
# docs.stripe.com/get-started/account/statement-descriptors: prefix, "* " and suffix have 22 characters together.
_SUFFIX: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 .,:;/&#+()!?_=-]{1,22}", re.ASCII)


class FutureUsage(StrEnum):
    """Whether the card is saved for later payments, and whether the customer will be there (Stripe's own words)."""

    ON_SESSION = "on_session"
    OFF_SESSION = "off_session"


@dataclass(frozen=True, slots=True)
class PaymentOptions:
    """What a PaymentIntent is opened with beside its amount. All of it is optional, and checked here.

    Args:
        customer_id: Stripe's `cus_…`, see `PaymentGateway.customer`.
        receipt_email: where Stripe sends its receipt.
        description: for your own eyes, in the dashboard; up to 1,000 characters.
        statement_descriptor_suffix: what the customer reads on the statement, after your prefix: up to 22 Latin
            characters, at least one letter; no angle brackets, backslashes, quotes or asterisks.
        metadata: your own, up to 47 keys; those that begin with `airport_` are ours.
        setup_future_usage: save the card for the customer; needs `customer_id`.
        return_url: where the customer comes back to, https. Only for charging a saved card on a PaymentIntent that the
            customer opened before: Stripe wants one there.

    Raises:
        InvalidRequest: one of them is not what Stripe takes. The message shows no value.
    """

    customer_id: str | None = None
    receipt_email: str | None = None
    description: str | None = None
    statement_descriptor_suffix: str | None = None
    metadata: tuple[tuple[str, str], ...] | Mapping[str, str] = ()
    setup_future_usage: FutureUsage | str | None = None
    return_url: str | None = None

    def __post_init__(self) -> None:
        pairs = _pairs(self.metadata)
        if pairs is None:
            raise InvalidRequest(FieldError("metadata", "a dict of text to text, or pairs of text"))
        object.__setattr__(self, "metadata", pairs)
        errors = [*self._wrong_fields(), *_wrong_metadata(pairs)]
        if errors:
            raise InvalidRequest(*errors)
        if self.setup_future_usage is not None:
            object.__setattr__(self, "setup_future_usage", FutureUsage(self.setup_future_usage))

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The metadata, as pairs."""
        return cast("tuple[tuple[str, str], ...]", self.metadata)  # `__post_init__` made it so

    def _wrong_fields(self) -> list[FieldError]:
        checks = (
            ("customer_id", _CUSTOMER, self.customer_id, "Stripe's id of a customer, cus_…"),
            ("receipt_email", _EMAIL, self.receipt_email, "an e-mail address"),
            ("statement_descriptor_suffix", _SUFFIX, self.statement_descriptor_suffix,
             "up to 22 Latin characters, at least one letter, none of < > \\ ' \" *"),
            ("return_url", _URL, self.return_url, "an https address"),
        )  # fmt: skip
        wrong = [
            FieldError(name, reason)
            for name, pattern, value, reason in checks
            if value is not None and not _fits(pattern, value)
        ]
        if self.description is not None and not _short_text(self.description, MAX_DESCRIPTION):
            wrong.append(FieldError("description", f"text of up to {MAX_DESCRIPTION} characters"))
        if self.setup_future_usage is not None:
            if self.setup_future_usage not in tuple(FutureUsage):
                wrong.append(FieldError("setup_future_usage", "on_session or off_session"))
            if self.customer_id is None:
                wrong.append(FieldError("setup_future_usage", "needs a customer_id to save the card for"))
        return wrong


def check_options(options: PaymentOptions | None) -> PaymentOptions | None:
    """Return the options. Raises `InvalidRequest` for what is none, such as a dict."""
    if options is not None and not _are_options(options):
        raise InvalidRequest(FieldError("options", "PaymentOptions(…)"))
    return options


def _are_options(value: object) -> bool:
    return isinstance(value, PaymentOptions)


def check_payment_method(payment_method_id: str) -> str:
    """Return the id. Raises `InvalidRequest` unless it has the shape of a saved payment method's."""
    if not _fits(_PAYMENT_METHOD, payment_method_id):
        raise InvalidRequest(FieldError("payment_method_id", "Stripe's id of a saved payment method, pm_…"))
    return payment_method_id


def check_customer(customer_id: str) -> str:
    """Return the id. Raises `InvalidRequest` unless it has the shape of a customer's."""
    if not _fits(_CUSTOMER, customer_id):
        raise InvalidRequest(FieldError("customer_id", "Stripe's id of a customer, cus_…"))
    return customer_id


def check_email(email: str) -> str:
    """Return the address. Raises `InvalidRequest` unless it has the shape of one."""
    if not _fits(_EMAIL, email):
        raise InvalidRequest(FieldError("email", "an e-mail address"))
    return email


def _pairs(given: object) -> tuple[tuple[str, str], ...] | None:
    """Return metadata as pairs, None for what is none. What is in them, `_wrong_metadata` checks."""
    if isinstance(given, Mapping):
        return tuple(cast("Mapping[str, str]", given).items())
    if not isinstance(given, (tuple, list)):
        return None
    pairs = [
        tuple(cast("tuple[str, str]", p)) if isinstance(p, (tuple, list)) else () for p in cast("list[object]", given)
    ]
    return cast("tuple[tuple[str, str], ...]", tuple(pairs)) if all(len(pair) == 2 for pair in pairs) else None


def _wrong_metadata(pairs: tuple[tuple[str, str], ...]) -> list[FieldError]:
    wrong: list[FieldError] = []
    if len(pairs) > MAX_METADATA:
        wrong.append(FieldError("metadata", f"at most {MAX_METADATA} keys"))
    for key, value in pairs[:MAX_METADATA]:
        if not _short_text(key, MAX_METADATA_KEY) or "[" in key or "]" in key:
            wrong.append(FieldError("metadata", f"keys are text of 1 to {MAX_METADATA_KEY} characters without [ and ]"))
        elif key.startswith(RESERVED_PREFIX):
            wrong.append(FieldError("metadata", f"keys that begin with {RESERVED_PREFIX} are this library's own"))
        if not _short_text(value, MAX_METADATA_VALUE):
            wrong.append(FieldError("metadata", f"values are text of 1 to {MAX_METADATA_VALUE} characters"))
    return wrong[:8]


def _short_text(value: object, most: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= most and is_text(value)


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None and is_text(value)
