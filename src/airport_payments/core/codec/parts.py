"""What the pieces of a ledger's document are made of."""

from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias, cast

from airport_payments.core.errors import InternalError

Json: TypeAlias = "str | int | bool | None | list[Json] | dict[str, Json]"
Doc: TypeAlias = dict[str, Json]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class UnreadableLedger(InternalError):
    """The stored ledger was written by a newer version of this library, or is damaged. It is left alone."""


def to_us(moment: datetime) -> int:
    """Return an aware time as whole microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(number: int) -> datetime:
    """Return the aware UTC time of whole microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=number)


def maybe_us(number: Json) -> datetime | None:
    """Return the time of microseconds that may be missing."""
    return None if number is None else from_us(cast("int", number))
