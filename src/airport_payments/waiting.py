"""What wakes a worker: threads."""

import threading


class Waker:
    """Wakes the workers of a gateway. Safe for threads."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def clear(self) -> None:
        """Forget what was said before: the worker is about to look."""
        self._event.clear()

    def set(self) -> None:
        """Let the workers go on at once."""
        if not self._event.is_set():  # to set it again takes a lock, and says nothing new: every commit comes here
            self._event.set()

    def wait(self, timeout_s: float) -> None:
        """Wait until `set` is called, at most `timeout_s`."""
        self._event.wait(timeout_s)
