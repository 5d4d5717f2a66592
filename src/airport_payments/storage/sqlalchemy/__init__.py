"""The repositories on a SQLAlchemy engine: SQLite, in both colours.

    engine = create_engine("sqlite:///payments.db")
    repository = SqlAlchemyBookingRepository(engine)
    repository.create_tables()

The names are resolved when they are first asked for, so that sync users load neither aiosqlite nor SQLAlchemy's asyncio.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airport_payments.storage.sqlalchemy.repository import SqlAlchemyBookingRepository
    from airport_payments.storage.sqlalchemy.repository_async import AsyncSqlAlchemyBookingRepository
    from airport_payments.storage.sqlalchemy.tables import metadata

__all__ = ["AsyncSqlAlchemyBookingRepository", "SqlAlchemyBookingRepository", "metadata"]


def __getattr__(name: str) -> object:
    if name == "SqlAlchemyBookingRepository":
        from airport_payments.storage.sqlalchemy.repository import SqlAlchemyBookingRepository  # noqa: PLC0415

        return SqlAlchemyBookingRepository
    if name == "AsyncSqlAlchemyBookingRepository":
        from airport_payments.storage.sqlalchemy.repository_async import (  # noqa: PLC0415
            AsyncSqlAlchemyBookingRepository,
        )

        return AsyncSqlAlchemyBookingRepository
    if name == "metadata":
        from airport_payments.storage.sqlalchemy.tables import metadata  # noqa: PLC0415

        return metadata
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
