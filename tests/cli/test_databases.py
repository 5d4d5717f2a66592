"""The command line on PostgreSQL, and on a bookings table of the team's own."""

from __future__ import annotations

import pytest
from tests.postgres import sqlalchemy_url

pytestmark = pytest.mark.e2e

OWN_TABLE = """
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine
from airport_payments import BookingStatus, PaymentGateway, StripeSettings
from airport_payments.storage.sqlalchemy import BookingTable, SqlAlchemyBookingRepository

reservations = Table(
    "reservations", MetaData(),
    Column("ref", String(40), primary_key=True), Column("customer", String(40)), Column("price", Integer),
    Column("money", String(3)), Column("state", String(20)),
)
engine = create_engine("sqlite:///own.db")
statuses = {BookingStatus.PENDING: "open", BookingStatus.CONFIRMED: "paid", BookingStatus.CANCELLED: "gone"}
bookings = BookingTable(
    reservations, id="ref", owner="customer", amount="price", currency="money", status="state", statuses=statuses
)
gateway = PaymentGateway(
    SqlAlchemyBookingRepository(engine, bookings=bookings, prefix="pay_"), StripeSettings.from_env()
)
"""


def url(server, driver: str, **query: str) -> str:
    """The server's URL with a password, which the server does not ask for."""
    made = sqlalchemy_url(server.dsn, driver).set(password="CANARY")
    return made.update_query_dict(query).render_as_string(hide_password=False)


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_tables_and_doctor_on_postgresql(shop, postgresql, driver):
    env = {"DATABASE_URL": url(postgresql, driver)}
    first = shop.run("db", "init", "--json", env=env)
    assert (first.code, len(first.json["created"]), first.json["missing"]) == (0, 4, [])
    assert shop.run("db", "init", env=env).out.endswith(": all tables are there, of version 3.\n")
    found = {f["check"]: f["level"] for f in shop.run("doctor", "--json", env=env).json["findings"]}
    about = {check: level for check, level in found.items() if check.startswith("database.")}
    assert about == {"database.answers": "ok", "database.tables": "ok", "database.writable": "ok"}
    assert shop.run("tick", "--no-handlers", env=env).out == "nothing was due.\n"


def test_a_postgresql_that_is_read_only_or_away(shop, postgresql):
    shop.run("db", "init", env={"DATABASE_URL": url(postgresql, "psycopg")})
    read_only = url(postgresql, "psycopg", options="-cdefault_transaction_read_only=on")
    ended = shop.run("doctor", "--json", env={"DATABASE_URL": read_only})
    found = {finding["check"]: finding for finding in ended.json["findings"]}
    assert found["database.writable"]["level"] == "problem"
    assert "read-only transaction" in found["database.writable"]["what"]
    away = "postgresql+psycopg://me:CANARY@127.0.0.1:9/airport"
    ended = shop.run("doctor", "--json", env={"DATABASE_URL": away})
    found = {finding["check"]: finding for finding in ended.json["findings"]}
    assert found["database.answers"]["what"].startswith("postgresql database airport at 127.0.0.1 does not answer: ")
    assert shop.run("cancel", "b-1", env={"DATABASE_URL": away}).code == 4


def test_tables_beside_a_bookings_table_of_the_teams_own(shop):
    (shop.folder / "own.py").write_text(OWN_TABLE)
    missing = shop.run("db", "init", "--app", "own:gateway")
    assert missing.code == 1
    assert missing.out.endswith("Your own reservations is not there; it is left to you.\n")
    found = {f["check"]: f for f in shop.run("doctor", "--app", "own:gateway", "--json").json["findings"]}
    assert found["database.tables"]["what"] == "missing: reservations"
    make = "import own; own.reservations.metadata.create_all(own.engine)"
    assert shop.run("db", "init", "--app", "own:gateway", code=f"import sys; sys.path.insert(0, '')\n{make}").code == 0
    found = {f["check"]: f for f in shop.run("doctor", "--app", "own:gateway", "--json").json["findings"]}
    assert found["database.writable"]["level"] == "ok"
    sql = shop.run("db", "sql", "--app", "own:gateway").out
    assert "pay_ledgers" in sql
    assert "reservations" not in sql
