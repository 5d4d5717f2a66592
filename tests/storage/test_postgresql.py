"""What is PostgreSQL's own: engines that fit, tables made by many at once, indexes, races, and a database that fails."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import Any

import asyncpg
import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import greenlet_spawn
from tests.postgres import HURRY, Schema, Server
from tests.storage.builders import OTHER_PRICE, booking, change, opening, paying
from tests.storage.stores import ON_POSTGRESQL, load
from tests.storage.test_cancellation import cancelled
from tests.storage.test_failures import every_call

from airport_payments.core.errors import ConfigurationError, StorageUnavailable
from airport_payments.core.model import BookingStatus, Change, Snapshot
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository
from airport_payments.storage.sqlalchemy.rows import change_values

SECRET = "zz-owner-of-the-booking"
WAIT_S = 20.0


@pytest.fixture
def own(request: pytest.FixtureRequest, schema: Schema) -> Iterator[Callable[..., Any]]:
    """Makes stores of one's own, by a driver's name, on one schema."""
    made: list[Any] = []

    def make(name: str, **options: Any) -> Any:
        kind: Any = ON_POSTGRESQL[name]
        made.append(kind(schema, **options))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may be stopped, and killed: what it says is committed has left its memory."""
    with Server(**{**HURRY, "synchronous_commit": "on"}) as made:
        yield made


drivers = pytest.mark.parametrize("driver", list(ON_POSTGRESQL))


@contextmanager
def team(schema: Schema) -> Iterator[psycopg.Connection[Any]]:
    """The team's own connection, in a transaction of its own."""
    with closing(psycopg.connect(schema.dsn, options=f"-csearch_path={schema.name}")) as connection:
        yield connection


def wait_until_locked_out(schema: Schema) -> None:
    """Wait until somebody waits for a lock."""
    end = time.monotonic() + WAIT_S
    while not schema.connections("pid", "wait_event_type = 'Lock'"):
        assert time.monotonic() < end, "nobody waits"
        time.sleep(0.005)


def in_background(work: Callable[[], Any]) -> Callable[[], Any]:
    """Start it in a thread; what is returned waits for its result."""
    threads = ThreadPoolExecutor(1)
    future = threads.submit(work)

    def result() -> Any:
        try:
            return future.result(WAIT_S)
        finally:
            threads.shutdown()

    return result


def saving(store: Any, made: Change) -> tuple[Any, Any]:
    values = change_values(store._statements, made)
    assert values is not None
    statement, all_values = store._statements.save(made, values)
    return statement, all_values


# ---- engines ----


@pytest.mark.parametrize(
    "build",
    [
        lambda: SqlAlchemyBookingRepository(SimpleNamespace(dialect=SimpleNamespace(name="mysql", driver="pymysql", is_async=False))),  # type: ignore[arg-type]
        lambda: SqlAlchemyBookingRepository(SimpleNamespace(dialect=SimpleNamespace(name="postgresql", driver="psycopg2", is_async=False))),  # type: ignore[arg-type]
        lambda: SqlAlchemyBookingRepository(create_async_engine("postgresql+psycopg://x/").sync_engine),
        lambda: SqlAlchemyBookingRepository(create_async_engine("postgresql+asyncpg://x/").sync_engine),
        lambda: AsyncSqlAlchemyBookingRepository(SimpleNamespace(sync_engine=create_engine("postgresql+psycopg://x/"))),  # type: ignore[arg-type]
    ],
    ids=["mysql", "psycopg2", "async-psycopg", "asyncpg", "sync-psycopg"],
)  # fmt: skip
def test_an_engine_that_does_not_fit_is_refused_with_the_names_of_those_that_do(build: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite\+\w+.*postgresql\+psycopg"):
        build()


@drivers
@pytest.mark.parametrize("options", [{"isolation_level": "AUTOCOMMIT"}, {"pool_reset_on_return": None}])
def test_the_owners_choice_of_transaction_control_does_not_matter(own: Any, driver: str, options: Any) -> None:
    store = own(driver, **options)
    store.create_tables()
    assert store.add_booking(booking())
    assert not store.add_booking(booking(price=OTHER_PRICE))
    assert store.save(opening(load(store)))
    assert not store.save(opening(load(store), "at_2"))
    assert store.save(paying(load(store)))
    assert load(store).booking.status is BookingStatus.CONFIRMED
    assert store.set_booking_price("bk_1", OTHER_PRICE)
    assert not store.set_booking_price("bk_2", OTHER_PRICE)


@drivers
def test_a_connection_goes_back_to_the_pool_as_it_came(own: Any, schema: Schema, driver: str) -> None:
    store = own(driver, pool_size=1, max_overflow=0)
    store.create_tables()
    store.add_booking(booking())
    assert store.save(opening(load(store)))
    assert schema.connections("state") == [("idle",)]
    if driver == "psycopg":
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM airport_history")
            connection.rollback()
        assert len(store.history("bk_1")) == 1


def test_many_processes_may_create_the_tables_at_the_same_moment(own: Any) -> None:
    stores = [own("psycopg") for _ in range(12)]
    barrier = threading.Barrier(len(stores), timeout=WAIT_S)

    def create(store: Any) -> None:
        with store.engine.connect():  # so that all of them are there at the same moment
            barrier.wait()
        store.create_tables()

    with ThreadPoolExecutor(len(stores)) as threads:
        list(threads.map(create, stores))
    assert stores[0].add_booking(booking())


def test_only_postgresql_users_load_its_drivers() -> None:
    program = (
        "from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository\n"
        "from sqlalchemy import create_engine\nSqlAlchemyBookingRepository(create_engine('{url}'))\n"
        "import sys\nprint(*sys.modules)"
    )
    loaded = {}
    for url in ("sqlite:///x.db", "postgresql+psycopg://x/"):
        done = subprocess.run(
            [sys.executable, "-c", program.format(url=url)], capture_output=True, text=True, check=True
        )
        loaded[url] = set(done.stdout.split())
    ours = "airport_payments.storage.sqlalchemy."
    assert not {"psycopg", "asyncpg", ours + "postgresql"} & loaded["sqlite:///x.db"]
    assert not {"asyncpg", "aiosqlite", ours + "sqlite"} & loaded["postgresql+psycopg://x/"]


def test_ids_are_listed_in_the_order_of_their_bytes_whatever_the_database_sorts_by(own: Any, schema: Schema) -> None:
    own("psycopg").create_tables()
    collations = schema.run(
        "SELECT DISTINCT collation_name FROM information_schema.columns"
        f" WHERE table_schema = '{schema.name}' AND column_name = 'booking_id'"
    )
    assert collations == [("C",)]


# ---- indexes ----


@pytest.mark.parametrize("name", ["get", "find", "due", "history", "first", "next", "settle"])
def test_no_statement_reads_a_whole_table(own: Any, schema: Schema, name: str) -> None:
    store = own("psycopg")
    store.create_tables()
    read = Snapshot(booking())
    made = {"first": opening(read), "settle": paying(read)}
    later = change(Snapshot(booking(), change(read).ledger))
    statements = store._statements
    if name in {"first", "next", "settle"}:
        statement, values = saving(store, made.get(name, later))
    else:
        statement = getattr(statements, name)
        values = {
            "booking_id": "bk",
            "read_id": "bk",
            "intent_id": "pi",
            "after": "",
            "before": 1,
            "before_us": 1,
            "limit": 1,
        }

    def ask(connection: psycopg.Connection[Any]) -> str:
        connection.execute("SET enable_seqscan = off")  # so that it reads a whole table only where it must
        rows = connection.execute(("EXPLAIN " + statement.sql).encode(), statement.bind(values)).fetchall()
        connection.rollback()
        return "\n".join(row[0] for row in rows)

    assert "Seq Scan" not in store._database.run(ask)


# ---- races ----


def test_of_32_threads_on_one_booking_exactly_one_pays(own: Any) -> None:
    store = own("psycopg", pool_size=32)
    store.create_tables()
    barrier = threading.Barrier(32, timeout=WAIT_S)
    with ThreadPoolExecutor(32) as threads:
        for turn in range(6):
            name = f"bk_{turn}"
            store.add_booking(booking(name))

            def pay(number: int, name: str = name) -> bool:
                made = paying(load(store, name), f"pi_{name}")
                barrier.wait()
                return store.save(made)

            assert sum(threads.map(pay, range(32))) == 1
            now = load(store, name)
            assert (now.ledger.version, now.booking.status) == (1, BookingStatus.CONFIRMED)
            assert len(store.history(name)) == 2


@pytest.mark.parametrize(
    "kind", [asyncpg.InternalClientError, asyncpg.InterfaceError, ConnectionResetError, TimeoutError]
)
def test_whatever_asyncpg_says_of_a_connection_that_broke_the_database_is_away(
    own: Any, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = own("asyncpg")
    store.create_tables()
    store.add_booking(booking())

    async def broken(*_: object) -> None:
        raise kind("not connected")

    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "fetch", broken)
        for ask in (lambda: store.get("bk_1"), lambda: store.get_and_save("bk_1", paying)):
            with pytest.raises(StorageUnavailable, match="not connected"):
                ask()
    assert store.get_and_save("bk_1", paying)


@pytest.mark.parametrize("driver", ["psycopg-async", "asyncpg"])
def test_of_32_tasks_on_one_booking_exactly_one_opens_a_payment(own: Any, driver: str) -> None:
    store = own(driver, pool_size=16, max_overflow=0)
    store.create_tables()

    async def clicks(read: Snapshot) -> list[bool]:
        return await asyncio.gather(*(store.repository.save(opening(read, f"at_{n}")) for n in range(32)))

    for turn in range(6):
        store.add_booking(booking(f"bk_{turn}"))
        assert sum(store.run(clicks(load(store, f"bk_{turn}")))) == 1


@drivers
@pytest.mark.parametrize(
    ("sql", "saved"),
    [
        ("UPDATE airport_bookings SET status = 'cancelled'", False),
        ("UPDATE airport_bookings SET amount_minor = 1", False),
        ("UPDATE airport_bookings SET owner = 'cust_2'", False),
        ("DELETE FROM airport_bookings", False),
        ("UPDATE airport_bookings SET hold_until_us = 1", True),
    ],
    ids=["cancelled", "repriced", "another-owner", "deleted", "held-longer"],
)
def test_a_save_waits_for_the_team_and_then_sees_what_it_did(
    own: Any, schema: Schema, driver: str, sql: str, saved: bool
) -> None:
    """The half-match: our version fits, and the team's row stops fitting while the statement runs."""
    store = own(driver)
    store.create_tables()
    store.add_booking(booking())
    made = paying(load(store))
    with team(schema) as other:
        other.execute(sql.encode())
        result = in_background(lambda: store.save(made))
        wait_until_locked_out(schema)
        other.commit()
        assert result() is saved
    assert schema.run("SELECT count(*) FROM airport_ledgers") == [(int(saved),)]
    assert schema.run("SELECT count(*) FROM airport_history") == [(2 * saved,)]
    assert schema.run("SELECT count(*) FROM airport_payments") == [(int(saved),)]


def test_the_teams_rows_that_refer_to_a_booking_do_not_wait_for_a_save(own: Any, schema: Schema) -> None:
    store = own("psycopg")
    store.create_tables()
    store.add_booking(booking())
    schema.run("CREATE TABLE seats (booking_id text REFERENCES airport_bookings (id))")
    statement, values = saving(store, paying(load(store)))
    with team(schema) as ours, team(schema) as theirs:
        ours.execute(statement.sql.encode(), statement.bind(values))  # and no commit yet
        theirs.execute("SET lock_timeout = '1s'")
        theirs.execute("INSERT INTO seats VALUES ('bk_1')")
        theirs.commit()
        ours.rollback()
    assert schema.run("SELECT count(*) FROM seats") == [(1,)]


# ---- refusals that are conflicts ----


@drivers
@pytest.mark.parametrize(
    "options",
    [{"settings": {"default_transaction_isolation": "serializable"}}, {"isolation_level": "SERIALIZABLE"}],
    ids=["by-the-server", "by-the-engine"],
)
def test_a_serialization_failure_is_a_conflict(own: Any, schema: Schema, driver: str, options: Any) -> None:
    store = own(driver, **options)
    store.create_tables()
    store.add_booking(booking())
    made = paying(load(store))
    with team(schema) as other:
        other.execute("UPDATE airport_bookings SET hold_until_us = 1")  # which no save minds, but SERIALIZABLE does
        result = in_background(lambda: store.save(made))
        wait_until_locked_out(schema)
        other.commit()
        assert result() is False
    assert load(store).ledger.version == 0
    assert store.save(paying(load(store)))


@drivers
def test_a_deadlock_is_a_conflict(own: Any, schema: Schema, driver: str) -> None:
    store = own(driver, settings={"deadlock_timeout": "400ms"})
    store.create_tables()
    store.add_booking(booking())
    assert store.save(opening(load(store)))
    made = paying(load(store))
    with team(schema) as other:
        other.execute("SET deadlock_timeout = '60s'")  # so that it is ours that is broken off
        other.execute("SELECT 1 FROM airport_ledgers FOR UPDATE")
        result = in_background(lambda: store.save(made))
        wait_until_locked_out(schema)
        other.execute("UPDATE airport_bookings SET hold_until_us = 1")
        assert result() is False
        other.commit()
    assert load(store).ledger.version == 1
    assert store.save(paying(load(store)))


# ---- a database that fails ----


@drivers
def test_without_tables_every_method_is_unavailable(own: Any, driver: str) -> None:
    store = own(driver)
    for call in every_call(store, opening(Snapshot(booking())))[1:]:
        with pytest.raises(StorageUnavailable, match=r"UndefinedTable.*42P01"):
            call()


@drivers
def test_no_error_tells_a_value(own: Any, schema: Schema, driver: str) -> None:
    store = own(driver)
    store.create_tables()
    store.add_booking(booking(owner=SECRET))
    made = opening(load(store))
    schema.run("ALTER TABLE airport_history ADD CHECK (decision = 'other')")
    schema.run("ALTER TABLE airport_bookings ALTER COLUMN owner TYPE varchar(30)")
    with pytest.raises(StorageUnavailable, match="23514") as caught:
        store.save(made)
    with pytest.raises(StorageUnavailable, match="22001") as longer:
        store.add_booking(booking("bk_2", owner=SECRET * 3))
    with pytest.raises(StorageUnavailable) as nul:
        store.add_booking(booking("bk_3", owner=SECRET + "\0"))
    schema.run(
        "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '% is it', NEW.owner; END $$;"
        "CREATE TRIGGER telling BEFORE UPDATE ON airport_bookings FOR EACH ROW EXECUTE FUNCTION tell()"
    )
    with pytest.raises(StorageUnavailable, match="P0001") as told:
        store.set_booking_status("bk_1", BookingStatus.CANCELLED)
    for error in (caught.value, longer.value, nul.value, told.value):
        assert error.__cause__ is None
        assert error.__suppress_context__
        assert SECRET not in str(error)
        assert "INSERT" not in str(error)
    assert schema.run("SELECT count(*) FROM airport_ledgers") == [(0,)]


@drivers
def test_a_unique_violation_of_the_teams_own_is_no_conflict(own: Any, schema: Schema, driver: str) -> None:
    """A conflict is tried again, and this one would never go away."""
    store = own(driver)
    store.create_tables()
    store.add_booking(booking())
    store.add_booking(booking("bk_2", status=BookingStatus.CONFIRMED))
    schema.run("CREATE UNIQUE INDEX only_one ON airport_bookings (status)")
    with pytest.raises(StorageUnavailable, match="23505"):
        store.save(paying(load(store)))
    assert load(store).ledger.version == 0


def with_idle_connections(store: Any, count: int) -> None:
    """Let the pool hold some connections."""
    if isinstance(store, SqlAlchemyBookingRepository):
        leases = [store.engine.raw_connection() for _ in range(count)]
        for lease in leases:
            lease.close()
        return

    async def borrow() -> None:
        leases = [await greenlet_spawn(store.engine.sync_engine.raw_connection) for _ in range(count)]
        for lease in leases:
            await greenlet_spawn(lease.close)

    store.run(borrow())


@drivers
def test_after_connections_were_ended_one_call_fails_and_not_one_for_each(
    own: Any, schema: Schema, driver: str
) -> None:
    store = own(driver, pool_size=4)
    store.create_tables()
    store.add_booking(booking())
    made = opening(load(store))
    with_idle_connections(store, 4)
    assert len(schema.connections("pg_terminate_backend(pid)")) == 4
    with pytest.raises(StorageUnavailable):
        store.save(made)
    assert load(store).ledger.version == 0
    with_idle_connections(store, 4)
    assert store.save(made)


@drivers
def test_a_connection_ended_in_the_middle_of_a_save_writes_nothing(own: Any, schema: Schema, driver: str) -> None:
    store = own(driver)
    store.create_tables()
    store.add_booking(booking())
    made = paying(load(store))
    with team(schema) as other:
        other.execute("UPDATE airport_bookings SET hold_until_us = 1")
        result = in_background(lambda: store.save(made))
        wait_until_locked_out(schema)
        schema.connections("pg_terminate_backend(pid)")
        with pytest.raises(StorageUnavailable):
            result()
        other.rollback()
    assert load(store).ledger.version == 0
    assert store.save(made)


@drivers
def test_a_statement_that_takes_too_long_is_unavailable_and_the_connection_goes_on(
    own: Any, schema: Schema, driver: str
) -> None:
    store = own(driver, pool_size=1, max_overflow=0, settings={"statement_timeout": "200ms"})
    store.create_tables()
    store.add_booking(booking())
    made = paying(load(store))
    before = schema.connections("pid")
    with team(schema) as other:
        other.execute("UPDATE airport_bookings SET hold_until_us = 1")
        with pytest.raises(StorageUnavailable, match="57014"):
            store.save(made)
        other.rollback()
    assert store.save(made)
    assert schema.connections("pid") == before


def test_an_exhausted_pool_is_unavailable(own: Any) -> None:
    store = own("psycopg", pool_size=1, max_overflow=0, pool_timeout=0.05)
    store.create_tables()
    with store.engine.connect(), pytest.raises(StorageUnavailable, match="QueuePool limit"):
        store.get("bk_1")
    assert store.get("bk_1") is None


@pytest.mark.parametrize("driver", ["psycopg-async", "asyncpg"])
def test_an_exhausted_async_pool_is_unavailable(own: Any, driver: str) -> None:
    store = own(driver, pool_size=1, max_overflow=0, pool_timeout=0.05)
    store.create_tables()

    async def both() -> None:
        async with store.engine.connect():
            with pytest.raises(StorageUnavailable, match="QueuePool limit"):
                await store.repository.get("bk_1")
        assert await store.repository.get("bk_1") is None

    store.run(both())


@drivers
def test_a_table_that_a_migration_changed_costs_one_call(own: Any, schema: Schema, driver: str) -> None:
    """A prepared statement remembers the types of its columns."""
    store = own(driver, pool_size=1, max_overflow=0)
    store.create_tables()
    store.add_booking(booking())
    for _ in range(3):
        load(store)
    schema.run("ALTER TABLE airport_bookings ALTER COLUMN owner TYPE varchar(300)")
    failed = 0
    for _ in range(3):
        try:
            assert load(store).booking == booking()
        except StorageUnavailable:
            failed += 1
    assert failed <= 1
    assert load(store).booking == booking()


@pytest.fixture
def stopped(server: Server, request: pytest.FixtureRequest) -> Iterator[tuple[Server, Any]]:
    """A server to stop, and a store on it with one booking."""
    schema = Schema(server.dsn)
    kind: Any = ON_POSTGRESQL[request.param]
    store = kind(schema, pool_size=4)
    store.create_tables()
    store.add_booking(booking())
    yield server, store
    store.close()
    schema.drop()


on_stopped = pytest.mark.parametrize("stopped", list(ON_POSTGRESQL), indirect=True)


@on_stopped
def test_while_the_server_is_down_every_call_is_unavailable_and_afterwards_none(stopped: tuple[Server, Any]) -> None:
    server, store = stopped
    made = opening(load(store))
    with_idle_connections(store, 4)
    server.stop()
    try:
        for call in every_call(store, made):
            with pytest.raises(StorageUnavailable):
                call()
    finally:
        server.start()
    assert store.save(made)
    assert load(store).ledger.version == 1


@on_stopped
def test_a_server_that_restarts_unseen_costs_one_call(stopped: tuple[Server, Any]) -> None:
    server, store = stopped
    made = opening(load(store))
    with_idle_connections(store, 4)
    server.stop()
    server.start()
    with pytest.raises(StorageUnavailable):
        store.save(made)
    assert store.save(made)


@on_stopped
def test_a_server_killed_in_the_middle_of_a_save_has_written_nothing(stopped: tuple[Server, Any]) -> None:
    server, store = stopped
    made = paying(load(store))
    with team(store.schema) as other:
        other.execute("UPDATE airport_bookings SET hold_until_us = 1")
        result = in_background(lambda: store.save(made))
        wait_until_locked_out(store.schema)
        server.stop(signal.SIGQUIT)
        try:
            with pytest.raises(StorageUnavailable):
                result()
        finally:
            server.start()
    assert store.schema.run("SELECT count(*) FROM airport_history") == [(0,)]
    assert load(store) == made.read
    assert store.save(made)


# ---- tasks that are cancelled ----


@pytest.mark.parametrize("driver", ["psycopg-async", "asyncpg"])
def test_a_save_cancelled_at_any_moment_is_written_whole_or_not_at_all(own: Any, schema: Schema, driver: str) -> None:
    store = own(driver, pool_size=2, max_overflow=0, pool_timeout=5)
    store.create_tables()
    dice = random.Random(7)
    in_time = saved = 0
    for turn in range(60):
        name = f"bk_{turn}"
        store.add_booking(booking(name))
        work = store.repository.save(paying(load(store, name), f"pi_{turn}"))
        wait = dice.uniform(0, 0.002) if turn % 2 else None
        in_time += store.run(cancelled(work, wait, turn // 4))
        now = load(store, name)
        state = now.ledger.version, now.booking.status, len(store.history(name)), store.find(f"pi_{turn}")
        assert state in {(0, BookingStatus.PENDING, 0, None), (1, BookingStatus.CONFIRMED, 2, name)}
        saved += now.ledger.version
    assert in_time > 0
    assert saved > 0
    assert schema.connections("pid", "state LIKE 'idle in%'") == []
