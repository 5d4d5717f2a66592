"""Drives the example apps in process, over one interface: the module as it ships, a fake Stripe, a SQLite file."""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import itertools
import json
import logging
import sqlite3
import sys
import time
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import jwt
import pytest
from examples import airport
from tests import on_django

from airport_payments import AsyncPaymentGateway, Booking, BookingStatus, Money, PaymentGateway, runner, runner_async
from airport_payments.stripe_api import results
from airport_payments.testing import FakeStripe
from airport_payments.testing.fake_stripe import sign

from .frameworks import Headers, InFastApi, InFlask, Reply

KINDS = ("fastapi", "flask", "django")
EXAMPLES = Path(__file__).parents[2] / "examples"

API_KEY = "sk_test_CANARYapikey000"
WEBHOOK_SECRET = "whsec_CANARYwebhook0000000000000000"
JWT_SECRET = "CANARY-jwt-secret-of-64-bytes-or-more-so-that-it-will-do-for-HS512"
# What no output may show, client secrets besides.
CANARIES = (API_KEY, WEBHOOK_SECRET, JWT_SECRET, "CANARY")

CREATE = "/payment/create-payment-intent"
CONFIRM = "/payment/confirm-payment"
STATUS = "/payment/status/"
WEBHOOK = "/payment/webhook"

_numbers = itertools.count()
_RealClient, _RealAsyncClient = httpx.Client, httpx.AsyncClient


def bearer(token: str | bytes) -> tuple[str, str | bytes]:
    return ("Authorization", b"Bearer " + token if isinstance(token, bytes) else f"Bearer {token}")


def token(sub: object = "alice", *, secret: str = JWT_SECRET, algorithm: str = "HS256", **claims) -> str:
    """A JWT as the login would issue it. A claim of None is left out."""
    whole = {"sub": sub, "exp": int(time.time()) + 600, **claims}
    return jwt.encode({name: value for name, value in whole.items() if value is not None}, secret, algorithm=algorithm)


# ---- a whole shop ----


class Log(logging.Handler):
    """Every line that anything logs, at DEBUG, as it would be printed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def of(self, level: str) -> list[str]:
        """Lines of the library's own, of one level."""
        return [line for line in self.lines if line.startswith(f"{level} airport_payments ")]


@dataclass
class Shop:
    """One example app with everything around it."""

    kind: str
    app: InFastApi | InFlask
    fake: FakeStripe
    database: Path
    log: Log
    replies: list[tuple[str, Reply]] = field(default_factory=list)

    # ---- requests ----

    def send(self, method: str, path: str, headers: Headers = (), body: bytes | Iterable[bytes] = b"") -> Reply:
        reply = self.app.send(method, path, headers, body)
        self.replies.append((path, reply))
        return reply

    def post(self, path: str, document: object, *headers: tuple[str, str | bytes], owner: str = "alice") -> Reply:
        """Post JSON as a customer; a body in bytes is sent as it is."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.send("POST", path, [bearer(token(owner)), *headers], body)

    def get(self, path: str, *, owner: str = "alice") -> Reply:
        return self.send("GET", path, [bearer(token(owner))])

    def create(self, booking_id: str, *headers, owner: str = "alice", **changes) -> Reply:
        asked = {"bookingId": booking_id, "amount": 450.99, "currency": "USD", **changes}
        return self.post(CREATE, asked, *headers, owner=owner)

    def confirm(self, booking_id: str, intent_id: str, *, owner: str = "alice") -> Reply:
        return self.post(CONFIRM, {"bookingId": booking_id, "paymentIntentId": intent_id}, owner=owner)

    def status(self, booking_id: str, *, owner: str = "alice") -> Reply:
        return self.get(STATUS + booking_id, owner=owner)

    def webhook(self, body: bytes | Iterable[bytes], *signatures: str | bytes) -> Reply:
        return self.send("POST", WEBHOOK, [("Stripe-Signature", value) for value in signatures], body)

    def event(self, event: object, *, secret: str = WEBHOOK_SECRET, ahead_s: int = 0) -> Reply:
        """Post an event, or any body, signed as Stripe signs it."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return self.webhook(body, sign(body, secret, int(time.time()) + ahead_s))

    # ---- what is there to begin with ----

    def book(self, booking_id: str, price: Money | None = None, *, owner: str = "alice", **fields) -> str:
        """Add a booking of 450.99 USD, as the team's own code would."""
        booking = Booking(booking_id, owner, price or Money(45099, "usd"), **fields)
        assert self.run(self.bookings.add_booking(booking))
        return booking_id

    def opened(self, booking_id: str) -> str:
        """Book, ask for a PaymentIntent, and return its id."""
        return self.create(self.book(booking_id)).json["data"]["paymentIntentId"]

    def ask_stripe(self, path: str, form: bytes = b"") -> None:
        """Call Stripe's API beside the app, as its Dashboard or another program would."""
        headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        answer = self.fake.handle("POST", path, headers, form)
        assert answer.status == 200, answer.body

    def pay_slowly(self, intent_id: str) -> None:
        """Let the customer pay from a bank account: the intent is `processing` until the bank answers."""
        form = b"payment_method=pm_us_bank_account_processing&mandate_data[customer_acceptance][type]=offline"
        self.ask_stripe(f"/v1/payment_intents/{intent_id}/confirm", form + b"&return_url=https%3A%2F%2Fexample.com")
        assert self.fake.intents[intent_id]["status"] == "processing"

    def last_event(self, event_type: str) -> dict:
        """The last event of a type that Stripe made."""
        return [event for event in self.fake.events.values() if event["type"] == event_type][-1]

    # ---- inside ----

    @property
    def bookings(self):
        return self.app.module.bookings

    @property
    def gateway(self):
        return self.app.module.gateway

    def run(self, value):
        return self.app.run(value)

    def tick(self):
        """What the background worker does every second; in these tests it works when asked."""
        return self.run(self.gateway.tick())

    def set_status(self, booking_id: str, status: BookingStatus) -> None:
        assert self.run(self.bookings.set_booking_status(booking_id, status))

    def set_price(self, booking_id: str, price: Money) -> None:
        assert self.run(self.bookings.set_booking_price(booking_id, price))

    def sql(self, statement: str, *values: object) -> list[tuple]:
        connection = sqlite3.connect(self.database, isolation_level=None)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def rows(self) -> list[str]:
        """All that is in the database."""
        connection = sqlite3.connect(self.database)
        try:
            return list(connection.iterdump())
        finally:
            connection.close()

    @contextmanager
    def unwritten(self):
        """Nothing may be written to the database, and nothing sent to Stripe but questions."""
        rows, sent = self.rows(), self._sent()
        yield
        assert self.rows() == rows, "something was written"
        assert self._sent() == sent, "something was sent to Stripe"

    def _sent(self) -> int:
        return sum(request.method != "GET" for request in self.fake.requests)

    def check_secrets(self) -> None:
        """No secret in any answer, but a client secret where the contract puts it; and none in any line of the log."""
        secrets = [intent["client_secret"] for intent in self.fake.intents.values()]
        for path, reply in self.replies:
            body = reply.body.decode()
            with suppress(ValueError, KeyError, TypeError):
                if path in {CREATE, CONFIRM}:
                    given = json.loads(body)["data"]["clientSecret"]
                    body = body.replace(f'"clientSecret":"{given}"', "", 1)
            shown = f"{body}{reply.headers}"
            assert not [secret for secret in (*CANARIES, *secrets) if secret in shown], f"{path} shows a secret"
        for line in self.log.lines:
            assert not [secret for secret in (*CANARIES, *secrets) if secret in line], f"logged: {line}"


def never_saves(shop: Shop, patch: pytest.MonkeyPatch) -> None:
    """Let other writers win every race."""
    patch.setattr(runner, "MAX_ROUNDS", 3)
    patch.setattr(runner_async, "MAX_ROUNDS", 3)

    async def lost_async(change):
        return False

    patch.setattr(shop.bookings, "save", lost_async if shop.kind == "fastapi" else lambda change: False)


def environment(database: Path, **changes: str | None) -> dict[str, str | None]:
    """The variables that the apps read. None: not set."""
    return {
        "STRIPE_SECRET_KEY": API_KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_PUBLISHABLE_KEY": "pk_test_page0000",
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        # Another writer is waited for as long as this, in seconds: these tests have none that goes away.
        "DATABASE_URL": f"sqlite:///{database}?timeout=0.05",
        "JWT_SECRET": JWT_SECRET,
        "AIRPORT_PAYMENTS_NAMESPACE": None,
        **changes,
    }


def load(kind: str):
    """Run an example's module afresh: it reads the environment while it is imported."""
    if kind == "django":
        return load_django()
    name = f"examples.{kind}_app.app_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{kind}_app" / "app.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def load_django():
    """Run the example's part that makes the gateway afresh, on the database that the environment names."""
    from examples.django_app.database import database

    on_django.use("default", database(airport.database_url()))
    name = "examples.django_app.payments"
    payments = importlib.reload(sys.modules[name]) if name in sys.modules else importlib.import_module(name)
    on_django.copied("default")
    return on_django.Module(payments)


async def _no_work_async(self, stop, every_s=1.0):
    """Stands for the background worker, so that nothing happens between two lines of a test."""


def _no_work(self, stop, every_s=1.0):
    """Stands for the background worker, so that nothing happens between two lines of a test."""


def _reaching(client: type, transport: object) -> type:
    """A kind of httpx client that reaches only the fake."""
    return type(
        client.__name__,
        (client,),
        {"__init__": lambda self, **given: client.__init__(self, transport=transport, **given)},
    )


@contextmanager
def open_shop(kind: str, folder: Path, **changes: str | None):
    """Start an example app on a new database and a new fake Stripe, and check its secrets in the end."""
    fake = FakeStripe(api_key=API_KEY)
    database = folder / f"{kind}-{next(_numbers)}.db"
    at_exit: list = []
    log = Log()
    root = logging.getLogger()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(database, **changes).items():
            patch.setenv(name, value) if value is not None else patch.delenv(name, raising=False)
        patch.setattr(atexit, "register", lambda end: at_exit.append(end) or end)
        patch.setattr(AsyncPaymentGateway, "work", _no_work_async)
        patch.setattr(PaymentGateway, "work", _no_work)
        patch.setattr(results, "BACKOFF_FIRST_S", 0.0)
        patch.setattr(httpx, "Client", _reaching(_RealClient, fake.transport()))
        patch.setattr(httpx, "AsyncClient", _reaching(_RealAsyncClient, fake.async_transport()))
        patch.setattr(root, "level", logging.DEBUG)
        root.addHandler(log)
        module = load(kind)
        if kind == "django":
            at_exit.append(on_django.close)
        app = InFastApi(module) if kind == "fastapi" else InFlask(module, at_exit)
        shop = Shop(kind, app, fake, database, log)
        fake.send_webhooks_to(lambda body, header: shop.webhook(body, header).status, WEBHOOK_SECRET)
        try:
            yield shop
            shop.check_secrets()
        finally:
            app.close()
            root.removeHandler(log)
