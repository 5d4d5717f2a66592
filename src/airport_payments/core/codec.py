"""The ledger as one JSON document: what the storage keeps. Defaults are left out, so that documents stay short.

`FORMAT` rises when an older version of this library could no longer read what a newer one writes.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias, cast

from airport_payments.core.announcements import (
    KINDS,
    NAMES,
    Announcement,
    BookingConfirmed,
    PaymentFailed,
    PaymentNeedsReview,
    Pending,
)
from airport_payments.core.commands import CancelIntent, CreateIntent, Effect
from airport_payments.core.errors import InternalError, PaymentsError
from airport_payments.core.model import (
    Failure,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
    RequestKey,
    ReviewReason,
)
from airport_payments.core.money import Money

FORMAT: Final = 1

Json: TypeAlias = "str | int | bool | None | list[Json] | dict[str, Json]"
Doc: TypeAlias = dict[str, Json]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Made once: json.dumps() with settings of its own makes an encoder at each call.
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class UnreadableLedger(InternalError):
    """The stored ledger was written by a newer version of this library, or is damaged. It is left alone."""


def to_us(moment: datetime) -> int:
    """Return an aware time as whole microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(number: int) -> datetime:
    """Return the aware UTC time of whole microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=number)


def dump(ledger: Ledger) -> str:
    """Return a ledger as JSON, without its version, which the storage keeps beside it."""
    doc: Doc = {"format": FORMAT, "payments": [_payment(p) for p in ledger.payments]}
    if ledger.effects:
        doc["effects"] = [_effect(e) for e in ledger.effects]
    if ledger.announcements:
        doc["announcements"] = [_pending(p) for p in ledger.announcements]
    if ledger.announced:
        doc["announced"] = ledger.announced
    if ledger.request_keys:
        doc["request_keys"] = [[k.key, k.fingerprint] for k in ledger.request_keys]
    return _encode(doc)


def load(text: str, version: int) -> Ledger:
    """Return the ledger of a JSON document.

    Raises:
        UnreadableLedger: a newer version of this library wrote it, or it is damaged.
    """
    try:
        doc = json.loads(text)
        _check_format(doc["format"])
        return Ledger(
            version,
            tuple([_load_payment(d) for d in doc["payments"]]),
            tuple([_load_effect(d) for d in doc["effects"]]) if "effects" in doc else (),
            tuple([_load_pending(d) for d in doc["announcements"]]) if "announcements" in doc else (),
            doc.get("announced", 0),
            tuple([RequestKey(*pair) for pair in doc["request_keys"]]) if "request_keys" in doc else (),
        )
    except UnreadableLedger:
        raise
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        PaymentsError,
    ) as error:
        # PaymentsError: Money answers 400, because it mostly judges a caller's words.
        raise UnreadableLedger(f"a ledger that cannot be read ({type(error).__name__})") from None


def _check_format(found: object) -> None:
    if found != FORMAT:
        raise UnreadableLedger(f"a ledger of format {found!r:.20}: this version reads {FORMAT}")


# ---- payments ----


def _payment(p: Payment) -> Doc:
    doc: Doc = {
        "attempt": p.attempt_id,
        "amount": p.amount.amount_minor,
        "currency": p.amount.currency,
        "state": p.state,
    }
    if p.intent_id is not None:
        doc["intent"] = p.intent_id
    if p.stripe_status is not None:
        doc["status"] = p.stripe_status
    if p.stray:
        doc["stray"] = True
    if p.closing:
        doc["closing"] = True
    if p.failure is not None:
        doc["failure"] = [p.failure.code, p.failure.message, p.failure.decline_code, p.failure.charge_id]
    if p.place is not Place.NONE:
        doc["place"] = p.place
        doc["received"] = p.received_minor
    if p.review is not None:
        doc["review"] = p.review
    if p.news:
        doc["news"] = list(p.news)
    if p.opened_at is not None:
        doc["opened_us"] = to_us(p.opened_at)
    if p.look_at is not None:
        doc["look_us"] = to_us(p.look_at)
    if p.looks:
        doc["looks"] = p.looks
    if p.closes:
        doc["closes"] = p.closes
    return doc


# Looked up in a dict, because calling an Enum class costs three times as much, and a ledger is read on every event.
_STATES: Final = {str(state): state for state in PaymentState}
_STATUSES: Final[dict[str | None, IntentStatus | None]] = {
    None: None,
    **{str(status): status for status in IntentStatus},
}
_PLACES: Final = {str(place): place for place in Place}
_REASONS: Final[dict[str | None, ReviewReason | None]] = {
    None: None,
    **{str(reason): reason for reason in ReviewReason},
}


def _load_payment(doc: Doc) -> Payment:
    get = doc.get
    failure = get("failure")
    opened, look = get("opened_us"), get("look_us")
    return Payment(
        cast("str", doc["attempt"]),
        Money(cast("int", doc["amount"]), cast("str", doc["currency"])),
        _STATES[cast("str", doc["state"])],
        cast("str | None", get("intent")),
        _STATUSES[cast("str | None", get("status"))],
        bool(get("stray")),
        bool(get("closing")),
        Failure(*cast("list[str]", failure)) if failure else None,
        _PLACES[cast("str", get("place", "none"))],
        _REASONS[cast("str | None", get("review"))],
        cast("int", get("received", 0)),
        tuple(cast("list[str]", get("news", ()))),
        None if opened is None else from_us(cast("int", opened)),
        None if look is None else from_us(cast("int", look)),
        cast("int", get("looks", 0)),
        cast("int", get("closes", 0)),
    )


# ---- commands ----


def _effect(e: Effect) -> Doc:
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
        return {"do": "create", "booking": e.booking_id, "namespace": e.namespace, **create, **doc}
    return {"do": "cancel", "intent": e.intent_id, **doc}


def _load_effect(doc: Doc) -> Effect:
    attempt_id, key = cast("str", doc["attempt"]), cast("str", doc["key"])
    sent, due = from_us(cast("int", doc["sent_us"])), from_us(cast("int", doc["due_us"]))
    tries, errors = cast("int", doc["tries"]), cast("int", doc["server_errors"])
    if doc["do"] == "create":
        amount = Money(cast("int", doc["amount"]), cast("str", doc["currency"]))
        booking_id, namespace = cast("str", doc["booking"]), cast("str", doc["namespace"])
        return CreateIntent(attempt_id, booking_id, namespace, amount, key, sent, due, tries, errors)
    if doc["do"] == "cancel":
        return CancelIntent(attempt_id, cast("str", doc["intent"]), key, sent, due, tries, errors)
    raise UnreadableLedger(f"a ledger with an unknown command {doc['do']!r:.40}")


# ---- announcements ----


def _pending(p: Pending) -> Doc:
    a = p.announcement
    doc: Doc = {
        "kind": NAMES[type(a)],
        "booking": a.booking_id,
        "sequence": a.sequence,
        "at_us": to_us(a.at),
        "due_us": to_us(p.due_at),
    }
    if p.tries:
        doc["tries"] = p.tries
    if a.payment_intent_id is not None:
        doc["intent"] = a.payment_intent_id
    if isinstance(a, BookingConfirmed):
        doc.update(amount=a.amount.amount_minor, currency=a.amount.currency)
    elif isinstance(a, PaymentFailed):
        doc.update(code=a.error_code, decline_code=a.decline_code)
    elif isinstance(a, PaymentNeedsReview):
        doc.update(reason=a.reason, amount=a.amount_minor, currency=a.currency)
    return doc


def _load_pending(doc: Doc) -> Pending:
    return Pending(_load_announcement(doc), from_us(cast("int", doc["due_us"])), cast("int", doc.get("tries", 0)))


def _load_announcement(doc: Doc) -> Announcement:
    kind = KINDS.get(cast("str", doc["kind"]))
    booking_id, sequence = cast("str", doc["booking"]), cast("int", doc["sequence"])
    at, intent_id = from_us(cast("int", doc["at_us"])), cast("str | None", doc.get("intent"))
    if kind is BookingConfirmed:
        amount = Money(cast("int", doc["amount"]), cast("str", doc["currency"]))
        return BookingConfirmed(
            booking_id=booking_id, sequence=sequence, at=at, payment_intent_id=intent_id, amount=amount
        )
    if kind is PaymentFailed:
        code, decline_code = cast("str", doc["code"]), cast("str | None", doc["decline_code"])
        return PaymentFailed(
            booking_id=booking_id,
            sequence=sequence,
            at=at,
            payment_intent_id=intent_id,
            error_code=code,
            decline_code=decline_code,
        )
    if kind is PaymentNeedsReview:
        return PaymentNeedsReview(
            booking_id=booking_id,
            sequence=sequence,
            at=at,
            payment_intent_id=intent_id,
            reason=cast("str", doc["reason"]),
            amount_minor=cast("int", doc["amount"]),
            currency=cast("str", doc["currency"]),
        )
    raise UnreadableLedger(f"a ledger with an unknown announcement {doc['kind']!r:.40}")
