"""How the tables of an earlier version become today's. Nothing here asks a database: it says what to ask, and what to run.

The tables stand once, in `tables`. What an empty database gets is written from there; here are only the steps that turn
an earlier layout into the next one. They are frozen: what a step does stays as it was when it was made.

Which version a database has is seen in its tables, by what each step takes away. No row says it, so none can say it
wrongly, whoever made the tables: this library, printed SQL, or a migration tool that compares models.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from airport_payments.core.errors import ConfigurationError
from airport_payments.storage.sqlalchemy.tables import Tables


@dataclass(frozen=True, slots=True)
class Step:
    """The way to a version from the one before.

    Args:
        version: where it leads.
        mark: what stands only in older tables: a column as `table.column`, or an index.
        on_bookings: whether it is about the default bookings table alone, and left out where the team has its own.
        sqlite: its statements. `{s}` is the schema with a dot or nothing, `{p}` the prefix.
        postgresql: its statements there; None where no older version ran on PostgreSQL.
    """

    version: int
    mark: str
    on_bookings: bool
    sqlite: tuple[str, ...]
    postgresql: tuple[str, ...] | None


STEPS: Final = (
    # Lines of the history were numbered by a sequence. Now a line's place is the ledger's version that wrote it, and its
    # number there. Which version wrote an old line is not known: they all go before the first, in their order.
    Step(
        version=2,
        mark="history.id",
        on_bookings=False,
        sqlite=(
            "ALTER TABLE {s}{p}history RENAME TO {p}history_of_version_1",
            """\
CREATE TABLE {s}{p}history (
  booking_id VARCHAR(128) NOT NULL,
  version BIGINT NOT NULL,
  line INTEGER NOT NULL,
  at_us BIGINT NOT NULL,
  fact TEXT NOT NULL,
  decision TEXT NOT NULL,
  event_id VARCHAR(255),
  intent_id VARCHAR(255),
  PRIMARY KEY (booking_id, version, line)
) WITHOUT ROWID""",
            """\
INSERT INTO {s}{p}history (booking_id, version, line, at_us, fact, decision, event_id, intent_id)
SELECT booking_id, 0, row_number() OVER (PARTITION BY booking_id ORDER BY id) - 1, at_us, fact, decision, event_id, intent_id
FROM {s}{p}history_of_version_1""",
            "DROP TABLE {s}{p}history_of_version_1",
            "CREATE INDEX IF NOT EXISTS {s}{p}bookings_held ON {p}bookings (hold_until_us) WHERE hold_until_us IS NOT NULL",
        ),
        postgresql=None,
    ),
    # The index that finds the holds that are over leaves out the bookings that are not pending any more.
    Step(
        version=3,
        mark="bookings_held",
        on_bookings=True,
        sqlite=(
            "DROP INDEX IF EXISTS {s}{p}bookings_held",
            """\
CREATE INDEX IF NOT EXISTS {s}{p}bookings_hold ON {p}bookings (hold_until_us)
WHERE status = 'pending' AND hold_until_us IS NOT NULL""",
        ),
        postgresql=(
            "DROP INDEX IF EXISTS {s}{p}bookings_held",
            """\
CREATE INDEX IF NOT EXISTS {p}bookings_hold ON {s}{p}bookings (hold_until_us)
WHERE status = 'pending' AND hold_until_us IS NOT NULL""",
        ),
    ),
)
VERSION: Final = STEPS[-1].version


@dataclass(frozen=True, slots=True)
class State:
    """The library's tables as a database has them.

    Args:
        version: whose they are; 0 where there is none of them.
        missing: tables and indexes of ours that are not there, of those that this version of the tables should have.
    """

    version: int
    missing: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether this release can work with them."""
        return self.version == VERSION and not self.missing


class Migrations:
    """The tables of one repository in one dialect.

    Attributes:
        look: asks a database which of our tables, columns and indexes it has; rows of a name and a column or NULL.
    """

    def __init__(self, tables: Tables, dialect: Dialect) -> None:
        self._prefix, self._schema = tables.prefix, tables.metadata.schema
        self._ours = tables.metadata.sorted_tables
        self._has_bookings = tables.bookings.table in self._ours
        self._dialect = dialect
        self._indexes = {table: sorted(table.indexes, key=lambda i: str(i.name)) for table in self._ours}
        names = [name for table in self._ours for name in (table.name, *(str(i.name) for i in self._indexes[table]))]
        self._names = tuple(names)
        known = {*names, *(f"{self._prefix}{step.mark.split('.')[0]}" for step in STEPS)}
        words = ", ".join(f"'{name}'" for name in sorted(known))
        self.look = (_look_sqlite if dialect.name == "sqlite" else _look_postgresql)(words, self._schema)

    def state(self, rows: Sequence[Sequence[Any]]) -> State:
        """Return what the rows of `look` say."""
        relations = {str(name) for name, _ in rows}
        if not relations.intersection(table.name for table in self._ours):
            return State(0, self._names)
        older = self._steps(relations | {f"{name}.{column}" for name, column in rows})
        missing = () if older else tuple(name for name in self._names if name not in relations)
        return State(older[0].version - 1 if older else VERSION, missing)

    def needed(self, rows: Sequence[Sequence[Any]]) -> Sequence[str]:
        """Return what brings the tables that `look` saw up to date; nothing where they are.

        Look and run it in one transaction.
        """
        state = self.state(rows)
        if state.is_current:
            return ()
        # Each that creates says "if not exists": what somebody dropped is made again, whatever the version.
        return (*(self.statements(since=state.version) if state.version else ()), *self.create())

    def create(self) -> Sequence[str]:
        """Return the statements that make what is missing."""
        made: list[str] = []
        for table in self._ours:
            made.append(str(CreateTable(table, if_not_exists=True).compile(dialect=self._dialect)))
            indexes = [CreateIndex(index, if_not_exists=True) for index in self._indexes[table]]
            made += [str(index.compile(dialect=self._dialect)) for index in indexes]
        return [_tidy(sql) for sql in made]

    def statements(self, *, since: int) -> Sequence[str]:
        """Return the statements that bring tables of a version to today's; from 0, those that make them.

        Raises:
            ConfigurationError: there was no such version, or none of this dialect.
        """
        if not 0 <= since <= VERSION:
            raise ConfigurationError(f"there is no version {since} of the tables: this release knows 1 to {VERSION}")
        if since == 0:
            return self.create()
        steps = [step for step in STEPS if step.version > since and (self._has_bookings or not step.on_bookings)]
        return [sql for step in steps for sql in self._written(step)]

    def _steps(self, found: Collection[str]) -> list[Step]:
        """Return the steps that are to be taken: the first whose mark is there, and all after it."""
        marked = [step.version for step in STEPS if f"{self._prefix}{step.mark}" in found]
        return [step for step in STEPS if marked and step.version >= min(marked)]

    def _written(self, step: Step) -> Sequence[str]:
        given = step.sqlite if self._dialect.name == "sqlite" else step.postgresql
        if given is None:
            raise ConfigurationError(f"version {step.version - 1} of the tables was never on {self._dialect.name}")
        quote = self._dialect.identifier_preparer.quote_schema
        schema = f"{quote(self._schema)}." if self._schema else ""
        theirs = [sql for sql in given if self._has_bookings or "{p}bookings" not in sql]
        return [sql.format(s=schema, p=self._prefix) for sql in theirs]


def _look_sqlite(words: str, schema: str | None) -> str:
    where = f", {_literal(schema)}" if schema else ""
    master = f'"{schema}".sqlite_master' if schema else "sqlite_master"
    return (
        f"SELECT m.name, c.name FROM {master} AS m LEFT JOIN pragma_table_info(m.name{where}) AS c"  # noqa: S608
        f" WHERE m.type IN ('table', 'index') AND m.name IN ({words})"
    )


def _look_postgresql(words: str, schema: str | None) -> str:
    # Without a schema, what a statement would find that names none.
    where = f"n.nspname = {_literal(schema)}" if schema else "pg_catalog.pg_table_is_visible(c.oid)"
    return (
        "SELECT c.relname, a.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"  # noqa: S608
        " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        f" WHERE {where} AND c.relname IN ({words})"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _tidy(sql: str) -> str:
    lines = sql.strip().splitlines()
    return "\n".join(line.rstrip().replace("\t", "  ") for line in lines)
