"""A task that is cancelled anywhere in a call leaves no open transaction, no lost connection, and no half of a save."""

import asyncio
import gc
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.storage.builders import booking, paying
from tests.storage.stores import AsyncSqliteStore, hurry, load

from airport_payments.core.model import BookingStatus
from airport_payments.storage.sqlalchemy.sqlite import in_thread, write


@pytest.fixture(params=["rollback", None], ids=["pool-resets", "pool-does-not"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AsyncSqliteStore]:
    made = AsyncSqliteStore(
        tmp_path / "payments.db", pool_size=2, max_overflow=0, pool_timeout=5, pool_reset_on_return=request.param
    )
    hurry(made.engine.sync_engine)
    made.create_tables()
    yield made
    made.close()


async def cancelled(work: Any, after_s: float | None, steps: int) -> bool:
    """Start a task, cancel it after some time or some turns of the loop; whether it was cancelled in time."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    if after_s is not None:
        await asyncio.sleep(after_s)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


def clean(store: AsyncSqliteStore) -> None:
    pool: Any = store.engine.pool

    async def returned() -> None:
        # A connection is given back even when the task is gone: by the loop, a little later.
        for _ in range(1000):
            if pool.checkedout() == 0:
                return
            await asyncio.sleep(0.001)

    store.run(returned())
    assert pool.checkedout() == 0
    # The thread may still be about to end its transaction; nobody has to help it.
    with closing(sqlite3.connect(store.path, timeout=5, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")


def test_a_save_cancelled_at_any_moment_is_written_whole_or_not_at_all(store: AsyncSqliteStore) -> None:
    dice = random.Random(7)
    in_time = saved = 0
    for turn in range(120):
        name = f"bk_{turn}"
        store.add_booking(booking(name))
        work = store.repository.save(paying(load(store, name), f"pi_{turn}"))
        wait = dice.uniform(0, 0.0012) if turn % 2 else None
        in_time += store.run(cancelled(work, wait, turn // 8))
        clean(store)
        now = load(store, name)
        state = now.ledger.version, now.booking.status, len(store.history(name)), store.find(f"pi_{turn}")
        assert state in {(0, BookingStatus.PENDING, 0, None), (1, BookingStatus.CONFIRMED, 2, name)}
        saved += now.ledger.version
    assert in_time > 0
    assert saved > 0


# aiosqlite leaves a connection that was being opened to the garbage collector; Python 3.13 says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_calls_cancelled_before_they_have_a_connection_lose_none(store: AsyncSqliteStore) -> None:
    store.add_booking(booking())
    for turn in range(60):
        if turn % 10 == 0:
            store.run(store.engine.dispose())  # so that the next call has to connect
        store.run(cancelled(store.repository.get("bk_1"), None, turn % 10))
        clean(store)
    assert load(store).booking == booking()
    gc.collect()


def test_a_save_cancelled_while_it_waits_for_another_writer_leaves_the_pool_usable(store: AsyncSqliteStore) -> None:
    store.add_booking(booking())
    work = store.repository.save(paying(load(store)))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        async def cancel_and_let_go() -> None:
            task = asyncio.ensure_future(work)
            await asyncio.sleep(0.05)
            task.cancel()
            other.execute("ROLLBACK")
            with pytest.raises(asyncio.CancelledError):
                await task

        store.run(cancel_and_let_go())
    clean(store)
    now = load(store)
    assert (now.ledger.version, now.booking.status) in {(0, BookingStatus.PENDING), (1, BookingStatus.CONFIRMED)}


def test_a_task_cancelled_in_the_middle_of_its_transaction_leaves_it_to_the_thread(store: AsyncSqliteStore) -> None:
    store.add_booking(booking())
    loop = store.runner.get_loop()
    reached = asyncio.Event()

    def plan() -> Any:
        yield "UPDATE airport_bookings SET status = 'cancelled'", [()], True
        loop.call_soon_threadsafe(reached.set)
        yield "UPDATE airport_bookings SET owner = 'cust_2'", [()], True

    async def cancel_in_the_middle() -> None:
        task = asyncio.ensure_future(store.repository._database.run(in_thread, write, plan()))
        await asyncio.wait_for(reached.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    store.run(cancel_in_the_middle())
    clean(store)
    now = store.booking("bk_1")
    assert (now.status, now.owner) == (BookingStatus.CANCELLED, "cust_2")
