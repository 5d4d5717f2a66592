"""Events: immutable snapshots of what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": call.request_id, "idempotency_key": call.idempotency_key},
        "type": event_type,
    }
    if call.books.account != DEFAULT_ACCOUNT:
        event["account"] = call.books.account
    return event
