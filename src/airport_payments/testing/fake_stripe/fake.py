"""`FakeStripe`: the one thing that tests use."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Literal

from airport_payments.testing.fake_stripe import saving, webhooks
from airport_payments.testing.fake_stripe.api import Api, FakeResponse, LoggedRequest
from airport_payments.testing.fake_stripe.constants import API_VERSION, DEFAULT_ACCOUNT, MADE_UP_LIVE_KEY
from airport_payments.testing.fake_stripe.faults import Fault, Injection
from airport_payments.testing.fake_stripe.happenings import Happenings
from airport_payments.testing.fake_stripe.json_types import copied
from airport_payments.testing.fake_stripe.sender import AutomaticDeliveries, attempt, new_client
from airport_payments.testing.fake_stripe.server import FakeServer
from airport_payments.testing.fake_stripe.transports import FakeAsyncTransport, FakeTransport, pause
from airport_payments.testing.fake_stripe.webhooks import IN_PROCESS, Delivery, EventsFrom, Payload, WebhookTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import httpx

    from airport_payments.testing.fake_stripe.json_types import JsonObject


class FakeStripe(Happenings):
    """A stateful stand-in for Stripe's API, at the level of HTTP.

    Example:
        fake = FakeStripe()
        with httpx.Client(transport=fake.transport()) as client: ...   # your code, believing it is Stripe
        fake.send_webhooks_to(my_webhook, "whsec_test")                # a URL, or a function
        fake.pay(intent_id)                                            # what the customer's browser does
        fake.deliver(order="shuffled", copies=2)                       # what the network does
        fake.inject(Fault.read_timeout(), "POST", after_effect=True)   # what goes wrong

    It holds at most 200,000 objects of a kind in an account, remembers the last 10,000 requests and
    deliveries, and refuses live keys. It can be used from many threads.

    Args:
        api_key: The secret key that requests must carry.
        publishable_key: The key of browsers.
        clock: Returns the time, with its time zone; the real time by default.
        seed: Decides ids and random orders.
        livemode: Play live mode. Its keys must be plainly made up: `sk_live_fake…`, `pk_live_fake…`.

    Raises:
        ValueError: If a key is of the other mode, or could be a real live key.
    """

    def __init__(
        self,
        api_key: str = "sk_test_fake",
        publishable_key: str = "pk_test_fake",
        clock: Callable[[], datetime] | None = None,
        seed: int = 0,
        *,
        livemode: bool = False,
    ) -> None:
        keys = (api_key, publishable_key)
        for name, key in (("api_key", api_key), ("publishable_key", publishable_key)):
            if livemode and not re.fullmatch(MADE_UP_LIVE_KEY, key):
                made_up = "sk_live_fake…" if name == "api_key" else "pk_live_fake…"
                raise ValueError(f"{name}: in live mode FakeStripe takes only made-up keys: {made_up}")
        if not livemode and any("_live_" in key for key in keys):
            raise ValueError("FakeStripe takes no live keys")
        super().__init__(Api(api_key, publishable_key, clock, seed, livemode=livemode))
        self._random = random.Random(seed)  # noqa: S311 - the order of a fake's deliveries

    # Requests

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> FakeResponse:
        """Answer one HTTP request.

        Args:
            method: Its method.
            target: Its path and query.
            headers: Its headers, in any case.
            body: Its body, form-encoded.

        Raises:
            FakeConnectionLostError: If an injected fault says so.
            FakeReadTimeoutError: If an injected fault says so.
        """
        exchange = self._api.open(method, target, headers, body)
        pause(exchange)
        return self._api.close(exchange)

    def transport(self) -> httpx.BaseTransport:
        """Return a transport for `httpx.Client` that reaches the fake without a socket."""
        return FakeTransport(self._api)

    def async_transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport for `httpx.AsyncClient` that reaches the fake without a socket."""
        return FakeAsyncTransport(self._api)

    def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        automatic: bool = True,
        duplicates: bool = False,
        shuffled: bool = False,
        retry_scale: float = 0.001,
    ) -> FakeServer:
        """Serve the fake on a socket, for use in a `with` statement; it also delivers webhooks meanwhile.

        Args:
            host: Where to listen.
            port: The port; 0 takes a free one.
            automatic: Deliver webhooks by itself.
            duplicates: Deliver every event twice.
            shuffled: Deliver in a random order, decided by the seed.
            retry_scale: Multiplies the pauses before retries (1 minute, 2, 4).
        """
        deliveries = None
        if automatic:
            deliveries = self.automatic_deliveries(duplicates=duplicates, shuffled=shuffled, retry_scale=retry_scale)
        return FakeServer(self, self._api, host, port, deliveries)

    # Webhooks

    def send_webhooks_to(
        self,
        target: WebhookTarget,
        secret: str,
        *,
        events: Sequence[str] = ("*",),
        api_version: str | None = API_VERSION,
        account: str = DEFAULT_ACCOUNT,
        payload: Payload = "snapshot",
        events_from: EventsFrom = "@self",
    ) -> str:
        """Register a webhook endpoint.

        Args:
            target: A URL, or a function of the body and the `Stripe-Signature` header that returns a status.
            secret: What to sign with.
            events: Types; `*` and `charge.*` work too. Thin events have types such as `v1.charge.refunded`.
            api_version: The version written into the events.
            account: Whose endpoint it is.
            payload: Send whole objects, or thin events, which only name them.
            events_from: Send the events of the endpoint's own account, of all other accounts (as Connect does), or
                of all (as an organisation does: told apart by their `context`).

        Returns:
            The endpoint's id.
        """
        with self._api.lock:
            call = self._api.call(self._api.books(account))
            url = target if isinstance(target, str) else f"{IN_PROCESS}{len(self._api.queue.targets)}"
            endpoint = webhooks.new_endpoint(
                call, url, secret, list(events), api_version, payload=payload, events_from=events_from
            )
            if not isinstance(target, str):
                self._api.queue.targets[endpoint["id"]] = target
            return str(endpoint["id"])

    def pending_deliveries(self) -> list[Delivery]:
        """Return what still has to be delivered, oldest event first."""
        with self._api.lock:
            self._api.run_due()
            return self._api.queue.pending()

    def deliveries(self) -> list[Delivery]:
        """Return what is remembered of all deliveries, oldest first."""
        with self._api.lock:
            return self._api.queue.all()

    def deliver(
        self,
        *deliveries: Delivery,
        order: Literal["created", "reversed", "shuffled"] = "created",
        copies: int = 1,
    ) -> list[int | None]:
        """Deliver now, each once, without retrying: what fails stays pending.

        Args:
            deliveries: Which ones, delivered before or not; all that are pending by default.
            order: The order, of the default ones and of given ones.
            copies: How often to send each.

        Returns:
            The statuses of all attempts; None where there was no answer.
        """
        chosen = list(deliveries) or self.pending_deliveries()
        if order == "reversed":
            chosen.reverse()
        elif order == "shuffled":
            self._random.shuffle(chosen)
        in_process = all(delivery.endpoint_id in self._api.queue.targets for delivery in chosen)
        if in_process:
            return [attempt(self._api, delivery, None) for delivery in chosen for _ in range(copies)]
        with new_client() as client:
            return [attempt(self._api, delivery, client) for delivery in chosen for _ in range(copies)]

    def drop(self, *deliveries: Delivery) -> None:
        """Never deliver these (all that are pending by default): Stripe may lose an event, too."""
        with self._api.lock:
            for delivery in deliveries or self._api.queue.pending():
                delivery.state = "dropped"

    def lose_events(
        self,
        event_type: str = "*",
        times: int = 1,
        *,
        object_id: str | None = None,
        account: str = DEFAULT_ACCOUNT,
    ) -> None:
        """Let the next events never come into being: not sent, and not listed either, as happens at Stripe.

        Args:
            event_type: Which ones; `*` and `charge.*` work too.
            times: How many.
            object_id: Only those about this object, or about an object of this payment intent.
            account: Whose events.
        """
        self._switch("lost_events", event_type, times, object_id, account)

    def double_events(
        self,
        event_type: str = "*",
        times: int = 1,
        *,
        object_id: str | None = None,
        account: str = DEFAULT_ACCOUNT,
    ) -> None:
        """Let two events with ids of their own be made of one happening, as happens at Stripe.

        Args:
            event_type: Which ones; `*` and `charge.*` work too.
            times: How many.
            object_id: Only those about this object, or about an object of this payment intent.
            account: Whose events.
        """
        self._switch("doubled_events", event_type, times, object_id, account)

    def _switch(self, name: str, event_type: str, times: int, object_id: str | None, account: str) -> None:
        with self._api.lock:
            rules = self._api.books(account).switches.setdefault(name, [])
            rules.append({"type": event_type, "times": times, "object_id": object_id})

    def resend(self, event_id: str) -> list[Delivery]:
        """Queue an event once more for its endpoints, as the Dashboard's "Resend" does; by its snapshot's id."""
        with self._api.lock:
            for books in self._api.accounts.values():
                event = books.objects["event"].get(event_id)
                if event is not None:
                    before = len(self._api.queue.pending())
                    self._api.queue.publish(books, event, self._api.books())
                    return self._api.queue.pending()[before:]
        raise KeyError(event_id)

    def automatic_deliveries(
        self, *, duplicates: bool = False, shuffled: bool = False, retry_scale: float = 0.001
    ) -> AutomaticDeliveries:
        """Return a context manager in which a thread delivers and retries; see `serve`."""
        return AutomaticDeliveries(self._api, duplicates=duplicates, shuffled=shuffled, retry_scale=retry_scale)

    # Time

    def advance(self, seconds: float) -> None:
        """Move the fake's clock forward, and let happen what is then due."""
        with self._api.lock:
            self._api.offset_seconds += seconds
            self._api.run_due()

    # Faults

    def inject(
        self,
        fault: Fault,
        method: str = "*",
        path: str = "*",
        *,
        times: int = 1,
        skip: int = 0,
        after_effect: bool = False,
    ) -> Injection:
        """Let the next matching requests fail.

        Args:
            fault: How.
            method: `POST`, `GET`, or `*`.
            path: A path with shell wildcards, such as `/v1/payment_intents/*/confirm`.
            times: How many requests.
            skip: How many matching requests pass first.
            after_effect: Execute the request first; only its answer is replaced.

        Returns:
            The injection, which counts its hits.
        """
        injection = Injection(fault, method, path, after_effect, times, skip)
        with self._api.lock:
            self._api.injections.append(injection)
        return injection

    def clear_faults(self) -> None:
        """End all injections."""
        with self._api.lock:
            self._api.injections.clear()

    # What it knows

    @property
    def requests(self) -> list[LoggedRequest]:
        """The last requests, oldest first."""
        with self._api.lock:
            return list(self._api.log)

    @property
    def intents(self) -> dict[str, JsonObject]:
        """Copies of the payment intents by id, oldest first."""
        return self.objects("payment_intent")

    @property
    def charges(self) -> dict[str, JsonObject]:
        """Copies of the charges by id, oldest first."""
        return self.objects("charge")

    @property
    def refunds(self) -> dict[str, JsonObject]:
        """Copies of the refunds by id, oldest first."""
        return self.objects("refund")

    @property
    def disputes(self) -> dict[str, JsonObject]:
        """Copies of the disputes by id, oldest first."""
        return self.objects("dispute")

    @property
    def events(self) -> dict[str, JsonObject]:
        """Copies of the events by id, oldest first."""
        return self.objects("event")

    def objects(self, kind: str, *, account: str = DEFAULT_ACCOUNT) -> dict[str, JsonObject]:
        """Return copies of all objects of a kind (`payment_intent`, `customer`, …) by id, oldest first."""
        with self._api.lock:
            return {object_id: copied(obj) for object_id, obj in self._api.books(account).objects[kind].items()}

    # Saving

    def dump(self) -> str:
        """Return the whole state as JSON. Endpoints that are functions of this process are left out."""
        return saving.dump(self._api)

    @classmethod
    def load(
        cls,
        text: str,
        api_key: str = "sk_test_fake",
        publishable_key: str = "pk_test_fake",
        clock: Callable[[], datetime] | None = None,
        seed: int = 0,
        *,
        livemode: bool = False,
    ) -> FakeStripe:
        """Make a fake with a state that `dump` wrote.

        Raises:
            ValueError: If the text is of another version, or not such a state.
        """
        fake = cls(api_key, publishable_key, clock, seed, livemode=livemode)
        saving.restore(fake._api, text)
        return fake
