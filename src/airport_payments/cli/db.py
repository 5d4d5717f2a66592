"""`airport-payments db`: the tables."""

import argparse
import os
from typing import TYPE_CHECKING, Final

from airport_payments.cli.command import Command, Exit, say
from airport_payments.cli.options import add_json
from airport_payments.cli.output import print_json

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import Dialect

_DESCRIPTION: Final = """\
init  makes the tables that are missing in the database at DATABASE_URL.
      What is there is left as it is.
sql   prints the statements that make them, for your own migrations.
      It needs no database.
"""
DIALECTS: Final = ("sqlite", "postgresql")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("init", "sql"), metavar="init|sql", help="make the tables, or print them")
    parser.add_argument("--dialect", choices=DIALECTS, help="for sql: whose (that of DATABASE_URL, or sqlite)")
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.database import need_sqlalchemy  # noqa: PLC0415 - so that --help is quick

    need_sqlalchemy()
    return _init(arguments) if arguments.action == "init" else _sql(arguments)


def _init(arguments: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415 - so that --help is quick

    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from airport_payments.cli.database import open_repository, words_of  # noqa: PLC0415
    from airport_payments.cli.desk import waited  # noqa: PLC0415
    from airport_payments.cli.tables import tables_of  # noqa: PLC0415
    from airport_payments.core.errors import StorageUnavailable  # noqa: PLC0415

    with asyncio.Runner() as runner, open_repository(os.environ, runner, may_be_new=True) as storage:
        try:
            before = waited(runner, tables_of(storage.engine))
            waited(runner, storage.repository.create_tables())
            made = [name for name in waited(runner, tables_of(storage.engine)) if name not in before]
        except SQLAlchemyError as error:
            raise StorageUnavailable(f"{storage.name} does not answer: {words_of(error, storage.engine)}") from None
    if arguments.json:
        print_json({"database": storage.name, "created": made})
    elif made:
        say(f"{storage.name}: made {', '.join(made)}.")
    else:
        say(f"{storage.name}: all tables are there.")
    return Exit.OK


def _sql(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.tables import statements  # noqa: PLC0415 - an extra

    dialect = _dialect(arguments.dialect)
    found = statements(dialect)
    if arguments.json:
        print_json({"dialect": dialect.name, "statements": list(found)})
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
    "make the tables, or print their SQL",
    _DESCRIPTION,
    _add_arguments,
    _run,
    ("airport-payments db init", "airport-payments db sql --dialect postgresql > tables.sql"),
)
