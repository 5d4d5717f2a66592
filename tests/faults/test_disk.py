"""A disk that is full, a database that may only be read, a file that is locked: 503, nothing half-written, and it passes.

The limit of a process on the size of its files stands for the full disk: the system refuses the write in the same place.
"""

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from tests.bench.webhook import BATCH, SECRET, _Ours, _Port
from tests.postgres import HURRY, Schema, Server
from tests.storage.stores import TABLES, dump_file

from airport_payments import PaymentEndpoints, PaymentGateway, StripeSettings
from airport_payments.contract import Response
from airport_payments.contract_models import WEBHOOK_PATH
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

SQLITE = ["full", "read-only", "locked"]
FILES_MB = 17  # a file of the log of PostgreSQL alone has 16


class Shop:
    """The endpoints on an engine, and events of paid payments to send them."""

    def __init__(self, engine: Engine) -> None:
        settings = StripeSettings("sk_test_" + "b" * 24, SECRET)
        self.repository = SqlAlchemyBookingRepository(engine)
        self.repository.create_tables()
        gateway = PaymentGateway(self.repository, settings, port=_Port())
        self.endpoints = PaymentEndpoints(gateway, lambda token: token)
        self.deliveries = _Ours(gateway, self.repository, settings).prepare(0)

    def send(self, delivery: tuple[bytes, str]) -> Response:
        body, signature = delivery
        return self.endpoints.handle("POST", WEBHOOK_PATH, [("Stripe-Signature", signature)], [body])

    def confirmed(self) -> int:
        return sum(str(self.repository.booking(f"b-0-{n}").status) == "confirmed" for n in range(BATCH))  # type: ignore[union-attr]


def refused(answer: Response) -> None:
    assert (answer.status, b"storage_unavailable" in answer.body) == (503, True), answer.body
    assert int(dict(answer.headers)["retry-after"]) > 0


@contextmanager
def limited(size: int) -> Iterator[None]:
    """No file of this process, and of those that it starts, may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def trouble(kind: str, path: Path) -> Iterator[None]:
    if kind == "full":
        with limited(max(file.stat().st_size for file in path.parent.iterdir())):
            yield
    elif kind == "locked":
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
    else:
        yield


def sqlite(kind: str, path: Path) -> None:
    """Send every event twice while there is trouble, and once after it. In a process of its own, which may be limited."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.05}, pool_size=1, max_overflow=0)
    shop = Shop(engine)
    if kind == "read-only":
        lease: Any = engine.raw_connection()
        lease.driver_connection.execute("PRAGMA query_only = ON").fetchall()
        lease.close()
        # Such a connection is thrown away for a new one, which may write. So there is one refusal.
        refused(shop.send(shop.deliveries[0]))
        assert shop.confirmed() == 0
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = dump_file(path)
    with trouble(kind, path):
        sent = [] if kind == "read-only" else [[shop.send(one) for _ in range(2)] for one in shop.deliveries]
        for answer in (answer for both in sent for answer in both if answer.status != 200):
            refused(answer)
        taken = [both for both in sent if 200 in {answer.status for answer in both}]
        assert kind == "read-only" or len(taken) < len(sent)
        # What still fitted into the files is there, and of the rest there is nothing.
        assert shop.confirmed() == len(taken)
        assert taken or dump_file(path) == before
    assert {shop.send(one).status for one in shop.deliveries} == {200}
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        story = other.execute(
            "SELECT count(*), count(DISTINCT booking_id) FROM airport_history WHERE decision LIKE 'paid:%'"
        )
        assert story.fetchone() == (BATCH, BATCH)
    engine.dispose()


@pytest.mark.parametrize("kind", SQLITE)
def test_a_sqlite_file_that_cannot_be_written_acknowledges_nothing_and_recovers(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.test_disk", kind, str(tmp_path / "shop.db")]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_postgresql_that_may_only_be_read_acknowledges_nothing_and_recovers() -> None:
    with Server(**HURRY) as server:
        schema = Schema(server.dsn)
        engine = schema.engine(create_engine, "psycopg", pool_size=1, max_overflow=0)
        shop = Shop(engine)
        read_only(schema, engine, "on")
        before = dump(schema)
        for one in shop.deliveries:
            refused(shop.send(one))
        assert dump(schema) == before
        read_only(schema, engine, "off")
        assert {shop.send(one).status for one in shop.deliveries} == {200}
        assert shop.confirmed() == BATCH
        engine.dispose()


def read_only(schema: Schema, engine: Engine, how: str) -> None:
    """As a server that became a replica, or that its provider closed for writing; for connections made from now on."""
    schema.run(f"SET transaction_read_only = off; ALTER DATABASE postgres SET default_transaction_read_only = {how}")
    engine.dispose()


def dump(schema: Schema) -> list[Any]:
    """All rows but those that fill the disk."""
    return [
        schema.run(f"SELECT * FROM {table} t WHERE NOT t::text LIKE '(filler%' ORDER BY 1, 2, 3") for table in TABLES
    ]


def test_a_postgresql_whose_disk_is_full_acknowledges_nothing_and_recovers() -> None:
    server = Server(**HURRY)
    with limited(FILES_MB * 2**20):
        server.start()
    try:
        schema = Schema(server.dsn)
        engine = schema.engine(create_engine, "psycopg", pool_size=1, max_overflow=0)
        shop = Shop(engine)
        fill(schema)
        before = dump(schema)
        answers = [shop.send(one) for one in shop.deliveries]
        for answer in answers:
            if answer.status != 200:
                refused(answer)
        # A page may have had room for one; of those that were refused there is nothing.
        taken = sum(answer.status == 200 for answer in answers)
        assert shop.confirmed() == taken < len(answers)
        assert taken or dump(schema) == before
        schema.run("DELETE FROM airport_history WHERE booking_id = 'filler'")
        schema.run("VACUUM FULL airport_history")
        assert {shop.send(one).status for one in shop.deliveries} == {200}
        assert shop.confirmed() == BATCH
        engine.dispose()
    finally:
        server.__exit__()


def fill(schema: Schema) -> None:
    """Write into the history until its file may not grow, with ever smaller rows, so that no room is left in it."""
    for size in (5000, 500, 50, 1):
        for turn in range(1000):
            values = (
                f"SELECT 'filler', {size * 1000 + turn}, n, 0, repeat('x', {size}), '' FROM generate_series(1, 200) n"
            )
            try:
                schema.run(f"INSERT INTO airport_history (booking_id, version, line, at_us, fact, decision) {values}")
            except psycopg.InternalError:  # "could not extend file"
                break
        else:
            raise AssertionError("the file never came to its end")


if __name__ == "__main__":
    sqlite(sys.argv[1], Path(sys.argv[2]))
