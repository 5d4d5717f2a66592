"""Announcements as documents and back, by their fields: a kind that is added needs nothing here."""

from dataclasses import fields
from datetime import datetime
from typing import Any, Final, cast

from airport_payments.core.announcements import KINDS, NAMES, Announcement, DeadLetter, Delivery, Pending
from airport_payments.core.codec.parts import Doc, Json, UnreadableLedger, from_us, to_us
from airport_payments.core.money import Money

_COMMON: Final = frozenset(f.name for f in fields(Announcement))
_OWN: Final = {kind: tuple(f.name for f in fields(kind) if f.name not in _COMMON) for kind in NAMES}


def dump_pending(p: Pending) -> Doc:
    """Return an announcement that waits for its delivery as a document."""
    doc = dump_announcement(p.announcement)
    if p.deliveries:
        doc["deliveries"] = [[d.subscriber, to_us(d.due_at), d.tries] for d in p.deliveries]
    return doc


def dump_letter(d: DeadLetter) -> Doc:
    """Return a delivery that was given up as a document."""
    told: Json = dump_announcement(d.announcement)
    return {"told": told, "subscriber": d.subscriber, "tries": d.tries, "at_us": to_us(d.at), "error": d.error}


def dump_announcement(a: Announcement) -> Doc:
    """Return the announcement alone as a document."""
    doc: Doc = {"kind": NAMES[type(a)], "booking": a.booking_id, "sequence": a.sequence, "at_us": to_us(a.at)}
    if a.payment_intent_id is not None:
        doc["intent"] = a.payment_intent_id
    for name in _OWN[type(a)]:
        value = getattr(a, name)
        if isinstance(value, Money):
            doc[name] = {"minor": value.amount_minor, "currency": value.currency}
        elif isinstance(value, datetime):
            doc[name] = {"us": to_us(value)}
        elif value is not None:
            doc[name] = value
    return doc


def load_pending(doc: Doc) -> Pending:
    """Return the announcement of a document. Raises `UnreadableLedger` for a kind that this version does not know."""
    found = cast("list[tuple[str, int, int]]", doc.get("deliveries", []))
    return Pending(load_announcement(doc), tuple([Delivery(name, from_us(due), tries) for name, due, tries in found]))


def load_letter(doc: Doc) -> DeadLetter:
    """Return the dead letter of a document."""
    return DeadLetter(
        load_announcement(cast("Doc", doc["told"])),
        cast("str", doc["subscriber"]),
        cast("int", doc["tries"]),
        from_us(cast("int", doc["at_us"])),
        cast("str", doc["error"]),
    )


def load_announcement(doc: Doc) -> Announcement:
    """Return the announcement alone."""
    kind = KINDS.get(cast("str", doc["kind"]))
    if kind is None:
        raise UnreadableLedger(f"a ledger with an unknown announcement {doc['kind']!r:.40}")
    own: dict[str, Any] = {name: _value(doc.get(name)) for name in _OWN[kind]}
    return kind(
        booking_id=cast("str", doc["booking"]),
        sequence=cast("int", doc["sequence"]),
        at=from_us(cast("int", doc["at_us"])),
        payment_intent_id=cast("str | None", doc.get("intent")),
        **own,
    )


def _value(found: object) -> object:
    if not isinstance(found, dict):
        return found
    doc = cast("Doc", found)
    if "us" in doc:
        return from_us(cast("int", doc["us"]))
    return Money(cast("int", doc["minor"]), cast("str", doc["currency"]))
