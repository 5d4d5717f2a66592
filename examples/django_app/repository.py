"""The library's `KeepingRepository` on the Django ORM, on SQLite and PostgreSQL.

Of your own model it reads six fields, in `_booking` and `_as_read`: change their names there.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, IntegrityError, InterfaceError, OperationalError, connections, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Collate

from airport_payments import Booking, BookingStatus, Change, HistoryLine, Ledger, Money, Snapshot, StorageUnavailable
from airport_payments.core import codec
from airport_payments.core.model import IndexState

from . import models

# Somebody else was faster: a unique row is there already, or PostgreSQL asks to try the transaction again.
LOST_RACES = frozenset({"23505", "40001", "40P01", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
# In which ids are compared: byte by byte, whatever the database's language is.
BYTE_BY_BYTE = {"postgresql": "C", "sqlite": "BINARY"}


class DjangoBookingRepository:
    """The library's part of the database. Every method may raise `StorageUnavailable`.

    Args:
        using: the alias of the database.
    """

    def __init__(self, using: str = DEFAULT_DB_ALIAS) -> None:
        self._using = using

    def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger, read in one statement; None if there is no such booking."""
        fields = (
            "id",
            "owner",
            "amount_minor",
            "currency",
            "status",
            "hold_until",
            "ledger__version",
            "ledger__document",
        )
        with self._answering():
            row = self._bookings().filter(pk=booking_id).values_list(*fields).first()
        if row is None:
            return None
        version, document = row[6:]
        return Snapshot(_booking(*row[:6]), Ledger() if version is None else codec.load(document, version))

    def find(self, payment_intent_id: str) -> str | None:
        """Return the id of the booking that has this PaymentIntent, None if none has."""
        with self._answering():
            found = self._of(models.PaymentRow).filter(intent_id=payment_intent_id)
            return found.values_list("booking_id", flat=True).first()

    def save(self, change: Change) -> bool:
        """Write a whole change in one transaction; or nothing, and return False."""
        with self._answering():
            try:
                # durable: True means committed. Inside a transaction of somebody else's, Django raises instead.
                with transaction.atomic(self._using, durable=True):
                    return self._write(change)  # it writes nothing before it knows that all of it fits
            except (IntegrityError, OperationalError) as error:
                if _why(error) in LOST_RACES:
                    return False
                raise

    def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return ids of bookings with something due, in ascending order, those greater than `after`, at most `limit`."""
        wanted = Q(booking__status=BookingStatus.PENDING, amount_minor=F("booking__amount_minor"))
        closing = self._of(models.PaymentRow).filter(booking=OuterRef("pk"), state=IndexState.CLOSING)
        held = Q(status=BookingStatus.PENDING, hold_until__lte=before)
        ledgers = self._of(models.Ledger).filter(due_at__lte=before)
        payable = self._of(models.PaymentRow).filter(state=IndexState.PAYABLE)
        unwanted = payable.exclude(wanted & Q(currency=F("booking__currency")))
        ended = self._bookings().filter(held).exclude(Exists(closing))
        first, *others = [
            self._page(kind, after, key).values_list("key", flat=True)
            for kind, key in ((ledgers, "booking_id"), (unwanted, "booking_id"), (ended, "pk"))
        ]
        with self._answering():
            return list(first.union(*others).order_by("key")[: max(limit, 0)])

    def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return the booking's story, oldest first."""
        rows = self._of(models.HistoryRow).filter(booking=booking_id).order_by("version", "line")
        with self._answering():
            return [HistoryLine(*row) for row in rows.values_list("at", "fact", "decision", "event_id", "intent_id")]

    # ---- for `prune` and `erase_customer`; leave these three out if you need neither ----

    def newest(self, *, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]:
        """Return the bookings with a ledger, and the time of the last line of each one's history, None without lines."""
        lines = self._of(models.HistoryRow).filter(booking=OuterRef("pk")).order_by("-version", "-line")
        page = self._page(self._bookings().filter(ledger__isnull=False), after).order_by("key")
        found = page.annotate(last=Subquery(lines.values("at")[:1])).values_list("key", "last")
        with self._answering():
            return list(found[: max(limit, 0)])

    def owned_by(self, owner: str, *, after: str | None, limit: int) -> Sequence[str]:
        """Return the ids of a customer's bookings in ascending order, those greater than `after`, at most `limit`."""
        page = self._page(self._bookings().filter(owner=owner), after).order_by("key")
        with self._answering():
            return list(page.values_list("key", flat=True)[: max(limit, 0)])

    def forget(self, booking_id: str, *, version: int, before: datetime | None) -> None:
        """Delete a booking's history before a time, all of it with None, if its ledger has this version."""
        lines = self._of(models.HistoryRow).filter(booking=booking_id, booking__ledger__version=version)
        with self._answering():
            (lines if before is None else lines.filter(at__lt=before)).delete()

    # ---- inside ----

    def _write(self, change: Change) -> bool:
        """Write a change, unless something moved on."""
        read, ledger, seen = change.read.booking, change.ledger, change.read.ledger.version
        # On PostgreSQL the row stays as it was read until the end; on SQLite nobody else writes meanwhile.
        if not list(self._bookings().select_for_update(no_key=True).filter(_as_read(read)).values_list("pk")):
            return False
        values = {"version": ledger.version, "document": codec.dump(ledger), "due_at": change.due_at}
        if not seen:
            self._of(models.Ledger).create(booking_id=read.id, **values)
        elif not self._of(models.Ledger).filter(booking=read.id, version=seen).update(**values):
            return False
        # Those that close a payment first: "one payable" is checked after each row.
        rows = sorted(change.index, key=lambda row: row.state is not IndexState.CLOSED)
        self._of(models.PaymentRow).bulk_create(
            [
                models.PaymentRow(
                    booking_id=read.id, attempt_id=row.attempt_id, intent_id=row.intent_id, state=row.state.value,
                    amount_minor=row.amount.amount_minor, currency=row.amount.currency,
                )
                for row in rows
            ],
            update_conflicts=True, unique_fields=["booking", "attempt_id"],
            update_fields=["intent_id", "state", "amount_minor", "currency"],
        )  # fmt: skip
        self._of(models.HistoryRow).bulk_create(
            models.HistoryRow(
                booking_id=read.id, version=ledger.version, line=number, at=line.at, fact=line.fact,
                decision=line.decision, event_id=line.event_id, intent_id=line.intent_id,
            )
            for number, line in enumerate(change.history)
        )  # fmt: skip
        if change.booking_status is not None:
            self._bookings().filter(pk=read.id).update(status=change.booking_status.value)
        return True

    def _of(self, model: Any) -> Any:
        return model.objects.using(self._using)

    def _bookings(self) -> Any:
        return self._of(models.Booking)

    def _page(self, rows: Any, after: str | None, key: str = "pk") -> Any:
        """Return these rows with the ids of their bookings as `key`, those greater than `after`."""
        collation = BYTE_BY_BYTE[connections[self._using].vendor]
        return rows.annotate(key=Collate(key, collation)).filter(key__gt=after or "")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Say that the database does not answer in the library's words, and let go of a connection that broke."""
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            connection = connections[self._using]
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
            raise StorageUnavailable(type(error).__name__) from None


def _booking(key: str, owner: str, amount: int, currency: str, status: str, hold_until: datetime | None) -> Booking:
    return Booking(key, owner, Money(amount, currency), BookingStatus(status), hold_until)


def _as_read(read: Booking) -> Q:
    """Match the row if it is still what the decision was made about."""
    price = read.price
    return Q(
        pk=read.id, owner=read.owner, amount_minor=price.amount_minor, currency=price.currency, status=read.status.value
    )


def _why(error: Exception) -> str | None:
    """Return what the database calls this error: PostgreSQL's code, or SQLite's name."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
