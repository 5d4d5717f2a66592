"""Webhook endpoints, the queue of deliveries, and Stripe's signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from airport_payments.testing.fake_stripe import thin
from airport_payments.testing.fake_stripe.constants import MAX_DELIVERY_LOG, MAX_WEBHOOK_ENDPOINTS
from airport_payments.testing.fake_stripe.destinations import endpoints_of
from airport_payments.testing.fake_stripe.errors import invalid_request
from airport_payments.testing.fake_stripe.events import type_matches
from airport_payments.testing.fake_stripe.validation import merged_metadata

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Books, Call
    from airport_payments.testing.fake_stripe.json_types import Obj

WebhookTarget: TypeAlias = "str | Callable[[bytes, str], int]"
Payload = Literal["snapshot", "thin"]
# Whose events an endpoint gets, in Stripe's words (stripe-python, `v2.core.EventDestination.events_from`).
EventsFrom = Literal["@self", "@accounts", "@organization_members"]
State = Literal["pending", "delivered", "failed", "dropped"]
# A program's own function as a target: such an endpoint has an address of this form.
IN_PROCESS: Final = "http://in-process.invalid/"


@dataclass(slots=True)
class Delivery:
    """One event on its way to one endpoint.

    Attributes:
        number: Counts the deliveries of a fake, in the order of the events.
        event_id: The event.
        event_type: Its type, as the endpoint is told it.
        endpoint_id: The endpoint.
        account: The account of the event.
        endpoint_account: The account of the endpoint.
        state: `delivered` after a 2xx, `failed` when there will be no more attempts.
        attempts: How often it was sent.
        last_status: The status of the last attempt; None if there was no answer.
        due: Unix time of the next automatic attempt.
    """

    number: int
    event_id: str
    event_type: str
    endpoint_id: str
    account: str
    endpoint_account: str
    state: State = "pending"
    attempts: int = 0
    last_status: int | None = None
    due: float = 0.0


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """Make a `Stripe-Signature` header (docs.stripe.com/webhooks, "Verify manually")."""
    signature = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signature}"


def rendered(event: Obj, account: str, endpoint: Obj, how: Obj) -> bytes:
    """Write an event as Stripe sends it: indented by two spaces, in the endpoint's API version.

    Args:
        event: The event, as its own account sees it.
        account: Whose it is.
        endpoint: Where it goes.
        how: What is hidden about the endpoint.
    """
    of_member = how.get("events_from") == "@organization_members"
    if how.get("payload") == "thin":
        shown = thin.notification(event, account if of_member else event.get("context"))
        return json.dumps(shown, indent=2, ensure_ascii=False).encode()
    version = endpoint["api_version"] or event["api_version"]
    # While an event is delivered at least this delivery is pending; so a duplicate has the same bytes.
    shown = {**event, "api_version": version, "pending_webhooks": max(1, event["pending_webhooks"])}
    if of_member:
        # An organisation tells its members apart by the context alone.
        shown.pop("account", None)
        shown["context"] = account
    return json.dumps(shown, indent=2, ensure_ascii=False).encode()


def told_type(event: Obj, how: Obj) -> str:
    """Return an event's type as an endpoint is told it."""
    event_type: str = event["type"]
    return thin.PREFIX + event_type if how.get("payload") == "thin" else event_type


class DeliveryQueue:
    """All deliveries of a fake, of all its accounts; the oldest finished ones are forgotten."""

    def __init__(self) -> None:
        self._deliveries: dict[int, Delivery] = {}
        self._count = 0
        self._forget_at = MAX_DELIVERY_LOG
        self.targets: dict[str, Callable[[bytes, str], int]] = {}

    def publish(self, books: Books, event: Obj, platform: Books) -> None:
        """Queue an event for each endpoint that wants it: of its own account, or of the platform."""
        for home in [books] if books is platform else [books, platform]:
            sources = {"@self"} if home is books else {"@accounts"}
            for endpoint in endpoints_of(home):
                how = home.secrets_of(endpoint["id"])
                source = how.get("events_from", "@self")
                ours = source in sources or (source == "@organization_members" and home is platform)
                told = told_type(event, how)
                wanted = any(type_matches(told, pattern) for pattern in endpoint["enabled_events"])
                if ours and wanted and endpoint["status"] == "enabled":
                    self.add(books, event, home, endpoint["id"])

    def add(self, books: Books, event: Obj, home: Books, endpoint_id: str) -> Delivery:
        """Queue one event for one endpoint."""
        self._count += 1
        told = told_type(event, home.secrets_of(endpoint_id))
        delivery = Delivery(self._count, event["id"], told, endpoint_id, books.account, home.account)
        self._deliveries[delivery.number] = delivery
        event["pending_webhooks"] += 1
        if len(self._deliveries) > self._forget_at:
            self._forget()
        return delivery

    def pending(self) -> list[Delivery]:
        """Return what still has to be delivered, oldest first."""
        return [delivery for delivery in self._deliveries.values() if delivery.state == "pending"]

    def all(self) -> list[Delivery]:
        """Return what is remembered of all deliveries."""
        return list(self._deliveries.values())

    def _forget(self) -> None:
        """Keep what is pending, and the newer half of what is not."""
        finished = [number for number, delivery in self._deliveries.items() if delivery.state != "pending"]
        for number in finished[: len(finished) // 2 + 1]:
            del self._deliveries[number]
        self._forget_at = max(MAX_DELIVERY_LOG, 2 * len(self._deliveries))


def create(call: Call, params: Obj) -> Obj:
    """POST /v1/webhook_endpoints: the only answer that shows the secret."""
    if not params["url"].startswith(("http://", "https://")):
        raise invalid_request(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )
    metadata = merged_metadata({}, params.get("metadata", {}))
    secret = f"whsec_{call.ids.text(32)}"
    source: EventsFrom = "@accounts" if params.get("connect", False) else "@self"
    endpoint = new_endpoint(
        call, params["url"], secret, params["enabled_events"], params.get("api_version"), events_from=source
    )
    endpoint["description"] = params.get("description") or None
    endpoint["metadata"] = metadata
    return {**endpoint, "secret": secret}


def new_endpoint(
    call: Call,
    url: str,
    secret: str,
    events: list[str],
    api_version: str | None,
    *,
    payload: Payload = "snapshot",
    events_from: EventsFrom = "@self",
) -> Obj:
    """Store an endpoint."""
    if len(endpoints_of(call.books)) >= MAX_WEBHOOK_ENDPOINTS:
        raise invalid_request(
            f"You have reached the maximum of {MAX_WEBHOOK_ENDPOINTS} test webhook endpoints.", executed=True
        )
    endpoint = call.books.add({
        "id": call.ids.new("we"),
        "object": "webhook_endpoint" if payload == "snapshot" else "event_destination",
        "api_version": api_version,
        "application": None,
        "created": call.now,
        "description": None,
        "enabled_events": list(events),
        "livemode": call.books.livemode,
        "metadata": {},
        "status": "enabled",
        "url": url,
    })  # fmt: skip
    call.books.secrets_of(endpoint["id"]).update(secret=secret, payload=payload, events_from=events_from)
    return endpoint


def update(call: Call, endpoint_id: str, params: Obj) -> Obj:
    """POST /v1/webhook_endpoints/{id}."""
    endpoint = call.books.get("webhook_endpoint", endpoint_id, "id")
    endpoint["metadata"] = merged_metadata(endpoint["metadata"], params.get("metadata", {}))
    endpoint.update({name: params[name] for name in ("url", "enabled_events", "description") if name in params})
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    return endpoint


def delete(call: Call, endpoint_id: str, params: Obj) -> Obj:
    """DELETE /v1/webhook_endpoints/{id}."""
    del params
    call.books.get("webhook_endpoint", endpoint_id, "id")
    del call.books.objects["webhook_endpoint"][endpoint_id]
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}
