"""What stands in the rows: our values to the database's and back. No I/O."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from airport_payments.core.codec import dump, from_us, load, to_us
from airport_payments.core.errors import InternalError, PaymentsError
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
from airport_payments.storage.sqlalchemy.statements import Value, Values

_STATUSES: Final = {status.value: status for status in BookingStatus}


# ---- from the database ----


def read_booking(rows: Sequence[Sequence[Any]]) -> Booking | None:
    """Return the booking of the rows of `get`."""
    if not rows:
        return None
    booking_id, owner, amount_minor, currency, status, hold_until_us = rows[0][:6]
    try:
        price = Money(amount_minor, currency)
    except PaymentsError as error:
        # Money answers 400, because it mostly judges a caller's words. This is the team's row.
        raise InternalError(f"the price in the booking's row cannot be read ({error})") from None
    if status not in _STATUSES:
        raise InternalError("the status in the booking's row is not pending, confirmed or cancelled")
    hold_until = None if hold_until_us is None else from_us(hold_until_us)
    return Booking(booking_id, owner, price, _STATUSES[status], hold_until)


def read_snapshot(rows: Sequence[Sequence[Any]]) -> Snapshot | None:
    """Return the booking and its ledger of the rows of `get`."""
    booking = read_booking(rows)
    if booking is None:
        return None
    version, document = rows[0][6:]
    return Snapshot(booking, Ledger() if document is None else load(document, version))


def read_history(rows: Sequence[Sequence[Any]]) -> Sequence[HistoryLine]:
    """Return the lines of a story."""
    return tuple([HistoryLine(from_us(row[0]), *row[1:]) for row in rows])


# ---- to the database ----


def due_values(before: datetime, after: str | None, limit: int) -> Values:
    """Return the values of `due`. No id is empty, so that an empty one stands for "from the first"."""
    return {"before_us": to_us(before), "after": after or "", "limit": max(limit, 0)}


def change_values(change: Change) -> dict[str, Value]:
    """Return what was read, which must still stand, and the new ledger."""
    booking, ledger, due_at = change.read.booking, change.ledger, change.due_at
    values: dict[str, Value] = {
        "booking_id": booking.id,
        "read_id": booking.id,
        "read_owner": booking.owner,
        "read_amount_minor": booking.price.amount_minor,
        "read_currency": booking.price.currency,
        "read_status": booking.status.value,
        "read_version": change.read.ledger.version,
        "new_version": ledger.version,
        "document": dump(ledger),
        "due_at_us": None if due_at is None else to_us(due_at),
    }
    if change.booking_status is not None:
        values["new_status"] = change.booking_status.value
    return values


def index_rows(change: Change) -> list[IndexRow]:
    """Return the payments to index, closed ones first: the database checks "one payable" after every row."""
    return sorted(change.index, key=lambda row: row.state is not IndexState.CLOSED)


def booking_values(booking: Booking) -> Values:
    """Return the values of a whole booking."""
    hold_until = booking.hold_until
    return {
        "p_id": booking.id,
        "p_owner": booking.owner,
        **price_values(booking.id, booking.price),
        "p_status": booking.status.value,
        "p_hold_until_us": None if hold_until is None else to_us(hold_until),
    }


def status_values(booking_id: str, status: BookingStatus) -> Values:
    """Return a booking's id and status."""
    return {"p_id": booking_id, "p_status": status.value}


def price_values(booking_id: str, price: Money) -> Values:
    """Return a booking's id and price."""
    return {"p_id": booking_id, "p_amount_minor": price.amount_minor, "p_currency": price.currency}
