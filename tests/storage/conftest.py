from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.storage.stores import AsyncMemoryStore, AsyncSqliteStore, MemoryStore, SqliteStore, Store, hurry


def on_file(kind: Any, path: Path, **options: Any) -> Any:
    made = kind(path / "payments.db", **options)
    hurry(getattr(made.engine, "sync_engine", made.engine))
    made.create_tables()
    return made


@pytest.fixture(params=["memory", "memory-async", "sqlite", "sqlite-async"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each of the four repositories, empty."""
    made: Any
    if request.param == "memory":
        made = MemoryStore()
    elif request.param == "memory-async":
        made = AsyncMemoryStore()
    else:
        made = on_file(SqliteStore if request.param == "sqlite" else AsyncSqliteStore, tmp_path)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "sqlite-async"])
def sqlite_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The two SQLite repositories, on a file, with a short busy timeout."""
    kind: Any = SqliteStore if request.param == "sqlite" else AsyncSqliteStore
    made = on_file(kind, tmp_path, connect_args={"timeout": 0.1})
    yield made
    made.close()
