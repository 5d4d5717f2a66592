"""The conformance suite refuses broken repositories, each by the test that is meant for it, and says what to change."""

import inspect
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from examples import psycopg_repository
from tests.postgres import Schema
from tests.storage.broken import TABLE, Broken
from tests.storage.harnesses import BOOKINGS, OnPsycopg

from airport_payments.testing.repository_conformance import KeepingConformance
from airport_payments.testing.repository_conformance.subject import Subject

SOURCE = Path(psycopg_repository.__file__).read_text()
TESTS = {name for name in dir(KeepingConformance) if name.startswith("test_")}


def edited(broken: Broken, folder: Path) -> ModuleType:
    """Make the mistake, in a module of its own."""
    text = SOURCE
    for old, new in broken.edits:
        assert old in text, f"the example has no {old!r} any more"
        text = text.replace(old, new)
    path = folder / f"{re.sub('[^a-z]', '_', broken.name)}.py"
    path.write_text(text)
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def arguments(test: Any) -> Iterator[dict[str, Any]]:
    """Every combination of a test's parameters."""
    marks = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    names = [name for name, _ in marks]
    for values in itertools.product(*[values for _, values in marks]):
        yield dict(zip(names, values, strict=True))


@pytest.fixture
def tables(schema: Schema) -> Schema:
    schema.run(BOOKINGS)
    return schema


@pytest.mark.parametrize("broken", TABLE, ids=[broken.name for broken in TABLE])
def test_a_broken_repository_is_refused_and_told_what_to_change(broken: Broken, tables: Schema, tmp_path: Path) -> None:
    module = edited(broken, tmp_path)
    tables.run(module.TABLES)
    test = getattr(KeepingConformance(), broken.test)
    told: list[str] = []
    for named in arguments(test):
        tables.run(
            "DELETE FROM bookings; DELETE FROM payment_ledgers; DELETE FROM payment_index; DELETE FROM payment_history"
        )
        with Subject(OnPsycopg(tables, module)) as subject:
            try:
                test(subject, **named)
            except AssertionError as error:
                told.append(str(error))
    assert told, "the suite found nothing"
    assert any(broken.says in message for message in told), told


def test_every_test_of_the_suite_refuses_some_repository() -> None:
    assert {broken.test for broken in TABLE} == TESTS


def test_every_mistake_has_a_name_of_its_own() -> None:
    assert len({broken.name for broken in TABLE}) == len(TABLE) > 12
    assert all(inspect.getdoc(getattr(KeepingConformance, name)) for name in TESTS)


SUITE = """
from contextlib import contextmanager
import pytest
from airport_payments.storage.memory import MemoryBookingRepository
from airport_payments.testing.repository_conformance import Harness, RepositoryConformance

class Forgetful(MemoryBookingRepository):
    def save(self, change):
        super().save(change)
        return True

class Ours(Harness):
    def __init__(self): self.kept = Forgetful()
    @contextmanager
    def repository(self): yield self.kept
    async def write_booking(self, booking): self.kept.put_booking(booking)
    async def read_booking(self, booking_id): return self.kept.booking(booking_id)

class TestOurs(RepositoryConformance):
    @pytest.fixture
    def harness(self): return Ours()
"""


@pytest.mark.e2e
def test_a_team_that_runs_the_suite_reads_what_to_change(tmp_path: Path) -> None:
    (tmp_path / "test_ours.py").write_text(SUITE)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-c",
        "/dev/null",
        "--rootdir=.",
    ]
    chosen = ["-k", "second_payable or unknown_booking"]
    done = subprocess.run([*command, *chosen], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "save() keeps at most one payable or closing payment a booking: a partial unique index" in done.stdout
