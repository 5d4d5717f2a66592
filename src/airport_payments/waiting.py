"""Waiting for an event at most so long, in both colours."""

import asyncio
import threading


def wait(event: threading.Event, timeout_s: float) -> None:
    """Wait until the event is set, at most `timeout_s`."""
    event.wait(timeout_s)


async def wait_async(event: asyncio.Event, timeout_s: float) -> None:
    """Wait until the event is set, at most `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
