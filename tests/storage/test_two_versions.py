"""A rolling deploy: what a newer version of the library wrote is shown where it can be read, and never changed."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.storage.stores import SqliteStore
from tests.support import OWNER, PRICE, WEBHOOK_SECRET

from airport_payments import LedgerTooNew, Money, PaymentGateway, StripeSettings
from airport_payments.core.codec import FORMAT, UnreadableLedger, dump, load
from airport_payments.core.model import Booking
from airport_payments.stripe_api.signature import sign
from airport_payments.testing import FakeStripe

KEY = "sk_test_fake"


class Clock:
    def __init__(self):
        self.now = datetime.now(UTC)


class Deploy:
    """A database that two versions share: ours, and a made-up newer one that is played by editing the documents."""

    def __init__(self, path):
        self.fake = FakeStripe(KEY)
        self.store = SqliteStore(path / "payments.db")
        self.store.create_tables()
        self.path = path / "payments.db"
        self.client = httpx.Client(transport=self.fake.transport(), trust_env=False)
        self.gateway = PaymentGateway(self.store, StripeSettings(KEY, WEBHOOK_SECRET), http_client=self.client)
        self.intents = {}
        for booking_id in ("BK-1", "BK-2"):
            self.store.add_booking(Booking(booking_id, OWNER, PRICE))
            made = self.gateway.create_payment(booking_id, owner=OWNER, amount=PRICE)
            self.intents[booking_id] = made.payment_intent_id

    def rewritten(self, change):
        """Let the newer version write BK-1's ledger."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            (text,) = connection.execute("SELECT document FROM airport_ledgers WHERE booking_id = 'BK-1'").fetchone()
            doc = json.loads(text)
            doc["format"] = FORMAT + 1
            change(doc)
            words = (json.dumps(doc), "BK-1")
            connection.execute("UPDATE airport_ledgers SET document = ?, due_at_us = 0 WHERE booking_id = ?", words)
        connection.close()

    def row(self):
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute("SELECT * FROM airport_ledgers WHERE booking_id = 'BK-1'").fetchone()

    def webhook(self, booking_id):
        """Deliver the event that Stripe made last of this booking's PaymentIntent."""
        told = [e for e in self.fake.events.values() if e["data"]["object"]["id"] == self.intents[booking_id]]
        body = json.dumps(told[-1]).encode()
        return self.gateway.handle_webhook(body, sign(body, WEBHOOK_SECRET, timestamp=int(time.time())))

    def close(self):
        self.client.close()
        self.store.close()


@pytest.fixture
def deploy(tmp_path):
    made = Deploy(tmp_path)
    yield made
    made.close()


def adds_a_field(doc):
    doc["loyalty_points"] = 7
    doc["payments"][0]["wallet"] = "a kind of wallet that is not invented yet"


def in_a_state_of_its_own(doc):
    doc["payments"][0]["state"] = "tokenised"


def with_a_command_of_its_own(doc):
    doc["effects"] = [{"do": "split", "attempt": doc["payments"][0]["attempt"]}]


def with_a_cancellation(doc):
    payment = doc["payments"][0]
    doc["effects"] = [
        {"do": "cancel", "attempt": payment["attempt"], "intent": payment["intent"], "key": "k", "sent_us": 0,
         "due_us": 0, "tries": 0, "server_errors": 0}
    ]  # fmt: skip


def test_what_a_newer_version_added_is_not_lost(deploy):
    deploy.rewritten(adds_a_field)
    before = deploy.row()
    deploy.fake.pay(deploy.intents["BK-1"])
    with pytest.raises(LedgerTooNew):
        deploy.webhook("BK-1")
    with pytest.raises(LedgerTooNew):
        deploy.gateway.cancel("BK-1")
    with pytest.raises(LedgerTooNew):
        deploy.gateway.confirm_payment("BK-1", deploy.intents["BK-1"], owner=OWNER)
    deploy.gateway.tick()
    assert deploy.row() == before
    assert deploy.store.booking("BK-1").status == "pending"


def test_what_a_newer_version_left_to_do_is_done_by_it(deploy):
    deploy.rewritten(with_a_cancellation)
    calls = len(deploy.fake.requests)
    assert deploy.gateway.tick().problems == 1
    assert len(deploy.fake.requests) == calls


def test_what_can_be_read_of_it_is_shown(deploy):
    deploy.rewritten(adds_a_field)
    assert deploy.gateway.payment_status("BK-1", owner=OWNER).stripe_status == "requires_payment_method"


@pytest.mark.parametrize("change", [in_a_state_of_its_own, with_a_command_of_its_own])
def test_what_cannot_be_read_is_left_alone_and_reported(deploy, change, caplog):
    deploy.rewritten(change)
    before = deploy.row()
    deploy.fake.pay(deploy.intents["BK-1"])
    with pytest.raises(UnreadableLedger):
        deploy.webhook("BK-1")
    with pytest.raises(UnreadableLedger):
        deploy.gateway.payment_status("BK-1", owner=OWNER)
    deploy.gateway.tick()
    assert "BK-1" in caplog.text
    assert deploy.row() == before


@pytest.mark.parametrize("change", [with_a_cancellation, in_a_state_of_its_own])
def test_a_worker_that_meets_it_every_second_says_so_once_an_hour(deploy, change, caplog):
    clock = Clock()
    worker = PaymentGateway(
        deploy.store, StripeSettings(KEY, WEBHOOK_SECRET), http_client=deploy.client, clock=lambda: clock.now
    )
    deploy.rewritten(change)

    def said() -> int:
        return sum("BK-1" in record.getMessage() for record in caplog.records if record.levelname != "DEBUG")

    for second in range(3):
        clock.now += timedelta(seconds=1)
        assert worker.tick().problems == 1, "it is counted each time"
        assert said() == 1, f"in second {second}"
    clock.now += timedelta(hours=1)
    worker.tick()
    assert said() == 2
    clock.now -= timedelta(days=1)
    worker.tick(clock.now + timedelta(days=2))
    assert said() == 3, "a clock that was set back does not silence it"


@pytest.mark.parametrize("change", [adds_a_field, in_a_state_of_its_own])
def test_it_keeps_no_other_booking_waiting(deploy, change):
    deploy.rewritten(change)
    deploy.fake.pay(deploy.intents["BK-2"])
    deploy.webhook("BK-2")
    deploy.gateway.tick()
    assert deploy.store.booking("BK-2").status == "confirmed"
    assert deploy.gateway.payment_status("BK-2", owner=OWNER).payment_status == "completed"


def test_when_the_old_processes_are_gone_the_newer_version_goes_on(deploy):
    deploy.rewritten(adds_a_field)
    deploy.fake.pay(deploy.intents["BK-1"])
    with pytest.raises(LedgerTooNew):
        deploy.webhook("BK-1")

    def back(doc):
        doc["format"] = FORMAT

    deploy.rewritten(back)
    assert deploy.webhook("BK-1") == "applied"
    assert deploy.store.booking("BK-1").status == "confirmed"


def test_our_own_documents_have_the_lowest_format_that_can_write_them_back(deploy):
    doc = json.loads(deploy.row()[2])
    assert doc["format"] == FORMAT
    ledger = load(deploy.row()[2], 1)
    assert not ledger.newer
    assert json.loads(dump(ledger)) == doc
    assert ledger.payments[0].amount == Money(45099, "usd")
