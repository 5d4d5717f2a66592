"""The repository on a SQLAlchemy engine, sync. Its twin is `repository_async`; a test compares their text."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy.engine import Engine

from airport_payments.core.model import Booking, BookingStatus, Change, HistoryLine, Snapshot
from airport_payments.core.money import Money
from airport_payments.storage.sqlalchemy import rows
from airport_payments.storage.sqlalchemy.sqlite import DRIVER_ERRORS, Sqlite, read, unavailable, write

T = TypeVar("T")


class SqlAlchemyBookingRepository:
    """A `BookingRepository` on a SQLAlchemy engine: SQLite, from many threads and processes.

    Build it before the engine is first used: it sets up every new connection (WAL, foreign keys, synchronous FULL, a busy
    timeout where the engine has none). What your own "connect" listeners set stands. No transaction is ever left to the
    pool, so an engine that nobody else uses may be made with `pool_reset_on_return=None`, which spares it a rollback for
    each call: async, a quarter of the time.

    Args:
        engine: of a file, or of memory with `poolclass=StaticPool`.

    Raises:
        ConfigurationError: the engine is of another database or driver, or has a database for each thread.
    """

    def __init__(self, engine: Engine) -> None:
        self._database = Sqlite(engine, "pysqlite")
        self._statements = self._database.statements

    def create_tables(self) -> None:
        """Create what is missing of the tables and indexes."""
        self._run(write, rows.create(self._statements))

    def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, None if there is no such booking."""
        statement = self._statements.get
        return rows.read_snapshot(self._run(read, statement.sql, statement.bind({"booking_id": booking_id})))

    def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        statement = self._statements.find
        found = self._run(read, statement.sql, statement.bind({"intent_id": payment_intent_id}))
        return found[0][0] if found else None

    def save(self, change: Change) -> bool:
        """Write a change, or nothing and return False."""
        return self._run(write, rows.save(self._statements, change))

    def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due."""
        statement = self._statements.due
        found = self._run(read, statement.sql, statement.bind(rows.due_values(before, after, limit)))
        return [row[0] for row in found]

    def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        statement = self._statements.history
        return rows.read_history(self._run(read, statement.sql, statement.bind({"booking_id": booking_id})))

    # ---- the team's side: what its own code does to its own table; for demos and tests ----

    def add_booking(self, booking: Booking) -> bool:
        """Add a booking, as the team's own code would. False: the id is taken."""
        return self._run(write, rows.add_booking(self._statements, booking))

    def booking(self, booking_id: str) -> Booking | None:
        """Return the booking as the team has it."""
        statement = self._statements.get
        return rows.read_booking(self._run(read, statement.sql, statement.bind({"booking_id": booking_id})))

    def set_booking_status(self, booking_id: str, status: BookingStatus) -> bool:
        """Change a booking's status, as the team's own code would. False: there is no such booking."""
        return self._run(write, rows.set_booking_status(self._statements, booking_id, status))

    def set_booking_price(self, booking_id: str, price: Money) -> bool:
        """Change a booking's price, as the team's own code would. False: there is no such booking."""
        return self._run(write, rows.set_booking_price(self._statements, booking_id, price))

    def _run(self, work: Callable[..., T], *args: object) -> T:
        database = self._database
        try:
            with database.turn:
                lease = database.borrow()
                try:
                    return database.run(lease, work, *args)
                finally:
                    database.give_back(lease)
        except DRIVER_ERRORS as error:
            raise unavailable(error) from None
