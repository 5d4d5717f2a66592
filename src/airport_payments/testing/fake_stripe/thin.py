"""Thin events: what `/v2/core/events` tells of the same happenings, without the object.

Each is made of its snapshot when it is asked for. The fields are those of stripe-python's `v2.core.Event`; that the
notification leaves `snapshot_event` out, as stripe-python's `EventNotification` does, is not confirmed.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from airport_payments.testing.fake_stripe.constants import DEFAULT_THIN_PAGE, EVENT_LIFETIME
from airport_payments.testing.fake_stripe.errors import invalid_request
from airport_payments.testing.fake_stripe.events import type_matches
from airport_payments.testing.fake_stripe.lists import COMPARISONS, checked_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.json_types import Obj

URL: Final = "/v2/core/events"
# Events of API v1 are told under their name with this in front.
PREFIX: Final = "v1."
_IDS: Final = {False: "evt_test_", True: "evt_61"}
_COLLECTIONS: Final = {"radar.early_fraud_warning": "radar/early_fraud_warnings"}


def notification(event: Obj, context: str | None) -> Obj:
    """Make what is sent to a destination of thin events."""
    obj: Obj = event["data"]["object"]
    kind: str = obj["object"]
    request: Obj = event["request"]
    reason: Obj | None = None
    if request["id"] is not None:
        reason = {"type": "request", "request": {"id": request["id"], "idempotency_key": request["idempotency_key"]}}
    return {
        "id": thin_id(event),
        "object": "v2.core.event",
        "type": PREFIX + event["type"],
        "livemode": event["livemode"],
        "created": in_words(event["created"]),
        "context": context,
        "reason": reason,
        "related_object": {
            "id": obj["id"],
            "type": kind,
            "url": f"/v1/{_COLLECTIONS.get(kind, kind + 's')}/{obj['id']}",
        },
    }


def thin_id(event: Obj) -> str:
    """Return the id of an event's thin twin."""
    tail: str = event["id"].removeprefix("evt_")
    return _IDS[event["livemode"]] + tail


def retrieve(call: Call, event_id: str, params: Obj) -> Obj:
    """GET /v2/core/events/{id}."""
    del params
    snapshot = call.books.objects["event"].get("evt_" + event_id.removeprefix(_IDS[call.books.livemode]))
    if snapshot is None or thin_id(snapshot) != event_id or snapshot["created"] < call.now - EVENT_LIFETIME:
        raise invalid_request(f"No such event: {event_id}", code="not_found", status=404)
    return _full(snapshot)


def listed(call: Call, _id: str, params: Obj) -> Obj:
    """GET /v2/core/events: newest first, in pages that name the next one."""
    bounds = {name: _time(value, name) for name, value in params.get("created", {}).items()}
    wanted: list[str] | None = params.get("types")

    def matches(event: Obj) -> bool:
        return (
            event["created"] >= call.now - EVENT_LIFETIME
            and (wanted is None or any(type_matches(PREFIX + event["type"], pattern) for pattern in wanted))
            and params.get("object_id") in {None, event["data"]["object"]["id"]}
            and all(COMPARISONS[name](event["created"], bound) for name, bound in bounds.items())
        )

    return page_of(filter(matches, reversed(call.books.objects["event"].values())), _full, URL, params)


def page_of(found: Iterable[Obj], shown: Callable[[Obj], Obj], url: str, params: Obj) -> Obj:
    """Make a page as API v2 does: it names its neighbours by their addresses."""
    limit = checked_limit({"limit": DEFAULT_THIN_PAGE, **params})
    start = _start(params.get("page"))
    page = list(islice(found, start, start + limit + 1))
    more = len(page) > limit
    return {
        "data": [shown(item) for item in page[:limit]],
        "next_page_url": _page_url(url, params, start + limit) if more else None,
        "previous_page_url": _page_url(url, params, max(0, start - limit)) if start else None,
    }


def _full(event: Obj) -> Obj:
    return {**notification(event, event.get("context")), "changes": None, "snapshot_event": event["id"]}


def _page_url(url: str, params: Obj, start: int) -> str:
    token = base64.urlsafe_b64encode(str(start).encode()).decode()
    query: dict[str, str] = {name: str(params[name]) for name in ("limit", "object_id") if name in params}
    query |= {f"types[{number}]": name for number, name in enumerate(params.get("types", ()))}
    query |= {f"created[{name}]": value for name, value in params.get("created", {}).items()}
    return f"{url}?{urlencode({**query, 'page': token})}"


def _start(page: str | None) -> int:
    try:
        return max(0, int(base64.urlsafe_b64decode(page.encode())[:12])) if page else 0
    except ValueError:
        raise invalid_request("Invalid page token.", param="page") from None


def in_words(created: int) -> str:
    """Write a time as API v2 does."""
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _time(text: str, name: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid_request(f"Invalid timestamp: {text[:40]}", param=f"created[{name}]") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
