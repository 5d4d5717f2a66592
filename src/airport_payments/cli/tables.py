"""The tables of a repository, as a database has them."""

import asyncio

from sqlalchemy import Connection, Table, insert, inspect
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from airport_payments.storage.sqlalchemy.migrations import Migrations, State
from airport_payments.storage.sqlalchemy.tables import Tables


def state(connection: Connection, tables: Tables) -> State:
    """Return the version of our tables, and what of them is not there."""
    migrations = Migrations(tables, connection.dialect)
    return migrations.state(connection.exec_driver_sql(migrations.look).fetchall())


def missing_in(engine: Engine | AsyncEngine, tables: Tables, runner: asyncio.Runner) -> list[str]:
    """Return the names of the tables that a database lacks. Raises what SQLAlchemy raises."""
    if isinstance(engine, AsyncEngine):
        return runner.run(_missing_async(engine, tables))
    with engine.connect() as connection:
        return missing(connection, tables)


async def _missing_async(engine: AsyncEngine, tables: Tables) -> list[str]:
    async with engine.connect() as connection:
        return await connection.run_sync(missing, tables)


def missing(connection: Connection, tables: Tables) -> list[str]:
    """Return the names of the tables that are not there: ours, and the team's own."""
    inspector = inspect(connection)
    wanted: list[Table] = list(dict.fromkeys([tables.bookings.table, *tables.metadata.sorted_tables]))
    return [table.fullname for table in wanted if not inspector.has_table(table.name, schema=table.schema)]


def rolled_back_write(connection: Connection, tables: Tables) -> None:
    """Write a line of history, and take it back. Raises what the driver raises."""
    values = {
        column.name: "doctor" if issubclass(column.type.python_type, str) else 0
        for column in tables.history.columns
        if not column.nullable
    }
    try:
        connection.execute(insert(tables.history).values(values))
    finally:
        connection.rollback()
