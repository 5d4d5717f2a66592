"""Forgetting what is not needed any more. What that is, `core.keeping` says."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, cast

from airport_payments.core.errors import InternalError
from airport_payments.core.ids import check_owner
from airport_payments.core.keeping import EraseReport, PruneReport, check_before, check_pages, forgetting, is_settled
from airport_payments.reporting import log_unreadable
from airport_payments.repository import BookingRepository, KeepingRepository, check_keeping

# How many bookings are asked for at once.
PAGE: Final = 100
# A webhook or a worker may be at the same booking. Who loses this often leaves it to the next run.
MAX_CONFLICTS: Final = 10


class Keeping:
    """The methods of `PaymentGateway` that forget."""

    def __init__(self, repository: BookingRepository, clock: Callable[[], datetime]) -> None:
        self._repository = repository
        self._clock = clock

    def prune(
        self, before: datetime, *, after: str | None = None, limit: int = 1000, dry_run: bool = False
    ) -> PruneReport:
        """Forget the history, and details of the ledger, of bookings to which nothing happened since `before`.

        Nothing is forgotten of a booking whose money is still moving, or that waits for a person: a payment that can be
        paid, a refund under way, an undecided dispute, money in review, a command or an announcement that is not done.
        What goes is never asked again: `payment_status`, `confirm_payment` and every later event are answered as before.

        It may run at any time, beside everything else, and again after it was killed.

        Args:
            before: aware, not in the future. A booking with a newer line in its history is left alone.
            after: the last report's `after`, None for the first call.
            limit: how many bookings to look at, 1 to 100,000.
            dry_run: only count.

        Raises:
            InvalidRequest: a malformed argument.
            ConfigurationError: your repository has not the methods of `KeepingRepository`.
            StorageUnavailable: try again.
        """
        check_before(before, self._clock())
        check_pages(after, limit)
        tables = self._tables()
        looked_at = pruned = lines = moving = 0
        while looked_at < limit:
            size = min(PAGE, limit - looked_at)
            page = tables.newest(after=after, limit=size)
            for booking_id, newest in page:
                after = booking_id
                looked_at += 1
                if newest is None or newest >= before:
                    continue
                gone = self._forget(tables, booking_id, before, dry_run=dry_run)
                pruned += gone is not None
                moving += gone is None
                lines += gone or 0
            if len(page) < size:
                return PruneReport(looked_at, pruned, lines, moving, None)
        return PruneReport(looked_at, pruned, lines, moving, after)

    def erase_customer(self, owner: str, *, after: str | None = None, limit: int = 1000) -> EraseReport:
        """Forget of a customer's bookings whatever the library can do without: as `prune`, however new it is.

        Your own rows are yours to change, and so is what Stripe keeps. Call it first, for it finds the bookings by their
        owner.

        Args:
            owner: the customer's id, as your rows have it.
            after: the last report's `after`, None for the first call.
            limit: how many bookings to look at, 1 to 100,000.

        Returns:
            The bookings of which nothing more can be forgotten, and those whose money is still moving: try these later.

        Raises:
            InvalidRequest: a malformed argument.
            ConfigurationError: your repository has not the methods of `KeepingRepository`.
            StorageUnavailable: try again.
        """
        check_owner(owner)
        check_pages(after, limit)
        tables = self._tables()
        erased: list[str] = []
        moving: list[str] = []
        lines = 0
        while len(erased) + len(moving) < limit:
            size = min(PAGE, limit - len(erased) - len(moving))
            page = tables.owned_by(owner, after=after, limit=size)
            for booking_id in page:
                after = booking_id
                gone = self._forget(tables, booking_id, None, dry_run=False)
                (moving if gone is None else erased).append(booking_id)
                lines += gone or 0
            if len(page) < size:
                return EraseReport(tuple(erased), lines, tuple(moving), None)
        return EraseReport(tuple(erased), lines, tuple(moving), after)

    def _tables(self) -> KeepingRepository:
        check_keeping(self._repository)
        return cast("KeepingRepository", self._repository)

    def _forget(
        self, tables: KeepingRepository, booking_id: str, before: datetime | None, *, dry_run: bool
    ) -> int | None:
        """Forget what may be forgotten of one booking. Returns how many lines went; None if it is not settled.

        First the ledger, then the history: whoever is killed between the two finds the booking again by its history.
        """
        for _ in range(MAX_CONFLICTS):
            try:
                snapshot = tables.get(booking_id)
            except InternalError as error:
                log_unreadable(booking_id, error)  # it must not keep all the others
                return None
            if snapshot is None or not is_settled(snapshot.ledger):
                return None
            lines = [line for line in tables.history(booking_id) if before is None or line.at < before]
            version = snapshot.ledger.version
            change = forgetting(snapshot)
            if dry_run:
                return len(lines)
            if change is None or tables.save(change):
                version = version if change is None else change.ledger.version
                tables.forget(booking_id, version=version, before=before)
                return len(lines)
        return None
