"""Runs scenarios on one side, and on both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from airport_payments.core.secret import Secret
from airport_payments.testing import FakeStripe

from .compare import Finding, compared
from .line import Line, OutOfBudget, Stopped
from .scenarios import SCENARIOS, Scenario
from .stage import Side, Stage, Step

FAKE_KEY = "sk_test_fake"


@dataclass
class Played:
    """One scenario on one side: its steps, and why it ended before its end, if it did."""

    steps: dict[str, Step]
    stopped: str | None = None


@dataclass
class Outcome:
    """Both sides of all scenarios."""

    findings: list[Finding] = field(default_factory=list)
    played: int = 0
    out_of_budget: str | None = None


class FakeWorld:
    """A FakeStripe with time of its own, which passes when somebody waits."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
        self.fake = FakeStripe(FAKE_KEY, clock=lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def side(self, run: str) -> Side:
        """Return it as a side."""
        line = Line(clock=lambda: self.now.timestamp(), sleep=self.sleep, paced=False)
        client = line.client(self.fake.transport())
        base = "https://api.stripe.com"  # as it thinks; its transport goes nowhere
        return Side("fake", line, client, base, Secret(FAKE_KEY), self.sleep, lambda: self.now, run, is_fake=True)


def play(scenario: Scenario, side: Side) -> Played:
    """Run one scenario, and clean up behind it.

    Raises:
        OutOfBudget: there were too many calls, or it took too long.
    """
    stage = Stage(scenario.name, side)
    stopped = None
    try:
        scenario.play(stage)
    except Stopped as error:
        stopped = str(error)
    except Exception as error:
        stopped = type(error).__name__  # its text may hold what Stripe said
    except BaseException:
        side.line.allow_cleaning_up()
        stage.clean_up()
        raise
    try:
        stage.clean_up()
    except Exception as error:
        stopped = stopped or f"{type(error).__name__} while cleaning up"
    return Played(stage.steps, stopped)


def both(
    other: Side, run: str, scenarios: Iterable[Scenario] = SCENARIOS, *, tell: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Run scenarios on a new FakeStripe and on the other side, and compare.

    Args:
        other: the other side.
        run: marks what is made.
        scenarios: which.
        tell: is told the name of each scenario before it begins.
    """
    outcome = Outcome()
    for scenario in scenarios:
        tell(scenario.name)
        ours = play(scenario, FakeWorld().side(run))
        try:
            theirs = play(scenario, other)
        except OutOfBudget as error:
            outcome.out_of_budget = str(error)
            break
        outcome.played += 1
        outcome.findings += _ends(scenario.name, ours, theirs)
    return outcome


def _ends(scenario: str, ours: Played, theirs: Played) -> list[Finding]:
    """Compare as far as both came, and say where one went no further."""
    if not ours.stopped and not theirs.stopped:
        return compared(scenario, ours.steps, theirs.steps)
    common = [name for name in ours.steps if name in theirs.steps]
    found = compared(scenario, *({name: played.steps[name] for name in common} for played in (ours, theirs)))
    words = [f"the end ({played.stopped})" if played.stopped else "go on" for played in (ours, theirs)]
    return [*found, Finding(scenario, f"after {common[-1]}" if common else "at once", "", *words)]
