"""Delivers events: one attempt, and the thread that does it by itself."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import httpx

from airport_payments.testing.fake_stripe.constants import MAX_DELIVERY_ATTEMPTS, WEBHOOK_TIMEOUT_SECONDS
from airport_payments.testing.fake_stripe.destinations import endpoint_of
from airport_payments.testing.fake_stripe.webhooks import rendered, sign

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from airport_payments.testing.fake_stripe.api import Api
    from airport_payments.testing.fake_stripe.webhooks import Delivery

_IDLE_SECONDS = 0.5  # how long the thread sleeps at most when nobody wakes it
# Stripe's sandbox retries over a few hours; this is the first pause, doubled each time, before scaling.
_FIRST_PAUSE_SECONDS = 60.0


def attempt(api: Api, delivery: Delivery, client: httpx.Client | None) -> int | None:
    """Send one delivery once, signed now. Returns the status, or None if there was no answer.

    Whatever the target does, this does not raise: a failed delivery stays pending.
    """
    with api.lock:
        home = api.books(delivery.endpoint_account)
        event = api.books(delivery.account).objects["event"].get(delivery.event_id)
        endpoint = endpoint_of(home, delivery.endpoint_id)
        if event is None or endpoint is None:
            delivery.state = "dropped"
            return None
        how = home.hidden[endpoint["id"]]
        body = rendered(event, delivery.account, endpoint, how)
        header = sign(body, how["secret"], api.now())
        target = api.queue.targets.get(endpoint["id"])
        url: str = endpoint["url"]
    # Without the lock: a target may well call the fake.
    if target is not None:
        try:
            status: int | None = int(target(body, header))
        except Exception:  # noqa: BLE001 - a target's error must never break the fake
            status = None
    else:
        status = _post(client, url, body, header)
    with api.lock:
        delivery.attempts += 1
        delivery.last_status = status
        # A redirect is a failure too (docs.stripe.com/webhooks).
        if status is not None and 200 <= status < 300 and delivery.state == "pending":
            delivery.state = "delivered"
            event["pending_webhooks"] -= 1
    return status


def new_client() -> httpx.Client:
    """Make the client that posts to webhook URLs."""
    return httpx.Client(timeout=WEBHOOK_TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)


def _post(client: httpx.Client | None, url: str, body: bytes, header: str) -> int | None:
    if client is None:
        return None
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": header,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    try:
        return client.post(url, content=body, headers=headers).status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return None


class AutomaticDeliveries:
    """A thread that delivers what is pending, and retries what failed. A context manager.

    Args:
        api: The fake.
        duplicates: Deliver every event twice.
        shuffled: Deliver in an order drawn from the fake's seed.
        retry_scale: Multiplies the pauses between attempts; 0.001 makes a minute 60 ms.
    """

    def __init__(self, api: Api, *, duplicates: bool, shuffled: bool, retry_scale: float) -> None:
        self._api = api
        self._duplicates = duplicates
        self._shuffled = shuffled
        self._retry_scale = retry_scale
        self._random = random.Random(api.seed)  # noqa: S311 - a fake's order
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-stripe-webhooks", daemon=True)

    def start(self) -> None:
        """Start the thread. `with` does it by itself."""
        self._api.on_event = self._wake.set
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, after the delivery it is at. `with` does it by itself."""
        self._api.on_event = lambda: None
        self._stopping.set()
        self._wake.set()
        self._thread.join(WEBHOOK_TIMEOUT_SECONDS + _IDLE_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        with new_client() as client:
            while not self._stopping.is_set():
                self._wake.clear()
                due, pause = self._due()
                if not due:
                    self._wake.wait(pause)
                for delivery in due:
                    if self._stopping.is_set():
                        return
                    self._deliver(delivery, client)

    def _due(self) -> tuple[list[Delivery], float]:
        self._api.run_due()
        now = time.monotonic()
        with self._api.lock:
            pending = self._api.queue.pending()
        due = [delivery for delivery in pending if delivery.due <= now]
        if self._shuffled:
            self._random.shuffle(due)
        waiting = min((delivery.due - now for delivery in pending if delivery.due > now), default=_IDLE_SECONDS)
        return due, min(waiting, _IDLE_SECONDS)

    def _deliver(self, delivery: Delivery, client: httpx.Client) -> None:
        attempt(self._api, delivery, client)
        if delivery.state == "delivered" and self._duplicates:
            attempt(self._api, delivery, client)
        if delivery.state != "pending":
            return
        if delivery.attempts >= MAX_DELIVERY_ATTEMPTS:
            delivery.state = "failed"
            return
        pause = _FIRST_PAUSE_SECONDS * self._retry_scale * 2 ** (delivery.attempts - 1)
        delivery.due = time.monotonic() + pause
