"""Every repository of ours keeps the contract: the public suite, on all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from examples import psycopg_repository
from examples.django_app.database import database
from tests import on_django
from tests.postgres import Schema
from tests.storage.harnesses import (
    BOOKINGS,
    InMemory,
    OnAsyncSqlite,
    OnDjango,
    OnFlights,
    OnPostgresql,
    OnPsycopg,
    OnSqlite,
)
from tests.storage.stores import TABLES

from airport_payments.storage.memory import AsyncMemoryBookingRepository, MemoryBookingRepository
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository
from airport_payments.testing.repository_conformance import KeepingConformance

EMBEDDED = {
    "memory": lambda path: InMemory(MemoryBookingRepository),
    "memory-async": lambda path: InMemory(AsyncMemoryBookingRepository),
    "sqlite": lambda path: OnSqlite(path / "payments.db"),
    "sqlite-async": lambda path: OnAsyncSqlite(path / "payments.db"),
}


class TestEmbedded(KeepingConformance):
    """In memory and on SQLite."""

    @pytest.fixture(params=list(EMBEDDED))
    def harness(self, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
        return EMBEDDED[request.param](tmp_path)


def emptied(schema: Schema, *tables: str) -> None:
    schema.run("; ".join(f"DELETE FROM {table}" for table in tables))


@pytest.fixture(scope="session")
def kept_schema(postgres_dsn: str) -> Iterator[Schema]:
    """A schema with our tables, made once."""
    from sqlalchemy import create_engine

    schema = Schema(postgres_dsn)
    engine = schema.engine(create_engine, "psycopg")
    SqlAlchemyBookingRepository(engine).create_tables()
    engine.dispose()
    yield schema
    schema.drop()


class TestPostgresql(KeepingConformance):
    """On PostgreSQL, by each driver."""

    @pytest.fixture(params=["psycopg", "asyncpg", pytest.param("psycopg-async", marks=pytest.mark.thorough)])
    def harness(self, request: pytest.FixtureRequest, kept_schema: Schema) -> Any:
        emptied(kept_schema, *TABLES)
        return OnPostgresql(kept_schema, request.param)


@pytest.fixture(scope="session")
def flights_schema(postgres_dsn: str) -> Iterator[Schema]:
    """A schema with a team's table."""
    schema = Schema(postgres_dsn)
    yield schema
    schema.drop()


class TestOwnTable(KeepingConformance):
    """On a table of a team's, with numbers for ids and prices in major units."""

    @pytest.fixture(params=["sqlite", "psycopg", pytest.param("asyncpg", marks=pytest.mark.thorough)])
    def harness(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
        schema = None if request.param == "sqlite" else request.getfixturevalue("flights_schema")
        made = OnFlights(schema, request.param, tmp_path / "team.db")
        if schema is not None:
            emptied(schema, "flights", *[table for table in TABLES if table != "airport_bookings"])
        yield made
        made.close()


@pytest.fixture(scope="session")
def psycopg_schema(postgres_dsn: str) -> Iterator[Schema]:
    """A schema with the tables of the example in plain psycopg."""
    schema = Schema(postgres_dsn)
    schema.run(BOOKINGS + psycopg_repository.TABLES)
    yield schema
    schema.drop()


class TestPlainPsycopg(KeepingConformance):
    """The example to copy."""

    @pytest.fixture
    def harness(self, psycopg_schema: Schema) -> Any:
        emptied(psycopg_schema, "bookings", "payment_ledgers", "payment_index", "payment_history")
        return OnPsycopg(psycopg_schema)


@pytest.fixture(scope="session")
def django_databases(postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Schema | None]]:
    """The example's tables in each database, as Django's migrations make them."""
    schema = Schema(postgres_dsn)
    found: dict[str, Schema | None] = {"django-sqlite": None, "django-postgresql": schema}
    path = tmp_path_factory.mktemp("django") / "airport.db"
    on_django.use("django-sqlite", database(f"sqlite:///{path}"))
    on_django.use("django-postgresql", on_django.postgresql(schema))
    for alias in found:
        on_django.migrate(alias)
    yield found
    schema.drop()


class TestDjango(KeepingConformance):
    """The Django example, on both databases."""

    @pytest.fixture(params=["django-sqlite", pytest.param("django-postgresql", marks=pytest.mark.thorough)])
    def harness(self, request: pytest.FixtureRequest, django_databases: dict[str, Schema | None]) -> Any:
        on_django.emptied(request.param)
        return OnDjango(request.param)
