"""What the docs promise is looked at: each command that they name works, each rule and each test that they name is there."""

from __future__ import annotations

import re
import shlex
import statistics

import pytest
import tests.simulation.mutants
import tests.simulation.mutants_checks
import tests.simulation.mutants_money
import tests.simulation.mutants_said
import tests.simulation.mutants_ways  # noqa: F401 - these register the faults
from tests.exhaustion.worlds import WORLDS
from tests.simulation.mutant import MUTANTS
from tests.simulation.test_caught import DESIGN, PROOF

from . import shell_blocks
from .markdown import ROOT, documents

EXPLANATION = ROOT / "docs" / "explanation"
PROMISES = (EXPLANATION / "guarantees.md").read_text("utf-8")
SIMULATION = (EXPLANATION / "simulation.md").read_text("utf-8")
# How a command of the project begins, in a sentence, in a table, or on a line of a block.
_COMMAND = r"(?:[A-Z_]+=\S+ )?(?:make|python -m tests(?:\.\w+)+)(?: [^`\n]+)?"


def named_commands() -> list[str]:
    """The project's own commands that the docs name outside of blocks of shell, which are checked elsewhere."""
    found: set[str] = set()
    for document in documents():
        if document.name != "CHANGELOG.md":
            found |= set(re.findall(f"`({_COMMAND})`", "\n".join(document.prose)))
            texts = "\n".join(block.text for block in document.blocks if block.language == "text")
            found |= set(re.findall(f"^({_COMMAND})", texts, re.MULTILINE))
    return sorted(command.partition("#")[0].rstrip() for command in found)


def run_by(target: str) -> str | None:
    """The program of ours that a target of the Makefile runs."""
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe is not None, target
    program = re.search(r"-m (tests\.\w+)", recipe[1])
    return program and program[1]


def check_options(program: str, words: list[str]) -> None:
    # Read, and not asked for its help: the mutation tests need what `make setup` does not install.
    path = ROOT.joinpath(*program.split("."))
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    shell_blocks._flags_in(words, path.read_text("utf-8"))
    if program == "tests.exhaustion":
        assert {word for word in words if word[0] != "-" and not word.isdigit()} <= set(WORLDS)


@pytest.mark.parametrize("command", named_commands())
def test_a_command_that_the_docs_name_is_there_with_its_options(command: str) -> None:
    ((*words,),) = shell_blocks.commands_of(command)
    shell_blocks.check_command(words)
    if "python" in words:
        check_options(words[words.index("-m") + 1], words[words.index("-m") + 2 :])
        return
    given = dict(word.split("=", 1) for word in words if "=" in word)
    if "ARGS" in given:
        (target,) = (word for word in words if "=" not in word and word != "make")
        program = run_by(target)
        if program is not None:
            check_options(program, shlex.split(given["ARGS"]))
        else:
            shell_blocks._pytest(shlex.split(given["ARGS"]))


def test_the_docs_name_commands() -> None:
    """So many at least are looked at above."""
    assert len(named_commands()) > 25


def test_each_invariant_is_promised_and_each_rule_that_a_promise_names_is_looked_at() -> None:
    named = set(re.findall(r"\b[SL]\d+\b", PROMISES))
    named |= {
        f"rule {n}" for numbers in re.findall(r"\brules? ([\d, and]+)", PROMISES) for n in re.findall(r"\d+", numbers)
    }
    assert named <= set(PROOF)
    assert named >= DESIGN


def test_each_promise_says_what_shows_it() -> None:
    rows = [line for line in PROMISES.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 15
    for row in rows:
        _, shown, *more = (cell.strip() for cell in row.strip("|").split("|"))
        assert re.search(r"\b[SL]\d+\b|`tests/|restored backup", shown), row
        assert not more or re.match(r"`(make|python -m) ", more[0]), row


def test_each_test_that_a_promise_names_is_there() -> None:
    paths = re.findall(r"`(tests/[^`]+)`", PROMISES)
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_page_on_the_simulation_counts_the_seeds_of_every_fault() -> None:
    table = SIMULATION.partition("| taken away | seeds |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+?)(?: \(through stripe-python\))? \| (\d+) \|$", table, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(name.replace("_", " ") for name in MUTANTS)
    assert f"The median is {statistics.median(int(seeds) for _, seeds in rows):g}." in SIMULATION
