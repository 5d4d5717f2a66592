"""Run the simulation: `python -m tests.simulation --seed 7`, or `--runs 1000`."""

import argparse
import sys
from statistics import median

import tests.simulation.mutants
import tests.simulation.mutants_checks
import tests.simulation.mutants_money
import tests.simulation.mutants_said
import tests.simulation.mutants_ways  # noqa: F401 - and these
from tests.simulation.many import Sum, many
from tests.simulation.mutant import MUTANTS
from tests.simulation.plan import FAULTS, WAYS
from tests.simulation.shrink import shrink, story
from tests.simulation.world import simulate

# So often a long command says how far it is.
SAY_EVERY = 50_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one, and print its trace")
    parser.add_argument("--runs", type=int, default=1000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes at a time")
    parser.add_argument("--real", action="store_true", help="through stripe-python, over FakeStripe")
    parser.add_argument("--go-on", action="store_true", help="count failures instead of stopping at the first")
    parser.add_argument("--mutants", action="store_true", help="count the seeds until each rule taken away is noticed")
    given = parser.parse_args()
    if given.mutants:
        return _mutants(given.first)
    if given.seed is not None:
        result = simulate(given.seed, real=given.real)
        print(result.trace())
        if result.violation is not None:
            print(story(shrink(result)))
        return result.violation is not None
    return _many(given)


def _mutants(first: int) -> int:
    missed = 0
    for name, mutant in MUTANTS.items():
        caught = mutant.caught(first)
        missed += caught is None
        seeds, what = ("never", "") if caught is None else (caught.plan.seed - first + 1, caught.violation)
        print(f"{name:<62} {seeds:>5}  {str(what)[:110]}", flush=True)
    return missed > 0


def _many(given: argparse.Namespace) -> int:
    found = Sum()
    try:
        for block in many(given.first, given.runs, jobs=given.jobs, real=given.real):
            found.add(block)
            for seed, what in block.failed.items():
                print(f"seed {seed}: {what}")
                if not given.go_on:
                    print(story(shrink(simulate(seed, real=given.real))))
                    return 1
            if len(found.steps) % SAY_EVERY == 0:
                print(f"{len(found.steps)} runs so far, {len(found.failed)} failed", flush=True)
    except KeyboardInterrupt:
        print(f"interrupted; go on with --first {given.first + len(found.steps)}")
    if found.steps:
        _print(found)
    return bool(found.failed)


def _print(found: Sum) -> None:
    steps, counts = found.steps, found.counts
    print(
        f"{len(steps)} runs, {sum(steps)} steps, {sum(steps) / found.cpu_s:,.0f} steps/s of one core, "
        f"median {median(steps):.0f} a run"
    )
    never = [name for name in (*FAULTS, *WAYS) if not counts[name]]
    print(f"{len(found.together)} distinct combinations of faults; never drawn: {', '.join(never) or 'none'}")
    print("in how many runs each struck:")
    for name in FAULTS:
        print(f"  {name:<26} {counts[name]}")
    print("and in how many runs things went another way:")
    for name in WAYS:
        print(f"  {name:<26} {counts[name]}")
    if found.failed:
        print(f"{len(found.failed)} failed: {dict(found.rules)}; first: {list(found.failed)[:10]}")


sys.exit(main())
