"""Webhook events: verified, then read once, strictly, into just what is used."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from traceback import clear_frames
from typing import TYPE_CHECKING, Final, cast

from airport_payments.core.decide.route import EventHead
from airport_payments.core.errors import InvalidSignature
from airport_payments.core.facts import DisputeObserved, IntentView, RefundObserved, RefundsHinted
from airport_payments.core.ids import is_text
from airport_payments.core.secret import Secret
from airport_payments.stripe_api.marks import META_BOOKING, META_NAMESPACE
from airport_payments.stripe_api.results import Unreadable
from airport_payments.stripe_api.signature import MAX_BODY_BYTES, read_header, verify

if TYPE_CHECKING:
    from airport_payments.stripe_api.wire import ObjectDict
    from airport_payments.stripe_api.wire_events import EnvelopeDict

DEFAULT_TOLERANCE_S: Final = 300
# A time that datetime can hold; Stripe's `created` is in seconds.
_MAX_CREATED_S: Final = 253_402_300_799
_read_event: "Callable[[bytes], tuple[EnvelopeDict, ObjectDict]] | None" = None


class Event:
    """An event of Stripe's, as far as it is used. It cannot be changed, and its repr shows nothing of the object.

    It keeps what was read as it is: one is made for every delivery, and most of it is never asked for.
    """

    __slots__ = ("_envelope", "_object")

    def __init__(self, envelope: "EnvelopeDict", obj: "ObjectDict") -> None:
        """Take what `construct_event` read. Use that to make one."""
        self._envelope = envelope
        self._object = obj

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return self._envelope == other._envelope and self._object == other._object

    __hash__ = None  # type: ignore[assignment]  # it holds a document

    def __repr__(self) -> str:
        return f"Event(id={self.id!r}, type={self.type!r}, created={self.created!r}, livemode={self.livemode!r})"

    @property
    def id(self) -> str:
        """Stripe's id of the event, `evt_…`."""
        return self._envelope["id"]

    @property
    def type(self) -> str:
        """Such as `payment_intent.succeeded`; of a thin event, such as `v1.payment_intent.succeeded`."""
        return self._envelope["type"]

    @property
    def thin(self) -> bool:
        """Whether it only names its object. What that says is fetched from Stripe."""
        return "thin" in self._envelope

    @property
    def name(self) -> str:
        """Its type without the `v1.` that thin events have in front: the same happening has the same name."""
        return self.type.removeprefix("v1.") if self.thin else self.type

    @property
    def created(self) -> datetime:
        """When Stripe made it, aware UTC, to the second: it decides no order."""
        return datetime.fromtimestamp(self._envelope["created"], UTC)

    @property
    def livemode(self) -> bool:
        """True for live mode."""
        return self._envelope["livemode"]

    @property
    def api_version(self) -> str | None:
        """The API version that it was written in."""
        return self._envelope.get("api_version")

    @property
    def account(self) -> str | None:
        """The connected account it is of, None for your own."""
        return self._envelope.get("account")

    @property
    def context(self) -> str | None:
        """The organisation's context, None for your own."""
        return self._envelope.get("context")

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata of the object that it is about."""
        return self._object.get("metadata") or {}

    @property
    def object_id(self) -> str:
        """The id of the object it is about."""
        return self._object.get("id", "")

    @property
    def object_type(self) -> str:
        """The type of that object, such as `payment_intent`."""
        return self._object.get("object", "")

    @property
    def intent(self) -> IntentView | None:
        """The PaymentIntent it is about, None if the object is another, or has fields that cannot be read."""
        from airport_payments.stripe_api.wire import intent_view  # noqa: PLC0415 - loads pydantic

        if self.object_type != "payment_intent":
            return None
        try:
            return intent_view(self._object)
        except Unreadable:
            return None

    @property
    def intent_id(self) -> str | None:
        """The PaymentIntent that it is about or that its object belongs to, empty for none; None if it does not say."""
        if self.object_type == "payment_intent":
            return self.object_id
        if "payment_intent" not in self._object:
            return None
        found = self._object["payment_intent"]
        return (found.get("id") if isinstance(found, dict) else found) or ""

    @property
    def aftermath(self) -> RefundObserved | RefundsHinted | DisputeObserved | None:
        """What it says of a refund, a dispute or a refunded charge; None if it has fields that cannot be read."""
        from airport_payments.stripe_api.wire_money import aftermath_of  # noqa: PLC0415

        try:
            return aftermath_of(self._object, self.id, self.name)
        except Unreadable:
            return None

    @property
    def head(self) -> EventHead:
        """What tells whose event this is."""
        marks = self.metadata
        return EventHead(
            self.name, self.livemode, self.account, self.context, marks.get(META_NAMESPACE), marks.get(META_BOOKING)
        )


def construct_event(
    payload: bytes | bytearray | str,
    sig_header: str | None,
    secrets: str | Secret | Sequence[str | Secret],
    *,
    tolerance: int = DEFAULT_TOLERANCE_S,
    now: float | None = None,
) -> Event:
    """Verify a webhook and return its event: one with its whole object, or a thin one.

    Args:
        payload: the raw body, exactly as it arrived.
        sig_header: the value of the `Stripe-Signature` header.
        secrets: the endpoint's `whsec_…` secret, or several while one is being rolled.
        tolerance: how old, and how far ahead of our clock, the signature may be, in seconds.
        now: seconds since 1970, None for the present.

    Raises:
        InvalidSignature: forged, stale, ahead of time, malformed or missing, too large, or signed but no event.
        ConfigurationError: no secret was given, or one is too short; or `tolerance` or `now` is no finite time.
    """
    # Error trackers send the locals of every frame that an exception passed. Those would be the secrets, and an event
    # with its client secret: so no frame keeps them. `read_header` was told none, and clearing costs more than it does.
    try:
        body = payload if type(payload) is bytes else to_bytes(payload)
        at = time.time() if now is None else now
        timestamp, signatures = read_header(sig_header, body_bytes=len(body), now=at, tolerance_s=tolerance)
        try:
            verify(body, timestamp, signatures, _several(secrets))
            return parse_event(body)
        except BaseException as error:
            clear_frames(error.__traceback__)
            raise
    finally:
        body = b""
        del payload, secrets


def _several(secrets: str | Secret | Sequence[str | Secret]) -> Sequence[str | Secret]:
    one = isinstance(secrets, (str, Secret)) or not _is_iterable(secrets)
    return (cast("str | Secret", secrets),) if one else tuple(cast("Iterable[str | Secret]", secrets))


def _is_iterable(value: object) -> bool:
    return isinstance(value, Iterable)


def to_bytes(payload: bytes | bytearray | str) -> bytes:
    """Return a body as bytes. Raises `InvalidSignature` if it is text that cannot be encoded."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, bytearray):
        return bytes(payload)
    if not isinstance(payload, str):
        del payload
        raise InvalidSignature("the body is not bytes")
    if not is_text(payload):  # asked for rather than caught: a UnicodeEncodeError would hold the whole text
        del payload
        raise InvalidSignature("the body is not UTF-8")
    return payload.encode()


def parse_event(body: bytes) -> Event:
    """Return the event that a body holds; the body's origin is already known to be good.

    Raises:
        InvalidSignature: the body is not UTF-8, not JSON or not an event. Nothing of it is in the message.
    """
    global _read_event  # noqa: PLW0603 - an import costs a microsecond also when it is done, and this runs for every delivery
    if _read_event is None:
        # Here, not above: pydantic is loaded by the first event, not by importing the library.
        from airport_payments.stripe_api.wire_events import read_event  # noqa: PLC0415

        _read_event = read_event
    envelope, obj = _read_event(body)
    if not 0 <= envelope["created"] <= _MAX_CREATED_S:
        raise InvalidSignature("the body is not an event of Stripe's")
    return Event(envelope, obj)


def unwrap(message: bytes | bytearray | str) -> Event:
    """Return the event of a message that was verified elsewhere: bare, or in an EventBridge or Event Grid envelope.

    The envelopes are those of docs.stripe.com/event-destinations/eventbridge and /eventgrid.

    Raises:
        InvalidSignature: the message holds no event.
    """
    try:
        return _unwrapped(message)
    except BaseException as error:
        clear_frames(error.__traceback__)  # as in `construct_event`
        raise
    finally:
        del message


def _unwrapped(message: bytes | bytearray | str) -> Event:
    body = to_bytes(message)
    # An envelope adds little to what it holds; this bounds the parsing below.
    if len(body) > 2 * MAX_BODY_BYTES:
        raise InvalidSignature("the message is over the limit")
    try:
        doc = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidSignature("the message is not JSON") from None
    if isinstance(doc, dict) and "detail" in doc and "detail-type" in doc:
        return parse_event(json.dumps(doc["detail"]).encode())
    if isinstance(doc, dict) and "specversion" in doc and "data" in doc and doc.get("object") != "event":
        return parse_event(json.dumps(doc["data"]).encode())
    return parse_event(body)
