"""A database that does not answer is StorageUnavailable, tells no values, writes nothing, and is used again afterwards."""

import sqlite3
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.util import greenlet_spawn
from tests.storage.builders import NOW, OTHER_PRICE, booking, change, line, opening, paying
from tests.storage.stores import AsyncSqliteStore, SqliteStore, dump_file, hurry, load

from airport_payments.core.codec import UnreadableLedger
from airport_payments.core.errors import StorageUnavailable
from airport_payments.core.model import BookingStatus, Snapshot
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository
from airport_payments.storage.sqlalchemy.sqlite import Sqlite, in_thread, write

ON_FILE: list[Any] = [SqliteStore, AsyncSqliteStore]
SECRET = "zz-owner-of-the-booking"


def every_call(store: Any, made: Any) -> list[Callable[[], object]]:
    return [
        store.create_tables,
        lambda: store.get("bk_1"),
        lambda: store.find("pi_1"),
        lambda: store.save(made),
        lambda: store.due(before=NOW, after=None, limit=5),
        lambda: store.history("bk_1"),
        lambda: store.add_booking(booking("bk_2")),
        lambda: store.booking("bk_1"),
        lambda: store.set_booking_status("bk_1", BookingStatus.CANCELLED),
        lambda: store.set_booking_price("bk_1", OTHER_PRICE),
    ]


def run(store: Any, work: Callable[..., Any], *args: object) -> Any:
    """Run something on a connection of the repository's pool, as the repository does."""
    if isinstance(store, SqliteStore):
        return store._database.run(work, *args)
    return store.run(store.repository._database.run(partial(in_thread_of, work), *args))


async def in_thread_of(work: Callable[..., Any], connection: Any, *args: object) -> Any:
    return await in_thread(connection, work, *args)


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program that is in the middle of a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        other.execute("ROLLBACK")


def test_a_locked_database_is_unavailable_for_writers_and_not_for_readers(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    made = opening(load(sqlite_store))
    before = sqlite_store.dump()
    with writing(sqlite_store.path):
        with pytest.raises(StorageUnavailable, match="locked"):
            sqlite_store.save(made)
        assert load(sqlite_store).ledger.version == 0
    assert sqlite_store.dump() == before
    assert sqlite_store.save(made)


def test_a_writer_waits_for_another_within_the_busy_timeout(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "payments.db", connect_args={"timeout": 5})) as store:
        store.create_tables()
        store.add_booking(booking())
        made = opening(load(store))
        saved: list[bool] = []
        saver = threading.Thread(target=lambda: saved.append(store.save(made)))
        with writing(store.path):
            saver.start()
            saver.join(0.1)
            assert saved == []
        saver.join(5)
        assert saved == [True]


@pytest.mark.parametrize("kind", ON_FILE)
def test_without_tables_every_method_is_unavailable(kind: Any, tmp_path: Path) -> None:
    made = opening(Snapshot(booking()))
    with closing(kind(tmp_path / "payments.db")) as store:
        for call in every_call(store, made)[1:]:
            with pytest.raises(StorageUnavailable, match="no such table"):
                call()


@pytest.mark.parametrize("kind", ON_FILE)
def test_a_file_that_cannot_be_opened_makes_every_method_unavailable(kind: Any, tmp_path: Path) -> None:
    made = opening(Snapshot(booking()))
    with closing(kind(tmp_path / "no" / "such" / "folder.db")) as store:
        for call in every_call(store, made):
            with pytest.raises(StorageUnavailable, match="unable to open"):
                call()


@pytest.mark.parametrize("kind", ON_FILE)
def test_a_file_that_is_no_database_makes_every_method_unavailable(kind: Any, tmp_path: Path) -> None:
    made = opening(Snapshot(booking()))
    path = tmp_path / "payments.db"
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    with closing(kind(path)) as store:
        for call in every_call(store, made):
            with pytest.raises(StorageUnavailable, match="not a database"):
                call()


def test_a_full_disk_writes_nothing_and_goes_away(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    big = change(load(sqlite_store), lines=[line("x" * 400_000)])
    before = sqlite_store.dump()

    def limit(connection: sqlite3.Connection, pages: int) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    run(sqlite_store, limit, 20)
    with pytest.raises(StorageUnavailable, match="full"):
        sqlite_store.save(big)
    assert sqlite_store.dump() == before
    run(sqlite_store, limit, 100_000)
    assert sqlite_store.save(big)


def test_a_database_that_may_only_be_read_refuses_writes_and_answers_reads(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    made = opening(load(sqlite_store))
    before = sqlite_store.dump()
    # For root a file's mode forbids nothing, so the connection is told.
    run(sqlite_store, lambda connection: connection.execute("PRAGMA query_only = ON").fetchall())
    with pytest.raises(StorageUnavailable, match="readonly"):
        sqlite_store.save(made)
    assert sqlite_store.dump() == before
    # That connection was thrown away, for a new one may write: and so it does.
    assert sqlite_store.save(made)


@pytest.mark.parametrize("kind", ON_FILE)
def test_a_file_opened_for_reading_answers_reads(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "payments.db"
    with closing(SqliteStore(path)) as store:
        store.create_tables()
        store.add_booking(booking())
    path.chmod(stat.S_IREAD)
    with closing(kind(f"file:{path}?mode=ro&uri=true")) as store:
        assert load(store).booking == booking()
        with pytest.raises(StorageUnavailable, match="readonly"):
            store.save(opening(load(store)))


def without_wal(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.create_tables()
        store.add_booking(booking())
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)


@pytest.mark.parametrize("kind", ON_FILE)
def test_a_connection_that_cannot_switch_to_wal_goes_on_without(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "payments.db"
    without_wal(path)
    with closing(kind(f"file:{path}?mode=ro&uri=true")) as store:
        assert load(store).booking == booking()


@pytest.mark.parametrize("kind", ON_FILE)
def test_a_connection_opened_while_another_program_writes_goes_on_without_wal(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "payments.db"
    without_wal(path)
    with closing(kind(path, connect_args={"timeout": 0.05})) as store:
        with writing(path):
            assert load(store).booking == booking()
        assert store.save(opening(load(store)))


@pytest.mark.parametrize("kind", ON_FILE)
def test_a_deleted_file_makes_new_connections_unavailable(kind: Any, tmp_path: Path) -> None:
    with closing(kind(tmp_path / "payments.db")) as store:
        store.create_tables()
        store.add_booking(booking())
        read = load(store)
        for path in tmp_path.iterdir():
            path.unlink()
        with closing(kind(tmp_path / "payments.db")) as after:
            with pytest.raises(StorageUnavailable, match="no such table"):
                after.get("bk_1")
            with pytest.raises(StorageUnavailable, match="no such table"):
                after.save(opening(read))


def test_a_connection_that_was_closed_is_replaced(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    made = opening(load(sqlite_store))
    for call in (lambda: sqlite_store.save(made), lambda: sqlite_store.get("bk_1")):
        close_below(sqlite_store)
        with pytest.raises(StorageUnavailable, match="clos"):
            call()
        assert load(sqlite_store).ledger.version == 0
    assert sqlite_store.save(made)


def close_below(store: Any) -> None:
    """Close the pool's one connection behind its back."""
    if isinstance(store, SqliteStore):
        lease = store.engine.raw_connection()
        driver: Any = lease.driver_connection
        lease.close()
        driver.close()
        return

    lease_driver: Any = None

    async def find() -> None:
        nonlocal lease_driver
        lease = await store.engine.raw_connection()
        lease_driver = lease.driver_connection
        await greenlet_spawn(lease.close)

    store.run(find())
    store.run(lease_driver.close())


def test_an_exhausted_pool_is_unavailable(tmp_path: Path) -> None:
    options = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": 0.05}
    with closing(SqliteStore(tmp_path / "payments.db", **options)) as store:
        store.create_tables()
        with store.engine.connect(), pytest.raises(StorageUnavailable, match="QueuePool limit"):
            store.get("bk_1")
        assert store.get("bk_1") is None


def test_an_exhausted_async_pool_is_unavailable(tmp_path: Path) -> None:
    options: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.05}
    with closing(AsyncSqliteStore(tmp_path / "payments.db", **options)) as store:
        store.create_tables()

        async def both() -> None:
            async with store.engine.connect():
                with pytest.raises(StorageUnavailable, match="QueuePool limit"):
                    await store.repository.get("bk_1")
            assert await store.repository.get("bk_1") is None

        store.run(both())


def test_no_error_tells_a_value(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking(owner=SECRET))
    made = opening(load(sqlite_store))
    with closing(sqlite3.connect(sqlite_store.path)) as other:
        other.execute("DROP TABLE airport_history")
    with pytest.raises(StorageUnavailable) as caught:
        sqlite_store.save(made)
    error: BaseException | None = caught.value
    assert error is not None
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert SECRET not in str(error)
    assert "INSERT" not in str(error)


def test_sqlalchemys_own_errors_lose_their_statement_and_parameters() -> None:
    wrapped = OperationalError("SELECT ?", (SECRET,), sqlite3.OperationalError("disk I/O error"))
    assert SECRET in str(wrapped)
    assert (
        Sqlite.reason(object.__new__(Sqlite), wrapped)
        == "the database did not answer: OperationalError: disk I/O error"
    )


def test_an_unreadable_ledger_is_told_apart_from_a_database_that_does_not_answer(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    sqlite_store.save(opening(load(sqlite_store)))
    with closing(sqlite3.connect(sqlite_store.path)) as other, other:
        other.execute("UPDATE airport_ledgers SET document = '{'")
    with pytest.raises(UnreadableLedger):
        sqlite_store.get("bk_1")
    assert sqlite_store.booking("bk_1") == booking()


# ---- interrupts ----


def clean(store: SqliteStore) -> None:
    """Nothing is borrowed, and nobody is in a transaction."""
    assert store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    with closing(sqlite3.connect(store.path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")


class Interrupt:
    """Raises KeyboardInterrupt at the nth line that runs in our storage, as Ctrl-C might."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.where = ""

    def __enter__(self) -> Self:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, _: str, __: Any) -> Any:
        return self._line if "airport_payments/storage/sqlalchemy" in frame.f_code.co_filename else None

    def _line(self, frame: FrameType, kind: str, _: Any) -> Any:
        if kind == "line":
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                self.where = f"{frame.f_code.co_name}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self._line


@pytest.mark.parametrize("reset", ["rollback", None], ids=["pool-resets", "pool-does-not"])
def test_ctrl_c_at_any_line_of_a_save_leaves_no_transaction_and_all_or_nothing(tmp_path: Path, reset: Any) -> None:
    with closing(SqliteStore(tmp_path / "payments.db", pool_reset_on_return=reset)) as store:
        hurry(store.engine)
        store.create_tables()
        interrupted = saved = 0
        for at in range(1, 1000):
            name = f"bk_{at}"
            store.add_booking(booking(name))
            made = paying(load(store, name), f"pi_{at}")
            try:
                with Interrupt(at) as interrupt:
                    done = store.save(made)
            except KeyboardInterrupt:
                interrupted += 1
            else:
                assert done
                assert interrupt.left > 0
                break
            clean(store)
            now = load(store, name)
            lines = len(store.history(name))
            assert (now.ledger.version, now.booking.status, lines, store.find(f"pi_{at}")) in {
                (0, BookingStatus.PENDING, 0, None),
                (1, BookingStatus.CONFIRMED, 2, name),
            }, interrupt.where
            saved += now.ledger.version
        assert interrupted > 40
        assert 0 < saved < interrupted


def broken_off(error: type[BaseException]) -> Any:
    yield "UPDATE airport_bookings SET status = 'cancelled'", [()], True
    raise error


@pytest.mark.parametrize(("error", "seen"), [(ValueError, ValueError), (sqlite3.OperationalError, StorageUnavailable)])
def test_a_plan_that_fails_halfway_writes_nothing(
    sqlite_store: Any, error: type[BaseException], seen: type[BaseException]
) -> None:
    sqlite_store.add_booking(booking())
    before = sqlite_store.dump()
    with pytest.raises(seen):
        run(sqlite_store, write, broken_off(error))
    assert dump_file(sqlite_store.path) == before
    assert sqlite_store.save(opening(load(sqlite_store)))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_a_plan_that_is_broken_off_writes_nothing_in_memory(error: type[BaseException]) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    repository = SqlAlchemyBookingRepository(engine)
    repository.create_tables()
    repository.add_booking(booking())
    with pytest.raises(error):
        repository._database.run(write, broken_off(error))
    assert repository.booking("bk_1") == booking()
    assert repository.set_booking_price("bk_1", OTHER_PRICE)
    engine.dispose()


def test_what_a_team_adds_to_a_connection_stays(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "payments.db")) as store:
        event.listen(store.engine, "connect", lambda c, _: c.create_function("one", 0, lambda: 1))
        store.create_tables()
        assert run(store, lambda c: c.execute("SELECT one()").fetchone()) == (1,)
