"""A stand-in for the airport's booking service. NOT part of the library."""

from collections.abc import Callable
from functools import wraps

from flask import Blueprint, Response, request

from airport_payments import BookingAlreadyPaid, PaymentGateway, StorageUnavailable
from airport_payments.contract import Headers, bearer_token, error_answer
from airport_payments.contract import Response as Answer
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

from .. import airport


def served(view: Callable[..., Answer]) -> Callable[..., Response]:
    """Send what a view answers; its errors in the contract's envelope."""

    @wraps(view)
    def serve(**path: str) -> Response:
        try:
            result = view(**path)
        except Exception as error:
            result = error_answer(error)
        return Response(result.body, result.status, list(result.headers))

    return serve


def stand_in(bookings: SqlAlchemyBookingRepository, gateway: PaymentGateway, tokens: airport.Tokens) -> Blueprint:
    """Return the routes of a small booking service, and of /config and /health."""
    routes = Blueprint("stand_in", __name__)

    def caller() -> str:
        return tokens.customer(bearer_token(Headers(request.headers.items())))

    @routes.post("/bookings")
    @served
    def book() -> Answer:
        booking = airport.new_booking(caller(), request.get_data())
        bookings.add_booking(booking)
        return airport.booked(booking)

    @routes.get("/bookings/<booking_id>")
    @served
    def show(booking_id: str) -> Answer:
        owner = caller()
        return airport.shown(airport.own(bookings.booking(booking_id), owner))

    @routes.post("/bookings/<booking_id>/cancel")
    @served
    def cancel(booking_id: str) -> Answer:
        try:
            return airport.cancelled(gateway.cancel(booking_id, owner=caller()))
        except BookingAlreadyPaid as error:
            return airport.not_cancelled(error)

    # These two are for staff. A real airport guards them with a login of theirs; here the booking's owner plays staff.

    @routes.post("/bookings/<booking_id>/refund")
    @served
    def refund(booking_id: str) -> Answer:
        owner = caller()
        booking = airport.own(bookings.booking(booking_id), owner)
        request_id, amount = airport.refund_of(booking, request.get_data())
        return airport.refunded(gateway.refund(booking_id, amount=amount, request_id=request_id, owner=owner))

    @routes.get("/bookings/<booking_id>/history")
    @served
    def history(booking_id: str) -> Answer:
        return airport.history(gateway.history(booking_id, owner=caller()))

    @routes.get("/config")
    @served
    def config() -> Answer:
        return airport.page_settings()

    @routes.get("/health")
    @served
    def health() -> Answer:
        try:
            bookings.booking("health")
        except StorageUnavailable:
            return airport.health(up=False)
        return airport.health(up=True)

    return routes
