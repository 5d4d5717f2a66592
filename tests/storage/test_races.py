"""Of writers in processes of their own exactly one wins, and kills lose nothing. Threads and tasks: the conformance suite."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from tests.storage.builders import booking, change, line

from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

ROOT = Path(__file__).parent.parent.parent


def in_a_process(task: str, where: object) -> None:
    command = [sys.executable, "-m", "tests.storage.workers", task, str(where)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    """A database that processes can be told of."""
    if request.param == "sqlite":
        return tmp_path / "payments.db"
    schema = request.getfixturevalue("schema")
    return f"{schema.dsn}#{schema.name}"


def test_of_two_processes_on_one_version_exactly_one_wins(where: object) -> None:
    in_a_process("race", where)


def test_a_killed_writer_leaves_every_acknowledged_save_and_nothing_half_written(where: object) -> None:
    in_a_process("crash", where)


def test_threads_that_share_one_connection_in_memory_take_turns() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    repository = SqlAlchemyBookingRepository(engine)
    repository.create_tables()
    threads, saves = 4, 60

    def save_all(name: str) -> int:
        repository.add_booking(booking(name))
        saved = 0
        for turn in range(saves):
            read = repository.get(name)
            assert read is not None
            saved += repository.save(change(read, lines=[line(str(turn))]))
        return saved

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(save_all, [f"bk_{n}" for n in range(threads)])) == [saves] * threads
    engine.dispose()
