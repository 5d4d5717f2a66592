"""Lists, pages, filters, and the search language as far as it is used for payment intents and customers."""

from __future__ import annotations

import base64
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from airport_payments.testing.fake_stripe.constants import DEFAULT_PAGE, EVENT_LIFETIME, MAX_EVENT_TYPES, MAX_PAGE
from airport_payments.testing.fake_stripe.errors import invalid_request, no_such, parameter_missing
from airport_payments.testing.fake_stripe.events import type_matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.json_types import Obj

# Parameters that are compared with the field of the same name.
_SAME_FIELD: Final = (
    "customer", "charge", "payment_intent", "type", "source", "currency", "transfer_group", "email",
    "allow_redisplay",
)  # fmt: skip
COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


def listed(call: Call, kind: str, url: str, params: Obj) -> Obj:
    """Answer a GET on a collection: newest first, one page."""
    limit = checked_limit(params)
    _check_exclusive(params)
    newest_first = reversed(call.books.objects[kind].values())
    matching: Iterable[Obj] = (obj for obj in newest_first if _matches(call, obj, params))
    if "ending_before" in params:
        page, more = _page_before(call, kind, matching, params["ending_before"], limit)
    else:
        if "starting_after" in params:
            matching = _after(call, kind, matching, params["starting_after"])
        page = list(islice(matching, limit + 1))
        more, page = len(page) > limit, page[:limit]
    return {"object": "list", "data": page, "has_more": more, "url": url}


def _check_exclusive(params: Obj) -> None:
    for names in (("starting_after", "ending_before"), ("type", "types")):
        if all(name in params for name in names):
            raise invalid_request(f"You may only specify one of these parameters: {', '.join(names)}.", param=names[0])
    if len(params.get("types", ())) > MAX_EVENT_TYPES:
        raise invalid_request(f"You may specify up to {MAX_EVENT_TYPES} types.", param="types")


def checked_limit(params: Obj) -> int:
    """Return the page's size.

    Raises:
        StripeRefusal: If it is not between 1 and 100.
    """
    limit: int = params.get("limit", DEFAULT_PAGE)
    if not 1 <= limit <= MAX_PAGE:
        problem = "greater than or equal to 1" if limit < 1 else f"less than or equal to {MAX_PAGE}"
        raise invalid_request(
            f"This value must be {problem} (limit currently is {limit}).",
            code="parameter_invalid_integer",
            param="limit",
        )
    return limit


def _page_before(call: Call, kind: str, matching: Iterable[Obj], cursor: str, limit: int) -> tuple[list[Obj], bool]:
    _known(call, kind, cursor, "ending_before")
    newer: list[Obj] = []
    created = call.books.objects[kind][cursor]["created"]
    for obj in matching:
        if obj["id"] == cursor or obj["created"] < created:
            break
        newer.append(obj)
    return newer[-limit:], len(newer) > limit


def _after(call: Call, kind: str, matching: Iterable[Obj], cursor: str) -> Iterable[Obj]:
    """Skip to behind the cursor, which need not match the filter itself."""
    _known(call, kind, cursor, "starting_after")
    order = {object_id: index for index, object_id in enumerate(call.books.objects[kind])}
    return (obj for obj in matching if order[obj["id"]] < order[cursor])


def _known(call: Call, kind: str, cursor: str, param: str) -> None:
    if cursor not in call.books.objects[kind]:
        raise no_such(kind, cursor, param, in_url=False)


def _matches(call: Call, obj: Obj, params: Obj) -> bool:
    if any(name in params and obj.get(name) != params[name] for name in _SAME_FIELD if name != "type"):
        return False
    if "created" in params and not _in_range(obj["created"], params["created"]):
        return False
    if obj["object"] == "event":
        return _event_matches(call, obj, params)
    return "type" not in params or obj.get("type") == params["type"]


def _in_range(value: int, wanted: int | dict[str, int]) -> bool:
    if isinstance(wanted, int):
        return value == wanted
    return all(COMPARISONS[name](value, bound) for name, bound in wanted.items())


def _event_matches(call: Call, event: Obj, params: Obj) -> bool:
    if event["created"] < call.now - EVENT_LIFETIME:
        return False
    wanted = [params["type"]] if "type" in params else params.get("types")
    if wanted is not None and not any(type_matches(event["type"], pattern) for pattern in wanted):
        return False
    if "delivery_success" not in params:
        return True
    # "Only events that were not delivered to all endpoints" for false (docs.stripe.com/api/events/list).
    delivered = not event["pending_webhooks"]
    return delivered if params["delivery_success"] else not delivered


_CLAUSE: Final = re.compile(
    r"""\s*(?P<negated>-)?
    (?:metadata\[(?P<q>['"])(?P<key>[^'"]{1,40})(?P=q)\]|(?P<field>[a-z_]{1,40}))
    \s*(?P<operator>:|>=|<=|>|<)\s*
    (?:(?P<q2>['"])(?P<text>(?:\\.|(?!(?P=q2)).){0,500})(?P=q2)|(?P<number>-?\d{1,20})|(?P<null>null))\s*""",
    re.VERBOSE,
)
_SEARCHABLE: Final = frozenset({"status", "amount", "currency", "customer", "created"})
_MAX_CLAUSES: Final = 10  # docs.stripe.com/search


def searched(call: Call, kind: str, url: str, params: Obj) -> Obj:
    """Answer a search. The fake's index is never behind; Stripe's may be, up to an hour."""
    if "query" not in params:
        raise parameter_missing("query")
    limit = checked_limit(params)
    tests = _parsed(params["query"])
    start = _page_start(params["page"]) if "page" in params else 0
    newest_first = reversed(call.books.objects[kind].values())
    found = (obj for obj in newest_first if not obj.get("deleted") and all(test(obj) for test in tests))
    page = list(islice(found, start, start + limit + 1))
    more = len(page) > limit
    following = base64.urlsafe_b64encode(str(start + limit).encode()).decode() if more else None
    return {"object": "search_result", "data": page[:limit], "has_more": more, "next_page": following, "url": url}


def _page_start(page: str) -> int:
    try:
        return max(0, int(base64.urlsafe_b64decode(page.encode())[:12]))
    except ValueError:
        raise invalid_request("Invalid page token.", param="page") from None


def _parsed(query: str) -> list[Callable[[Obj], bool]]:
    tests: list[Callable[[Obj], bool]] = []
    position, joint = 0, None
    for _ in range(_MAX_CLAUSES):
        match = _CLAUSE.match(query, position)
        if match is None:
            break
        tests.append(_clause(match))
        position = match.end()
        word = re.compile(r"(AND|OR)\s", re.IGNORECASE).match(query, position)
        if word is None:
            break
        joint = joint or word[1].upper()
        if joint != word[1].upper():
            raise _bad_query("AND and OR cannot be combined")
        position = word.end()
    if not tests or query[position:].strip():
        raise _bad_query(f"at '{query[position : position + 40]}'")
    if joint == "OR":
        return [lambda obj: any(test(obj) for test in tests)]
    return tests


def _clause(match: re.Match[str]) -> Callable[[Obj], bool]:
    key, field, operator = match["key"], match["field"], match["operator"]
    if field is not None and field not in _SEARCHABLE:
        raise _bad_query(f"field `{field}` is not searchable here")
    wanted: Any = None
    if match["text"] is not None:
        wanted = re.sub(r"\\(.)", r"\1", match["text"])
    elif match["number"] is not None:
        wanted = int(match["number"])

    def holds(obj: Obj) -> bool:
        value = obj["metadata"].get(key) if field is None else obj[field]
        if operator == ":":
            return value == wanted or (wanted is not None and str(value) == str(wanted))
        names = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
        return isinstance(value, int) and isinstance(wanted, int) and COMPARISONS[names[operator]](value, wanted)

    if match["negated"]:
        return lambda obj: not holds(obj)
    return holds


def _bad_query(why: str) -> Exception:
    return invalid_request(
        f"We were unable to parse your search query: {why}. For more information see "
        "https://stripe.com/docs/search#search-query-language.",
        param="query",
    )
