"""`get_and_save`: reading, deciding and saving over one connection ends as three calls do."""

import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import event
from tests.storage.builders import OTHER_PRICE, booking, opening, paying
from tests.storage.stores import load

from airport_payments.core.errors import StorageUnavailable
from airport_payments.core.model import BookingStatus, Change, Snapshot
from airport_payments.repository import get_and_save_of
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository

SQL = pytest.mark.parametrize("store", ["sqlite", "sqlite-async", "psycopg", "psycopg-async", "asyncpg"], indirect=True)


@SQL
def test_what_the_rule_makes_of_what_is_read_is_written(store: Any) -> None:
    store.add_booking(booking())
    seen: list[Snapshot] = []

    def rule(snapshot: Snapshot) -> Change:
        seen.append(snapshot)
        return paying(snapshot)

    before = load(store)
    assert store.get_and_save("bk_1", rule) is True
    assert seen == [before]
    after = load(store)
    assert (after.ledger.version, after.booking.status) == (1, BookingStatus.CONFIRMED)
    assert store.history("bk_1") == paying(before).history


@SQL
def test_a_rule_that_wants_nothing_written_writes_nothing(store: Any) -> None:
    store.add_booking(booking())
    before = store.dump()
    assert store.get_and_save("bk_1", lambda _: None) is True
    assert store.dump() == before


@SQL
def test_where_there_is_no_such_booking_no_rule_is_asked(store: Any) -> None:
    assert store.get_and_save("bk_1", lambda _: pytest.fail("asked")) is True


@SQL
def test_what_moved_on_is_a_conflict_and_nothing_is_written(store: Any) -> None:
    store.add_booking(booking())
    old = load(store)
    assert store.save(opening(old))
    before = store.dump()
    assert store.get_and_save("bk_1", lambda _: opening(old)) is False
    assert store.dump() == before
    assert store.get_and_save("bk_1", paying) is True


@SQL
def test_what_the_rule_raises_comes_through_and_the_connection_goes_back(store: Any) -> None:
    store.add_booking(booking())
    before = store.dump()

    def rule(_: Snapshot) -> Change:
        raise ZeroDivisionError

    for _ in range(20):  # more often than the pool has connections
        with pytest.raises(ZeroDivisionError):
            store.get_and_save("bk_1", rule)
    assert store.dump() == before
    assert store.set_booking_price("bk_1", OTHER_PRICE)


@pytest.mark.parametrize("sqlite_store", ["sqlite", "sqlite-async"], indirect=True)
def test_one_connection_is_taken_for_both(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    taken: list[object] = []
    engine = getattr(sqlite_store.engine, "sync_engine", sqlite_store.engine)
    event.listen(engine, "checkout", lambda *_: taken.append(threading.get_ident()))
    assert sqlite_store.get_and_save("bk_1", paying)
    assert len(taken) == 1


def test_a_database_that_cannot_answer_is_said_to_be_so(sqlite_store: Any) -> None:
    sqlite_store.add_booking(booking())
    with closing(sqlite3.connect(sqlite_store.path, isolation_level=None)) as other:
        other.execute("DROP TABLE airport_ledgers")
    with pytest.raises(StorageUnavailable):
        sqlite_store.get_and_save("bk_1", paying)


@pytest.mark.parametrize("kind", [SqlAlchemyBookingRepository, AsyncSqlAlchemyBookingRepository])
def test_whoever_puts_another_save_in_the_place_of_ours_is_asked_to_save(kind: type[Any]) -> None:
    class Theirs(kind):
        def save(self, change: Change) -> bool:
            raise NotImplementedError

    assert get_and_save_of(Theirs.__new__(Theirs)) is None
    ours = kind.__new__(kind)
    assert get_and_save_of(ours) is not None
    ours.save = lambda _: False
    assert get_and_save_of(ours) is None
