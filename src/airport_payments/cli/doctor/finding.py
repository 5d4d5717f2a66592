"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works, but later, or not everything
    PROBLEM = "problem"  # it does not work, or is not safe


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Args:
        check: its name for programs, `subject.detail`.
        level: how bad it is.
        what: what was found.
        why: why it matters, empty where nothing is wrong.
        do: what to do, empty where nothing is wrong.
    """

    check: str
    level: Level
    what: str
    why: str = ""
    do: str = ""

    @property
    def subject(self) -> str:
        """What it is about: the part of the name before the dot."""
        return self.check.partition(".")[0]


def ok(check: str, what: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(check, Level.OK, what)


def warning(check: str, what: str, why: str, do: str) -> Finding:
    """Return a finding that somebody should know."""
    return Finding(check, Level.WARNING, what, why, do)


def problem(check: str, what: str, why: str, do: str) -> Finding:
    """Return a finding that somebody has to mend."""
    return Finding(check, Level.PROBLEM, what, why, do)
