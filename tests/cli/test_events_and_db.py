"""`events` and `db`: what to subscribe to, and the tables."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.shop import SECRET

from airport_payments.core.decide.route import HANDLED
from airport_payments.stripe_api.account import pinned_version


def test_events_prints_what_is_handled_one_a_line(here):
    assert here("events").out.splitlines() == list(HANDLED)
    assert here("events", "--thin").out.splitlines() == [f"v1.{name}" for name in HANDLED]


def test_events_as_json_say_what_is_needed(here):
    events = here("events", "--json").json["events"]
    assert [event["type"] for event in events] == list(HANDLED)
    assert {event["type"] for event in events if event["needed"]} == {
        "payment_intent.succeeded", "payment_intent.payment_failed",
    }  # fmt: skip
    assert {event["object"] for event in events} == {"payment_intent", "refund", "charge", "dispute"}


def calls(text: str) -> list[list[str]]:
    return [shlex.split(call.replace("\\\n", " ")) for call in text.split("\n\n")]


def test_the_calls_of_stripes_cli_name_every_event_the_address_and_our_api_version(here):
    listen, create = calls(here("events", "--stripe-cli", "--url", "https://my shop.example/payment/webhook").out)
    assert listen[:2] == ["stripe", "listen"]
    assert listen[listen.index("--events") + 1].split(",") == list(HANDLED)
    assert listen[listen.index("--forward-to") + 1] == "https://my shop.example/payment/webhook"
    assert create[:3] == ["stripe", "webhook_endpoints", "create"]
    assert create[create.index("--api-version") + 1] == pinned_version()
    assert create[create.index("--url") + 1] == "https://my shop.example/payment/webhook"
    events = [word.partition("=")[2] for word in create if word.startswith("enabled_events[")]
    assert events == list(HANDLED)


def test_thin_events_are_listened_to_and_no_endpoint_is_made_for_them(here):
    (listen,) = calls(here("events", "--thin", "--stripe-cli").out)
    assert listen[listen.index("--events") + 1].split(",") == [f"v1.{name}" for name in HANDLED]
    assert listen[listen.index("--forward-to") + 1] == "http://localhost:8000/payment/webhook"
    assert len(here("events", "--stripe-cli", "--json").json["calls"]) == 2


# ---- db ----

TABLES = {"airport_bookings", "airport_ledgers", "airport_payments", "airport_history"}


def tables(path) -> set[str]:
    with closing(sqlite3.connect(path)) as database, database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


@pytest.mark.parametrize("url", ["sqlite:///airport.db", "sqlite+aiosqlite:///airport.db"])
def test_init_makes_what_is_missing_and_leaves_the_rest(shop, here, url):
    first = here("db", "init", "--json", DATABASE_URL=url)
    assert (first.code, set(first.json["created"])) == (0, TABLES)
    assert tables(shop.folder / "airport.db") == TABLES
    with closing(sqlite3.connect(shop.folder / "airport.db")) as database, database:
        database.execute("DROP TABLE airport_history")
        database.execute("INSERT INTO airport_bookings VALUES ('b-1', 'alice', 1, 'usd', 'pending', NULL)")
    assert here("db", "init", DATABASE_URL=url).out == "SQLite file airport.db: made airport_history.\n"
    assert here("db", "init", DATABASE_URL=url).out == "SQLite file airport.db: all tables are there, of version 3.\n"
    assert shop.status("b-1") == "pending"


def test_init_needs_no_keys_and_says_where_it_cannot_write(shop, here):
    assert here("db", "init", STRIPE_SECRET_KEY=None, STRIPE_WEBHOOK_SECRET=None).code == 0
    ended = here("db", "init", "--json", DATABASE_URL="sqlite:////no/such/folder/airport.db")
    assert ended.code == 4
    assert ended.json["error"]["code"] == "storage_unavailable"
    assert here("db", "init", DATABASE_URL=None).code == 2


def test_the_sql_makes_the_same_tables(shop, here):
    script = here("db", "sql", DATABASE_URL=None).out
    with closing(sqlite3.connect(shop.folder / "by-hand.db")) as database, database:
        database.executescript(script)
    here("db", "init")
    schemas = []
    for name in ("by-hand.db", "airport.db"):
        with closing(sqlite3.connect(shop.folder / name)) as database, database:
            rows = database.execute("SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name")
            schemas.append([(kind, name, " ".join(sql.split())) for kind, name, sql in rows])
    assert schemas[0] == schemas[1]
    assert SECRET not in script


def test_the_sql_is_of_the_dialect_that_is_asked_for_or_of_the_url(here):
    postgresql = here("db", "sql", "--dialect", "postgresql", "--json").json
    assert postgresql["dialect"] == "postgresql"
    assert not [text for text in postgresql["statements"] if "WITHOUT ROWID" in text]
    by_url = here("db", "sql", "--json", DATABASE_URL="postgresql+psycopg://me:CANARY@localhost/x").json
    assert by_url == postgresql
    assert here("db", "sql", "--json", DATABASE_URL="nonsense").json["dialect"] == "sqlite"


@pytest.mark.e2e
@pytest.mark.parametrize("arguments", [["events"], ["events", "--json"], ["db", "init"], ["db", "sql", "--json"]])
def test_as_processes(shop, arguments):
    ended = shop.run(*arguments)
    assert (ended.code, ended.err) == (0, "")
    if "--json" in arguments:
        assert json.loads(ended.out)


OLD = Path(__file__).parent.parent / "storage/old"


def test_init_brings_an_earlier_version_up_to_date_and_says_so(shop, here):
    with closing(sqlite3.connect(shop.folder / "old.db")) as database, database:
        database.executescript((OLD / "1.sqlite.sql").read_text())
    url = {"DATABASE_URL": "sqlite:///old.db"}
    told = [f for f in here("doctor", "--json", **url).json["findings"] if f["check"] == "database.tables"]
    assert told[0]["level"] == "problem"
    assert told[0]["what"] == "the tables are of version 1, and this release needs version 3"
    assert "db sql --from 1" in told[0]["do"]
    first = here("db", "init", "--json", **url).json
    assert (first["from_version"], first["version"], first["created"], first["missing"]) == (1, 3, [], [])
    assert here("db", "init", "--json", **url).json["from_version"] == 3
    told = [f for f in here("doctor", "--json", **url).json["findings"] if f["check"] == "database.tables"]
    assert told[0]["level"] == "ok"


def test_init_names_the_versions(shop, here):
    with closing(sqlite3.connect(shop.folder / "old.db")) as database, database:
        database.executescript((OLD / "2.sqlite.sql").read_text())
    assert "brought from version 2 to version 3" in here("db", "init", DATABASE_URL="sqlite:///old.db").out


def test_sql_from_a_version_makes_the_same_tables_as_init(shop, here):
    script = here("db", "sql", "--from", "1").out
    with closing(sqlite3.connect(shop.folder / "old.db")) as database, database:
        database.executescript((OLD / "1.sqlite.sql").read_text())
        database.executescript(script)
    assert here("db", "init", "--json", DATABASE_URL="sqlite:///old.db").json["from_version"] == 3
    assert here("db", "sql", "--from", "3").out == "-- Tables of version 3 need nothing.\n"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--from", "9"], "no version 9"),
        (["--from", "-1"], "no version -1"),
        (["--from", "1", "--dialect", "postgresql"], "never on postgresql"),
    ],
)
def test_sql_from_a_version_that_never_was_is_refused(here, arguments, why):
    ended = here("db", "sql", *arguments)
    assert ended.code == 2
    assert why in ended.err


def test_doctor_finds_an_index_that_is_missing(shop, here):
    here("db", "init")
    with closing(sqlite3.connect(shop.folder / "airport.db")) as database, database:
        database.execute("DROP INDEX airport_payments_one_payable")
    told = [f for f in here("doctor", "--json").json["findings"] if f["check"] == "database.tables"]
    assert told[0]["what"] == "missing: airport_payments_one_payable"
