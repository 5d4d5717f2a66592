"""Checks the shell blocks of a Markdown file, command by command, and runs those that a directive asks to run.

    <!-- test: run SERVER ['TEXT' ...] -->     run the whole block in bash, with SERVER in place of localhost:8000
                                               (`fastapi`, `flask`, `demo`, or `none`; `shop` is none, with bookings); it has to succeed, and to print
                                               each TEXT. $TOKEN is a customer's token.

A block without it is checked: every command is one of `CHECKS`, and what it names exists.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

from .markdown import ROOT, Block

BIN = Path(sys.executable).parent
# What shells and tools themselves read.
ORDINARY_VARIABLES = {"PATH", "PORT", "TOKEN", "PYTHON", "ARGS", "CI", "HYPOTHESIS_PROFILE", "SECONDS"}
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


class Unchecked(AssertionError):
    """A command that nothing here knows how to check, or that names something that does not exist."""


def check(block: Block) -> None:
    """Check each command of a block."""
    commands = list(commands_of(block.text))
    if not commands:
        raise Unchecked(f"{block.where}: no command")
    for command in commands:
        try:
            check_command(command)
        except Unchecked as error:
            raise Unchecked(f"{block.where}: {shlex.join(command)}: {error}") from None


def commands_of(text: str):
    """The simple commands of a block, as words: lines are joined at a backslash, comments and prompts dropped."""
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("|&;"):
                if words:
                    yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words


def check_command(words: list[str]) -> None:
    """Check one simple command."""
    while words and (assigned := _ASSIGNMENT.fullmatch(words[0])):
        _known_variable(assigned[1])
        words = words[1:]
    if not words:
        return
    program = words[0].removeprefix(".venv/bin/")
    if program not in CHECKS:
        raise Unchecked(
            f"no check is written for {program} (tests/docs/shell_blocks.py); or use a directive `test: run`"
        )
    CHECKS[program](words[1:])


# ---- one check per program ----


def _export(words: list[str]) -> None:
    for word in words:
        assigned = _ASSIGNMENT.fullmatch(word)
        _known_variable(assigned[1] if assigned else word)


def _make(words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for word in words:
        if assigned := _ASSIGNMENT.fullmatch(word):
            _known_variable(assigned[1])
        elif word not in targets:
            raise Unchecked(f"the Makefile has no target {word}")


def _pip(words: list[str]) -> None:
    if words[:1] != ["install"]:
        raise Unchecked("only `pip install` is checked")
    rest = iter(words[1:])
    for word in rest:
        if word in {"-r", "--requirement"}:
            _existing(next(rest))
        elif not word.startswith("-"):
            _requirement(word)


def _requirement(word: str) -> None:
    match = re.fullmatch(r"(airport-payments|\.)(?:\[([\w,-]+)\])?(?:[=<>~!].*)?", word)
    if not match:
        raise Unchecked(f"{word} is not this package")
    for extra in filter(None, (match[2] or "").split(",")):
        if extra not in _pyproject()["project"]["optional-dependencies"]:
            raise Unchecked(f"there is no extra {extra}")


def _airport_payments(words: list[str]) -> None:
    names = []
    for word in words:
        if word.startswith("-"):
            break
        names.append(word)
    text = _help_of((str(BIN / "airport-payments"), *names[:1], "--help"))
    _flags_in(words, text)


def _python(words: list[str]) -> None:
    if words[:1] == ["-m"]:
        name, rest = words[1], words[2:]
        if name == "pip":
            _pip(rest)
        elif name == "airport_payments":
            _airport_payments(rest)
        elif not _module_exists(name):
            raise Unchecked(f"there is no module {name}")
        elif name == "pytest":
            _pytest(rest)
    elif words[:1] == ["-c"]:
        compile(words[1], "-c", "exec")
    elif words:
        _existing(words[0])


def _pytest(words: list[str]) -> None:
    for word in words:
        if "/" in word and not word.startswith("-"):
            _existing(word.partition("::")[0])


def _server(program: str, *command: str):
    def check_server(words: list[str]) -> None:
        apps = [word for word in words if re.fullmatch(r"[\w.]+:\w+(\(\))?", word)]
        if not apps:
            raise Unchecked("which app?")
        for app in apps:
            module, name = app.removesuffix("()").split(":")
            _defines(module, name)
        _flags_in(words, _help_of((sys.executable, "-m", program, *command, "--help")), {"--app"})

    return check_server


def _git(words: list[str]) -> None:
    if words[:1] == ["clone"] and words[-1].removesuffix(".git").endswith(("airport_payments", "airport-payments")):
        return
    if words[:1] not in (["add"], ["commit"], ["switch"], ["push"]):
        raise Unchecked("only clone, add, commit, switch and push are checked")


def _cd(words: list[str]) -> None:
    if words[0] not in {"airport_payments", "airport-payments"}:
        _existing(words[0])


def _stripe(words: list[str]) -> None:
    """Stripe's own command line: the address that it forwards to, and the events that it is told of, are ours."""
    for before, word in zip(["", *words], words, strict=False):
        if before in {"--events", "trigger"}:
            for event in word.split(","):
                if event not in _literals():
                    raise Unchecked(f"the library does not handle {event}")
        if before in {"--forward-to", "-f"} and not word.endswith("/payment/webhook"):
            raise Unchecked("webhooks go to /payment/webhook")


def _bash(words: list[str]) -> None:
    _existing(words[0])


def _ruff(words: list[str]) -> None:
    if words[:1] not in (["check"], ["format"]):
        raise Unchecked("only `ruff check` and `ruff format` are checked")


CHECKS = {
    "export": _export,
    "make": _make,
    "pip": _pip,
    "airport-payments": _airport_payments,
    "python": _python,
    "python3": _python,
    "pytest": _pytest,
    "uvicorn": _server("uvicorn"),
    "gunicorn": _server("gunicorn"),
    "flask": _server("flask", "run"),
    "git": _git,
    "cd": _cd,
    "stripe": _stripe,
    "bash": _bash,
    "ruff": _ruff,
}

# ---- what exists ----


@functools.cache
def _pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@functools.cache
def _literals() -> frozenset[str]:
    """Every string in the code: the variables that it reads and the events that it handles are among them."""
    found: set[str] = set()
    code = [path for folder in ("src", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    for path in (*code, *(ROOT / "tests").rglob("conftest.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return frozenset(found)


def _known_variable(name: str) -> None:
    if name not in ORDINARY_VARIABLES and name not in _literals():
        raise Unchecked(f"nothing reads the variable {name}")


def _existing(path: str) -> None:
    if not (ROOT / path).exists():
        raise Unchecked(f"there is no {path}")


def _module_exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _defines(module: str, name: str) -> None:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.exists():
        raise Unchecked(f"there is no module {module}")
    names = {
        target.id
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if name not in names:
        raise Unchecked(f"{module} has no {name}")


@functools.cache
def _help_of(command: tuple[str, ...]) -> str:
    variables = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Unchecked(f"{shlex.join(command[-2:])} fails: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout + done.stderr


def _flags_in(words: list[str], text: str, also: frozenset[str] | set[str] = frozenset()) -> None:
    known = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", text)) | set(also)
    for word in words:
        flag = word.partition("=")[0]
        if flag.startswith("-") and flag not in known:
            raise Unchecked(f"there is no option {flag}")
