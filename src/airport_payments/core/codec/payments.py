"""Payments, with their refunds and disputes, as documents and back."""

from typing import Any, Final, cast

from airport_payments.core.codec.parts import Doc, Json, from_us, maybe_us, to_us
from airport_payments.core.dispute import Dispute, DisputeStatus
from airport_payments.core.model import Failure, IntentStatus, Payment, PaymentState, Place, ReviewReason
from airport_payments.core.money import Money
from airport_payments.core.refund import Refund, RefundState


def dump_payment(p: Payment) -> Doc:
    """Return a payment as a document."""
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
    after = _after(p)
    if after:
        doc.update(after)
    return doc


def _after(p: Payment) -> Doc:
    """What happened to a payment's money after it was collected or held."""
    doc: Doc = {}
    if p.received_minor:
        doc["received"] = p.received_minor
    if p.refunds:
        doc["refunds"] = [_refund(r) for r in p.refunds]
    if p.refund_orders:
        doc["refund_orders"] = p.refund_orders
    if p.refunds_at is not None:
        doc["refunds_us"] = to_us(p.refunds_at)
    if p.refund_looks:
        doc["refund_looks"] = p.refund_looks
    if p.disputes:
        doc["disputes"] = [_dispute(d) for d in p.disputes]
    if p.capture_minor is not None:
        doc["capture"] = p.capture_minor
    if p.captures:
        doc["captures"] = p.captures
    if p.received_currency is not None:
        doc["received_currency"] = p.received_currency
    if p.confirms:
        doc["confirms"] = p.confirms
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


def load_payment(doc: Doc) -> Payment:
    """Return the payment of a document."""
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
        *(() if _AFTER.isdisjoint(doc) else _load_after(doc)),
    )


_AFTER: Final = frozenset(
    {
        "refunds",
        "refund_orders",
        "refunds_us",
        "refund_looks",
        "disputes",
        "capture",
        "captures",
        "received_currency",
        "confirms",
    }
)


def _load_after(doc: Doc) -> "tuple[Any, ...]":
    """Return the fields of a payment from `refunds` on."""
    get = doc.get
    return (
        tuple([_load_refund(cast("Doc", d)) for d in cast("list[Json]", get("refunds", []))]),
        get("refund_orders", 0),
        maybe_us(get("refunds_us")),
        get("refund_looks", 0),
        tuple([_load_dispute(cast("Doc", d)) for d in cast("list[Json]", get("disputes", []))]),
        get("capture"),
        get("captures", 0),
        get("received_currency"),
        get("confirms", 0),
    )


def _refund(r: Refund) -> Doc:
    doc: Doc = {"ref": r.ref, "amount": r.amount_minor, "state": r.state}
    if r.refund_id is not None:
        doc["id"] = r.refund_id
    if r.request is not None:
        doc["request"] = list(r.request)
    if r.failure is not None:
        doc["failure"] = r.failure
    if r.asked_at is not None:
        doc["asked_us"] = to_us(r.asked_at)
    return doc


def _load_refund(doc: Doc) -> Refund:
    get = doc.get
    request = cast("list[str] | None", get("request"))
    return Refund(
        cast("str", doc["ref"]),
        cast("int", doc["amount"]),
        RefundState(cast("str", doc["state"])),
        cast("str | None", get("id")),
        (request[0], request[1]) if request else None,
        cast("str | None", get("failure")),
        maybe_us(get("asked_us")),
    )


def _dispute(d: Dispute) -> Doc:
    doc: Doc = {
        "id": d.dispute_id,
        "amount": d.amount_minor,
        "currency": d.currency,
        "status": d.status,
        "reason": d.reason,
    }
    if d.due_by is not None:
        doc["due_us"] = to_us(d.due_by)
    for name, value in (("refundable", d.refundable), ("withdrawn", d.withdrawn), ("reinstated", d.reinstated)):
        if value:
            doc[name] = True
    return doc


def _load_dispute(doc: Doc) -> Dispute:
    get = doc.get
    return Dispute(
        cast("str", doc["id"]),
        cast("int", doc["amount"]),
        cast("str", doc["currency"]),
        DisputeStatus(cast("str", doc["status"])),
        cast("str", doc["reason"]),
        maybe_us(get("due_us")),
        bool(get("refundable")),
        bool(get("withdrawn")),
        bool(get("reinstated")),
    )
