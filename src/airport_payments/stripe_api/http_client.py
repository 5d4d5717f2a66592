"""stripe-python's transport over an httpx client that is injected or ours.

stripe-python's own `HTTPXClient` accepts no client, breaks with proxies and reports every exception as a network failure.
"""

import json
from collections.abc import Mapping
from typing import Final, NoReturn, cast

import httpx
import stripe

from airport_payments.core.errors import ConfigurationError
from airport_payments.core.secret import Secret
from airport_payments.stripe_api.bodies import HeldBody, KeyedHeaders, QuietBody

# What stripe-python reads of an error that is none of Stripe's: it then goes by the status and the headers.
NO_WORDS: Final = '{"error": {}}'


class QuietTransport(stripe.HTTPClient):
    """Sends through another transport with the API key, and gives stripe-python bodies that do not show themselves."""

    name = "quiet"

    def __init__(self, inner: stripe.HTTPClient, key: Secret) -> None:
        super().__init__()
        self._inner = inner
        self._key = key
        # stripe-python tells Stripe which library sends.
        self.name = inner.name  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: object = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send one request and return body, status and headers."""
        keyed = KeyedHeaders.of(headers, self._key)
        body, status, answered = self._inner.request(method, url, keyed, post_data)
        return _quiet(body, status), status, answered

    async def request_async(  # type: ignore[override]  # the base says bytes, and reads whatever it gets as text
        self, method: str, url: str, headers: Mapping[str, str], post_data: object = None
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send one request and return body, status and headers."""
        keyed = KeyedHeaders.of(headers, self._key)
        body, status, answered = await self._inner.request_async(method, url, keyed, post_data)
        return _quiet(body, status), status, answered


def _quiet(body: str | bytes, status: int) -> QuietBody:
    if 200 <= status < 300:
        return HeldBody.of(body)
    # stripe-python reads errors itself, to know what to raise.
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    return QuietBody(text if _is_an_error(text) else NO_WORDS)


def _is_an_error(text: str) -> bool:
    """Return whether this is an error as Stripe writes it. Proxies answer otherwise, and stripe-python breaks on a few."""
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(cast("dict[str, object]", document).get("error"), dict)


class HttpxTransport(stripe.HTTPClient):
    """Sends what stripe-python asks for over one httpx client of each colour; either may be missing."""

    name = "httpx"

    def __init__(self, client: httpx.Client | None = None, async_client: httpx.AsyncClient | None = None) -> None:
        super().__init__()
        self._client = client
        self._async_client = async_client

    def request(  # type: ignore[override]  # the base says text; stripe-python reads bytes as well
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: object = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request and return body, status and headers. Network failures become `APIConnectionError`."""
        if self._client is None:
            raise RuntimeError("an async gateway has no synchronous client")
        try:
            response = self._client.request(method, url, headers=headers, content=_content(post_data))
        except httpx.RequestError as error:
            _raise_connection_error(error)
        except RuntimeError as error:
            _raise_unusable(error)
        return response.content, response.status_code, response.headers

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: object = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request and return body, status and headers. Network failures become `APIConnectionError`."""
        if self._async_client is None:
            raise RuntimeError("a synchronous gateway has no async client")
        try:
            response = await self._async_client.request(method, url, headers=headers, content=_content(post_data))
        except httpx.RequestError as error:
            _raise_connection_error(error)
        except RuntimeError as error:
            _raise_unusable(error)
        return response.content, response.status_code, response.headers


def _content(post_data: object) -> bytes | None:
    return post_data.encode("utf-8") if isinstance(post_data, str) else cast("bytes | None", post_data)


def _raise_connection_error(error: httpx.RequestError) -> NoReturn:
    """Say what kind of failure it was, and nothing of the request: httpx errors hold its headers, the key among them."""
    message = f"no answer from Stripe ({type(error).__name__})"
    raise stripe.APIConnectionError(message) from None  # type: ignore[no-untyped-call]  # stripe-python leaves it untyped


def _raise_unusable(error: RuntimeError) -> NoReturn:
    """Say what httpx means by a RuntimeError: a client that was closed, or whose connections are of another event loop."""
    raise ConfigurationError(
        "http_client: the httpx client cannot be used any more: it was closed, or its connections belong to another event"
        " loop. Give each event loop a client and a gateway of its own, or let the gateway own its client"
    ) from error
