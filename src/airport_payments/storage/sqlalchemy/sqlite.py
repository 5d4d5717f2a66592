"""All that is SQLite's own: its statements, how a connection is set up and run, and which errors mean what.

SQLite lets one writer in at a time. `BEGIN IMMEDIATE` takes that right at once, so that a transaction cannot fail halfway
because another one was faster; who has to wait does so for the busy timeout.

The driver's transaction control is not used: BEGIN and COMMIT are statements of ours, which SQLAlchemy recommends for all
versions of Python ("Transactions with SQLite and the sqlite3 driver"), and which works whether or not the team's engine
set `isolation_level`. Where it set `autocommit=False` (Python 3.12), the driver keeps a transaction open at all times;
then our first write takes the lock.
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from sqlalchemy import event
from sqlalchemy.engine import AdaptedConnection, CursorResult, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, SingletonThreadPool, StaticPool

from airport_payments.core.codec import to_us
from airport_payments.core.errors import ConfigurationError
from airport_payments.core.model import Change
from airport_payments.storage.sqlalchemy.dialects import Choose, Plan, Row, Step
from airport_payments.storage.sqlalchemy.rows import index_rows
from airport_payments.storage.sqlalchemy.sqlite_statements import SqliteStatements
from airport_payments.storage.sqlalchemy.statements import (
    Parameters,
    Statement,
    Values,
)
from airport_payments.storage.sqlalchemy.tables import Tables

if TYPE_CHECKING:
    from aiosqlite import Connection as AioConnection

T = TypeVar("T")

# How long a writer waits for another, where the engine's owner gave no `timeout`: the driver's own default.
BUSY_TIMEOUT_MS: Final = 5_000

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
    """A SQLite database behind an engine of the standard library's sqlite3."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error, SQLAlchemyError)  # aiosqlite raises those of sqlite3

    def __init__(self, engine: Engine, tables: Tables) -> None:
        if isinstance(engine.pool, SingletonThreadPool):
            raise ConfigurationError(
                "this engine gives each thread a database of its own: for a database in memory, pass"
                ' poolclass=StaticPool and connect_args={"check_same_thread": False} to create_engine'
            )
        self.statements = SqliteStatements(tables, engine.dialect)
        # In memory, all threads share one connection, and with it one transaction: they take turns. Tasks need not, for
        # each of them has the connection's thread for a whole transaction.
        shared = isinstance(engine.pool, StaticPool) and not engine.dialect.is_async
        self.turn: AbstractContextManager[Any] = threading.Lock() if shared else nullcontext()
        if not event.contains(engine, "connect", _on_connect):
            # First in line, so that whatever the engine's owner sets for itself is set after it and stands.
            event.listen(engine, "connect", _on_connect, insert=True)

    def discard(self, lease: PoolProxiedConnection, error: Exception) -> None:
        """Take a connection out of the pool that stays broken."""
        if isinstance(error, sqlite3.Error) and _is_broken(error):
            lease.invalidate()

    def reason(self, error: Exception) -> str:
        """Return the driver's words. SQLAlchemy's own would show the statement and its parameters."""
        cause: object = error.orig if isinstance(error, DBAPIError) else error
        return f"the database did not answer: {type(cause).__name__}: {cause}"

    def create(self, connection: sqlite3.Connection) -> None:
        """Bring the tables up to date, all or none. Two at once do it one after the other."""
        needed, look = self.statements.migrations.needed, self.statements.look
        if needed(self.query(connection, look, {})):  # who finds all done needs no right to write
            transaction(connection, lambda: _run_all(connection, needed(connection.execute(look.sql).fetchall())))

    def query(self, connection: sqlite3.Connection, statement: Statement, values: Values) -> Sequence[Row]:
        """Run one query. All rows are taken, because an unfinished query keeps its read transaction."""
        rows = connection.execute(statement.sql, statement.bind(values)).fetchall()
        if _driver_begins(connection):
            connection.rollback()  # or the next query would see the same moment again
        return rows

    def write(self, connection: sqlite3.Connection, statement: Statement, values: Values) -> bool:
        """Run one writing statement; whether it wrote exactly one row."""
        return write(connection, [_step(statement, values)])

    def erase(self, connection: sqlite3.Connection, statement: Statement, values: Values) -> None:
        """Run one deleting statement."""
        write(connection, [_step(statement, values, exactly_one=False)])

    def save(self, connection: sqlite3.Connection, change: Change, values: Values) -> bool:
        """Write a whole change, or nothing and return False."""
        return write(connection, self.plan(change, values))

    def get_and_save(self, connection: sqlite3.Connection, values: Values, choose: Choose) -> bool:
        """Read a booking's rows, and write what `choose` makes of them."""
        chosen = choose(self.query(connection, self.statements.get, values))
        return chosen if isinstance(chosen, bool) else self.save(connection, *chosen)

    # ---- for a save in a transaction of SQLAlchemy's ----

    always = False

    def check_hook(self) -> None:
        """Do nothing: the transaction is begun by a statement of ours, whatever the engine does by itself."""

    def opening(self, connection: "sqlite3.Connection | AioConnection") -> Sequence[str]:
        """Begin, unless the driver or a listener of the engine's owner has begun."""
        return () if connection.in_transaction else ("BEGIN IMMEDIATE",)

    def count(self, result: CursorResult[Any]) -> int:
        """Return the count of rows: RETURNING would cost a quarter of the transaction, and SQLite 3.35."""
        return result.rowcount

    def is_conflict(self, error: Exception) -> bool:
        """Whether a row is already taken: a second payable payment, or another booking's PaymentIntent."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        return isinstance(cause, sqlite3.IntegrityError) and cause.sqlite_errorcode in _TAKEN

    def is_broken_off(self, error: Exception) -> bool:  # noqa: ARG002
        """Return False: who writes has the database to itself."""
        return False

    def plan(self, change: Change, values: Values) -> Plan:
        """Return the steps that write a change."""
        # All is encoded before the first step, for from then on every other writer waits.
        statements = self.statements
        return _save(statements, values, _index_rows(statements, change), _notes(statements, change))


class Aiosqlite:
    """A SQLite database behind an engine of aiosqlite.

    One switch between threads costs as much as a small transaction, so a transaction makes one, not one for each
    statement. And since the thread knows nothing of tasks, a cancelled task leaves no transaction half done: the thread
    ends it, and whoever gets the connection next stands in line behind it.
    """

    errors = Sqlite.errors

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._sync = Sqlite(engine, tables)
        self.statements, self.turn = self._sync.statements, self._sync.turn
        self.discard, self.reason, self.plan = self._sync.discard, self._sync.reason, self._sync.plan
        self.always, self.check_hook, self.opening = self._sync.always, self._sync.check_hook, self._sync.opening
        self.count, self.is_conflict = self._sync.count, self._sync.is_conflict
        self.is_broken_off = self._sync.is_broken_off

    async def create(self, connection: "AioConnection") -> None:
        """Bring the tables up to date, all or none. Two at once do it one after the other."""
        await in_thread(connection, self._sync.create)

    async def query(self, connection: "AioConnection", statement: Statement, values: Values) -> Sequence[Row]:
        """Run one query."""
        return await in_thread(connection, self._sync.query, statement, values)

    async def write(self, connection: "AioConnection", statement: Statement, values: Values) -> bool:
        """Run one writing statement; whether it wrote exactly one row."""
        return await in_thread(connection, self._sync.write, statement, values)

    async def erase(self, connection: "AioConnection", statement: Statement, values: Values) -> None:
        """Run one deleting statement."""
        await in_thread(connection, self._sync.erase, statement, values)

    async def save(self, connection: "AioConnection", change: Change, values: Values) -> bool:
        """Write a whole change, or nothing and return False."""
        return await in_thread(connection, write, self._sync.plan(change, values))

    async def get_and_save(self, connection: "AioConnection", values: Values, choose: Choose) -> bool:
        """Read a booking's rows, and write what `choose` makes of them: one switch between threads for both."""
        return await in_thread(connection, self._sync.get_and_save, values, choose)


# ---- transactions ----


def write(connection: sqlite3.Connection, plan: Plan) -> bool:
    """Run a plan in one transaction, or leave nothing behind and return False."""
    return transaction(connection, lambda: _run(connection, plan))


def transaction(connection: sqlite3.Connection, work: Callable[[], bool]) -> bool:
    """Commit what `work` did if it returns True, and leave nothing behind otherwise.

    A row that is already taken (a second payable payment, another booking's PaymentIntent) is a False too.
    """
    driver_begins = _driver_begins(connection)
    try:
        if not driver_begins:
            connection.execute("BEGIN IMMEDIATE")
        if not work():
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


def _run_all(connection: sqlite3.Connection, statements: Sequence[str]) -> bool:
    for sql in statements:
        connection.execute(sql)
    return True


def _run(connection: sqlite3.Connection, plan: Plan) -> bool:
    for sql, rows, exactly_one in plan:
        cursor = connection.execute(sql, rows[0]) if len(rows) == 1 else connection.executemany(sql, rows)
        # Not RETURNING: that would cost a quarter of the transaction, and SQLite 3.35.
        if exactly_one and cursor.rowcount != 1:
            return False
    return True


def _driver_begins(connection: sqlite3.Connection) -> bool:
    """Whether the driver keeps a transaction open all the time (`autocommit=False`, from Python 3.12 on)."""
    return getattr(connection, "autocommit", None) is False


def _is_broken(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    # An error without a code is the driver's own: it has no code for a connection that was closed.
    return "closed" in str(error) if code is None else code & _PRIMARY_CODE in _BROKEN


async def in_thread(connection: "AioConnection", work: Callable[..., T], *args: object) -> T:
    """Return what `work(the sqlite3 connection, *args)` returns in the thread of the connection."""
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


# ---- the steps ----


def _step(statement: Statement, values: Values, *, exactly_one: bool = True) -> Step:
    return statement.sql, [statement.bind(values)], exactly_one


def _save(statements: SqliteStatements, values: Values, index: list[Parameters], notes: list[Parameters]) -> Plan:
    plan = [_step(statements.next_ledger if values["read_version"] else statements.first_ledger, values)]
    if index:
        plan.append((statements.index.sql, index, False))
    if notes:
        plan.append((statements.note.sql, notes, False))
    if "new_status" in values:
        plan.append(_step(statements.settle, values))
    return plan


def _index_rows(statements: SqliteStatements, change: Change) -> list[Parameters]:
    return [
        statements.index.bind(
            {
                "p_booking_id": change.booking_id,
                "p_attempt_id": row.attempt_id,
                "p_intent_id": row.intent_id,
                "p_state": row.state.value,
                "p_amount_minor": row.amount.amount_minor,
                "p_currency": row.amount.currency,
            }
        )
        for row in index_rows(change)
    ]


def _notes(statements: SqliteStatements, change: Change) -> list[Parameters]:
    return [
        statements.note.bind(
            {
                "p_booking_id": change.booking_id,
                "p_version": change.ledger.version,
                "p_line": number,
                "p_at_us": to_us(line.at),
                "p_fact": line.fact,
                "p_decision": line.decision,
                "p_event_id": line.event_id,
                "p_intent_id": line.intent_id,
            }
        )
        for number, line in enumerate(change.history)
    ]


# ---- setting a connection up ----


def _on_connect(connection: object, _: ConnectionPoolEntry) -> None:
    if isinstance(connection, sqlite3.Connection):
        _set_up(connection)
    else:
        adapter = cast("AdaptedConnection", connection)
        adapter.run_async(lambda driver: in_thread(cast("AioConnection", driver), _set_up))


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
