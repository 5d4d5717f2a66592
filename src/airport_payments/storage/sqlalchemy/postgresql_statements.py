"""PostgreSQL's own statements: a save is one, whatever it writes.

It checks, writes to every table, and commits by itself, in one round trip. One part stands for all: where the ledger is
not written, nothing is. What the parts read of each other says in which order the database runs them.

They are joined and not asked with EXISTS. When a row was changed by another transaction meanwhile, PostgreSQL looks at it
again; a join then keeps what the other parts gave, while EXISTS would have to run them a second time.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Integer, String, Text, bindparam, column, func, insert, select, true, update
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.elements import ClauseElement, ColumnElement
from sqlalchemy.sql.selectable import CTE, TableValuedAlias
from sqlalchemy.types import TypeEngine

from airport_payments.core.codec import to_us
from airport_payments.core.model import Change
from airport_payments.storage.sqlalchemy.bookings import Bookings
from airport_payments.storage.sqlalchemy.rows import index_rows
from airport_payments.storage.sqlalchemy.statements import (
    Statement,
    Statements,
    Values,
    bind,
    compiled,
)
from airport_payments.storage.sqlalchemy.tables import Tables

_ALL: Final = true()
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class PostgresqlStatements(Statements):
    """The statements of a save: for a booking's first ledger or a later one, with a new status or without."""

    def __init__(self, tables: Tables, dialect: Dialect) -> None:
        super().__init__(tables, dialect, returning=True)
        self._saves: Mapping[tuple[bool, bool], Statement] = {
            (first, settle): compiled(_save(tables, self.bookings, first=first, settle=settle), dialect)
            for first in (True, False)
            for settle in (True, False)
        }

    def save(self, change: Change, given: Values) -> tuple[Statement, Values]:
        """Return the statement that writes a change, and its values. It returns one row, or none if nothing was written."""
        values = {
            **given,
            "index": _index_document(change) if change.index else "[]",
            "notes": _notes_document(change) if change.history else "[]",
        }
        return self._saves[not change.read.ledger.version, change.booking_status is not None], values


def _text(name: str) -> ColumnElement[str]:
    return bindparam(name, type_=String)


def _number(name: str) -> ColumnElement[int]:
    return bindparam(name, type_=BigInteger)


def _save(tables: Tables, bookings: Bookings, *, first: bool, settle: bool) -> ClauseElement:
    team = select(_text("booking_id").label("booking_id")).select_from(bookings.table).where(bookings.as_read())
    if settle:
        # Locked first, so that no ledger is written for a row that the team is just changing. Not the stronger lock, which
        # would hold up whoever adds rows that refer to this one.
        team = team.with_for_update(key_share=True)
    written = (_first_ledger if first else _next_ledger)(tables, team.cte("team"))
    parts = [_index(tables, written), _history(tables, written)]
    if settle:
        parts.append(_settle(bookings, written))
    return select(written.c.booking_id).add_cte(*parts)


def _first_ledger(tables: Tables, team: CTE) -> CTE:
    """The first document, if the team's row is as read and nobody else wrote a first one."""
    ledgers = tables.ledgers
    values = [_number("new_version"), bindparam("document", type_=Text), _number("due_at_us")]
    statement = postgresql.insert(ledgers).from_select(
        ["booking_id", "version", "document", "due_at_us"], select(team.c.booking_id, *values)
    )
    return (
        statement.on_conflict_do_nothing(index_elements=["booking_id"]).returning(ledgers.c.booking_id).cte("written")
    )


def _next_ledger(tables: Tables, team: CTE) -> CTE:
    """The next document, if the last one and the team's row are as read."""
    ledgers = tables.ledgers
    return (
        update(ledgers)
        .where(ledgers.c.booking_id == team.c.booking_id, ledgers.c.version == bind("read_version"))
        .values(version=bind("new_version"), document=bind("document"), due_at_us=bind("due_at_us"))
        .returning(ledgers.c.booking_id)
        .cte("written")
    )


def _settle(bookings: Bookings, written: CTE) -> CTE:
    return (
        update(bookings.table)
        .where(bookings.is_id("read_id"), written.c.booking_id == _text("booking_id"))
        .values(bookings.settled)
        .returning(bookings.key)
        .cte("settled")
    )


def _rows_of(parameter: str, **columns: type[TypeEngine[Any]]) -> TableValuedAlias:
    """The rows of a JSON array of objects: as many as there are, in one parameter."""
    given = [column(name, type_) for name, type_ in columns.items()]
    document = sql_cast(bindparam(parameter, type_=Text), JSON)
    return func.json_to_recordset(document).table_valued(*given, name=parameter).render_derived(with_types=True)


def _index(tables: Tables, written: CTE) -> CTE:
    """The payments' rows, new or instead of the old ones."""
    payments = tables.payments
    columns = {
        "attempt_id": String,
        "intent_id": String,
        "state": String,
        "amount_minor": BigInteger,
        "currency": String,
    }
    new = _rows_of("index", place=Integer, **columns)
    # In their order, for "one payable" is checked after every row.
    rows = select(written.c.booking_id, *(new.c[name] for name in columns)).join_from(written, new, _ALL)
    statement = postgresql.insert(payments).from_select(["booking_id", *columns], rows.order_by(new.c.place))
    changed = {name: statement.excluded[name] for name in columns if name != "attempt_id"}
    return (
        statement.on_conflict_do_update(index_elements=["booking_id", "attempt_id"], set_=changed)
        .returning(payments.c.attempt_id)
        .cte("indexed")
    )


def _history(tables: Tables, written: CTE) -> CTE:
    """The new lines of the booking's story."""
    columns = {
        "line": Integer,
        "at_us": BigInteger,
        "fact": Text,
        "decision": Text,
        "event_id": String,
        "intent_id": String,
    }
    new = _rows_of("notes", **columns)
    rows = select(written.c.booking_id, _number("new_version"), *(new.c[name] for name in columns))
    statement = insert(tables.history).from_select(
        ["booking_id", "version", *columns], rows.join_from(written, new, _ALL)
    )
    return statement.returning(tables.history.c.line).cte("noted")


def _index_document(change: Change) -> str:
    return _encode(
        [
            {
                "place": place,
                "attempt_id": row.attempt_id,
                "intent_id": row.intent_id,
                "state": row.state.value,
                "amount_minor": row.amount.amount_minor,
                "currency": row.amount.currency,
            }
            for place, row in enumerate(index_rows(change))
        ]
    )


def _notes_document(change: Change) -> str:
    return _encode(
        [
            {
                "line": number,
                "at_us": to_us(line.at),
                "fact": line.fact,
                "decision": line.decision,
                "event_id": line.event_id,
                "intent_id": line.intent_id,
            }
            for number, line in enumerate(change.history)
        ]
    )
