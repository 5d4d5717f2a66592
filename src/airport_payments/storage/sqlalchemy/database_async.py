"""Lends the engine's connections to the dialect's driver, async. Its twin is `database`; a test compares their text."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

from airport_payments.core.errors import StorageUnavailable
from airport_payments.core.model import Change
from airport_payments.storage.sqlalchemy.dialects import AsyncDriver, Choose, Plan, Row, async_driver_of
from airport_payments.storage.sqlalchemy.rows import change_values
from airport_payments.storage.sqlalchemy.statements import Statement, Values
from airport_payments.storage.sqlalchemy.tables import Tables

T = TypeVar("T")

OnSave: TypeAlias = Callable[[AsyncConnection, Change], Awaitable[None]]


class AsyncDatabase:
    """A database behind an engine. Every method may raise `StorageUnavailable`."""

    def __init__(self, engine: AsyncEngine, tables: Tables, on_save: OnSave | None) -> None:
        self._engine = engine
        self._driver: AsyncDriver = async_driver_of(engine, tables)
        self._on_save = on_save
        self._by_driver = on_save is None and not self._driver.always
        if on_save is not None:
            self._driver.check_hook()
        self.statements = self._driver.statements

    async def create(self) -> None:
        """Create what is missing of the tables and indexes."""
        await self.run(self._driver.create)

    async def query(self, statement: Statement, values: Values | None) -> Sequence[Row]:
        """Run one query and return all its rows. None: values that no row has."""
        return [] if values is None else await self.run(self._driver.query, statement, values)

    async def write(self, statement: Statement, values: Values | None) -> bool:
        """Run one writing statement; whether it wrote exactly one row. A row that is already there is a False too."""
        return False if values is None else await self.run(self._driver.write, statement, values)

    async def erase(self, statement: Statement, values: Values) -> None:
        """Run one deleting statement, however many rows it concerns."""
        await self.run(self._driver.erase, statement, values)

    async def save(self, change: Change) -> bool:
        """Write a whole change in one transaction, or nothing and return False. What `on_save` raises comes through."""
        values = change_values(self.statements, change)
        if values is None:
            return False
        if self._by_driver:
            return await self.run(self._driver.save, change, values)
        return await self._save_with_hook(change, values)

    async def get_and_save(self, values: Values, choose: Choose) -> bool:
        """Read a booking's rows and write what `choose` makes of them, over one connection unless a hook needs another."""
        if self._by_driver:
            return await self.run(self._driver.get_and_save, values, choose)
        chosen = choose(await self.query(self.statements.get, values))
        return chosen if isinstance(chosen, bool) else await self._save_with_hook(*chosen)

    async def run(self, work: Callable[..., Awaitable[T]], *args: object) -> T:
        """Return what `work(the driver's connection, *args)` returns."""
        driver = self._driver
        try:
            with driver.turn:
                lease = await self._engine.raw_connection()
                try:
                    return await work(lease.driver_connection, *args)
                except driver.errors as error:
                    await greenlet_spawn(driver.discard, lease, error)
                    raise
                finally:
                    await asyncio.shield(greenlet_spawn(lease.close))
        except driver.errors as error:
            raise StorageUnavailable(driver.reason(error)) from None

    async def _save_with_hook(self, change: Change, values: Values) -> bool:
        """Save in a transaction of SQLAlchemy's, which ends when the connection is given back."""
        driver = self._driver
        theirs: list[Exception] = []
        try:
            async with self._engine.connect() as connection:
                if not await self._write_all(connection, driver.plan(change, values)):
                    return False
                if self._on_save is not None:
                    try:
                        await self._on_save(connection, change)
                    except Exception as error:
                        theirs.append(error)
                        raise
                await connection.commit()
                return True
        except Exception as error:
            if driver.is_broken_off(error) or (not theirs and driver.is_conflict(error)):
                return False
            lost = isinstance(error, DBAPIError) and error.connection_invalidated
            if lost or (isinstance(error, driver.errors) and not theirs):
                raise StorageUnavailable(driver.reason(error)) from None
            raise

    async def _write_all(self, connection: AsyncConnection, plan: Plan) -> bool:
        await connection.begin()  # if the engine's owner listens for it, they begin now
        lease = await connection.get_raw_connection()
        for sql in self._driver.opening(lease.driver_connection):
            await connection.exec_driver_sql(sql)
        for sql, rows, exactly_one in plan:
            result = await connection.exec_driver_sql(sql, rows[0] if len(rows) == 1 else list(rows))
            if self._driver.count(result) != 1 and exactly_one:
                return False
        return True
