"""PostgreSQL is stopped and started under load: 503 meanwhile, nothing acknowledged, and no restart of the service after."""

import signal
import time
from pathlib import Path

import pytest
from tests.faults.books import Books
from tests.faults.crash import any_seed
from tests.faults.town import Town, Try, until
from tests.postgres import HURRY, Schema, Server

pytestmark = pytest.mark.e2e

STOPS = [signal.SIGINT, signal.SIGQUIT]  # in good order, and as if the power was cut
AWAY = 30  # this many deliveries are refused while it is down


def sent_after(town: Town, moment: float) -> list[Try]:
    return [one for one in list(town.tries) if one.began > moment]


@pytest.mark.parametrize(
    ("server", "driver"),
    [
        ("gunicorn", "psycopg"),
        pytest.param("uvicorn", "asyncpg", marks=pytest.mark.thorough),
        pytest.param("uvicorn", "psycopg", marks=pytest.mark.thorough),
    ],
)
def test_the_database_goes_and_comes_back_under_load(server: str, driver: str, tmp_path: Path) -> None:
    settings = {**HURRY, "synchronous_commit": "on"}  # what it says is committed has left its memory when it is stopped
    with Server(**settings) as postgres:
        schema = Schema(postgres.dsn)
        town = Town(server, f"{schema.dsn}#{schema.name}", tmp_path, any_seed(), driver=driver)
        books = Books(town)
        with town.running():
            until(lambda: len(town.workers()) == town.processes_wanted)
            before = town.workers()
            for how in STOPS:
                town.let_book(25)
                town.wait_for(40)
                _away(town, postgres, how)
                books.acknowledged()
            town.let_book(5)
            town.drain()
            assert town.workers() == before
            assert town.app.running
            town.close_shop()
            books.acknowledged()
            books.settled()


def _away(town: Town, postgres: Server, how: signal.Signals) -> None:
    postgres.stop(how)
    stopped = time.monotonic()

    def refused() -> list[Try]:
        return sent_after(town, stopped)

    try:
        until(lambda: sum(one.status == 503 for one in refused()) >= AWAY, problems=town.problems)
        down = refused()
        ended = time.monotonic()
    finally:
        postgres.start()
    # What is none of ours needs no database, and is not kept.
    ours = [one for one in down if one.outcome != "ignored" and one.ended < ended]
    assert {(one.status, one.outcome) for one in ours} == {(503, None)}
    assert all(int(one.retry_after or 0) > 0 for one in ours)
    back = time.monotonic()
    until(lambda: any(one.outcome == "applied" for one in sent_after(town, back)), problems=town.problems)
