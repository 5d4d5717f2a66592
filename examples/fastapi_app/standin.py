"""A stand-in for the airport's booking service. NOT part of the library."""

from collections.abc import Awaitable, Callable
from functools import wraps

from fastapi import APIRouter, Request, Response

from airport_payments import AsyncPaymentGateway, BookingAlreadyPaid, StorageUnavailable
from airport_payments.contract import Headers, bearer_token, error_answer
from airport_payments.contract import Response as Answer
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository

from .. import airport

View = Callable[..., Awaitable[Answer]]


def served(view: View) -> Callable[..., Awaitable[Response]]:
    """Send what a view answers; its errors in the contract's envelope."""

    @wraps(view)
    async def serve(**arguments: object) -> Response:
        try:
            result = await view(**arguments)
        except Exception as error:
            result = error_answer(error)
        return Response(result.body, result.status, dict(result.headers))

    return serve


def stand_in(
    bookings: AsyncSqlAlchemyBookingRepository, gateway: AsyncPaymentGateway, tokens: airport.Tokens
) -> APIRouter:
    """Return the routes of a small booking service, and of /config and /health."""
    router = APIRouter(tags=["stand-in for the airport's own service"])

    async def caller(request: Request) -> str:
        return tokens.customer(bearer_token(Headers(request.headers.items())))

    @router.post("/bookings", status_code=201, response_model=None)
    @served
    async def book(request: Request) -> Answer:
        """Book something: `{amount, currency, holdSeconds?}`."""
        booking = airport.new_booking(await caller(request), await request.body())
        await bookings.add_booking(booking)
        return airport.booked(booking)

    @router.get("/bookings/{booking_id}", response_model=None)
    @served
    async def show(request: Request, booking_id: str) -> Answer:
        """Show one of the caller's bookings."""
        owner = await caller(request)
        return airport.shown(airport.own(await bookings.booking(booking_id), owner))

    @router.post("/bookings/{booking_id}/cancel", response_model=None)
    @served
    async def cancel(request: Request, booking_id: str) -> Answer:
        """Cancel one of the caller's bookings that is not paid."""
        try:
            return airport.cancelled(await gateway.cancel(booking_id, owner=await caller(request)))
        except BookingAlreadyPaid as error:
            return airport.not_cancelled(error)

    # These two are for staff. A real airport guards them with a login of theirs; here the booking's owner plays staff.

    @router.post("/bookings/{booking_id}/refund", response_model=None)
    @served
    async def refund(request: Request, booking_id: str) -> Answer:
        """Staff: give money back: `{requestId, amount?}`."""
        owner = await caller(request)
        booking = airport.own(await bookings.booking(booking_id), owner)
        request_id, amount = airport.refund_of(booking, await request.body())
        return airport.refunded(await gateway.refund(booking_id, amount=amount, request_id=request_id, owner=owner))

    @router.get("/bookings/{booking_id}/history", response_model=None)
    @served
    async def history(request: Request, booking_id: str) -> Answer:
        """Staff: what happened to a booking, in plain words."""
        return airport.history(await gateway.history(booking_id, owner=await caller(request)))

    _add_open_routes(router, bookings)
    return router


def _add_open_routes(router: APIRouter, bookings: AsyncSqlAlchemyBookingRepository) -> None:
    """Add what needs no login."""

    @router.get("/config", response_model=None)
    @served
    async def config() -> Answer:
        """Say what a page needs before it loads Stripe.js."""
        return airport.page_settings()

    @router.get("/health", response_model=None)
    @served
    async def health() -> Answer:
        """Answer 200 when the database answers, else 503."""
        try:
            await bookings.booking("health")
        except StorageUnavailable:
            return airport.health(up=False)
        return airport.health(up=True)
