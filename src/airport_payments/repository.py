"""What the library needs of a database: five methods, and three more to forget with, in both colours."""

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias

from airport_payments.core.errors import ConfigurationError
from airport_payments.core.model import Change, HistoryLine, Snapshot


class BookingRepository(Protocol):
    """The team's database, as the gateway sees it. Every method may raise `StorageUnavailable`."""

    def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, read at one moment; None if there is no such booking."""
        ...

    def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        ...

    def save(self, change: Change) -> bool:
        """Write a whole change in one transaction, or nothing.

        Returns:
            True when it was written. False when something moved on: the stored ledger's version is not
            `change.read.ledger.version`, or the team's row has another owner, price or status than `change.read.booking`,
            or another payment of the booking is already payable. Then nothing was written.
        """
        ...

    def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due, in ascending order, those greater than `after`, at most `limit`.

        Due is a booking whose ledger is due at or before `before`, and one whose payable payment the team's row does not
        want any more: it is not pending, or its price is another. So is a pending one whose `hold_until` is at or before
        `before`, unless one of its payments is already being closed.
        """
        ...

    def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        ...


class KeepingRepository(BookingRepository, Protocol):
    """What a repository also has if `prune` and `erase_customer` are to work. It is optional."""

    def newest(self, *, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]:
        """Return the bookings with a ledger, and the time of the last line of each one's history, None without lines.

        In ascending order of their ids, those greater than `after`, at most `limit`.
        """
        ...

    def owned_by(self, owner: str, *, after: str | None, limit: int) -> Sequence[str]:
        """Return the ids of a customer's bookings in ascending order, those greater than `after`, at most `limit`."""
        ...

    def forget(self, booking_id: str, *, version: int, before: datetime | None) -> None:
        """Delete a booking's history before a time, all of it with None, if its ledger has this version."""
        ...


class AsyncBookingRepository(Protocol):
    """The team's database, as the async gateway sees it. Every method may raise `StorageUnavailable`."""

    async def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, read at one moment; None if there is no such booking."""
        ...

    async def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        ...

    async def save(self, change: Change) -> bool:
        """Write a whole change in one transaction, or nothing.

        Returns:
            True when it was written. False when something moved on: the stored ledger's version is not
            `change.read.ledger.version`, or the team's row has another owner, price or status than `change.read.booking`,
            or another payment of the booking is already payable. Then nothing was written.
        """
        ...

    async def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due, in ascending order, those greater than `after`, at most `limit`.

        Due is a booking whose ledger is due at or before `before`, and one whose payable payment the team's row does not
        want any more: it is not pending, or its price is another. So is a pending one whose `hold_until` is at or before
        `before`, unless one of its payments is already being closed.
        """
        ...

    async def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        ...


class AsyncKeepingRepository(AsyncBookingRepository, Protocol):
    """What a repository also has if `prune` and `erase_customer` are to work. It is optional."""

    async def newest(self, *, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]:
        """Return the bookings with a ledger, and the time of the last line of each one's history, None without lines.

        In ascending order of their ids, those greater than `after`, at most `limit`.
        """
        ...

    async def owned_by(self, owner: str, *, after: str | None, limit: int) -> Sequence[str]:
        """Return the ids of a customer's bookings in ascending order, those greater than `after`, at most `limit`."""
        ...

    async def forget(self, booking_id: str, *, version: int, before: datetime | None) -> None:
        """Delete a booking's history before a time, all of it with None, if its ledger has this version."""
        ...


Rule: TypeAlias = Callable[[Snapshot], Change | None]


def get_and_save_of(repository: object) -> Callable[..., Any] | None:
    """Return how a repository of ours reads and saves over one connection, None if it has no such method.

    None also where somebody has put another `get` or `save` in the place of ours, in a derived class or on the object, as
    tests do: those are called then.
    """
    found = vars(type(repository)).get("get_and_save")
    if found is None or not _REPLACED.isdisjoint(vars(repository)):
        return None
    return functools.partial(found, repository)


_REPLACED: Final = frozenset({"get", "save"})
_KEEPING: Final = ("newest", "owned_by", "forget")


def check_keeping(repository: object) -> None:
    """Raise `ConfigurationError` unless a repository is a `KeepingRepository`, of either colour."""
    missing = [name for name in _KEEPING if not callable(getattr(repository, name, None))]
    if missing:
        raise ConfigurationError(
            f"your repository ({type(repository).__name__}) cannot forget: give it {', '.join(missing)}, as"
            " KeepingRepository says"
        )
