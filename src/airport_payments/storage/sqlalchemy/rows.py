"""What stands in the rows: our values to the database's and back. No I/O."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from airport_payments.core.codec import dump, from_us, load, to_us
from airport_payments.core.errors import ConfigurationError
from airport_payments.core.model import (
    Booking,
    BookingStatus,
    Change,
    HistoryLine,
    IndexRow,
    IndexState,
    Ledger,
    Snapshot,
)
from airport_payments.core.money import Money
from airport_payments.repository import Rule
from airport_payments.storage.sqlalchemy.dialects import Choose
from airport_payments.storage.sqlalchemy.migrations import VERSION, State
from airport_payments.storage.sqlalchemy.statements import Statements, Values

_EVER: Final = 2**63 - 1  # later than any line


# ---- from the database ----


def read_booking(statements: Statements, rows: Sequence[Sequence[Any]]) -> Booking | None:
    """Return the booking of the rows of `get`."""
    return statements.bookings.read(rows[0]) if rows else None


def read_snapshot(statements: Statements, rows: Sequence[Sequence[Any]]) -> Snapshot | None:
    """Return the booking and its ledger of the rows of `get`."""
    booking = read_booking(statements, rows)
    if booking is None:
        return None
    version, document = rows[0][6:]
    return Snapshot(booking, Ledger() if document is None else load(document, version))


def read_history(rows: Sequence[Sequence[Any]]) -> Sequence[HistoryLine]:
    """Return the lines of a story."""
    return tuple([HistoryLine(from_us(row[0]), *row[1:]) for row in rows])


def read_newest(rows: Sequence[Sequence[Any]]) -> Sequence[tuple[str, datetime | None]]:
    """Return the ids and times of the rows of `newest`."""
    return [(row[0], None if row[1] is None else from_us(row[1])) for row in rows]


def read_state(statements: Statements, rows: Sequence[Sequence[Any]]) -> State:
    """Return how our tables are, of the rows of `look`."""
    return statements.migrations.state(rows)


def check_state(statements: Statements, rows: Sequence[Sequence[Any]]) -> None:
    """Raise `ConfigurationError` if the tables of the rows of `look` are not those that this release needs."""
    state = read_state(statements, rows)
    if state.version != VERSION:
        found = f"are of version {state.version}" if state.version else "are not there"
        how = f"airport-payments db sql --from {state.version}" if state.version else "airport-payments db sql"
        raise ConfigurationError(
            f"the library's tables {found}, and this release needs version {VERSION}: run airport-payments db init,"
            f" or what {how} prints"
        )
    if state.missing:
        raise ConfigurationError(
            f"of the library's tables there is no {', '.join(state.missing)}: run airport-payments db init"
        )


# ---- to the database ----


def due_values(statements: Statements, before: datetime, after: str | None, limit: int) -> Values:
    """Return the values of `due`. No id is empty, so that an empty one stands for "from the first"."""
    held = statements.bookings.due_values(before)
    return {**held, **page_values(after, limit), "before_us": to_us(before)}


def page_values(after: str | None, limit: int) -> dict[str, object]:
    """Return the values of a page in the order of ids."""
    return {"after": after or "", "limit": max(limit, 0)}


def owned_values(statements: Statements, owner: str, after: str | None, limit: int) -> Values | None:
    """Return the values of `owned_by`; None if no booking can have this owner."""
    theirs = statements.bookings.owner_values(owner)
    return None if theirs is None else {**theirs, **page_values(after, limit)}


def forget_values(booking_id: str, version: int, before: datetime | None) -> Values:
    """Return the values of `forget`."""
    before_us = _EVER if before is None else to_us(before)
    return {"booking_id": booking_id, "history_of": booking_id, "read_version": version, "before_us": before_us}


def get_values(statements: Statements, booking_id: str) -> Values | None:
    """Return the values of `get`; None if no booking can have this id."""
    theirs = statements.bookings.id_values(booking_id, "read_id")
    return None if theirs is None else {"booking_id": booking_id, **theirs}


def change_values(statements: Statements, change: Change) -> dict[str, object] | None:
    """Return what was read, which must still stand, and the new ledger; None if no booking can be as it was read."""
    ledger, due_at = change.ledger, change.due_at
    read = statements.bookings.read_values(change.read.booking)
    if read is None:
        return None
    values: dict[str, object] = {
        **read,
        "booking_id": change.booking_id,
        "read_version": change.read.ledger.version,
        "new_version": ledger.version,
        "document": dump(ledger),
        "due_at_us": None if due_at is None else to_us(due_at),
    }
    if change.booking_status is not None:
        values |= statements.bookings.status_values(change.booking_status)
    return values


def chooser(statements: Statements, rule: Rule) -> Choose:
    """Return what makes a booking's rows the change to write and its values; True: nothing to write, False: it cannot be."""

    def choose(found: Sequence[Sequence[Any]]) -> tuple[Change, Values] | bool:
        snapshot = read_snapshot(statements, found)
        change = None if snapshot is None else rule(snapshot)
        if change is None:
            return True
        values = change_values(statements, change)
        return False if values is None else (change, values)

    return choose


def index_rows(change: Change) -> list[IndexRow]:
    """Return the payments to index, closed ones first: the database checks "one payable" after every row."""
    return sorted(change.index, key=lambda row: row.state is not IndexState.CLOSED)


def status_values(statements: Statements, booking_id: str, status: BookingStatus) -> Values | None:
    """Return a booking's id and status; None if no booking can have this id."""
    key = statements.bookings.id_values(booking_id)
    return None if key is None else {**key, **statements.bookings.status_values(status)}


def price_values(statements: Statements, booking_id: str, price: Money) -> Values | None:
    """Return a booking's id and price; None if no booking can have this id."""
    key = statements.bookings.id_values(booking_id)
    return None if key is None else {**key, **statements.bookings.price_values(price)}
