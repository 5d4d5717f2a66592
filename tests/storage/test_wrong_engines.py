"""What is no engine, or one of the other colour, is refused when the repository is built, in words that say what to pass."""

import asyncio

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from airport_payments import ConfigurationError
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository


@pytest.mark.parametrize("engine", ["sqlite:///airport.db", None, 5])
def test_what_is_no_engine_is_refused(engine) -> None:
    with pytest.raises(ConfigurationError, match=f"create_engine made, not {type(engine).__name__}"):
        SqlAlchemyBookingRepository(engine)
    with pytest.raises(ConfigurationError, match=f"create_async_engine made, not {type(engine).__name__}"):
        AsyncSqlAlchemyBookingRepository(engine)


@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://nobody@127.0.0.1:1/none"])
def test_an_engine_of_the_other_colour_is_refused(url) -> None:
    engine = create_engine(url)
    with pytest.raises(ConfigurationError, match="create_async_engine made, not Engine"):
        AsyncSqlAlchemyBookingRepository(engine)
    engine.dispose()
    async_engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
    with pytest.raises(ConfigurationError, match=r"one of sqlite\+pysqlite or of postgresql\+psycopg, not of "):
        SqlAlchemyBookingRepository(async_engine)
    asyncio.run(async_engine.dispose())
