"""Runs tests on mutants: pytest collects once, and each mutant is a fork in which the tests of its lines run, fast ones first.

A fork patches the one function and stops at the first test that fails. The tests that killed the last mutants of a function
are tried first on its next one. Hypothesis draws what it draws in CI, and shrinks nothing.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import time
from collections import defaultdict
from pathlib import Path

import coverage
import pytest
from _pytest.runner import runtestprotocol
from tests.mutants.make import PACKAGE, Mutant

CPU_SECONDS = 120  # more than all tests take together
MEMORY_BYTES = 3 * 1024**3
# Plugins that cost time in each test. Nothing that these tests do needs them.
_NOT_NEEDED = ("cacheprovider", "xdist", "logging", "faulthandler", "unraisableexception", "threadexception")
KILLED, SURVIVED, TIMED_OUT, NOT_REACHED = "killed", "survived", "timed out", "not reached"


class Forks:
    """A pytest plugin that runs its tests on mutants, instead of once."""

    def __init__(self, mutants, workers, end, slowest_s, report):
        self.mutants: list[Mutant] = mutants
        self.workers, self.end, self.slowest_s, self.report = workers, end, slowest_s, report
        self.durations: list[float] = []
        self.of_line: dict[tuple[str, int], set[int]] = defaultdict(set)
        self.killers: dict[str, list[int]] = defaultdict(list)
        self.running: dict[int, tuple[Mutant | None, int, float]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        from hypothesis import HealthCheck, Phase, settings  # pytest wants to import it first

        settings.register_profile(
            "mutants",
            deadline=None,
            max_examples=100,
            suppress_health_check=[HealthCheck.too_slow],
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=(Phase.explicit, Phase.generate),
        )

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._measure(session.items)
        gc.collect()
        gc.freeze()
        gc.disable()
        self._start(None, session.items)  # nothing is changed: were a test to fail now, it would kill every mutant
        self._reap()
        for mutant in self.mutants:
            if time.monotonic() > self.end:
                break
            while len(self.running) >= self.workers:
                self._reap()
            self._start(mutant, session.items)
        while self.running:
            self._reap()
        return True

    def _measure(self, items: list[pytest.Item]) -> None:
        """Run every test once as the code is: how long it takes, and which lines it runs."""
        files = sorted({str(PACKAGE / mutant.path) for mutant in self.mutants})
        watch = coverage.Coverage(data_file=None, include=files, config_file=False)
        watch.start()
        for number, item in enumerate(items):
            watch.switch_context(str(number))
            began = time.perf_counter()
            reports = runtestprotocol(item, log=False, nextitem=_next(items, number))
            self.durations.append(time.perf_counter() - began)
            failed = [report.longreprtext for report in reports if report.failed]
            if failed:
                raise pytest.UsageError(f"{item.nodeid} fails as the code is:\n{failed[0]}")
        watch.stop()
        data = watch.get_data()
        for file in files:
            path = str(Path(file).relative_to(PACKAGE))
            for line, contexts in data.contexts_by_lineno(file).items():
                self.of_line[path, line] |= {int(context) for context in contexts if context}

    def _tests(self, mutant: Mutant | None) -> list[int]:
        """Return the tests that a mutant could fail, the likeliest first, then fast ones."""
        if mutant is None:
            return [n for n, duration in enumerate(self.durations) if duration <= self.slowest_s]
        lines = range(mutant.lines[0], mutant.lines[1] + 1)
        reaching = {n for line in lines for n in self.of_line[mutant.path, line]}
        tests = sorted((n for n in reaching if self.durations[n] <= self.slowest_s), key=self.durations.__getitem__)
        lately = self.killers[mutant.path + mutant.function]
        return sorted(tests, key=lambda n: lately.index(n) if n in lately else len(lately))

    def _start(self, mutant: Mutant | None, items: list[pytest.Item]) -> None:
        tests = self._tests(mutant)
        if mutant is not None and not tests:
            self.report(mutant, NOT_REACHED, "", 0.0)
            return
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _try(mutant, items, tests, writing)
        os.close(writing)
        self.running[child] = mutant, reading, time.monotonic()

    def _reap(self) -> None:
        child, status = os.wait()
        mutant, reading, began = self.running.pop(child)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        seconds = time.monotonic() - began
        if mutant is None:
            if said or status:
                raise pytest.UsageError(f"the second time, a test fails as the code is: {said or status}")
            return
        if os.WIFSIGNALED(status):
            outcome = TIMED_OUT if os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM} else KILLED
            self.report(mutant, outcome, f"signal {os.WTERMSIG(status)}", seconds)
        elif said:
            number, _, test = said.partition(" ")
            lately = self.killers[mutant.path + mutant.function]
            if int(number) in lately:
                lately.remove(int(number))
            lately.insert(0, int(number))
            self.report(mutant, KILLED, test, seconds)
        else:
            self.report(mutant, SURVIVED, "", seconds)


def _next(items: list[pytest.Item], number: int) -> pytest.Item | None:
    return items[number + 1] if number + 1 < len(items) else None


def _try(mutant: Mutant | None, items: list[pytest.Item], tests: list[int], writing: int) -> None:
    """Run tests on a mutant, in a process of its own; write which one failed."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        signal.alarm(3 * CPU_SECONDS)
        if mutant is not None:
            mutant.place()
        chosen = [items[n] for n in tests]
        for place, item in enumerate(chosen):
            reports = runtestprotocol(item, log=False, nextitem=_next(chosen, place))
            if any(report.failed for report in reports):
                os.write(writing, f"{tests[place]} {item.nodeid}".encode())
                break
    except BaseException as error:
        os.write(writing, f"-1 {type(error).__name__}".encode())
    os._exit(0)


def run(mutants: list[Mutant], tests: list[str], *, workers: int, end: float, slowest_s: float, report) -> bool:
    """Run the tests of some mutants; return whether it could be done."""
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    options = ["-q", *(f"-pno:{name}" for name in _NOT_NEEDED), "--capture=no", *tests]
    plugin = Forks(mutants, workers, end, slowest_s, report)
    return pytest.main(options, plugins=[plugin]) in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
