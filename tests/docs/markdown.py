"""Reads what these tests need of a Markdown file: fenced blocks with their directives, headings, links, prose."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP_LEVEL = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
_DIRECTIVE = re.compile(r"^\s*<!--\s*test:\s*(.*?)\s*-->\s*$")
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_DEFINITION = re.compile(r"^ {0,3}\[([^\]^]+)\]:\s*<?(\S+?)>?(?:\s.*)?$")
_INLINE = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s>]*(?:\([^()]*\))?[^()\s>]*)>?(?:\s+[\"'][^)]*)?\)")
_REFERENCE = re.compile(r"\[([^\[\]]+)\]\[([^\[\]]*)\]")
_HTML_LINK = re.compile(r"<(?:a|img|source)\s[^>]*?(?:href|src|srcset)=[\"']([^\"']+)[\"']")
_HTML_ANCHOR = re.compile(r"<\w+\s[^>]*?(?:id|name)=[\"']([^\"']+)[\"']")


@dataclass(frozen=True)
class Block:
    """A fenced block. `line` is that of its first line of text."""

    path: Path
    line: int
    language: str
    text: str
    directives: tuple[tuple[str, ...], ...]

    @property
    def where(self) -> str:
        return f"{_shown(self.path)}:{self.line}"

    def directive(self, name: str) -> list[tuple[str, ...]]:
        """The words after the name, of each directive of that name."""
        return [words[1:] for words in self.directives if words[0] == name]


@dataclass(frozen=True)
class Document:
    """A Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return _shown(self.path)

    @cached_property
    def _parsed(self) -> tuple[list[Block], list[str]]:
        return _parse(self.path, self.text)

    @property
    def blocks(self) -> list[Block]:
        return self._parsed[0]

    @property
    def prose(self) -> list[str]:
        """Its lines, with those of fenced blocks and of comments left empty: line numbers stay."""
        return self._parsed[1]

    @property
    def anchors(self) -> set[str]:
        """What `#…` may name: each heading's slug as the common hosts make it, and ids in HTML."""
        seen: dict[str, int] = {}
        found: set[str] = set()
        for line in self.prose:
            found.update(_HTML_ANCHOR.findall(line))
            if heading := _HEADING.match(line):
                slug = slug_of(heading[2])
                count = seen.get(slug, 0)
                seen[slug] = count + 1
                found.add(f"{slug}-{count}" if count else slug)
        return found

    @property
    def definitions(self) -> dict[str, str]:
        return {m[1].casefold(): m[2] for line in self.prose if (m := _DEFINITION.match(line))}

    @property
    def links(self) -> list[tuple[int, str]]:
        """Line number and target of every link and picture; a reference without a definition is `[name]`."""
        found = []
        for number, line in enumerate(self.prose, 1):
            if definition := _DEFINITION.match(line):
                found.append((number, definition[2]))
                continue
            text = re.sub(r"`[^`]*`", "code", line)
            found += [(number, target) for target in _INLINE.findall(text) + _HTML_LINK.findall(text)]
            for label, reference in _REFERENCE.findall(text):
                if (reference or label).casefold() not in self.definitions:
                    found.append((number, f"[{reference or label}]"))
        return found


def slug_of(heading: str) -> str:
    """The anchor of a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    text = re.sub(r"\*{1,2}(\S(?:.*?\S)?)\*{1,2}|(?<!\w)_{1,2}(\S(?:.*?\S)?)_{1,2}(?!\w)", r"\1\2", text)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def documents() -> list[Document]:
    """Every Markdown file that people read."""
    paths = [ROOT / name for name in TOP_LEVEL] + sorted((ROOT / "docs").rglob("*.md"))
    return [Document(path, path.read_text("utf-8")) for path in paths if path.exists()]


def _parse(path: Path, text: str) -> tuple[list[Block], list[str]]:
    blocks: list[Block] = []
    prose: list[str] = []
    directives: list[tuple[str, ...]] = []
    opened: re.Match[str] | None = None
    inside: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is not None:
            prose.append("")
            if fence and not fence["info"].strip() and fence["fence"].startswith(opened["fence"]):
                info = opened["info"].split()
                body = "".join(f"{part}\n" for part in inside)
                blocks.append(Block(path, start, info[0] if info else "", body, tuple(directives)))
                opened, directives = None, []
            else:
                inside.append(line.removeprefix(opened["indent"]))
        elif fence:
            opened, inside, start = fence, [], number + 1
            prose.append("")
        elif directive := _DIRECTIVE.match(line):
            directives.append(tuple(shlex.split(directive[1])))
            prose.append("")
        else:
            if line.strip() and directives:
                raise ValueError(f"{_shown(path)}:{number}: a test directive stands directly before its block")
            prose.append(line)
    if opened is not None or directives:
        raise ValueError(f"{_shown(path)}: the last block is not closed, or a directive has no block")
    return blocks, prose


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
