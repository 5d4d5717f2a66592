"""What is SQLite's own: settings of a connection, indexes, engines that do not fit, and what is imported."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, StaticPool
from tests.storage.builders import NOW, OTHER_PRICE, booking, change, closed, opening, paying, payment
from tests.storage.stores import AsyncSqliteStore, SqliteStore, hurry, load

from airport_payments.core.errors import ConfigurationError, InternalError, StorageUnavailable
from airport_payments.core.model import BookingStatus
from airport_payments.storage.sqlalchemy import (
    AsyncSqlAlchemyBookingRepository,
    SqlAlchemyBookingRepository,
    metadata,
)
from airport_payments.storage.sqlalchemy.sqlite import BUSY_TIMEOUT_MS, in_thread

ON_FILE: list[Any] = [SqliteStore, AsyncSqliteStore]


def pragma(store: Any, name: str) -> Any:
    """What a connection out of the repository's own pool has."""

    def ask(connection: sqlite3.Connection) -> Any:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]

    if isinstance(store, SqliteStore):
        return store._database.run(ask)
    return store.run(store.repository._database.run(lambda connection: in_thread(connection, ask)))


@pytest.mark.parametrize("kind", ON_FILE)
def test_every_connection_has_wal_foreign_keys_full_synchronous_and_a_busy_timeout(kind: Any, tmp_path: Path) -> None:
    with closing(kind(tmp_path / "payments.db", connect_args={"timeout": 0})) as store:
        store.create_tables()
        assert pragma(store, "journal_mode") == "wal"
        assert pragma(store, "foreign_keys") == 1
        assert pragma(store, "synchronous") == 2
        assert pragma(store, "busy_timeout") == BUSY_TIMEOUT_MS


@pytest.mark.parametrize("kind", ON_FILE)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_what_the_engines_owner_sets_stands_whenever_its_listener_was_added(
    kind: Any, before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def owners(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA busy_timeout = 77")
        cursor.close()
        calls.append("owner")

    def listen(engine: Any) -> None:
        event.listen(getattr(engine, "sync_engine", engine), "connect", owners)

    def make(url: str, **options: Any) -> Any:
        factory: Any = create_engine if kind is SqliteStore else create_async_engine
        engine = factory(url, **options)
        if before:
            listen(engine)
        return engine

    monkeypatch.setattr(
        f"tests.storage.stores.{'create_engine' if kind is SqliteStore else 'create_async_engine'}", make
    )
    with closing(kind(tmp_path / "payments.db")) as store:
        if not before:
            listen(store.engine)
        store.create_tables()
        assert (pragma(store, "synchronous"), pragma(store, "busy_timeout")) == (1, 77)
        assert pragma(store, "foreign_keys") == 1
        assert calls


def test_the_owners_timeout_stands(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "payments.db", connect_args={"timeout": 30})) as store:
        store.create_tables()
        assert pragma(store, "busy_timeout") == 30_000


def test_two_repositories_on_one_engine_set_a_connection_up_once(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "payments.db")) as store:
        SqlAlchemyBookingRepository(store.engine)
        assert len([f for f in store.engine.pool.dispatch.connect if getattr(f, "__name__", "") == "_on_connect"]) == 1


def test_a_ledger_cannot_stand_without_its_booking(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    assert sqlite_store.save(opening(load(sqlite_store)))
    with closing(sqlite3.connect(sqlite_store.path)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("DELETE FROM airport_bookings")


def test_the_database_itself_holds_one_payable_payment_per_booking(sqlite_store: Any) -> None:
    row = "INSERT INTO airport_payments VALUES ('bk_1', ?, NULL, ?, 1, 'usd')"
    with closing(sqlite3.connect(sqlite_store.path)) as connection:
        connection.execute(row, ("at_1", "payable"))
        connection.execute(row, ("at_2", "closed"))
        for state in ("payable", "closing"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(row, ("at_3", state))


def test_create_tables_may_run_again_and_keeps_what_is_there(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    sqlite_store.save(paying(load(sqlite_store)))
    before = sqlite_store.dump()
    sqlite_store.create_tables()
    assert sqlite_store.dump() == before


def test_every_table_has_the_prefix_and_is_created(sqlite_store: Any) -> None:
    with closing(sqlite3.connect(sqlite_store.path)) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names == set(metadata.tables)
    assert all(name.startswith("airport_") for name in names)


def test_a_booking_is_added_once_and_only_known_ones_are_changed(sqlite_store: Any) -> None:
    assert sqlite_store.add_booking(booking())
    assert not sqlite_store.add_booking(booking(price=OTHER_PRICE))
    assert sqlite_store.booking("bk_1") == booking()
    assert sqlite_store.set_booking_price("bk_1", OTHER_PRICE)
    assert sqlite_store.set_booking_status("bk_1", BookingStatus.CANCELLED)
    assert not sqlite_store.set_booking_price("bk_2", OTHER_PRICE)
    assert not sqlite_store.set_booking_status("bk_2", BookingStatus.CANCELLED)


@pytest.mark.parametrize(
    ("column", "value"), [("currency", "xxx"), ("amount_minor", -1), ("amount_minor", "much"), ("status", "lost")]
)
def test_a_row_of_the_team_that_cannot_be_read_is_our_fault_not_the_callers(
    sqlite_store: Any, column: str, value: object
) -> None:
    sqlite_store.add_booking(booking())
    with closing(sqlite3.connect(sqlite_store.path)) as connection, connection:
        connection.execute(f"UPDATE airport_bookings SET {column} = ?", (value,))
    with pytest.raises(InternalError):
        sqlite_store.get("bk_1")


# ---- indexes ----


def plan_of(store: Any, name: str) -> str:
    statement = getattr(store._statements, name)
    values = dict.fromkeys(["booking_id", "intent_id", "after", "before", "before_us", "limit"], 1)
    values |= dict.fromkeys(["read_id", "read_owner", "read_amount", "read_currency", "read_status"], 1)
    values |= dict.fromkeys(["read_version", "new_version", "document", "due_at_us", "new_status"], 1)

    def ask(connection: sqlite3.Connection) -> str:
        lines = connection.execute("EXPLAIN QUERY PLAN " + statement.sql, statement.bind(values)).fetchall()
        return "\n".join(line[3] for line in lines)

    return store._database.run(ask)


@pytest.fixture(scope="module", params=[False, True], ids=["empty", "analysed"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The planner chooses by statistics where it has them, and must choose the indexes in any case."""
    with closing(SqliteStore(tmp_path_factory.mktemp("filled") / "payments.db")) as store:
        hurry(store.engine)
        store.create_tables()
        if request.param:
            for number in range(150):
                store.add_booking(booking(f"bk_{number}"))
                made = payment(f"at_{number}", f"pi_{number}")
                rare = number % 30 == 0
                store.save(
                    change(load(store, f"bk_{number}"), made if rare else closed(made), due=NOW if rare else None)
                )
            store._database.run(lambda connection: connection.execute("ANALYZE").fetchall())
        yield store


@pytest.mark.parametrize("name", ["get", "find", "due", "history", "first_ledger", "next_ledger", "settle"])
def test_no_statement_reads_a_whole_table(filled: Any, name: str) -> None:
    plan = plan_of(filled, name)
    # A constant row, an empty join side and the merged list of `due` are no tables.
    scans = [line for line in plan.splitlines() if line.startswith("SCAN") and "(subquery" not in line]
    assert scans == [], plan


def test_due_uses_its_two_indexes(filled: Any) -> None:
    plan = plan_of(filled, "due")
    assert "airport_ledgers USING COVERING INDEX airport_ledgers_due (due_at_us<?)" in plan
    assert "airport_payments USING INDEX airport_payments_one_payable (booking_id>?)" in plan


# ---- engines ----


@pytest.mark.parametrize("autocommit", [None, ""], ids=["by-us", "by-driver"])
def test_the_owners_choice_of_transaction_control_does_not_matter(autocommit: str | None, tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "a.db", connect_args={"isolation_level": autocommit})) as store:
        works(store)


def works(store: Any) -> None:
    store.create_tables()
    assert store.add_booking(booking())
    assert store.save(opening(load(store)))
    assert not store.save(opening(load(store), "at_2"))
    assert store.save(paying(load(store)))
    assert load(store).booking.status is BookingStatus.CONFIRMED


if sys.version_info >= (3, 12):  # `autocommit` came with it

    @pytest.mark.parametrize("kind", ON_FILE)
    @pytest.mark.parametrize("reset", ["rollback", None])
    def test_an_engine_whose_driver_keeps_a_transaction_open_works_too(kind: Any, reset: Any, tmp_path: Path) -> None:
        options = {"connect_args": {"autocommit": False}, "pool_reset_on_return": reset}
        with closing(kind(tmp_path / "a.db", **options)) as store:
            works(store)
            with closing(SqliteStore(tmp_path / "a.db")) as other:
                other.set_booking_status("bk_1", BookingStatus.CANCELLED)
            assert load(store).booking.status is BookingStatus.CANCELLED
            store.set_booking_status("bk_1", BookingStatus.CONFIRMED)
            assert (pragma(store, "foreign_keys"), pragma(store, "journal_mode")) == (1, "wal")


@pytest.mark.parametrize("kind", ON_FILE)
@pytest.mark.parametrize("options", [{"poolclass": NullPool}, {"pool_reset_on_return": None}, {"echo_pool": False}])
def test_any_pool_for_files_works(kind: Any, options: dict[str, Any], tmp_path: Path) -> None:
    with closing(kind(tmp_path / "a.db", **options)) as store:
        works(store)


def test_a_database_in_memory_works_with_one_shared_connection() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    works(SqlAlchemyBookingRepository(engine))
    engine.dispose()


def test_a_wrong_value_does_not_cost_a_database_in_memory() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    repository = SqlAlchemyBookingRepository(engine)
    repository.create_tables()
    repository.add_booking(booking())
    with pytest.raises(StorageUnavailable, match="parameter"):
        repository.get(object())  # type: ignore[arg-type]
    assert repository.booking("bk_1") == booking()
    engine.dispose()


def test_a_database_in_memory_works_async_with_many_tasks() -> None:
    async def work() -> list[bool]:
        engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        repository = AsyncSqlAlchemyBookingRepository(engine)
        await repository.create_tables()
        await repository.add_booking(booking())
        read = await repository.get("bk_1")
        assert read is not None
        saved = await asyncio.gather(*(repository.save(opening(read, f"at_{n}")) for n in range(8)))
        await engine.dispose()
        return saved

    assert sum(asyncio.run(work())) == 1


def test_a_pool_that_gives_each_thread_a_database_of_its_own_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="StaticPool"):
        SqlAlchemyBookingRepository(create_engine("sqlite://"))


@pytest.mark.parametrize(
    "build",
    [
        lambda: SqlAlchemyBookingRepository(create_async_engine("sqlite+aiosqlite://").sync_engine),
        lambda: AsyncSqlAlchemyBookingRepository(SimpleNamespace(sync_engine=create_engine("sqlite:///x.db"))),  # type: ignore[arg-type]
    ],
)
def test_an_engine_of_another_driver_is_refused(build: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError, match="sqlite"):
        build()


def test_the_teams_own_use_of_the_engine_goes_on_beside(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        works(store)
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE airport_bookings SET status = 'cancelled'"))
        assert load(store).booking.status is BookingStatus.CANCELLED


def test_a_query_leaves_no_read_transaction_behind(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    for _ in range(3):
        load(sqlite_store)
        sqlite_store.due(before=datetime(2030, 1, 1, tzinfo=UTC), after=None, limit=1)
    with closing(sqlite3.connect(sqlite_store.path, timeout=0)) as connection:
        # A checkpoint that empties the log needs that nobody reads.
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


# ---- imports ----


def loaded_by(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_sync_users_load_neither_aiosqlite_nor_the_async_side() -> None:
    loaded = loaded_by("from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository, metadata")
    assert "airport_payments.storage.sqlalchemy.repository" in loaded
    ours = loaded - loaded_by("import sqlalchemy")  # which loads greenlet itself before 2.1
    assert not {name for name in ours if name.startswith(("aiosqlite", "greenlet", "sqlalchemy.ext.asyncio"))}


def test_naming_the_package_loads_no_sqlalchemy() -> None:
    assert "sqlalchemy" not in loaded_by("import airport_payments.storage.sqlalchemy")


def test_an_unknown_name_is_an_attribute_error() -> None:
    import airport_payments.storage.sqlalchemy as package

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing
    assert all(hasattr(package, name) for name in package.__all__)
