"""What wakes a worker: tasks. A file of its own, so that a synchronous program does not load asyncio."""

import asyncio
from contextlib import suppress


class AsyncWaker:
    """Wakes the workers of a gateway, on whatever event loop each of them runs. `set` may be called from any thread."""

    def __init__(self) -> None:
        # An asyncio.Event belongs to the loop that first waits for it.
        self._events: dict[asyncio.AbstractEventLoop, asyncio.Event] = {}

    def clear(self) -> None:
        """Forget what was said before: the worker is about to look."""
        loop = asyncio.get_running_loop()
        if loop not in self._events:
            self._events = {known: event for known, event in self._events.items() if not known.is_closed()}
            self._events[loop] = asyncio.Event()
        self._events[loop].clear()

    def set(self) -> None:
        """Let the workers go on at once."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        for loop, event in list(self._events.items()):
            if loop is here:
                event.set()
                continue
            with suppress(RuntimeError):  # it was closed meanwhile
                loop.call_soon_threadsafe(event.set)

    async def wait(self, timeout_s: float) -> None:
        """Wait until `set` is called, at most `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._events[asyncio.get_running_loop()].wait()
