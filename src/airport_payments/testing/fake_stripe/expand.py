"""`expand[]`: ids replaced by their objects, in copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from airport_payments.testing.fake_stripe.constants import MAX_EXPAND_DEPTH
from airport_payments.testing.fake_stripe.errors import invalid_request
from airport_payments.testing.fake_stripe.json_types import clone

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Books
    from airport_payments.testing.fake_stripe.json_types import Obj

# Which fields hold ids of what; a balance transaction's source may be several things.
_EXPANDABLE: Final = {
    "payment_intent": {
        "latest_charge": "charge", "payment_method": "payment_method", "customer": "customer",
        "on_behalf_of": "", "application": "", "review": "",
    },
    "charge": {
        "balance_transaction": "balance_transaction", "customer": "customer", "payment_intent": "payment_intent",
        "failure_balance_transaction": "balance_transaction", "application_fee": "", "review": "",
    },
    "refund": {
        "charge": "charge", "payment_intent": "payment_intent", "balance_transaction": "balance_transaction",
        "failure_balance_transaction": "balance_transaction", "payment_method": "payment_method",
    },
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "payment_method": {"customer": "customer"},
    "balance_transaction": {"source": ""},
    "customer": {"default_source": "", "test_clock": ""},
}  # fmt: skip
_BY_PREFIX: Final = {
    "pi": "payment_intent", "ch": "charge", "re": "refund", "du": "dispute", "cus": "customer",
    "pm": "payment_method", "txn": "balance_transaction",
}  # fmt: skip
# Lists that only appear when asked for, and of what they are.
_INCLUDABLE: Final = {("charge", "refunds"): "refund"}


def check(kind: str, paths: list[str], *, listing: bool) -> None:
    """Refuse paths that lead nowhere, before anything is executed.

    Args:
        kind: The kind of the answer, or of its items.
        paths: As given in `expand[]`.
        listing: Whether the answer is a list.

    Raises:
        StripeRefusal: If a path is not expandable, or too deep.
    """
    for path in paths:
        parts = path.split(".")
        if len([part for part in parts if part != "data"]) > MAX_EXPAND_DEPTH:
            raise invalid_request(
                f"You cannot expand more than {MAX_EXPAND_DEPTH} levels of a property. Property: {path}",
                param="expand",
            )
        _walk(kind, parts, listing=listing)


def _walk(kind: str, parts: list[str], *, listing: bool) -> None:
    for name in parts:
        if listing and name == "data":
            listing = False
        elif not listing and (kind, name) in _INCLUDABLE:
            kind, listing = _INCLUDABLE[kind, name], True
        elif not listing and name in _EXPANDABLE.get(kind, {}):
            kind = _EXPANDABLE[kind][name]
        else:
            raise invalid_request(
                f"This property cannot be expanded ({name}). You may want to try expanding its parent property.",
                param="expand",
            )


def expanded(books: Books, answer: Obj, paths: list[str]) -> Obj:
    """Return a copy of the answer in which the named ids are objects. The paths were checked."""
    result: Obj = clone(answer)
    for path in paths:
        _expand(books, result, path.split("."))
    return result


def _expand(books: Books, obj: Any, parts: list[str]) -> None:  # noqa: ANN401
    if not parts or not isinstance(obj, dict):
        return
    here = cast("Obj", obj)
    name, rest = parts[0], parts[1:]
    if name == "data":
        for item in here["data"]:
            _expand(books, item, rest)
        return
    if (here.get("object", ""), name) in _INCLUDABLE:
        here[name] = _refunds_of(books, here["id"])
    elif isinstance(here.get(name), str):
        here[name] = _found(books, here[name])
    _expand(books, here.get(name), rest)


def _found(books: Books, object_id: str) -> Any:  # noqa: ANN401
    kind = _BY_PREFIX.get(object_id.partition("_")[0])
    found = books.objects[kind].get(object_id) if kind else None
    return object_id if found is None else clone(found)


def _refunds_of(books: Books, charge_id: str) -> Obj:
    data = [clone(refund) for refund in reversed(books.objects["refund"].values()) if refund["charge"] == charge_id]
    # "The 10 most recent refunds" (docs.stripe.com/api/refunds/list).
    return {"object": "list", "data": data[:10], "has_more": len(data) > 10, "url": f"/v1/charges/{charge_id}/refunds"}
