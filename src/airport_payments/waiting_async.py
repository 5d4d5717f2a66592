"""Waiting for an asyncio.Event. A file of its own, so that a synchronous program does not load asyncio."""

import asyncio


async def wait_async(event: asyncio.Event, timeout_s: float) -> None:
    """Wait until the event is set, at most `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
