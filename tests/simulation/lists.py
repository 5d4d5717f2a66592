"""Stripe's lists in the small Stripe, read by the library's own parser: what `reconcile` compares."""

import json
from typing import TYPE_CHECKING, Any

from airport_payments.stripe_api.lists import Listing, ListPage, ListReply, list_page
from airport_payments.stripe_api.results import ApiResult

if TYPE_CHECKING:
    from tests.simulation.world import World


def page(world: "World", command: ListPage) -> ListReply:
    """Answer a page of a list, newest first. Every window that this world asks for begins before it does."""
    items = list(reversed(_items(world, command)))
    at = next((n + 1 for n, item in enumerate(items) if item["id"] == command.after), 0)
    shown = items[at : at + command.size]
    body = json.dumps({"object": "list", "data": shown, "has_more": at + command.size < len(items)})
    talk = list_page(command)
    asked = next(talk)
    try:
        talk.send(ApiResult(200, asked.read(body)))
    except StopIteration as end:
        reply: ListReply = end.value
        return reply
    raise AssertionError("a page is one call")


def _items(world: "World", command: ListPage) -> list[dict[str, Any]]:
    """Everything of a list, oldest first."""
    intents = world.stripe.intents()
    if command.listing is Listing.EVENTS:
        return world.deliveries.undelivered()
    if command.listing is Listing.REFUNDS:
        mine = (i for i in intents if command.intent_id in {None, i.id})
        return [{"created": 0, **r.as_json()} for i in mine for r in i.money.refunds]
    if command.listing is Listing.DISPUTES:
        return [{"created": 0, **d.as_json()} for i in intents for d in i.money.disputes]
    return [{**i.as_json(), "latest_charge": i.charge_json() if i.charge else None} for i in intents]
