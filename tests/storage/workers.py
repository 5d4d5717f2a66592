"""Writers in processes of their own: `python -m tests.storage.workers race|crash FILE`, or `DSN#SCHEMA` for a file.

They fork from a process that has no threads, which pytest's own may have.
"""

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.postgres import Schema
from tests.storage.builders import NOW, booking, change, closed, line, payment
from tests.storage.stores import PsycopgStore, SqliteStore, load

from airport_payments.core.codec import load as load_ledger
from airport_payments.core.decide.draft import index_row

RACES = 200
CRASHES = 20
BOOKINGS = 7
CONTEXT = multiprocessing.get_context("fork")


def opened(where: str) -> Any:
    """The database in a file, or on a server."""
    dsn, _, schema = where.partition("#")
    return PsycopgStore(Schema(dsn, schema)) if schema else SqliteStore(Path(where), connect_args={"timeout": 30})


# ---- two processes, one version ----


def race(where: str) -> None:
    """Let two processes save on the same version, again and again."""
    with closing(opened(where)) as store:
        store.create_tables()
        store.add_booking(booking())
    barrier = CONTEXT.Barrier(2)
    won: Any = CONTEXT.Array("i", RACES)
    writers = [CONTEXT.Process(target=_racer, args=(where, name, barrier, won)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert list(won) == [1] * RACES, list(won)
    with closing(opened(where)) as store:
        assert load(store).ledger.version == RACES
        assert len(store.history("bk_1")) == RACES


def _racer(where: str, name: str, barrier: Any, won: Any) -> None:
    with closing(opened(where)) as store:
        for turn in range(RACES):
            read = load(store)
            barrier.wait(30)
            if store.save(change(read, lines=[line(f"{name}{turn}")])):
                with won.get_lock():
                    won[turn] += 1
            barrier.wait(30)


# ---- a process that is killed ----


def crash(where: str) -> None:
    """Kill a writer at random moments; after each time, all that it acknowledged is there, and whole."""
    with closing(opened(where)) as store:
        store.create_tables()
        for number in range(BOOKINGS):
            store.add_booking(booking(f"bk_{number}"))
    acknowledged: dict[str, int] = {}
    for turn in range(CRASHES):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _write_until_killed(where, writer)
        os.close(writer)
        started = os.read(reader, 1)
        time.sleep(random.Random(turn).uniform(0.0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as pipe:
            told = started + pipe.read()
        # A line that was not finished is no acknowledgement.
        for text in told.split(b"\n")[1:-1]:
            booking_id, version = json.loads(text)
            acknowledged[booking_id] = version
        check(where, acknowledged)
    assert sum(acknowledged.values()) > CRASHES, "the writer never got to work"


def _write_until_killed(where: str, pipe: int) -> None:
    store = opened(where)
    load(store, "bk_0")  # connected, which takes its time on a server
    os.write(pipe, b"\n")
    for turn in range(10**9):
        name = f"bk_{turn % BOOKINGS}"
        read = load(store, name)
        last = read.ledger.payments[-1] if read.ledger.payments else None
        if last is not None and last.payable:
            now = (*read.ledger.payments[:-1], closed(last))
        else:
            new = f"{name}_{read.ledger.version}"
            now = (*read.ledger.payments[-4:], payment(f"at_{new}", f"pi_{new}"))
        if store.save(change(read, *now, due=NOW, lines=[line(str(read.ledger.version))])):
            os.write(pipe, json.dumps([name, read.ledger.version + 1]).encode() + b"\n")


def check(where: str, acknowledged: dict[str, int]) -> None:
    """The database is sound, holds what was acknowledged, and each ledger agrees with its index and history."""
    dsn, _, schema = where.partition("#")
    if schema:
        server = Schema(dsn, schema)
        while server.connections("pid"):  # what the dead one asked for last is still being done
            time.sleep(0.002)
        consistent(server.run, acknowledged)
        return
    with closing(sqlite3.connect(where)) as connection:

        def ask(sql: str) -> list[Any]:
            return connection.execute(sql).fetchall()

        assert ask("PRAGMA integrity_check") == [("ok",)]
        assert ask("PRAGMA foreign_key_check") == []
        consistent(ask, acknowledged)


def consistent(ask: Callable[[str], list[Any]], acknowledged: dict[str, int]) -> None:
    ledgers = {row[0]: row[1:] for row in ask("SELECT booking_id, version, document FROM airport_ledgers")}
    for booking_id, version in acknowledged.items():
        assert ledgers[booking_id][0] >= version, (booking_id, version)
    stories: dict[str, list[int]] = {booking_id: [] for booking_id in ledgers}
    for booking_id, decision in ask(
        "SELECT booking_id, decision FROM airport_history ORDER BY booking_id, version, line"
    ):
        stories[booking_id].append(int(decision))
    rows = {row[:2]: row[2:] for row in ask("SELECT booking_id, attempt_id, intent_id, state FROM airport_payments")}
    for booking_id, (version, document) in ledgers.items():
        assert stories[booking_id] == list(range(version))
        for made in load_ledger(document, version).payments:
            wanted = index_row(replace(made))
            assert rows[booking_id, made.attempt_id] == (wanted.intent_id, wanted.state.value)


if __name__ == "__main__":
    {"race": race, "crash": crash}[sys.argv[1]](sys.argv[2])
