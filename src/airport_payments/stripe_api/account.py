"""What a check of the set-up asks Stripe: whether it answers this key, what time it is there, which webhooks there are."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.bodies import HeldBody
from airport_payments.stripe_api.client import stripe_client, timeout_of

if TYPE_CHECKING:
    from types import TracebackType

    import httpx
    import stripe

T = TypeVar("T")

# What the gateway reads at Stripe, and what for. Each is asked for one object, which costs Stripe nothing.
READS: Final = {
    "/v1/payment_intents": "to look after payments of which no webhook came",
    "/v1/refunds": "to see refunds that were made in the dashboard",
    "/v1/disputes": "to see disputes",
    "/v1/events": "for reconcile, to find events that were not delivered",
}
# Stripe allows 16 endpoints in an account; a page has at most 100.
_PAGE: Final = 100


class _EndpointDict(TypedDict):
    id: str
    url: str
    status: str
    livemode: bool
    enabled_events: list[str]
    api_version: str | None


class _EndpointsDict(TypedDict):
    data: list[_EndpointDict]


_ENDPOINTS: Final = TypeAdapter(_EndpointsDict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint of the account. `events` may hold `*`; `api_version` is None for the account's own."""

    id: str
    url: str
    enabled: bool
    livemode: bool
    events: tuple[str, ...]
    api_version: str | None


@dataclass(frozen=True, slots=True)
class Said(Generic[T]):
    """What Stripe said.

    Args:
        status: the HTTP status, None when there was no answer.
        found: what was asked for, None if it is not to be had.
        reason: why not, for people; nothing of the key or the request.
        date: Stripe's clock, to the second.
        ahead_s: how far our own clock is ahead of it.
    """

    status: int | None
    found: T | None = None
    reason: str = ""
    date: datetime | None = None
    ahead_s: float | None = None


def pinned_version() -> str:
    """Return the API version that stripe-python asks in."""
    import stripe  # noqa: PLC0415 - importing the library must not load it

    return str(stripe.api_version)


class Account:
    """Asks Stripe with these settings. A context manager; nothing is retried.

    Args:
        settings: key, address and time-outs.
        client: the httpx client to use; it stays the caller's to close. None: one of ours.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        settings: StripeSettings,
        client: "httpx.Client | None" = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        import httpx  # noqa: PLC0415 - importing the library must not load it

        from airport_payments.stripe_api.http_client import HttpxTransport  # noqa: PLC0415 - loads stripe-python

        self._owned = httpx.Client(timeout=timeout_of(settings)) if client is None else None
        self._clock = clock
        transport = HttpxTransport(client=client or self._owned)
        self._stripe: stripe.StripeClient = stripe_client(settings, transport)
        # The endpoints that hear of a connected account are the platform's.
        ours = settings.stripe_account is None
        self._platform = self._stripe if ours else stripe_client(replace(settings, stripe_account=None), transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: "type[BaseException] | None", error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        if self._owned is not None:
            self._owned.close()

    def may_read(self, path: str) -> Said[bool]:
        """Ask for one object of a list, and for no more than whether it may be read."""
        return self._ask(path, {"limit": 1}, lambda _body: True)

    def endpoints(self) -> Said[tuple[Endpoint, ...]]:
        """Return the webhook endpoints of the key's own account, of the key's mode."""
        return self._ask("/v1/webhook_endpoints", {"limit": _PAGE}, _read_endpoints, self._platform)

    def _ask(
        self,
        path: str,
        params: dict[str, int],
        read: Callable[[str | bytes], T],
        client: "stripe.StripeClient | None" = None,
    ) -> Said[T]:
        import stripe  # noqa: PLC0415 - importing the library must not load it

        began = self._clock()
        try:
            response = (client or self._stripe).raw_request("get", path, **params)
        except stripe.StripeError as error:
            if error.http_status is None:
                return Said(None, reason=str(error.user_message or type(error).__name__)[:200])
            date, ahead_s = self._compared(error.headers or {}, began)
            return Said(error.http_status, reason=f"HTTP {error.http_status}", date=date, ahead_s=ahead_s)
        date, ahead_s = self._compared(response.headers, began)
        body = response.body
        try:
            found = read(body.content if isinstance(body, HeldBody) else b"")
        except ValidationError:
            return Said(response.code, reason="an answer that cannot be read", date=date, ahead_s=ahead_s)
        return Said(response.code, found, date=date, ahead_s=ahead_s)

    def _compared(self, headers: Mapping[str, str], began: float) -> tuple[datetime | None, float | None]:
        """Return Stripe's clock, and how far ours is ahead: not counting what the call took, nor the cut-off second."""
        text = next((value for name, value in headers.items() if name.lower() == "date"), "")
        try:
            date = parsedate_to_datetime(text).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            return None, None
        theirs = date.timestamp()
        if began > theirs + 1:
            return date, began - theirs - 1
        return date, min(self._clock() - theirs, 0.0)


def _read_endpoints(body: str | bytes) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(
            id=given["id"],
            url=given["url"],
            enabled=given["status"] == "enabled",
            livemode=given["livemode"],
            events=tuple(given["enabled_events"]),
            api_version=given["api_version"],
        )
        for given in _ENDPOINTS.validate_json(body)["data"]
    )
