"""`handle_webhook` on PostgreSQL against the best hand-written psycopg code that reads, checks and writes the same."""

import json
import statistics
from datetime import UTC, datetime

import psycopg
from sqlalchemy import create_engine
from tests.bench.measure import Figure
from tests.bench.webhook import SECRET, _Ours, _Port, _time
from tests.postgres import Schema, Server

from airport_payments import PaymentGateway, StripeSettings, construct_event
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

ROUNDS = 25


def figures() -> list[Figure]:
    """Return the figures of a whole webhook with fsync on, over one connection: verify, load, decide, save, commit."""
    with Server(max_wal_size="1GB", checkpoint_timeout="30min") as server:
        ours, theirs, again, written = _measure(Schema(server.dsn))
    mine, other, repeated = (statistics.median(seconds) * 1e6 for seconds in (ours, theirs, again))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    share = statistics.median(d / a for d, a in zip(again, ours, strict=True))
    return [
        Figure(
            "handle_webhook, PostgreSQL, fsync on", "hand-written psycopg, one statement", ratio,
            "≤ 1.5 of its time", ratio <= 1.5, f"{mine:.0f} µs against {other:.0f} µs",
        ),
        Figure(
            "a duplicate, PostgreSQL", "its first delivery", share, "≤ 0.5 of its time, no write",
            share <= 0.5 and not written, f"{repeated:.0f} µs, {written} writes",
        ),
    ]  # fmt: skip


def _measure(schema: Schema) -> tuple[list[float], list[float], list[float], int]:
    engine = schema.engine(create_engine, "psycopg", pool_size=1, max_overflow=0)
    repository = SqlAlchemyBookingRepository(engine)
    repository.create_tables()
    settings = StripeSettings("sk_test_" + "b" * 24, SECRET)
    gateway = PaymentGateway(repository, settings, port=_Port())
    ours, theirs = _Ours(gateway, repository, settings), _Handwritten(schema)
    first, second, again, written = [], [], [], 0
    lines = "SELECT count(*) FROM airport_history"
    for number in range(ROUNDS):
        mine, others = ours.prepare(number * 2), ours.prepare(number * 2 + 1)
        # Who goes first finds what the other wrote to the log on its way to the disk: they take turns.
        for one in (0, 1) if number % 2 else (1, 0):
            if one:
                first.append(_time(gateway.handle_webhook, mine))
            else:
                second.append(_time(theirs.handle, others))
        before = schema.run(lines)[0][0]
        again.append(_time(gateway.handle_webhook, mine))
        written += schema.run(lines)[0][0] - before
    theirs.close()
    engine.dispose()
    return first, second, again, written


READ = (
    "SELECT b.owner, b.amount_minor, b.currency, b.status, b.hold_until_us, l.version, l.document "
    "FROM airport_bookings b LEFT JOIN airport_ledgers l ON l.booking_id = b.id WHERE b.id = %s"
)
WRITE = """
WITH team AS (
  SELECT id FROM airport_bookings
  WHERE id = %(id)s AND owner = %(owner)s AND amount_minor = %(amount)s AND currency = %(currency)s AND status = %(status)s
  FOR NO KEY UPDATE
), written AS (
  UPDATE airport_ledgers l SET version = %(version)s + 1, document = %(document)s, due_at_us = %(now_us)s
  FROM team WHERE l.booking_id = team.id AND l.version = %(version)s RETURNING l.booking_id
), indexed AS (
  INSERT INTO airport_payments (booking_id, attempt_id, intent_id, state, amount_minor, currency)
  SELECT booking_id, %(attempt)s, %(intent)s, 'closed', %(amount)s, %(currency)s FROM written
  ON CONFLICT (booking_id, attempt_id) DO UPDATE SET state = excluded.state
), noted AS (
  INSERT INTO airport_history (booking_id, version, line, at_us, fact, decision, event_id, intent_id)
  SELECT booking_id, %(version)s + 1, 0, %(now_us)s, 'payment_intent.succeeded', 'paid: booking confirmed', %(event)s,
    %(intent)s FROM written
), settled AS (
  UPDATE airport_bookings b SET status = 'confirmed' FROM written WHERE b.id = written.booking_id
)
SELECT booking_id FROM written
"""


class _Handwritten:
    """The same read, the same transaction, the same writes, after the same verification, without any rule.

    One statement that commits by itself: each more would be a round trip more.
    """

    def __init__(self, schema: Schema) -> None:
        self.db = psycopg.connect(schema.dsn, autocommit=True, options=f"-csearch_path={schema.name}")

    def handle(self, body: bytes, signature: str) -> None:
        event = construct_event(body, signature, SECRET)
        booking_id = event.metadata["airport_booking"]
        row = self.db.execute(READ, (booking_id,), prepare=True).fetchone()
        owner, amount, currency, status, _, version, document = row
        ledger = json.loads(document)
        payment = ledger["payments"][0]
        now_us = int(datetime.now(UTC).timestamp() * 1e6)
        payment["state"] = payment["status"] = "succeeded"
        ledger["announcements"] = [{"kind": "booking_confirmed", "booking": booking_id, "at_us": now_us}]
        values = {
            "id": booking_id, "owner": owner, "amount": amount, "currency": currency, "status": status,
            "version": version, "document": json.dumps(ledger, separators=(",", ":")), "now_us": now_us,
            "attempt": payment["attempt"], "intent": payment["intent"], "event": event.id,
        }  # fmt: skip
        assert self.db.execute(WRITE, values, prepare=True).fetchone() == (booking_id,)

    def close(self) -> None:
        self.db.close()
