"""Which fault strikes where: drawn by the task that is struck, so that leaving one out changes nothing before it."""

from collections import Counter

from tests.simulation.plan import SITES, Plan
from tests.simulation.sched import Scheduler


class Fates:
    """Draws fates while the faults are on."""

    def __init__(self, plan: Plan, sched: Scheduler) -> None:
        self.on = True
        self._sched = sched
        self._windows = plan.windows
        self._spared = plan.filter.strikes
        self._sites = {
            site: [(name, plan.rates[name]) for name in names if name in plan.rates] for site, names in SITES.items()
        }
        self.struck: list[tuple[str, int, str]] = []
        self.counts: Counter[str] = Counter()

    def draw(self, site: str) -> str | None:
        """Return the fault that strikes the task that runs now, None for none."""
        names = self._sites[site]
        task = self._sched.current
        if not names or task is None:
            return None
        task.draws += 1
        left = task.random()
        for name, rate in names:
            left -= rate
            if left < 0:
                if not self.on or (task.name, task.draws) in self._spared:
                    return None
                self.struck.append((task.name, task.draws, name))
                self.counts[name] += 1
                return name
        return None

    def within(self, name: str) -> bool:
        """Return whether a window of this fault is open."""
        windows = self._windows.get(name)
        if not windows or not self.on:
            return False
        now = self._sched.now
        if any(begin <= now < end for begin, end in windows):
            self.counts[name] += 1
            return True
        return False

    def awake_at(self, name: str, when: int) -> int:
        """Return `when`, or the end of the window that it falls into."""
        for begin, end in self._windows.get(name, ()) if self.on else ():
            if begin <= when < end:
                self.counts[name] += 1
                return end
        return when

    def note(self, name: str) -> None:
        """Count a planned fault."""
        self.counts[name] += 1
