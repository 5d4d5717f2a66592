"""The recipe for Alembic in docs/how-to/migrations.md, played with Alembic itself on databases of earlier versions."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import create_engine, inspect
from tests.postgres import Schema
from tests.storage.test_migrations import OLD

from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository
from airport_payments.storage.sqlalchemy.migrations import VERSION

PAGE = (Path(__file__).parent.parent.parent / "docs/how-to/migrations.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
REVISION = next(block for block in BLOCKS if "from alembic import op" in block)
TARGET = next(block for block in BLOCKS if "target_metadata" in block)
# What `alembic init` writes, without logging and the offline half, and with a connection of the test's.
ENV = """
from alembic import context
from sqlalchemy import MetaData

class Base:
    metadata = MetaData()

{target}

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=target_metadata)
with context.begin_transaction():
    context.run_migrations()
"""


class Team:
    """A team's folder of migrations."""

    def __init__(self, path: Path) -> None:
        (path / "versions").mkdir(parents=True)
        (path / "env.py").write_text(ENV.format(target=TARGET.replace("# target", "target")))
        self.path = path

    def revision(self, name: str, text: str) -> None:
        (self.path / "versions" / f"{name}.py").write_text(text)

    def run(self, engine: Any, what: Any, *args: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(self.path))
        config.set_main_option("path_separator", "os")
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            what(config, *args)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path / "migrations")


def sqlite_of(version: int, tmp_path: Path) -> Any:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript((OLD / f"{version}.sqlite.sql").read_text())
    return create_engine(f"sqlite:///{path}")


def pasted(sql: str, revision: str = "b2", down: str | None = None) -> str:
    """The revision of the page with other SQL in it."""
    text = re.sub(r'SQL = """.*?"""', lambda _: f'SQL = """\n{sql}"""', REVISION, flags=re.DOTALL)
    return text.replace('revision = "a1f0c2"', f'revision = "{revision}"').replace("= None", f"= {down!r}")


def printed(repository: SqlAlchemyBookingRepository, since: int) -> str:
    return "\n\n".join(f"{sql};" for sql in repository._statements.migrations.statements(since=since)) + "\n"


def test_the_revision_of_the_page_brings_version_2_up_to_date(team: Team, tmp_path: Path, schema: Schema) -> None:
    team.revision("a", REVISION)
    schema.run((OLD / "2.postgresql.sql").read_text())
    for engine in (sqlite_of(2, tmp_path), schema.engine(create_engine, "psycopg")):
        repository = SqlAlchemyBookingRepository(engine)
        assert repository.tables_version() == 2
        team.run(engine, command.upgrade, "head")
        repository.check_tables()
        assert repository.history("BK-confirmed")
        engine.dispose()


@pytest.mark.parametrize("since", range(VERSION))
def test_what_db_sql_prints_can_be_pasted(team: Team, tmp_path: Path, since: int) -> None:
    engine = sqlite_of(since, tmp_path) if since else create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    repository = SqlAlchemyBookingRepository(engine)
    team.revision("b", pasted(printed(repository, since)))
    team.run(engine, command.upgrade, "head")
    repository.check_tables()
    engine.dispose()


def test_alembic_neither_drops_our_tables_nor_finds_them_different(team: Team, tmp_path: Path, schema: Schema) -> None:
    for engine in (create_engine(f"sqlite:///{tmp_path / 'new.db'}"), schema.engine(create_engine, "psycopg")):
        repository = SqlAlchemyBookingRepository(engine)
        repository.create_tables()
        team.run(engine, command.stamp, "head")
        team.run(engine, command.check)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP INDEX airport_bookings_hold")
        with pytest.raises(CommandError, match="New upgrade operations detected"):
            team.run(engine, command.check)
        assert "airport_ledgers" in inspect(engine).get_table_names()
        engine.dispose()
