"""The two colours of the SQLAlchemy repository differ by this table and by nothing else."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "src/airport_payments/storage/sqlalchemy"

TABLE: list[tuple[str, str]] = [
    # names
    (r"\bSqlAlchemyBookingRepository\b", "AsyncSqlAlchemyBookingRepository"),
    (r"A `BookingRepository`", "An `AsyncBookingRepository`"),
    (r"from sqlalchemy\.engine import Engine", "from sqlalchemy.ext.asyncio import AsyncEngine"),
    (r"engine: Engine", "engine: AsyncEngine"),
    (r'Sqlite\(engine, "pysqlite"\)', 'Sqlite(engine.sync_engine, "aiosqlite")'),
    # words
    (r"engine, sync\. Its twin is `repository_async`", "engine, async. Its twin is `repository`"),
    (r"from many threads and processes", "from many tasks and processes"),
    # what becomes a coroutine, and what awaits it
    (r"^    def (?!__init__)", "    async def "),
    (r"\bself\._run\(", "await self._run("),
    (r"\bdatabase\.(borrow|run|give_back)\(", r"await database.\1_async("),
]


def test_the_async_repository_is_the_sync_one_by_the_table() -> None:
    text = (FOLDER / "repository.py").read_text()
    for pattern, replacement in TABLE:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert count, f"{pattern} is not needed any more"
    # Without the layout: where the formatter breaks a line depends on its length.
    assert text.split() == (FOLDER / "repository_async.py").read_text().split()
