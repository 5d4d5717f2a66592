"""Events: immutable snapshots of what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airport_payments.testing.fake_stripe.constants import API_VERSION, DEFAULT_ACCOUNT
from airport_payments.testing.fake_stripe.json_types import clone

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.json_types import Obj


def make_event(call: Call, event_type: str, obj: Obj, previous: Obj | None) -> Obj:
    """Make an event object. `pending_webhooks` is filled in when deliveries are queued."""
    data: Obj = {"object": clone(obj)}
    if previous:
        data["previous_attributes"] = clone(previous)
    event: Obj = {
        "id": call.ids.new("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": call.now,
        "data": data,
        "livemode": call.books.livemode,
        "pending_webhooks": 0,
        "request": {"id": call.request_id, "idempotency_key": call.idempotency_key},
        "type": event_type,
    }
    if call.books.account != DEFAULT_ACCOUNT:
        # "Connect events include both the context and account fields" (changelog of 2025-04-30.basil).
        event["account"] = event["context"] = call.books.account
    return event


def applies(call: Call, switch: Literal["lost_events", "doubled_events"], event_type: str, obj: Obj) -> bool:
    """Say whether a test wants something done to this event, and count it."""
    for rule in call.books.switches.get(switch, ()):
        about = rule["object_id"] in {None, obj["id"], obj.get("payment_intent")}
        if rule["times"] > 0 and about and type_matches(event_type, rule["type"]):
            rule["times"] -= 1
            return True
    return False


def type_matches(event_type: str, pattern: str) -> bool:
    """Say whether a type fits a pattern: a name, `*`, or a group such as `charge.*`."""
    return pattern in {"*", event_type} or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
