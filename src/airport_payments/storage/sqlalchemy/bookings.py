"""A `BookingTable` in one dialect: its columns in our statements, our values in its types, its rows as our bookings."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    DateTime,
    Enum,
    Numeric,
    String,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    not_,
    null,
    or_,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import Column
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.sql.selectable import FromClause
from sqlalchemy.types import TypeEngine

from airport_payments.core.errors import ConfigurationError, PaymentsError
from airport_payments.core.model import Booking, BookingStatus
from airport_payments.core.money import EXPONENTS, Money
from airport_payments.storage.sqlalchemy.booking_table import BookingTable, UnreadableBooking, plain
from airport_payments.storage.sqlalchemy.words import Word, same

_Raw: TypeAlias = Any  # as the driver gives it
Row: TypeAlias = Sequence[Any]
Convert: TypeAlias = Callable[[_Raw], _Raw]


class Bookings:
    """The team's table in one dialect.

    Attributes:
        columns: what a reading of a booking selects, in the order that `read` takes.
        key: the id's column.
        settled: the new status, for an UPDATE.
        priced: the new price, for an UPDATE.
        added: a whole booking, for an INSERT.
    """

    def __init__(self, given: BookingTable, dialect: Dialect) -> None:
        self._given, self._dialect = given, dialect
        self.table, self.key = given.table, given.id
        self._id, self._owner = Word(given.id, dialect), Word(given.owner, dialect)
        self._hold_until = None if given.hold_until is None else _Time(given.hold_until, dialect)
        self._bind_status, self._literal = _processors(given.status, dialect)
        self._ours = {self._stored(value): ours for ours, values in given.statuses.items() for value in values}
        self._theirs = {ours: self._stored(values[0]) for ours, values in given.statuses.items()}
        self._to_float = given.in_major_units and dialect.name == "sqlite"  # which has no decimals
        currency: ColumnElement[Any] = (
            literal_column(f"'{given.fixed_currency}'") if given.currency is None else given.currency
        )
        hold_until = null() if given.hold_until is None else given.hold_until
        self.columns: Sequence[ColumnElement[Any]] = [
            *(given.id, given.owner, given.amount, currency, given.status, hold_until)
        ]
        self.settled = {given.status.key: self._status("new_status")}
        self.priced = {given.amount.key: self._amount("p_amount")}
        if given.currency is not None:
            self.priced[given.currency.key] = bindparam("p_currency", type_=given.currency.type)
        self.added: dict[str, BindParameter[Any]] = {
            given.id.key: self._id.bind("p_id"),
            given.owner.key: self._owner.bind("p_owner"),
            **self.settled,
            **self.priced,
        }
        if given.hold_until is not None:
            self.added[given.hold_until.key] = bindparam("p_hold_until", type_=given.hold_until.type)

    def is_id(self, name: str) -> ColumnElement[bool]:
        """Return the condition that a row has the id of this parameter."""
        return self.key == self._id.bind(name)

    def as_read(self) -> ColumnElement[bool]:
        """Return the condition that the row is what the decision was made on."""
        given = self._given
        conditions = [
            self.is_id("read_id"),
            given.owner == self._owner.bind("read_owner"),
            given.amount == self._amount("read_amount"),
            self._status_as_read(),
        ]
        if given.currency is not None:
            conditions.append(self._code(given.currency) == bindparam("read_currency", type_=String))
        return and_(*conditions)

    def of(self, payments: FromClause) -> ColumnElement[bool]:
        """Return the condition that a row of ours, whose `booking_id` is a text, is about a row of theirs."""
        return self.key == self._id.from_text(payments.c.booking_id)

    def owned(self) -> tuple[ColumnElement[bool], ColumnElement[str]]:
        """Return the condition that a booking has the owner of a parameter, and its id as our text."""
        return self._given.owner == self._owner.bind("owner"), self._id.as_text()

    def owner_values(self, owner: str) -> dict[str, object] | None:
        """Return the values of `owned`; None if no row can have this owner."""
        value = self._owner.store(owner)
        return None if value is None else {"owner": value}

    def expired(self) -> tuple[ColumnElement[str], ColumnElement[bool]] | None:
        """Return the id of a pending booking as our text, and the condition that its hold is over; None without holds."""
        hold_until = self._given.hold_until
        if hold_until is None:
            return None
        over = hold_until <= bindparam("before", type_=hold_until.type)
        return self._id.as_text(), and_(self._is_pending(), over)

    def _is_pending(self) -> ColumnElement[bool]:
        status = self._given.status
        pending: list[ColumnElement[Any]] = [
            literal_column(self._literal(value)) for value in self._given.statuses[BookingStatus.PENDING]
        ]
        # One alone as our own partial index has it: SQLite takes that only for its very words.
        return status == pending[0] if len(pending) == 1 else status.in_(pending)

    def unwanted(self, payments: FromClause) -> ColumnElement[bool]:
        """Return the condition that the booking does not want this payment any more."""
        given, amount = self._given, self._given.amount
        if given.in_major_units:
            factors: list[tuple[ColumnElement[bool], ColumnElement[Any]]] = [
                (payments.c.currency.in_(_words(codes)), literal_column(str(10**n))) for n, codes in _EXPONENTS
            ]
            # Rounded, because SQLite multiplies floats. What is not exact is never payable.
            due: ColumnElement[Any] = func.round(cast(amount, Numeric) * case(*factors), literal_column("3"))
        else:
            due = amount
        currency = self._code(given.currency) if given.currency is not None else self.columns[3]
        return or_(not_(self._is_pending()), due != payments.c.amount_minor, currency != payments.c.currency)

    def _status(self, name: str) -> BindParameter[Any]:
        return bindparam(name, type_=self._given.status.type)

    def _status_as_read(self) -> ColumnElement[bool]:
        column, statuses = self._given.status, self._given.statuses
        if all(len(values) == 1 for values in statuses.values()):
            return column == self._status("read_status")
        ours: list[tuple[ColumnElement[bool], ColumnElement[str]]] = [
            (column.in_([literal_column(self._literal(value)) for value in values]), literal_column(f"'{status}'"))
            for status, values in statuses.items()
        ]
        return case(*ours) == bindparam("read_meaning", type_=String)

    def _amount(self, name: str) -> BindParameter[Any]:
        return bindparam(name, type_=Numeric() if self._given.in_major_units else BigInteger())

    def _code(self, column: Column[Any]) -> ColumnElement[str]:
        text = cast(column, Text) if isinstance(plain(column.type), Enum) else column
        return func.lower(text)

    def _stored(self, value: object) -> object:
        kind = plain(self._given.status.type)
        # SQLAlchemy lets words through that an Enum does not have.
        known = not isinstance(kind, Enum) or value in kind.enums or isinstance(value, kind.enum_class or ())
        try:
            self._literal(value)
            stored = self._bind_status(value)
        except (SQLAlchemyError, LookupError, TypeError, ValueError, AttributeError):
            known, stored = False, None
        if not known:
            raise ConfigurationError(
                f"BookingTable(statuses=…): the column {self._given.status.key} does not take {value!r:.80}"
            )
        return stored

    def due_values(self, before: datetime) -> dict[str, object]:
        """Return the values of `expired`."""
        return {} if self._hold_until is None else {"before": self._hold_until.store(before)}

    def id_values(self, booking_id: str, name: str = "p_id") -> dict[str, object] | None:
        """Return the values of `is_id`; None if no row can have this id."""
        value = self._id.store(booking_id)
        return None if value is None else {name: value}

    def read_values(self, read: Booking) -> dict[str, object] | None:
        """Return the values of `as_read`; None if no row can be like this."""
        key, owner = self._id.store(read.id), self._owner.store(read.owner)
        if key is None or owner is None or self._given.fixed_currency not in {None, read.price.currency}:
            return None
        return {
            "read_id": key,
            "read_owner": owner,
            "read_amount": self._number(read.price),
            "read_currency": read.price.currency,
            "read_status": self._theirs[read.status],
            "read_meaning": read.status.value,
        }

    def status_values(self, status: BookingStatus) -> dict[str, object]:
        """Return the value of a status to write."""
        return {"new_status": self._theirs[status]}

    def price_values(self, price: Money) -> dict[str, object]:
        """Return the values of a price to write.

        Raises:
            ConfigurationError: all bookings have another currency.
        """
        fixed = self._given.fixed_currency
        if fixed not in {None, price.currency}:
            raise ConfigurationError(f"BookingTable(currency=…): every booking is in {fixed}")
        return {"p_amount": self._number(price), "p_currency": price.currency}

    def booking_values(self, booking: Booking) -> dict[str, object] | None:
        """Return the values of a whole booking; None if no row can have its id or its owner."""
        key, owner = self._id.store(booking.id), self._owner.store(booking.owner)
        if key is None or owner is None:
            return None
        values = {
            "p_id": key,
            "p_owner": owner,
            **self.price_values(booking.price),
            **self.status_values(booking.status),
        }
        if self._hold_until is not None:
            values["p_hold_until"] = self._hold_until.store(booking.hold_until)
        return values

    def _number(self, price: Money) -> int | Decimal | float:
        if not self._given.in_major_units:
            return price.amount_minor
        return float(price.to_major()) if self._to_float else price.to_major()

    def read(self, row: Row) -> Booking:
        """Return the booking of a row of `columns`.

        Raises:
            UnreadableBooking: the row makes no sense.
        """
        key, owner, amount, currency, status, hold_until = row[:6]
        if key is None or owner is None or amount is None or currency is None or status is None:
            raise self._unreadable_null(row)
        ours = self._ours.get(status)
        if ours is None:
            raise _unreadable(
                self._given.status, "holds a status that is not listed: add it to BookingTable(statuses=…)"
            )
        held = None if hold_until is None or self._hold_until is None else self._hold_until.load(hold_until)
        return Booking(self._id.load(key), self._owner.load(owner), self._money(amount, currency), ours, held)

    def _money(self, amount: _Raw, currency: _Raw) -> Money:
        try:
            if self._given.in_major_units:
                exact = Decimal(repr(amount)) if isinstance(amount, float) else amount
                return Money.from_major(exact, currency)
            return Money(amount, currency if currency.islower() else currency.lower())
        except (PaymentsError, AttributeError, ArithmeticError) as error:
            # Money answers 400, because it mostly judges a caller's words. This is the team's row.
            reason = str(error) if isinstance(error, PaymentsError) else "no currency"
            raise _unreadable(
                self._given.amount, f"and its currency hold no price that can be paid ({reason})"
            ) from None

    def _unreadable_null(self, row: Row) -> UnreadableBooking:
        given = self._given
        columns = (given.id, given.owner, given.amount, given.currency, given.status)
        empty = next(
            column for column, value in zip(columns, row, strict=False) if value is None and column is not None
        )
        return _unreadable(empty, "is NULL: a booking that can be paid has a value there; make the column NOT NULL")


def _unreadable(column: Column[Any], what: str) -> UnreadableBooking:
    return UnreadableBooking(f"a row of the bookings table cannot be read: its column {column.key} {what}")


_EXPONENTS: Final = [
    (n, sorted(code for code, e in EXPONENTS.items() if e == n)) for n in sorted({*EXPONENTS.values()})
]


def _words(values: Sequence[str]) -> list[ColumnElement[str]]:
    return [literal_column(f"'{value}'") for value in values]


def _processors(column: Column[Any], dialect: Dialect) -> tuple[Convert, Callable[[Any], str]]:
    type_: TypeEngine[Any] = column.type.dialect_impl(dialect)
    literal = type_.literal_processor(dialect)
    if literal is None:
        raise ConfigurationError(f"BookingTable: the values of the column {column.key} cannot be written in SQL")
    bind = type_.bind_processor(dialect) or same
    if dialect.paramstyle in {"format", "pyformat"}:
        # Percent signs are doubled by the processor, and once more when the statement is compiled.
        return bind, lambda value: literal(value).replace("%%", "%")
    return bind, literal


class _Time:
    """A time in their table: aware, or naive and UTC."""

    def __init__(self, column: Column[Any], dialect: Dialect) -> None:
        impl = column.type.dialect_impl(dialect)
        self._column = column
        self._bind = impl.bind_processor(dialect) or same
        self._result = impl.result_processor(dialect, None) or same
        kind = plain(column.type)
        self._aware = not isinstance(kind, DateTime) or kind.timezone

    def store(self, moment: datetime | None) -> object:
        """Return a time as the driver takes it."""
        if moment is None:
            return None
        utc = moment.astimezone(UTC)
        return self._bind(utc if self._aware else utc.replace(tzinfo=None))

    def load(self, value: _Raw) -> datetime:
        """Return an aware UTC time."""
        found = self._result(value)
        if not isinstance(found, datetime):
            raise _unreadable(self._column, "holds no time")
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
