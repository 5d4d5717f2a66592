"""All that is SQLite's own: how a connection is set up, borrowed and run, and which errors mean what.

SQLite lets one writer in at a time. `BEGIN IMMEDIATE` takes that right at once, so that a transaction cannot fail halfway
because another one was faster; who has to wait does so for the busy timeout.

The driver's transaction control is not used: BEGIN and COMMIT are statements of ours, which SQLAlchemy recommends for all
versions of Python ("Transactions with SQLite and the sqlite3 driver"), and which works whether or not the team's engine
set `isolation_level`. Where it set `autocommit=False` (Python 3.12), the driver keeps a transaction open at all times;
then our first write takes the lock.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from sqlalchemy import event
from sqlalchemy.engine import AdaptedConnection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, SingletonThreadPool, StaticPool
from sqlalchemy.util import greenlet_spawn

from airport_payments.core.errors import ConfigurationError, StorageUnavailable
from airport_payments.storage.sqlalchemy.rows import Plan, Row
from airport_payments.storage.sqlalchemy.statements import Parameters, Statements

if TYPE_CHECKING:
    from aiosqlite import Connection as AioConnection

T = TypeVar("T")

# How long a writer waits for another, where the engine's owner gave no `timeout`: the driver's own default.
BUSY_TIMEOUT_MS: Final = 5_000

# What a driver or a pool raises. aiosqlite raises the errors of sqlite3.
DRIVER_ERRORS: Final = (sqlite3.Error, SQLAlchemyError)

_TAKEN: Final = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
# After these a connection stays broken, or read-only; a new one may work.
_BROKEN: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)
_PRIMARY_CODE: Final = 0xFF  # the rest of an extended error code says more than we ask
_CLOSED: Final = ("connection closed", "no active connection")  # aiosqlite's words, in a ValueError


class Sqlite:
    """A SQLite database behind an engine: lends its connections and runs our work on the driver's own."""

    def __init__(self, engine: Engine, driver: str) -> None:
        dialect = engine.dialect
        if (dialect.name, dialect.driver) != ("sqlite", driver):
            raise ConfigurationError(f"the engine must be one of sqlite+{driver}, not {dialect.name}+{dialect.driver}")
        if isinstance(engine.pool, SingletonThreadPool):
            raise ConfigurationError(
                "this engine gives each thread a database of its own: for a database in memory, pass"
                ' poolclass=StaticPool and connect_args={"check_same_thread": False} to create_engine'
            )
        self._engine = engine
        self.statements = Statements(dialect)
        # In memory, all threads share one connection, and with it one transaction: they take turns. Tasks need not, for
        # each of them has the connection's thread for a whole transaction.
        shared = isinstance(engine.pool, StaticPool) and not dialect.is_async
        self.turn: AbstractContextManager[Any] = threading.Lock() if shared else nullcontext()
        if not event.contains(engine, "connect", _on_connect):
            # First in line, so that whatever the engine's owner sets for itself is set after it and stands.
            event.listen(engine, "connect", _on_connect, insert=True)

    def borrow(self) -> PoolProxiedConnection:
        """Take a connection from the pool."""
        return self._engine.raw_connection()

    def run(self, lease: PoolProxiedConnection, work: Callable[..., T], *args: object) -> T:
        """Run `work(connection, *args)` on the driver's connection."""
        try:
            return work(lease.driver_connection, *args)
        except sqlite3.Error as error:
            if _is_broken(error):
                lease.invalidate()
            raise

    def give_back(self, lease: PoolProxiedConnection) -> None:
        """Return a connection to the pool."""
        lease.close()

    async def borrow_async(self) -> PoolProxiedConnection:
        """Take a connection from the pool."""
        return await greenlet_spawn(self._engine.raw_connection)

    async def run_async(self, lease: PoolProxiedConnection, work: Callable[..., T], *args: object) -> T:
        """Run `work(connection, *args)` in the thread of the driver's connection, in one go.

        One switch between threads costs as much as a small transaction, so a transaction makes one, not one for each
        statement. And since the thread knows nothing of tasks, a cancelled task leaves no transaction half done: the
        thread ends it, and whoever gets the connection next stands in line behind it.
        """
        try:
            return await _in_thread(cast("AioConnection", lease.driver_connection), work, *args)
        except sqlite3.Error as error:
            if _is_broken(error):
                await greenlet_spawn(lease.invalidate)
            raise

    async def give_back_async(self, lease: PoolProxiedConnection) -> None:
        """Return a connection to the pool, also when the task is cancelled once more meanwhile."""
        await asyncio.shield(greenlet_spawn(lease.close))


def read(connection: sqlite3.Connection, sql: str, parameters: Parameters) -> list[Row]:
    """Run one query. All rows are taken, because an unfinished query keeps its read transaction."""
    rows = connection.execute(sql, parameters).fetchall()
    if _driver_begins(connection):
        connection.rollback()  # or the next query would see the same moment again
    return rows


def write(connection: sqlite3.Connection, plan: Plan) -> bool:
    """Run a plan in one transaction; commit if it returns True, and leave nothing behind otherwise.

    A row that is already taken (a second payable payment, another booking's PaymentIntent) is a False too.
    """
    driver_begins = _driver_begins(connection)
    try:
        if not driver_begins:
            connection.execute("BEGIN IMMEDIATE")
        if not _drive(connection, plan):
            connection.rollback()
            return False
        if driver_begins:
            connection.commit()
        else:
            connection.execute("COMMIT")
    except sqlite3.IntegrityError as error:
        connection.rollback()
        if error.sqlite_errorcode in _TAKEN:
            return False
        raise
    except BaseException:
        # An interrupt too: the connection goes back to a pool that others use.
        connection.rollback()
        raise
    return True


def unavailable(error: Exception) -> StorageUnavailable:
    """Return what callers get for an error of a driver or a pool: its reason, without SQL and without values."""
    if isinstance(error, DBAPIError):
        reason: object = error.orig  # SQLAlchemy's own text would show the statement and its parameters
    else:
        reason = error
    return StorageUnavailable(f"the database did not answer: {type(reason).__name__}: {reason}")


def _drive(connection: sqlite3.Connection, plan: Plan) -> bool:
    try:
        sql, rows = next(plan)
        while True:
            cursor = connection.execute(sql, rows[0]) if len(rows) == 1 else connection.executemany(sql, rows)
            # Not RETURNING: that would cost a quarter of the transaction, and SQLite 3.35.
            sql, rows = plan.send(cursor.rowcount)
    except StopIteration as end:
        return cast("bool", end.value)


def _driver_begins(connection: sqlite3.Connection) -> bool:
    """Whether the driver keeps a transaction open all the time (`autocommit=False`, from Python 3.12 on)."""
    return getattr(connection, "autocommit", None) is False


def _is_broken(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    # An error without a code is the driver's own: it has no code for a connection that was closed.
    return "closed" in str(error) if code is None else code & _PRIMARY_CODE in _BROKEN


async def _in_thread(connection: "AioConnection", work: Callable[..., T], *args: object) -> T:
    # aiosqlite has no public way to run more than one statement in its thread at a time. `_execute` is what all its own
    # methods are made of; SQLAlchemy's dialect reaches as deep.
    try:
        return cast("T", await cast("Any", connection)._execute(_on_driver_connection, connection, work, args))  # noqa: SLF001
    except ValueError as error:
        if str(error).lower() in _CLOSED:
            raise sqlite3.ProgrammingError("the connection is closed") from None
        raise


def _on_driver_connection(connection: "AioConnection", work: Callable[..., T], args: Sequence[object]) -> T:
    return work(cast("Any", connection)._conn, *args)  # noqa: SLF001


# ---- setting a connection up ----


def _on_connect(connection: object, _: ConnectionPoolEntry) -> None:
    if isinstance(connection, sqlite3.Connection):
        _set_up(connection)
    else:
        adapter = cast("AdaptedConnection", connection)
        adapter.run_async(lambda driver: _in_thread(cast("AioConnection", driver), _set_up))


def _set_up(connection: sqlite3.Connection) -> None:
    driver_begins = _driver_begins(connection)
    if driver_begins:
        connection.autocommit = True  # type: ignore[attr-defined] # these settings do nothing inside a transaction
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        if connection.execute("PRAGMA busy_timeout").fetchone()[0] == 0:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        _use_wal(connection)
    finally:
        if driver_begins:
            connection.autocommit = False  # type: ignore[attr-defined]


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let readers and the writer work at the same time. The file remembers it."""
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    except sqlite3.OperationalError:
        # Another process is switching just now, or the file is read-only. Nothing depends on it but speed.
        return
