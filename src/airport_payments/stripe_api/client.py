"""What both colours of the port share: building stripe-python's client, and reading what its calls raise."""

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

from airport_payments.core.errors import ConfigurationError
from airport_payments.stripe_api.bodies import KEY_WITHHELD, HeldBody
from airport_payments.stripe_api.results import ApiResult, Reader, Unreadable, from_headers

if TYPE_CHECKING:
    import asyncio

    import httpx
    import stripe

    from airport_payments.settings import StripeSettings

# Where connections may be used: in the process, and on the event loop, that opened them. After a fork, parent and child
# have the same sockets, and each would read the answers to what the other asked.
Home: TypeAlias = "tuple[int, asyncio.AbstractEventLoop | None]"


def own_home() -> Home:
    """Return where this code runs."""
    return os.getpid(), None


def own_home_async() -> Home:
    """Return where this task runs; without a loop where something else drives it, as trio does."""
    import asyncio  # noqa: PLC0415 - a synchronous program need not load it

    try:
        return os.getpid(), asyncio.get_running_loop()
    except RuntimeError:
        return own_home()


def is_gone(home: Home, here: Home) -> bool:
    """Return whether connections of that home are of no use to anybody: its loop, of this process, is closed.

    Those of a parent process are kept, unused: to let go of them could close what the parent is using.
    """
    pid, loop = home
    return pid == here[0] and loop is not None and loop.is_closed()


def check_process(homes: Iterable[Home], here: Home) -> None:
    """Refuse what was given to us in another process. Raises `ConfigurationError`."""
    if any(pid != here[0] for pid, _ in homes):
        raise ConfigurationError(
            "http_client: the httpx client that was given has been used before this process was forked, and parent and"
            " child would read each other's answers: build the client and the gateway in each process, or give none"
        )


def stripe_client(settings: "StripeSettings", transport: "stripe.HTTPClient") -> "stripe.StripeClient":
    """Return a StripeClient for these settings. Its API version is stripe-python's own pin; it does not retry: we do.

    stripe-python is not given the API key: its objects, log lines and frames would show it. Our transport adds it.
    Every call is for the account that the settings name. Nothing else is to do for it: Stripe keeps idempotency keys, too,
    per account.
    """
    import stripe  # noqa: PLC0415 - importing the library must not load it

    from airport_payments.stripe_api.http_client import QuietTransport  # noqa: PLC0415 - loads stripe-python

    return stripe.StripeClient(
        KEY_WITHHELD,
        stripe_account=settings.stripe_account,
        stripe_context=settings.stripe_context,
        base_addresses={"api": settings.api_base},
        max_network_retries=0,
        http_client=QuietTransport(transport, settings.key),
    )


def loaded_pin() -> str | None:
    """Return the API version that stripe-python asks in, None while nothing has loaded it: for this it is not worth it."""
    # Another thread may be loading it just now: then it is there, and most of it is not.
    found: object = getattr(sys.modules.get("stripe"), "api_version", None)
    return found if isinstance(found, str) else None


def timeout_of(settings: "StripeSettings") -> "httpx.Timeout":
    """Return the time-outs of a client that is ours."""
    import httpx  # noqa: PLC0415 - importing the library must not load it

    return httpx.Timeout(settings.timeout_s)


def result_of_answer(read: Reader, body: object, headers: Mapping[str, str], status: int) -> ApiResult:
    """Return the result of a call that stripe-python took for a success; `body` is what our transport gave it."""
    try:
        found = read(body.content if isinstance(body, HeldBody) else b"")
    except Unreadable as error:
        return from_headers(status, headers, reason=str(error))
    except (ValueError, RecursionError):
        # A success whose body was cut off or is no JSON: it may have happened.
        return ApiResult(None, reason="an answer that cannot be read")
    return from_headers(status, headers, found=found)


def result_of_error(error: "stripe.StripeError") -> ApiResult:
    """Return the result of a call that made stripe-python raise. The error itself, which holds the answer, is let go."""
    status = error.http_status
    if status is None:
        return ApiResult(None, reason=str(error.user_message or type(error).__name__)[:200])
    document: object = error.json_body  # an object always: our transport sees to that
    details = cast("Mapping[str, object]", document).get("error") if isinstance(document, Mapping) else None
    return from_headers(status, error.headers or {}, error=details, reason=f"HTTP {status}")
