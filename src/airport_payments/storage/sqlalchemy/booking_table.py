"""The team's own bookings table: which of its columns say what. Nothing here asks a database."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias, cast

from sqlalchemy import CHAR, BigInteger, DateTime, Double, Enum, Float, Integer, Numeric, String, Table, Uuid
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import Column
from sqlalchemy.sql.selectable import FromClause
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override

from airport_payments.core.codec import from_us, to_us
from airport_payments.core.errors import ConfigurationError, InternalError
from airport_payments.core.model import BookingStatus
from airport_payments.core.money import EXPONENTS


class Microseconds(TypeDecorator[datetime]):
    """A time as whole microseconds since 1970, which is how the library's own tables keep it."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_us(value)

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_us(value)


class UnreadableBooking(InternalError):
    """A row of the team's bookings table makes no sense. The message names the column and says what to change."""


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


# A column's name, or the column itself: `table.c.price`, `Flight.price`.
ColumnRef: TypeAlias = str | _Keyed

_STATUSES: Final = {status.value: status for status in BookingStatus}


class BookingTable:
    """Maps the library onto a table that the team already has. Nothing is added to it, and only its status is written.

    Args:
        table: a `Table`, or a mapped class' `__table__`.
        id: strings, integers or UUIDs. An integer or a UUID has one spelling in URLs: its usual one.
        owner: the customer's id, as the Authenticator returns it: strings, integers or UUIDs.
        amount: the price. Integers are minor units (45099), `Numeric` is major units (450.99), read exactly or refused.
        currency: a column of ISO codes in any case, or one currency for all bookings, such as "eur".
        status: strings, integers or an `Enum`.
        statuses: for each of `pending`, `confirmed` and `cancelled` the value or the values that mean it. All are read;
            the first is written.
        hold_until: until when the booking may be paid; NULL for ever. Times without a zone are UTC.

    Raises:
        ConfigurationError: a column is not there or of a type that does not fit, such as Float for money, or the statuses
            are not complete.
    """

    def __init__(
        self,
        table: FromClause,
        *,
        id: ColumnRef,  # noqa: A002
        owner: ColumnRef,
        amount: ColumnRef,
        currency: ColumnRef,
        status: ColumnRef,
        statuses: Mapping[BookingStatus, object] | Mapping[str, object],
        hold_until: ColumnRef | None = None,
    ) -> None:
        if not isinstance(table, Table):
            raise ConfigurationError("BookingTable: give a sqlalchemy Table, or the `__table__` of a mapped class")
        self.table = cast("Table", table)
        self.id = self._column("id", id, String, Integer, Uuid)
        self.owner = self._column("owner", owner, String, Integer, Uuid)
        self.amount = self._amount(amount)
        self.fixed_currency = self._fixed_currency(currency)
        self.currency = None if self.fixed_currency else self._column("currency", currency, String, Enum)
        self.status = self._column("status", status, String, Integer, Enum)
        self.hold_until = None if hold_until is None else self._column("hold_until", hold_until, DateTime, Microseconds)
        self.statuses = _complete(statuses)

    @property
    def in_major_units(self) -> bool:
        """Whether the amounts are 450.99 and not 45099."""
        return not isinstance(plain(self.amount.type), Integer)

    def _column(self, name: str, ref: ColumnRef, *kinds: type[TypeEngine[Any]]) -> Column[object]:
        key = ref if isinstance(ref, str) else ref.key
        found = cast("Column[object] | None", self.table.c.get(key))
        if found is None:
            raise ConfigurationError(f"BookingTable({name}=…): the table {self.table.name} has no column {key!r:.80}")
        kind = found.type if isinstance(found.type, Microseconds) else plain(found.type)
        # An Enum is a String to SQLAlchemy, but no text that we could make up.
        if not isinstance(kind, kinds) or (isinstance(kind, Enum) and Enum not in kinds):
            words = " or ".join(k.__name__ for k in kinds if k not in {Float, Double, Microseconds})
            raise ConfigurationError(f"BookingTable({name}=…): the column {key} is {kind!r:.80}; it must be {words}")
        return found

    def _amount(self, ref: ColumnRef) -> Column[object]:
        column = self._column("amount", ref, Integer, Numeric, Float, Double)
        if isinstance(plain(column.type), Float | Double):
            raise ConfigurationError(
                f"BookingTable(amount=…): the column {column.key} is a Float, which holds no exact amounts: make it Numeric"
                " (major units) or Integer (minor units)"
            )
        return column

    def _fixed_currency(self, ref: ColumnRef) -> str | None:
        if not isinstance(ref, str) or ref in self.table.c:
            return None
        code = ref.lower()
        if code not in EXPONENTS:
            raise ConfigurationError(
                f"BookingTable(currency=…): {ref!r:.80} is neither a column of {self.table.name} nor a currency that"
                " Stripe takes"
            )
        return code


def plain(type_: TypeEngine[object]) -> TypeEngine[object]:
    """Return the type below a TypeDecorator."""
    return plain(type_.impl_instance) if isinstance(type_, TypeDecorator) else type_


def is_padded(type_: TypeEngine[object]) -> bool:
    """Whether the database fills strings up with blanks."""
    return isinstance(plain(type_), CHAR)


def _complete(
    statuses: Mapping[BookingStatus, object] | Mapping[str, object],
) -> dict[BookingStatus, tuple[object, ...]]:
    found: dict[BookingStatus, tuple[object, ...]] = {}
    seen: list[object] = []
    for name, given in statuses.items():
        if name not in _STATUSES:
            raise ConfigurationError(f"BookingTable(statuses=…): {name!r:.80} is none of {', '.join(_STATUSES)}")
        values = _several(given)
        if not values or None in values:
            raise ConfigurationError(f"BookingTable(statuses=…): {name} needs at least one value, and none may be None")
        if any(value in seen for value in values):
            raise ConfigurationError(f"BookingTable(statuses=…): a value of {name} means another status too")
        seen += values
        found[_STATUSES[name]] = values
    missing = [name for name, status in _STATUSES.items() if status not in found]
    if missing:
        raise ConfigurationError(f"BookingTable(statuses=…): say which values mean {' and '.join(missing)}")
    return found


def _several(given: object) -> tuple[object, ...]:
    """Return one value or several as a tuple."""
    if isinstance(given, Iterable) and not isinstance(given, str | bytes):
        return tuple(cast("Iterable[object]", given))
    return (given,)
