"""The HTTP contract: reading requests strictly, and what is answered. Shared by both colours of the endpoints."""

import inspect
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NoReturn, TypeAlias, TypeVar, cast

from pydantic import ValidationError

from airport_payments.contract_models import (
    METHODS,
    STATUS_PREFIX,
    Body,
    CreatePaymentIntentRequest,
)
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import (
    CardDeclined,
    FieldError,
    InternalError,
    InvalidRequest,
    InvalidSignature,
    MethodNotAllowed,
    NoSuchEndpoint,
    PayloadTooLarge,
    PaymentsError,
    TryAgain,
    Unauthorized,
)
from airport_payments.core.ids import check_booking_id
from airport_payments.core.model import Booking, IntentStatus
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions
from airport_payments.core.views import ConfirmedPayment, CreatedPayment, PaymentReport, PaymentStatus
from airport_payments.stripe_api.signature import MAX_BODY_BYTES

logger: Final = logging.getLogger("airport_payments")

WEBHOOK_LIMIT_BYTES: Final = MAX_BODY_BYTES
REQUEST_LIMIT_BYTES: Final = 16 * 1024
# A bearer token longer than this is no token; a proxy's usual limit for a whole header.
MAX_TOKEN_CHARS: Final = 8192


# ---- reading -----------------------------------------------------------------------------------------------------------

Model = TypeVar("Model", bound=Body)


# A framework's headers as they are, or their `items()`.
HeaderPairs: TypeAlias = Iterable[tuple[str, str]] | Mapping[str, str]


class Headers:
    """Request headers: names in any case, and no header that matters may come twice."""

    def __init__(self, given: HeaderPairs) -> None:
        self._values: dict[str, list[str]] = {}
        pairs = cast("Mapping[str, str]", given).items() if isinstance(given, Mapping) else given
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return self._values.get(name, [])


def bearer_token(headers: Headers) -> str:
    """Return the token of `Authorization: Bearer …`. Raises `Unauthorized` without one."""
    values = headers.all("authorization")
    if len(values) != 1:
        raise Unauthorized
    scheme, _, token = values[0].strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise Unauthorized
    return token


def customer_id(answer: object) -> str:
    """Return what the authenticator answered. Raises `Unauthorized` if that is no customer's id: nobody is not somebody."""
    if isinstance(answer, str) and answer:
        return answer
    logger.error("the authenticator returned %s instead of a customer's id", type(answer).__name__)
    if inspect.iscoroutine(answer):
        answer.close()
    raise Unauthorized


def idempotency_key(headers: Headers) -> str | None:
    """Return the `Idempotency-Key`, bare or quoted (draft-ietf-httpapi-idempotency-key-header), None without one."""
    values = headers.all("idempotency-key")
    if len(values) > 1:
        raise InvalidRequest(FieldError("Idempotency-Key", "given twice"))
    if not values:
        return None
    key = values[0].strip()
    quoted = len(key) >= 2 and key[0] == key[-1] == '"'
    key = key[1:-1] if quoted else key
    # WSGI and proxies join two headers with a comma: that must not pass for one key.
    if '"' in key or ("," in key and not quoted):
        raise InvalidRequest(FieldError("Idempotency-Key", "given twice, or quoted wrongly"))
    return key


def signature(headers: Headers) -> str | None:
    """Return the `Stripe-Signature`, None without one. Raises `InvalidSignature` if there are two."""
    values = headers.all("stripe-signature")
    if len(values) > 1:
        raise InvalidSignature("two Stripe-Signature headers")
    return values[0] if values else None


class Whole:
    """A body that came in one piece. It does not show itself."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def within(self, limit: int) -> bytes:
        """Return the body. Raises `PayloadTooLarge` over the limit."""
        if len(self._body) > limit:
            raise PayloadTooLarge
        return self._body


def check_length(headers: Headers, limit: int) -> None:
    """Refuse a body that says that it is over the limit, before any of it is read. Raises `PayloadTooLarge`."""
    for value in headers.all("content-length"):
        if value.isascii() and value.isdigit() and (len(value) > 12 or int(value) > limit):
            raise PayloadTooLarge


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse(body: bytes, model: type[Model]) -> Model:
    """Return a request's body, read strictly: UTF-8, an object, no key twice, no NaN, numbers as exact decimals.

    Raises:
        InvalidRequest: with each field and its reason.
    """
    try:
        document = json.loads(
            body.decode("utf-8"), parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_pairs
        )
    except (ValueError, ArithmeticError, RecursionError):
        raise InvalidRequest(FieldError("body", "not JSON, or a key is given twice")) from None
    if not isinstance(document, dict):
        raise InvalidRequest(FieldError("body", "not a JSON object"))
    try:
        return model.model_validate(document, by_name=False)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_context=False, include_url=False)
        raise InvalidRequest(
            *(FieldError(".".join(str(part) for part in p["loc"]), p["msg"]) for p in problems[:10])
        ) from None


def money_of(request: CreatePaymentIntentRequest) -> Money:
    """Return the amount that a payment is asked for. Raises as `money`."""
    return money(request.amount, request.currency)


def money(amount: Decimal, currency: str) -> Money:
    """Return an amount in major units as Money. Raises `InvalidRequest` for what is not exact, not positive or too much."""
    exact = Money.from_major(amount, currency)
    if exact.amount_minor == 0:
        raise InvalidRequest(FieldError("amount", "must be more than zero"))
    return exact


def booking_id_of(path: str) -> str:
    """Return the booking id of a status path. Raises `InvalidRequest` if it is malformed."""
    return check_booking_id(path.removeprefix(STATUS_PREFIX))


# ---- answering ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer: status, headers and body. The body may hold a client secret, so its repr does not show it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"Response(status={self.status})"


def answer(status: int, document: Mapping[str, object], *headers: tuple[str, str]) -> Response:
    """Return a JSON answer that nobody may cache."""
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    # Answers hold client secrets and what a customer owes: nothing between us and them may keep a copy.
    fixed = (("content-type", "application/json"), ("cache-control", "no-store"))
    return Response(status, (*fixed, *headers), body)


def _major(money: Money) -> int | float:
    """Return an amount as a JSON number. Twelve digits are exact in a float's fifteen."""
    major = money.to_major()
    return int(major) if major == major.to_integral_value() else float(major)


def created_answer(payment: CreatedPayment) -> Response:
    """Answer create-payment-intent."""
    data = {
        "paymentIntentId": payment.payment_intent_id,
        "clientSecret": payment.client_secret.reveal(),
        "status": payment.status,
        "amount": _major(payment.amount),
        "currency": payment.amount.currency,
    }
    return answer(200, {"success": True, "data": data})


# What a customer is told while a payment is not completed. The first is the guide's own text.
MESSAGES: Final = {
    IntentStatus.REQUIRES_PAYMENT_METHOD: (
        "Payment requires payment method. Use Stripe.js on frontend to complete payment."
    ),
    IntentStatus.REQUIRES_CONFIRMATION: "Payment requires confirmation. Use Stripe.js on frontend to complete payment.",
    IntentStatus.REQUIRES_ACTION: "Payment requires action. Use Stripe.js on frontend to complete payment.",
    IntentStatus.PROCESSING: "Payment is processing. Ask again in a moment.",
    IntentStatus.REQUIRES_CAPTURE: "Payment is authorised and waits to be captured.",
    IntentStatus.SUCCEEDED: "Payment succeeded and is being applied. Ask again in a moment.",
    IntentStatus.CANCELED: "Payment was canceled. Create a new payment intent.",
}


def booking_data(booking: Booking) -> dict[str, object]:
    """Return a booking as the contract shows it."""
    return {
        "bookingId": booking.id,
        "amount": _major(booking.price),
        "currency": booking.price.currency,
        "status": booking.status,
    }


def confirmed_answer(payment: ConfirmedPayment) -> Response:
    """Answer confirm-payment."""
    if payment.completed:
        done = {
            "paymentStatus": PaymentStatus.COMPLETED,
            "bookingStatus": payment.booking.status,
            "booking": booking_data(payment.booking),
        }
        return answer(200, {"success": True, "data": done})
    secret = payment.client_secret
    data: dict[str, object] = {
        "paymentStatus": payment.stripe_status,
        "message": MESSAGES[payment.stripe_status],
        "clientSecret": secret.reveal() if secret is not None else None,
    }
    if payment.failure is not None:
        data["error_code"] = payment.failure.code
        data["decline_code"] = payment.failure.decline_code
        data["error_message"] = payment.failure.message
    return answer(200, {"success": False, "data": data})


def status_answer(report: PaymentReport) -> Response:
    """Answer status."""
    data = {
        "paymentStatus": report.payment_status,
        "bookingStatus": report.booking_status,
        "stripeStatus": report.stripe_status,
    }
    return answer(200, {"success": True, "data": data})


def webhook_answer(outcome: EventOutcome) -> Response:
    """Answer webhook."""
    return answer(200, {"success": True, "data": {"received": True, "outcome": outcome}})


def options_of(given: object) -> PaymentOptions | None:
    """Return what the team's `options=` returned. Raises `InternalError` for what is none: the customer cannot mend it."""
    if given is None or isinstance(given, PaymentOptions):
        return given
    raise InternalError(
        f"PaymentEndpoints(options=…) returned {type(given).__name__}: PaymentOptions or None is wanted"
    )


def error_answer(error: Exception) -> Response:
    """Answer an error with the envelope. What was not foreseen is logged, and nothing of it leaks."""
    if not isinstance(error, PaymentsError):
        logger.error("unexpected error: %s", type(error).__name__, exc_info=error)
        error = InternalError()
    elif isinstance(error, InvalidSignature):
        logger.warning("webhook refused: %s", error.reason)
    elif error.http_status >= 500:
        logger.log(logging.WARNING if isinstance(error, TryAgain) else logging.ERROR, "%s: %s", error.code, error)
    data: dict[str, object] = {"error_code": error.code, "error_message": error.public_message}
    if isinstance(error, CardDeclined):
        data["decline_code"] = error.decline_code
    if isinstance(error, InvalidRequest):
        data["errors"] = [{"field": e.field, "reason": e.reason} for e in error.errors]
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, TryAgain):
        headers = (("retry-after", str(error.retry_after_s)),)
    elif isinstance(error, Unauthorized):
        headers = (("www-authenticate", "Bearer"),)
    elif isinstance(error, MethodNotAllowed):
        headers = (("allow", error.allow),)
    return answer(error.http_status, {"success": False, "message": error.public_message, "data": data}, *headers)


def check_route(method: str, path: str) -> str:
    """Return which endpoint a request is for: one of the paths, or the prefix of status.

    Raises:
        NoSuchEndpoint: nothing is served there.
        MethodNotAllowed: the path takes another method.
    """
    endpoint = path
    if path.startswith(STATUS_PREFIX) and path != STATUS_PREFIX and "/" not in path[len(STATUS_PREFIX) :]:
        endpoint = STATUS_PREFIX
    wanted = "GET" if endpoint == STATUS_PREFIX else METHODS.get(endpoint)
    if wanted is None:
        raise NoSuchEndpoint
    if method.upper() != wanted:
        raise MethodNotAllowed(wanted)
    return endpoint
