"""A repository in plain psycopg, on a bookings table of one's own: the one to copy.

It keeps its part in three tables beside yours. Make them with `TABLES`, once; then change the names and columns of
`bookings` to yours, in the four statements that have them.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection, OperationalError
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation

from airport_payments import Booking, BookingStatus, Change, HistoryLine, Ledger, Money, Snapshot, StorageUnavailable
from airport_payments.core import codec
from airport_payments.core.model import IndexState

TABLES = """
CREATE TABLE payment_ledgers (
    booking_id text PRIMARY KEY, version bigint NOT NULL, document text NOT NULL, due_at_us bigint
);
CREATE INDEX payment_ledgers_due ON payment_ledgers (due_at_us) WHERE due_at_us IS NOT NULL;
CREATE TABLE payment_index (
    booking_id text NOT NULL, attempt_id text NOT NULL, intent_id text, state text NOT NULL,
    amount_minor bigint NOT NULL, currency text NOT NULL, PRIMARY KEY (booking_id, attempt_id)
);
CREATE UNIQUE INDEX payment_index_intent ON payment_index (intent_id);
CREATE UNIQUE INDEX payment_index_payable ON payment_index (booking_id) WHERE state IN ('payable', 'closing');
CREATE TABLE payment_history (
    booking_id text NOT NULL, version bigint NOT NULL, line integer NOT NULL, at_us bigint NOT NULL, fact text NOT NULL,
    decision text NOT NULL, event_id text, intent_id text, PRIMARY KEY (booking_id, version, line)
);
"""
GET = """
SELECT id, customer, amount_minor, currency, status, hold_until AT TIME ZONE 'UTC', version, document
FROM bookings LEFT JOIN payment_ledgers ON booking_id = id WHERE id = %s
"""
LOCK = """
SELECT 1 FROM bookings WHERE id = %s AND customer = %s AND amount_minor = %s AND currency = %s AND status = %s
FOR NO KEY UPDATE
"""
SETTLE = "UPDATE bookings SET status = %s WHERE id = %s"
FIRST = """
INSERT INTO payment_ledgers (document, due_at_us, version, booking_id) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
NEXT = "UPDATE payment_ledgers SET document = %s, due_at_us = %s, version = %s WHERE booking_id = %s AND version = %s"
INDEX = """
INSERT INTO payment_index VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (booking_id, attempt_id) DO UPDATE SET
intent_id = excluded.intent_id, state = excluded.state, amount_minor = excluded.amount_minor, currency = excluded.currency
"""
NOTE = "INSERT INTO payment_history VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
FIND = "SELECT booking_id FROM payment_index WHERE intent_id = %s"
DUE = """
SELECT booking_id FROM (
    SELECT booking_id FROM payment_ledgers WHERE due_at_us <= %(before_us)s
    UNION
    SELECT booking_id FROM payment_index p JOIN bookings b ON b.id = booking_id WHERE p.state = 'payable' AND
        (b.status <> 'pending' OR b.amount_minor <> p.amount_minor OR b.currency <> p.currency)
    UNION
    SELECT id FROM bookings WHERE status = 'pending' AND hold_until <= %(before)s AND NOT EXISTS
        (SELECT 1 FROM payment_index WHERE booking_id = id AND state = 'closing')
) found
WHERE booking_id COLLATE "C" > %(after)s ORDER BY booking_id COLLATE "C" LIMIT %(limit)s
"""
HISTORY = """
SELECT at_us, fact, decision, event_id, intent_id FROM payment_history WHERE booking_id = %s ORDER BY version, line
"""
NEWEST = """
SELECT booking_id,
    (SELECT at_us FROM payment_history WHERE booking_id = l.booking_id ORDER BY version DESC, line DESC LIMIT 1)
FROM payment_ledgers l WHERE booking_id COLLATE "C" > %(after)s ORDER BY booking_id COLLATE "C" LIMIT %(limit)s
"""
OWNED = """
SELECT id FROM bookings WHERE customer = %(owner)s AND id COLLATE "C" > %(after)s ORDER BY id COLLATE "C" LIMIT %(limit)s
"""
FORGET = """
DELETE FROM payment_history WHERE booking_id = %(id)s AND (at_us < %(before_us)s::bigint OR %(before_us)s::bigint IS NULL)
AND EXISTS (SELECT 1 FROM payment_ledgers WHERE booking_id = %(id)s AND version = %(version)s) RETURNING line
"""


class PsycopgBookingRepository:
    """A `KeepingRepository` on PostgreSQL. Every method may raise `StorageUnavailable`.

    Args:
        connect: opens a connection, commits at the end of the `with`, and rolls back if something was raised in it: a pool's
            `pool.connection`, or `lambda: psycopg.connect(dsn)`.
    """

    def __init__(self, connect: Callable[[], AbstractContextManager[Connection[Any]]]) -> None:
        self._connect = connect

    def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, read in one statement; None if there is no such booking."""
        rows = self._rows(GET, (booking_id,))
        if not rows:
            return None
        key, owner, amount, currency, status, held, version, document = rows[0]
        held_until = None if held is None else held.replace(tzinfo=UTC)
        booking = Booking(key, owner, Money(amount, currency), BookingStatus(status), held_until)
        return Snapshot(booking, Ledger() if version is None else codec.load(document, version))

    def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        rows = self._rows(FIND, (payment_intent_id,))
        return rows[0][0] if rows else None

    def save(self, change: Change) -> bool:
        """Write a whole change in one transaction; or nothing, and return False."""
        try:
            with self._connect() as connection:
                return _written(connection, change)
        except (UniqueViolation, SerializationFailure, DeadlockDetected):
            return False
        except OperationalError as error:
            raise StorageUnavailable(type(error).__name__) from None

    def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due, in ascending order, those greater than `after`, at most `limit`."""
        page = {"before": before, "before_us": codec.to_us(before), "after": after or "", "limit": max(limit, 0)}
        return [row[0] for row in self._rows(DUE, page)]

    def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        return [HistoryLine(codec.from_us(row[0]), *row[1:]) for row in self._rows(HISTORY, (booking_id,))]

    # ---- for `prune` and `erase_customer`; leave these three out if you need neither ----

    def newest(self, *, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]:
        """Return the bookings with a ledger, and the time of the last line of each one's history, None without lines."""
        found = self._rows(NEWEST, {"after": after or "", "limit": max(limit, 0)})
        return [(key, None if at_us is None else codec.from_us(at_us)) for key, at_us in found]

    def owned_by(self, owner: str, *, after: str | None, limit: int) -> Sequence[str]:
        """Return the ids of a customer's bookings in ascending order, those greater than `after`, at most `limit`."""
        return [row[0] for row in self._rows(OWNED, {"owner": owner, "after": after or "", "limit": max(limit, 0)})]

    def forget(self, booking_id: str, *, version: int, before: datetime | None) -> None:
        """Delete a booking's history before a time, all of it with None, if its ledger has this version."""
        before_us = None if before is None else codec.to_us(before)
        self._rows(FORGET, {"id": booking_id, "version": version, "before_us": before_us})

    def _rows(self, query: str, values: Sequence[object] | Mapping[str, object]) -> list[Any]:
        try:
            with self._connect() as connection:
                return connection.execute(query.encode(), values).fetchall()
        except OperationalError as error:
            raise StorageUnavailable(type(error).__name__) from None


def _written(connection: Connection[Any], change: Change) -> bool:
    """Write a change, unless something moved on. Nothing is written before the last thing that may be a False."""
    read, ledger = change.read.booking, change.ledger
    price = read.price
    as_read = (read.id, read.owner, price.amount_minor, price.currency, read.status.value)
    if connection.execute(LOCK, as_read).fetchone() is None:
        return False
    due_at_us = None if change.due_at is None else codec.to_us(change.due_at)
    values = (codec.dump(ledger), due_at_us, ledger.version, read.id)
    seen = change.read.ledger.version
    wrote = connection.execute(NEXT, (*values, seen)) if seen else connection.execute(FIRST, values)
    if wrote.rowcount != 1:
        return False
    with connection.cursor() as cursor:
        # Those that close a payment first: "one payable" is checked after each row.
        rows = sorted(change.index, key=lambda row: row.state is not IndexState.CLOSED)
        cursor.executemany(
            INDEX,
            [
                (read.id, r.attempt_id, r.intent_id, r.state.value, r.amount.amount_minor, r.amount.currency)
                for r in rows
            ],
        )
        lines = enumerate(change.history)
        cursor.executemany(
            NOTE,
            [
                (read.id, ledger.version, n, codec.to_us(h.at), h.fact, h.decision, h.event_id, h.intent_id)
                for n, h in lines
            ],
        )
    if change.booking_status is not None:
        connection.execute(SETTLE, (change.booking_status.value, read.id))
    return True
