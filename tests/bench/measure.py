"""Times things against each other in interleaved rounds, so that what disturbs one disturbs the other."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """One line of the report. `ratio` is the median over the rounds; `aim` says what was hoped for."""

    name: str
    against: str
    ratio: float
    aim: str
    met: bool
    detail: str

    def line(self) -> str:
        """Return the line as a row of a Markdown table."""
        return f"| {self.name} | {self.against} | {self.ratio:.2f} | {self.aim} | {'yes' if self.met else 'NO'} | {self.detail} |"


HEAD = "| what | against | median ratio | aim | met | medians |\n|---|---|---|---|---|---|"


def rounds(ours: Work, theirs: Work, *, ours_n: int, theirs_n: int, number: int = 31) -> tuple[float, float, float]:
    """Return the median of theirs/ours, and the medians of both in microseconds a call."""
    ratios, a, b = [], [], []
    gc.collect()
    for _ in range(number):
        mine = _time(ours, ours_n)
        other = _time(theirs, theirs_n)
        ratios.append(other / mine)
        a.append(mine)
        b.append(other)
    return statistics.median(ratios), statistics.median(a) * 1e6, statistics.median(b) * 1e6


def _time(work: Work, n: int) -> float:
    # The processor's time, not the clock's: what else runs on the machine does not count.
    start = time.process_time()
    for _ in range(n):
        work()
    return (time.process_time() - start) / n
