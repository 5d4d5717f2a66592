"""The repositories behind one sync face, so that one suite tests them all."""

import asyncio
import sqlite3
import threading
from collections.abc import Collection, Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from tests.postgres import Schema

from airport_payments.core.model import Booking, BookingStatus, Change, HistoryLine, Snapshot
from airport_payments.core.money import Money
from airport_payments.storage.memory import AsyncMemoryBookingRepository, MemoryBookingRepository
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository


class Store(Protocol):
    def get(self, booking_id: str) -> Snapshot | None: ...
    def find(self, payment_intent_id: str) -> str | None: ...
    def save(self, change: Change) -> bool: ...
    def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]: ...
    def history(self, booking_id: str) -> Sequence[HistoryLine]: ...
    def newest(self, *, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]: ...
    def owned_by(self, owner: str, *, after: str | None, limit: int) -> Sequence[str]: ...
    def forget(self, booking_id: str, *, version: int, before: datetime | None) -> None: ...
    def add_booking(self, booking: Booking) -> object: ...
    def booking(self, booking_id: str) -> Booking | None: ...
    def set_booking_status(self, booking_id: str, status: BookingStatus) -> object: ...
    def set_booking_price(self, booking_id: str, price: Money) -> object: ...

    def dump(self) -> object:
        """Everything that is stored, for a comparison."""
        ...

    def close(self) -> None: ...


def load(store: Store, booking_id: str = "bk_1") -> Snapshot:
    snapshot = store.get(booking_id)
    assert snapshot is not None
    return snapshot


def dump_file(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def hurry(engine: Engine) -> None:
    """Do not wait for the disk: these tests cut no power."""

    def off(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = OFF")
        cursor.close()

    event.listen(engine, "connect", off)


class SqliteStore(SqlAlchemyBookingRepository):
    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.engine = create_engine(f"sqlite:///{path}", **options)
        super().__init__(self.engine)

    def dump(self) -> object:
        return dump_file(self.path)

    def close(self) -> None:
        self.engine.dispose()


class _OnLoop:
    """Runs an async repository's methods on a loop of its own."""

    def __init__(self, repository: Any) -> None:
        self.runner = asyncio.Runner()
        self.repository = repository

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.repository, name)

        def call(*args: Any, **named: Any) -> Any:
            return self.run(method(*args, **named))

        return call

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)


async def threads_ended(but: Collection[threading.Thread] = ()) -> None:
    """Wait for the threads of aiosqlite, which report their end to the loop."""
    for _ in range(400):
        left = [thread for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]
        if not set(left) - set(but):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("a connection was never closed")


class AsyncSqliteStore(_OnLoop):
    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.others = threading.enumerate()
        options.setdefault("poolclass", AsyncAdaptedQueuePool)  # the default since SQLAlchemy 2.0.38
        self.engine = create_async_engine(f"sqlite+aiosqlite:///{path}", **options)
        super().__init__(AsyncSqlAlchemyBookingRepository(self.engine))

    def dump(self) -> object:
        return dump_file(self.path)

    def close(self) -> None:
        self.run(self.engine.dispose())
        self.run(threads_ended(but=self.others))
        self.runner.close()


TABLES = ("airport_history", "airport_payments", "airport_ledgers", "airport_bookings")


class _OnPostgresql:
    """What the three drivers of PostgreSQL share. The tables stay for the next test, and are emptied for it."""

    schema: Schema
    engine: Any

    def dump(self) -> object:
        return [self.schema.run(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in TABLES]

    def empty(self) -> None:
        self.schema.run("; ".join(f"DELETE FROM {table}" for table in TABLES))

    def sql(self, text: str) -> list[Any]:
        return self.schema.run(text)


class PsycopgStore(_OnPostgresql, SqlAlchemyBookingRepository):
    def __init__(self, schema: Schema, **options: Any) -> None:
        self.schema = schema
        self.engine = schema.engine(create_engine, "psycopg", **options)
        super().__init__(self.engine)

    def close(self) -> None:
        self.engine.dispose()


class _AsyncOnPostgresql(_OnPostgresql, _OnLoop):
    driver: str

    def __init__(self, schema: Schema, **options: Any) -> None:
        self.schema = schema
        self.engine = schema.engine(create_async_engine, self.driver, **options)
        super().__init__(AsyncSqlAlchemyBookingRepository(self.engine))

    def close(self) -> None:
        self.run(self.engine.dispose())
        self.runner.close()


class AsyncPsycopgStore(_AsyncOnPostgresql):
    driver = "psycopg"


class AsyncpgStore(_AsyncOnPostgresql):
    driver = "asyncpg"


ON_POSTGRESQL = {"psycopg": PsycopgStore, "psycopg-async": AsyncPsycopgStore, "asyncpg": AsyncpgStore}


class _TeamInMemory:
    """The team's side for the repositories in memory, which have `put_booking` only."""

    tables: Any

    def add_booking(self, booking: Booking) -> None:
        self.tables.put_booking(booking)

    def booking(self, booking_id: str) -> Booking | None:
        found: Booking | None = self.tables.booking(booking_id)
        return found

    def set_booking_status(self, booking_id: str, status: BookingStatus) -> None:
        now = self.booking(booking_id)
        assert now is not None
        self.tables.put_booking(Booking(now.id, now.owner, now.price, status, now.hold_until))

    def set_booking_price(self, booking_id: str, price: Money) -> None:
        now = self.booking(booking_id)
        assert now is not None
        self.tables.put_booking(Booking(now.id, now.owner, price, now.status, now.hold_until))

    def dump(self) -> object:
        names = ("_bookings", "_ledgers", "_index", "_intents", "_due", "_history")
        return repr([getattr(self.tables, name) for name in names])


class MemoryStore(_TeamInMemory, MemoryBookingRepository):
    def __init__(self) -> None:
        MemoryBookingRepository.__init__(self)
        self.tables = super(_TeamInMemory, self)

    def dump(self) -> object:
        return repr({name: value for name, value in vars(self).items() if name not in {"_lock", "tables"}})

    def close(self) -> None:
        pass


class AsyncMemoryStore(_TeamInMemory, _OnLoop):
    def __init__(self) -> None:
        self.tables = AsyncMemoryBookingRepository()
        _OnLoop.__init__(self, self.tables)

    def close(self) -> None:
        self.runner.close()
