"""Links lead somewhere, the README stays short, the changelog keeps its form."""

from __future__ import annotations

import re
import tomllib
from urllib.parse import unquote

import pytest

import airport_payments

from .markdown import ROOT, Document, documents

README_WORDS = 400
_RELEASE = re.compile(r"## \[(?P<version>Unreleased|\d+\.\d+\.\d+)\](?: - (?P<day>\d{4}-\d{2}-\d{2}))?")
_KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
DOCUMENTS = documents()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=[d.name for d in DOCUMENTS])
def test_links_lead_somewhere(document: Document):
    broken = [f"line {line}: {target}" for line, target in document.links if not _leads_somewhere(document, target)]
    assert not broken


def _leads_somewhere(document: Document, target: str) -> bool:
    if target.startswith("["):
        return False  # a reference without a definition
    if re.match(r"https://[\w.-]+\.[a-z]{2,}(/|$)|https?://(localhost|127\.0\.0\.1)|mailto:\S+@", target):
        return True  # tests ask nobody outside
    path, _, anchor = unquote(target).partition("#")
    there = (document.path.parent / path).resolve() if path else document.path
    if not there.exists() or not there.is_relative_to(ROOT):
        return False
    if not anchor:
        return True
    if there.suffix != ".md":
        return re.fullmatch(r"L\d+(-L\d+)?", anchor) is not None
    page = Document(there, there.read_text("utf-8")) if path else document
    return anchor in page.anchors


@pytest.mark.parametrize("document", DOCUMENTS, ids=[d.name for d in DOCUMENTS])
def test_headings_are_distinct_so_that_links_stay(document: Document):
    if document.name == "CHANGELOG.md":
        assert "added" in document.anchors  # one per release
        return
    headings = [line for line in document.prose if re.match(r"#{1,6} ", line)]
    assert len(headings) == len(set(headings))
    assert sum(line.startswith("# ") for line in headings) == 1


def test_every_page_can_be_reached_from_the_readme():
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        path = ahead.pop()
        if path in reached or path.suffix != ".md" or not path.exists():
            continue
        reached.add(path)
        links = Document(path, path.read_text("utf-8")).links
        ahead += [
            (path.parent / unquote(target).partition("#")[0]).resolve() for _, target in links if "://" not in target
        ]
    assert sorted(set((ROOT / "docs").rglob("*.md")) - reached) == []


def test_the_readme_is_short():
    words = 0
    for line in next(d for d in DOCUMENTS if d.name == "README.md").prose:
        if re.match(r" {0,3}\[[^\]]+\]:\s", line) or re.match(r"#+ .*\breferences?\b", line, re.IGNORECASE):
            break
        shown = re.sub(r"\]\([^)]*\)|<[^>]*>", " ", line)  # what is read, not where it leads
        words += len(re.findall(r"[\w'’-]*\w[\w'’-]*", shown))
    assert 0 < words <= README_WORDS


def test_the_changelog_keeps_its_form():
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    assert lines[0] == "# Changelog"
    titles = [line for line in lines if line.startswith("## ")]
    releases = [_RELEASE.fullmatch(line) for line in titles]
    assert all(releases), titles
    kinds = {line[4:] for line in lines if line.startswith("### ")}
    assert kinds <= _KINDS
    versions = [m["version"] for m in releases]
    days = [m["day"] for m in releases if m["version"] != "Unreleased"]
    assert versions.count("Unreleased") <= 1
    assert "Unreleased" not in versions[1:]
    assert all(days)
    assert days == sorted(days, reverse=True)
    released = [tuple(int(part) for part in v.split(".")) for v in versions if v != "Unreleased"]
    assert released == sorted(set(released), reverse=True)


def test_one_version_everywhere():
    assert airport_payments.__version__ == VERSION
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert newest is not None
    assert newest[1] in {"Unreleased", VERSION}
