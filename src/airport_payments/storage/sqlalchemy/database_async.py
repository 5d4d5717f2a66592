"""Lends the engine's connections to the dialect's driver, async. Its twin is `database`; a test compares their text."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from airport_payments.core.errors import StorageUnavailable
from airport_payments.core.model import Change
from airport_payments.storage.sqlalchemy.dialects import AsyncDriver, Row, async_driver_of
from airport_payments.storage.sqlalchemy.statements import Statement, Values
from airport_payments.storage.sqlalchemy.tables import Tables

T = TypeVar("T")


class AsyncDatabase:
    """A database behind an engine. Every method may raise `StorageUnavailable`."""

    def __init__(self, engine: AsyncEngine, tables: Tables) -> None:
        self._engine = engine.sync_engine
        self._driver: AsyncDriver = async_driver_of(engine.sync_engine, tables)
        self.statements = self._driver.statements

    async def create(self) -> None:
        """Create what is missing of the tables and indexes."""
        await self.run(self._driver.create)

    async def query(self, statement: Statement, values: Values) -> Sequence[Row]:
        """Run one query and return all its rows."""
        return await self.run(self._driver.query, statement, values)

    async def write(self, statement: Statement, values: Values) -> bool:
        """Run one writing statement; whether it wrote exactly one row. A row that is already there is a False too."""
        return await self.run(self._driver.write, statement, values)

    async def save(self, change: Change) -> bool:
        """Write a whole change in one transaction, or nothing and return False."""
        return await self.run(self._driver.save, change)

    async def run(self, work: Callable[..., Awaitable[T]], *args: object) -> T:
        """Return what `work(the driver's connection, *args)` returns."""
        driver = self._driver
        try:
            with driver.turn:
                lease = await greenlet_spawn(self._engine.raw_connection)
                try:
                    return await work(lease.driver_connection, *args)
                except driver.errors as error:
                    await greenlet_spawn(driver.discard, lease, error)
                    raise
                finally:
                    await asyncio.shield(greenlet_spawn(lease.close))
        except driver.errors as error:
            raise StorageUnavailable(driver.reason(error)) from None
