"""A stand-in for the airport's booking service. NOT part of the library."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps

from flask import Blueprint, Response, request

from airport_payments import BookingStatus, PaymentGateway, StorageUnavailable, TryAgain
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
        owner = caller()
        airport.cancellable(airport.own(bookings.booking(booking_id), owner))
        bookings.set_booking_status(booking_id, BookingStatus.CANCELLED)
        with suppress(TryAgain):  # at once; what it cannot do now, its worker finds later
            gateway.booking_changed(booking_id)
        return airport.shown(airport.own(bookings.booking(booking_id), owner))

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
