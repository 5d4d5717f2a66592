"""Stripe's events: the envelope, read strictly, and the object of one, as far as it is used."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from airport_payments.core.errors import InvalidSignature
from airport_payments.stripe_api.results import Unreadable
from airport_payments.stripe_api.wire import ObjectDict


class DataDict(TypedDict):
    """What an event is about."""

    object: ObjectDict


class EnvelopeDict(TypedDict):
    """What every event has."""

    id: str
    type: str
    created: int
    livemode: bool
    api_version: NotRequired[str | None]
    account: NotRequired[str | None]
    context: NotRequired[str | None]


class ThinEnvelopeDict(EnvelopeDict):
    """What is made of a thin event's envelope."""

    thin: Literal[True]


class _RelatedDict(TypedDict):
    id: str
    type: str


class _ThinDict(TypedDict):
    """A thin event: it names its object, and shows nothing of it (docs.stripe.com/event-destinations)."""

    id: str
    object: Literal["v2.core.event"]
    type: str
    created: str
    livemode: bool
    context: NotRequired[str | None]
    related_object: NotRequired[_RelatedDict | None]


class EventDict(EnvelopeDict):
    """An event, as far as it is used."""

    data: DataDict


class _HeadObject(TypedDict, total=False):
    id: str
    object: str


class _HeadData(TypedDict):
    object: _HeadObject


class _HeadDict(EnvelopeDict):
    """The same event with an object of which only its id is read."""

    data: _HeadData


# All of these read strictly: by itself pydantic would take "24900", 24900.0 and true for amounts.
_EVENT: Final = TypeAdapter(EventDict)
_HEAD: Final = TypeAdapter(_HeadDict)
_THIN: Final = TypeAdapter(_ThinDict)
# The validator itself: TypeAdapter's own method only passes on, and this runs for every delivery.
_read_event: Final[Callable[..., EventDict]] = _EVENT.validator.validate_json


def read_event(body: bytes) -> tuple[EnvelopeDict, ObjectDict]:
    """Return an event's envelope and its object. Raises `InvalidSignature` for what is not an event."""
    try:
        event = _read_event(body, strict=True)
        return event, event["data"]["object"]
    except ValidationError:
        pass
    # An authentic event of a version whose fields are of another kind is still an event: its object is fetched.
    try:
        head = _HEAD.validate_json(body, strict=True)
    except ValidationError:
        head = None
    if head is None:
        return _read_thin(body)
    shape = head["data"]["object"]
    return head, {"id": shape.get("id", ""), "object": shape.get("object", "")}


def _read_thin(body: bytes) -> tuple[ThinEnvelopeDict, ObjectDict]:
    """Return a thin event. The address that it gives of its object is not read: nothing is ever fetched from it."""
    try:
        event = _THIN.validate_json(body, strict=True)
        created = datetime.fromisoformat(event["created"])
        # Without a zone it would be read in this machine's own.
        created_s = int(created.timestamp()) if created.tzinfo is not None else None
    except (ValidationError, ValueError, OverflowError):
        created_s, event = None, None
    if created_s is None or event is None:
        raise InvalidSignature("the body is not an event of Stripe's")
    envelope: ThinEnvelopeDict = {
        "id": event["id"],
        "type": event["type"],
        "created": created_s,
        "livemode": event["livemode"],
        "context": event.get("context"),
        "thin": True,
    }
    related = event.get("related_object")
    return envelope, {"id": related["id"], "object": related["type"]} if related else {}


def event_of(item: object) -> tuple[EnvelopeDict, ObjectDict]:
    """Return an event of a page. Raises `Unreadable` for what is none."""
    try:
        event = _EVENT.validate_python(item, strict=True)
        return event, event["data"]["object"]
    except ValidationError:
        pass
    try:
        head = _HEAD.validate_python(item, strict=True)
    except ValidationError:
        raise Unreadable("an event of another shape") from None
    shape = head["data"]["object"]
    return head, {"id": shape.get("id", ""), "object": shape.get("object", "")}
