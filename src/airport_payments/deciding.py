"""One turn of the loop: what a repository calls between reading and saving."""

from collections.abc import Callable
from datetime import datetime

from airport_payments.core.decide import decide
from airport_payments.core.decide.draft import Decision
from airport_payments.core.facts import Fact
from airport_payments.core.model import Change, Policy, Snapshot


class Turn:
    """Decides about the snapshot that a repository reads, and keeps both: None, if there was nothing to read."""

    __slots__ = ("_clock", "_fact", "_policy", "decision", "snapshot")

    def __init__(self, fact: Fact, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._fact, self._policy, self._clock = fact, policy, clock
        self.decision: Decision | None = None
        self.snapshot: Snapshot | None = None

    def __call__(self, snapshot: Snapshot) -> Change | None:
        """Return what is to be saved."""
        self.snapshot = snapshot
        self.decision = decide(snapshot, self._fact, self._clock(), self._policy)
        return self.decision.change
