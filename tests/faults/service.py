"""A service that takes payments, as processes that may be killed at any moment. What it is told stands in the environment.

    gunicorn -c python:tests.faults.service tests.faults.service:app      two processes that share a database
    uvicorn tests.faults.service_async:app                                one, async

In the transaction of each change `on_save` writes a row, and another for a booking that it confirms. Two subscribers write
down what they are told, by its id, in transactions of their own.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from tests.postgres import Schema

from airport_payments import Announcement, Change, PaymentEndpoints, PaymentGateway, PaymentsError, StripeSettings
from airport_payments.contract import Response, answer, error_answer
from airport_payments.core.model import BookingStatus
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

TABLES = (
    "CREATE TABLE effects (booking_id varchar(128), version integer)",
    "CREATE TABLE tickets (booking_id varchar(128))",
    "CREATE TABLE mails (subscriber varchar(20), id varchar(160), booking_id varchar(128), sequence integer, heard_ns bigint,"
    " PRIMARY KEY (subscriber, id))",
)
EFFECT = text("INSERT INTO effects (booking_id, version) VALUES (:booking_id, :version)")
TICKET = text("INSERT INTO tickets (booking_id) VALUES (:booking_id)")
MAIL = text(
    "INSERT INTO mails (subscriber, id, booking_id, sequence, heard_ns) VALUES (:subscriber, :id, :booking_id, :sequence, :ns)"
    " ON CONFLICT (subscriber, id) DO NOTHING"
)
SUBSCRIBERS = ("mailer", "books")
TICK_S = 0.2

# ---- gunicorn's settings; `-c python:tests.faults.service` reads them ----

workers = 2
threads = 4
worker_class = "gthread"
control_socket_disable = True
preload_app = True  # a killed process is replaced by a fork, which is there at once


def post_worker_init(worker: Any) -> None:
    """Do what is due in the background, and say by a file's name that this process is there."""
    threading.Thread(target=gateway.work, args=(threading.Event(), TICK_S), daemon=True).start()
    (Path(os.environ["FAULTS_PIDS"]) / str(worker.pid)).touch()


# ---- what both colours share ----


def engine_of(make: Callable[..., Any], driver: str, **pool: Any) -> Any:
    """Return an engine on the database that the environment names: a file, or `DSN#schema`."""
    where = os.environ["FAULTS_DATABASE"]
    dsn, _, schema = where.partition("#")
    if schema:
        # A connection may break in a way that nobody hears of: what waits for an answer gives up, as the docs advise.
        limits = {"timeout": 10, "command_timeout": 20} if driver == "asyncpg" else {"connect_timeout": 10}
        given = pool or {"pool_size": 8, "pool_timeout": 10}
        return Schema(dsn, schema).engine(make, driver, connect_args=limits, **given)
    return make(f"sqlite{'' if driver == 'psycopg' else '+aiosqlite'}:///{where}", connect_args={"timeout": 20}, **pool)


def clock() -> datetime:
    """The present, which the town moves forward faster than time does: a lease is minutes long."""
    return datetime.now(UTC) + timedelta(seconds=int(Path(os.environ["FAULTS_CLOCK"]).read_text()))


def rows_of(change: Change) -> list[tuple[Any, dict[str, Any]]]:
    """What `on_save` writes."""
    rows: list[tuple[Any, dict[str, Any]]] = [
        (EFFECT, {"booking_id": change.booking_id, "version": change.ledger.version})
    ]
    if change.booking_status is BookingStatus.CONFIRMED:
        rows.append((TICKET, {"booking_id": change.booking_id}))
    return rows


def mail_of(subscriber: str, told: Announcement) -> dict[str, Any]:
    return {
        "subscriber": subscriber, "id": told.id, "booking_id": told.booking_id, "sequence": told.sequence,
        "ns": time.monotonic_ns(),
    }  # fmt: skip


def customer(token: str) -> str:
    """Whoever calls is who they say: nothing here is about logging in."""
    return token


def staff_answer(data: object) -> Response:
    return answer(200, {"success": True, "data": data})


# ---- the sync one ----


def on_save(connection: Connection, change: Change) -> None:
    for statement, values in rows_of(change):
        connection.execute(statement, values)


def subscribe(gateway: PaymentGateway, engine: Engine, name: str) -> None:
    @gateway.on(Announcement, name=name)
    def _write_down(told: Announcement) -> None:
        with engine.begin() as connection:
            connection.execute(MAIL, mail_of(name, told))


if "gunicorn" in os.environ.get("FAULTS_SERVER", ""):
    engine = engine_of(create_engine, "psycopg")
    repository = SqlAlchemyBookingRepository(engine, on_save=on_save)
    gateway = PaymentGateway(repository, StripeSettings.from_env(), clock=clock)
    endpoints = PaymentEndpoints(gateway, customer)
    for subscriber in SUBSCRIBERS:
        subscribe(gateway, engine, subscriber)


def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Serve the contract's endpoints, and three of our own."""
    path = environ["PATH_INFO"]
    if path.startswith("/payment/"):
        headers = [(name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")]
        headers.append(("Content-Length", environ.get("CONTENT_LENGTH", "0")))
        chunks = iter(lambda: environ["wsgi.input"].read(16_384), b"")
        result = endpoints.handle(environ["REQUEST_METHOD"], path, headers, chunks)
    else:
        try:
            result = staff_answer(_staff(path, environ["wsgi.input"].read()))
        except PaymentsError as error:
            result = error_answer(error)
    start(f"{result.status} {result.status}", [(name, value) for name, value in result.headers])
    return [result.body]


def _staff(path: str, body: bytes) -> object:
    if path == "/health":
        return os.getpid()
    asked = json.loads(body)
    if path == "/cancel":
        return gateway.cancel(asked["booking_id"]).outcome
    refund = gateway.refund(asked["booking_id"], request_id=asked["request_id"])
    return [refund.refund_id, refund.state]
