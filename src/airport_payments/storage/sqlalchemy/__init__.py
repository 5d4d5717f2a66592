"""The repositories on a SQLAlchemy engine: SQLite and PostgreSQL, in both colours, on a bookings table of yours or of ours.

    engine = create_engine("sqlite:///payments.db")
    repository = SqlAlchemyBookingRepository(engine)
    repository.create_tables()

The names are resolved when they are first asked for, so that sync users load neither aiosqlite nor SQLAlchemy's asyncio.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airport_payments.storage.sqlalchemy.booking_table import BookingTable, UnreadableBooking
    from airport_payments.storage.sqlalchemy.repository import SqlAlchemyBookingRepository
    from airport_payments.storage.sqlalchemy.repository_async import AsyncSqlAlchemyBookingRepository
    from airport_payments.storage.sqlalchemy.tables import metadata

_MODULES = {
    "AsyncSqlAlchemyBookingRepository": "repository_async",
    "BookingTable": "booking_table",
    "SqlAlchemyBookingRepository": "repository",
    "UnreadableBooking": "booking_table",
    "metadata": "tables",
}

__all__ = [
    "AsyncSqlAlchemyBookingRepository",
    "BookingTable",
    "SqlAlchemyBookingRepository",
    "UnreadableBooking",
    "metadata",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
