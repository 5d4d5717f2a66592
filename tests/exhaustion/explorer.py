"""Plays every order of a small world: who goes next, and where the one fault strikes.

A world is played again from its beginning for every choice that was not yet tried, and a state that was seen before is not
gone into twice: what follows depends only on the database, Stripe's books, and what each actor was told so far, and all of
that is in the state's key. So what is counted is every order there is.
"""

import hashlib
import types
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airport_payments.core.errors import PaymentsError


class Killed(BaseException):
    """The process died. No `except Exception` of the code may see it."""


class Violation(Exception):
    """An invariant does not hold; the message says which, and the story of how."""


class Call(StrEnum):
    """What an actor is about to do. Before each of these another may go first."""

    READ = "reads"
    SAVE = "saves"
    STRIPE = "asks Stripe"


class Fault(StrEnum):
    """What may go wrong with a call. Dying before it is dying after the one before."""

    DIES = "and dies"
    UNKNOWN = "and does not hear that it did"
    FAILS = "and it fails"
    CONFLICT = "and is told of a conflict"


FAULTS = {
    Call.READ: (),
    Call.SAVE: (Fault.DIES, Fault.UNKNOWN, Fault.FAILS, Fault.CONFLICT),
    Call.STRIPE: (Fault.DIES, Fault.UNKNOWN, Fault.FAILS),
}
# One choice: which actor goes on, and what goes wrong with its call.
Choice = tuple[int, Fault | None]


@types.coroutine
def point(call: Call) -> Generator[Call, Fault | None, Fault | None]:
    """Let others go first; return what is to go wrong."""
    return (yield call)


@dataclass
class Actor:
    """Someone who does one thing, once.

    Args:
        ready: whether it can begin yet.
        act: what it does; what is no coroutine is done at once.
    """

    name: str
    act: Callable[[], Coroutine[Any, Any, object] | None]
    ready: Callable[[], bool] = lambda: True
    coroutine: Coroutine[Any, Any, object] | None = field(default=None, repr=False)
    at: Call | None = None
    told: bytes = b""
    end: str | None = None
    ids: int = 0

    def hears(self, what: object) -> None:
        """Note what it was told: with the code, that is all that decides what it does next."""
        self.told = hashlib.blake2b(self.told + repr(what).encode(), digest_size=16).digest()

    @property
    def key(self) -> object:
        """How far it has come."""
        return self.end or (self.at, self.told)


class World:
    """What every small world is made of. `state` and `check` are the subclass's."""

    def __init__(self, faults: int) -> None:
        self.faults = faults
        self.kinds = frozenset(Fault)
        self.actors: list[Actor] = []
        self.current: Actor | None = None
        self.story: list[str] = []

    def state(self) -> object:
        """Return all that the database and Stripe hold."""
        raise NotImplementedError

    def finish(self) -> None:
        """Let the world drain, and check how it ended."""
        raise NotImplementedError

    def key(self) -> bytes:
        """Return what everything that can still happen depends on."""
        whole = (self.faults, [actor.key for actor in self.actors], self.state())
        return hashlib.blake2b(repr(whole).encode(), digest_size=16).digest()

    def choices(self) -> list[Choice]:
        """Return who may go next, and what may go wrong with that."""
        found: list[Choice] = []
        for number, actor in enumerate(self.actors):
            if actor.end is not None or (actor.coroutine is None and not actor.ready()):
                continue
            found.append((number, None))
            if self.faults and actor.at is not None:
                found += [(number, fault) for fault in FAULTS[actor.at] if fault in self.kinds]
        return found

    def advance(self, choice: Choice) -> None:
        """Let one actor do its next call."""
        number, fault = choice
        actor = self.current = self.actors[number]
        self.story.append(f"{actor.name} {actor.at or 'begins'}{f' {fault}' if fault else ''}")
        self.faults -= fault is not None
        if actor.coroutine is None:
            actor.coroutine = actor.act()
            if actor.coroutine is None:
                actor.end = "done"
                return
            self._send(actor, None)  # up to its first call, a read
        if actor.end is None:
            self._send(actor, fault)

    def _send(self, actor: Actor, fault: Fault | None) -> None:
        assert actor.coroutine is not None
        try:
            actor.at = actor.coroutine.send(fault)
        except StopIteration as end:
            actor.end = f"got {end.value!r}"
        except Killed:
            actor.end = "died"
        except PaymentsError as error:
            actor.end = f"got {error.code}"
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"untyped: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Let no coroutine complain that it was never finished."""
        for actor in self.actors:
            if actor.coroutine is not None:
                actor.coroutine.close()


@dataclass
class Report:
    """What was played."""

    states: int = 0
    orders: int = 0
    ends: int = 0
    longest: int = 0


def crashing(make: Callable[[int], World], faults: int) -> Callable[[], World]:
    """Return what builds a world in which nothing goes wrong but that a process dies."""

    def crash() -> World:
        world = make(faults)
        world.kinds = frozenset({Fault.DIES})
        return world

    return crash


class Explorer:
    """Plays a world in every order.

    Args:
        make: builds the world as it is before anyone acts.
        backwards: try the choices from the last to the first: what is found must be the same.
        most: how many states it may have. A world with more is not small: `OverflowError`, never half a proof.
    """

    def __init__(self, make: Callable[[], World], *, backwards: bool = False, most: int = 1_000_000) -> None:
        self._make = make
        self._backwards = backwards
        self._most = most
        self._next: dict[bytes, list[bytes]] = {}
        self._ended: set[bytes] = set()

    def run(self) -> Report:
        """Play every order. Raises `Violation` with the story of one that breaks an invariant."""
        stack: list[tuple[tuple[Choice, ...], bytes | None]] = [((), None)]
        first: bytes | None = None
        while stack:
            path, before = stack.pop()
            world = self._make()
            try:
                for choice in path:
                    world.advance(choice)
                first = self._follow(world, path, before, stack) or first
            except Violation as violation:
                story = "\n".join(f"  {line}" for line in world.story)
                raise Violation(f"{violation}\n{story}") from violation
            finally:
                world.close()
        assert first is not None
        return self._report(first)

    def _follow(
        self,
        world: World,
        path: tuple[Choice, ...],
        before: bytes | None,
        stack: list[tuple[tuple[Choice, ...], bytes | None]],
    ) -> bytes | None:
        """Go on from here as long as it is new, leaving the other choices for later. Return the first state of all."""
        first: bytes | None = None
        while True:
            key = world.key()
            if before is not None:
                self._next[before].append(key)
            elif not path:
                first = key
            if key in self._next:
                return first
            self._next[key] = []
            if len(self._next) > self._most:
                raise OverflowError(f"more than {self._most:,} states: make the world smaller")
            choices = world.choices()
            if not choices:
                self._end(world)
                return first
            if self._backwards:
                choices.reverse()
            stack += [((*path, choice), key) for choice in choices[1:]]
            path, before = (*path, choices[0]), key
            world.advance(choices[0])

    def _end(self, world: World) -> None:
        rest = hashlib.blake2b(repr(world.state()).encode(), digest_size=16).digest()
        if rest not in self._ended:  # how the actors came here changes nothing any more
            self._ended.add(rest)
            world.finish()

    def _report(self, first: bytes) -> Report:
        """Count the orders: the ways through the graph of states, which has no cycle, for each call is made once."""
        orders: dict[bytes, int] = {}
        depth: dict[bytes, int] = {}
        todo: list[bytes] = [first]
        while todo:
            key = todo[-1]
            missing = [k for k in self._next[key] if k not in orders]
            if missing:
                todo += missing
                continue
            todo.pop()
            after: Sequence[bytes] = self._next[key]
            orders[key] = sum(orders[k] for k in after) if after else 1
            depth[key] = 1 + max(depth[k] for k in after) if after else 0
        return Report(len(self._next), orders[first], len(self._ended), depth[first])
