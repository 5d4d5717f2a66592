import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.postgres import HURRY, Schema, Server
from tests.storage.stores import (
    ON_POSTGRESQL,
    AsyncMemoryStore,
    AsyncSqliteStore,
    MemoryStore,
    SqliteStore,
    Store,
    hurry,
)


def on_file(kind: Any, path: Path, **options: Any) -> Any:
    made = kind(path / "payments.db", **options)
    hurry(getattr(made.engine, "sync_engine", made.engine))
    made.create_tables()
    return made


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A PostgreSQL for the whole run of one worker: ours, or the one that AIRPORT_PAYMENTS_TEST_DSN names."""
    given = os.environ.get("AIRPORT_PAYMENTS_TEST_DSN")
    if given:
        yield given
    else:
        with Server(**HURRY) as server:
            yield server.dsn


@pytest.fixture(scope="session")
def kept_stores(postgres_dsn: str) -> Iterator[dict[str, Any]]:
    """The repositories on PostgreSQL, made once: connecting costs more than a test."""
    schema = Schema(postgres_dsn)
    made: dict[str, Any] = {name: kind(schema) for name, kind in ON_POSTGRESQL.items()}
    made["psycopg"].create_tables()
    yield made
    for store in made.values():
        store.close()
    schema.drop()


@pytest.fixture
def schema(postgres_dsn: str) -> Iterator[Schema]:
    """A schema of one's own, empty."""
    made = Schema(postgres_dsn)
    yield made
    made.drop()


@pytest.fixture(params=["memory", "memory-async", "sqlite", "sqlite-async", *ON_POSTGRESQL])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each of the repositories, empty."""
    made: Any
    if request.param in ON_POSTGRESQL:
        made = request.getfixturevalue("kept_stores")[request.param]
        made.empty()
        yield made
        return
    if request.param == "memory":
        made = MemoryStore()
    elif request.param == "memory-async":
        made = AsyncMemoryStore()
    else:
        made = on_file(SqliteStore if request.param == "sqlite" else AsyncSqliteStore, tmp_path)
    yield made
    made.close()


@pytest.fixture(params=list(ON_POSTGRESQL))
def postgres_store(request: pytest.FixtureRequest) -> Any:
    """Each of the repositories on PostgreSQL, empty."""
    made = request.getfixturevalue("kept_stores")[request.param]
    made.empty()
    return made


@pytest.fixture(params=["sqlite", "sqlite-async"])
def sqlite_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The two SQLite repositories, on a file, with a short busy timeout."""
    kind: Any = SqliteStore if request.param == "sqlite" else AsyncSqliteStore
    made = on_file(kind, tmp_path, connect_args={"timeout": 0.1})
    yield made
    made.close()
