"""The loop: draws inputs, runs them, and keeps those that end in a new way."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .mutate import Mutator
from .targets import Target, corpus_of, file_of, line_of

# No input may keep a reader busy for as long as this: they take microseconds. It ends a hang, and judges no speed.
HANG_S = 30.0
# What one target keeps in mind at most, and what an input may have to be kept.
MAX_KEPT = 2_000
MAX_KEPT_BYTES = 2_000


class Hang(BaseException):
    """An input that keeps its reader busy for ever."""


@dataclass
class Fuzz:
    """A run against one target."""

    name: str
    target: Target
    seed: int = 0
    inputs: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.corpus = corpus_of(self.name)
        self._mutator = Mutator(f"{self.seed}/{self.name}")
        self.ways: set[object] = set()
        self._began = False

    def run(self, count: int) -> None:
        """Run so many inputs; the corpus itself comes first."""
        with no_hang():
            if not self._began:
                self._began = True
                for data in list(self.corpus):
                    self._one(data)
            for _ in range(count - self.inputs if count > self.inputs else 0):
                self._one(self._mutator.input(self.corpus))

    def more(self, seconds: float) -> None:
        """Run for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.run(self.inputs + 200)

    def _one(self, data: bytes) -> None:
        self.inputs += 1
        signal.setitimer(signal.ITIMER_REAL, HANG_S)
        try:
            way = self.target.run(data)
        except self.target.allowed as error:
            self.refused += 1
            way = lines_of(error)
        except (Exception, Hang) as error:
            self.failures.append(self._failed(data, error))
            return
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if way not in self.ways and len(self.ways) < MAX_KEPT:
            self.ways.add(way)
            if len(data) <= MAX_KEPT_BYTES and data not in self.corpus:
                self.corpus.append(data)
                self.kept.append(data)

    def _failed(self, data: bytes, error: BaseException) -> str:
        """Save an input that failed, so that every later run begins with it, and say which."""
        if data not in self.corpus and len(self.failures) < 5:
            with file_of(self.name).open("a", encoding="ascii") as file:
                file.write(line_of(data))
        digest = hashlib.sha256(data).hexdigest()[:12]
        return f"{self.name} (seed {self.seed}, input {digest}): {error!r:.300} after {data[:200]!r}"


def lines_of(error: BaseException) -> tuple[object, ...]:
    """An error's words and the lines that it came through: two inputs that end alike come the same way."""
    lines, frame = [type(error).__name__, str(error)[:80]], error.__traceback__
    while frame is not None:
        lines.append(f"{frame.tb_frame.f_code.co_name}:{frame.tb_lineno}")
        frame = frame.tb_next
    return tuple(lines)


@contextmanager
def no_hang() -> Iterator[None]:
    """Let the alarm raise `Hang` in whatever is running."""

    def ring(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
