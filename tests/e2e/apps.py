"""A fake Stripe as a process of its own, with webhooks by itself, and how tests talk to it and to the apps.

    python -m tests.e2e.apps --port 9001 --control 9002 --webhooks http://127.0.0.1:9003/payment/webhook

Stripe's API is served on `--port`. On `--control` a test plays the customer and the network: `POST /pay {"intent_id": …}`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import sys
import threading
import time
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
from tests.conftest import Processes

from airport_payments.testing import FakeStripe, Fault
from airport_payments.testing.fake_stripe import Injection

API_KEY = "sk_test_CANARYapikey000"
WEBHOOK_SECRET = "whsec_CANARYwebhook0000000000000000"
JWT_SECRET = "CANARY-jwt-secret-of-32-bytes-or-more"


REPOSITORY = Path(__file__).parents[2]
SERVERS = {
    "uvicorn": ["uvicorn", "examples.fastapi_app.app:app", "--host", "127.0.0.1", "--port", "{port}"],
    "gunicorn": [
        "gunicorn", "examples.flask_app.app:app", "--bind", "127.0.0.1:{port}", "--workers", "2", "--threads", "4",
    ],
    "django": [
        "gunicorn", "examples.django_app.wsgi:application", "--bind", "127.0.0.1:{port}", "--workers", "2", "--threads", "4",
    ],
}  # fmt: skip
MANAGE = "examples.django_app.manage"
PRICE = {"amount": 450.99, "currency": "usd"}


class Control:
    """What a test may do to the fake, by name."""

    def __init__(self, fake: FakeStripe) -> None:
        self.fake = fake
        self._sending = ExitStack()
        self._lock = threading.Lock()
        self._injections: list[Injection] = []

    def pay(self, intent_id: str, card: str = "4242424242424242") -> object:
        """Do what the customer's browser does."""
        return self.fake.pay(intent_id, card)["status"]

    def authenticate(self, intent_id: str, succeed: bool = True) -> object:
        """Answer the bank's question."""
        return self.fake.authenticate(intent_id, succeed)["status"]

    def start_webhooks(self) -> None:
        """Send every event twice, in any order, and again until it is answered 2xx."""
        with self._lock:
            self._sending.close()
            sending = self.fake.automatic_deliveries(duplicates=True, shuffled=True, retry_scale=0.001)
            self._sending.enter_context(sending)

    def stop_webhooks(self) -> None:
        """Send nothing until told otherwise. What happens meanwhile is queued, as while an endpoint is down."""
        with self._lock:
            self._sending.close()

    def lose_webhooks(self) -> None:
        """Send nothing, and never send what is queued."""
        self.stop_webhooks()
        self.fake.drop()

    def resend(self) -> int:
        """Send every event once more, as Stripe does for three days to an endpoint that was down."""
        return sum(len(self.fake.resend(event_id)) for event_id in self.fake.events)

    def slow(self, method: str, path: str, delay_seconds: float, times: int = 1) -> None:
        """Answer late."""
        self._injections.append(self.fake.inject(Fault.slow(delay_seconds), method, path, times=times))

    def pending(self) -> int:
        """How many deliveries are on their way."""
        return len(self.fake.pending_deliveries())

    def sent(self, intent_id: str) -> list[int]:
        """How often each finished delivery about an intent was sent."""
        events = self.fake.events
        return [
            delivery.attempts
            for delivery in self.fake.deliveries()
            if delivery.state == "delivered" and events[delivery.event_id]["data"]["object"]["id"] == intent_id
        ]

    def intents(self, booking_id: str) -> list[object]:
        """The PaymentIntents of a booking, oldest first."""
        return [i for i in self.fake.intents.values() if i["metadata"].get("airport_booking") == booking_id]

    def refunds(self, intent_id: str) -> list[object]:
        """What went back of a PaymentIntent, in minor units, oldest first."""
        refunds = self.fake.objects("refund").values()
        return [r["amount"] for r in refunds if r["payment_intent"] == intent_id and r["status"] == "succeeded"]

    def creates(self, booking_id: str) -> list[tuple[str | None, int | None, bool]]:
        """The requests that asked for a PaymentIntent for a booking: key, status, and whether it was a replay."""
        return [
            (request.idempotency_key, request.status, request.replayed)
            for request in self.fake.requests
            if (request.method, request.path) == ("POST", "/v1/payment_intents")
            and dict(request.params)["metadata"]["airport_booking"] == booking_id
        ]

    def injected(self) -> int:
        """How many faults still wait for their request."""
        return sum(injection.times for injection in self._injections)

    def serve(self, port: int) -> ThreadingHTTPServer:
        """Return a server for these methods."""
        control = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                given: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    status, answer = 200, getattr(control, self.path.strip("/"))(**given)
                except Exception as error:
                    status, answer = 500, repr(error)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def eventually(what, *, timeout_s: float = 20.0):
    """Wait until `what()` is true, and return it. The time-out is generous: it only ends a test that would fail."""
    end = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < end, f"not within {timeout_s:g} s"
        time.sleep(0.02)
    return found


class Town:
    """One app, its database, and the fake Stripe that it talks to."""

    def __init__(self, server: str, folder: Path) -> None:
        self.processes = Processes(folder)
        self._server = [sys.executable, "-m", *SERVERS[server]]
        self._is_django = server == "django"
        self._folder = folder
        self._port, stripe, control = (self.processes.free_port() for _ in range(3))
        self.address = ("127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{self._port}"
        self.database = folder / "airport.db"
        self._env = {
            "PYTHONPATH": REPOSITORY,
            "STRIPE_SECRET_KEY": API_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_PUBLISHABLE_KEY": None,
            "STRIPE_API_BASE": f"http://127.0.0.1:{stripe}",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "JWT_SECRET": JWT_SECRET,
            "AIRPORT_PAYMENTS_NAMESPACE": None,
            "PYTHONWARNINGS": "default",
            "DJANGO_SECRET_KEY": "CANARY-django",
        }
        words = ["--port", stripe, "--control", control, "--webhooks", f"{self.url}/payment/webhook"]
        self.processes.start(
            sys.executable, "-m", "tests.e2e.apps", *words, name="fake-stripe", cwd=REPOSITORY, ready=control
        )
        self._control = f"http://127.0.0.1:{control}"
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        if self._is_django:
            migration = self.processes.start(sys.executable, "-m", MANAGE, "migrate", env=self._env, cwd=folder)
            assert migration.wait(60) == 0, migration.log
            # The others do what is due in their web servers; here a process of its own does.
            work = [sys.executable, "-m", MANAGE, "work_payments"]
            self.worker = self.processes.start(*work, name="worker", env=self._env, cwd=folder)
        self.start()

    def start(self) -> None:
        """Start the app, as a supervisor would after a crash."""
        words = [word.format(port=self._port) for word in self._server]
        self.app = self.processes.start(*words, name="app", env=self._env, cwd=self._folder, ready=f"{self.url}/health")

    def close(self) -> None:
        self.client.close()
        for process in reversed(self.processes.started):
            process.stop()

    # ---- Stripe, its customers and its network ----

    def stripe(self, what: str, **given):
        answer = httpx.post(f"{self._control}/{what}", json=given, timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # ---- customers ----

    def bearer(self, owner: str = "alice") -> str:
        """The header of a customer who is logged in."""
        token = jwt.encode({"sub": owner, "exp": int(time.time()) + 600}, JWT_SECRET, "HS256")
        return f"Authorization: Bearer {token}"

    def ask(self, method: str, path: str, document: object = None, *, owner: str = "alice") -> httpx.Response:
        name, _, value = self.bearer(owner).partition(": ")
        return self.client.request(method, path, json=document, headers={name: value})

    def book(self, **changes) -> str:
        answer = self.ask("POST", "/bookings", {**PRICE, **changes})
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["bookingId"]

    def create(self, booking_id: str, *, owner: str = "alice", **changes) -> httpx.Response:
        document = {"bookingId": booking_id, **PRICE, **changes}
        return self.ask("POST", "/payment/create-payment-intent", document, owner=owner)

    def opened(self) -> tuple[str, str]:
        """Book and ask for a PaymentIntent: the ids of both."""
        booking_id = self.book()
        answer = self.create(booking_id)
        assert answer.status_code == 200, answer.text
        return booking_id, answer.json()["data"]["paymentIntentId"]

    def confirm(self, booking_id: str, intent_id: str, *, owner: str = "alice") -> httpx.Response:
        document = {"bookingId": booking_id, "paymentIntentId": intent_id}
        return self.ask("POST", "/payment/confirm-payment", document, owner=owner)

    def status(self, booking_id: str) -> dict:
        answer = self.ask("GET", f"/payment/status/{booking_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def becomes(self, booking_id: str, payment_status: str) -> dict:
        """Wait until a payment has this status."""
        eventually(lambda: self.status(booking_id)["paymentStatus"] == payment_status)
        return self.status(booking_id)

    # ---- the database, and what must be true of it ----

    def sql(self, statement: str, *values: object) -> list[tuple]:
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=20)) as connection:
            return connection.execute(statement, values).fetchall()

    def hold_ended(self, booking_id: str) -> None:
        """Let a booking's hold be over long ago: in microseconds, or in Django's text."""
        column, past = ("hold_until", "1970-01-01 00:00:01") if self._is_django else ("hold_until_us", 1)
        self.sql(f"UPDATE airport_bookings SET {column} = ? WHERE id = ?", past, booking_id)

    def settled(self, *booking_ids: str) -> None:
        """Every booking was confirmed exactly once, nothing is outstanding, and Stripe's books say the same."""
        for booking_id in booking_ids:
            lines = self.sql("SELECT decision FROM airport_history WHERE booking_id = ?", booking_id)
            assert [line for (line,) in lines if "booking confirmed" in line] == ["paid: booking confirmed"]
            eventually(lambda booking_id=booking_id: self.quiet(booking_id))
            paid = [i["amount_received"] for i in self.stripe("intents", booking_id=booking_id)]
            assert [amount for amount in paid if amount] == [45099]

    def quiet(self, booking_id: str) -> bool:
        """Whether no command and no announcement is outstanding."""
        ((document,),) = self.sql("SELECT document FROM airport_ledgers WHERE booking_id = ?", booking_id)
        ledger = json.loads(document)
        return not ledger.get("effects") and not ledger.get("announcements")


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--webhooks", required=True)
    given = parser.parse_args()
    fake = FakeStripe(api_key=API_KEY)
    fake.send_webhooks_to(given.webhooks, WEBHOOK_SECRET)
    control = Control(fake)
    with fake.serve(port=given.port, automatic=False):
        server = control.serve(given.control)
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        control.start_webhooks()
        server.serve_forever(poll_interval=0.05)
        server.server_close()
        control.stop_webhooks()


if __name__ == "__main__":
    main()
