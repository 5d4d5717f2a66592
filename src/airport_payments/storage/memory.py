"""Repositories in memory: for tests, and to try things out. What they hold is lost with the process."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from airport_payments.core.ids import check_time
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    Change,
    HistoryLine,
    IndexRow,
    IndexState,
    Ledger,
    Snapshot,
    check_price,
)

_NOTHING: Final = Ledger()
# Each table, whether the booking was in it, and as what; and how many lines its history had.
_Rows: TypeAlias = list[tuple[dict[str, Any], bool, Any]]
_Before: TypeAlias = tuple[_Rows, int]


def _checked(booking: Booking) -> Booking:
    """Return the booking. Raises `InvalidRequest` for what no database would keep, and no rule could compare."""
    check_price(booking.price)
    if booking.hold_until is not None:
        check_time("hold_until", booking.hold_until)
    return booking


class _Tables:
    """What both colours share: the bookings, the ledgers and the index, behind one lock.

    A ledger is kept as it is, for it never changes. A database keeps the document that `core.codec` makes of it.
    """

    def __init__(self, bookings: Sequence[Booking] = ()) -> None:
        self._lock = threading.Lock()
        self._bookings = {b.id: _checked(b) for b in bookings}
        self._ledgers: dict[str, Ledger] = {}
        self._index: dict[str, dict[str, IndexRow]] = {}
        self._intents: dict[str, str] = {}
        self._due: dict[str, datetime] = {}
        self._history: dict[str, list[HistoryLine]] = {}

    def put_booking(self, booking: Booking) -> None:
        """Add a booking or change it, as the team's own code would.

        Raises:
            InvalidRequest: its price is no Money, or its `hold_until` has no time zone.
        """
        with self._lock:
            self._bookings[booking.id] = _checked(booking)

    def booking(self, booking_id: str) -> Booking | None:
        """Return the booking as the team has it."""
        with self._lock:
            return self._bookings.get(booking_id)

    def _get(self, booking_id: str) -> Snapshot | None:
        with self._lock:
            booking = self._bookings.get(booking_id)
            ledger = self._ledgers.get(booking_id, _NOTHING)
        if booking is None:
            return None
        return Snapshot(booking, ledger)

    def _find(self, payment_intent_id: str) -> str | None:
        with self._lock:
            return self._intents.get(payment_intent_id)

    def _save(self, change: Change) -> bool:
        booking_id, read = change.booking_id, change.read.booking
        with self._lock:
            now = self._bookings.get(booking_id)
            version = self._ledgers.get(booking_id, _NOTHING).version
            if version != change.read.ledger.version or now is None:
                return False
            if (now.owner, now.price, now.status) != (read.owner, read.price, read.status):
                return False
            before = self._kept(booking_id)
            try:
                return self._write(change, now)
            except BaseException:
                # Ctrl-C in the middle: whoever catches it goes on with what was.
                self._put_back(booking_id, *before)
                raise

    def _write(self, change: Change, now: Booking) -> bool:
        booking_id = change.booking_id
        if change.index and not self._index_rows(booking_id, change.index):
            return False
        # Nothing is refused below this line.
        self._ledgers[booking_id] = change.ledger
        if change.due_at is None:
            self._due.pop(booking_id, None)
        else:
            self._due[booking_id] = change.due_at
        self._history.setdefault(booking_id, []).extend(change.history)
        if change.booking_status is not None:
            self._bookings[booking_id] = replace(now, status=change.booking_status)
        return True

    def _kept(self, booking_id: str) -> _Before:
        """Return what `_write` may change. The lock is held."""
        tables: tuple[dict[str, Any], ...] = (self._bookings, self._ledgers, self._due, self._index)
        return [(t, booking_id in t, t.get(booking_id)) for t in tables], len(self._history.get(booking_id, ()))

    def _put_back(self, booking_id: str, rows: _Rows, lines: int) -> None:
        for intent_id in [i for i, owner in self._intents.items() if owner == booking_id]:
            del self._intents[intent_id]
        for table, was_there, value in rows:
            table.pop(booking_id, None)
            if was_there:
                table[booking_id] = value
        del self._history.get(booking_id, [])[lines:]
        rows_now = self._index.get(booking_id, {}).values()
        self._intents.update({r.intent_id: booking_id for r in rows_now if r.intent_id is not None})

    def _index_rows(self, booking_id: str, new: Sequence[IndexRow]) -> bool:
        """Take in new index rows, or none of them and return False if one breaks a rule. The lock is held."""
        old = self._index.get(booking_id, {})
        rows = dict(old)
        for row in new:
            rows[row.attempt_id] = row
        payable = 0
        intents: dict[str, str] = {}
        for row in rows.values():
            if row.state is not IndexState.CLOSED:
                payable += 1
            intent_id = row.intent_id
            if intent_id is None:
                continue
            if intent_id in intents or self._intents.get(intent_id, booking_id) != booking_id:
                return False
            intents[intent_id] = booking_id
        if payable > 1:
            return False
        for row in old.values():
            if row.intent_id is not None:
                self._intents.pop(row.intent_id, None)
        self._intents.update(intents)
        self._index[booking_id] = rows
        return True

    def _due_ids(self, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        with self._lock:
            due = {booking_id for booking_id, at in self._due.items() if at <= before}
            for booking_id, rows in self._index.items():
                booking = self._bookings.get(booking_id)
                if booking is not None and any(_unwanted(row, booking) for row in rows.values()):
                    due.add(booking_id)
            for booking_id, booking in self._bookings.items():
                if _expired(booking, before) and not _closing(self._index.get(booking_id, {})):
                    due.add(booking_id)
        return sorted(booking_id for booking_id in due if after is None or booking_id > after)[: max(limit, 0)]

    def _newest(self, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]:
        with self._lock:
            ids = sorted(booking_id for booking_id in self._ledgers if after is None or booking_id > after)
            lines = {booking_id: self._history.get(booking_id) for booking_id in ids[: max(limit, 0)]}
        return [(booking_id, known[-1].at if known else None) for booking_id, known in lines.items()]

    def _owned_by(self, owner: str, after: str | None, limit: int) -> Sequence[str]:
        with self._lock:
            ids = [b.id for b in self._bookings.values() if b.owner == owner and (after is None or b.id > after)]
        return sorted(ids)[: max(limit, 0)]

    def _forget(self, booking_id: str, version: int, before: datetime | None) -> None:
        with self._lock:
            if self._ledgers.get(booking_id, _NOTHING).version == version:
                lines = self._history.get(booking_id, [])
                self._history[booking_id] = [line for line in lines if before is not None and line.at >= before]

    def _story(self, booking_id: str) -> Sequence[HistoryLine]:
        with self._lock:
            return tuple(self._history.get(booking_id, ()))


def _unwanted(row: IndexRow, booking: Booking) -> bool:
    changed = booking.status is not BookingStatus.PENDING or booking.price != row.amount
    return row.state is IndexState.PAYABLE and changed


def _expired(booking: Booking, now: datetime) -> bool:
    hold = booking.hold_until
    return booking.status is BookingStatus.PENDING and hold is not None and hold <= now


def _closing(rows: Mapping[str, IndexRow]) -> bool:
    return any(row.state is IndexState.CLOSING for row in rows.values())


class MemoryBookingRepository(_Tables):
    """A `BookingRepository` in memory, safe for threads.

    Args:
        bookings: what the airport sells; more with `put_booking`.
    """

    def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, None if there is no such booking."""
        return self._get(booking_id)

    def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        return self._find(payment_intent_id)

    def save(self, change: Change) -> bool:
        """Write a change, or nothing and return False."""
        return self._save(change)

    def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due."""
        return self._due_ids(before, after, limit)

    def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        return self._story(booking_id)

    def newest(self, *, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]:
        """Return the bookings with a ledger, and when the last line of each one's history was written."""
        return self._newest(after, limit)

    def owned_by(self, owner: str, *, after: str | None, limit: int) -> Sequence[str]:
        """Return the ids of a customer's bookings."""
        return self._owned_by(owner, after, limit)

    def forget(self, booking_id: str, *, version: int, before: datetime | None) -> None:
        """Delete lines of a booking's history."""
        self._forget(booking_id, version, before)


class AsyncMemoryBookingRepository(_Tables):
    """An `AsyncBookingRepository` in memory, safe for tasks and threads.

    Args:
        bookings: what the airport sells; more with `put_booking`.
    """

    async def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, None if there is no such booking."""
        return self._get(booking_id)

    async def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        return self._find(payment_intent_id)

    async def save(self, change: Change) -> bool:
        """Write a change, or nothing and return False."""
        return self._save(change)

    async def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due."""
        return self._due_ids(before, after, limit)

    async def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        return self._story(booking_id)

    async def newest(self, *, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]:
        """Return the bookings with a ledger, and when the last line of each one's history was written."""
        return self._newest(after, limit)

    async def owned_by(self, owner: str, *, after: str | None, limit: int) -> Sequence[str]:
        """Return the ids of a customer's bookings."""
        return self._owned_by(owner, after, limit)

    async def forget(self, booking_id: str, *, version: int, before: datetime | None) -> None:
        """Delete lines of a booking's history."""
        self._forget(booking_id, version, before)
