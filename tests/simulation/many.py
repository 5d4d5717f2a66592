"""Many runs, in one process or in several, and what came of them together."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import Pool

from tests.simulation.world import simulate

# So many runs are done in one go by one process.
BLOCK = 100


@dataclass
class Sum:
    """What came of some runs.

    Attributes:
        steps: of each run.
        cpu_s: seconds of one core.
        counts: how many runs each fault struck, and each way was taken.
        together: the combinations of them.
        failed: what broke, by seed.
        rules: how often each rule broke.
    """

    steps: list[int] = field(default_factory=list)
    cpu_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    together: set[frozenset[str]] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Sum") -> None:
        """Take in what came of others."""
        self.steps += other.steps
        self.cpu_s += other.cpu_s
        self.counts.update(other.counts)
        self.together |= other.together
        self.failed |= other.failed
        self.rules.update(other.rules)


def many(first: int, runs: int, *, jobs: int = 1, real: bool = False) -> Iterator[Sum]:
    """Return what came of these seeds, block by block in their order. Whoever has seen enough stops asking."""
    last = first + runs
    blocks = [range(begin, min(begin + BLOCK, last)) for begin in range(first, last, BLOCK)]
    if jobs == 1:
        yield from (_block(block, real=real) for block in blocks)
        return
    # Ctrl-C goes to all of them: the first one ends the others.
    with Pool(jobs, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        yield from pool.imap(partial(_block, real=real), blocks)


def _block(seeds: range, *, real: bool) -> Sum:
    began, found = time.process_time(), Sum()
    for seed in seeds:
        result = simulate(seed, real=real, keep_trace=False)
        found.steps.append(result.steps)
        found.counts.update(set(result.counts))
        found.together.add(frozenset(result.counts))
        if result.violation is not None:
            found.failed[seed] = str(result.violation)
            found.rules[result.violation.rule] += 1
    found.cpu_s = time.process_time() - began
    return found
