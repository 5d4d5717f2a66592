"""The tables of the SQLAlchemy storage, as a database has them and as SQL."""

from collections.abc import Awaitable, Sequence

from sqlalchemy import Connection, insert, inspect
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateIndex, CreateTable

from airport_payments.storage.sqlalchemy.tables import history, metadata


def statements(dialect: Dialect) -> Sequence[str]:
    """Return the statements that make the tables and indexes."""
    found: list[str] = []
    for table in metadata.sorted_tables:
        found.append(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)).strip())
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        found += [str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)).strip() for index in indexes]
    return ["\n".join(line.rstrip().replace("\t", "  ") for line in text.splitlines()) for text in found]


def tables_of(engine: Engine | AsyncEngine) -> list[str] | Awaitable[list[str]]:
    """Return the names of our tables that a database has, in our order."""
    if isinstance(engine, AsyncEngine):
        return _tables_async(engine)
    with engine.connect() as connection:
        return existing(connection)


def existing(connection: Connection) -> list[str]:
    """Return the names of our tables that are there, in our order."""
    there = set(inspect(connection).get_table_names())
    return [table.name for table in metadata.sorted_tables if table.name in there]


async def _tables_async(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return await connection.run_sync(existing)


def missing(connection: Connection) -> list[str]:
    """Return the names of our tables that are not there, in our order."""
    there = existing(connection)
    return [table.name for table in metadata.sorted_tables if table.name not in there]


def rolled_back_write(connection: Connection) -> None:
    """Write a line of history, and take it back. Raises what the driver raises."""
    values = {
        column.name: "doctor" if issubclass(column.type.python_type, str) else 0
        for column in history.columns
        if not column.nullable and column.autoincrement is not True
    }
    try:
        connection.execute(insert(history).values(values))
    finally:
        connection.rollback()
