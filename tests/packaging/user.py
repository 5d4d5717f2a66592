"""A user's code, which only type checkers read: what the package exports is exported for them too."""

from typing import assert_type

from airport_payments import (
    Booking,
    BookingConfirmed,
    BookingRepository,
    CreatedPayment,
    Money,
    PaymentEndpoints,
    PaymentGateway,
    PaymentsError,
    StripeSettings,
)


def customer_of(token: str) -> str:
    return token


def take_payments(bookings: BookingRepository) -> PaymentEndpoints:
    gateway = PaymentGateway(bookings, StripeSettings.from_env())
    try:
        created = gateway.create_payment("BK-1", owner="customer-1", amount=Money(45099, "usd"))
    except PaymentsError as error:
        raise SystemExit(str(error)) from error
    assert_type(created, CreatedPayment)
    return PaymentEndpoints(gateway, customer_of)


def price_of(booking: Booking, announcement: BookingConfirmed) -> int:
    return booking.price.amount_minor + len(announcement.booking_id)
