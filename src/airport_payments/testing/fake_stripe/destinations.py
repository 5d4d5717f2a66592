"""Event destinations: how API v2 shows webhook endpoints, those for thin events among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airport_payments.testing.fake_stripe import thin
from airport_payments.testing.fake_stripe.errors import invalid_request

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Books, Call
    from airport_payments.testing.fake_stripe.json_types import Obj

URL: Final = "/v2/core/event_destinations"


def endpoints_of(books: Books) -> list[Obj]:
    """Return an account's endpoints, for snapshots and for thin events."""
    return [*books.objects["webhook_endpoint"].values(), *books.objects["event_destination"].values()]


def endpoint_of(books: Books, endpoint_id: str) -> Obj | None:
    """Return one of them."""
    return books.objects["webhook_endpoint"].get(endpoint_id) or books.objects["event_destination"].get(endpoint_id)


def retrieve(call: Call, destination_id: str, params: Obj) -> Obj:
    """GET /v2/core/event_destinations/{id}."""
    endpoint = endpoint_of(call.books, destination_id)
    if endpoint is None:
        raise invalid_request(f"No such event destination: {destination_id}", code="not_found", status=404)
    return _shown(call, endpoint, with_url=_with_url(params))


def listed(call: Call, _id: str, params: Obj) -> Obj:
    """GET /v2/core/event_destinations."""
    newest_first = reversed(endpoints_of(call.books))
    return thin.page_of(newest_first, lambda item: _shown(call, item, with_url=_with_url(params)), URL, params)


def _with_url(params: Obj) -> bool:
    return "webhook_endpoint.url" in params.get("include", ())


def _shown(call: Call, endpoint: Obj, *, with_url: bool) -> Obj:
    how = call.books.secrets_of(endpoint["id"])
    payload = how.get("payload", "snapshot")
    created = thin.in_words(endpoint["created"])
    return {
        "id": endpoint["id"],
        "object": "v2.core.event_destination",
        "created": created,
        "description": endpoint["description"] or "",
        "enabled_events": endpoint["enabled_events"],
        "event_payload": payload,
        "events_from": [how.get("events_from", "@self")],
        "livemode": endpoint["livemode"],
        "metadata": endpoint["metadata"],
        "name": "",
        "snapshot_api_version": endpoint["api_version"] if payload == "snapshot" else None,
        "status": endpoint["status"],
        "status_details": {"disabled": {"reason": "user"}} if endpoint["status"] == "disabled" else None,
        "type": "webhook_endpoint",
        "updated": created,
        "webhook_endpoint": {"signing_secret": None, "url": endpoint["url"] if with_url else None},
    }
