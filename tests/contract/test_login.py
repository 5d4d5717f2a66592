"""A login that answers anything but a customer's id lets nobody in, and the log says why."""

import json
import logging

import pytest

from airport_payments import Booking, Money, PaymentEndpoints, PaymentGateway, StripeSettings
from airport_payments.storage.memory import MemoryBookingRepository


@pytest.mark.parametrize("answer", [None, "", 5, b"alice"])
def test_what_is_no_customers_id_is_401_even_for_a_booking_without_an_owner(answer, caplog) -> None:
    bookings = MemoryBookingRepository([Booking("b-1", answer, Money(100, "usd"))])
    gateway = PaymentGateway(bookings, StripeSettings("sk_test_0123", "whsec_0123456789abcdef"))
    endpoints = PaymentEndpoints(gateway, lambda token: answer)
    with caplog.at_level(logging.ERROR):
        result = endpoints.handle("GET", "/payment/status/b-1", [("Authorization", "Bearer x")], [])
    assert result.status == 401
    assert json.loads(result.body)["data"]["error_code"] == "unauthorized"
    assert type(answer).__name__ in caplog.text


def test_a_login_whose_work_nobody_awaits_lets_nobody_in() -> None:
    async def login(token: str) -> str:
        return "alice"

    bookings = MemoryBookingRepository([Booking("b-1", "alice", Money(100, "usd"))])
    gateway = PaymentGateway(bookings, StripeSettings("sk_test_0123", "whsec_0123456789abcdef"))
    endpoints = PaymentEndpoints(gateway, lambda token: login(token))
    assert endpoints.handle("GET", "/payment/status/b-1", [("Authorization", "Bearer x")], []).status == 401
