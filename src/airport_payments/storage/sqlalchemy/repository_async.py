"""The repository on a SQLAlchemy engine, async. Its twin is `repository`; a test compares their text."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from airport_payments.core.model import Booking, BookingStatus, Change, HistoryLine, Snapshot
from airport_payments.core.money import Money
from airport_payments.storage.sqlalchemy import rows
from airport_payments.storage.sqlalchemy.database_async import AsyncDatabase
from airport_payments.storage.sqlalchemy.tables import TABLES


class AsyncSqlAlchemyBookingRepository:
    """An `AsyncBookingRepository` on a SQLAlchemy engine: SQLite or PostgreSQL, from many tasks and processes.

    On SQLite, build it before the engine is first used: it sets up every new connection (WAL, foreign keys, synchronous
    FULL, a busy timeout where the engine has none). What your own "connect" listeners set stands. No transaction is ever
    left to the pool, so an engine that nobody else uses may be made with `pool_reset_on_return=None`, which spares it a
    rollback for each call: async, a quarter of the time.

    On PostgreSQL nothing is set up. Each call is one statement that commits by itself, so that a save takes one round trip
    and reads at the server's default isolation level.

    Args:
        engine: of a SQLite file, or of memory with `poolclass=StaticPool`; or of PostgreSQL, by psycopg or asyncpg.

    Raises:
        ConfigurationError: the engine is of another database or driver, or has a database for each thread.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._database = AsyncDatabase(engine, TABLES)
        self._statements = self._database.statements

    async def create_tables(self) -> None:
        """Create what is missing of the tables and indexes."""
        await self._database.create()

    async def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, None if there is no such booking."""
        return rows.read_snapshot(await self._database.query(self._statements.get, {"booking_id": booking_id}))

    async def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        found = await self._database.query(self._statements.find, {"intent_id": payment_intent_id})
        return found[0][0] if found else None

    async def save(self, change: Change) -> bool:
        """Write a change, or nothing and return False."""
        return await self._database.save(change)

    async def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due."""
        found = await self._database.query(self._statements.due, rows.due_values(before, after, limit))
        return [row[0] for row in found]

    async def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        return rows.read_history(await self._database.query(self._statements.history, {"booking_id": booking_id}))

    # ---- the team's side: what its own code does to its own table; for demos and tests ----

    async def add_booking(self, booking: Booking) -> bool:
        """Add a booking, as the team's own code would. False: the id is taken."""
        return await self._database.write(self._statements.add_booking, rows.booking_values(booking))

    async def booking(self, booking_id: str) -> Booking | None:
        """Return the booking as the team has it."""
        return rows.read_booking(await self._database.query(self._statements.get, {"booking_id": booking_id}))

    async def set_booking_status(self, booking_id: str, status: BookingStatus) -> bool:
        """Change a booking's status, as the team's own code would. False: there is no such booking."""
        return await self._database.write(self._statements.set_status, rows.status_values(booking_id, status))

    async def set_booking_price(self, booking_id: str, price: Money) -> bool:
        """Change a booking's price, as the team's own code would. False: there is no such booking."""
        return await self._database.write(self._statements.set_price, rows.price_values(booking_id, price))
