"""The tables of every earlier version, with rows that the code of its time wrote, become today's, and nothing is lost."""

import json
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Column, MetaData, String, Table, create_engine, inspect
from sqlalchemy.dialects import postgresql, sqlite
from tests.postgres import Schema
from tests.storage.builders import booking, paying
from tests.storage.old.make import KEY, OWNER, PRICE, SECRET
from tests.storage.stores import AsyncpgStore, AsyncPsycopgStore, AsyncSqliteStore, PsycopgStore, SqliteStore, load

from airport_payments import ConfigurationError, Money, PaymentGateway, StripeSettings
from airport_payments.core.announcements import Announcement
from airport_payments.core.codec import FORMAT
from airport_payments.storage.sqlalchemy import BookingTable, SqlAlchemyBookingRepository
from airport_payments.storage.sqlalchemy.migrations import STEPS, VERSION, Migrations
from airport_payments.storage.sqlalchemy.tables import build
from airport_payments.stripe_api.port import StripePort
from airport_payments.stripe_api.signature import sign
from airport_payments.testing import FakeStripe

OLD = Path(__file__).parent / "old"
STRIPE = (OLD / "stripe.json").read_text()
ANSWERS = {version: json.loads((OLD / f"{version}.json").read_text()) for version in range(1, VERSION + 1)}
WAIT_S = 60.0
DATABASES = [
    (version, kind)
    for version in range(1, VERSION + 1)
    for kind in ("sqlite", "sqlite-async", *(("psycopg", "psycopg-async", "asyncpg") if version > 1 else ()))
]
databases = pytest.mark.parametrize(("version", "kind"), DATABASES)
both_dialects = pytest.mark.parametrize(
    ("version", "kind"), [d for d in DATABASES if d[1] in {"sqlite", "psycopg"} and d[0] < VERSION]
)


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Makes the database as a version left it, and repositories on it."""
    made: list[Any] = []

    def make(version: int, kind: str, stores: int = 1) -> Any:
        if kind.startswith("sqlite"):
            path = tmp_path / "old.db"
            with closing(sqlite3.connect(path)) as database:
                database.executescript((OLD / f"{version}.sqlite.sql").read_text())
            on: Any = path
            opened: Any = SqliteStore if kind == "sqlite" else AsyncSqliteStore
        else:
            on = request.getfixturevalue("schema")
            on.run((OLD / f"{version}.postgresql.sql").read_text())
            opened = {"psycopg": PsycopgStore, "psycopg-async": AsyncPsycopgStore, "asyncpg": AsyncpgStore}[kind]
        new = [opened(on) for _ in range(stores)]
        made.extend(new)
        return new[0] if stores == 1 else new

    yield make
    for store in made:
        store.close()


def rows_of(store: Any, table: str) -> list[Any]:
    sql = f"SELECT * FROM {table} ORDER BY 1, 2, 3"
    if isinstance(getattr(store, "schema", None), Schema):
        return list(store.schema.run(sql))
    with closing(sqlite3.connect(store.path)) as database:
        return database.execute(sql).fetchall()


def layout(engine: Any) -> dict[str, object]:
    """All that a database says of its tables."""
    seen: dict[str, object] = {}
    with getattr(engine, "sync_engine", engine).connect() as connection:
        inspector = inspect(connection)
        for table in inspector.get_table_names():
            columns = [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(table)]
            indexes = [
                (i["name"], i["unique"], i["column_names"], words({k: str(v) for k, v in i["dialect_options"].items()}))
                for i in inspector.get_indexes(table)
            ]
            keys = (
                inspector.get_pk_constraint(table)["constrained_columns"],
                [(k["constrained_columns"], k["referred_table"]) for k in inspector.get_foreign_keys(table)],
            )
            seen[table] = columns, sorted(indexes), keys, inspector.get_check_constraints(table)
        if connection.dialect.name == "sqlite":
            for name, sql in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master").fetchall():
                seen[f"sql of {name}"] = words(sql)
    return seen


def words(sql: object) -> str:
    return re.sub(r'["\s]+', "", str(sql))


def fresh(kind: str, tmp_path: Path, postgres_dsn: str) -> dict[str, object]:
    """Return the layout that an empty database gets."""
    if kind.startswith("sqlite"):
        store: Any = SqliteStore(tmp_path / "fresh.db")
        store.create_tables()
        found = layout(store.engine)
        store.close()
        return found
    schema = Schema(postgres_dsn)
    store = PsycopgStore(schema)
    store.create_tables()
    found = layout(store.engine)
    store.close()
    schema.drop()
    return found


# ---- the tables ----


@databases
def test_the_version_of_a_database_is_seen_in_its_tables(old: Any, version: int, kind: str) -> None:
    store = old(version, kind)
    assert store.tables_version() == version
    store.create_tables()
    assert store.tables_version() == VERSION
    store.check_tables()


@both_dialects
def test_an_upgraded_database_has_the_tables_of_a_fresh_one(
    old: Any, version: int, kind: str, tmp_path: Path, postgres_dsn: str
) -> None:
    store = old(version, kind)
    store.create_tables()
    assert layout(store.engine) == fresh(kind, tmp_path, postgres_dsn)


@both_dialects
def test_the_printed_statements_alone_do_the_same(
    old: Any, version: int, kind: str, tmp_path: Path, postgres_dsn: str
) -> None:
    store = old(version, kind)
    printed = store._statements.migrations.statements(since=version)
    with store.engine.begin() as connection:
        for sql in printed:
            connection.exec_driver_sql(sql)
    store.check_tables()
    assert layout(store.engine) == fresh(kind, tmp_path, postgres_dsn)


def test_every_version_has_a_frozen_database_and_the_steps_have_no_gap() -> None:
    assert [step.version for step in STEPS] == list(range(2, VERSION + 1))
    assert {path.name for path in OLD.glob("*.sqlite.sql")} == {f"{v}.sqlite.sql" for v in ANSWERS}
    on_postgresql = {1 + i for i, step in enumerate(STEPS) if step.postgresql is not None} | {VERSION}
    assert {path.name for path in OLD.glob("*.postgresql.sql")} == {f"{v}.postgresql.sql" for v in on_postgresql}


def test_tables_that_are_not_those_of_this_release_are_refused_with_what_to_do(old: Any, tmp_path: Path) -> None:
    store = old(2, "sqlite")
    with pytest.raises(ConfigurationError, match=rf"version 2, and this release needs version {VERSION}.*--from 2"):
        store.check_tables()
    store.create_tables()
    with closing(sqlite3.connect(store.path)) as database:
        database.execute("DROP INDEX airport_payments_one_payable")
    with pytest.raises(ConfigurationError, match="no airport_payments_one_payable: run airport-payments db init"):
        store.check_tables()
    assert store.tables_version() == VERSION
    store.create_tables()
    store.check_tables()
    empty = SqliteStore(tmp_path / "empty.db")
    with pytest.raises(ConfigurationError, match="are not there"):
        empty.check_tables()
    assert empty.tables_version() == 0
    empty.close()


@pytest.mark.parametrize("since", [-1, VERSION + 1])
def test_a_version_that_never_was_is_refused(since: int) -> None:
    with pytest.raises(ConfigurationError, match=f"no version {since}"):
        Migrations(build(), sqlite.dialect()).statements(since=since)


def test_version_1_was_never_on_postgresql() -> None:
    with pytest.raises(ConfigurationError, match="never on postgresql"):
        Migrations(build(), postgresql.dialect()).statements(since=1)


def own_table() -> BookingTable:
    table = Table("flights", MetaData(), *(Column(name, String(40)) for name in ("ref", "who", "price", "status")))
    table.c.price.type = PRICE_TYPE
    return BookingTable(
        table,
        id="ref",
        owner="who",
        amount="price",
        currency="usd",
        status="status",
        statuses={"pending": "p", "confirmed": "c", "cancelled": "x"},
    )


PRICE_TYPE = build().bookings.amount.type


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_prefix_and_schema_go_into_every_name_and_a_table_of_the_teams_into_none(dialect: str) -> None:
    known: Any = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}[dialect]
    first = 1 if dialect == "sqlite" else 2
    ours = Migrations(build(prefix="pay_", schema="Money"), known).statements(since=first)
    assert all("airport_" not in sql and '"Money".pay_' in sql for sql in ours)
    theirs = Migrations(build(own_table(), prefix="pay_"), known).statements(since=first)
    assert not [sql for sql in theirs if "bookings" in sql]


def test_an_upgrade_with_a_prefix_and_a_schema_is_complete(schema: Schema) -> None:
    text = (OLD / "2.postgresql.sql").read_text()
    schema.run(text.replace("airport_", "pay_"))
    engine = schema.engine(create_engine, "psycopg", settings={"search_path": "public"})
    repository = SqlAlchemyBookingRepository(engine, prefix="pay_", schema=schema.name)
    assert repository.tables_version() == 2
    repository.create_tables()
    repository.check_tables()
    assert SqlAlchemyBookingRepository(engine, prefix="pay_").tables_version() == 0
    engine.dispose()


@pytest.mark.parametrize(("version", "kind"), [(1, "sqlite"), (2, "psycopg"), (0, "psycopg"), (0, "sqlite")])
def test_many_processes_may_upgrade_at_once(
    old: Any, schema: Schema, version: int, kind: str, tmp_path: Path, postgres_dsn: str
) -> None:
    count = 12
    if version:
        stores = old(version, kind, stores=count)
    else:
        stores = [SqliteStore(tmp_path / "new.db") if kind == "sqlite" else PsycopgStore(schema) for _ in range(count)]
    barrier = threading.Barrier(count, timeout=WAIT_S)

    def upgrade(store: Any) -> None:
        with store.engine.connect():
            barrier.wait()
        store.create_tables()
        store.check_tables()

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(upgrade, stores))
    assert layout(stores[0].engine) == fresh(kind, tmp_path, postgres_dsn)
    if version:
        assert len(rows_of(stores[0], "airport_history")) == sum(len(a["history"]) for a in ANSWERS[version].values())
    else:
        for store in stores:
            store.close()


@both_dialects
def test_an_upgrade_that_fails_half_way_leaves_everything_as_it_was(old: Any, version: int, kind: str) -> None:
    store = old(version, kind)
    before = layout(store.engine), store.dump()
    migrations = store._statements.migrations
    whole = migrations.needed
    count = len(whole(store._database.query(store._statements.look, {})))
    assert count > 1
    for cut in range(1, count):
        migrations.needed = lambda rows, cut=cut: [*whole(rows)[:cut], "SELECT no_such_function()"]
        with pytest.raises(Exception, match=r"no_such_function|database"):
            store.create_tables()
        assert (layout(store.engine), store.dump()) == before
    migrations.needed = whole
    store.create_tables()
    store.check_tables()


def test_tables_that_are_up_to_date_are_not_locked_by_who_looks_at_them(old: Any, tmp_path: Path) -> None:
    store = old(VERSION, "sqlite")
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")  # a writer is at work, and its lock would keep us waiting
        impatient = SqliteStore(store.path, connect_args={"timeout": 0})
        impatient.create_tables()
        impatient.check_tables()
        impatient.close()


# ---- what is in them ----


@databases
def test_an_upgrade_loses_nothing(old: Any, version: int, kind: str) -> None:
    store = old(version, kind)
    before = {table: rows_of(store, table) for table in ("airport_bookings", "airport_ledgers", "airport_payments")}
    store.create_tables()
    assert {table: rows_of(store, table) for table in before} == before
    for booking_id, known in ANSWERS[version].items():
        lines = [
            [line.at.isoformat(), line.fact, line.decision, line.event_id, line.intent_id]
            for line in store.history(booking_id)
        ]
        assert lines == known["history"], booking_id
        assert store.booking(booking_id).status == known["booking"]
        found = load(store, booking_id)
        assert all(store.find(p.intent_id) == booking_id for p in found.ledger.payments if p.intent_id)
    assert all(json.loads(row[2])["format"] <= FORMAT for row in before["airport_ledgers"])


class Later:
    """Today's library on an upgraded database, and Stripe as it stood when the old library was stopped."""

    def __init__(self, store: Any) -> None:
        self.now = datetime.fromisoformat("2026-11-01T12:30:00+00:00")
        self.fake = FakeStripe.load(STRIPE, KEY, clock=lambda: self.now)
        self.client = httpx.Client(transport=self.fake.transport(), trust_env=False)
        settings = StripeSettings(KEY, SECRET)
        self.store = store
        self.heard: list[Announcement] = []
        self.gateway = PaymentGateway(
            store,
            settings,
            port=StripePort(settings, client=self.client, sleep=lambda _: None),
            clock=lambda: self.now,
        )
        self.gateway.on(Announcement, name="heard")(self.heard.append)

    def status(self, booking_id: str) -> Any:
        return self.gateway.payment_status(booking_id, owner=OWNER)

    def tell(self) -> None:
        for event in list(self.fake.events.values()):
            body = json.dumps(event).encode()
            self.gateway.handle_webhook(body, sign(body, SECRET, timestamp=int(self.now.timestamp())))

    def settle(self) -> None:
        for _ in range(20):
            self.gateway.tick()
            self.now += timedelta(minutes=5)


@databases
def test_what_an_older_version_left_is_finished_by_todays(old: Any, version: int, kind: str) -> None:
    later = Later(old(version, kind))
    later.store.create_tables()
    answers = {booking_id: later.status(booking_id) for booking_id in ANSWERS[version]}
    assert {k: [a.payment_status, a.stripe_status] for k, a in answers.items()} == {
        k: known["payment"] for k, known in ANSWERS[version].items()
    }
    later.settle()
    later.tell()
    later.settle()
    statuses = {booking_id: later.status(booking_id).payment_status for booking_id in ANSWERS[version]}
    assert statuses == {
        "BK-behind": "completed",  # its event came after the upgrade
        "BK-cancelled": "canceled",
        "BK-confirmed": "completed",
        "BK-disputed": "disputed",
        "BK-failed": "failed",
        "BK-going": "partially_refunded",  # the saved refund was sent, once
        "BK-held": "canceled",  # its hold ended
        "BK-new": "pending",
        "BK-open": "pending",
        "BK-opening": "pending",  # the saved create was sent, once
        "BK-partly": "partially_refunded",
        "BK-refunded": "refunded",
        "BK-review": "review",
        "BK-untold": "completed",
    }
    told = {(type(a).__name__, a.booking_id) for a in later.heard}
    assert ("BookingConfirmed", "BK-untold") in told  # saved by the old version, delivered by today's
    assert ("BookingConfirmed", "BK-confirmed") not in told  # which the old one delivered
    going = load(later.store, "BK-going").ledger.payments[0].intent_id
    refunded = [r["amount"] for r in later.fake.refunds.values() if r["payment_intent"] == going]
    assert refunded == [2000]
    assert len(load(later.store, "BK-opening").ledger.payments) == 1
    assert later.status("BK-opening").stripe_status == "requires_payment_method"
    made = later.gateway.create_payment("BK-new", owner=OWNER, amount=Money(PRICE.amount_minor, PRICE.currency))
    later.fake.pay(made.payment_intent_id)
    later.gateway.confirm_payment("BK-new", made.payment_intent_id, owner=OWNER)
    assert later.store.booking("BK-new").status == "confirmed"
    later.client.close()


def test_lines_written_after_an_upgrade_come_after_the_old_ones(old: Any) -> None:
    store = old(1, "sqlite")
    store.create_tables()
    before = store.history("BK-confirmed")
    store.add_booking(booking("bk_1"))
    assert store.save(paying(load(store)))
    later = Later(store)
    later.gateway.refund("BK-confirmed", request_id="case-9")
    after = store.history("BK-confirmed")
    assert after[: len(before)] == before
    assert len(after) > len(before)
    later.client.close()
