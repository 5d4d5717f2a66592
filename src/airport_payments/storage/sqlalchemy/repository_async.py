"""The repository on a SQLAlchemy engine, async. Its twin is `repository`; a test compares their text."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from airport_payments.core.model import Booking, BookingStatus, Change, HistoryLine, Snapshot
from airport_payments.core.money import Money
from airport_payments.storage.sqlalchemy import rows
from airport_payments.storage.sqlalchemy.sqlite import DRIVER_ERRORS, Sqlite, read, unavailable, write

T = TypeVar("T")


class AsyncSqlAlchemyBookingRepository:
    """An `AsyncBookingRepository` on a SQLAlchemy engine: SQLite, from many tasks and processes.

    Build it before the engine is first used: it sets up every new connection (WAL, foreign keys, synchronous FULL, a busy
    timeout where the engine has none). What your own "connect" listeners set stands. No transaction is ever left to the
    pool, so an engine that nobody else uses may be made with `pool_reset_on_return=None`, which spares it a rollback for
    each call: async, a quarter of the time.

    Args:
        engine: of a file, or of memory with `poolclass=StaticPool`.

    Raises:
        ConfigurationError: the engine is of another database or driver, or has a database for each thread.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._database = Sqlite(engine.sync_engine, "aiosqlite")
        self._statements = self._database.statements

    async def create_tables(self) -> None:
        """Create what is missing of the tables and indexes."""
        await self._run(write, rows.create(self._statements))

    async def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, None if there is no such booking."""
        statement = self._statements.get
        return rows.read_snapshot(await self._run(read, statement.sql, statement.bind({"booking_id": booking_id})))

    async def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        statement = self._statements.find
        found = await self._run(read, statement.sql, statement.bind({"intent_id": payment_intent_id}))
        return found[0][0] if found else None

    async def save(self, change: Change) -> bool:
        """Write a change, or nothing and return False."""
        return await self._run(write, rows.save(self._statements, change))

    async def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due."""
        statement = self._statements.due
        found = await self._run(read, statement.sql, statement.bind(rows.due_values(before, after, limit)))
        return [row[0] for row in found]

    async def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        statement = self._statements.history
        return rows.read_history(await self._run(read, statement.sql, statement.bind({"booking_id": booking_id})))

    # ---- the team's side: what its own code does to its own table; for demos and tests ----

    async def add_booking(self, booking: Booking) -> bool:
        """Add a booking, as the team's own code would. False: the id is taken."""
        return await self._run(write, rows.add_booking(self._statements, booking))

    async def booking(self, booking_id: str) -> Booking | None:
        """Return the booking as the team has it."""
        statement = self._statements.get
        return rows.read_booking(await self._run(read, statement.sql, statement.bind({"booking_id": booking_id})))

    async def set_booking_status(self, booking_id: str, status: BookingStatus) -> bool:
        """Change a booking's status, as the team's own code would. False: there is no such booking."""
        return await self._run(write, rows.set_booking_status(self._statements, booking_id, status))

    async def set_booking_price(self, booking_id: str, price: Money) -> bool:
        """Change a booking's price, as the team's own code would. False: there is no such booking."""
        return await self._run(write, rows.set_booking_price(self._statements, booking_id, price))

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        database = self._database
        try:
            with database.turn:
                lease = await database.borrow_async()
                try:
                    return await database.run_async(lease, work, *args)
                finally:
                    await database.give_back_async(lease)
        except DRIVER_ERRORS as error:
            raise unavailable(error) from None
