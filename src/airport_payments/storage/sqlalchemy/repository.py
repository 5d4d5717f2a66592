"""The repository on a SQLAlchemy engine, sync. Its twin is `repository_async`; a test compares their text."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Engine

from airport_payments.core.model import (
    Booking,
    BookingStatus,
    Change,
    HistoryLine,
    Snapshot,
    check_booking,
    check_price,
)
from airport_payments.core.money import Money
from airport_payments.repository import Rule
from airport_payments.storage.sqlalchemy import rows
from airport_payments.storage.sqlalchemy.booking_table import BookingTable
from airport_payments.storage.sqlalchemy.database import Database, OnSave
from airport_payments.storage.sqlalchemy.tables import build


class SqlAlchemyBookingRepository:
    """A `BookingRepository` on a SQLAlchemy engine: SQLite or PostgreSQL, from many threads and processes.

    On SQLite, build it before the engine is first used: it sets up every new connection (WAL, foreign keys, synchronous
    FULL, a busy timeout where the engine has none). What your own "connect" listeners set stands. No transaction is ever
    left to the pool, so an engine that nobody else uses may be made with `pool_reset_on_return=None`, which spares it a
    rollback for each call: async, a quarter of the time.

    On PostgreSQL nothing is set up. Each call is one statement that commits by itself, so that a save takes one round trip.
    With `on_save`, or where the engine has an `isolation_level`, a save is a transaction of three, and what `on_save` adds.

    Args:
        engine: of a SQLite file, or of memory with `poolclass=StaticPool`; or of PostgreSQL, by psycopg.
        bookings: your own table. Without it, `create_tables` makes one.
        prefix: what the names of the library's tables begin with.
        schema: where they are, if not where the database looks first. It has to be there.
        on_save: called with SQLAlchemy's connection and the change, in the transaction of each save, after it was written
            and before it is committed: for what must happen in your database exactly once. A conflict rolls it back, and it
            is called again with the next try. Do not commit. What it raises rolls the save back and goes to the caller.

    Attributes:
        engine, tables: what it works on; `tables.metadata` is what `create_tables` creates.

    Raises:
        ConfigurationError: the engine is of another database or driver, has a database for each thread, or commits each
            statement although there is an `on_save`; or `bookings` or `prefix` does not fit.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        bookings: BookingTable | None = None,
        prefix: str = "airport_",
        schema: str | None = None,
        on_save: OnSave | None = None,
    ) -> None:
        self.engine = engine
        self.tables = build(bookings, prefix=prefix, schema=schema)
        self._database = Database(engine, self.tables, on_save)
        self._statements = self._database.statements

    def create_tables(self) -> None:
        """Create what is missing of our tables and indexes, and bring those of an earlier version up to date.

        Any number of processes may do it at once, and any number of times. A bookings table of yours is left alone.
        """
        self._database.create()

    def tables_version(self) -> int:
        """Return the version of our tables that the database has, 0 for none."""
        return rows.read_state(self._statements, self._database.query(self._statements.look, {})).version

    def check_tables(self) -> None:
        """Check at the start, where somebody else makes the tables, that they are those that this release needs.

        Raises:
            ConfigurationError: they are of another version, or something of them is missing. The message says what to do.
        """
        rows.check_state(self._statements, self._database.query(self._statements.look, {}))

    def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, None if there is no such booking."""
        statements = self._statements
        return rows.read_snapshot(
            statements, self._database.query(statements.get, rows.get_values(statements, booking_id))
        )

    def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        found = self._database.query(self._statements.find, {"intent_id": payment_intent_id})
        return found[0][0] if found else None

    def save(self, change: Change) -> bool:
        """Write a change, or nothing and return False."""
        return self._database.save(change)

    def get_and_save(self, booking_id: str, rule: Rule) -> bool:
        """Do `save(rule(snapshot))` for what `get` returns, over one connection. The gateway uses it where it is.

        `rule` may return None: nothing is written then, and the answer is True. Where there is no such booking, it is not
        called.
        """
        values = rows.get_values(self._statements, booking_id)
        return values is None or self._database.get_and_save(values, rows.chooser(self._statements, rule))

    def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due."""
        found = self._database.query(self._statements.due, rows.due_values(self._statements, before, after, limit))
        return [row[0] for row in found]

    def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        return rows.read_history(self._database.query(self._statements.history, {"booking_id": booking_id}))

    def newest(self, *, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]:
        """Return the bookings with a ledger, and when the last line of each one's history was written."""
        return rows.read_newest(self._database.query(self._statements.newest, rows.page_values(after, limit)))

    def owned_by(self, owner: str, *, after: str | None, limit: int) -> Sequence[str]:
        """Return the ids of a customer's bookings. Give a large table an index on the owner."""
        values = rows.owned_values(self._statements, owner, after, limit)
        return [row[0] for row in self._database.query(self._statements.owned_by, values)]

    def forget(self, booking_id: str, *, version: int, before: datetime | None) -> None:
        """Delete lines of a booking's history, if its ledger is still of this version."""
        self._database.erase(self._statements.forget, rows.forget_values(booking_id, version, before))

    # ---- the team's side: what its own code does to its own table; for demos and tests ----

    def add_booking(self, booking: Booking) -> bool:
        """Add a booking, as the team's own code would. False: the id is taken.

        Raises:
            InvalidRequest: a field is malformed.
        """
        return self._database.write(
            self._statements.add_booking, self._statements.bookings.booking_values(check_booking(booking))
        )

    def booking(self, booking_id: str) -> Booking | None:
        """Return the booking as the team has it."""
        statements = self._statements
        return rows.read_booking(
            statements, self._database.query(statements.get, rows.get_values(statements, booking_id))
        )

    def set_booking_status(self, booking_id: str, status: BookingStatus) -> bool:
        """Change a booking's status, as the team's own code would. False: there is no such booking."""
        return self._database.write(
            self._statements.set_status, rows.status_values(self._statements, booking_id, status)
        )

    def set_booking_price(self, booking_id: str, price: Money) -> bool:
        """Change a booking's price, as the team's own code would. False: there is no such booking.

        Raises:
            InvalidRequest: the price is no Money.
        """
        return self._database.write(
            self._statements.set_price, rows.price_values(self._statements, booking_id, check_price(price))
        )
