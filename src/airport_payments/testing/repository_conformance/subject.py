"""A team's repository behind one sync face, in both colours, so that each test is written once."""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, cast

from airport_payments.core.errors import StorageUnavailable
from airport_payments.core.model import Booking, Change, HistoryLine, Payment, Snapshot
from airport_payments.testing.repository_conformance import values
from airport_payments.testing.repository_conformance.harness import AnyRepository, Harness
from airport_payments.testing.repository_conformance.telling import must

HANGS_S: Final = 30.0  # a call that takes longer waits for something that never comes
HANGS: Final = (
    "a call never comes back: some other call left its transaction or its lock open, or two of them wait for each other. "
    "End every transaction in a `with` or a `finally`, and lock rows in the same order everywhere"
)


class Subject:
    """The repository under test. Closed, it closes every repository that it opened.

    Attributes:
        harness: what the team wrote.
        repository: the first one opened, in its own colour.
    """

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self._runner = asyncio.Runner()
        self._open: list[Any] = []
        try:
            self.repository = self.another()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened, and the loop."""
        try:
            while self._open:
                opened = self._open.pop()
                if hasattr(opened, "__aexit__"):
                    self.run(opened.__aexit__(None, None, None))
                else:
                    opened.__exit__(None, None, None)
        finally:
            self._runner.close()

    @property
    def asynchronous(self) -> bool:
        """Whether its methods are coroutines."""
        return inspect.iscoroutinefunction(self.repository.save)

    def another(self) -> AnyRepository:
        """Open another repository on the same database."""
        opened: Any = self.harness.repository()
        if hasattr(opened, "__aenter__"):
            made = self.run(opened.__aenter__())
        else:
            must(
                hasattr(opened, "__enter__"),
                "Harness.repository() has to be a context manager: put @contextmanager on it, or @asynccontextmanager",
                seen=opened,
            )
            made = opened.__enter__()
        self._open.append(opened)
        return cast("AnyRepository", made)

    def run(self, outcome: object) -> object:
        """Return what was returned, awaited if it has to be."""
        return (
            self._runner.run(_awaited(cast("Awaitable[object]", outcome))) if inspect.isawaitable(outcome) else outcome
        )

    # ---- the five methods ----

    def ask(self, method: str, *args: object, of: AnyRepository | None = None, **named: object) -> object:
        """Call a method. Whatever it raises is a failure that names the method."""
        try:
            return self.run(getattr(of or self.repository, method)(*args, **named))
        except Exception as error:
            raise AssertionError(_raised(method, error)) from error

    def get(self, booking_id: str, of: AnyRepository | None = None) -> Snapshot | None:
        """Return what `get` says."""
        return cast("Snapshot | None", self.ask("get", booking_id, of=of))

    def load(self, booking_id: str, of: AnyRepository | None = None) -> Snapshot:
        """Return what `get` says of a booking that is there."""
        found = self.get(booking_id, of)
        must(
            isinstance(found, Snapshot), "get() returns the Snapshot of a booking whose row the team wrote", seen=found
        )
        return cast("Snapshot", found)

    def find(self, intent_id: str) -> str | None:
        """Return what `find` says."""
        return cast("str | None", self.ask("find", intent_id))

    def save(self, change: Change, of: AnyRepository | None = None) -> bool:
        """Return what `save` says, which has to be a bool."""
        return plain(self.ask("save", change, of=of))

    def saved(self, change: Change) -> Change:
        """Save a change that has to be taken."""
        must(
            self.save(change),
            "save() returns True where nothing moved on: compare only the ledger's version, and owner, price and status",
        )
        return change

    def due(self, before: datetime = values.NOW, after: str | None = None, limit: int = 100) -> list[str]:
        """Return what `due` says."""
        return list(cast("Sequence[str]", self.ask("due", before=before, after=after, limit=limit)))

    def history(self, booking_id: str) -> list[HistoryLine]:
        """Return what `history` says."""
        return list(cast("Sequence[HistoryLine]", self.ask("history", booking_id)))

    def page(self, method: str, *args: object, after: str | None, limit: int) -> list[Sequence[object]]:
        """Return what a method that lists pages says."""
        return list(cast("Sequence[Sequence[object]]", self.ask(method, *args, after=after, limit=limit)))

    # ---- the team's side ----

    def id(self, number: int = 1) -> str:
        """Return the id of the booking of this number."""
        return self.harness.booking_id(number)

    def booking(self, number: int = 1, **other: object) -> Booking:
        """Return a booking as the team would sell it, not yet in its table."""
        made = Booking(self.id(number), self.harness.owner(1), self.harness.prices[0])
        return replace(made, **cast("dict[str, Any]", other))

    def write(self, booking: Booking) -> Booking:
        """Let the team write a row."""
        self.run(self.harness.write_booking(booking))
        return booking

    def row(self, booking_id: str) -> Booking | None:
        """Return the row as the team reads it."""
        return cast("Booking | None", self.run(self.harness.read_booking(booking_id)))

    def held(self, until: datetime) -> Mapping[str, object]:
        """Return what holds a booking, if the team's table knows of holds."""
        return {"hold_until": until} if self.harness.holds else {}

    def add(self, number: int = 1, **other: object) -> Snapshot:
        """Let the team write a row, and return what `get` says of it."""
        return self.load(self.write(self.booking(number, **other)).id)

    def payment(self, attempt_id: str = "at_1", intent_id: str | None = "pi_1", **other: object) -> Payment:
        """Return an open payment of the first price."""
        return values.payment(attempt_id, intent_id, **{"amount": self.harness.prices[0], **other})

    # ---- many at once ----

    def together(self, calls: Sequence[Callable[[], object]]) -> list[object]:
        """Make calls at once, in threads or tasks. Returns their results, or what they raised, in their order."""
        if self.asynchronous:
            return self._runner.run(_gathered(calls))
        barrier = threading.Barrier(len(calls))
        answers: list[object] = [None] * len(calls)

        def call(number: int) -> None:
            barrier.wait(HANGS_S)
            try:
                answers[number] = calls[number]()
            except Exception as error:  # noqa: BLE001 - returned, as the docstring says
                answers[number] = error

        # Daemons, so that one that hangs keeps nobody from ending.
        threads = [threading.Thread(target=call, args=(number,), daemon=True) for number in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANGS_S)
            must(not thread.is_alive(), HANGS)
        return answers

    def saves(self, pairs: Sequence[tuple[AnyRepository, Change]]) -> int:
        """Save changes at once; how many were taken. None may raise."""
        answers = self.together([partial(one.save, made) for one, made in pairs])
        failed = next((answer for answer in answers if isinstance(answer, Exception)), None)
        if failed is not None:
            raise AssertionError(
                "save() returns False when another was faster: a lost race, a deadlock (40P01) or a serialization "
                f"failure (40001) is no error. {_raised('save', failed)}"
            ) from failed
        return sum(plain(answer) for answer in answers)


def plain(answer: object) -> bool:
    """Return what `save` returned, if it is True or False and nothing else."""
    must(isinstance(answer, bool), "save() returns True or False and nothing else", seen=repr(answer))
    return bool(answer)


def _raised(method: str, error: Exception) -> str:
    told = f"{type(error).__name__}: {error}"[:300]
    if isinstance(error, StorageUnavailable):
        return (
            f"{method}() found the database unavailable, which it is not; another of its calls may hold it up: {told}"
        )
    return f"{method}() raised {told}. It may raise StorageUnavailable only, when the database does not answer"


async def _awaited(outcome: Awaitable[object]) -> object:
    return await outcome


async def _gathered(calls: Sequence[Callable[[], object]]) -> list[object]:
    tasks = [_awaited(cast("Awaitable[object]", call())) for call in calls]
    try:
        return list(await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), HANGS_S))
    except TimeoutError:
        raise AssertionError(HANGS) from None
