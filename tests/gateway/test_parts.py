"""What a gateway or endpoints are built of is of their kind and colour, or they say so at once, and not at each customer."""

import asyncio
import functools
import threading

import httpx
import pytest

from airport_payments import (
    AsyncPaymentEndpoints,
    AsyncPaymentGateway,
    Booking,
    ConfigurationError,
    InvalidRequest,
    Money,
    PaymentEndpoints,
    PaymentGateway,
    StripeSettings,
)
from airport_payments.storage.memory import AsyncMemoryBookingRepository, MemoryBookingRepository

SETTINGS = StripeSettings("sk_test_0123", "whsec_0123456789abcdef")
BOOKING = Booking("b-1", "alice", Money(100, "usd"))


def login(token: str) -> str:
    return "alice"


async def login_async(token: str) -> str:
    return "alice"


def plain(bookings=None, **parts) -> PaymentGateway:
    return PaymentGateway(bookings or MemoryBookingRepository([BOOKING]), SETTINGS, **parts)


def asynchronous(bookings=None, **parts) -> AsyncPaymentGateway:
    return AsyncPaymentGateway(bookings or AsyncMemoryBookingRepository([BOOKING]), SETTINGS, **parts)


@pytest.mark.parametrize("build", [plain, asynchronous])
@pytest.mark.parametrize("bookings", [5, "sqlite:///airport.db", object(), MemoryBookingRepository])
def test_what_is_no_repository_is_refused(build, bookings) -> None:
    if bookings is MemoryBookingRepository:
        bookings = type("Half", (), {"get": None, "find": login, "save": login})()
    with pytest.raises(ConfigurationError, match=r"repository: .* no method .*due, history"):
        build(bookings)


def test_a_repository_of_the_other_colour_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="repository: AsyncMemoryBookingRepository is async"):
        plain(AsyncMemoryBookingRepository([BOOKING]))
    with pytest.raises(ConfigurationError, match="repository: MemoryBookingRepository is not async"):
        asynchronous(MemoryBookingRepository([BOOKING]))


def test_an_http_client_that_is_none_or_of_the_other_colour_is_refused() -> None:
    for build in (plain, asynchronous):
        with pytest.raises(ConfigurationError, match="http_client: an httpx"):
            build(http_client="https://proxy.example")
    with pytest.raises(ConfigurationError, match="http_client: AsyncClient is async"):
        plain(http_client=httpx.AsyncClient())
    with httpx.Client() as client, pytest.raises(ConfigurationError, match="http_client: Client is not async"):
        asynchronous(http_client=client)


@pytest.mark.parametrize("settings", [None, "sk_test_0123", {"api_key": "sk_test_canary"}, StripeSettings])
def test_settings_that_are_none_are_refused_without_showing_them(settings) -> None:
    for kind, bookings in (
        (PaymentGateway, MemoryBookingRepository([BOOKING])),
        (AsyncPaymentGateway, AsyncMemoryBookingRepository([BOOKING])),
    ):
        with pytest.raises(ConfigurationError, match="settings: a StripeSettings") as refused:
            kind(bookings, settings)
        assert "sk_test" not in str(refused.value)


def test_endpoints_of_another_colour_than_their_gateway_or_their_login_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="gateway: AsyncPaymentGateway is async"):
        PaymentEndpoints(asynchronous(), login)
    with pytest.raises(ConfigurationError, match="gateway: PaymentGateway is not async"):
        AsyncPaymentEndpoints(plain(), login_async)
    with pytest.raises(ConfigurationError, match="authenticator: it has to be a plain function"):
        PaymentEndpoints(plain(), login_async)
    with pytest.raises(ConfigurationError, match="authenticator: it has to be an async function"):
        AsyncPaymentEndpoints(asynchronous(), login)
    with pytest.raises(ConfigurationError, match="options: it has to be a plain function"):
        PaymentEndpoints(plain(), login, options=login_async)
    with pytest.raises(ConfigurationError, match="options: it has to be an async function"):
        AsyncPaymentEndpoints(asynchronous(), login_async, options=lambda owner, booking_id: None)


@pytest.mark.parametrize("wrong", [None, 5, "alice"])
def test_a_gateway_or_a_login_that_is_none_is_refused(wrong) -> None:
    with pytest.raises(ConfigurationError, match="gateway: a PaymentGateway"):
        PaymentEndpoints(wrong, login)
    with pytest.raises(ConfigurationError, match="gateway: an AsyncPaymentGateway"):
        AsyncPaymentEndpoints(wrong, login_async)
    with pytest.raises(ConfigurationError, match="authenticator"):
        PaymentEndpoints(plain(), wrong)
    with pytest.raises(ConfigurationError, match="authenticator"):
        AsyncPaymentEndpoints(asynchronous(), wrong)


def test_parts_that_are_wrapped_are_taken_as_what_they_wrap() -> None:
    class Traced:
        """Plain methods around async ones."""

        def __init__(self, inner) -> None:
            for name in ("get", "find", "save", "due", "history"):
                method = getattr(inner, name)
                setattr(
                    self, name, functools.wraps(method)(lambda *args, _method=method, **named: _method(*args, **named))
                )

    class Login:
        async def __call__(self, token: str) -> str:
            return "alice"

    gateway = asynchronous(Traced(AsyncMemoryBookingRepository([BOOKING])))
    assert asyncio.run(gateway.payment_status("b-1", owner="alice")).booking_status == "pending"
    for good in (functools.partial(login_async), Login()):
        AsyncPaymentEndpoints(gateway, good)
    PaymentEndpoints(plain(), functools.partial(login))


@pytest.mark.parametrize("stop", [None, 5, lambda: True])
def test_a_worker_that_nobody_could_stop_does_not_start(stop) -> None:
    with pytest.raises(InvalidRequest, match=r"threading\.Event"):
        plain().work(stop)
    with pytest.raises(InvalidRequest, match=r"asyncio\.Event"):
        asyncio.run(asynchronous().work(stop))
    ended = threading.Event()
    ended.set()
    plain().work(ended)
