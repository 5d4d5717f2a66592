"""A program that calls Stripe, forks, and calls again in the child and then in the parent: `forked BASE COLOUR CLIENT`.

It prints what came of each of the three calls. `CLIENT` is "owned", "given", or "locked": owned, and at the moment of the fork
another thread holds the locks of the port and its circuit.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import httpx
from tests.stripe_api.objects import RETRIEVE
from tests.support import API_KEY, WEBHOOK_SECRET

from airport_payments.core.errors import ConfigurationError
from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.port import StripePort
from airport_payments.stripe_api.port_async import AsyncStripePort


@contextmanager
def held(*locks: threading.Lock) -> Iterator[None]:
    """Let another thread hold locks meanwhile."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            taken.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(60)
    try:
        yield
    finally:
        done.set()
        thread.join()


def in_child(call: Callable[[], None]) -> None:
    """Make a call in a forked process, and wait for that to end as Python does, with everything let go."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)  # a child that waits for ever ends
        call()
        sys.exit()
    os.waitpid(pid, 0)


def main() -> None:
    base, colour, owner = sys.argv[1:]
    settings = StripeSettings(API_KEY, WEBHOOK_SECRET, api_base=base)
    if colour == "sync":
        client = httpx.Client(trust_env=False) if owner == "given" else None
        port = StripePort(settings, client=client)

        def call() -> None:
            try:
                print(type(port.perform(RETRIEVE)).__name__, flush=True)
            except ConfigurationError as error:
                print(error, flush=True)

        call()
        with held(port._lock, port._circuit._lock) if owner == "locked" else nullcontext():
            in_child(call)
        call()
        return

    async_client = httpx.AsyncClient(trust_env=False) if owner == "given" else None
    async_port = AsyncStripePort(settings, client=async_client)

    async def call_async() -> None:
        try:
            print(type(await async_port.perform(RETRIEVE)).__name__, flush=True)
        except ConfigurationError as error:
            print(error, flush=True)

    with asyncio.Runner() as runner:
        runner.run(call_async())
        with held(async_port._lock, async_port._circuit._lock) if owner == "locked" else nullcontext():
            in_child(lambda: asyncio.run(call_async()))
        runner.run(call_async())


if __name__ == "__main__":
    main()
