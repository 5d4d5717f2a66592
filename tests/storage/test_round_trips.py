"""How often PostgreSQL is asked: once for a read, once for a save, whatever it writes, and in statements prepared before."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.postgres import HURRY, Schema, Server
from tests.storage.builders import LATER, NOW, booking, change, closed, line, opening, paying, payment
from tests.storage.stores import ON_POSTGRESQL, load
from tests.storage.wire import Proxy

from airport_payments.core.money import Money


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Server(**HURRY) as server:
        proxy = Proxy(server.dsn)
        yield proxy
        proxy.close()


@pytest.fixture(params=list(ON_POSTGRESQL))
def store(request: pytest.FixtureRequest, proxy: Proxy) -> Iterator[Any]:
    schema = Schema(proxy.dsn)
    kind: Any = ON_POSTGRESQL[request.param]
    made = kind(schema, pool_size=1, max_overflow=0)
    made.create_tables()
    warm_up(made)
    yield made
    made.close()
    schema.drop()


def warm_up(store: Any) -> None:
    """Let every statement be prepared."""
    for name in ("bk_w", "bk_x", "bk_y"):
        store.add_booking(booking(name))
    store.save(opening(load(store, "bk_w"), "at_w"))
    store.save(change(load(store, "bk_w"), lines=[line("")]))
    store.save(change(load(store, "bk_y"), due=NOW))
    store.save(change(load(store, "bk_w"), due=NOW))
    store.save(paying(load(store, "bk_w"), "pi_w"))
    store.save(paying(load(store, "bk_x"), "pi_x"))
    for number in range(20):
        store.add_booking(booking(f"bk_{number}"))
    reads(store)


def reads(store: Any) -> int:
    store.get("bk_1")
    store.get("bk_none")
    store.find("pi_w")
    store.due(before=NOW, after=None, limit=10)
    store.due(before=LATER, after="bk_1", limit=100_000)
    store.history("bk_w")
    return 6


def test_a_read_is_one_round_trip(store: Any, proxy: Proxy) -> None:
    with proxy.counting() as said:
        asked = reads(store)
    assert said["Z"] == asked
    assert said["P"] == said["Q"] == 0


def test_a_save_is_one_round_trip_whatever_it_writes(store: Any, proxy: Proxy) -> None:
    many = [closed(payment(f"at_{n}", f"pi_{n}")) for n in range(50)]
    makers = [
        lambda read: opening(read, "at_0"),
        lambda read: change(read, payment("at_0", "pi_0"), due=NOW, lines=[line("one")]),
        lambda read: change(read, *many, due=LATER, lines=[line(str(n)) for n in range(50)]),
        lambda read: change(read, *many),
        lambda read: paying(read, "pi_paid"),
    ]
    for make in makers:
        made = make(load(store, "bk_1"))
        with proxy.counting() as said:
            assert store.save(made)
        assert said["Z"] == 1
        assert said["P"] == said["Q"] == 0
    with proxy.counting() as said:
        assert store.save(paying(load(store, "bk_2"), "pi_of_2"))
    assert said["Z"] == 2


def test_a_refused_save_is_one_round_trip(store: Any, proxy: Proxy) -> None:
    made = opening(load(store, "bk_1"))
    assert store.save(made)
    second = change(load(store, "bk_1"), payment("at_1", None), payment("at_2", "pi_2"))
    for refused in (made, second, paying(made.read)):
        with proxy.counting() as said:
            assert not store.save(refused)
        assert said["Z"] == 1


def test_a_statement_is_prepared_once_however_large_its_numbers_are(store: Any, proxy: Proxy) -> None:
    """psycopg tells the server the size of each int, and the server takes another size for another statement."""
    with proxy.counting() as said:
        for number, amount in enumerate((1, 70_000, 5_000_000_000)):
            name = f"bk_of_{amount}"
            store.add_booking(booking(name, price=Money(amount, "usd")))
            assert store.save(change(load(store, name), payment(f"at_{number}", None), due=NOW, lines=[line("")]))
            assert store.save(paying(load(store, name), f"pi_of_{number}"))
    assert said["P"] == 0
