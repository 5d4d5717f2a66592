"""Stripe's JSON to our facts, and our commands to Stripe's parameters, by small models of just the fields used."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from airport_payments.core.commands import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent, CreateRefund
from airport_payments.core.declines import presentable
from airport_payments.core.errors import InvalidRequest
from airport_payments.core.facts import IntentView
from airport_payments.core.ids import PAYMENT_INTENT_ID
from airport_payments.core.model import Failure, IntentStatus
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions
from airport_payments.core.secret import Secret
from airport_payments.stripe_api.marks import META_ATTEMPT, META_BOOKING, META_NAMESPACE, META_REFUND
from airport_payments.stripe_api.results import Unreadable

D = TypeVar("D")


class ErrorDict(TypedDict, total=False):
    """`last_payment_error` of a PaymentIntent, or `error` of an answer, as far as it is used."""

    type: str | None
    code: str | None
    decline_code: str | None
    message: str | None
    charge: str | None


class ChargeRef(TypedDict, total=False):
    """An expanded charge, as far as it is used."""

    id: str
    amount_refunded: int | None


class IntentRef(TypedDict, total=False):
    """An expanded PaymentIntent, of which only the id is used."""

    id: str


class EvidenceDict(TypedDict, total=False):
    """`evidence_details` of a dispute."""

    due_by: int | None


class ObjectDict(TypedDict, total=False):
    """An event's object, as far as it is used. All is optional here; `intent_view` says what a PaymentIntent must have.

    The client secret is not read: no event needs it.
    """

    id: str
    object: str
    status: str | None
    amount: int | None
    amount_received: int | None
    currency: str | None
    livemode: bool | None
    metadata: dict[str, str] | None
    latest_charge: str | ChargeRef | None
    last_payment_error: ErrorDict | None
    # of refunds, disputes and charges
    payment_intent: str | IntentRef | None
    amount_refunded: int | None
    failure_reason: str | None
    reason: str | None
    is_charge_refundable: bool | None
    evidence_details: EvidenceDict | None


class AnswerDict(ObjectDict, total=False):
    """The object of an answer, which has its client secret."""

    client_secret: str | None


class ListDict(TypedDict):
    """One page of a list."""

    data: list[AnswerDict]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Page:
    """The same, read. It shows nothing of its objects, which hold client secrets."""

    data: list[AnswerDict] = field(repr=False)
    has_more: bool


class Stranger:
    """A PaymentIntent that does not carry our mark, and cannot be read."""


class _ItemsDict(TypedDict):
    data: list[object]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Items:
    """A page whose things are not read yet, so that one of them that cannot be read leaves the others. `last`: an id."""

    data: list[object] = field(repr=False)
    has_more: bool
    last: str | None


# All of these read strictly: by itself pydantic would take "24900", 24900.0 and true for amounts.
_OBJECT: Final = TypeAdapter(AnswerDict)
_LIST: Final = TypeAdapter(ListDict)
_ITEMS: Final = TypeAdapter(_ItemsDict)
_LISTED: Final = TypeAdapter(ObjectDict)

# The statuses by their text: a dict is three times faster than calling the Enum class.
_STATUSES: Final = {str(status): status for status in IntentStatus}


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are not JSON; for `json.loads(parse_constant=…)`."""
    raise ValueError(f"{name} is not JSON")


def has_constants(text: bytes) -> bool:
    """Return whether a body holds NaN or Infinity as values, which pydantic lets pass where it does not look."""
    if b"NaN" not in text and b"Infinity" not in text:
        return False
    try:
        json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        return True
    return False


def intent_view(obj: ObjectDict | AnswerDict) -> IntentView:
    """Return a PaymentIntent in our words.

    Raises:
        Unreadable: a field that we rely on is missing or of another kind. Nothing of its content is in the message.
    """
    status = _STATUSES.get(obj.get("status") or "")
    amount, received, currency = obj.get("amount"), obj.get("amount_received"), obj.get("currency")
    intent_id, livemode = obj.get("id"), obj.get("livemode")
    if status is None or amount is None or currency is None or livemode is None or received is None:
        raise Unreadable("a PaymentIntent without a known status, amount, amount_received, currency or livemode")
    if intent_id is None or not PAYMENT_INTENT_ID.fullmatch(intent_id):
        raise Unreadable("a PaymentIntent without a proper id")
    try:
        money = Money(amount, currency)
    except InvalidRequest as error:
        raise Unreadable(f"a PaymentIntent with an amount that is none ({error})") from None
    charge = obj.get("latest_charge")
    metadata = obj.get("metadata") or {}
    secret = cast("str | None", obj.get("client_secret"))
    return IntentView(
        intent_id,
        status,
        money,
        received,
        livemode,
        metadata.get(META_NAMESPACE),
        metadata.get(META_BOOKING),
        metadata.get(META_ATTEMPT),
        failure_of(obj.get("last_payment_error")),
        charge.get("id") if isinstance(charge, dict) else charge,
        Secret(secret) if secret else None,
    )


def failure_of(error: ErrorDict | None) -> Failure | None:
    """Return a payment error, safe to show."""
    if not error:
        return None
    # Only a card error's message is meant for customers (docs.stripe.com/error-handling).
    shown = error.get("message") if error.get("type") == "card_error" else None
    code = error.get("code") or error.get("type") or "payment_failed"
    return presentable(code, error.get("decline_code"), shown or "The payment failed.", error.get("charge"))


def read_intent(body: str | bytes) -> IntentView:
    """Return the PaymentIntent that an answer holds. Raises `Unreadable`, or `ValueError` if it is no JSON."""
    return intent_view(_read(_OBJECT, body))


def read_anyones_intent(body: str | bytes) -> IntentView | Stranger:
    """Return the PaymentIntent that an answer holds, which may be another application's. Raises as `read_intent` does."""
    obj = _read(_OBJECT, body)
    try:
        return intent_view(obj)
    except Unreadable:
        marks = obj.get("metadata")
        if marks is None or META_NAMESPACE in marks:
            raise
        return Stranger()


def read_object(body: str | bytes) -> AnswerDict:
    """Return the object that an answer holds, whatever it is. Raises as `read_intent` does."""
    return _read(_OBJECT, body)


def read_page(body: str | bytes) -> Page:
    """Return one page of a list. Raises as `read_intent` does."""
    found = _read(_LIST, body)
    return Page(found["data"], found["has_more"])


def read_items(body: str | bytes) -> Items:
    """Return one page of a list with its things as they came. Raises as `read_intent` does."""
    found = _read(_ITEMS, body)
    last = found["data"][-1] if found["data"] else None
    return Items(found["data"], found["has_more"], _text_of(last, "id") or None)


def object_of(item: object) -> ObjectDict:
    """Return a thing of a page; one that cannot be read shows only what and which it is."""
    try:
        return _LISTED.validate_python(item, strict=True)
    except ValidationError:
        return {"id": _text_of(item, "id"), "object": _text_of(item, "object")}


def _text_of(item: object, name: str) -> str:
    found = cast("Mapping[str, object]", item).get(name) if isinstance(item, Mapping) else None
    return found if isinstance(found, str) else ""


def _read(kind: TypeAdapter[D], body: str | bytes) -> D:
    try:
        return cast("D", kind.validator.validate_json(body, strict=True))
    except ValidationError:
        pass
    # Cut off, or of another shape; or it holds what pydantic minds and json does not, such as half a surrogate pair in a
    # field that nobody uses.
    document: object = json.loads(body.decode("utf-8", "replace") if isinstance(body, bytes) else body)
    try:
        return kind.validate_python(document, strict=True)
    except ValidationError as error:
        raise Unreadable(f"an answer of another shape ({error.error_count()} errors)") from None


def read_embedded_intent(value: object) -> IntentView | None:
    """Return the PaymentIntent that an error carries, None if it carries none that can be read."""
    try:
        return intent_view(_OBJECT.validate_python(value, strict=True))
    except (ValidationError, Unreadable):
        return None


def create_params(command: CreateIntent) -> dict[str, object]:
    """Return the parameters of POST /v1/payment_intents. A saved command always gives the same ones."""
    params: dict[str, object] = {
        "amount": command.amount.amount_minor,
        "currency": command.amount.currency,
        "automatic_payment_methods": {"enabled": "true"},
        "metadata": {
            META_NAMESPACE: command.namespace,
            META_BOOKING: command.booking_id,
            META_ATTEMPT: command.attempt_id,
        },
    }
    if command.manual_capture:
        params["capture_method"] = "manual"
    if not command.redirects:
        params["automatic_payment_methods"] = {"enabled": "true", "allow_redirects": "never"}
    if command.options is not None:
        _add_options(params, command.options)
    return params


def _add_options(params: dict[str, object], options: PaymentOptions) -> None:
    given = {
        "customer": options.customer_id,
        "receipt_email": options.receipt_email,
        "description": options.description,
        "statement_descriptor_suffix": options.statement_descriptor_suffix,
        "setup_future_usage": options.setup_future_usage,
    }
    params.update({name: str(value) for name, value in given.items() if value is not None})
    marks = cast("dict[str, str]", params["metadata"])
    params["metadata"] = {**dict(options.pairs), **marks}


def confirm_params(command: ConfirmIntent) -> dict[str, object]:
    """Return the parameters of POST /v1/payment_intents/{id}/confirm. The customer is not there to be asked anything."""
    params: dict[str, object] = {"payment_method": command.payment_method_id, "off_session": "true"}
    if command.return_url is not None:
        params["return_url"] = command.return_url
    return params


def cancel_params(_command: CancelIntent) -> dict[str, object]:
    """Return the parameters of POST /v1/payment_intents/{id}/cancel."""
    return {"cancellation_reason": "abandoned"}


def capture_params(command: CaptureIntent) -> dict[str, object]:
    """Return the parameters of POST /v1/payment_intents/{id}/capture."""
    return {"amount_to_capture": command.amount_minor}


def refund_params(command: CreateRefund) -> dict[str, object]:
    """Return the parameters of POST /v1/refunds. A saved command always gives the same ones."""
    params: dict[str, object] = {
        "payment_intent": command.intent_id,
        "amount": command.amount_minor,
        "metadata": {
            META_NAMESPACE: command.namespace,
            META_BOOKING: command.booking_id,
            META_ATTEMPT: command.attempt_id,
            META_REFUND: command.ref,
        },
    }
    if command.reason is not None:
        params["reason"] = command.reason
    return params
