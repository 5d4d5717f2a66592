"""The HTTP contract's paths, bodies and error codes, as pydantic models: what is checked, and what OpenAPI pages show."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.model import BookingStatus, IntentStatus
from airport_payments.core.views import PaymentStatus

CREATE_PATH: Final = "/payment/create-payment-intent"
CONFIRM_PATH: Final = "/payment/confirm-payment"
WEBHOOK_PATH: Final = "/payment/webhook"
STATUS_PREFIX: Final = "/payment/status/"
# Which method each fixed path takes.
METHODS: Final = {CREATE_PATH: "POST", CONFIRM_PATH: "POST", WEBHOOK_PATH: "POST"}


class Body(BaseModel):
    """What all bodies share: camelCase on the wire, strict types, unknown fields ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, strict=True, extra="ignore")


def json_number(value: object) -> object:
    """Let only JSON numbers through: a string or a boolean is not an amount."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic turns a ValueError into a field's error
    return Decimal(value)


class CreatePaymentIntentRequest(Body):
    """A customer wants to pay a booking."""

    booking_id: str = Field(examples=["b-1001"])
    amount: Annotated[Decimal, BeforeValidator(json_number)] = Field(
        description="Major units: 450.99", examples=[450.99], json_schema_extra={"type": "number"}
    )
    currency: str = Field(description="ISO code, any case", examples=["USD"])


class ConfirmPaymentRequest(Body):
    """A customer asks whether a PaymentIntent paid a booking."""

    payment_intent_id: str = Field(examples=["pi_3Pabc12345678"])
    booking_id: str = Field(examples=["b-1001"])


class PaymentIntentData(Body):
    """The PaymentIntent to pay."""

    payment_intent_id: str
    client_secret: str
    status: IntentStatus
    amount: float
    currency: str


class BookingData(Body):
    """A booking."""

    booking_id: str
    amount: float
    currency: str
    status: BookingStatus


class CompletedData(Body):
    """The payment is collected."""

    payment_status: Literal["completed"]
    booking_status: BookingStatus
    booking: BookingData


class NotCompletedData(Body):
    """The payment is not collected yet; a declined card says why."""

    payment_status: IntentStatus
    message: str
    client_secret: str | None
    error_code: str | None = Field(default=None, alias="error_code")
    decline_code: str | None = Field(default=None, alias="decline_code")
    error_message: str | None = Field(default=None, alias="error_message")


class StatusData(Body):
    """How a booking and its payment stand."""

    payment_status: PaymentStatus
    booking_status: BookingStatus
    stripe_status: IntentStatus | None


class WebhookData(Body):
    """What became of an event."""

    received: Literal[True]
    outcome: EventOutcome


class PaymentIntentAnswer(Body):
    """Answer of create-payment-intent."""

    success: Literal[True]
    data: PaymentIntentData


class CompletedAnswer(Body):
    """Answer of confirm-payment when the money is collected."""

    success: Literal[True]
    data: CompletedData


class NotCompletedAnswer(Body):
    """Answer of confirm-payment when it is not."""

    success: Literal[False]
    data: NotCompletedData


class StatusAnswer(Body):
    """Answer of status."""

    success: Literal[True]
    data: StatusData


class WebhookAnswer(Body):
    """Answer of webhook."""

    success: Literal[True]
    data: WebhookData


class ErrorItem(Body):
    """One thing that is wrong with one field."""

    field: str
    reason: str


class ErrorData(Body):
    """Which error it is."""

    error_code: str = Field(alias="error_code")
    error_message: str = Field(alias="error_message")
    decline_code: str | None = Field(default=None, alias="decline_code")
    errors: list[ErrorItem] | None = None


class ErrorAnswer(Body):
    """Every error."""

    success: Literal[False]
    message: str
    data: ErrorData


# The errors that each endpoint answers, for the OpenAPI page: status to codes.
_AUTHORISED: Final = {
    400: ["invalid_request"],
    401: ["unauthorized"],
    404: ["booking_not_found"],
    500: ["misconfigured", "internal_error"],
    503: ["stripe_unavailable", "storage_unavailable", "busy"],
}
ERRORS: Final[Mapping[str, Mapping[int, list[str]]]] = {
    CREATE_PATH: {
        **_AUTHORISED,
        400: ["invalid_request", "amount_too_small", "amount_too_large"],
        402: ["card_declined", "Stripe's own code"],
        409: [
            "booking_already_paid",
            "booking_not_payable",
            "payment_in_review",
            "amount_mismatch",
            "currency_mismatch",
        ],
        413: ["payload_too_large"],
        422: ["idempotency_key_reused"],
    },
    CONFIRM_PATH: {
        **_AUTHORISED,
        409: ["payment_intent_mismatch", "payment_in_review"],
        413: ["payload_too_large"],
    },
    STATUS_PREFIX: {**_AUTHORISED, 503: ["storage_unavailable"], 500: ["internal_error"]},
    WEBHOOK_PATH: {
        400: ["invalid_signature"],
        413: ["payload_too_large"],
        500: ["misconfigured", "internal_error"],
        503: ["stripe_unavailable", "storage_unavailable", "busy"],
    },
}


def openapi_body(model: type[Body]) -> dict[str, object]:
    """Return the request body of an endpoint, as OpenAPI shows it."""
    return {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}


def openapi_errors(path: str) -> dict[int | str, dict[str, Any]]:
    """Return the error responses of an endpoint, as FastAPI's `responses=` takes them."""
    return {
        status: {"model": ErrorAnswer, "description": " · ".join(codes)}
        for status, codes in sorted(ERRORS[path].items())
    }
