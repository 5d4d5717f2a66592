"""A failing run made short, and told as a story."""

from dataclasses import replace

from tests.simulation.plan import Filter
from tests.simulation.world import Result, Simulate, simulate

# Replays that one shrinking may cost.
MAX_REPLAYS = 400


def shrink(failed: Result, run: Simulate = simulate) -> Result:
    """Leave out people, then faults, then single strikes, as long as the same rule is still broken.

    Args:
        failed: a run that broke a rule.
        run: what ran it.
    """
    assert failed.violation is not None
    best, left = failed, MAX_REPLAYS

    def attempt(without: Filter) -> bool:
        nonlocal best, left
        if left <= 0:
            return False
        left -= 1
        result = run(failed.plan.seed, real=failed.plan.real, without=without)
        if result.violation is None or result.violation.rule != failed.violation.rule:
            return False
        best = result
        return True

    for _ in range(2):
        for person in list(best.plan.people):
            now = best.plan.filter
            attempt(replace(now, people=now.people | {person.name}))
        for fault in [*best.plan.rates, *best.plan.ways]:
            now = best.plan.filter
            attempt(replace(now, faults=now.faults | {fault}))
        # Half of all strikes at once, then ever fewer, down to single ones.
        size = max(1, len(best.struck) // 2)
        while True:
            strikes = [(name, number) for name, number, _ in best.struck]
            for first in range(0, len(strikes), size):
                now = best.plan.filter
                attempt(replace(now, strikes=now.strikes | set(strikes[first : first + size])))
            if size == 1:
                break
            size //= 2
    return best


def story(result: Result) -> str:
    """Return who did what, when, and which rule broke."""
    plan = result.plan
    head = (
        f"seed {plan.seed}: {plan.variant}, {plan.colour}, {plan.processes} processes; "
        f"{len(plan.people)} people; {len(result.struck)} strikes of {', '.join(plan.on) or 'no fault'}"
        f"{'; ' + ', '.join(plan.ways) if plan.ways else ''}"
    )
    return f"{head}\n{result.trace(loud_only=True)}"
