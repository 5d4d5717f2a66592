"""Lends the engine's connections to the dialect's driver, sync. Its twin is `database_async`; a test compares their text."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.engine import Engine

from airport_payments.core.errors import StorageUnavailable
from airport_payments.core.model import Change
from airport_payments.storage.sqlalchemy.dialects import Driver, Row, driver_of
from airport_payments.storage.sqlalchemy.statements import Statement, Values
from airport_payments.storage.sqlalchemy.tables import Tables

T = TypeVar("T")


class Database:
    """A database behind an engine. Every method may raise `StorageUnavailable`."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._driver: Driver = driver_of(engine, tables)
        self.statements = self._driver.statements

    def create(self) -> None:
        """Create what is missing of the tables and indexes."""
        self.run(self._driver.create)

    def query(self, statement: Statement, values: Values) -> Sequence[Row]:
        """Run one query and return all its rows."""
        return self.run(self._driver.query, statement, values)

    def write(self, statement: Statement, values: Values) -> bool:
        """Run one writing statement; whether it wrote exactly one row. A row that is already there is a False too."""
        return self.run(self._driver.write, statement, values)

    def save(self, change: Change) -> bool:
        """Write a whole change in one transaction, or nothing and return False."""
        return self.run(self._driver.save, change)

    def run(self, work: Callable[..., T], *args: object) -> T:
        """Return what `work(the driver's connection, *args)` returns."""
        driver = self._driver
        try:
            with driver.turn:
                lease = self._engine.raw_connection()
                try:
                    return work(lease.driver_connection, *args)
                except driver.errors as error:
                    driver.discard(lease, error)
                    raise
                finally:
                    lease.close()
        except driver.errors as error:
            raise StorageUnavailable(driver.reason(error)) from None
