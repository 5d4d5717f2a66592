"""S1 to S13 after every step, L1 to L5 in the end, under every fault; and L7: a seed decides everything."""

import functools
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
import tests.simulation.mutants
import tests.simulation.mutants_checks
import tests.simulation.mutants_money
import tests.simulation.mutants_said
import tests.simulation.mutants_ways  # noqa: F401 - and these
from tests.simulation.mutant import MUTANTS
from tests.simulation.plan import FAULTS, VARIANTS, WAYS, Filter, draw_plan
from tests.simulation.shrink import shrink, story
from tests.simulation.world import Result, simulate

RUNS, BLOCK = 1000, 100
# So many of them have to draw every fault.
ENOUGH = 300
REAL_RUNS, REAL_BLOCK = 30, 10


@functools.cache
def _summary(seed: int) -> Result:
    return simulate(seed, keep_trace=False)


def _check(seeds: range, *, real: bool = False) -> None:
    for seed in seeds:
        result = simulate(seed, real=True, keep_trace=False) if real else _summary(seed)
        if result.violation is not None:
            raise AssertionError(story(shrink(simulate(seed, real=real)))) from result.violation


@pytest.mark.parametrize("first", range(0, RUNS, BLOCK))
def test_every_invariant_holds_under_every_fault(first: int) -> None:
    _check(range(first, first + BLOCK))


@pytest.mark.parametrize("first", range(0, REAL_RUNS, REAL_BLOCK))
def test_every_invariant_holds_through_stripe_python(first: int) -> None:
    _check(range(first, first + REAL_BLOCK), real=True)


@pytest.mark.parametrize("real", [False, True], ids=["model", "stripe-python"])
def test_l7_the_same_seed_gives_the_same_trace(real: bool) -> None:
    for seed in range(3, 9):
        one, other = simulate(seed, real=real).trace(), simulate(seed, real=real).trace()
        assert one
        assert one == other


def test_l7_the_trace_does_not_depend_on_the_process() -> None:
    """Sets and dicts of another process have another order: nothing may follow from it."""

    def run(hash_seed: str) -> bytes:
        command = [sys.executable, "-m", "tests.simulation", "--seed", "11"]
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, capture_output=True, check=True, env=environ).stdout

    first = run("1")
    assert b"commits" in first
    assert first == run("2")
    assert first.decode().rstrip("\n") == simulate(11).trace()


def test_no_fault_is_never_drawn() -> None:
    struck: Counter[str] = Counter()
    variants, colours = set(), set()
    for seed in range(ENOUGH):
        result = _summary(seed)
        struck.update(set(result.counts))
        variants.add(result.plan.variant)
        colours.add(result.plan.colour)
    assert not {*FAULTS, *WAYS} - set(struck)
    assert variants == set(VARIANTS)
    assert colours == {"async", "sync"}


def test_leaving_something_out_of_a_plan_leaves_the_rest_as_it_is() -> None:
    for seed in range(20):
        plan = draw_plan(seed)
        first = plan.people[0].name
        less = draw_plan(seed, without=Filter(people=frozenset({first})))
        assert less.people == plan.people[1:]
        assert (less.rates, less.windows, less.skews) == (plan.rates, plan.windows, plan.skews)


def _without_one_more(short: Result) -> list[tuple[str, Filter]]:
    """What is left of a short run, each with the filter that leaves it out as well."""
    now = short.plan.filter
    found = [(p.name, replace(now, people=now.people | {p.name})) for p in short.plan.people]
    found += [(fault, replace(now, faults=now.faults | {fault})) for fault in short.plan.on]
    return found + [(name, replace(now, strikes=now.strikes | {(name, draw)})) for name, draw, _ in short.struck]


def test_a_failure_is_shrunk_to_what_it_needs_and_told_as_a_story() -> None:
    mutant = MUTANTS["a_cancelled_booking_is_confirmed"]
    found = mutant.caught(0)
    assert found is not None
    with mutant.alive():
        failed = simulate(found.plan.seed)
        assert failed.violation is not None
        short = shrink(failed)
        told = story(short)
        left = _without_one_more(short)
        needed = [(what, simulate(failed.plan.seed, without=without).violation) for what, without in left]
    assert short.violation is not None
    assert short.violation.rule == failed.violation.rule == "S2"
    assert len(short.plan.people) < len(failed.plan.people)
    assert len(short.plan.on) < len(failed.plan.on)
    assert len(short.struck) < len(failed.struck)
    assert [what for what, violation in needed if violation is not None and violation.rule == "S2"] == []
    assert told.startswith(f"seed {failed.plan.seed}: ")
    assert "status=cancelled" in told
    assert "S2: confirmed while cancelled" in told.splitlines()[-1]


def test_a_way_that_is_left_out_leaves_those_of_the_others_as_they_were() -> None:
    left = 0
    for seed in range(300):
        whole = draw_plan(seed)
        for way, kind in (("saved_card", "saver"), ("forgetting", "keeper"), ("support", "support")):
            without = draw_plan(seed, without=Filter(faults=frozenset({way})))
            assert without.people == [person for person in whole.people if person.kind != kind]
            assert without.broken == whole.broken
            left += without.people != whole.people
    assert left > 50
