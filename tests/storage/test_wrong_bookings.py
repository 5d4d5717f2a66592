"""What is no booking is refused where it is written, by the name of its field, and not where it is read."""

import asyncio
from datetime import datetime

import pytest
from sqlalchemy import StaticPool, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from airport_payments import Booking, InvalidRequest, Money
from airport_payments.storage.memory import AsyncMemoryBookingRepository, MemoryBookingRepository
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository

PRICE = Money(45099, "usd")
GOOD = {"id": "BK-1", "owner": "alice", "price": PRICE}


class Store:
    def __init__(self, colour: str) -> None:
        self.runner = asyncio.Runner()
        self.engine = (
            create_engine("sqlite://", poolclass=StaticPool)
            if colour == "sync"
            else create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        )
        kind = SqlAlchemyBookingRepository if colour == "sync" else AsyncSqlAlchemyBookingRepository
        self.repository = kind(self.engine)
        self.run(self.repository.create_tables())

    def run(self, outcome):
        return self.runner.run(outcome) if asyncio.iscoroutine(outcome) else outcome

    def close(self) -> None:
        self.run(self.engine.dispose())
        self.runner.close()


@pytest.fixture(params=["sync", "async"])
def store(request):
    store = Store(request.param)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("id", "a b\n", "bookingId"),
        ("id", "", "bookingId"),
        ("id", "x" * 129, "bookingId"),
        ("id", 5, "bookingId"),
        ("owner", None, "owner"),
        ("owner", "", "owner"),
        ("owner", 5, "owner"),
        ("owner", "\ud800", "owner"),
        ("price", 450.99, "price"),
        ("price", None, "price"),
        ("status", "weird", "status"),
        ("status", None, "status"),
        ("status", [], "status"),
        ("hold_until", datetime(2026, 1, 1), "hold_until"),
        ("hold_until", "tomorrow", "hold_until"),
    ],
    ids=repr,
)
def test_a_malformed_field_is_refused_by_name_and_nothing_is_written(store, field, value, named) -> None:
    with pytest.raises(InvalidRequest) as refused:
        store.run(store.repository.add_booking(Booking(**{**GOOD, field: value})))
    assert [error.field for error in refused.value.errors] == [named]
    assert store.run(store.repository.booking("BK-1")) is None


@pytest.mark.parametrize("price", [1.5, None, "450.99", 45099])
def test_a_price_that_is_no_money_is_refused(store, price) -> None:
    assert store.run(store.repository.add_booking(Booking(**GOOD)))
    with pytest.raises(InvalidRequest, match="price"):
        store.run(store.repository.set_booking_price("BK-1", price))
    assert store.run(store.repository.booking("BK-1")).price == PRICE


def test_what_is_no_booking_at_all_is_refused(store) -> None:
    with pytest.raises(InvalidRequest, match="booking"):
        store.run(store.repository.add_booking({"id": "BK-1"}))


@pytest.mark.parametrize("kind", [MemoryBookingRepository, AsyncMemoryBookingRepository])
@pytest.mark.parametrize(
    ("field", "value"),
    [("price", 450.99), ("price", None), ("hold_until", datetime(2026, 1, 1)), ("hold_until", "tomorrow")],
    ids=repr,
)
def test_in_memory_too_what_no_rule_could_compare_is_refused(kind, field, value) -> None:
    wrong = Booking(**{**GOOD, field: value})
    with pytest.raises(InvalidRequest, match=field):
        kind([wrong])
    repository = kind()
    with pytest.raises(InvalidRequest, match=field):
        repository.put_booking(wrong)
    assert repository.booking("BK-1") is None
