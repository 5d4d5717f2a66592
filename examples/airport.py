"""A stand-in for the airport's own services: who the caller is, and what the airport sells.

NOT part of the library. Your service has its own login and its own bookings; replace this file with them.
"""

import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import jwt
from pydantic import BeforeValidator, Field

from airport_payments import (
    Booking,
    BookingAlreadyPaid,
    BookingNotFound,
    BookingNotPayable,
    Cancellation,
    CancelOutcome,
    ConfigurationError,
    HistoryLine,
    Money,
    RefundReport,
    Unauthorized,
)
from airport_payments.contract import Response, answer, booking_data, error_answer, money, parse
from airport_payments.contract_models import Body, json_number
from airport_payments.core.errors import InternalError, InvalidRequest, MethodNotAllowed, NoSuchEndpoint

from . import story

Amount = Annotated[Decimal, BeforeValidator(json_number)]
LONGEST_HOLD_S = 24 * 3600


class NewBooking(Body):
    """What a customer books. A real airport looks the price up; here the caller names it."""

    amount: Amount
    currency: str
    hold_seconds: int | None = Field(default=None, ge=1, le=LONGEST_HOLD_S)


class RefundRequest(Body):
    """What staff give back. Without an amount it is all that is left."""

    request_id: str
    amount: Amount | None = None


class Tokens:
    """Reads the customer's id from a JWT: HS256 with `JWT_SECRET`, `sub` and `exp` required."""

    def __init__(self) -> None:
        self._secret = os.environ.get("JWT_SECRET", "")
        if len(self._secret.encode()) < 32:
            raise ConfigurationError("JWT_SECRET has to be set, with 32 bytes or more")

    def customer(self, token: str) -> str:
        """Return the customer's id. Raises `Unauthorized` for a token that is not good."""
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], options={"require": ["sub", "exp"]})
        except (jwt.PyJWTError, OverflowError):  # OverflowError: an `exp` of 1e999
            raise Unauthorized from None
        customer = claims["sub"]
        if not isinstance(customer, str) or not 0 < len(customer) <= 255:
            raise Unauthorized
        return customer

    async def customer_async(self, token: str) -> str:
        """The same, for the async endpoints. Reading a token waits for nothing."""
        return self.customer(token)


def database_url(*, asynchronous: bool = False) -> str:
    """Return the SQLAlchemy URL that `DATABASE_URL` names, for a driver of the colour asked for."""
    url = os.environ.get("DATABASE_URL") or "sqlite:///airport.db"
    return url.replace("sqlite://", "sqlite+aiosqlite://", 1) if asynchronous else url


def new_booking(owner: str, body: bytes) -> Booking:
    """Return the booking that a request describes. Raises `InvalidRequest`."""
    asked = parse(body, NewBooking)
    held = None if asked.hold_seconds is None else datetime.now(UTC) + timedelta(seconds=asked.hold_seconds)
    return Booking(f"b-{secrets.token_hex(6)}", owner, money(asked.amount, asked.currency), hold_until=held)


def own(booking: Booking | None, owner: str) -> Booking:
    """Return the booking if it is this customer's. Raises `BookingNotFound`."""
    if booking is None or booking.owner != owner:
        raise BookingNotFound
    return booking


def refund_of(booking: Booking, body: bytes) -> tuple[str, Money | None]:
    """Return the request's own id and the amount, None for all that is left. Raises `InvalidRequest`."""
    asked = parse(body, RefundRequest)
    return asked.request_id, None if asked.amount is None else money(asked.amount, booking.price.currency)


def booked(booking: Booking) -> Response:
    """Answer a new booking."""
    return answer(201, {"success": True, "data": {"bookingId": booking.id}})


def shown(booking: Booking, **more: object) -> Response:
    """Answer with a booking, and until when it is held if it is."""
    if booking.hold_until is not None:
        more["holdUntil"] = booking.hold_until.isoformat()
    return answer(200, {"success": True, "data": {**booking_data(booking), **more}})


def cancelled(result: Cancellation) -> Response:
    """Answer a cancellation: the booking, and an `outcome` where the payment was faster (`paid`, `processing`)."""
    if result.outcome is CancelOutcome.CANCELLED:
        return shown(result.booking)
    return shown(result.booking, outcome=result.outcome)


def not_cancelled(error: BookingAlreadyPaid) -> Response:
    """Answer a cancellation that comes too late. This booking service has a word of its own for it."""
    return error_answer(BookingNotPayable(str(error)))


def refunded(refund: RefundReport) -> Response:
    """Answer a refund: how it stands, and what is left of the payment."""
    data = {
        "refundId": refund.refund_id,
        "amount": float(refund.amount.to_major()),
        "left": float(refund.rest.to_major()),
        "currency": refund.amount.currency,
        "refundStatus": refund.state,
        "bookingStatus": refund.booking_status,
    }
    return answer(200, {"success": True, "data": data})


def history(lines: Sequence[HistoryLine]) -> Response:
    """Answer with what happened to a booking, in plain words."""
    return answer(200, {"success": True, "data": {"history": story.told(lines)}})


def page_settings() -> Response:
    """Answer what a page needs to know before it loads Stripe.js."""
    return answer(200, {"success": True, "data": {"publishableKey": os.environ.get("STRIPE_PUBLISHABLE_KEY", "")}})


def refused(status: int, allow: str) -> Response:
    """Answer a request that the framework refused: nothing is served there, or not to this method."""
    if status == 404:
        return error_answer(NoSuchEndpoint())
    if status == 405:
        return error_answer(MethodNotAllowed(allow))
    if status < 500:
        return error_answer(InvalidRequest())
    return error_answer(InternalError())


def health(*, up: bool) -> Response:
    """Answer whether the database answers."""
    return answer(200 if up else 503, {"success": up, "data": {"database": "up" if up else "down"}})
