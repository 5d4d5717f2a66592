"""A fake Stripe as a process of its own, with webhooks by itself, and how tests talk to it and to the apps.

    python -m tests.e2e.apps --port 9001 --control 9002 --webhooks http://127.0.0.1:9003/payment/webhook

Stripe's API is served on `--port`. On `--control` a test plays the customer and the network: `POST /pay {"intent_id": …}`.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airport_payments.testing import FakeStripe, Fault
from airport_payments.testing.fake_stripe import Injection

API_KEY = "sk_test_CANARYapikey000"
WEBHOOK_SECRET = "whsec_CANARYwebhook0000000000000000"
JWT_SECRET = "CANARY-jwt-secret-of-32-bytes-or-more"


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
