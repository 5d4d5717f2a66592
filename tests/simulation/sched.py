"""A scheduler of coroutines under a virtual clock: one run of it is decided by its tasks' own random streams alone."""

import heapq
import random
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from greenlet import getcurrent, greenlet

from airport_payments.core.errors import PaymentsError


class Killed(BaseException):
    """The process in which this task ran died. No `except Exception` of the code may see it."""


class Violation(BaseException):
    """An invariant does not hold. No `except Exception` of the code may swallow it."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule
        self.what = what


@types.coroutine
def switch(delay_ms: int) -> Generator[object, Any, None]:
    """Let others run for so long."""
    yield delay_ms


@types.coroutine
def join(task: "Task", timeout_ms: int) -> Generator[object, Any, bool]:
    """Wait until a task has ended; False if that took too long."""
    return (yield (task, timeout_ms))


class Thread(greenlet):
    """A thread of the sync colour: it has a stack of its own, and others run while it waits."""


@types.coroutine
def in_thread(call: Callable[[], Any]) -> Generator[object, Any, Any]:
    """Call a function of the sync colour in a thread of its own, and let others run whenever it waits."""
    thread, given = Thread(call), ()
    while True:
        thread.parent = getcurrent()  # whoever goes on with it hears of it next, also of its death
        wanted = thread.switch(*given)
        if thread.dead:
            return wanted
        try:
            given = ((yield wanted),)
        except GeneratorExit:
            thread.parent = getcurrent()
            try:
                thread.throw(Killed)
            except Killed:
                raise GeneratorExit from None
            raise RuntimeError("a thread that was killed went on") from None


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end for the sync colour: in a thread, or at once, as if nobody else were there."""
    thread, given = getcurrent(), None
    waits = isinstance(thread, Thread)
    try:
        while True:
            wanted = coroutine.send(given)
            if waits:
                assert thread.parent is not None
                given = thread.parent.switch(wanted)
    except StopIteration as end:
        return end.value


class Task:
    """A coroutine with a name and a random stream of its own, so that leaving another out changes little for it."""

    __slots__ = ("called_at", "command", "coro", "done", "draws", "error", "killed", "name", "process", "reached_at", "refund_seen", "result", "seed",
                 "seen", "stream", "token", "waiter")  # fmt: skip

    def __init__(self, name: str, coro: Coroutine[Any, Any, Any], seed: str, process: Any = None) -> None:
        self.name = name
        self.coro = coro
        self.seed = seed
        self.stream: random.Random | None = None
        self.process = process
        self.done = False
        self.killed = False
        self.result: Any = None
        self.error: Exception | None = None
        self.waiter: tuple[Task, int] | None = None
        self.token = 0
        self.draws = 0  # how many fates it drew
        self.called_at = 0  # when it last began to ask Stripe
        self.command: Any = None  # what it is asking, where a real port is between
        self.reached_at = 0  # when that last got to Stripe
        self.refund_seen: tuple[str, int] | None = (
            None  # the refund that Stripe last told it of, and since when it asked
        )
        self.seen: tuple[str, int] | None = None  # the attempt that Stripe last told it of, and when that was so

    def random(self) -> float:
        """Draw from its stream. Every second task never does, and to seed a stream takes as long as a step."""
        if self.stream is None:
            self.stream = random.Random(f"{self.seed}:{self.name}")
        return self.stream.random()


class Scheduler:
    """What happens next, by virtual time in milliseconds."""

    def __init__(self) -> None:
        self.now = 0
        self.steps = 0
        self.threads = False  # whether the sync colour runs in threads, or each call of it at once
        self.current: Task | None = None
        self._heap: list[tuple[int, int, Any, int]] = []
        self._pushed = 0

    def at(self, when: int, what: Callable[[], None]) -> None:
        """Let something happen at a time."""
        self._pushed += 1
        heapq.heappush(self._heap, (when, self._pushed, what, -1))

    def start(self, task: Task, delay_ms: int = 0) -> Task:
        self._push(self.now + delay_ms, task)
        return task

    def _push(self, when: int, task: Task) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (when, self._pushed, task, task.token))

    def next_at(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def step(self) -> None:
        """Let the next thing happen."""
        when, _, what, token = heapq.heappop(self._heap)
        if token < 0:
            self.now = max(self.now, when)
            self.current = None
            what()
        elif not what.done and what.token == token:
            self.now = max(self.now, when)
            self._resume(what)

    def _resume(self, task: Task) -> None:
        self.current = task
        self.steps += 1
        task.token += 1
        try:
            wanted = task.coro.send(task.result)
        except StopIteration as end:
            self.finish(task, result=end.value)
        except Killed:
            self.finish(task, killed=True)
        except PaymentsError as error:
            self.finish(task, error=error)
            if task.process is None:
                raise  # of this world, or brought to its surface: whoever asked a process looks at the error itself
        # Any other error is a mistake, ours or the library's. It ends the run, also where nobody waits for the task.
        else:
            task.result = None
            if type(wanted) is int:
                self._push(self.now + wanted, task)
                return
            other, timeout_ms = wanted
            if other.done:
                task.result = True
                self._push(self.now, task)
                return
            other.waiter = (task, task.token)
            task.result = False  # what it gets if the time runs out
            self._push(self.now + timeout_ms, task)

    def finish(self, task: Task, *, result: Any = None, error: Exception | None = None, killed: bool = False) -> None:
        task.done, task.result, task.error, task.killed = True, result, error, killed
        if task.process is not None:
            task.process.tasks.pop(task.name, None)
        if task.waiter is not None:
            waiter, token = task.waiter
            if not waiter.done and waiter.token == token:
                waiter.result = True
                waiter.token += 1
                self._push(self.now, waiter)

    def kill(self, task: Task) -> None:
        """End a task where it waits. Its own clean-up may not wait for anything any more."""
        if task is not self.current:
            task.coro.close()
            self.finish(task, killed=True)
