"""What a deliberate fault in our code is, and the list of all."""

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tests.simulation.world import Result, simulate

# Each has to be noticed within so many seeds, from wherever the counting begins.
SEEDS = 2000

Patches = list[tuple[Any, str, Any]]


@dataclass(frozen=True)
class Mutant:
    """One fault: what is patched, the seed from which the test begins to count, and whether it shows in stripe-python only."""

    name: str
    patches: Callable[[], Patches]
    near: int = 0
    real: bool = False

    @contextmanager
    def alive(self) -> Any:
        with ExitStack() as stack:
            for owner, name, value in self.patches():
                stack.enter_context(patch.object(owner, name, value))
            yield

    def caught(self, first: int) -> Result | None:
        """Return the first run that notices it, None if none of `SEEDS` does."""
        with self.alive():
            runs = (simulate(seed, real=self.real, keep_trace=False) for seed in range(first, first + SEEDS))
            # An error that is none of ours may be the patch's own: names move.
            return next((run for run in runs if run.violation is not None and run.violation.rule != "untyped"), None)


MUTANTS: dict[str, Mutant] = {}


def mutant(near: int = 0, *, real: bool = False) -> Callable[[Callable[[], Patches]], Callable[[], Patches]]:
    def register(patches: Callable[[], Patches]) -> Callable[[], Patches]:
        MUTANTS[patches.__name__] = Mutant(patches.__name__, patches, near, real)
        return patches

    return register
