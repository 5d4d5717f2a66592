"""A shop for the command line: a fake Stripe on a socket, a SQLite file, and the command as a process.

Every run is searched for secrets: the key, the webhook secret and client secrets must be in no output.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine
from tests.warm import run_warm

from airport_payments import (
    Announcement,
    Booking,
    BookingStatus,
    Money,
    PaymentGateway,
    PaymentInReview,
    StripeSettings,
)
from airport_payments.core.decide.route import HANDLED
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository
from airport_payments.stripe_api.account import pinned_version
from airport_payments.testing import FakeStripe

KEY = "sk_test_CANARY0123456789"
SECRET = "whsec_CANARY0123456789"
SECRETS = ("CANARY", "_secret_")
WAIT_S = 60.0
PRICE = Money(8400, "usd")

SYNC_APP = """
from sqlalchemy import create_engine
from airport_payments import Announcement, PaymentGateway, StripeSettings
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

def make():
    repository = SqlAlchemyBookingRepository(create_engine("sqlite:///airport.db"))
    made = PaymentGateway(repository, StripeSettings.from_env())

    @made.on(Announcement)
    def hear(news):
        print("heard", type(news).__name__, news.booking_id, flush=True)

    return made

gateway = make()
"""
ASYNC_APP = """
from sqlalchemy.ext.asyncio import create_async_engine
from airport_payments import Announcement, AsyncPaymentGateway, StripeSettings
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository

def make():
    repository = AsyncSqlAlchemyBookingRepository(create_async_engine("sqlite+aiosqlite:///airport.db"))
    made = AsyncPaymentGateway(repository, StripeSettings.from_env())

    @made.on(Announcement)
    async def hear(news):
        print("heard", type(news).__name__, news.booking_id, flush=True)

    return made

async def make_async():
    return make()

gateway = make()
"""
APPS = {"sync": SYNC_APP, "async": ASYNC_APP}
COLOURS = tuple(APPS)
# Runs before the command, and lets an import fail as if the package were not there.
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""


@dataclass
class Ended:
    """What became of a run."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class Shop:
    """The fake, the database and the environment of a command."""

    fake: FakeStripe
    url: str
    folder: Path
    env: dict[str, str | None] = field(default_factory=dict)
    key: str = KEY
    secret: str = SECRET

    def __post_init__(self) -> None:
        self.env = {
            "STRIPE_SECRET_KEY": self.key,
            "STRIPE_WEBHOOK_SECRET": self.secret,
            "STRIPE_PUBLISHABLE_KEY": None,
            "STRIPE_API_BASE": self.url,
            "AIRPORT_PAYMENTS_NAMESPACE": None,
            "DATABASE_URL": "sqlite:///airport.db",
            "COLUMNS": None,
            **self.env,
        }

    def variables(self, env: dict[str, str | None] | None = None) -> dict[str, str]:
        given = {**os.environ, **self.env, **(env or {})}
        return {name: value for name, value in given.items() if value is not None}

    def command(self, *arguments: str, code: str = "") -> list[str]:
        program = f"{code}\nimport sys\nfrom airport_payments.cli import main\nsys.exit(main(sys.argv[1:]))"
        return [sys.executable, "-c", program, *arguments]

    def run(self, *arguments: str, env: dict[str, str | None] | None = None, code: str = "") -> Ended:
        """Run the command to its end. `env` adds variables, and takes away those that are None.

        `code` is Python that runs before it; that, and what an interpreter reads when it starts, needs one of its own.
        """
        if not code and not any(name.startswith(("PYTHON", "LC_", "LANG")) for name in env or {}):
            warm = run_warm(arguments, cwd=self.folder, env=self.variables(env), timeout_s=WAIT_S)
            return checked(Ended(warm.code, warm.out, warm.err))
        done = subprocess.run(
            self.command(*arguments, code=code),
            cwd=self.folder,
            env=self.variables(env),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        return checked(Ended(done.returncode, done.stdout, done.stderr))

    def app(self, colour: str, name: str = "shop") -> str:
        """Write the team's own module, and return what to pass to `--app`."""
        (self.folder / f"{name}.py").write_text(APPS[colour])
        return f"{name}:gateway"

    def repository(self) -> SqlAlchemyBookingRepository:
        bookings = SqlAlchemyBookingRepository(create_engine(f"sqlite:///{self.folder / 'airport.db'}"))
        bookings.create_tables()
        return bookings

    def open(self, booking_id: str, price: Money = PRICE) -> str:
        """Book, and open the payment; returns its PaymentIntent."""
        bookings = self.repository()
        bookings.add_booking(Booking(booking_id, "alice", price))
        gateway = PaymentGateway(bookings, StripeSettings(self.key, self.secret, api_base=self.url))
        try:
            return gateway.create_payment(booking_id, owner="alice", amount=price).payment_intent_id
        finally:
            gateway.close()
            bookings.engine.dispose()

    def paid(self, booking_id: str, price: Money = PRICE, *, known: bool = True) -> str:
        """Book and pay; `known`: our tables know it already."""
        intent = self.open(booking_id, price)
        self.fake.pay(intent)
        if known:
            self.look(booking_id, intent)
        return intent

    def late(self, booking_id: str) -> str:
        """Book, cancel behind the gateway's back, and pay all the same: the money is in review."""
        intent = self.open(booking_id)
        self.cancelled_behind(booking_id)
        self.fake.pay(intent)
        with contextlib.suppress(PaymentInReview):
            self.look(booking_id, intent)
        return intent

    def cancelled_behind(self, booking_id: str) -> None:
        """Cancel a booking as the team's own code does, which tells nobody."""
        bookings = self.repository()
        bookings.set_booking_status(booking_id, BookingStatus.CANCELLED)
        bookings.engine.dispose()

    def disputed(self, intent: str) -> str:
        """Let the customer's bank dispute a payment, and tell the gateway by its webhook; returns the dispute."""
        received = []
        self.fake.send_webhooks_to(lambda body, signature: received.append((body, signature)) or 200, self.secret)
        dispute = self.fake.dispute(intent)["id"]
        self.fake.deliver()
        bookings = self.repository()
        gateway = PaymentGateway(bookings, StripeSettings(self.key, self.secret, api_base=self.url))
        for body, signature in received:
            gateway.handle_webhook(body, signature)
        gateway.close()
        bookings.engine.dispose()
        return dispute

    def dead(self, booking_id: str, name: str) -> None:
        """Let a handler of this name fail until its announcement is a dead letter."""
        bookings = self.repository()
        now = [datetime.now(UTC)]
        settings = StripeSettings(self.key, self.secret, api_base=self.url)
        gateway = PaymentGateway(bookings, settings, clock=lambda: now[0])

        @gateway.on(Announcement, name=name)
        def fail(news: Announcement) -> None:
            raise RuntimeError("CANARY")

        logging.disable(logging.CRITICAL)
        for _ in range(200):
            gateway.tick()
            if bookings.get(booking_id).ledger.dead_letters:
                break
            now[0] += timedelta(hours=6)
        logging.disable(logging.NOTSET)
        gateway.close()
        bookings.engine.dispose()

    def forget(self, booking_id: str) -> None:
        """Lose a booking with all that belongs to it, as a restored backup would."""
        with contextlib.closing(sqlite3.connect(self.folder / "airport.db")) as database, database:
            for table in ("airport_history", "airport_payments", "airport_ledgers"):
                database.execute(f"DELETE FROM {table} WHERE booking_id = ?", (booking_id,))
            database.execute("DELETE FROM airport_bookings WHERE id = ?", (booking_id,))

    def look(self, booking_id: str, intent: str) -> None:
        """Ask Stripe how a PaymentIntent stands."""
        bookings = self.repository()
        gateway = PaymentGateway(bookings, StripeSettings(self.key, self.secret, api_base=self.url))
        try:
            gateway.confirm_payment(booking_id, intent, owner="alice")
        finally:
            gateway.close()
            bookings.engine.dispose()

    def status(self, booking_id: str) -> str:
        bookings = self.repository()
        try:
            return bookings.booking(booking_id).status.value
        finally:
            bookings.engine.dispose()

    def endpoint(self, **given) -> str:
        """Register our webhook endpoint, as it should be unless told otherwise."""
        options = {"events": tuple(HANDLED), "api_version": pinned_version(), **given}
        return self.fake.send_webhooks_to(options.pop("url", "https://shop.example/payment/webhook"), SECRET, **options)


def checked(ended: Ended) -> Ended:
    """Refuse secrets and tracebacks in what was printed."""
    both = ended.out + ended.err
    assert not [secret for secret in SECRETS if secret in both], both
    assert "Traceback" not in both, both
    return ended


def checked_width(text: str) -> None:
    """Refuse lines that do not fit on a terminal, but for what is there to be copied."""
    assert [line for line in text.splitlines() if len(line) > 80 and " --" not in line] == [], text


def interrupt(process: subprocess.Popen, number: signal.Signals = signal.SIGINT) -> Ended:
    """Send a signal, and wait for the end."""
    process.send_signal(number)
    out, err = process.communicate(timeout=WAIT_S)
    return checked(Ended(process.returncode, out, err))


def blocked(*names: str) -> str:
    """Code that lets these packages be missing."""
    return BLOCK.format(names=set(names))
