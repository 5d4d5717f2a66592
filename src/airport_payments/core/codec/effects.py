"""Commands as documents and back."""

from datetime import datetime
from typing import Final, cast

from airport_payments.core.codec.parts import Doc, UnreadableLedger, from_us, to_us
from airport_payments.core.commands import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    Effect,
)
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions


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
        if not e.redirects:
            create["redirects"] = False
        if e.options is not None:
            create["options"] = _options(e.options)
        return {"do": "create", "booking": e.booking_id, "namespace": e.namespace, **create, **doc}
    if isinstance(e, CancelIntent):
        return {"do": "cancel", "intent": e.intent_id, **doc}
    if isinstance(e, ConfirmIntent):
        return {"do": "confirm", "intent": e.intent_id, "method": e.payment_method_id, "back": e.return_url, **doc}
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
    options = doc.get("options")
    return CreateIntent(
        attempt_id,
        booking_id,
        namespace,
        amount,
        *_ending(doc),
        bool(doc.get("manual")),
        None if options is None else _load_options(cast("Doc", options)),
        bool(doc.get("redirects", True)),
    )


_WORDS: Final = (
    "customer_id",
    "receipt_email",
    "description",
    "statement_descriptor_suffix",
    "setup_future_usage",
    "return_url",
)


def _options(options: PaymentOptions) -> Doc:
    doc: Doc = {name: getattr(options, name) for name in _WORDS if getattr(options, name) is not None}
    if options.metadata:
        doc["metadata"] = [[key, value] for key, value in options.pairs]
    return doc


def _load_options(doc: Doc) -> PaymentOptions:
    metadata = tuple((pair[0], pair[1]) for pair in cast("list[list[str]]", doc.get("metadata", [])))
    return PaymentOptions(**{name: cast("str", doc[name]) for name in _WORDS if name in doc}, metadata=metadata)


def _cancel(doc: Doc) -> Effect:
    return CancelIntent(cast("str", doc["attempt"]), cast("str", doc["intent"]), *_ending(doc))


def _confirm(doc: Doc) -> Effect:
    attempt_id, intent_id = cast("str", doc["attempt"]), cast("str", doc["intent"])
    back = cast("str | None", doc["back"])
    return ConfirmIntent(attempt_id, intent_id, cast("str", doc["method"]), back, *_ending(doc))


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


_READERS: Final = {"create": _create, "confirm": _confirm, "cancel": _cancel, "capture": _capture, "refund": _refund}
