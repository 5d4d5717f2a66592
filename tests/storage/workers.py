"""Writers in processes of their own: `python -m tests.storage.workers race|crash FILE`.

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
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.storage.builders import NOW, booking, change, closed, line, payment
from tests.storage.stores import SqliteStore, load

from airport_payments.core.codec import load as load_ledger
from airport_payments.core.decide.draft import index_row

RACES = 200
CRASHES = 20
BOOKINGS = 7
CONTEXT = multiprocessing.get_context("fork")

# ---- two processes, one version ----


def race(path: Path) -> None:
    """Let two processes save on the same version, again and again."""
    with closing(SqliteStore(path, connect_args={"timeout": 30})) as store:
        store.create_tables()
        store.add_booking(booking())
    barrier = CONTEXT.Barrier(2)
    won: Any = CONTEXT.Array("i", RACES)
    writers = [CONTEXT.Process(target=_racer, args=(path, name, barrier, won)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert list(won) == [1] * RACES, list(won)
    with closing(SqliteStore(path)) as store:
        assert load(store).ledger.version == RACES
        assert len(store.history("bk_1")) == RACES


def _racer(path: Path, name: str, barrier: Any, won: Any) -> None:
    with closing(SqliteStore(path, connect_args={"timeout": 30})) as store:
        for turn in range(RACES):
            read = load(store)
            barrier.wait(30)
            if store.save(change(read, lines=[line(f"{name}{turn}")])):
                with won.get_lock():
                    won[turn] += 1
            barrier.wait(30)


# ---- a process that is killed ----


def crash(path: Path) -> None:
    """Kill a writer at random moments; after each time, all that it acknowledged is there, and whole."""
    with closing(SqliteStore(path)) as store:
        store.create_tables()
        for number in range(BOOKINGS):
            store.add_booking(booking(f"bk_{number}"))
    acknowledged: dict[str, int] = {}
    for turn in range(CRASHES):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _write_until_killed(path, writer)
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
        check(path, acknowledged)
    assert sum(acknowledged.values()) > CRASHES, "the writer never got to work"


def _write_until_killed(path: Path, pipe: int) -> None:
    store = SqliteStore(path)
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


def check(path: Path, acknowledged: dict[str, int]) -> None:
    """The database is sound, holds what was acknowledged, and each ledger agrees with its index and history."""
    with closing(sqlite3.connect(path)) as connection:
        ask = connection.execute
        assert ask("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert ask("PRAGMA foreign_key_check").fetchall() == []
        ledgers = {row[0]: row[1:] for row in ask("SELECT booking_id, version, document FROM airport_ledgers")}
        for booking_id, version in acknowledged.items():
            assert ledgers[booking_id][0] >= version, (booking_id, version)
        for booking_id, (version, document) in ledgers.items():
            lines = ask(
                "SELECT decision FROM airport_history WHERE booking_id = ? ORDER BY version, line", (booking_id,)
            ).fetchall()
            assert [int(text) for (text,) in lines] == list(range(version))
            rows = "SELECT intent_id, state FROM airport_payments WHERE booking_id = ? AND attempt_id = ?"
            for made in load_ledger(document, version).payments:
                wanted = index_row(replace(made))
                assert ask(rows, (booking_id, made.attempt_id)).fetchall() == [(wanted.intent_id, wanted.state.value)]


if __name__ == "__main__":
    {"race": race, "crash": crash}[sys.argv[1]](Path(sys.argv[2]))
