"""`handle_webhook` on SQLite against hand-written sqlite3 code that reads, checks and writes the same."""

import json
import sqlite3
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from tests.bench.measure import Figure

from airport_payments import Booking, Money, PaymentGateway, StripeSettings, construct_event
from airport_payments.core.facts import IntentSeen, IntentView, PortReply
from airport_payments.core.model import IntentStatus
from airport_payments.core.secret import Secret
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository
from airport_payments.stripe_api.signature import sign

SECRET = "whsec_" + "b" * 32
SAMPLE = Path(__file__).parent.parent / "samples" / "payment_intent.succeeded.4k.json"
BATCH, ROUNDS = 40, 25
PRICE = Money(24900, "eur")


class _Port:
    """Answers each create with a PaymentIntent of its own."""

    def perform(self, command) -> PortReply:
        view = IntentView(
            f"pi_{command.attempt_id}", IntentStatus.REQUIRES_PAYMENT_METHOD, command.amount, 0, False,
            command.namespace, command.booking_id, command.attempt_id, client_secret=Secret("pi_secret_x"),
        )  # fmt: skip
        return IntentSeen(view)

    def close(self) -> None:
        """Nothing was opened."""


def figures() -> list[Figure]:
    """Return the figures of a whole webhook: verify, load, decide, save, commit."""
    found = []
    for synchronous, aim in (("FULL", 0.6), ("OFF", 0.4)):
        ours, theirs, duplicate, writes = _measure(synchronous)
        ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
        mine, other = statistics.median(ours) * 1e6, statistics.median(theirs) * 1e6
        detail = f"{mine:.0f} µs against {other:.0f} µs"
        name = f"handle_webhook, SQLite, WAL, synchronous={synchronous}"
        found.append(Figure(name, "hand-written sqlite3", ratio, f"≥ {aim} of its rate", ratio >= aim, detail))
        again = statistics.median(duplicate) * 1e6
        share = statistics.median(d / a for d, a in zip(duplicate, ours, strict=True))
        detail = f"{again:.0f} µs, {writes} writes"
        found.append(
            Figure(
                f"a duplicate, synchronous={synchronous}", "its first delivery", share, "no write", writes == 0, detail
            )
        )
    return found


def _measure(synchronous: str):
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/ours.db")

        @event.listens_for(engine, "connect")
        def _set(connection, _record) -> None:
            connection.execute(f"PRAGMA synchronous={synchronous}")

        repository = SqlAlchemyBookingRepository(engine)
        repository.create_tables()
        settings = StripeSettings("sk_test_" + "b" * 24, SECRET)
        gateway = PaymentGateway(repository, settings, port=_Port())
        ours = _Ours(gateway, repository, settings)
        theirs = _Handwritten(f"{folder}/ours.db", synchronous)
        first, second, again, writes = [], [], [], 0
        for number in range(ROUNDS):
            mine, others = ours.prepare(number * 2), ours.prepare(number * 2 + 1)
            first.append(_time(gateway.handle_webhook, mine))
            second.append(_time(theirs.handle, others))
            before = _changes(engine)
            again.append(_time(gateway.handle_webhook, mine))
            writes += _changes(engine) - before
        engine.dispose()
        theirs.close()
        return first, second, again, writes


def _time(handle, deliveries) -> float:
    start = time.perf_counter()
    for body, signature in deliveries:
        handle(body, signature)
    return (time.perf_counter() - start) / len(deliveries)


def _changes(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM airport_history").scalar_one()


class _Ours:
    def __init__(
        self, gateway: PaymentGateway, repository: SqlAlchemyBookingRepository, settings: StripeSettings
    ) -> None:
        self.gateway, self.repository, self.settings = gateway, repository, settings
        self.sample = SAMPLE.read_text()

    def prepare(self, round_: int) -> list[tuple[bytes, str]]:
        """Open payments, and return the signed deliveries that complete them."""
        deliveries = []
        for number in range(BATCH):
            booking_id = f"b-{round_}-{number}"
            self.repository.add_booking(Booking(booking_id, "alice", PRICE))
            payment = self.gateway.create_payment(booking_id, owner="alice", amount=PRICE)
            intent_id = payment.payment_intent_id
            text = self.sample.replace("pi_3PJk2L2eZvKYlo2C12345678", intent_id)
            marks = f'"airport_namespace": "airport", "airport_booking": "{booking_id}", "airport_attempt": "{intent_id[3:]}",'
            body = text.replace('"metadata": {', '"metadata": {' + marks, 1).encode()
            deliveries.append((body, sign(body, SECRET, timestamp=int(time.time()))))
        return deliveries


class _Handwritten:
    """The same read, the same transaction, the same writes, after the same verification, without any rule."""

    def __init__(self, path: str, synchronous: str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
            self.db.execute(f"PRAGMA {pragma}")

    def handle(self, body: bytes, signature: str) -> None:
        event = construct_event(body, signature, SECRET)
        booking_id = event.metadata["airport_booking"]
        row = self.db.execute(
            "SELECT b.owner, b.amount_minor, b.currency, b.status, b.hold_until_us, l.version, l.document "
            "FROM airport_bookings b LEFT JOIN airport_ledgers l ON l.booking_id = b.id WHERE b.id = ?",
            (booking_id,),
        ).fetchone()
        owner, amount, currency, status, _, version, document = row
        ledger = json.loads(document)
        payment = ledger["payments"][0]
        attempt_id, intent_id = payment["attempt"], payment["intent"]
        now_us = int(datetime.now(UTC).timestamp() * 1e6)
        payment["state"] = payment["status"] = "succeeded"
        ledger["announcements"] = [{"kind": "booking_confirmed", "booking": booking_id, "at_us": now_us}]
        new = json.dumps(ledger, separators=(",", ":"))
        self.db.execute("BEGIN IMMEDIATE")
        self.db.execute(
            "UPDATE airport_ledgers SET version = ?, document = ?, due_at_us = ? WHERE booking_id = ? AND version = ? AND EXISTS "
            "(SELECT 1 FROM airport_bookings WHERE id = ? AND owner = ? AND amount_minor = ? AND currency = ? AND status = ?)",
            (version + 1, new, now_us, booking_id, version, booking_id, owner, amount, currency, status),
        )
        self.db.execute(
            "INSERT INTO airport_payments (booking_id, attempt_id, intent_id, state, amount_minor, currency) "
            "VALUES (?, ?, ?, 'closed', ?, ?) ON CONFLICT (booking_id, attempt_id) DO UPDATE SET state = excluded.state",
            (booking_id, attempt_id, intent_id, amount, currency),
        )
        self.db.execute(
            "INSERT INTO airport_history (booking_id, version, line, at_us, fact, decision, event_id, intent_id) VALUES (?, ?, 0, ?, ?, ?, ?, ?)",
            (
                booking_id,
                version + 1,
                now_us,
                "payment_intent.succeeded",
                "paid: booking confirmed",
                event.id,
                intent_id,
            ),
        )
        self.db.execute(
            "UPDATE airport_bookings SET status = 'confirmed' WHERE id = ? AND status = ?", (booking_id, status)
        )
        self.db.execute("COMMIT")

    def close(self) -> None:
        self.db.close()
