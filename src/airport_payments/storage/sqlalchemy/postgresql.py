"""All that is PostgreSQL's own: how three drivers run its statements, and which errors mean what.

Nothing is used that databases of many machines lack which speak PostgreSQL's language: no advisory locks, no LISTEN, no
sequences. They serialize by refusing (40001), which is a conflict like any other.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from sqlalchemy.engine import CursorResult, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from airport_payments.core.errors import ConfigurationError
from airport_payments.core.model import Change
from airport_payments.storage.sqlalchemy.dialects import Choose, DriverConnection, Plan, Row
from airport_payments.storage.sqlalchemy.postgresql_statements import PostgresqlStatements
from airport_payments.storage.sqlalchemy.statements import Statement, Values
from airport_payments.storage.sqlalchemy.tables import Tables

if TYPE_CHECKING:
    import psycopg

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_CONFLICTS: Final = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
_UNIQUE_VIOLATION: Final = "23505"
# Another process creates the same table at the same moment: IF NOT EXISTS does not see what is not committed.
_BEING_CREATED: Final = frozenset({_UNIQUE_VIOLATION, "42P07", *_CONFLICTS})
_CREATE_TRIES: Final = 5  # each try loses to another process, and what that one made is there at the next
# After these a connection is of no use: it is closed (08, 57P), or has a statement prepared for a table that was changed
# since (0A000).
_BROKEN: Final = ("08", "57P", "0A000")
# The messages of these hold values, or are written by somebody's trigger.
_TELLS_VALUES: Final = ("22", "23", "P0")


class _Postgresql:
    """What the three drivers share."""

    def __init__(self, engine: Engine, tables: Tables, *errors: type[Exception]) -> None:
        self.statements = PostgresqlStatements(tables, engine.dialect)
        self.turn: AbstractContextManager[Any] = nullcontext()
        # SQLAlchemy's async drivers raise errors of their own while they connect.
        self.errors: tuple[type[Exception], ...] = (
            *errors,
            cast("type[Exception]", cast("Any", engine.dialect.dbapi).Error),
            SQLAlchemyError,
        )
        self._engine = engine
        self._taken = tables.taken
        # Given to create_engine, or to execution_options.
        on_connect = getattr(engine.dialect, "_on_connect_isolation_level", None)
        self._isolation = engine.get_execution_options().get("isolation_level") or on_connect

    def discard(self, lease: PoolProxiedConnection, error: Exception) -> None:
        """Take a broken connection out of the pool, and all that are as old, for the server was restarted most likely.

        So one call fails after the database was down, and not one for each connection of the pool.
        """
        if (_sqlstate(error) or "").startswith(_BROKEN) or _is_closed(lease.driver_connection):
            # What SQLAlchemy itself does with a connection that broke. It has no public name.
            cast("Any", self._engine.pool)._invalidate(lease, error)  # noqa: SLF001

    def reason(self, error: Exception) -> str:
        """Return what happened, without SQL and without values."""
        cause, state = _cause(error), _sqlstate(error)
        name = type(cause).__name__
        if state is None:
            return f"the database did not answer: {name}" + ("" if name == "DataError" else f": {cause}")
        words = f"the database refused: {name} ({state})"
        return words if state.startswith(_TELLS_VALUES) else f"{words}: {_message(cause)}"

    def is_conflict(self, error: Exception) -> bool:
        """Whether a save failed because something moved on. What an index of the team's refuses never goes through."""
        taken = _sqlstate(error) == _UNIQUE_VIOLATION and _constraint(error) in self._taken
        return taken or self.is_broken_off(error)

    # ---- for a save in a transaction of SQLAlchemy's ----

    @property
    def always(self) -> bool:
        """Whether the engine asks for an isolation level: a statement that commits by itself has the server's default."""
        return self._isolation not in {None, "AUTOCOMMIT"}

    def check_hook(self) -> None:
        """Raise `ConfigurationError` if the engine commits everything by itself."""
        if self._isolation == "AUTOCOMMIT":
            raise ConfigurationError(
                "on_save needs a transaction, and this engine commits each statement: give an engine without"
                ' isolation_level="AUTOCOMMIT"'
            )

    def opening(self, connection: DriverConnection) -> Sequence[str]:  # noqa: ARG002
        """Return nothing: SQLAlchemy's drivers begin by themselves."""
        return ()

    def plan(self, change: Change, values: Values) -> Plan:
        """Return the one step that writes a change."""
        statement, all_values = self.statements.save(change, values)
        return [(statement.sql, [statement.bind(all_values)], True)]

    def count(self, result: CursorResult[Any]) -> int:
        """Return the count of what RETURNING gave."""
        return len(result.fetchall())

    def is_broken_off(self, error: Exception) -> bool:
        """Whether the database broke the transaction off in favour of another one."""
        return _sqlstate(error) in _CONFLICTS

    def _goes_on(self, error: Exception, left: int) -> bool:
        return left > 0 and _sqlstate(error) in _BEING_CREATED


class Psycopg(_Postgresql):
    """A PostgreSQL database behind an engine of psycopg.

    A connection of the pool begins a transaction by itself, which costs two round trips more. So it is told not to.
    """

    def __init__(self, engine: Engine, tables: Tables) -> None:
        import psycopg  # noqa: PLC0415

        super().__init__(engine, tables, psycopg.Error)

    def create(self, connection: "psycopg.Connection[Row]") -> None:
        """Bring the tables up to date, all or none."""
        for left in reversed(range(_CREATE_TRIES)):
            try:
                with connection.transaction():
                    found = connection.execute(self.statements.look.sql.encode()).fetchall()
                    for sql in self.statements.migrations.needed(found):
                        connection.execute(sql.encode())
            except self.errors as error:
                if not self._goes_on(error, left):
                    raise
            else:
                return

    def query(self, connection: "psycopg.Connection[Row]", statement: Statement, values: Values) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        begins = not connection.autocommit
        if begins:
            connection.autocommit = True
        try:
            return connection.execute(statement.sql.encode(), statement.bind(values), prepare=True).fetchall()
        finally:
            if begins and not connection.closed:
                connection.autocommit = False

    def write(self, connection: "psycopg.Connection[Row]", statement: Statement, values: Values) -> bool:
        """Run one writing statement; whether it wrote exactly one row."""
        try:
            return len(self.query(connection, statement, values)) == 1
        except self.errors as error:
            if _sqlstate(error) == _UNIQUE_VIOLATION:
                return False
            raise

    def erase(self, connection: "psycopg.Connection[Row]", statement: Statement, values: Values) -> None:
        """Run one deleting statement."""
        self.query(connection, statement, values)

    def save(self, connection: "psycopg.Connection[Row]", change: Change, values: Values) -> bool:
        """Write a whole change, or nothing and return False."""
        try:
            return len(self.query(connection, *self.statements.save(change, values))) == 1
        except self.errors as error:
            if self.is_conflict(error):
                return False
            raise

    def get_and_save(self, connection: "psycopg.Connection[Row]", values: Values, choose: Choose) -> bool:
        """Read a booking's rows, and write what `choose` makes of them."""
        chosen = choose(self.query(connection, self.statements.get, values))
        return chosen if isinstance(chosen, bool) else self.save(connection, *chosen)


class AsyncPsycopg(_Postgresql):
    """A PostgreSQL database behind an async engine of psycopg."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        import psycopg  # noqa: PLC0415

        super().__init__(engine, tables, psycopg.Error)

    async def create(self, connection: "psycopg.AsyncConnection[Row]") -> None:
        """Bring the tables up to date, all or none."""
        for left in reversed(range(_CREATE_TRIES)):
            try:
                async with connection.transaction():
                    cursor = await connection.execute(self.statements.look.sql.encode())
                    for sql in self.statements.migrations.needed(await cursor.fetchall()):
                        await connection.execute(sql.encode())
            except self.errors as error:
                if not self._goes_on(error, left):
                    raise
            else:
                return

    async def query(
        self, connection: "psycopg.AsyncConnection[Row]", statement: Statement, values: Values
    ) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        begins = not connection.autocommit
        if begins:
            await connection.set_autocommit(True)
        try:
            cursor = await connection.execute(statement.sql.encode(), statement.bind(values), prepare=True)
            return await cursor.fetchall()
        finally:
            if begins and not connection.closed:
                await connection.set_autocommit(False)

    async def write(self, connection: "psycopg.AsyncConnection[Row]", statement: Statement, values: Values) -> bool:
        """Run one writing statement; whether it wrote exactly one row."""
        try:
            return len(await self.query(connection, statement, values)) == 1
        except self.errors as error:
            if _sqlstate(error) == _UNIQUE_VIOLATION:
                return False
            raise

    async def erase(self, connection: "psycopg.AsyncConnection[Row]", statement: Statement, values: Values) -> None:
        """Run one deleting statement."""
        await self.query(connection, statement, values)

    async def save(self, connection: "psycopg.AsyncConnection[Row]", change: Change, values: Values) -> bool:
        """Write a whole change, or nothing and return False."""
        try:
            return len(await self.query(connection, *self.statements.save(change, values))) == 1
        except self.errors as error:
            if self.is_conflict(error):
                return False
            raise

    async def get_and_save(self, connection: "psycopg.AsyncConnection[Row]", values: Values, choose: Choose) -> bool:
        """Read a booking's rows, and write what `choose` makes of them."""
        chosen = choose(await self.query(connection, self.statements.get, values))
        return chosen if isinstance(chosen, bool) else await self.save(connection, *chosen)


class _AsyncpgConnection(Protocol):
    """What we use of asyncpg's."""

    def transaction(self) -> AbstractAsyncContextManager[object]: ...
    async def execute(self, query: str, /) -> str: ...
    async def fetch(self, query: str, /, *args: object) -> Sequence[Row]: ...


class Asyncpg(_Postgresql):
    """A PostgreSQL database behind an async engine of asyncpg, which prepares every statement and begins nothing."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        asyncpg = import_module("asyncpg")  # it has no types
        # It lets the system's own errors through: a refused connection, a time-out. Where a connection breaks at an odd
        # moment, its protocol is "not connected", which it counts as neither of its two kinds of errors.
        own = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
        super().__init__(engine, tables, *own, OSError)

    async def create(self, connection: _AsyncpgConnection) -> None:
        """Bring the tables up to date, all or none."""
        for left in reversed(range(_CREATE_TRIES)):
            try:
                async with connection.transaction():
                    found = await connection.fetch(self.statements.look.sql)
                    for sql in self.statements.migrations.needed(found):
                        await connection.execute(sql)
            except self.errors as error:
                if not self._goes_on(error, left):
                    raise
            else:
                return

    async def query(self, connection: _AsyncpgConnection, statement: Statement, values: Values) -> Sequence[Row]:
        """Run one statement and return all its rows."""
        return await connection.fetch(statement.sql, *statement.bind(values))

    async def write(self, connection: _AsyncpgConnection, statement: Statement, values: Values) -> bool:
        """Run one writing statement; whether it wrote exactly one row."""
        try:
            return len(await self.query(connection, statement, values)) == 1
        except self.errors as error:
            if _sqlstate(error) == _UNIQUE_VIOLATION:
                return False
            raise

    async def erase(self, connection: _AsyncpgConnection, statement: Statement, values: Values) -> None:
        """Run one deleting statement."""
        await self.query(connection, statement, values)

    async def save(self, connection: _AsyncpgConnection, change: Change, values: Values) -> bool:
        """Write a whole change, or nothing and return False."""
        try:
            return len(await self.query(connection, *self.statements.save(change, values))) == 1
        except self.errors as error:
            if self.is_conflict(error):
                return False
            raise

    async def get_and_save(self, connection: _AsyncpgConnection, values: Values, choose: Choose) -> bool:
        """Read a booking's rows, and write what `choose` makes of them."""
        chosen = choose(await self.query(connection, self.statements.get, values))
        return chosen if isinstance(chosen, bool) else await self.save(connection, *chosen)


# ---- errors, of three drivers and of SQLAlchemy's around them ----


def _cause(error: BaseException) -> BaseException:
    """Return the driver's own error."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    inner = error.__cause__
    return error if inner is None or not hasattr(inner, "sqlstate") else inner


def _sqlstate(error: Exception) -> str | None:
    state = getattr(_cause(error), "sqlstate", None)
    return state if isinstance(state, str) else None


def _diagnosis(error: BaseException) -> object:
    return getattr(error, "diag", error)


def _constraint(error: Exception) -> str | None:
    return cast("str | None", getattr(_diagnosis(_cause(error)), "constraint_name", None))


def _message(error: BaseException) -> str:
    diagnosis = _diagnosis(error)
    return str(getattr(diagnosis, "message_primary", None) or getattr(diagnosis, "message", ""))


def _is_closed(connection: DriverConnection) -> bool:
    """Whether a driver's connection is closed. None: the pool already took it away."""
    if connection is None:
        return False
    closed = getattr(connection, "closed", None)
    return bool(connection.is_closed() if closed is None else closed)
