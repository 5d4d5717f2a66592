"""Our own repositories for the conformance suite: every database, driver and colour, on tables of ours and of a team's."""

import asyncio
import queue
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import psycopg
from django.db import connections
from examples import psycopg_repository
from examples.django_app import models
from examples.django_app.repository import DjangoBookingRepository
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from tests import on_django
from tests.postgres import Schema
from tests.storage.stores import hurry

from airport_payments.core.codec import from_us, to_us
from airport_payments.core.model import Booking, BookingStatus
from airport_payments.core.money import Money
from airport_payments.storage.sqlalchemy import (
    AsyncSqlAlchemyBookingRepository,
    BookingTable,
    SqlAlchemyBookingRepository,
)
from airport_payments.testing.repository_conformance import Harness

MANY_THREADS = {"pool_size": 32, "max_overflow": 8}


class InMemory(Harness):
    """The repositories in memory: there is only the one."""

    def __init__(self, kind: Any) -> None:
        self.kept = kind()

    @contextmanager
    def repository(self) -> Iterator[Any]:
        yield self.kept

    def write_booking(self, booking: Booking) -> None:
        self.kept.put_booking(booking)

    def read_booking(self, booking_id: str) -> Booking | None:
        found: Booking | None = self.kept.booking(booking_id)
        return found


class OnSqlite(Harness):
    """SQLAlchemy on a file; the team's own code uses sqlite3."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        engine = create_engine(f"sqlite:///{path}")
        SqlAlchemyBookingRepository(engine).create_tables()
        engine.dispose()

    @contextmanager
    def repository(self) -> Iterator[Any]:
        engine = create_engine(f"sqlite:///{self.path}", **MANY_THREADS)
        hurry(engine)
        yield SqlAlchemyBookingRepository(engine)
        engine.dispose()

    @contextmanager
    def team(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            yield connection

    def write_booking(self, booking: Booking) -> None:
        with self.team() as connection:
            connection.execute(
                "INSERT INTO airport_bookings VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, "
                "amount_minor = excluded.amount_minor, currency = excluded.currency, status = excluded.status, "
                "hold_until_us = excluded.hold_until_us",
                as_row(booking),
            )

    def read_booking(self, booking_id: str) -> Booking | None:
        with self.team() as connection:
            row = connection.execute("SELECT * FROM airport_bookings WHERE id = ?", (booking_id,)).fetchone()
        return None if row is None else of_row(row)


def as_row(booking: Booking) -> tuple[object, ...]:
    held = None if booking.hold_until is None else to_us(booking.hold_until)
    return (booking.id, booking.owner, booking.price.amount_minor, booking.price.currency, booking.status.value, held)


def of_row(row: Sequence[Any]) -> Booking:
    held = None if row[5] is None else from_us(row[5])
    return Booking(row[0], row[1], Money(row[2], row[3]), BookingStatus(row[4]), held)


class OnAsyncSqlite(OnSqlite):
    @asynccontextmanager
    async def repository(self) -> AsyncIterator[Any]:
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{self.path}", poolclass=AsyncAdaptedQueuePool, **MANY_THREADS
        )
        hurry(engine.sync_engine)
        threads: list[Any] = []
        event.listen(engine.sync_engine, "connect", lambda made, _: threads.append(made.driver_connection._thread))
        yield AsyncSqlAlchemyBookingRepository(engine)
        await engine.dispose()
        # They report their end to the loop.
        for _ in range(2000):
            if not any(thread.is_alive() for thread in threads):
                break
            await asyncio.sleep(0.002)


class OnPostgresql(Harness):
    """SQLAlchemy on PostgreSQL, by a driver of either colour; the team's own code uses psycopg."""

    def __init__(self, schema: Schema, driver: str) -> None:
        self.schema, self.driver = schema, driver

    def repository(self) -> Any:
        return _async_postgresql(self) if self.driver != "psycopg" else _postgresql(self)

    def engine(self) -> Any:
        make = create_engine if self.driver == "psycopg" else create_async_engine
        return self.schema.engine(make, self.driver.removesuffix("-async"), **MANY_THREADS)

    def bookings(self) -> BookingTable | None:
        return None

    def team(self) -> psycopg.Connection[Any]:
        options = f"-csearch_path={self.schema.name}"
        return psycopg.connect(self.schema.dsn, autocommit=True, options=options)

    def write_booking(self, booking: Booking) -> None:
        with self.team() as connection:
            connection.execute(
                "INSERT INTO airport_bookings VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET owner = "
                "excluded.owner, amount_minor = excluded.amount_minor, currency = excluded.currency, "
                "status = excluded.status, hold_until_us = excluded.hold_until_us",
                as_row(booking),
            )

    def read_booking(self, booking_id: str) -> Booking | None:
        with self.team() as connection:
            row = connection.execute("SELECT * FROM airport_bookings WHERE id = %s", (booking_id,)).fetchone()
        return None if row is None else of_row(row)


@contextmanager
def _postgresql(harness: Any) -> Iterator[Any]:
    engine = harness.engine()
    yield SqlAlchemyBookingRepository(engine, bookings=harness.bookings())
    engine.dispose()


@asynccontextmanager
async def _async_postgresql(harness: Any) -> AsyncIterator[Any]:
    engine = harness.engine()
    yield AsyncSqlAlchemyBookingRepository(engine, bookings=harness.bookings())
    await engine.dispose()


# ---- a table of a team's ----

WORDS = {BookingStatus.PENDING: "held", BookingStatus.CONFIRMED: "paid", BookingStatus.CANCELLED: "gone"}
FLIGHTS = Table(
    "flights",
    MetaData(),
    Column("ref", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("customer_id", Integer, nullable=False),
    Column("price", Numeric(12, 2), nullable=False),
    Column("code", String(3), nullable=False),
    Column("state", Text, nullable=False),
    Column("held_until", DateTime(timezone=True)),
)


class OnFlights(OnPostgresql):
    """A table with numbers for ids, prices in major units, and its own words for a status: on any engine."""

    def __init__(self, schema: Schema | None, driver: str, path: Path) -> None:
        self.path = path
        if schema is not None:
            super().__init__(schema, driver)
        self.driver = driver
        self.on_file = schema is None
        self.own = create_engine(f"sqlite:///{path}") if self.on_file else self.schema.engine(create_engine, "psycopg")
        if self.on_file:
            hurry(self.own)
        SqlAlchemyBookingRepository(self.own, bookings=self.bookings()).create_tables()
        FLIGHTS.create(self.own, checkfirst=True)

    def close(self) -> None:
        self.own.dispose()

    def repository(self) -> Any:
        return super().repository() if not self.on_file else _postgresql(self)

    def engine(self) -> Any:
        if not self.on_file:
            return super().engine()
        engine = create_engine(f"sqlite:///{self.path}", **MANY_THREADS)
        hurry(engine)
        return engine

    def bookings(self) -> BookingTable:
        return BookingTable(
            FLIGHTS, id="ref", owner="customer_id", amount="price", currency="code", status="state", statuses=WORDS,
            hold_until="held_until",
        )  # fmt: skip

    def write_booking(self, booking: Booking) -> None:
        values = {
            "customer_id": int(booking.owner), "price": booking.price.to_major(), "code": booking.price.currency.upper(),
            "state": WORDS[booking.status], "held_until": booking.hold_until,
        }  # fmt: skip
        ref = int(booking.id)
        with self.own.begin() as connection:
            done = connection.execute(
                update(FLIGHTS).where(FLIGHTS.c.ref == ref).values(values).returning(FLIGHTS.c.ref)
            )
            if not done.all():
                connection.execute(insert(FLIGHTS).values(ref=ref, **values))

    def read_booking(self, booking_id: str) -> Booking | None:
        with self.own.connect() as connection:
            row = connection.execute(select(FLIGHTS).where(FLIGHTS.c.ref == int(booking_id))).one_or_none()
        if row is None:
            return None
        held: datetime | None = row.held_until
        if held is not None:
            held = held.replace(tzinfo=UTC) if held.tzinfo is None else held.astimezone(UTC)
        (status,) = [status for status, word in WORDS.items() if word == row.state]
        return Booking(str(row.ref), str(row.customer_id), Money.from_major(Decimal(row.price), row.code), status, held)

    def booking_id(self, number: int) -> str:
        return str(1000 + number)

    def owner(self, number: int) -> str:
        return str(number)

    def unsorted_ids(self) -> Sequence[str]:
        return ("9", "10", "100", "99", "1", "-5")

    def limits(self) -> Sequence[Booking]:
        # NUMERIC(12, 2) has ten digits before the point.
        numbered = [replace(booking, id=str(n), owner="7") for n, booking in enumerate(super().limits(), 1)]
        return [b for b in numbered if b.price.amount_minor < 10**12]


# ---- the example to copy ----

BOOKINGS = """
CREATE TABLE bookings (id text PRIMARY KEY, customer text NOT NULL, amount_minor bigint NOT NULL, currency text NOT NULL,
    status text NOT NULL, hold_until timestamptz);
"""


class OnPsycopg(Harness):
    """The repository of examples/psycopg_repository.py, or one made of it."""

    def __init__(self, schema: Schema, module: Any = psycopg_repository) -> None:
        self.schema, self.module = schema, module

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        """Lend a connection, as a pool would."""
        options = f"-csearch_path={self.schema.name} -ctimezone=Asia/Kolkata"
        with psycopg.connect(self.schema.dsn, options=options) as connection:
            yield connection

    @contextmanager
    def repository(self) -> Iterator[Any]:
        with Pool(self.connect) as pool:
            yield self.module.PsycopgBookingRepository(pool.connection)

    def write_booking(self, booking: Booking) -> None:
        price = booking.price
        with self.connect() as connection:
            connection.execute(
                "INSERT INTO bookings VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET customer = "
                "excluded.customer, amount_minor = excluded.amount_minor, currency = excluded.currency, "
                "status = excluded.status, hold_until = excluded.hold_until",
                (booking.id, booking.owner, price.amount_minor, price.currency, booking.status, booking.hold_until),
            )

    def read_booking(self, booking_id: str) -> Booking | None:
        with self.connect() as connection:
            row = connection.execute(
                "SELECT id, customer, amount_minor, currency, status, hold_until AT TIME ZONE 'UTC' FROM bookings "
                "WHERE id = %s",
                (booking_id,),
            ).fetchone()
        if row is None:
            return None
        held = None if row[5] is None else row[5].replace(tzinfo=UTC)
        return Booking(row[0], row[1], Money(row[2], row[3]), BookingStatus(row[4]), held)


class Pool:
    """As many connections as are in use at once, kept."""

    def __init__(self, connect: Any) -> None:
        self.stack, self.connect = ExitStack(), connect
        self.idle: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        try:
            taken = self.idle.get_nowait()
        except queue.Empty:
            taken = self.stack.enter_context(self.connect())
        try:
            yield taken
            taken.commit()
        finally:
            taken.rollback()
            self.idle.put(taken)


class OnDjango(Harness):
    """The repository of examples/django_app. Each call gives its connection back, as a request does in the end."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def code(self) -> Sequence[Path]:
        return [Path(models.__file__).parent]

    @contextmanager
    def repository(self) -> Iterator[Any]:
        yield _AsRequests(DjangoBookingRepository(self.alias), self.alias)

    def write_booking(self, booking: Booking) -> None:
        try:
            on_django.put(self.alias, booking)
        finally:
            connections[self.alias].close()

    def read_booking(self, booking_id: str) -> Booking | None:
        try:
            row = models.Booking.objects.using(self.alias).filter(pk=booking_id).first()
        finally:
            connections[self.alias].close()
        if row is None:
            return None
        price = Money(row.amount_minor, row.currency)
        return Booking(row.id, row.owner, price, BookingStatus(row.status), row.hold_until)


class _AsRequests:
    def __init__(self, repository: Any, alias: str) -> None:
        self._repository, self._alias = repository, alias

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._repository, name)

        def call(*given: Any, **named: Any) -> Any:
            try:
                return method(*given, **named)
            finally:
                connections[self._alias].close()

        return call
