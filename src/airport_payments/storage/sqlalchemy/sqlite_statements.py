"""SQLite's own statements: a save is one for each table."""

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.elements import ClauseElement

from airport_payments.storage.sqlalchemy.bookings import Bookings
from airport_payments.storage.sqlalchemy.statements import Statements, bind, compiled, named
from airport_payments.storage.sqlalchemy.tables import Tables


class SqliteStatements(Statements):
    """The statements of a save, one for each table."""

    def __init__(self, tables: Tables, dialect: Dialect) -> None:
        super().__init__(tables, dialect)
        bookings = self.bookings
        self.first_ledger = compiled(_first_ledger(tables, bookings), dialect)
        self.next_ledger = compiled(_next_ledger(tables, bookings), dialect)
        self.index = compiled(_index(tables), dialect)
        self.note = compiled(insert(tables.history).values(named(*tables.history.c.keys())), dialect)
        self.settle = compiled(update(bookings.table).where(bookings.as_read()).values(bookings.settled), dialect)


def _first_ledger(tables: Tables, bookings: Bookings) -> ClauseElement:
    """The first document, if the team's row is as read and nobody else wrote a first one."""
    written = (bind("new_version"), bind("document"), bind("due_at_us"))
    team_row = select(bind("booking_id"), *written).select_from(bookings.table).where(bookings.as_read())
    columns = ["booking_id", "version", "document", "due_at_us"]
    statement = sqlite.insert(tables.ledgers).from_select(columns, team_row)
    return statement.on_conflict_do_nothing(index_elements=["booking_id"])


def _next_ledger(tables: Tables, bookings: Bookings) -> ClauseElement:
    """The next document, if the last one and the team's row are as read."""
    ledgers = tables.ledgers
    return (
        update(ledgers)
        .where(
            ledgers.c.booking_id == bind("booking_id"),
            ledgers.c.version == bind("read_version"),
            select(bookings.key).where(bookings.as_read()).exists(),
        )
        .values(version=bind("new_version"), document=bind("document"), due_at_us=bind("due_at_us"))
    )


def _index(tables: Tables) -> ClauseElement:
    """One payment's row, new or instead of the old one."""
    statement = sqlite.insert(tables.payments).values(named(*tables.payments.c.keys()))
    new = statement.excluded
    changed = {name: new[name] for name in ("intent_id", "state", "amount_minor", "currency")}
    return statement.on_conflict_do_update(index_elements=["booking_id", "attempt_id"], set_=changed)
