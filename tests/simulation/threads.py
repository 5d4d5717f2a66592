"""The synchronous gateway in threads: `python -m tests.simulation.threads --runs 1000`, or `--seed 7`.

In `python -m tests.simulation` nobody comes between the calls of the synchronous gateway. Here each of its calls to the
database and to Stripe is a point where others run, as for the asynchronous one: the same seeds, people and faults.
"""

import argparse
import sys
import time
from dataclasses import replace

from tests.simulation.plan import Filter, draw_plan
from tests.simulation.shrink import shrink, story
from tests.simulation.world import Result, World


def simulate_in_threads(
    seed: int, *, real: bool = False, without: Filter = Filter(), keep_trace: bool = True
) -> Result:
    """Run one seed to its end, with the synchronous gateway whatever it draws."""
    plan = replace(draw_plan(seed, real=real, without=without), colour="sync")
    world = World(plan, keep_trace=keep_trace)
    world.sched.threads = True
    return world.run()


def told(seed: int, *, real: bool) -> str:
    """Return the story of a seed that fails, made short."""
    return story(shrink(simulate_in_threads(seed, real=real), simulate_in_threads))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.threads", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one, and print its trace")
    parser.add_argument("--runs", type=int, default=1000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--real", action="store_true", help="through stripe-python, over FakeStripe")
    given = parser.parse_args()
    if given.seed is not None:
        result = simulate_in_threads(given.seed, real=given.real)
        print(result.trace())
        if result.violation is not None:
            print(told(given.seed, real=given.real))
        return result.violation is not None
    began, steps = time.process_time(), 0
    for seed in range(given.first, given.first + given.runs):
        result = simulate_in_threads(seed, real=given.real, keep_trace=False)
        steps += result.steps
        if result.violation is not None:
            print(told(seed, real=given.real))
            return 1
    took = time.process_time() - began
    print(f"{given.runs} runs in threads, {steps} steps, {steps / took:,.0f} steps/s, none failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
