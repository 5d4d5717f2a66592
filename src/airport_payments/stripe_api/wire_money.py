"""Stripe's refunds, disputes, charges and customers in our words."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.errors import InvalidRequest
from airport_payments.core.facts import (
    DisputeObserved,
    DisputeView,
    RefundObserved,
    RefundsHinted,
    RefundView,
)
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState
from airport_payments.stripe_api.marks import META_NAMESPACE, META_OWNER, META_REFUND
from airport_payments.stripe_api.results import Unreadable
from airport_payments.stripe_api.wire import ObjectDict, read_object, read_page

_STATES: Final = {
    str(state): state for state in RefundState if state not in {RefundState.REQUESTED, RefundState.REFUSED}
}
_DISPUTES: Final = {str(status): status for status in DisputeStatus}
_ID: Final = re.compile(r"[a-z]{2,6}_[A-Za-z0-9_]{1,250}", re.ASCII)
# A time that datetime can hold.
_MAX_S: Final = 253_402_300_799

_View = TypeVar("_View")


@dataclass(frozen=True, slots=True)
class RefundPage:
    """One page of a list of refunds."""

    views: list[RefundView]
    has_more: bool


@dataclass(frozen=True, slots=True)
class ChargeView:
    """What is used of a charge: its PaymentIntent, None for none, and how much of it went back."""

    id: str
    intent_id: str | None
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class Belonging:
    """What cannot be read but for its id and whose it is: its PaymentIntent, empty for none."""

    id: str
    intent_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class CustomerView:
    """What is used of a customer: its id, and our marks in its metadata, None where they are missing."""

    id: str
    namespace: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """One page of a search for customers."""

    views: list[CustomerView]


def intent_id_of(obj: ObjectDict) -> str | None:
    """Return the PaymentIntent that a refund, a dispute or a charge belongs to, None for none."""
    found = obj.get("payment_intent")
    return found.get("id") if isinstance(found, dict) else found


def refund_view(obj: ObjectDict) -> RefundView:
    """Return a refund in our words. Raises `Unreadable` if a field that we rely on is missing or unknown."""
    # A refund of a method without statuses has a null (docs.stripe.com/api/refunds/object). A missing one says nothing.
    status = obj.get("status", "")
    state = RefundState.SUCCEEDED if status is None else _STATES.get(status)
    if state is None:
        raise Unreadable("a refund without a known status")
    metadata = obj.get("metadata") or {}
    return RefundView(
        _id(obj, "refund"),
        intent_id_of(obj),
        _money(obj, "refund"),
        state,
        metadata.get(META_NAMESPACE),
        metadata.get(META_REFUND),
        obj.get("failure_reason"),
    )


def dispute_view(obj: ObjectDict) -> DisputeView:
    """Return a dispute in our words. Raises `Unreadable` if a field that we rely on is missing or unknown."""
    status = _DISPUTES.get(obj.get("status") or "")
    if status is None:
        raise Unreadable("a dispute without a known status")
    due_s = (obj.get("evidence_details") or {}).get("due_by")
    due_by = datetime.fromtimestamp(due_s, UTC) if due_s is not None and 0 < due_s <= _MAX_S else None
    return DisputeView(
        _id(obj, "dispute"),
        intent_id_of(obj),
        _money(obj, "dispute"),
        status,
        obj.get("reason") or "general",
        due_by,
        obj.get("is_charge_refundable") is True,
    )


def aftermath_of(obj: ObjectDict, event_id: str, event_type: str) -> RefundObserved | RefundsHinted | DisputeObserved:
    """Return what an event's object says of collected money. Raises `Unreadable` if it is not to be read."""
    kind = obj.get("object")
    if kind == "refund":
        return RefundObserved(refund_view(obj), event_id, event_type)
    if kind == "dispute":
        return DisputeObserved(dispute_view(obj), event_id, event_type)
    if kind != "charge":
        raise Unreadable("an object that is no refund, dispute or charge")
    charge = charge_view(obj)
    return RefundsHinted(charge.intent_id or "", charge.refunded_minor, event_id, event_type)


def charge_view(obj: ObjectDict) -> ChargeView:
    """Return what is used of a charge. Raises `Unreadable` if it does not say how much of it went back."""
    refunded = obj.get("amount_refunded")
    if refunded is None:
        raise Unreadable("a charge without amount_refunded")
    return ChargeView(obj.get("id", ""), intent_id_of(obj), refunded)


def _id(obj: ObjectDict, what: str) -> str:
    found = obj.get("id")
    if found is None or not _ID.fullmatch(found):
        raise Unreadable(f"a {what} without a proper id")
    return found


def _money(obj: ObjectDict, what: str) -> Money:
    amount, currency = obj.get("amount"), obj.get("currency")
    if amount is None or currency is None:
        raise Unreadable(f"a {what} without an amount")
    try:
        return Money(amount, currency)
    except InvalidRequest as error:
        raise Unreadable(f"a {what} with an amount that is none ({error})") from None


def read_refund(body: str | bytes) -> RefundView:
    """Return the refund that an answer holds. Raises `Unreadable`, or `ValueError` if it is no JSON."""
    return refund_view(read_object(body))


def read_anyones_refund(body: str | bytes) -> RefundView | Belonging:
    """Return the refund that an answer holds, which may be another application's. Raises as `read_refund` does."""
    return _anyones(refund_view, body)


def read_refund_page(body: str | bytes) -> RefundPage:
    """Return one page of a list of refunds. Raises as `read_refund` does."""
    page = read_page(body)
    return RefundPage([refund_view(obj) for obj in page.data], page.has_more)


def read_anyones_dispute(body: str | bytes) -> DisputeView | Belonging:
    """Return the dispute that an answer holds, which may be another application's. Raises as `read_refund` does."""
    return _anyones(dispute_view, body)


def read_anyones_charge(body: str | bytes) -> ChargeView | Belonging:
    """Return what is used of the charge that an answer holds. Raises as `read_refund` does."""
    return _anyones(charge_view, body)


def _anyones(view: Callable[[ObjectDict], _View], body: str | bytes) -> _View | Belonging:
    obj = read_object(body)
    try:
        return view(obj)
    except Unreadable as error:
        if "payment_intent" not in obj:
            raise
        return Belonging(obj.get("id", ""), intent_id_of(obj) or "", str(error))


def read_customer(body: str | bytes) -> CustomerView:
    """Return what is used of the customer that an answer holds. Raises as `read_refund` does."""
    return _customer(read_object(body))


def read_customers(body: str | bytes) -> CustomerPage:
    """Return a page of customers. Raises as `read_refund` does."""
    return CustomerPage([_customer(obj) for obj in read_page(body).data])


def _customer(obj: ObjectDict) -> CustomerView:
    marks = obj.get("metadata") or {}
    return CustomerView(_id(obj, "customer"), marks.get(META_NAMESPACE), marks.get(META_OWNER))
