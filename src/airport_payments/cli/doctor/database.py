"""Checks of the database: it answers, has its tables, keeps what it was told, and takes writes."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

from airport_payments.cli.desk import waited
from airport_payments.cli.doctor.finding import Finding, ok, problem, warning
from airport_payments.core.errors import PaymentsError
from airport_payments.repository import AsyncBookingRepository, BookingRepository

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from airport_payments.storage.sqlalchemy.tables import Tables

_NOBODY: Final = "doctor:nobody"  # an id that no booking has
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SYNCHRONOUS: Final = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
_INIT: Final = "airport-payments db init makes them; airport-payments db sql prints them for your migrations."


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look into the database found.

    Args:
        dialect: SQLAlchemy's name of it.
        missing: tables and indexes that are not there.
        version: of our tables.
        journal: SQLite's journal mode.
        synchronous: SQLite's, as a number.
        refused: why a write failed, empty if it did not.
    """

    dialect: str
    missing: Sequence[str]
    version: int = 0
    journal: str = ""
    synchronous: int = 2
    refused: str = ""


def check_database(repository: BookingRepository | AsyncBookingRepository, runner: asyncio.Runner) -> Iterator[Finding]:
    """Check the database of a gateway."""
    engine = cast("Engine | AsyncEngine | None", getattr(repository, "engine", None))
    tables = cast("Tables | None", getattr(repository, "tables", None))
    if engine is None or tables is None:
        yield _of_the_team(repository, runner)
        return
    from airport_payments.cli.database import database_name, words_of  # noqa: PLC0415 - an extra

    name = database_name(engine.url)
    try:
        seen = _look(runner, engine, tables)
    except Exception as error:  # noqa: BLE001 - whatever a driver raises is the finding
        yield unreachable(f"{name} does not answer: {words_of(error, engine)}")
        return
    yield ok("database.answers", f"{name} answers")
    if seen.missing or seen.version != _newest():
        yield _not_ours(seen)
        return
    yield ok("database.tables", f"all tables are there, of version {seen.version}")
    if seen.dialect == "sqlite":
        yield from _sqlite(seen)
    if seen.refused:
        yield problem(
            "database.writable",
            f"a write was refused: {seen.refused}",
            "What Stripe tells cannot be saved: webhooks are answered 503 until it can.",
            "Is the file or disk read-only or full, and may this user write?",
        )
    else:
        yield ok("database.writable", "a write was taken, and rolled back")


def _newest() -> int:
    from airport_payments.storage.sqlalchemy.migrations import VERSION  # noqa: PLC0415 - an extra

    return VERSION


def _not_ours(seen: Seen) -> Finding:
    if seen.version in {0, _newest()}:
        return problem(
            "database.tables",
            f"missing: {', '.join(seen.missing)}",
            "Without a table no payment is saved, and so none opened; without an index a booking may be paid twice.",
            _INIT,
        )
    return problem(
        "database.tables",
        f"the tables are of version {seen.version}, and this release needs version {_newest()}",
        "What it writes does not fit into them.",
        f"airport-payments db init changes them; airport-payments db sql --from {seen.version} prints how.",
    )


def unreachable(what: str) -> Finding:
    """Return the finding for a database that cannot be used."""
    return problem(
        "database.answers",
        what,
        "Without it nothing is opened or confirmed, and webhooks are answered 503.",
        "Is DATABASE_URL right, is its driver installed, and is the database running?",
    )


def _of_the_team(repository: BookingRepository | AsyncBookingRepository, runner: asyncio.Runner) -> Finding:
    """Ask a repository of the team's own what can be asked without changing anything."""
    kind = type(repository).__name__
    try:
        waited(runner, repository.get(_NOBODY))
        waited(runner, repository.find("pi_doctor00000000"))
        waited(runner, repository.due(before=_LONG_AGO, after=None, limit=1))
    except PaymentsError as error:
        return unreachable(f"your repository ({kind}) raised {type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
        return problem(
            "database.answers",
            f"your repository ({kind}) raised {type(error).__name__}",
            "The gateway takes only StorageUnavailable for a database that is away.",
            "Raise StorageUnavailable from it.",
        )
    return ok("database.answers", f"your repository ({kind}) answers; what it writes is not checked here")


def _look(runner: asyncio.Runner, engine: "Engine | AsyncEngine", tables: "Tables") -> Seen:
    from sqlalchemy.ext.asyncio import AsyncEngine  # noqa: PLC0415 - an extra

    if isinstance(engine, AsyncEngine):
        return runner.run(_look_async(engine, tables))
    with engine.connect() as connection:
        return _seen(connection, tables)


async def _look_async(engine: "AsyncEngine", tables: "Tables") -> Seen:
    async with engine.connect() as connection:
        return await connection.run_sync(_seen, tables)


def _seen(connection: "Connection", tables: "Tables") -> Seen:
    from airport_payments.cli.database import words_of  # noqa: PLC0415 - an extra
    from airport_payments.cli.tables import missing, rolled_back_write, state  # noqa: PLC0415

    dialect, ours = connection.dialect.name, state(connection, tables)
    absent = list(dict.fromkeys([*missing(connection, tables), *(ours.missing if ours.version else ())]))
    if absent or ours.version != _newest():
        return Seen(dialect, absent, ours.version)
    journal, synchronous = "", 2
    if dialect == "sqlite":
        journal = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
        synchronous = int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    try:
        rolled_back_write(connection, tables)
    except Exception as error:  # noqa: BLE001 - whatever a driver raises is the finding
        return Seen(dialect, absent, ours.version, journal, synchronous, words_of(error, connection.engine))
    return Seen(dialect, absent, ours.version, journal, synchronous)


def _sqlite(seen: Seen) -> Iterator[Finding]:
    if seen.journal == "memory":
        yield warning(
            "database.journal",
            "the database is in memory",
            "All bookings are gone when the process ends.",
            "Put a file into DATABASE_URL, such as sqlite:///airport.db.",
        )
    elif seen.journal != "wal":
        yield warning(
            "database.journal",
            f"journal mode {seen.journal} instead of WAL",
            "Readers and the writer wait for each other; under load requests time out.",
            "Let the library set it: is the file on a network drive, read-only, or set otherwise by your own listener?",
        )
    else:
        yield ok("database.journal", "journal mode WAL: readers and the writer work at the same time")
    name = _SYNCHRONOUS.get(seen.synchronous, str(seen.synchronous))
    if seen.synchronous < 2:
        found = problem if seen.synchronous == 0 else warning
        yield found(
            "database.synchronous",
            f"synchronous {name} instead of FULL",
            "What was answered 200 may be lost when the power fails: a payment that Stripe does not tell again.",
            "Take out what sets it: the library sets FULL.",
        )
    else:
        yield ok("database.synchronous", f"synchronous {name}: what is committed survives a loss of power")
