"""httpx transports that reach the fake without a socket."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import httpx

from airport_payments.testing.fake_stripe.constants import FAULT_MAX_DELAY_SECONDS
from airport_payments.testing.fake_stripe.faults import FakeConnectionLostError, FakeReadTimeoutError

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.api import Api, Exchange, FakeResponse


class FakeTransport(httpx.BaseTransport):
    """For `httpx.Client`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or raise what httpx raises when there is no answer."""
        exchange = _opened(self._api, request, request.read())
        pause(exchange)
        return _closed(self._api, exchange, request)


class FakeAsyncTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient`. It leaves the event loop only where a fault makes it wait."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or raise what httpx raises when there is no answer."""
        exchange = _opened(self._api, request, await request.aread())
        if exchange.wait_seconds or exchange.gate:
            await asyncio.to_thread(pause, exchange)
        return _closed(self._api, exchange, request)


def pause(exchange: Exchange) -> None:
    """Wait as long as a fault says."""
    if exchange.gate is not None:
        exchange.gate.wait(FAULT_MAX_DELAY_SECONDS)
    if exchange.wait_seconds:
        # An event that nobody sets: unlike time.sleep, tests don't patch it.
        threading.Event().wait(exchange.wait_seconds)


def _opened(api: Api, request: httpx.Request, body: bytes) -> Exchange:
    return api.open(request.method, request.url.raw_path.decode("ascii"), dict(request.headers), body)


def _closed(api: Api, exchange: Exchange, request: httpx.Request) -> httpx.Response:
    try:
        answer: FakeResponse = api.close(exchange)
    except FakeConnectionLostError as error:
        raise httpx.ConnectError(str(error), request=request) from error
    except FakeReadTimeoutError as error:
        raise httpx.ReadTimeout(str(error), request=request) from error
    return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body, request=request)
