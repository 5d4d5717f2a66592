"""Somebody else: another thread with a loop and connections of its own, which does something between two of our steps."""

import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from airport_payments.testing.repository_conformance.harness import Harness
from airport_payments.testing.repository_conformance.subject import HANGS, HANGS_S, Subject
from airport_payments.testing.repository_conformance.telling import must

# How long it is waited for between two steps: some times as long as it takes when nothing is in its way. Who has to wait
# for a lock of ours goes on after us, which is as good.
FIRST_S: Final = 2.0
LEAST_S: Final = 0.05
MOST_S: Final = 1.0
TIMES: Final = 10.0


class Beside:
    """Another process of the team's, as far as the database can tell."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._orders: queue.Queue[Callable[[Subject], object] | None] = queue.Queue()
        self._answers: queue.Queue[Any] = queue.Queue()
        self._asked = 0
        self._given: list[Any] = []
        self._patience_s = FIRST_S
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        try:
            with Subject(self._harness) as subject:
                while (order := self._orders.get()) is not None:
                    self._answers.put(_outcome(order, subject))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._answers.put(error)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._orders.put(None)
        self._thread.join(HANGS_S)

    @property
    def busy(self) -> bool:
        """Whether it still does what it was told."""
        return len(self._given) < self._asked

    def still_busy(self) -> bool:
        """Wait a little for what it does; whether it goes on. What came of it too late is thrown away."""
        while self.busy and self._take(self._patience_s):
            pass
        if not self.busy:
            self.done()
        return self.busy

    def do(self, order: Callable[[Subject], object]) -> None:
        """Tell it to do something, and wait until it is done or seems to wait for us."""
        self._orders.put(order)
        self._asked += 1
        began = time.monotonic()
        if self._take(self._patience_s):
            took = time.monotonic() - began
            self._patience_s = max(LEAST_S, min(MOST_S, TIMES * took))

    def done(self) -> list[Any]:
        """Wait for all that it was told to do, and return what came of it since the last time."""
        while self.busy:
            must(self._take(HANGS_S), HANGS)
        given, self._given, self._asked = self._given, [], 0
        for answer in given:
            if isinstance(answer, BaseException):
                raise answer
        return given

    def _take(self, wait_s: float) -> bool:
        try:
            self._given.append(self._answers.get(timeout=wait_s))
        except queue.Empty:
            return False
        return True


def _outcome(order: Callable[[Subject], object], subject: Subject) -> object:
    try:
        return order(subject)
    except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
        return error
