"""Every statement, written with SQLAlchemy and compiled once to the driver's own SQL.

Running a Core statement costs as much again as SQLite needs for it. So Core only writes them, and the driver runs them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import Table, and_, bindparam, insert, literal_column, or_, select, union, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ClauseElement, ColumnElement

from airport_payments.core.model import BookingStatus, IndexState
from airport_payments.storage.sqlalchemy.tables import LIVE, bookings, history, ledgers, metadata, payments

Value: TypeAlias = str | int | None
Values: TypeAlias = Mapping[str, Value]
Parameters: TypeAlias = tuple[Value, ...]

# The two dialects take the same upsert, each under a name of its own.
_UPSERTS: Final[dict[str, Callable[[Table], Any]]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL as the driver takes it, and how to put named values into the driver's order."""

    sql: str
    bind: Callable[[Values], Parameters]


class Statements:
    """The statements in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.create: Sequence[str] = [
            text
            for table in metadata.sorted_tables
            for text in (
                str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)),
                *(str(CreateIndex(i, if_not_exists=True).compile(dialect=dialect)) for i in _by_name(table.indexes)),
            )
        ]
        self.get = self._compile(_get())
        self.find = self._compile(select(payments.c.booking_id).where(payments.c.intent_id == _bind("intent_id")))
        self.due = self._compile(_due())
        self.history = self._compile(
            select(*history.c["at_us", "fact", "decision", "event_id", "intent_id"])
            .where(history.c.booking_id == _bind("booking_id"))
            .order_by(history.c.version, history.c.line)
        )
        self.first_ledger = self._compile(self._first_ledger())
        self.next_ledger = self._compile(_next_ledger())
        self.index = self._compile(self._index())
        self.note = self._compile(insert(history).values(_named(*history.c.keys())))
        self.settle = self._compile(update(bookings).where(_team_row_as_read()).values(status=_bind("new_status")))
        self.add_booking = self._compile(insert(bookings).values(_named(*bookings.c.keys())))
        self.set_status = self._compile(
            update(bookings).where(bookings.c.id == _bind("p_id")).values(status=_bind("p_status"))
        )
        self.set_price = self._compile(
            update(bookings)
            .where(bookings.c.id == _bind("p_id"))
            .values(amount_minor=_bind("p_amount_minor"), currency=_bind("p_currency"))
        )

    def _compile(self, statement: ClauseElement) -> Statement:
        compiled = cast("SQLCompiler", statement.compile(dialect=self._dialect))
        names = cast("list[str]", compiled.positiontup)
        pick: Callable[[Values], Any] = itemgetter(*names)
        return Statement(compiled.string, (lambda values: (pick(values),)) if len(names) == 1 else pick)

    def _first_ledger(self) -> ClauseElement:
        """The first document, if the team's row is as read and nobody else wrote a first one."""
        written = (_bind("new_version"), _bind("document"), _bind("due_at_us"))
        team_row = select(bookings.c.id, *written).where(_team_row_as_read())
        columns = ["booking_id", "version", "document", "due_at_us"]
        statement = _UPSERTS[self._dialect.name](ledgers).from_select(columns, team_row)
        return cast("ClauseElement", statement.on_conflict_do_nothing(index_elements=["booking_id"]))

    def _index(self) -> ClauseElement:
        """One payment's row, new or instead of the old one."""
        statement = _UPSERTS[self._dialect.name](payments).values(_named(*payments.c.keys()))
        new = statement.excluded
        changed = {name: new[name] for name in ("intent_id", "state", "amount_minor", "currency")}
        return cast(
            "ClauseElement",
            statement.on_conflict_do_update(index_elements=["booking_id", "attempt_id"], set_=changed),
        )


def _by_name(indexes: set[Any]) -> list[Any]:
    return sorted(indexes, key=lambda index: str(index.name))


def _bind(name: str) -> BindParameter[Any]:
    return bindparam(name)


def _named(*columns: str) -> dict[str, Any]:
    # The prefix keeps them apart from the names that SQLAlchemy makes of columns.
    return {name: _bind(f"p_{name}") for name in columns}


def _team_row_as_read() -> ColumnElement[bool]:
    return and_(
        bookings.c.id == _bind("read_id"),
        bookings.c.owner == _bind("read_owner"),
        bookings.c.amount_minor == _bind("read_amount_minor"),
        bookings.c.currency == _bind("read_currency"),
        bookings.c.status == _bind("read_status"),
    )


def _get() -> ClauseElement:
    return (
        select(
            *bookings.c["id", "owner", "amount_minor", "currency", "status", "hold_until_us"],
            *ledgers.c["version", "document"],
        )
        .join_from(bookings, ledgers, isouter=True)
        .where(bookings.c.id == _bind("booking_id"))
    )


def _next_ledger() -> ClauseElement:
    """The next document, if the last one and the team's row are as read."""
    return (
        update(ledgers)
        .where(
            ledgers.c.booking_id == _bind("read_id"),
            ledgers.c.version == _bind("read_version"),
            select(bookings.c.id).where(_team_row_as_read()).exists(),
        )
        .values(version=_bind("new_version"), document=_bind("document"), due_at_us=_bind("due_at_us"))
    )


def _due() -> ClauseElement:
    """What is due by its ledger, and what has a payable payment that its booking does not want any more."""
    after = _bind("after")
    # Without statistics, SQLite would rather walk through all ledgers in the right order than sort the few that are due.
    # It cannot where the id is an expression.
    booking_id = ledgers.c.booking_id.concat(literal_column("''"))
    by_ledger = select(booking_id.label("booking_id")).where(
        ledgers.c.due_at_us <= _bind("before_us"), booking_id > after
    )
    unwanted = (
        select(payments.c.booking_id)
        .join_from(payments, bookings, bookings.c.id == payments.c.booking_id)
        .where(
            LIVE,
            payments.c.state == literal_column(f"'{IndexState.PAYABLE}'"),
            payments.c.booking_id > after,
            or_(
                bookings.c.status != literal_column(f"'{BookingStatus.PENDING}'"),
                bookings.c.amount_minor != payments.c.amount_minor,
                bookings.c.currency != payments.c.currency,
            ),
        )
    )
    both = union(by_ledger, unwanted)
    # Without an offset, SQLAlchemy's SQLite adds one as a parameter.
    page = both.order_by(both.selected_columns.booking_id).limit(_bind("limit"))
    return page.offset(literal_column("0"))
