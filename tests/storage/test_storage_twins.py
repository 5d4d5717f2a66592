"""The two colours of the SQLAlchemy storage differ by this table and by nothing else.

python -m tests.storage.test_storage_twins    write the async ones
"""

import re
from pathlib import Path

import pytest
from tests.twins import formatted

FOLDER = Path(__file__).parent.parent.parent / "src/airport_payments/storage/sqlalchemy"
TWINS = {"repository_async.py": "repository.py", "database_async.py": "database.py"}

TABLE: list[tuple[str, str]] = [
    # names
    (r"\bSqlAlchemyBookingRepository\b", "AsyncSqlAlchemyBookingRepository"),
    (r"A `BookingRepository`", "An `AsyncBookingRepository`"),
    (r"^from sqlalchemy\.engine import (Connection, )?Engine$", "from sqlalchemy.ext.asyncio import AsyncConnection, "
     "AsyncEngine\nfrom sqlalchemy.util import greenlet_spawn\nimport asyncio"),
    (r"\bConnection\b", "AsyncConnection"),
    (r"engine: Engine", "engine: AsyncEngine"),
    (r"sqlalchemy\.database\b", "sqlalchemy.database_async"),
    (r"\bDatabase\b", "AsyncDatabase"),
    (r"\bDriver\b", "AsyncDriver"),
    (r"\bdriver_of\b", "async_driver_of"),
    (r"import Callable, Sequence$", "import Awaitable, Callable, Sequence"),
    (r"Callable\[\.\.\., T\]", "Callable[..., Awaitable[T]]"),
    (r"Callable\[\[AsyncConnection, Change\], None\]", "Callable[[AsyncConnection, Change], Awaitable[None]]"),
    # words
    (r", sync\. Its twin is `(\w+)_async`", r", async. Its twin is `\1`"),
    (r"from many threads and processes", "from many tasks and processes"),
    (r"by psycopg\.", "by psycopg or asyncpg."),
    # what becomes a coroutine, and what awaits it
    (r"^    def (?!__init__)", "    async def "),
    (r"\bself\._database\.(create|query|write|erase|save|get_and_save)\(", r"await self._database.\1("),
    (r"\bself\.(run|query|_save_with_hook|_write_all|_on_save)\(", r"await self.\1("),
    (r"\bconnection\.(exec_driver_sql|commit|begin)\(", r"await connection.\1("),
    (r"= connection\.connection$", "= await connection.get_raw_connection()"),
    (r"with driver\.turn, self\._engine\.connect\(\)", "async with self._engine.connect()"),  # tasks never share one
    (r"return work\(", "return await work("),
    (r"self\._engine\.raw_connection\(\)", "await self._engine.raw_connection()"),
    (r"driver\.discard\(lease, error\)", "await greenlet_spawn(driver.discard, lease, error)"),
    # Also when the task is cancelled once more meanwhile.
    (r"lease\.close\(\)", "await asyncio.shield(greenlet_spawn(lease.close))"),
]  # fmt: skip


def twin_of(text: str) -> tuple[str, set[str]]:
    """Return the async text of a sync module, and which patterns it needed."""
    needed = set()
    for pattern, replacement in TABLE:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if count:
            needed.add(pattern)
    return formatted(text), needed


@pytest.mark.parametrize(("twin", "original"), TWINS.items(), ids=TWINS)
def test_the_async_module_is_the_sync_one_by_the_table(twin: str, original: str) -> None:
    text, _ = twin_of((FOLDER / original).read_text())
    assert (FOLDER / twin).read_text() == text, "python -m tests.storage.test_storage_twins"


def test_every_line_of_the_table_is_needed() -> None:
    needed = [twin_of((FOLDER / original).read_text())[1] for original in TWINS.values()]
    assert set().union(*needed) == {pattern for pattern, _ in TABLE}


if __name__ == "__main__":
    for twin, original in TWINS.items():
        (FOLDER / twin).write_text(twin_of((FOLDER / original).read_text())[0])
