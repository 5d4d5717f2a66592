"""Waiting for a threading.Event."""

import threading


def wait(event: threading.Event, timeout_s: float) -> None:
    """Wait until the event is set, at most `timeout_s`."""
    event.wait(timeout_s)
