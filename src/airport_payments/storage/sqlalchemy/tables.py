"""The tables. Times are whole microseconds since 1970, amounts are minor units."""

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
    text,
)

metadata: Final = MetaData()

# One text for the index and for the queries that mean to use it: SQLite takes a partial index only for its very words.
LIVE: Final = text("state IN ('payable', 'closing')")

# Stands for the team's own table. The library reads it, and writes nothing to it but `status`.
bookings: Final = Table(
    "airport_bookings",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(16), nullable=False),
    Column("hold_until_us", BigInteger),
)

ledgers: Final = Table(
    "airport_ledgers",
    metadata,
    Column("booking_id", String(128), ForeignKey(bookings.c.id), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Column("due_at_us", BigInteger),
)
Index(
    "airport_ledgers_due",
    ledgers.c.due_at_us,
    ledgers.c.booking_id,
    sqlite_where=ledgers.c.due_at_us.is_not(None),
    postgresql_where=ledgers.c.due_at_us.is_not(None),
)

# An attempt's id is random, but one that was found again at Stripe keeps the id that it has there: hence the double key.
payments: Final = Table(
    "airport_payments",
    metadata,
    Column("booking_id", String(128), nullable=False),
    Column("attempt_id", String(128), nullable=False),
    Column("intent_id", String(255)),
    Column("state", String(16), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    PrimaryKeyConstraint("booking_id", "attempt_id"),
    sqlite_with_rowid=False,
)
Index(
    "airport_payments_intent",
    payments.c.intent_id,
    unique=True,
    sqlite_where=payments.c.intent_id.is_not(None),
    postgresql_where=payments.c.intent_id.is_not(None),
)
# Holds the rule "one payable intent per booking", and lists the payments that `due` compares with their bookings.
Index("airport_payments_one_payable", payments.c.booking_id, unique=True, sqlite_where=LIVE, postgresql_where=LIVE)

# A line's place is the version that wrote it and its number there: no sequence, which many databases give out of order.
history: Final = Table(
    "airport_history",
    metadata,
    Column("booking_id", String(128), nullable=False),
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
