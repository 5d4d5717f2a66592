"""What a dialect gives the repositories, and which one an engine has. The dialects are `sqlite` and `postgresql`."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlalchemy.engine import CursorResult, Dialect, Engine
from sqlalchemy.pool import PoolProxiedConnection

from airport_payments.core.errors import ConfigurationError
from airport_payments.core.model import Change
from airport_payments.storage.sqlalchemy.statements import Parameters, Statement, Statements, Values
from airport_payments.storage.sqlalchemy.tables import Tables

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Row: TypeAlias = Sequence[Any]
# One statement with a row of parameters or several, and whether it has to write exactly one row.
Step: TypeAlias = tuple[str, Sequence[Parameters], bool]
# The steps of one transaction. Where one writes another number of rows than it has to, nothing is to be written.
Plan: TypeAlias = Iterable[Step]
# Makes a booking's rows the change to write and its values; or says that there is nothing to write, True if that is well.
Choose: TypeAlias = Callable[[Sequence[Row]], tuple[Change, Values] | bool]
DriverConnection: TypeAlias = Any  # of four drivers, which have no type in common


class _Dialect(Protocol):
    """What both colours of a driver have."""

    @property
    def statements(self) -> Statements:
        """The statements in this dialect."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver and the pool raise."""
        ...

    @property
    def turn(self) -> AbstractContextManager[object]:
        """Held while a connection is in use, where all threads share one."""
        ...

    def discard(self, lease: PoolProxiedConnection, error: Exception) -> None:
        """Take the connection out of the pool if the error says that it is of no use any more."""
        ...

    # ---- for a save in a transaction of SQLAlchemy's, which others take part in ----

    @property
    def always(self) -> bool:
        """Whether every save is one, because the engine asks for an isolation level."""
        ...

    def check_hook(self) -> None:
        """Raise `ConfigurationError` if the engine commits everything by itself."""
        ...

    def opening(self, connection: DriverConnection) -> Sequence[str]:
        """Return what is to be said before the first step."""
        ...

    def plan(self, change: Change, values: Values) -> Plan:
        """Return the steps that write a change."""
        ...

    def count(self, result: CursorResult[Any]) -> int:
        """Return how many rows a step wrote."""
        ...

    def is_conflict(self, error: Exception) -> bool:
        """Whether a step failed because something moved on."""
        ...

    def is_broken_off(self, error: Exception) -> bool:
        """Whether the database broke the transaction off in favour of another one, whoever's statement it told."""
        ...

    def reason(self, error: Exception) -> str:
        """Return what the team's log says of an error: without SQL, and without values."""
        ...


class Driver(_Dialect, Protocol):
    """Runs things on a driver's own connection. `save` and `write` commit, or leave nothing behind."""

    def create(self, connection: DriverConnection) -> None:
        """Create what is missing of the tables and indexes."""
        ...

    def query(self, connection: DriverConnection, statement: Statement, values: Values) -> Sequence[Row]:
        """Run one query and return all its rows."""
        ...

    def write(self, connection: DriverConnection, statement: Statement, values: Values) -> bool:
        """Run one writing statement; whether it wrote exactly one row. A row that is already there is a False too."""
        ...

    def erase(self, connection: DriverConnection, statement: Statement, values: Values) -> None:
        """Run one deleting statement."""
        ...

    def save(self, connection: DriverConnection, change: Change, values: Values) -> bool:
        """Write a whole change, or nothing and return False."""
        ...

    def get_and_save(self, connection: DriverConnection, values: Values, choose: Choose) -> bool:
        """Read a booking's rows, and write what `choose` makes of them."""
        ...


class AsyncDriver(_Dialect, Protocol):
    """A `Driver` whose methods are awaited."""

    def create(self, connection: DriverConnection) -> Awaitable[None]:
        """Create what is missing of the tables and indexes."""
        ...

    def query(self, connection: DriverConnection, statement: Statement, values: Values) -> Awaitable[Sequence[Row]]:
        """Run one query and return all its rows."""
        ...

    def write(self, connection: DriverConnection, statement: Statement, values: Values) -> Awaitable[bool]:
        """Run one writing statement; whether it wrote exactly one row. A row that is already there is a False too."""
        ...

    def erase(self, connection: DriverConnection, statement: Statement, values: Values) -> Awaitable[None]:
        """Run one deleting statement."""
        ...

    def save(self, connection: DriverConnection, change: Change, values: Values) -> Awaitable[bool]:
        """Write a whole change, or nothing and return False."""
        ...

    def get_and_save(self, connection: DriverConnection, values: Values, choose: Choose) -> Awaitable[bool]:
        """Read a booking's rows, and write what `choose` makes of them."""
        ...


def _name(engine: Engine) -> str:
    dialect: Dialect | None = getattr(engine, "dialect", None)
    if dialect is None:
        raise ConfigurationError(f"the engine must be one that create_engine made, not {type(engine).__name__}")
    # psycopg has both colours under one name.
    colour = " (async)" if dialect.is_async and dialect.driver == "psycopg" else ""
    return f"{dialect.name}+{dialect.driver}{colour}"


def driver_of(engine: Engine, tables: Tables) -> Driver:
    """Return the driver for a sync engine.

    Raises:
        ConfigurationError: the engine is of another database or driver, or has a database for each thread.
    """
    name = _name(engine)
    # Only what is used is imported: a SQLite user need not have psycopg.
    if name == "sqlite+pysqlite":
        from airport_payments.storage.sqlalchemy.sqlite import Sqlite  # noqa: PLC0415

        return Sqlite(engine, tables)
    if name == "postgresql+psycopg":
        from airport_payments.storage.sqlalchemy.postgresql import Psycopg  # noqa: PLC0415

        return Psycopg(engine, tables)
    raise ConfigurationError(f"the engine must be one of sqlite+pysqlite or of postgresql+psycopg, not of {name}")


def async_driver_of(async_engine: "AsyncEngine", tables: Tables) -> AsyncDriver:
    """Return the driver for an async engine.

    Raises:
        ConfigurationError: the engine is not async, or of another database or driver.
    """
    engine: Engine | None = getattr(async_engine, "sync_engine", None)
    if engine is None:
        raise ConfigurationError(
            f"the engine must be one that create_async_engine made, not {type(async_engine).__name__}"
        )
    name = _name(engine)
    if name == "sqlite+aiosqlite":
        from airport_payments.storage.sqlalchemy.sqlite import Aiosqlite  # noqa: PLC0415

        return Aiosqlite(engine, tables)
    if name == "postgresql+asyncpg":
        from airport_payments.storage.sqlalchemy.postgresql import Asyncpg  # noqa: PLC0415

        return Asyncpg(engine, tables)
    if name == "postgresql+psycopg (async)":
        from airport_payments.storage.sqlalchemy.postgresql import AsyncPsycopg  # noqa: PLC0415

        return AsyncPsycopg(engine, tables)
    known = "sqlite+aiosqlite, postgresql+psycopg or postgresql+asyncpg"
    raise ConfigurationError(f"the engine must be one of {known}, not of {name}")
