"""The tables. Times are whole microseconds since 1970, amounts are minor units."""

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    and_,
    literal_column,
    text,
)

from airport_payments.core.errors import ConfigurationError
from airport_payments.core.model import BookingStatus
from airport_payments.storage.sqlalchemy.booking_table import BookingTable, Microseconds

# Ids are listed in the order of their bytes, whatever language a PostgreSQL database sorts by. SQLite does so anyhow.
_ID: Final = String(128).with_variant(String(128, collation="C"), "postgresql")

# One text for the index and for the queries that mean to use it: SQLite takes a partial index only for its very words.
LIVE: Final = text("state IN ('payable', 'closing')")


# PostgreSQL cuts a name off after 63 bytes; the longest of ours adds 20.
_PREFIX: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one repository.

    Args:
        metadata: what `create_tables` creates: ours, and the default bookings table where it stands for the team's.
        bookings: the team's own table. The library reads it, and writes nothing to it but the status.
        taken: the names of the unique indexes whose violation is a conflict: another payment was faster.
        prefix: what the names of ours begin with.
    """

    metadata: MetaData
    bookings: BookingTable
    ledgers: Table
    payments: Table
    history: Table
    taken: frozenset[str]
    prefix: str


def build(bookings: BookingTable | None = None, *, prefix: str = "airport_", schema: str | None = None) -> Tables:
    """Return a set of tables with a MetaData of its own.

    Raises:
        ConfigurationError: the prefix is no plain name.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError("prefix: up to 40 lower-case letters, digits and underscores, and no digit first")
    metadata = MetaData(schema=schema)
    theirs = bookings or _bookings(metadata, prefix)
    # A table of the team's may have ids of another type, and rows that are deleted: nothing of ours refers to it.
    ledgers = _ledgers(metadata, prefix, None if bookings else theirs)
    payments, taken = _payments(metadata, prefix)
    return Tables(metadata, theirs, ledgers, payments, _history(metadata, prefix), taken, prefix)


def _bookings(metadata: MetaData, prefix: str) -> BookingTable:
    table = Table(
        f"{prefix}bookings",
        metadata,
        Column("id", _ID, primary_key=True),
        Column("owner", Text, nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", String(3), nullable=False),
        Column("status", String(16), nullable=False),
        Column("hold_until_us", Microseconds),
    )
    # Finds the holds that are over. The words are those that `due` uses.
    held = and_(table.c.status == literal_column("'pending'"), table.c.hold_until_us.is_not(None))
    Index(f"{prefix}bookings_hold", table.c.hold_until_us, sqlite_where=held, postgresql_where=held)
    return BookingTable(
        table,
        id="id",
        owner="owner",
        amount="amount_minor",
        currency="currency",
        status="status",
        statuses={status: status.value for status in BookingStatus},
        hold_until="hold_until_us",
    )


def _ledgers(metadata: MetaData, prefix: str, bookings: BookingTable | None) -> Table:
    reference = [ForeignKey(bookings.id)] if bookings else []
    table = Table(
        f"{prefix}ledgers",
        metadata,
        Column("booking_id", _ID, *reference, primary_key=True),
        Column("version", BigInteger, nullable=False),
        Column("document", Text, nullable=False),
        Column("due_at_us", BigInteger),
    )
    some = table.c.due_at_us.is_not(None)
    Index(f"{prefix}ledgers_due", table.c.due_at_us, table.c.booking_id, sqlite_where=some, postgresql_where=some)
    return table


def _payments(metadata: MetaData, prefix: str) -> tuple[Table, frozenset[str]]:
    # An attempt's id is random, but one that was found again at Stripe keeps the id that it has there: hence the double
    # key.
    table = Table(
        f"{prefix}payments",
        metadata,
        Column("booking_id", _ID, nullable=False),
        Column("attempt_id", String(128), nullable=False),
        Column("intent_id", String(255)),
        Column("state", String(16), nullable=False),
        Column("amount_minor", BigInteger, nullable=False),
        Column("currency", String(3), nullable=False),
        PrimaryKeyConstraint("booking_id", "attempt_id"),
        sqlite_with_rowid=False,
    )
    intent, one_payable = f"{prefix}payments_intent", f"{prefix}payments_one_payable"
    known = table.c.intent_id.is_not(None)
    Index(intent, table.c.intent_id, unique=True, sqlite_where=known, postgresql_where=known)
    # Holds the rule "one payable intent per booking", and lists the payments that `due` compares with their bookings.
    Index(one_payable, table.c.booking_id, unique=True, sqlite_where=LIVE, postgresql_where=LIVE)
    return table, frozenset({intent, one_payable})


def _history(metadata: MetaData, prefix: str) -> Table:
    # A line's place is the version that wrote it and its number there: no sequence, which many databases give out of order.
    return Table(
        f"{prefix}history",
        metadata,
        Column("booking_id", _ID, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("line", Integer, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("fact", Text, nullable=False),
        Column("decision", Text, nullable=False),
        Column("event_id", String(255)),
        Column("intent_id", String(255)),
        PrimaryKeyConstraint("booking_id", "version", "line"),
        sqlite_with_rowid=False,
    )


TABLES: Final = build()
metadata: Final = TABLES.metadata
