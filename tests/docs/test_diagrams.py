"""The docs' diagrams are drawn from the tables of the rules.

python -m tests.docs.test_diagrams --write     draw them again
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from airport_payments.core.decide.table import FORWARD
from airport_payments.core.model import PaymentState

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "how-it-works.md"
DIAGRAM = re.compile(r"```mermaid\nstateDiagram-v2\n.*?```", re.DOTALL)


def payment_diagram() -> str:
    """The transitions of a payment, in the words of the table."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {PaymentState.OPENING}"]
    for state, following in FORWARD.items():
        lines += [f"    {state} --> {after}" for after in PaymentState if after in following]
        if not following:
            lines.append(f"    {state} --> [*]")
    return "\n".join([*lines, "```"])


def test_the_state_diagram_is_the_table():
    assert DIAGRAM.findall(PAGE.read_text("utf-8")) == [payment_diagram()]


if __name__ == "__main__" and "--write" in sys.argv:
    PAGE.write_text(DIAGRAM.sub(payment_diagram(), PAGE.read_text("utf-8")), "utf-8")
