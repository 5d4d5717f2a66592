"""An id of the team's table, which is a text to us."""

import re
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import BigInteger, Integer, String, Uuid, bindparam, cast, func, literal_column
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import Column
from sqlalchemy.sql.elements import BindParameter, ColumnElement

from airport_payments.storage.sqlalchemy.booking_table import is_padded, plain

_Raw: TypeAlias = Any  # as the driver gives it

# The one spelling of an integer: two spellings of one booking would be two bookings.
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_BIGGEST: Final = 2**63
_UUID_PARTS: Final = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))  # where the five parts begin, and how long they are


def same(value: _Raw) -> _Raw:
    """Return the value."""
    return value


class Word:
    """An id in their table, which is a text to us."""

    def __init__(self, column: Column[Any], dialect: Dialect) -> None:
        impl = column.type.dialect_impl(dialect)
        self._column = column
        self._bind = impl.bind_processor(dialect) or same
        self._result = impl.result_processor(dialect, None) or same
        kind = plain(column.type)
        self._is_uuid, self._is_integer = isinstance(kind, Uuid), isinstance(kind, Integer)
        self._as_uuid = isinstance(kind, Uuid) and kind.as_uuid
        self._padded = is_padded(column.type)
        self._native_uuid = self._is_uuid and dialect.type_compiler_instance.process(column.type) == "UUID"
        self._collation = getattr(plain(impl), "collation", None) or "default" if dialect.name == "postgresql" else None

    def bind(self, name: str) -> BindParameter[Any]:
        """Return a parameter. Not of the column's very type: to cast a long text to VARCHAR(20) cuts it off."""
        if self._is_uuid:
            return bindparam(name, type_=self._column.type)
        return bindparam(name, type_=BigInteger() if self._is_integer else String())

    def from_text(self, text: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a text of ours as a value that their column is compared with, so that their index is used."""
        if self._is_integer:
            return cast(text, BigInteger)
        if self._is_uuid:
            return (
                cast(text, self._column.type)
                if self._native_uuid
                else func.replace(text, literal_column("'-'"), literal_column("''"))
            )
        return text if self._collation is None else text.collate(self._collation)

    def as_text(self) -> ColumnElement[str]:
        """Return their column as a text of ours. An expression, so that no database walks through all ids in their order."""
        column: ColumnElement[Any] = self._column
        text: ColumnElement[str]
        if self._is_uuid and not self._native_uuid:
            parts = [func.substr(column, literal_column(str(at)), literal_column(str(n))) for at, n in _UUID_PARTS]
            text = parts[0]
            for part in parts[1:]:
                text = text.concat(literal_column("'-'")).concat(part)
        elif self._is_uuid or self._is_integer:
            text = cast(column, String)
        else:
            text = (func.rtrim(column) if self._padded else column).concat(literal_column("''"))
        return text if self._collation is None else text.collate("C")

    def store(self, text: str) -> _Raw | None:
        """Return a text as the driver takes it; None if it cannot be one of theirs, or is not spelt as theirs."""
        if self._is_integer:
            if not _INTEGER.fullmatch(text) or not -_BIGGEST <= int(text) < _BIGGEST:
                return None
            return self._bind(int(text))
        if self._is_uuid:
            try:
                value = UUID(text)
            except ValueError:
                return None
            return self._bind(value if self._as_uuid else text) if str(value) == text else None
        return self._bind(text)

    def load(self, value: _Raw) -> str:
        """Return one of theirs as text."""
        value = self._result(value)
        if self._is_uuid:
            return str(value if isinstance(value, UUID) else UUID(str(value)))
        return str(value).rstrip(" ") if self._padded else str(value)
