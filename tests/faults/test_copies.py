"""Thirty-two copies of one event at the same moment, a hundred times: exactly one effect each time."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from tests.bench.webhook import SECRET, _Ours, _Port
from tests.postgres import HURRY, Schema, Server
from tests.storage.stores import hurry

from airport_payments import Announcement, Change, EventOutcome, PaymentGateway, StripeSettings, TryAgain
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

COPIES, TIMES = 32, 100
WAIT_S = 60.0
TICKET = text("INSERT INTO tickets (booking_id) VALUES (:id)")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    pool: dict[str, Any] = {"pool_size": COPIES, "pool_timeout": WAIT_S}
    if request.param == "sqlite":
        made = create_engine(f"sqlite:///{tmp_path / 'shop.db'}", connect_args={"timeout": WAIT_S}, **pool)
        hurry(made)
        yield made
        made.dispose()
        return
    with Server(**HURRY) as server:
        made = Schema(server.dsn).engine(create_engine, "psycopg", **pool)
        yield made
        made.dispose()


def test_of_32_copies_of_one_event_exactly_one_has_an_effect(engine: Engine) -> None:
    def on_save(connection: Connection, change: Change) -> None:
        if change.booking_status is not None:
            connection.execute(TICKET, {"id": change.booking_id})

    repository = SqlAlchemyBookingRepository(engine, on_save=on_save)
    repository.create_tables()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE tickets (booking_id varchar(128))"))
    settings = StripeSettings("sk_test_" + "b" * 24, SECRET)
    gateway = PaymentGateway(repository, settings, port=_Port())
    heard: list[str] = []
    gateway.on(Announcement, name="mailer")(lambda told: heard.append(told.id))
    ours = _Ours(gateway, repository, settings)
    deliveries = [one for number in range(3) for one in ours.prepare(number)][:TIMES]
    with ThreadPoolExecutor(COPIES) as threads:
        for body, signature in deliveries:
            outcomes = together(threads, partial(delivered, gateway, body, signature))
            assert sorted(outcomes) == [EventOutcome.APPLIED] + [EventOutcome.UNCHANGED] * (COPIES - 1)
    while gateway.tick().bookings:
        pass
    with engine.connect() as connection:
        tickets = connection.execute(text("SELECT count(*), count(DISTINCT booking_id) FROM tickets")).one()
        story = text("SELECT count(*), count(DISTINCT booking_id) FROM airport_history WHERE decision LIKE 'paid:%'")
        assert tuple(tickets) == tuple(connection.execute(story).one()) == (TIMES, TIMES)
    assert len(heard) == len(set(heard)) == TIMES


def delivered(gateway: PaymentGateway, body: bytes, signature: str) -> EventOutcome:
    """Send it until it is answered 2xx, as Stripe does."""
    while True:
        try:
            return gateway.handle_webhook(body, signature)
        except TryAgain:
            continue


def together(threads: ThreadPoolExecutor, work: Callable[[], EventOutcome]) -> list[EventOutcome]:
    """Do it in each thread, all at the same moment."""
    barrier = threading.Barrier(COPIES, timeout=WAIT_S)

    def one(_: int) -> EventOutcome:
        barrier.wait()
        return work()

    return list(threads.map(one, range(COPIES)))
