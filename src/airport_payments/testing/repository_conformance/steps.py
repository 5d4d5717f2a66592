"""The steps of a call: the lines of the team's own code that it runs. Here something may happen between any two of them."""

import ast
import asyncio
import inspect
import linecache
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, cast

from airport_payments.testing.repository_conformance.subject import Subject
from airport_payments.testing.repository_conformance.telling import must

if TYPE_CHECKING:
    from _typeshed import TraceFunction

MOST_STEPS: Final = 390  # each step gets a booking of its own; a save that runs more lines than this never ends
_HERE: Final = str(Path(__file__).parent)


class Crash(BaseException):
    """The process ends here. No `except Exception` may hold it up."""


def code_of(subject: Subject) -> tuple[str, ...]:
    """Return the files and folders whose lines are steps."""
    given = subject.harness.code()
    if given:
        return tuple(str(path) for path in given)
    found: list[str] = []
    for kind in type(subject.repository).__mro__:
        module = sys.modules.get(kind.__module__)
        file = getattr(module, "__file__", None)
        if file and kind.__module__.partition(".")[0] not in {"abc", "typing", "builtins"}:
            found.append(str(Path(file).parent))
    return tuple(found)


@contextmanager
def at_each_step(code: tuple[str, ...], do: Callable[[int], None], *, but_cleanup: bool = False) -> Generator[None]:
    """Call `do` with 1, 2, 3… before each line of this code that this thread runs. What it raises is raised there.

    Cleaning up is no step where `but_cleanup`: what is interrupted while it gives a lock back keeps it, in any language.
    """
    count = 0

    def call(frame: FrameType, _: str, __: object) -> Callable[[FrameType, str, object], object] | None:
        name = frame.f_code.co_filename
        if not name.startswith(code) or name.startswith(_HERE):
            return None
        cleaning, ends = _cleanup(name) if but_cleanup else (frozenset[int](), {})
        last = frame.f_lineno

        def line(frame: FrameType, kind: str, _: object) -> object:
            nonlocal count, last
            if kind == "line":
                now, before, last = frame.f_lineno, last, frame.f_lineno
                if now not in cleaning and not now < before <= ends.get(now, 0):
                    count += 1
                    do(count)
            return line

        return line

    before = sys.gettrace()
    sys.settrace(cast("TraceFunction", call))
    try:
        yield
    finally:
        sys.settrace(before)


@cache
def _cleanup(file: str) -> tuple[frozenset[int], dict[int, int]]:
    """Return the lines that clean up in a file, and for each `with` in it, which is run again at its end, its last line."""
    lines: set[int] = set()
    ends: dict[int, int] = {}
    for node in ast.walk(ast.parse("".join(linecache.getlines(file)))):
        if isinstance(node, ast.Try):
            lines.add(node.lineno)
            parts: list[ast.excepthandler | ast.stmt] = [*node.handlers, *node.finalbody]
            for part in parts:
                lines.update(range(part.lineno, (part.end_lineno or part.lineno) + 1))
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                ends[item.context_expr.lineno] = node.end_lineno or node.lineno
            ends[node.lineno] = node.end_lineno or node.lineno
    return frozenset(lines), ends


def count_steps(subject: Subject, call: Callable[[], object]) -> int:
    """Make a call and return how many steps it has."""
    last = 0

    def note(step: int) -> None:
        nonlocal last
        last = step

    with at_each_step(code_of(subject), note):
        subject.run(call())
    must(
        3 <= last <= MOST_STEPS,
        "the suite puts crashes between the lines of your own code, and saw none of it, or no end of it: let Harness.code() "
        "return the files or folders where save() is written",
        seen=(last, code_of(subject)),
    )
    return last


def broken_off(subject: Subject, call: Callable[[], object], at: int) -> bool:
    """Make a call that is broken off at a step: by an interrupt at that line, or as a task by cancelling that await.

    Returns whether it had so many steps.
    """
    outcome: object = None
    if subject.asynchronous:
        return bool(subject.run(_cancelled(cast("Coroutine[Any, Any, object]", call()), at)))

    def crash(step: int) -> None:
        if step == at:
            raise Crash

    try:
        with at_each_step(code_of(subject), crash, but_cleanup=True):
            outcome = call()
    except Crash:
        return True
    finally:
        if inspect.iscoroutine(outcome):
            outcome.close()
    return False


class _Counted:
    """Awaits something, and cancels its task at the nth time that it has to wait."""

    def __init__(self, work: Coroutine[Any, Any, object], at: int) -> None:
        self.work, self.left = work, at

    def __await__(self) -> Generator[Any, Any, object]:
        given: Any = None
        raised: BaseException | None = None
        while True:
            try:
                waits_for = self.work.send(given) if raised is None else self.work.throw(raised)
            except StopIteration as end:
                return end.value
            self.left -= 1
            task = asyncio.current_task()
            if self.left == 0 and task is not None:
                task.cancel()
            given = raised = None
            try:
                given = yield waits_for
            except BaseException as error:  # noqa: BLE001 - passed on to the coroutine, as an await does
                raised = error


async def _cancelled(work: Coroutine[Any, Any, object], at: int) -> bool:
    counted = _Counted(work, at)

    async def wait() -> object:
        return await counted

    try:
        await asyncio.ensure_future(wait())
    except asyncio.CancelledError:
        return True
    return counted.left <= 0
