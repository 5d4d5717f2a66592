"""The port to Stripe: a command in, a reply out."""

import random
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar

from airport_payments.core.commands import Command, Fetch
from airport_payments.core.facts import PortReply
from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.circuit import Circuit
from airport_payments.stripe_api.client import (
    Home,
    check_process,
    is_gone,
    own_home,
    result_of_answer,
    result_of_error,
    stripe_client,
    timeout_of,
)
from airport_payments.stripe_api.forks import Locked
from airport_payments.stripe_api.lists import ListPage, ListReply, list_page
from airport_payments.stripe_api.results import ApiRequest, ApiResult, retry_delay_s

if TYPE_CHECKING:
    import httpx
    import stripe

R = TypeVar("R")


class StripePort(Locked):
    """Performs commands at Stripe through stripe-python. Safe for threads; loads stripe-python at its first call.

    Args:
        settings: keys, time-outs, tries.
        client: the httpx client to use; it stays the caller's to close, and is of one process. None: one of ours, built at
            the first call, and again in a process that was forked and on another event loop.
        transport: a `stripe.HTTPClient` to use instead of httpx.
        sleep: waits between tries, in seconds.
        clock: a monotonic time in seconds.
        draw: a random number from 0 to 1.
    """

    def __init__(
        self,
        settings: StripeSettings,
        *,
        client: "httpx.Client | None" = None,
        transport: "stripe.HTTPClient | None" = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._given = client
        self._transport = transport
        self._sleep = sleep
        self._clock = clock
        self._draw = draw
        self._circuit = Circuit()
        self._owned: dict[Home, httpx.Client] = {}
        self._stripe: dict[Home, stripe.StripeClient] = {}

    def perform(self, command: Command | Fetch) -> PortReply:
        """Perform a command and return Stripe's reply. Whatever the network does is a reply too: `Unanswered`."""
        from airport_payments.stripe_api.talk import talk  # noqa: PLC0415 - loads pydantic, which importing must not

        return self._converse(talk(command))

    def page(self, command: ListPage) -> ListReply:
        """Return one page of a list of Stripe's, or why there is none."""
        return self._converse(list_page(command))

    def _converse(self, conversation: Generator[ApiRequest, ApiResult, R]) -> R:
        request = next(conversation)
        while True:
            result = self._send(request)
            try:
                request = conversation.send(result)
            except StopIteration as end:
                reply: R = end.value
                return reply

    def close(self) -> None:
        """Close the httpx client, if it is ours and was opened here. A later call opens a new one."""
        here = own_home()
        with self._lock:
            owned = self._owned.pop(here, None)
            if owned is not None:
                del self._stripe[here]
        if owned is not None:
            owned.close()

    def _send(self, request: ApiRequest) -> ApiResult:
        """Send one call, again with the same key while that is worth it."""
        tries = 0
        while True:
            if not self._circuit.may_send(self._clock()):
                return ApiResult(None, reason="Stripe is down: the circuit is open", sent=False)
            result = self._call(request)
            self._circuit.record(self._clock(), down=result.down)
            tries += 1
            delay_s = retry_delay_s(result, tries, self._settings.max_tries, self._draw())
            if delay_s is None:
                return result
            self._sleep(delay_s)

    def _call(self, request: ApiRequest) -> ApiResult:
        import stripe  # noqa: PLC0415 - importing the library must not load it

        here = own_home()
        client = self._stripe.get(here) or self._connect(here)
        try:
            response = client.raw_request(
                request.method, request.path, **request.params, idempotency_key=request.idempotency_key
            )
        except stripe.StripeError as error:
            return result_of_error(error)
        return result_of_answer(request.read, response.body, response.headers, response.code)

    def _connect(self, here: Home) -> "stripe.StripeClient":
        with self._lock:
            found = self._stripe.get(here)
            if found is None:
                if self._given is not None or self._transport is not None:
                    check_process(self._stripe, here)
                for home in [home for home in self._stripe if is_gone(home, here)]:
                    del self._stripe[home]
                    self._owned.pop(home, None)
                transport = self._transport or self._httpx_transport(here)
                found = self._stripe[here] = stripe_client(self._settings, transport)
            return found

    def _httpx_transport(self, here: Home) -> "stripe.HTTPClient":
        import httpx  # noqa: PLC0415 - importing the library must not load it

        from airport_payments.stripe_api.http_client import HttpxTransport  # noqa: PLC0415 - loads stripe-python

        client = self._given
        if client is None:
            client = self._owned[here] = httpx.Client(timeout=timeout_of(self._settings))
        return HttpxTransport(client=client)
