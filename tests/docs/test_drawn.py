"""The reference's diagrams and tables are drawn from the code.

python -m tests.docs.test_drawn --write     draw them again
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airport_payments.core import errors
from airport_payments.core.decide.route import DOES, HANDLED, Subject
from airport_payments.core.decide.table import BOOKING_FORWARD, DISPUTE_FORWARD, FORWARD, REFUND_FORWARD
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.errors import PaymentsError
from airport_payments.core.model import BookingStatus, PaymentState
from airport_payments.core.refund import RefundState

DOCS = Path(__file__).parents[2] / "docs"


def diagram(lines: list[str]) -> str:
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in lines), "```"])


def transitions(table, order, first) -> str:
    lines = [f"[*] --> {first}"]
    for state in order:
        lines += [f"{state} --> {after}" for after in order if after in table[state] and after is not state]
        if not table[state]:
            lines.append(f"{state} --> [*]")
    return diagram(lines)


def payment_diagram() -> str:
    return transitions(FORWARD, list(PaymentState), PaymentState.OPENING)


def refund_diagram() -> str:
    return transitions(REFUND_FORWARD, list(RefundState), RefundState.REQUESTED)


def booking_diagram() -> str:
    lines = [f"[*] --> {BookingStatus.PENDING}"]
    for state, following in BOOKING_FORWARD.items():
        lines += [f"{state} --> {after}: {' / '.join(words)}" for after, words in following.items()]
    return diagram(lines)


GROUPS = {
    "inquiry": (DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.WARNING_UNDER_REVIEW),
    "formal_dispute": (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW),
    "appeal": (DisputeStatus.APPEAL_NEEDS_RESPONSE, DisputeStatus.APPEAL_UNDER_REVIEW),
}


def dispute_diagram() -> str:
    """Groups that go to the same places are drawn with one arrow; where they differ, each status has its own."""
    groups = {**GROUPS, **{s.value: (s,) for s in DisputeStatus if not any(s in g for g in GROUPS.values())}}
    lines = ["direction LR", "[*] --> inquiry", "[*] --> formal_dispute"]
    for name, members in GROUPS.items():
        inside = [f"{a} --> {b}" for a in members for b in members if b in DISPUTE_FORWARD[a]]
        lines += [f"state {name} {{", *(f"    {line}" for line in inside), "}"]
    for name, members in groups.items():
        for other, targets in groups.items():
            pairs = [(a, b) for a in members for b in targets if b in DISPUTE_FORWARD[a]]
            if name == other or not pairs:
                continue
            if len(pairs) == len(members) * len(targets):
                lines.append(f"{name} --> {other}")
            else:
                lines += [f"{a} --> {b}" for a, b in pairs]
    lines += [f"{status} --> [*]" for status in DisputeStatus if not DISPUTE_FORWARD[status]]
    return diagram(lines)


def events_table() -> str:
    names = {
        Subject.INTENT: "PaymentIntent", Subject.REFUND: "refund", Subject.CHARGE: "charge", Subject.DISPUTE: "dispute",
    }  # fmt: skip
    lines = ["| event | of a | what it does |", "|---|---|---|"]
    lines += [f"| `{kind}` | {names[subject]} | {DOES[kind]} |" for kind, subject in ((k, HANDLED[k]) for k in DOES)]
    return "\n".join(lines)


def error_classes() -> list[type[PaymentsError]]:
    """Those that are raised: the tree's leaves, in the order of the drawing."""
    text = errors.__doc__ or ""
    found = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, PaymentsError)]
    inner = {errors.PaymentsError, errors.RequestRefused, errors.Conflict, errors.TryAgain, errors.ServerFault}
    return sorted((c for c in found if c not in inner), key=lambda c: text.index(f" {c.__name__}"))


def errors_table() -> str:
    lines = ["| error | status | `error_code` | when | what a customer reads |", "|---|---|---|---|---|"]
    for kind in error_classes():
        when = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
        status = "" if kind is errors.ConfigurationError else str(kind.http_status)
        said = "" if kind is errors.ConfigurationError else kind.public_message
        code = "Stripe's own" if kind is errors.CardDeclined else f"`{kind.code}`"
        said = "Stripe's own words, made safe to show" if kind is errors.CardDeclined else said
        lines.append(f"| `{kind.__name__}` | {status} | {code} | {when} | {said} |")
    return "\n".join(lines)


DRAWN: dict[str, tuple[str, Callable[[], str]]] = {
    "payment states": ("explanation/how-it-works.md", payment_diagram),
    "payment": ("reference/states.md", payment_diagram),
    "refund": ("reference/states.md", refund_diagram),
    "dispute": ("reference/states.md", dispute_diagram),
    "booking": ("reference/states.md", booking_diagram),
    "events": ("reference/events.md", events_table),
    "errors": ("reference/errors.md", errors_table),
}


def replaced(name: str) -> tuple[Path, str, str]:
    """The page, its text, and its text with this picture drawn again."""
    page, draw = DRAWN[name]
    text = (DOCS / page).read_text("utf-8")
    begin, end = f"<!-- drawn: {name} -->\n", "\n<!-- end -->"
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    assert len(pattern.findall(text)) == 1, f"{page} has no place for {name}"
    return DOCS / page, text, pattern.sub(lambda _: f"{begin}{draw()}{end}", text)


@pytest.mark.parametrize("name", DRAWN)
def test_what_the_docs_show_is_what_the_code_does(name):
    _, now, drawn = replaced(name)
    assert now == drawn, "draw it again: python -m tests.docs.test_drawn --write"


def test_every_event_that_is_handled_says_what_it_does():
    assert set(DOES) == set(HANDLED)


if __name__ == "__main__" and "--write" in sys.argv:
    for each in DRAWN:
        path, _, new = replaced(each)
        path.write_text(new, "utf-8")
