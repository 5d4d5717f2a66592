"""A stand-in for the airport's booking service. NOT part of the library."""

from collections.abc import Callable
from functools import wraps

from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from airport_payments import Booking, BookingAlreadyPaid, StorageUnavailable
from airport_payments.contract import Headers, bearer_token, error_answer
from airport_payments.contract import Response as Answer

from .. import airport
from . import models, payments
from .views import sent

View = Callable[..., Answer]


def served(method: str) -> Callable[[View], Callable[..., HttpResponse]]:
    """Serve a view to one method, and send what it answers; its errors in the contract's envelope."""

    def decorated(view: View) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @transaction.non_atomic_requests
        @wraps(view)
        def serve(request: HttpRequest, **parts: str) -> HttpResponse:
            if request.method != method:
                return sent(request, airport.refused(405, method))
            try:
                return sent(request, view(request, **parts))
            except DatabaseError as error:
                return sent(request, error_answer(StorageUnavailable(type(error).__name__)))
            except Exception as error:
                return sent(request, error_answer(error))

        return serve

    return decorated


def caller(request: HttpRequest) -> str:
    """Return who asks. Raises `Unauthorized`."""
    return payments.tokens.customer(bearer_token(Headers(request.headers.items())))


def own(booking_id: str, owner: str) -> Booking:
    """Return a customer's booking. Raises `BookingNotFound`."""
    snapshot = payments.bookings.get(booking_id)
    return airport.own(None if snapshot is None else snapshot.booking, owner)


@served("POST")
def book(request: HttpRequest) -> Answer:
    """Take a booking."""
    new = airport.new_booking(caller(request), request.body)
    models.Booking.objects.create(
        id=new.id, owner=new.owner, amount_minor=new.price.amount_minor, currency=new.price.currency,
        status=new.status.value, hold_until=new.hold_until,
    )  # fmt: skip
    return airport.booked(new)


@served("GET")
def show(request: HttpRequest, booking_id: str) -> Answer:
    """Show a booking."""
    return airport.shown(own(booking_id, caller(request)))


@served("POST")
def cancel(request: HttpRequest, booking_id: str) -> Answer:
    """Cancel a booking."""
    try:
        return airport.cancelled(payments.gateway.cancel(booking_id, owner=caller(request)))
    except BookingAlreadyPaid as error:
        return airport.not_cancelled(error)


# These two are for staff. A real airport guards them with a login of theirs; here the booking's owner plays staff.


@served("POST")
def refund(request: HttpRequest, booking_id: str) -> Answer:
    """Give money back."""
    owner = caller(request)
    request_id, amount = airport.refund_of(own(booking_id, owner), request.body)
    return airport.refunded(payments.gateway.refund(booking_id, amount=amount, request_id=request_id, owner=owner))


@served("GET")
def history(request: HttpRequest, booking_id: str) -> Answer:
    """Tell what happened to a booking."""
    return airport.history(payments.gateway.history(booking_id, owner=caller(request)))


@served("GET")
def config(_request: HttpRequest) -> Answer:
    """Tell the page what it needs."""
    return airport.page_settings()


@served("GET")
def health(_request: HttpRequest) -> Answer:
    """Tell whether the database answers."""
    try:
        models.Booking.objects.filter(pk="health").exists()
    except DatabaseError:
        return airport.health(up=False)
    return airport.health(up=True)


urlpatterns = [
    path("bookings", book),
    path("bookings/<str:booking_id>", show),
    path("bookings/<str:booking_id>/cancel", cancel),
    path("bookings/<str:booking_id>/refund", refund),
    path("bookings/<str:booking_id>/history", history),
    path("config", config),
    path("health", health),
]
