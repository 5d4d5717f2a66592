"""The fake Stripe of the demo: its server, its webhooks to the app, and its books on disk."""

import logging
import secrets as random
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlencode

from airport_payments.cli.command import CommandError
from airport_payments.cli.demo.address import Address, bracketed
from airport_payments.cli.demo.folder import Folder, Secrets
from airport_payments.testing.fake_stripe import FakeStripe

PUBLISHABLE_KEY: Final = "pk_test_fake"
# How often to look for something new to save: what a kill may lose.
SAVE_SECONDS: Final = 0.2
# A webhook that failed comes again after 3, 6 and 12 seconds; Stripe waits minutes.
_RETRY_SCALE: Final = 0.05

logger: Final = logging.getLogger(__name__)


def settings(secrets: Secrets, api_base: str) -> dict[str, str]:
    """Return the environment with which the example app talks to the fake."""
    return {
        "STRIPE_SECRET_KEY": secrets.api_key,
        "STRIPE_WEBHOOK_SECRET": secrets.webhook,
        "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
        "STRIPE_API_BASE": api_base,
        "AIRPORT_PAYMENTS_NAMESPACE": secrets.namespace,
    }


@contextmanager
def running(folder: Folder, secrets: Secrets, app: Address) -> Generator[str]:
    """Run the fake with the books of earlier runs; yields its address as this machine reaches it.

    Raises:
        CommandError: the books cannot be read.
    """
    fake = _opened(folder, secrets)
    _send_webhooks_to(f"{app.url}/payment/webhook", fake, secrets)
    with fake.serve(app.peer_host, retry_scale=_RETRY_SCALE) as server, Saver(fake, folder):
        here = "127.0.0.1" if ":" not in app.host else "::1"
        yield f"http://{bracketed(here)}:{server.url.rpartition(':')[2]}"


def _opened(folder: Folder, secrets: Secrets) -> FakeStripe:
    # Another seed each time: books that lack the last moments before a kill must not give their ids once more.
    seed = random.randbits(48)
    if not folder.books.exists():
        return FakeStripe(secrets.api_key, PUBLISHABLE_KEY, seed=seed)
    try:
        return FakeStripe.load(folder.books.read_text("utf-8"), secrets.api_key, PUBLISHABLE_KEY, seed=seed)
    except (OSError, ValueError, KeyError, TypeError):
        raise folder.damaged(folder.books.name) from None


def _send_webhooks_to(url: str, fake: FakeStripe, secrets: Secrets) -> None:
    """Register the app, or move the endpoint of the last run, so that what was pending then is still delivered."""
    for endpoint_id in fake.objects("webhook_endpoint"):
        headers = {"Authorization": f"Bearer {secrets.api_key}", "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({"url": url}).encode()
        answer = fake.handle("POST", f"/v1/webhook_endpoints/{endpoint_id}", headers, body)
        if answer.status != 200:
            raise CommandError(f"the fake refused to move its webhooks: {answer.status}")
        return
    fake.send_webhooks_to(url, secrets.webhook)


class Saver:
    """A thread that saves the fake's books soon after they changed, and once more at the end. A context manager."""

    def __init__(self, fake: FakeStripe, folder: Folder) -> None:
        self._fake = fake
        self._folder = folder
        self._saved: object = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-saver", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._save()

    def _run(self) -> None:
        while not self._stopping.wait(SAVE_SECONDS):
            self._save()

    def _save(self) -> None:
        now = self._fingerprint()
        if now == self._saved:
            return
        try:
            self._folder.write(self._folder.books, self._fake.dump())
        except OSError as error:
            logger.warning("The demo's books could not be saved: %s", error)
            return
        self._saved = now

    def _fingerprint(self) -> object:
        """Return something that differs after whatever may have changed the books, without writing them out."""
        requests = self._fake.requests
        pending = [delivery.number for delivery in self._fake.pending_deliveries()]
        deliveries = self._fake.deliveries()
        return (requests[-1].request_id if requests else "", pending, deliveries[-1].number if deliveries else 0)
