"""Statements, written with SQLAlchemy and compiled once to the driver's own SQL. Here are those that all dialects share.

Running a Core statement costs as much again as the database needs for it. So Core only writes them, and the driver runs
them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias, cast

from sqlalchemy import BigInteger, String, Table, and_, bindparam, delete, insert, literal_column, select, union, update
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import Column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ClauseElement, ColumnElement

from airport_payments.core.model import IndexState
from airport_payments.storage.sqlalchemy.bookings import Bookings
from airport_payments.storage.sqlalchemy.migrations import Migrations
from airport_payments.storage.sqlalchemy.tables import Tables

Values: TypeAlias = Mapping[str, object]
# In the driver's order, or by name where the driver takes names.
Parameters: TypeAlias = tuple[object, ...] | dict[str, object]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL as the driver takes it, and how to put named values into the driver's shape."""

    sql: str
    bind: Callable[[Values], Parameters]


def compiled(statement: ClauseElement, dialect: Dialect) -> Statement:
    """Return a statement as the dialect's driver takes it."""
    made = cast("SQLCompiler", statement.compile(dialect=dialect))
    if not made.positional:
        return Statement(made.string, _by_name(sorted(made.binds)))
    names = cast("list[str]", made.positiontup)
    pick: Callable[[Values], Any] = itemgetter(*names)
    return Statement(made.string, (lambda values: (pick(values),)) if len(names) == 1 else pick)


def _by_name(names: Sequence[str]) -> Callable[[Values], Parameters]:
    # psycopg alone takes names. It tells the server how large each int is, and would prepare a statement again for each
    # combination of sizes; as text, they all are what the statement casts them to.
    def bind(values: Values) -> Parameters:
        return {name: str(value) if isinstance(value := values[name], int) else value for name in names}

    return bind


class Statements:
    """The statements that all dialects share."""

    def __init__(self, tables: Tables, dialect: Dialect, *, returning: bool = False) -> None:
        """Take `returning`: whether a statement says what it wrote by RETURNING, and not by a count of rows."""
        self.migrations = Migrations(tables, dialect)
        self.look = Statement(self.migrations.look, lambda _: ())
        self.bookings = bookings = Bookings(tables.bookings, dialect)
        payments, history = tables.payments, tables.history
        self.get = compiled(_get(tables, bookings), dialect)
        self.find = compiled(select(payments.c.booking_id).where(payments.c.intent_id == bind("intent_id")), dialect)
        self.due = compiled(_due(tables, bookings), dialect)
        self.history = compiled(
            select(*history.c["at_us", "fact", "decision", "event_id", "intent_id"])
            .where(history.c.booking_id == bind("booking_id"))
            .order_by(history.c.version, history.c.line),
            dialect,
        )
        self.newest = compiled(_newest(tables), dialect)
        self.owned_by = compiled(_owned_by(bookings), dialect)
        self.forget = compiled(_forget(tables, returning=returning), dialect)
        table, this = bookings.table, update(bookings.table).where(bookings.is_id("p_id"))
        said: list[Column[Any]] = [bookings.key] if returning else []
        self.add_booking = compiled(insert(table).values(bookings.added).returning(*said), dialect)
        self.set_status = compiled(this.values(bookings.settled).returning(*said), dialect)
        self.set_price = compiled(this.values(bookings.priced).returning(*said), dialect)


def bind(name: str) -> BindParameter[Any]:
    """Return a parameter that takes its type from what it is compared with."""
    return bindparam(name)


def named(*columns: str) -> dict[str, Any]:
    """Return a parameter for each column. The prefix keeps them apart from the names that SQLAlchemy makes of columns."""
    return {name: bind(f"p_{name}") for name in columns}


def _get(tables: Tables, bookings: Bookings) -> ClauseElement:
    ledgers = tables.ledgers
    # Ids of theirs may be of another type than ours: so each side is compared with a value of its own.
    joined = bookings.table.outerjoin(ledgers, ledgers.c.booking_id == bind("booking_id"))
    return (
        select(*bookings.columns, *ledgers.c["version", "document"])
        .select_from(joined)
        .where(bookings.is_id("read_id"))
    )


def _due(tables: Tables, bookings: Bookings) -> ClauseElement:
    """What is due by its ledger, by a payable payment that its booking does not want any more, or by a hold that is over."""
    ledgers, payments = tables.ledgers, tables.payments
    after = bindparam("after", type_=String)
    # Without statistics, SQLite would rather walk through all ledgers in the right order than sort the few that are due.
    # It cannot where the id is an expression.
    booking_id = ledgers.c.booking_id.concat(literal_column("''"))
    parts = [
        select(booking_id.label("booking_id")).where(ledgers.c.due_at_us <= bind("before_us"), booking_id > after),
        select(payments.c.booking_id)
        .join_from(payments, bookings.table, bookings.of(payments))
        .where(_has_state(payments, IndexState.PAYABLE), payments.c.booking_id > after, bookings.unwanted(payments)),
    ]
    expired = bookings.expired()
    if expired is not None:
        key, is_over = expired
        closing = select(payments.c.attempt_id).where(
            _has_state(payments, IndexState.CLOSING), payments.c.booking_id == key
        )
        parts.append(
            select(key.label("booking_id")).where(is_over, key > after, ~closing.correlate(bookings.table).exists())
        )
    all_parts = union(*parts)
    page = all_parts.order_by(all_parts.selected_columns.booking_id).limit(bindparam("limit", type_=BigInteger))
    # Without an offset, SQLAlchemy's SQLite adds one as a parameter.
    return page.offset(literal_column("0"))


def _newest(tables: Tables) -> ClauseElement:
    """The next ledgers in the order of their ids, each with the time of its last line. It reads no more than the page."""
    ledgers, history = tables.ledgers, tables.history
    last = (
        select(history.c.at_us)
        .where(history.c.booking_id == ledgers.c.booking_id)
        .order_by(history.c.version.desc(), history.c.line.desc())
        .limit(literal_column("1"))
        .offset(literal_column("0"))
    )
    rows = select(ledgers.c.booking_id, last.scalar_subquery()).where(
        ledgers.c.booking_id > bindparam("after", type_=String)
    )
    page = rows.order_by(ledgers.c.booking_id).limit(bindparam("limit", type_=BigInteger))
    return page.offset(literal_column("0"))


def _owned_by(bookings: Bookings) -> ClauseElement:
    """A customer's bookings. That is as quick as the team's own index on the owner."""
    owner, key = bookings.owned()
    page = select(key).where(owner, key > bindparam("after", type_=String)).order_by(key)
    return page.limit(bindparam("limit", type_=BigInteger)).offset(literal_column("0"))


def _forget(tables: Tables, *, returning: bool) -> ClauseElement:
    """Lines of a booking's history, if its ledger is of the version that was read."""
    ledgers, history = tables.ledgers, tables.history
    as_read = select(ledgers.c.booking_id).where(
        ledgers.c.booking_id == bind("booking_id"), ledgers.c.version == bind("read_version")
    )
    gone = delete(history).where(
        history.c.booking_id == bind("history_of"), history.c.at_us < bind("before_us"), as_read.exists()
    )
    return gone.returning(history.c.line) if returning else gone


def _has_state(payments: Table, state: IndexState) -> ColumnElement[bool]:
    """Return the words of the partial index, and then those that are meant."""
    live = payments.c.state.in_([_word(IndexState.PAYABLE), _word(IndexState.CLOSING)])
    return and_(live, payments.c.state == _word(state))


def _word(value: str) -> ColumnElement[str]:
    return literal_column(f"'{value}'")
