"""Many processes on one PostgreSQL, and what they ask of it: no more than databases of many machines have in common."""

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from tests.conftest import Processes
from tests.e2e.apps import API_KEY, JWT_SECRET, PRICE, REPOSITORY, SERVERS, WEBHOOK_SECRET, eventually
from tests.postgres import HURRY, Schema, Server, sqlalchemy_url
from tests.storage.builders import NOW, booking, opening, paying
from tests.storage.stores import AsyncpgStore, AsyncPsycopgStore, PsycopgStore, load

from airport_payments.core.model import BookingStatus
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository, SqlAlchemyBookingRepository
from airport_payments.stripe_api.signature import sign
from airport_payments.testing import FakeStripe

SERVERS_AT_ONCE = 4
BOOKINGS = 8


class City:
    """Four servers on one database, and a Stripe whose events come to any of them."""

    def __init__(self, processes: Processes, schema: Schema, folder: Path, fake: FakeStripe, stripe: str) -> None:
        self.fake, self.schema = fake, schema
        url = sqlalchemy_url(schema.dsn, "psycopg").update_query_dict({"options": f"-csearch_path={schema.name}"})
        env = {
            "PYTHONPATH": REPOSITORY,
            "STRIPE_SECRET_KEY": API_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_PUBLISHABLE_KEY": None,
            "STRIPE_API_BASE": stripe,
            "DATABASE_URL": url.render_as_string(hide_password=False),
            "JWT_SECRET": JWT_SECRET,
            "AIRPORT_PAYMENTS_NAMESPACE": None,
        }
        self.urls = []
        for number in range(SERVERS_AT_ONCE):
            port = processes.free_port()
            words = [word.format(port=port) for word in SERVERS["uvicorn"]]
            at = f"http://127.0.0.1:{port}"
            processes.start(
                sys.executable, "-m", *words, name=f"app-{number}", env=env, cwd=folder, ready=f"{at}/health"
            )
            self.urls.append(at)
        self.client = httpx.Client(timeout=60, trust_env=False)
        token = jwt.encode({"sub": "alice", "exp": int(time.time()) + 3600}, JWT_SECRET, "HS256")
        self.login = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, document: object = None, *, server: int) -> httpx.Response:
        at = self.urls[server % SERVERS_AT_ONCE]
        return self.client.request(method, at + path, json=document, headers=self.login)

    def deliver(self, event: dict[str, Any], server: int) -> int:
        body = json.dumps(event).encode()
        header = {"Stripe-Signature": sign(body, WEBHOOK_SECRET, timestamp=int(time.time()))}
        at = self.urls[server % SERVERS_AT_ONCE]
        return self.client.post(f"{at}/payment/webhook", content=body, headers=header).status_code

    def decisions(self, booking_id: str) -> Counter[str]:
        return Counter(row[0] for row in self.schema.run(f"SELECT decision FROM airport_history WHERE booking_id = '{booking_id}'"))  # fmt: skip

    def quiet(self) -> bool:
        documents = [json.loads(row[0]) for row in self.schema.run("SELECT document FROM airport_ledgers")]
        return not any(d.get("effects") or d.get("announcements") for d in documents)


@pytest.fixture
def city(processes: Processes, schema: Schema, tmp_path: Path) -> Iterator[City]:
    fake = FakeStripe(API_KEY)
    with fake.serve(port=processes.free_port(), automatic=False) as server:
        made = City(processes, schema, tmp_path, fake, server.url)
        yield made
        made.client.close()


@pytest.mark.e2e
def test_four_servers_on_one_database_do_everything_exactly_once(city: City) -> None:
    chance = random.Random(4)
    with ThreadPoolExecutor(16) as threads:
        booked = [city.ask("POST", "/bookings", PRICE, server=n) for n in range(BOOKINGS)]
        ids = [answer.json()["data"]["bookingId"] for answer in booked]

        def create(n: int) -> httpx.Response:
            document = {"bookingId": ids[n % BOOKINGS], **PRICE}
            return city.ask("POST", "/payment/create-payment-intent", document, server=n // BOOKINGS)

        # Each booking asks all four servers for its payment at once.
        created = list(threads.map(create, range(BOOKINGS * SERVERS_AT_ONCE)))
        assert {answer.status_code for answer in created} <= {200, 503}
        assert len(city.fake.intents) == BOOKINGS, "one PaymentIntent for each booking"
        intents = {i["metadata"]["airport_booking"]: i["id"] for i in city.fake.intents.values()}
        for intent_id in intents.values():
            city.fake.pay(intent_id)

        # Every event comes twice to every server, in no order, while customers confirm and workers tick.
        events = [e for e in city.fake.events.values() if e["type"].startswith("payment_intent.")]
        work: list[Any] = [("event", event, n) for event in events for n in range(2 * SERVERS_AT_ONCE)]
        work += [("confirm", booking_id, n) for booking_id in ids for n in range(SERVERS_AT_ONCE)]
        chance.shuffle(work)

        def do(item: Any) -> int:
            kind, what, n = item
            if kind == "event":
                return city.deliver(what, n)
            document = {"bookingId": what, "paymentIntentId": intents[what]}
            return city.ask("POST", "/payment/confirm-payment", document, server=n).status_code

        statuses = Counter(threads.map(do, work))
        assert set(statuses) <= {200, 503}
        # Stripe sends again what was answered 503, and again what was not.
        assert {city.deliver(event, n) for n, event in enumerate(events)} == {200}

    eventually(city.quiet, timeout_s=60)
    for booking_id in ids:
        told = city.decisions(booking_id)
        assert told["paid: booking confirmed"] == 1, told
        assert max(told.values()) == 1, told
        status = city.ask("GET", f"/payment/status/{booking_id}", server=1).json()["data"]
        assert (status["paymentStatus"], status["bookingStatus"]) == ("completed", "confirmed")
    versions = city.schema.run(
        "SELECT booking_id, count(*), count(DISTINCT (version, line)) FROM airport_history GROUP BY 1"
    )
    assert all(lines == places for _, lines, places in versions)
    keys = Counter(r.idempotency_key for r in city.fake.requests if r.method == "POST" and not r.replayed and r.status == 200)  # fmt: skip
    assert max(keys.values()) == 1, "one answer for each key; others are replays"


# ---- what the database is asked ----

# What databases of many machines lack, or what does not hold beyond one connection there.
FORBIDDEN = re.compile(
    r"advisory|\bLISTEN\b|\bNOTIFY\b|nextval|\bSERIAL\b|\bSEQUENCE\b|\bIDENTITY\b|\bLOCK TABLE\b|\bTEMP(ORARY)?\b"
    r"|\bTRIGGER\b|\bDECLARE\b|\bctid\b|\bxmin\b|CONCURRENTLY|\bFOR SHARE\b|SKIP LOCKED",
    re.IGNORECASE,
)
# The drivers' own: SQLAlchemy and asyncpg ask once for a connection what the server is.
OF_THE_DRIVERS = re.compile(
    r"pg_catalog\.version\(\)|hstore|standard_conforming_strings|pg_type|typeinfo", re.IGNORECASE
)


def everything(store: Any) -> None:
    """Call every method that a repository has, with its conflicts."""
    store.create_tables()
    store.check_tables()
    store.add_booking(booking())
    assert store.save(opening(load(store)))
    assert not store.save(opening(booking_snapshot(store)))
    assert store.save(paying(load(store)))
    store.find("pi_1")
    store.due(before=datetime.now(UTC), after=None, limit=10)
    store.history("bk_1")
    store.newest(after=None, limit=10)
    store.owned_by("cust_1", after=None, limit=10)
    store.forget("bk_1", version=2, before=NOW)
    store.set_booking_status("bk_1", BookingStatus.CANCELLED)
    store.set_booking_price("bk_1", booking().price)


def booking_snapshot(store: Any) -> Any:
    from airport_payments.core.model import Snapshot

    return Snapshot(load(store).booking)


def test_the_database_is_asked_for_nothing_that_databases_of_many_machines_lack() -> None:
    with Server(**HURRY, log_statement="all", log_line_prefix="@@") as server:
        for kind in (PsycopgStore, AsyncPsycopgStore, AsyncpgStore):
            schema = Schema(server.dsn)
            store = kind(schema)
            everything(store)
            store.close()
        schema = Schema(server.dsn)  # the tables of an earlier version, and saves with the team's own in them
        schema.run((Path(__file__).parent / "old/2.postgresql.sql").read_text())
        engine = schema.engine(create_engine, "psycopg", isolation_level="SERIALIZABLE")
        repository = SqlAlchemyBookingRepository(engine, on_save=lambda connection, change: None)
        repository.create_tables()
        repository.add_booking(booking())
        snapshot = repository.get("bk_1")
        assert snapshot is not None
        assert repository.save(opening(snapshot))
        engine.dispose()
        asyncio.run(_async_hook(schema))
        log = (server.folder / "log").read_text(errors="replace")
    said = [part for part in log.split("@@") if part.startswith(("LOG:  statement:", "LOG:  execute"))]
    # Without what the drivers ask, and the frozen database, which the test itself puts there.
    ours = [
        part for part in said if not OF_THE_DRIVERS.search(part) and "INSERT INTO airport_bookings VALUES" not in part
    ]
    assert sum("airport_" in part for part in ours) > 60, "the log has what was asked"
    assert [part for part in ours if FORBIDDEN.search(part)] == []
    for word in ("advisory", "LISTEN", "NOTIFY"):
        assert not [part for part in said if re.search(rf"\b(pg_)?{word}", part)]


async def _async_hook(schema: Schema) -> None:
    engine = schema.engine(create_async_engine, "asyncpg")

    async def nothing(connection: object, change: object) -> None:
        """Write nothing of one's own."""

    repository = AsyncSqlAlchemyBookingRepository(engine, on_save=nothing)
    snapshot = await repository.get("bk_1")
    assert snapshot is not None
    assert await repository.save(paying(snapshot))
    await engine.dispose()
