"""The synchronous gateway in threads: it keeps the same promises, whoever comes between two of its calls."""

import pytest
import tests.simulation.mutants  # noqa: F401 - registers them
from tests.simulation.mutant import MUTANTS
from tests.simulation.threads import simulate_in_threads, told

RUNS, BLOCK, REAL_RUNS = 120, 60, 10


def _check(seeds: range, *, real: bool = False) -> None:
    for seed in seeds:
        result = simulate_in_threads(seed, real=real, keep_trace=False)
        if result.violation is not None:
            raise AssertionError(told(seed, real=real)) from result.violation


@pytest.mark.parametrize("first", range(0, RUNS, BLOCK))
def test_every_invariant_holds_in_threads(first: int) -> None:
    _check(range(first, first + BLOCK))


def test_every_invariant_holds_in_threads_through_stripe_python() -> None:
    _check(range(REAL_RUNS), real=True)


def test_l7_the_same_seed_gives_the_same_trace_in_threads() -> None:
    for seed in range(3, 6):
        one, other = (simulate_in_threads(seed).trace() for _ in range(2))
        assert one
        assert one == other


# What shows only where one comes between two calls of another; no run notices it while each call is made at once.
RACES = {"a_save_overwrites_whatever_is_there": "rule 2", "two_workers_run_one_delivery": "L5"}


@pytest.mark.parametrize("name", RACES)
def test_a_race_between_threads_is_noticed(name: str) -> None:
    with MUTANTS[name].alive():
        runs = (simulate_in_threads(seed, keep_trace=False) for seed in range(100))
        found = next((run.violation for run in runs if run.violation is not None), None)
    assert found is not None
    assert found.rule == RACES[name]
