"""Stripe's lists, a page at a time. What is listed becomes events, so that it takes the way that events take."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from airport_payments.core.decide.route import HANDLED, LISTED_ID, LISTED_PREFIX, Subject
from airport_payments.core.facts import Refused, Unanswered
from airport_payments.core.model import Policy
from airport_payments.stripe_api.events import Event
from airport_payments.stripe_api.results import ApiRequest, ApiResult, Unreadable

if TYPE_CHECKING:
    from airport_payments.stripe_api.wire import ObjectDict
    from airport_payments.stripe_api.wire_events import EnvelopeDict

# Stripe's own most (docs.stripe.com/api/pagination).
MAX_PAGE: Final = 100


class Listing(StrEnum):
    """Which list, by its place in the address."""

    INTENTS = "payment_intents"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    EVENTS = "events"  # those that were not delivered to every endpoint


_KINDS: Final = {
    Listing.INTENTS: Subject.INTENT,
    Listing.REFUNDS: Subject.REFUND,
    Listing.DISPUTES: Subject.DISPUTE,
}


@dataclass(frozen=True, slots=True)
class ListPage:
    """Ask for one page of a list, newest first.

    Args:
        listing: which list.
        since, until: what was created from the one to the other, both included, to the second.
        policy: for whom: whose namespace, mode and account.
        size: 1 to 100.
        after: the id after which to go on, None for the first page.
        intent_id: only what belongs to this PaymentIntent, whenever it was created.
    """

    listing: Listing
    since: datetime
    until: datetime
    policy: Policy
    size: int = MAX_PAGE
    after: str | None = None
    intent_id: str | None = None


@dataclass(frozen=True, slots=True)
class ListedPage:
    """One page.

    Args:
        events: what was listed, oldest first; each thing that is no event is made one.
        last: the id after which to go on.
        more: whether there is more.
        refunded_minor: how much of each PaymentIntent went back, as its charge has it.
    """

    events: tuple[Event, ...]
    last: str | None
    more: bool
    refunded_minor: Mapping[str, int] = field(default_factory=dict[str, int])


ListReply: TypeAlias = ListedPage | Refused | Unanswered


def list_page(command: ListPage) -> Generator[ApiRequest, ApiResult, ListReply]:
    """Return the talk that asks for a page."""
    from airport_payments.stripe_api.talk import failed  # noqa: PLC0415 - loads pydantic, which importing must not
    from airport_payments.stripe_api.wire import Items, read_items  # noqa: PLC0415

    result = yield ApiRequest("get", f"/v1/{command.listing}", _params(command), read_items)
    if not result.ok:
        reply = failed(result)
        return reply if isinstance(reply, (Refused, Unanswered)) else Unanswered(result.reason)
    items = result.found
    if not isinstance(items, Items):
        return Unanswered(f"Stripe's answer cannot be read: {result.reason}")
    try:
        listed = [_read(item, command) for item in reversed(items.data)]
    except Unreadable as error:
        return Unanswered(f"Stripe's answer cannot be read: {error}")
    refunded = {obj.get("id", ""): amount for _, obj in listed if (amount := _refunded(obj)) is not None}
    return ListedPage(tuple(Event(*item) for item in listed), items.last, items.has_more, refunded)


def _params(command: ListPage) -> dict[str, object]:
    params: dict[str, object] = {"limit": command.size}
    if command.intent_id is not None:
        params["payment_intent"] = command.intent_id
    else:
        params["created"] = {"gte": int(command.since.timestamp()), "lte": int(command.until.timestamp())}
    if command.after is not None:
        params["starting_after"] = command.after
    if command.listing is Listing.EVENTS:
        params |= {"delivery_success": "false", "types": list(HANDLED)}
    if command.listing is Listing.INTENTS:
        params["expand"] = ["data.latest_charge"]
    return params


def _read(item: object, command: ListPage) -> "tuple[EnvelopeDict, ObjectDict]":
    """Return a listed thing as an event. Who asked is who it belongs to: lists show nothing of other accounts."""
    from airport_payments.stripe_api.wire import object_of  # noqa: PLC0415 - loads pydantic
    from airport_payments.stripe_api.wire_events import event_of  # noqa: PLC0415

    policy = command.policy
    if command.listing is Listing.EVENTS:
        envelope, obj = event_of(item)
        envelope["account"], envelope["context"] = policy.account, policy.context
        return envelope, obj
    obj = object_of(item)
    listed: EnvelopeDict = {
        "id": LISTED_ID,
        "type": f"{LISTED_PREFIX}{_KINDS[command.listing]}",
        "created": int(command.until.timestamp()),
        "livemode": policy.livemode,
        "account": policy.account,
        "context": policy.context,
    }
    return listed, obj


def _refunded(obj: "ObjectDict") -> int | None:
    charge = obj.get("latest_charge")
    return charge.get("amount_refunded") if isinstance(charge, dict) else None
