"""What `prune` and `erase_customer` need of a repository, beyond what the conformance suite asks of all."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, Numeric, String, Table, Uuid, create_engine
from tests.postgres import Schema
from tests.storage.builders import booking, change, line, opening, paying
from tests.storage.stores import Store, load

from airport_payments.core.keeping import forgetting
from airport_payments.core.model import Snapshot
from airport_payments.storage.sqlalchemy import BookingTable, SqlAlchemyBookingRepository


def test_a_pruned_ledger_is_read_as_it_was_written(store: Store) -> None:
    store.add_booking(booking())
    assert store.save(opening(load(store)))
    assert store.save(paying(load(store)))
    read = load(store)
    payments = tuple(replace(p, look_at=None) for p in read.ledger.payments)
    known = Snapshot(read.booking, replace(read.ledger, payments=payments, announcements=()))
    made = forgetting(known)
    assert made is not None
    assert store.save(replace(made, read=read))
    found = load(store).ledger
    assert found == made.ledger
    assert found.payments[0].news == ()
    assert store.find("pi_1") == "bk_1"
    assert not store.save(replace(made, read=read))  # a second one comes too late


UUID = "00000000-0000-4000-8000-00000000000"
TABLES = {
    "integers": (BigInteger(), Integer(), ("10", "9", "7"), ("1", "2")),
    "texts": (String(20), String(20), ("x-2", "x-10", "x-3"), ("ann", "bob")),
    "uuids": (Uuid(), Uuid(), (f"{UUID}2", f"{UUID}1", f"{UUID}3"), (f"{UUID}8", f"{UUID}9")),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Any]:
    if request.param == "sqlite":
        made = create_engine(f"sqlite:///{tmp_path / 'team.db'}")
    else:
        schema: Schema = request.getfixturevalue("schema")
        made = schema.engine(create_engine, "psycopg")
    yield made
    made.dispose()


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_the_teams_own(engine: Any, kind: str) -> None:
    id_type, owner_type, ids, (ann, bob) = TABLES[kind]
    table = Table("flights", MetaData(), Column("ref", id_type, primary_key=True), Column("who", owner_type),
                  Column("price", Numeric(10, 2)), Column("state", String(9)), Column("until", DateTime))  # fmt: skip
    table.metadata.create_all(engine)
    theirs = BookingTable(
        table,
        id="ref",
        owner="who",
        amount="price",
        currency="usd",
        status="state",
        statuses={"pending": "p", "confirmed": "c", "cancelled": "x"},
    )
    repository = SqlAlchemyBookingRepository(engine, bookings=theirs)
    repository.create_tables()
    for booking_id in ids:
        repository.add_booking(booking(booking_id, owner=ann))
        snapshot = repository.get(booking_id)
        assert snapshot is not None
        assert repository.save(change(snapshot, lines=[line("x")]))
    in_order = sorted(ids)
    assert repository.owned_by(ann, after=None, limit=9) == in_order
    assert repository.owned_by(ann, after=in_order[0], limit=1) == in_order[1:2]
    assert repository.owned_by(bob, after=None, limit=9) == []
    assert repository.owned_by("none of this kind, nor of this length", after=None, limit=9) == []
    assert [booking_id for booking_id, _ in repository.newest(after=None, limit=9)] == in_order
    repository.forget(ids[0], version=1, before=None)
    assert [len(repository.history(booking_id)) for booking_id in ids] == [0, 1, 1]


@pytest.mark.parametrize("name", ["newest", "forget"])
def test_neither_reads_a_whole_table(schema: Schema, tmp_path: Any, name: str) -> None:
    sqlite = create_engine(f"sqlite:///{tmp_path / 'plan.db'}")
    for made in (sqlite, schema.engine(create_engine, "psycopg")):
        repository = SqlAlchemyBookingRepository(made)
        repository.create_tables()
        statement = getattr(repository._statements, name)
        values = {
            "newest": {"after": "", "limit": 5},
            "forget": {"booking_id": "a", "history_of": "a", "read_version": 1, "before_us": 1},
        }[name]
        on_sqlite = made is sqlite
        with made.connect() as connection:
            if not on_sqlite:
                connection.exec_driver_sql("SET enable_seqscan = off")
            explain = "EXPLAIN QUERY PLAN " if on_sqlite else "EXPLAIN "
            plan = str(connection.exec_driver_sql(explain + statement.sql, statement.bind(values)).fetchall())
        assert "Seq Scan" not in plan
        if on_sqlite:
            assert "TEMP B-TREE" not in plan
            assert "SCAN airport_history" not in plan
        made.dispose()
