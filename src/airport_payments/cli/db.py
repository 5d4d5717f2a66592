"""`airport-payments db`: the tables."""

import argparse
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from airport_payments.cli.command import Command, Exit, say
from airport_payments.cli.options import add_app
from airport_payments.cli.output import print_json

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator

    from sqlalchemy.engine.interfaces import Dialect

    from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository

    Repository: TypeAlias = SqlAlchemyBookingRepository | AsyncSqlAlchemyBookingRepository

_DESCRIPTION: Final = """\
init  brings the tables of the database at DATABASE_URL up to date: makes
      what is missing, and changes those of an earlier version. Nothing is
      lost, and any number of processes may do it at once.
sql   prints the statements for your own migrations: those that make the
      tables, or those that bring an earlier version up to date, with --from.
      It needs no database.

With your own bookings table, prefix or schema, name your gateway with --app.
"""
DIALECTS: Final = ("sqlite", "postgresql")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=("init", "sql"), metavar="init|sql", help="bring the tables up to date, or print how"
    )
    parser.add_argument("--from", dest="since", type=int, metavar="VERSION", help="for sql: of tables of that version")
    parser.add_argument("--dialect", choices=DIALECTS, help="for sql: whose (that of DATABASE_URL, or sqlite)")
    add_app(parser)


def _run(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.database import need_sqlalchemy  # noqa: PLC0415 - so that --help is quick

    need_sqlalchemy()
    return _init(arguments) if arguments.action == "init" else _sql(arguments)


@contextmanager
def _repository(arguments: argparse.Namespace) -> "Generator[tuple[Repository, asyncio.Runner]]":
    """Yield the repository whose tables these are: of the team's gateway, or on DATABASE_URL."""
    import asyncio  # noqa: PLC0415 - so that --help is quick

    from airport_payments.cli.database import open_repository, refused  # noqa: PLC0415
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415
    from airport_payments.storage.sqlalchemy import (  # noqa: PLC0415
        AsyncSqlAlchemyBookingRepository,
        SqlAlchemyBookingRepository,
    )

    if arguments.app is None:
        with asyncio.Runner() as runner, open_repository(os.environ, runner, may_be_new=True) as storage:
            yield storage.repository, runner
    else:
        with open_desk(arguments.app) as desk:
            repository = desk.repository
            if not isinstance(repository, SqlAlchemyBookingRepository | AsyncSqlAlchemyBookingRepository):
                raise refused(f"--app {arguments.app}: a {type(repository).__name__} makes its tables itself")
            yield repository, desk.runner


def _init(arguments: argparse.Namespace) -> int:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - an extra

    from airport_payments.cli.database import database_name, words_of  # noqa: PLC0415
    from airport_payments.cli.desk import waited  # noqa: PLC0415
    from airport_payments.cli.tables import missing_in  # noqa: PLC0415
    from airport_payments.core.errors import StorageUnavailable  # noqa: PLC0415

    with _repository(arguments) as (repository, runner):
        engine, tables = repository.engine, repository.tables
        name = database_name(engine.url)
        try:
            before, old = missing_in(engine, tables, runner), waited(runner, repository.tables_version())
            waited(runner, repository.create_tables())
            after, new = missing_in(engine, tables, runner), waited(runner, repository.tables_version())
        except SQLAlchemyError as error:
            raise StorageUnavailable(f"{name} does not answer: {words_of(error, engine)}") from None
    made = [table for table in before if table not in after]
    if arguments.json:
        print_json({"database": name, "created": made, "missing": after, "from_version": old, "version": new})
    else:
        if 0 < old < new:
            say(f"{name}: brought from version {old} to version {new}.")
        say(f"{name}: made {', '.join(made)}." if made else f"{name}: all tables are there, of version {new}.")
        if after:
            say(f"Your own {', '.join(after)} is not there; it is left to you.")
    return Exit.FAILED if after else Exit.OK


def _sql(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.database import refused  # noqa: PLC0415 - an extra
    from airport_payments.core.errors import ConfigurationError  # noqa: PLC0415
    from airport_payments.storage.sqlalchemy.migrations import VERSION, Migrations  # noqa: PLC0415
    from airport_payments.storage.sqlalchemy.tables import TABLES  # noqa: PLC0415

    if arguments.app is None:
        dialect, ours = _dialect(arguments.dialect), TABLES
    else:
        with _repository(arguments) as (repository, _):
            dialect = _dialect(arguments.dialect or repository.engine.dialect.name)
            ours = repository.tables
    since = arguments.since or 0
    try:
        found = Migrations(ours, dialect).statements(since=since)
    except ConfigurationError as error:
        raise refused(f"--from {since}: {error}") from None
    if arguments.json:
        print_json({"dialect": dialect.name, "from_version": since, "version": VERSION, "statements": list(found)})
    elif not found:
        say(f"-- Tables of version {since} need nothing.")
    else:
        say("\n\n".join(f"{statement};" for statement in found))
    return Exit.OK


def _dialect(name: str | None) -> "Dialect":
    from sqlalchemy import make_url  # noqa: PLC0415 - an extra
    from sqlalchemy.dialects import postgresql, sqlite  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    if name is None:
        try:
            name = make_url(os.environ.get("DATABASE_URL") or "sqlite://").get_backend_name()
        except SQLAlchemyError:
            name = "sqlite"
    found: Dialect = postgresql.dialect() if name == "postgresql" else sqlite.dialect()  # type: ignore[no-untyped-call]
    return found


DB: Final = Command(
    "db",
    "bring the tables up to date, or print their SQL",
    _DESCRIPTION,
    _add_arguments,
    _run,
    (
        "airport-payments db init",
        "airport-payments db sql --dialect postgresql > tables.sql",
        "airport-payments db sql --dialect postgresql --from 2",
    ),
)
