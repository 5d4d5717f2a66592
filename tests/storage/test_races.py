"""Of writers that start from the same version, exactly one wins, in threads, tasks and processes; kills lose nothing."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from tests.storage.builders import booking, change, line, opening
from tests.storage.stores import AsyncSqliteStore, Store, hurry, load

from airport_payments.core.model import Snapshot
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 200


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


@pytest.mark.parametrize("store", ["memory", "sqlite", "psycopg"], indirect=True)
def test_of_two_threads_on_one_version_exactly_one_wins(store: Store) -> None:
    store.add_booking(booking())
    barrier = threading.Barrier(2, timeout=30)

    def racer(name: str) -> list[bool]:
        won: list[bool] = []
        for turn in range(ROUNDS):
            read = load(store)
            barrier.wait()
            won.append(store.save(change(read, lines=[line(f"{name}{turn}")])))
            barrier.wait()
        return won

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(racer, "ab")
    assert [a + b for a, b in zip(first, second, strict=True)] == [1] * ROUNDS
    assert load(store).ledger.version == len(store.history("bk_1")) == ROUNDS


@pytest.mark.parametrize("store", ["memory", "sqlite", "psycopg"], indirect=True)
def test_of_many_threads_opening_a_payment_exactly_one_does(store: Store) -> None:
    clicks = 8
    barrier = threading.Barrier(clicks, timeout=30)
    with ThreadPoolExecutor(clicks) as threads:
        for turn in range(15):
            name = f"bk_{turn}"
            store.add_booking(booking(name))

            def click(number: int, name: str = name) -> bool:
                made = opening(load(store, name), f"at_{number}")
                barrier.wait()
                return store.save(made)

            assert sum(threads.map(click, range(clicks))) == 1
            assert len(load(store, name).ledger.payments) == 1


def test_of_many_tasks_opening_a_payment_exactly_one_does(tmp_path: Path) -> None:
    with closing(AsyncSqliteStore(tmp_path / "payments.db", connect_args={"timeout": 30})) as store:
        hurry(store.engine.sync_engine)
        store.create_tables()
        both = [store.repository, AsyncSqlAlchemyBookingRepository(store.engine)]

        async def click(read: Snapshot, number: int) -> bool:
            return await both[number % 2].save(opening(read, f"at_{number}"))

        async def clicks(read: Snapshot) -> list[bool]:
            return await asyncio.gather(*(click(read, number) for number in range(8)))

        for turn in range(15):
            store.add_booking(booking(f"bk_{turn}"))
            assert sum(store.run(clicks(load(store, f"bk_{turn}")))) == 1


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
