"""What commands print: aligned text of at most 80 columns, or JSON.

Colours come from rich, where it is installed and the output is a terminal; they only repeat what the words say.
"""

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from rich.console import Console

Json: TypeAlias = "str | int | float | bool | None | Sequence[Json] | Mapping[str, Json]"
# A line is made of pieces: a text, or a text with its style ("bold", "red", "dim", …).
Piece: TypeAlias = str | tuple[str, str]

WIDTH: Final = 80
_NARROWEST: Final = 40
_WIDEST: Final = 100  # longer lines are hard to read
_GAP: Final = "  "


def print_json(value: Json) -> None:
    """Print one document, with its keys in the order given."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")
    sys.stdout.flush()


class Screen:
    """Standard output for people.

    Attributes:
        width: how many columns a line may have.
        terminal: whether somebody watches.
    """

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        columns = shutil.get_terminal_size((WIDTH, 24)).columns if self.terminal else WIDTH
        self.width = min(max(columns, _NARROWEST), _WIDEST)
        self._console = _console() if self.terminal else None

    def line(self, *pieces: Piece) -> None:
        """Print one line."""
        plain = "".join(piece if isinstance(piece, str) else piece[0] for piece in pieces).rstrip()
        if self._console is None:
            sys.stdout.write(plain + "\n")
            sys.stdout.flush()
            return
        from rich.text import Text  # noqa: PLC0415 - a package that need not be there

        self._console.print(Text.assemble(*pieces), soft_wrap=True, highlight=False)

    def wrapped(self, text: str, *, indent: int = 0, hang: int = 0, lead: Sequence[Piece] = ()) -> None:
        """Print a text broken at the width, indented, and by `hang` more from its second line on.

        `lead` stands in the first line's indent, padded to it.
        """
        taken = sum(len(piece) if isinstance(piece, str) else len(piece[0]) for piece in lead)
        # What has no spaces, such as an address or a list of ids, is left whole so that it can be copied.
        lines = textwrap.wrap(
            text, max(self.width - indent - hang, _NARROWEST // 2), break_long_words=False, break_on_hyphens=False
        )
        first, *rest = lines or [""]
        self.line(*lead, " " * max(indent - taken, 0) + first)
        for line in rest:
            self.line(" " * (indent + hang) + line)

    def fields(self, *pairs: tuple[str, object], indent: int = 2) -> None:
        """Print names and values, aligned; those without a value are left out."""
        shown = [(name, str(value)) for name, value in pairs if value not in {None, ""}]
        widest = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            lead = " " * indent + name.ljust(widest) + _GAP
            self.wrapped(value, indent=len(lead), lead=[(lead, "dim")])

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], *, indent: int = 0) -> None:
        """Print aligned columns under their names. The last column is broken where the line ends."""
        if not rows:
            return
        widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head) - 1)]
        for number, row in enumerate([head, *rows]):
            lead = " " * indent + "".join(cell.ljust(width) + _GAP for cell, width in zip(row, widths, strict=False))
            if number == 0:
                self.line((lead + row[-1], "bold"))
            else:
                self.wrapped(row[-1], indent=len(lead), lead=[lead])


def _console() -> "Console | None":
    try:
        from rich.console import Console  # noqa: PLC0415 - a package that need not be there
    except ImportError:
        return None
    return Console()


def plural(number: int, one: str, many: str = "") -> str:
    """Return `1 booking` or `2 bookings`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def shown_url(url: str) -> str:
    """Return an address without what may be secret in it: name, password and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
