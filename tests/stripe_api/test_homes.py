"""Connections to Stripe stay in the process, and on the event loop, that opened them: else answers go to the wrong asker."""

import asyncio
import gc
import json
import subprocess
import sys
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from tests.stripe_api.objects import RETRIEVE, stripe_intent
from tests.support import API_KEY, WEBHOOK_SECRET

from airport_payments.core.errors import ConfigurationError
from airport_payments.core.facts import IntentSeen
from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.port import StripePort
from airport_payments.stripe_api.port_async import AsyncStripePort
from airport_payments.waiting_async import AsyncWaker

ANSWER = json.dumps(stripe_intent()).encode()


class Server(ThreadingHTTPServer):
    """Answers every call with a PaymentIntent, keeps connections alive, and notes on which of them each call came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, int]] = []
        self.base = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that were reset."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(self.client_address)
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(server) -> StripeSettings:
    return StripeSettings(API_KEY, WEBHOOK_SECRET, api_base=server.base)


def forked(base: str, colour: str, owner: str) -> list[str]:
    """Return what a program printed that calls Stripe before a fork, in the child, and in the parent again."""
    program = [sys.executable, "-m", "tests.stripe_api.forked", base, colour, owner]
    return subprocess.run(program, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()


@pytest.mark.parametrize("colour", ["sync", "async"])
class TestAfterAFork:
    def test_the_child_opens_connections_of_its_own_and_leaves_its_parents_alone(self, server, colour) -> None:
        assert forked(server.base, colour, "owned") == ["IntentSeen"] * 3
        before, child, after = server.seen
        assert before == after
        assert child != before

    def test_a_lock_that_another_thread_of_the_parent_held_keeps_no_child_waiting(self, server, colour) -> None:
        assert forked(server.base, colour, "locked") == ["IntentSeen"] * 3

    def test_an_injected_client_that_the_parent_used_is_refused(self, server, colour) -> None:
        before, child, after = forked(server.base, colour, "given")
        assert (before, after) == ("IntentSeen", "IntentSeen")
        assert "forked" in child
        assert len(server.seen) == 2


class TestSeveralEventLoops:
    def test_each_has_connections_of_its_own(self, server, settings) -> None:
        port = AsyncStripePort(settings)

        async def call() -> None:
            assert isinstance(await port.perform(RETRIEVE), IntentSeen)

        async def twice() -> None:
            await call()
            await call()
            await port.close()

        for _ in range(2):
            asyncio.run(twice())
        threads = [threading.Thread(target=asyncio.run, args=(twice(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(server.seen.count(one) for one in set(server.seen)) == [2, 2, 2, 2]

    def test_those_of_loops_that_ended_are_let_go(self, settings) -> None:
        port = AsyncStripePort(settings, client=None, transport=Silent())
        for _ in range(5):
            asyncio.run(port.perform(RETRIEVE))
        assert len(port._stripe) == 1

    def test_to_close_closes_what_this_loop_opened(self, server, settings) -> None:
        port = AsyncStripePort(settings)

        async def call(*, close: bool) -> None:
            assert isinstance(await port.perform(RETRIEVE), IntentSeen)
            if close:
                await port.close()

        with asyncio.Runner() as first, asyncio.Runner() as second:
            for runner, close in ((first, False), (second, True), (first, False), (second, True), (first, True)):
                runner.run(call(close=close))
        one, two, three, four, five = server.seen
        assert one == three == five
        assert len({one, two, four}) == 3

    def test_an_injected_client_of_another_loop_is_refused_in_words(self, server, settings) -> None:
        port = AsyncStripePort(settings, client=httpx.AsyncClient(trust_env=False))
        with asyncio.Runner() as runner:
            runner.run(port.perform(RETRIEVE))
        with asyncio.Runner() as runner, pytest.raises(ConfigurationError, match="event loop"):
            runner.run(port.perform(RETRIEVE))
        with warnings.catch_warnings():
            # Nobody can close a connection whose loop has ended: what its caller did wrong, Python says as well.
            warnings.simplefilter("ignore", ResourceWarning)
            del port
            gc.collect()


def test_an_injected_client_that_was_closed_is_refused_in_words(settings) -> None:
    client = httpx.Client(trust_env=False)
    client.close()
    with pytest.raises(ConfigurationError, match="closed"):
        StripePort(settings, client=client).perform(RETRIEVE)


class TestWaker:
    def test_it_wakes_workers_on_several_loops_from_any_thread(self) -> None:
        waker = AsyncWaker()
        ready, woken = threading.Barrier(3), []

        async def work() -> None:
            waker.clear()
            ready.wait(60)
            await waker.wait(3600)
            woken.append(True)

        threads = [threading.Thread(target=asyncio.run, args=(work(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        ready.wait(60)
        waker.set()
        for thread in threads:
            thread.join(60)
        assert woken == [True, True]

    def test_it_outlives_a_loop(self) -> None:
        waker = AsyncWaker()

        async def work() -> None:
            waker.clear()
            asyncio.get_running_loop().call_soon(waker.set)
            await waker.wait(3600)

        for _ in range(3):
            asyncio.run(work())
            waker.set()  # with no loop at all
        assert len(waker._events) == 1


class Silent:
    """A transport of stripe-python's that says that there is no network."""

    name = "silent"

    async def request_async(self, *_: object) -> None:
        import stripe

        raise stripe.APIConnectionError("none")
