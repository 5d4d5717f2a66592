"""`on_save`: what a team does in the transaction of a save happens exactly as often as the save does."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool
from tests.postgres import HURRY, Schema, Server
from tests.storage.builders import OTHER_PRICE, booking, change, closed, line, opening, paying, payment
from tests.storage.stores import load
from tests.storage.test_postgresql import in_background, team, wait_until_locked_out
from tests.storage.wire import Proxy

from airport_payments.core.errors import ConfigurationError, StorageUnavailable
from airport_payments.core.model import BookingStatus, Change
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository

TICKET = text("INSERT INTO tickets (booking_id, version) VALUES (:id, :version)")
KINDS = ["sqlite", "sqlite-async", "psycopg", "psycopg-async", "asyncpg"]


class Shop:
    """A repository with a hook that issues a ticket, and a way to ask the database."""

    def __init__(self, kind: str, path: Path, schema: Schema | None, **options: Any) -> None:
        self.kind, self.schema = kind, schema
        self.heard: list[Change] = []
        self.then: Callable[[Any], Any] | None = None
        self.runner = None if kind in {"sqlite", "psycopg"} else asyncio.Runner()
        make: Any = create_engine if self.runner is None else create_async_engine
        if schema is None:
            url = f"sqlite{'' if self.runner is None else '+aiosqlite'}:///{path / 'shop.db'}"
            self.engine = make(url, **options)
        else:
            self.engine = schema.engine(make, kind.removesuffix("-async"), **options)
        if self.runner is None:
            self.own: Any = SqlAlchemyBookingRepository(self.engine, on_save=self.hook)
        else:
            self.own = AsyncSqlAlchemyBookingRepository(self.engine, on_save=self.async_hook)
        self.create_tables()
        self.sql("CREATE TABLE tickets (booking_id varchar(20), version integer, UNIQUE (booking_id, version))")

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.own, name)
        if self.runner is None:
            return method
        run = self.runner.run
        return lambda *args, **named: run(method(*args, **named))

    def hook(self, connection: Any, made: Change) -> None:
        self.heard.append(made)
        connection.execute(TICKET, {"id": made.booking_id, "version": made.ledger.version})
        if self.then is not None:
            self.then(connection)

    async def async_hook(self, connection: Any, made: Change) -> None:
        self.heard.append(made)
        await connection.execute(TICKET, {"id": made.booking_id, "version": made.ledger.version})
        if self.then is not None:
            await connection.run_sync(self.then)

    def sql(self, sql: str) -> list[Any]:
        """On a connection of the engine's own."""

        def ask(connection: Any) -> list[Any]:
            result = connection.execute(text(sql))
            return list(result) if result.returns_rows else []

        async def ask_async() -> list[Any]:
            async with self.engine.begin() as connection:
                found: list[Any] = await connection.run_sync(ask)
                return found

        if self.runner is not None:
            return self.runner.run(ask_async())
        with self.engine.begin() as connection:
            return ask(connection)

    @property
    def tickets(self) -> list[Any]:
        return [tuple(row) for row in self.sql("SELECT booking_id, version FROM tickets ORDER BY booking_id, version")]

    def close(self) -> None:
        if self.runner is None:
            self.engine.dispose()
        else:
            self.runner.run(self.engine.dispose())
            self.runner.close()


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    made: list[Shop] = []

    def make(kind: str, **options: Any) -> Shop:
        schema = None if kind.startswith("sqlite") else request.getfixturevalue("schema")
        made.append(Shop(kind, tmp_path, schema, **options))
        made[-1].add_booking(booking())
        return made[-1]

    yield make
    for shop in made:
        shop.close()


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, opened: Callable[..., Shop]) -> Shop:
    return opened(request.param)


def test_it_runs_once_for_each_save_in_its_transaction_with_the_change(shop: Shop) -> None:
    first = opening(load(shop))
    assert shop.save(first)
    many = [closed(payment(f"at_{n}", f"pi_{n}")) for n in range(20)]
    second = change(load(shop), *many, lines=[line("a"), line("b")])
    assert shop.save(second)
    third = paying(load(shop), "pi_paid")
    assert shop.save(third)
    assert shop.heard == [first, second, third]
    assert shop.tickets == [("bk_1", 1), ("bk_1", 2), ("bk_1", 3)]
    assert load(shop).booking.status is BookingStatus.CONFIRMED
    assert len(shop.history("bk_1")) == 5
    assert shop.find("pi_19") == "bk_1"


def test_it_sees_what_the_save_wrote(shop: Shop) -> None:
    seen: list[Any] = []
    shop.then = lambda c: seen.extend(c.execute(text("SELECT status FROM airport_bookings")))
    assert shop.save(paying(load(shop)))
    assert [tuple(row) for row in seen] == [("confirmed",)]


@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_too_where_a_gateway_reads_and_saves_at_once_also_with_a_single_connection(
    opened: Any, kind: str
) -> None:
    shop = opened(kind, pool_size=1, max_overflow=0, pool_timeout=5)
    assert shop.get_and_save("bk_1", paying)
    assert [(made.booking_id, made.ledger.version) for made in shop.heard] == [("bk_1", 1)]
    assert shop.tickets == [("bk_1", 1)]
    assert shop.get_and_save("bk_1", lambda _: None)
    assert len(shop.heard) == 1


def test_it_does_not_run_for_a_save_that_is_refused(shop: Shop) -> None:
    made = opening(load(shop))
    assert shop.save(made)
    two = change(load(shop), payment("at_1", None), payment("at_2", "pi_2"))
    for refused in (made, two):
        assert not shop.save(refused)
    shop.set_booking_price("bk_1", OTHER_PRICE)
    assert not shop.save(paying(made.read))
    assert shop.heard == [made]
    assert shop.tickets == [("bk_1", 1)]


class TeamsOwnError(Exception):
    pass


def test_what_it_raises_rolls_the_save_back_and_goes_to_the_caller(shop: Shop) -> None:
    made = paying(load(shop))

    def fail(_: Any) -> None:
        raise TeamsOwnError

    shop.then = fail
    with pytest.raises(TeamsOwnError):
        shop.save(made)
    assert load(shop) == made.read
    assert (shop.tickets, list(shop.history("bk_1")), shop.find("pi_1")) == ([], [], None)
    shop.then = None
    assert shop.save(made)
    assert shop.tickets == [("bk_1", 1)]


def test_a_violation_of_the_teams_own_is_theirs_and_no_conflict(shop: Shop) -> None:
    """Or the gateway would try again, and meet it again."""
    shop.sql("INSERT INTO tickets VALUES ('bk_1', 1)")
    made = paying(load(shop))
    with pytest.raises(IntegrityError):
        shop.save(made)
    assert load(shop) == made.read


def test_an_os_error_of_the_hook_is_not_taken_for_the_databases(shop: Shop) -> None:
    def fail(_: Any) -> None:
        raise ConnectionRefusedError("the team's own mail server")

    shop.then = fail
    with pytest.raises(ConnectionRefusedError):
        shop.save(paying(load(shop)))
    assert shop.tickets == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_it_leaves_no_transaction_behind(opened: Any, error: type[BaseException]) -> None:
    shop = opened("sqlite", connect_args={"timeout": 0.1})

    def fail(_: Any) -> None:
        raise error

    shop.then = fail
    with pytest.raises(error):
        shop.save(paying(load(shop)))
    shop.then = None
    assert shop.tickets == []
    assert shop.save(paying(load(shop)))


@pytest.mark.parametrize("kind", ["psycopg", "psycopg-async", "asyncpg"])
def test_a_conflict_in_it_rolls_back_and_it_runs_again_with_the_next_try(
    opened: Any, schema: Schema, kind: str
) -> None:
    shop = opened(kind, isolation_level="SERIALIZABLE")
    made = paying(load(shop))
    shop.sql("CREATE TABLE counters (n integer)")
    shop.sql("INSERT INTO counters VALUES (0)")

    def count(connection: Any) -> None:
        connection.execute(text("UPDATE counters SET n = n + 1"))

    shop.then = count
    with team(schema) as other:
        other.execute("UPDATE counters SET n = 10")
        result = in_background(lambda: shop.save(made))
        wait_until_locked_out(schema)
        other.commit()
        assert result() is False
    assert (shop.tickets, len(shop.heard)) == ([], 1)
    assert shop.save(made)
    assert (shop.tickets, len(shop.heard)) == ([("bk_1", 1)], 2)
    assert [tuple(row) for row in shop.sql("SELECT n FROM counters")] == [(11,)]


@pytest.mark.parametrize("kind", ["psycopg", "psycopg-async", "asyncpg"])
def test_an_engines_isolation_level_holds_for_saves(opened: Any, kind: str) -> None:
    shop = opened(kind, isolation_level="REPEATABLE READ")
    seen: list[Any] = []
    shop.then = lambda c: seen.extend(c.execute(text("SHOW transaction_isolation")))
    assert shop.save(paying(load(shop)))
    assert [tuple(row) for row in seen] == [("repeatable read",)]


@pytest.mark.parametrize("kind", ["psycopg", "psycopg-async", "asyncpg"])
def test_a_connection_lost_in_it_is_unavailable(opened: Any, schema: Schema, kind: str) -> None:
    shop = opened(kind)

    def lose(connection: Any) -> None:
        schema.connections("pg_terminate_backend(pid)")
        connection.execute(text("SELECT 1"))

    shop.then = lose
    with pytest.raises(StorageUnavailable):
        shop.save(paying(load(shop)))
    shop.then = None
    assert load(shop).ledger.version == 0
    assert shop.save(paying(load(shop)))
    assert shop.tickets == [("bk_1", 1)]


@pytest.mark.parametrize("kind", ["psycopg", "psycopg-async", "asyncpg"])
def test_an_engine_that_commits_by_itself_is_refused(opened: Any, kind: str) -> None:
    with pytest.raises(ConfigurationError, match="on_save needs a transaction"):
        opened(kind, isolation_level="AUTOCOMMIT")


@pytest.mark.parametrize("level", ["AUTOCOMMIT", None])
@pytest.mark.parametrize("listener", [False, True])
def test_on_sqlite_the_owners_transaction_control_does_not_matter(opened: Any, level: Any, listener: bool) -> None:
    shop = opened("sqlite", **({"isolation_level": level} if level else {}))
    if listener:
        event.listen(shop.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))

    def fail(_: Any) -> None:
        raise TeamsOwnError

    shop.then = fail
    with pytest.raises(TeamsOwnError):
        shop.save(paying(load(shop)))
    shop.then = None
    assert (shop.tickets, load(shop).ledger.version) == ([], 0)
    assert shop.save(paying(load(shop)))
    assert shop.tickets == [("bk_1", 1)]


def test_threads_that_share_one_connection_in_memory_take_turns() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    heard: list[str] = []
    repository = SqlAlchemyBookingRepository(engine, on_save=lambda _, made: heard.append(made.booking_id))
    repository.create_tables()

    def save_all(name: str) -> int:
        repository.add_booking(booking(name))
        return sum(repository.save(change(load(repository, name), lines=[line("")])) for _ in range(20))

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(save_all, "abc")) == [20] * 3
    assert len(heard) == 60
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "psycopg"])
def test_of_many_threads_that_pay_one_issues_a_ticket(opened: Any, kind: str) -> None:
    shop = opened(kind, pool_size=12)
    barrier = threading.Barrier(12, timeout=30)

    def pay(_: int) -> bool:
        made = paying(load(shop))
        barrier.wait()
        saved: bool = shop.save(made)
        return saved

    with ThreadPoolExecutor(12) as threads:
        assert sum(threads.map(pay, range(12))) == 1
    assert shop.tickets == [("bk_1", 1)]


@pytest.mark.parametrize("kind", ["psycopg", "psycopg-async", "asyncpg"])
def test_a_save_in_a_transaction_is_three_round_trips_and_what_the_hook_adds(tmp_path: Path, kind: str) -> None:
    with Server(**HURRY) as server:
        proxy = Proxy(server.dsn)
        shop = Shop(kind, tmp_path, Schema(proxy.dsn), pool_size=1, max_overflow=0)
        for number in range(8):
            shop.add_booking(booking(f"bk_{number}"))
            shop.save(paying(load(shop, f"bk_{number}"), f"pi_{number}"))
        shop.add_booking(booking("bk_8"))
        made = paying(load(shop, "bk_8"), "pi_8")
        with proxy.counting() as said:
            assert shop.save(made)
        assert said["Z"] <= 3 + 1
        shop.close()
        proxy.close()
