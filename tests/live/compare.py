"""Where two sides differ, as lines that a person can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .stage import Step

NOTHING = "nothing"


@dataclass(frozen=True)
class Finding:
    """One difference.

    Args:
        scenario, step, what: where.
        fake, stripe: what the two say; the same where both are not as the scenario wants it.
        wanted: what the scenario wants; None where it does not say.
        note: it is worth knowing, and no difference between FakeStripe and Stripe.
    """

    scenario: str
    step: str
    what: str
    fake: str
    stripe: str
    wanted: str | None = None
    note: str = ""

    def line(self, other: str = "Stripe") -> str:
        where = ", ".join(part for part in (self.scenario, self.step, self.what) if part)
        said = f"fake says {self.fake}, {other} says {self.stripe}"
        if self.fake == self.stripe:
            said = f"both say {self.fake}"
        hoped = f" (the scenario wants {self.wanted})" if self.wanted not in {None, self.stripe} else ""
        return f"{where}: {said}{hoped}" + (f" [{self.note}]" if self.note else "")


def one_side(scenario: str, steps: Mapping[str, Step]) -> list[str]:
    """Return what is not as the scenario wants it on one side."""
    found = []
    for step in steps.values():
        for what, wanted in step.wanted.items():
            if step.says.get(what) != wanted:
                found.append(f"{scenario}, {step.name}, {what}: {_word(step.says.get(what))}, not {_word(wanted)}")
        found += [f"{scenario}, {step.name}, schema: {problem}" for problem in step.broken]
    return found


def compared(scenario: str, fake: Mapping[str, Step], stripe: Mapping[str, Step]) -> list[Finding]:
    """Return all differences of one scenario, in the order of its steps."""
    found: list[Finding] = []
    for name in dict.fromkeys((*fake, *stripe)):
        ours, theirs = fake.get(name), stripe.get(name)
        if ours is None or theirs is None:
            reached = ["it came so far" if step else "it did not come so far" for step in (ours, theirs)]
            found.append(Finding(scenario, name, "", *reached))
        else:
            found += _words(scenario, ours, theirs)
            found += _schemas(scenario, ours, theirs)
            if ours.kind == theirs.kind and ours.shape is not None and theirs.shape is not None:
                found += _fields(scenario, ours, theirs)
    return found


def _words(scenario: str, ours: Step, theirs: Step) -> Iterable[Finding]:
    for what in dict.fromkeys((*ours.says, *theirs.says, *ours.wanted)):
        fake, stripe = ours.says.get(what), theirs.says.get(what)
        wanted = ours.wanted.get(what, stripe)
        if fake != stripe or fake != wanted:
            yield Finding(
                scenario,
                ours.name,
                what,
                _word(fake),
                _word(stripe),
                _word(wanted) if what in ours.wanted else None,
                note=ours.depends,
            )


def _schemas(scenario: str, ours: Step, theirs: Step) -> Iterable[Finding]:
    for problem in sorted({*ours.broken, *theirs.broken}):
        said = ["it breaks the schema" if problem in step.broken else "it does not" for step in (ours, theirs)]
        yield Finding(scenario, ours.name, f"schema of {problem}", *said)


def _fields(scenario: str, ours: Step, theirs: Step) -> Iterable[Finding]:
    assert ours.shape is not None
    assert theirs.shape is not None
    for path in sorted({*ours.shape, *theirs.shape}):
        fake, stripe = ours.shape.get(path, frozenset()), theirs.shape.get(path, frozenset())
        if fake == stripe or _is_inside(path, ours.shape, theirs.shape):
            continue
        note = "null or not is a matter of values" if fake and stripe and not (fake ^ stripe) - {"null"} else ""
        if {"null"} in (fake, stripe) and fake and stripe:
            note = "one of them is null here"
        yield Finding(scenario, ours.name, f"{ours.kind}.{path}", _kinds(fake), _kinds(stripe), note=note)


def _is_inside(path: str, ours: Mapping[str, frozenset[str]], theirs: Mapping[str, frozenset[str]]) -> bool:
    """Return whether the field's parent is only on one side, or empty on one: then that is said instead."""
    parent = path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]
    if not parent:
        return False
    if path.endswith("[]"):
        return True  # an empty list tells nothing of its elements
    here = {"object"}
    return not (ours.get(parent, frozenset()) & here and theirs.get(parent, frozenset()) & here)


def _kinds(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds)) or NOTHING


def _word(value: object) -> str:
    return NOTHING if value is None else str(value)


def printed(findings: Iterable[Finding], other: str) -> list[str]:
    """Return one line for each difference: a field that differs in the same way in many steps is said once."""
    lines: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        is_field = "." in finding.what or finding.what.startswith("schema of")
        same = (finding.what, finding.fake, finding.stripe, finding.note)
        lines.setdefault(same if is_field else (finding.scenario, finding.step, *same), []).append(finding)
    return [
        group[0].line(other) + (f" (and in {len(group) - 1} other steps)" if len(group) > 1 else "")
        for group in lines.values()
    ]
