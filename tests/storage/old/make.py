"""Makes the frozen databases of this folder. Each was made once, by the code of its time; this is how.

    git archive ff88be3 | tar x -C /tmp/1      # version 1; 8d91862 is version 2, 98d6916 is version 3
    cd /tmp/1 && PYTHONPATH=src:. python …/tests/storage/old/make.py 1 …/tests/storage/old

Of each version there is the database of each dialect as SQL, what the old code answered, and what Stripe knew (a
dump of FakeStripe, the same for all).
"""

import json
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import create_engine

from airport_payments import Money, PaymentGateway, StripeSettings
from airport_payments.core.announcements import Announcement
from airport_payments.core.model import Booking, BookingStatus
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository
from airport_payments.stripe_api.port import StripePort
from airport_payments.stripe_api.signature import sign
from airport_payments.testing import FakeStripe

KEY, SECRET = "sk_test_fake", "whsec_old_0123456789abcdefghijklmnop"
OWNER, PRICE = "cust_42", Money(45099, "usd")
TABLES = ("airport_bookings", "airport_ledgers", "airport_payments", "airport_history")


class Killed(BaseException):
    """The process dies here."""


class Shop:
    """An airport on a database, with a fake Stripe and a clock."""

    def __init__(self, engine):
        self.now = datetime(2026, 11, 1, 12, tzinfo=UTC)
        self.fake = FakeStripe(KEY, clock=lambda: self.now, seed=7)
        self.engine = engine
        self.repository = SqlAlchemyBookingRepository(engine)
        self.repository.create_tables()
        self.settings = StripeSettings(KEY, SECRET)
        client = httpx.Client(transport=self.fake.transport(), trust_env=False)
        self.port = StripePort(self.settings, client=client, sleep=lambda _: None)
        self.dies = False
        self.ids = 0
        self.gateway = PaymentGateway(
            self.repository, self.settings, port=self, clock=lambda: self.now, new_id=self.new_id
        )

    def __getattr__(self, name):
        """Be the gateway's port, which may die instead of asking Stripe."""
        method = getattr(self.port, name)

        def call(*args, **named):
            if self.dies:
                raise Killed
            return method(*args, **named)

        return call

    def new_id(self):
        self.ids += 1
        return f"attempt{self.ids}"

    def book(self, booking_id, **given):
        self.repository.add_booking(Booking(booking_id, OWNER, PRICE, **given))
        self.now += timedelta(minutes=1)

    def open(self, booking_id, **given):
        self.book(booking_id, **given)
        made = self.gateway.create_payment(booking_id, owner=OWNER, amount=PRICE, idempotency_key=f"key-{booking_id}")
        return made.payment_intent_id

    def tell(self, since=0, but=()):
        """Deliver Stripe's events by webhook, from that one on."""
        for event in list(self.fake.events.values())[since:]:
            if event["type"] not in but:
                body = json.dumps(event).encode()
                self.gateway.handle_webhook(body, sign(body, SECRET, timestamp=int(self.now.timestamp())))

    def dying(self, work):
        self.dies = True
        try:
            work()
        except Killed:
            self.dies = False
        else:
            raise AssertionError("it lived")


def play(shop):
    """Bring bookings into every state that matters."""
    gateway, fake = shop.gateway, shop.fake
    heard = []
    gateway.on(Announcement)(heard.append)

    paid = {name: shop.open(name) for name in ("BK-confirmed", "BK-partly", "BK-refunded", "BK-disputed", "BK-going")}
    for intent in paid.values():
        fake.pay(intent)
    shop.open("BK-open")
    failed = shop.open("BK-failed")
    fake.pay(failed, card="4000000000000002")
    late = shop.open("BK-review")
    fake.pay(late)
    shop.repository.set_booking_status("BK-review", BookingStatus.CANCELLED)
    shop.open("BK-cancelled")
    shop.open("BK-held", hold_until=shop.now + timedelta(hours=1))
    shop.tell()
    gateway.cancel("BK-cancelled", owner=OWNER)
    gateway.refund("BK-partly", request_id="case-1", amount=Money(1000, "usd"))
    gateway.refund("BK-refunded", request_id="case-2")
    fake.dispute(paid["BK-disputed"])
    shop.tell()
    for _ in range(20):
        gateway.tick()
    assert heard
    # From here on nothing is delivered, and answers are lost.
    shop.book("BK-opening")
    shop.dying(lambda: gateway.create_payment("BK-opening", owner=OWNER, amount=PRICE))
    shop.dying(lambda: gateway.refund("BK-going", request_id="case-3", amount=Money(2000, "usd")))
    untold = shop.open("BK-untold")
    fake.pay(untold)
    shop.tell(since=len(fake.events) - 6)
    behind = shop.open("BK-behind")
    fake.pay(behind)  # Stripe's event of it does not come any more
    shop.book("BK-new")


def answers(shop):
    """What the old code answers of each booking."""
    found = {}
    for booking_id in sorted(booking_ids(shop.engine)):
        report = shop.gateway.payment_status(booking_id, owner=OWNER)
        history = [[line.at.isoformat(), line.fact, line.decision, line.event_id, line.intent_id] for line in shop.repository.history(booking_id)]  # fmt: skip
        status = shop.repository.booking(booking_id).status
        found[booking_id] = {
            "booking": status.value,
            "payment": [report.payment_status, report.stripe_status],
            "history": history,
        }
    return found


def booking_ids(engine):
    with engine.connect() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT id FROM airport_bookings").fetchall()]


def literal(value):
    return "NULL" if value is None else str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def on_postgresql(version, folder, stripe):
    from tests.postgres import HURRY, Schema, Server

    with Server(**HURRY) as server:
        schema = Schema(server.dsn)
        engine = schema.engine(create_engine, "psycopg")
        shop = Shop(engine)
        play(shop)
        assert json.loads(shop.fake.dump()) == stripe
        with engine.connect() as connection:
            lines = [f"{sql.strip()};" for sql in shop.repository._statements.create]
            for table in TABLES:
                rows = connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
                lines += [f"INSERT INTO {table} VALUES ({', '.join(map(literal, row))});" for row in rows]
        engine.dispose()
        (folder / f"{version}.postgresql.sql").write_text("\n".join(lines) + "\n")


def main(version, folder):
    path = Path(f"/tmp/old-{version}.db")
    path.unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    shop = Shop(engine)
    play(shop)
    known = answers(shop)
    stripe = json.loads(shop.fake.dump())
    engine.dispose()
    with closing(sqlite3.connect(path)) as database, database:
        (folder / f"{version}.sqlite.sql").write_text("\n".join(database.iterdump()) + "\n")
    (folder / f"{version}.json").write_text(json.dumps(known, indent=1) + "\n")
    (folder / "stripe.json").write_text(json.dumps(stripe, separators=(",", ":")) + "\n")  # the same for all
    if version != "1":  # which had no PostgreSQL
        on_postgresql(version, folder, stripe)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
