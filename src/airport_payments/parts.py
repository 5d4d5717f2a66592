"""What gateways and endpoints are built of, checked when they are built: a part of the other colour fails at each use."""

import inspect
from typing import Final

from airport_payments.core.errors import ConfigurationError
from airport_payments.settings import StripeSettings

REPOSITORY_METHODS: Final = ("get", "find", "save", "due", "history")


def check_gateway_parts(repository: object, settings: object, http_client: object, *, asynchronous: bool) -> None:
    """Raise `ConfigurationError` for a repository, settings or an httpx client that a gateway cannot work with."""
    missing = [name for name in REPOSITORY_METHODS if not callable(getattr(repository, name, None))]
    if missing:
        raise ConfigurationError(
            f"repository: {type(repository).__name__} is no BookingRepository: it has no method {', '.join(missing)}"
        )
    # One async method tells: where a repository is wrapped, those of its methods that are plain may return awaitables.
    is_async = any(_is_async(getattr(repository, name), wrapped=asynchronous) for name in REPOSITORY_METHODS)
    _check_colour("repository", repository, is_async=is_async, asynchronous=asynchronous)
    if not isinstance(settings, StripeSettings):
        raise ConfigurationError("settings: a StripeSettings, such as StripeSettings.from_env()")
    if http_client is None:
        return
    request = getattr(http_client, "request", None)
    if not callable(request):
        wanted = "httpx.AsyncClient" if asynchronous else "httpx.Client"
        raise ConfigurationError(f"http_client: an {wanted}, or None")
    _check_colour(
        "http_client", http_client, is_async=_is_async(request, wrapped=asynchronous), asynchronous=asynchronous
    )


def check_endpoint_parts(gateway: object, authenticator: object, options: object, *, asynchronous: bool) -> None:
    """Raise `ConfigurationError` for a gateway, a login or options that the endpoints cannot work with."""
    status = getattr(gateway, "payment_status", None)
    if not callable(status):
        wanted = "an AsyncPaymentGateway" if asynchronous else "a PaymentGateway"
        raise ConfigurationError(f"gateway: {wanted}, not {type(gateway).__name__}")
    _check_colour("gateway", gateway, is_async=_is_async(status, wrapped=asynchronous), asynchronous=asynchronous)
    for name, function in (("authenticator", authenticator), ("options", options)):
        if function is None and name == "options":
            continue
        if not callable(function) or _is_async(function, wrapped=asynchronous) is not asynchronous:
            wanted = "an async function: these endpoints are async" if asynchronous else "a plain function"
            raise ConfigurationError(f"{name}: it has to be {wanted}")


def _check_colour(name: str, part: object, *, is_async: bool, asynchronous: bool) -> None:
    if is_async is asynchronous:
        return
    said, fits = ("async", "Async") if is_async else ("not async", "")
    raise ConfigurationError(
        f"{name}: {type(part).__name__} is {said}: it works with {fits}PaymentGateway and {fits}PaymentEndpoints"
    )


def _is_async(function: object, *, wrapped: bool) -> bool:
    """Return whether a call has to be awaited, as far as can be seen; an object may have an `async def __call__`.

    Args:
        function: what is called.
        wrapped: whether a plain function around an async one counts as async: it may return what that returns.
    """
    if wrapped and callable(function):
        function = inspect.unwrap(function)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
