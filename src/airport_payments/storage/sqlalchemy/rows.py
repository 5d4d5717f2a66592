"""What stands in the rows: our values to the database's and back, and the steps that write them. No I/O."""

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from airport_payments.core.codec import dump, from_us, load, to_us
from airport_payments.core.errors import InternalError, PaymentsError
from airport_payments.core.model import Booking, BookingStatus, Change, HistoryLine, IndexState, Ledger, Snapshot
from airport_payments.core.money import Money
from airport_payments.storage.sqlalchemy.statements import Parameters, Statements, Values

Row: TypeAlias = tuple[Any, ...]

# One statement with a row of parameters or several; the answer is how many rows it wrote.
Step: TypeAlias = tuple[str, Sequence[Parameters]]
# Steps of one transaction. What it returns says whether to commit: False means that nothing is to be written.
Plan: TypeAlias = Generator[Step, int, bool]

_STATUSES: Final = {status.value: status for status in BookingStatus}


def read_booking(rows: Sequence[Row]) -> Booking | None:
    """Return the booking of the rows of `get`."""
    if not rows:
        return None
    booking_id, owner, amount_minor, currency, status, hold_until_us, *_ = rows[0]
    try:
        price = Money(amount_minor, currency)
    except PaymentsError as error:
        # Money answers 400, because it mostly judges a caller's words. This is the team's row.
        raise InternalError(f"the price in the booking's row cannot be read ({error})") from None
    if status not in _STATUSES:
        raise InternalError("the status in the booking's row is not pending, confirmed or cancelled")
    hold_until = None if hold_until_us is None else from_us(hold_until_us)
    return Booking(booking_id, owner, price, _STATUSES[status], hold_until)


def read_snapshot(rows: Sequence[Row]) -> Snapshot | None:
    """Return the booking and its ledger of the rows of `get`."""
    booking = read_booking(rows)
    if booking is None:
        return None
    version, document = rows[0][6:]
    return Snapshot(booking, Ledger() if document is None else load(document, version))


def read_history(rows: Sequence[Row]) -> Sequence[HistoryLine]:
    """Return the lines of a story."""
    return tuple([HistoryLine(from_us(row[0]), *row[1:]) for row in rows])


def due_values(before: datetime, after: str | None, limit: int) -> Values:
    """Return the values of `due`. No id is empty, so that an empty one stands for "from the first"."""
    return {"before_us": to_us(before), "after": after or "", "limit": max(limit, 0)}


def create(statements: Statements) -> Plan:
    """Create what is missing of the tables and indexes, all or none."""
    for sql in statements.create:
        yield sql, [()]
    return True


def save(statements: Statements, change: Change) -> Plan:
    """Write a whole change, or nothing and return False."""
    # Encoded before the plan starts: from its first step on, every other writer waits.
    booking, ledger, due_at = change.read.booking, change.ledger, change.due_at
    values: dict[str, Any] = {
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
    return _save(statements, values, _index(statements, change), _notes(statements, change))


def _save(statements: Statements, values: Values, index: list[Parameters], notes: list[Parameters]) -> Plan:
    ledger = statements.next_ledger if values["read_version"] else statements.first_ledger
    if (yield ledger.sql, [ledger.bind(values)]) != 1:
        return False
    if index:
        yield statements.index.sql, index
    if notes:
        yield statements.note.sql, notes
    if "new_status" in values:
        # Conditional again: a database that locks rows and not the whole of it may have let the team in between.
        settle = statements.settle
        return (yield settle.sql, [settle.bind(values)]) == 1
    return True


def _index(statements: Statements, change: Change) -> list[Parameters]:
    # Closed ones first: the database checks "one payable" after every row.
    rows = sorted(change.index, key=lambda row: row.state is not IndexState.CLOSED)
    return [
        statements.index.bind(
            {
                "p_booking_id": change.booking_id,
                "p_attempt_id": row.attempt_id,
                "p_intent_id": row.intent_id,
                "p_state": row.state.value,
                "p_amount_minor": row.amount.amount_minor,
                "p_currency": row.amount.currency,
            }
        )
        for row in rows
    ]


def _notes(statements: Statements, change: Change) -> list[Parameters]:
    return [
        statements.note.bind(
            {
                "p_booking_id": change.booking_id,
                "p_version": change.ledger.version,
                "p_line": number,
                "p_at_us": to_us(line.at),
                "p_fact": line.fact,
                "p_decision": line.decision,
                "p_event_id": line.event_id,
                "p_intent_id": line.intent_id,
            }
        )
        for number, line in enumerate(change.history)
    ]


# ---- the team's side ----


def add_booking(statements: Statements, booking: Booking) -> Plan:
    """Insert a booking."""
    hold_until = booking.hold_until
    values: Values = {
        "p_id": booking.id,
        "p_owner": booking.owner,
        "p_amount_minor": booking.price.amount_minor,
        "p_currency": booking.price.currency,
        "p_status": booking.status.value,
        "p_hold_until_us": None if hold_until is None else to_us(hold_until),
    }
    return (yield statements.add_booking.sql, [statements.add_booking.bind(values)]) == 1


def set_booking_status(statements: Statements, booking_id: str, status: BookingStatus) -> Plan:
    """Change a booking's status, whatever it was."""
    values: Values = {"p_id": booking_id, "p_status": status.value}
    return (yield statements.set_status.sql, [statements.set_status.bind(values)]) == 1


def set_booking_price(statements: Statements, booking_id: str, price: Money) -> Plan:
    """Change a booking's price, whatever it was."""
    values: Values = {"p_id": booking_id, "p_amount_minor": price.amount_minor, "p_currency": price.currency}
    return (yield statements.set_price.sql, [statements.set_price.bind(values)]) == 1
