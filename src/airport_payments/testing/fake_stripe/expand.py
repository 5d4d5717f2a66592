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
# Objects that only appear when asked for: a charge's list of refunds.
_INCLUDABLE: Final = frozenset({("charge", "refunds"), ("customer", "tax"), ("customer", "sources")})


def expanded(books: Books, answer: Obj, paths: list[str]) -> Obj:
    """Return a copy of the answer in which the named ids are objects.

    Raises:
        StripeRefusal: If a path is not expandable, or too deep.
    """
    result: Obj = clone(answer)
    for path in paths:
        parts = path.split(".")
        levels = [part for part in parts if part != "data"]
        if len(levels) > MAX_EXPAND_DEPTH:
            raise invalid_request(
                f"You cannot expand more than {MAX_EXPAND_DEPTH} levels of a property. Property: {path}",
                param="expand",
            )
        _expand(books, result, parts, path)
    return result


def _expand(books: Books, obj: Any, parts: list[str], path: str) -> None:  # noqa: ANN401
    if not parts or not isinstance(obj, dict):
        return
    here = cast("Obj", obj)
    name, rest = parts[0], parts[1:]
    if name == "data" and isinstance(here.get("data"), list):
        for item in here["data"]:
            _expand(books, item, rest, path)
        return
    kind = here.get("object", "")
    if (kind, name) in _INCLUDABLE:
        _include(books, here, name)
    elif name not in _EXPANDABLE.get(kind, {}):
        raise invalid_request(
            f"This property cannot be expanded ({name}). You may want to try expanding its parent property.",
            param="expand",
        )
    elif isinstance(here.get(name), str):
        here[name] = _found(books, here[name])
    _expand(books, here.get(name), rest, path)


def _found(books: Books, object_id: str) -> Any:  # noqa: ANN401
    kind = _BY_PREFIX.get(object_id.partition("_")[0])
    found = books.objects[kind].get(object_id) if kind else None
    return object_id if found is None else clone(found)


def _include(books: Books, obj: Obj, name: str) -> None:
    if name != "refunds":
        return
    data = [clone(refund) for refund in reversed(books.objects["refund"].values()) if refund["charge"] == obj["id"]]
    url = f"/v1/charges/{obj['id']}/refunds"
    obj["refunds"] = {"object": "list", "data": data[:10], "has_more": len(data) > 10, "url": url}
