"""What the library needs of a database: five methods, in both colours."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

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
