"""The repository that DATABASE_URL names, of the colour of its driver."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airport_payments import AsyncPaymentGateway, PaymentGateway, StripeSettings
from airport_payments.cli.command import CommandError, Exit
from airport_payments.cli.desk import waited
from airport_payments.cli.failures import kind

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository

VARIABLE: Final = "DATABASE_URL"
EXTRA: Final = "pip install 'airport-payments[sqlalchemy]'"
POSTGRES: Final = "pip install 'airport-payments[postgres]'"
_MISSING: Final = (
    f"{VARIABLE} is not set: put the URL of your database there, such as sqlite:///airport.db, or name your own gateway "
    "with --app module:name"
)


@dataclass(frozen=True, slots=True)
class Storage:
    """A repository, and the engine that it is on.

    Attributes:
        repository: of the colour of the engine.
        engine: closed by `open_repository`.
        name: what to call the database, without its password.
    """

    repository: "SqlAlchemyBookingRepository | AsyncSqlAlchemyBookingRepository"
    engine: "Engine | AsyncEngine"
    name: str

    def gateway(self, settings: StripeSettings) -> PaymentGateway | AsyncPaymentGateway:
        """Return a gateway of the same colour on it."""
        from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository  # noqa: PLC0415 - needs an extra

        if isinstance(self.repository, SqlAlchemyBookingRepository):
            return PaymentGateway(self.repository, settings)
        return AsyncPaymentGateway(self.repository, settings)


def need_sqlalchemy() -> None:
    """Raise what to install if SQLAlchemy is not there."""
    try:
        import_module("sqlalchemy")
    except ImportError:
        raise refused(f"{VARIABLE} needs SQLAlchemy, which is not installed. Install it with: {EXTRA}") from None


@contextmanager
def open_repository(
    environ: Mapping[str, str], runner: asyncio.Runner, *, may_be_new: bool = False
) -> Generator[Storage]:
    """Yield the repository of the database that the environment names, and close its engine.

    Args:
        environ: holds DATABASE_URL.
        runner: closes an async engine.
        may_be_new: whether a SQLite file that is not there is made.

    Raises:
        CommandError: there is none, or it cannot be used; the message says what to do.
        ConfigurationError: the driver is not one of ours.
    """
    text = environ.get(VARIABLE, "")
    if not text:
        raise refused(_MISSING)
    need_sqlalchemy()
    url = _url(text)
    if not may_be_new:
        _check_file(url)
    storage = _storage(url)
    try:
        yield storage
    finally:
        waited(runner, storage.engine.dispose())


def database_name(url: "URL") -> str:
    """Return what to call a database: no user, no password, no options."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite file {url.database}" if url.database else "SQLite in memory"
    where = f" at {url.host}" if url.host else ""
    return f"{url.get_backend_name()} database {url.database or ''}{where}"


def words_of(error: Exception, engine: "Engine | AsyncEngine") -> str:
    """Return a driver's own words, without SQL, without values, and without the password, should they hold it."""
    origin = getattr(error, "orig", None) or error
    first = (str(origin).splitlines() or [""])[0][:200]
    password = engine.url.password
    if password and password in first:
        first = ""
    return f"{type(origin).__name__}: {first}" if first else type(origin).__name__


def refused(message: str) -> CommandError:
    """Return the error for a database that cannot be used as it is given."""
    return CommandError(message, Exit.REFUSED, "configuration_error")


def _url(text: str) -> "URL":
    from sqlalchemy import make_url  # noqa: PLC0415 - an extra
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise refused(f"{VARIABLE} is no database URL. One looks like sqlite:///airport.db") from None
    if url.drivername in {"postgres", "postgresql"}:
        raise refused(f"{VARIABLE}: name the driver too: postgresql+psycopg:// instead of {url.drivername}://")
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise refused(f"{VARIABLE} is of {url.get_backend_name()}: it has to be SQLite or PostgreSQL")
    return url


def _check_file(url: "URL") -> None:
    """Refuse a SQLite file that is not there, because connecting would make an empty one."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return
    if not url.database.startswith("file:") and not Path(url.database).exists():
        raise refused(
            f"there is no {database_name(url)}. Is {VARIABLE} right? airport-payments db init makes a new one"
        )


def _storage(url: "URL") -> Storage:
    from sqlalchemy import create_engine  # noqa: PLC0415 - an extra
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

    from airport_payments.storage.sqlalchemy import (  # noqa: PLC0415
        AsyncSqlAlchemyBookingRepository,
        SqlAlchemyBookingRepository,
    )

    try:
        if url.get_dialect().is_async:
            engine = create_async_engine(url)
            return Storage(AsyncSqlAlchemyBookingRepository(engine), engine, database_name(url))
        sync_engine = create_engine(url)
    except ImportError as error:
        raise refused(
            f"{VARIABLE}: the driver of {url.drivername} is not installed ({error.name or kind(error)}). "
            f"Install it with: {POSTGRES if url.get_backend_name() == 'postgresql' else EXTRA}"
        ) from None
    except (SQLAlchemyError, TypeError, ValueError) as error:
        raise refused(f"{VARIABLE}: no database can be reached with {url.drivername} ({kind(error)})") from None
    return Storage(SqlAlchemyBookingRepository(sync_engine), sync_engine, database_name(url))
