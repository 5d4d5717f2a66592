"""Commands as documents and back."""

from datetime import datetime
from typing import Final, cast

from airport_payments.core.codec.parts import Doc, UnreadableLedger, from_us, to_us
from airport_payments.core.commands import CancelIntent, CaptureIntent, CreateIntent, CreateRefund, Effect
from airport_payments.core.money import Money


def dump_effect(e: Effect) -> Doc:
    """Return a command as a document."""
    doc: Doc = {
        "attempt": e.attempt_id,
        "key": e.key,
        "sent_us": to_us(e.first_sent_at),
        "due_us": to_us(e.due_at),
        "tries": e.tries,
        "server_errors": e.server_errors,
    }
    if isinstance(e, CreateIntent):
        create: Doc = {"amount": e.amount.amount_minor, "currency": e.amount.currency}
        if e.manual_capture:
            create["manual"] = True
        return {"do": "create", "booking": e.booking_id, "namespace": e.namespace, **create, **doc}
    if isinstance(e, CancelIntent):
        return {"do": "cancel", "intent": e.intent_id, **doc}
    if isinstance(e, CaptureIntent):
        return {"do": "capture", "intent": e.intent_id, "amount": e.amount_minor, **doc}
    refund: Doc = {"ref": e.ref, "intent": e.intent_id, "amount": e.amount_minor, "reason": e.reason}
    return {"do": "refund", "booking": e.booking_id, "namespace": e.namespace, **refund, **doc}


def load_effect(doc: Doc) -> Effect:
    """Return the command of a document. Raises `UnreadableLedger` for one that this version does not know."""
    read = _READERS.get(cast("str", doc["do"]))
    if read is None:
        raise UnreadableLedger(f"a ledger with an unknown command {doc['do']!r:.40}")
    return read(doc)


def _ending(doc: Doc) -> tuple[str, datetime, datetime, int, int]:
    """Return what every command ends with."""
    return (
        cast("str", doc["key"]),
        from_us(cast("int", doc["sent_us"])),
        from_us(cast("int", doc["due_us"])),
        cast("int", doc["tries"]),
        cast("int", doc["server_errors"]),
    )


def _create(doc: Doc) -> Effect:
    amount = Money(cast("int", doc["amount"]), cast("str", doc["currency"]))
    booking_id, namespace = cast("str", doc["booking"]), cast("str", doc["namespace"])
    attempt_id = cast("str", doc["attempt"])
    return CreateIntent(attempt_id, booking_id, namespace, amount, *_ending(doc), bool(doc.get("manual")))


def _cancel(doc: Doc) -> Effect:
    return CancelIntent(cast("str", doc["attempt"]), cast("str", doc["intent"]), *_ending(doc))


def _capture(doc: Doc) -> Effect:
    attempt_id, intent_id = cast("str", doc["attempt"]), cast("str", doc["intent"])
    return CaptureIntent(attempt_id, intent_id, cast("int", doc["amount"]), *_ending(doc))


def _refund(doc: Doc) -> Effect:
    return CreateRefund(
        cast("str", doc["attempt"]),
        cast("str", doc["ref"]),
        cast("str", doc["booking"]),
        cast("str", doc["namespace"]),
        cast("str", doc["intent"]),
        cast("int", doc["amount"]),
        cast("str | None", doc["reason"]),
        *_ending(doc),
    )


_READERS: Final = {"create": _create, "cancel": _cancel, "capture": _capture, "refund": _refund}
