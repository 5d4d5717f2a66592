"""The shape of an answer: which fields of which kinds it has, and where it is not as Stripe's schemas say. Never a value."""

from __future__ import annotations

import json
from functools import cache

from tests.testing.schemas import KINDS, validator

# What a caller names freely.
_FREE = {"metadata"}
_MAX_DEPTH = 12
_KIND = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "list",
    dict: "object",
}


def shape_of(body: object, *, items: bool = True) -> dict[str, frozenset[str]]:
    """Return path and kinds of each field. The elements of a list are taken together, as `data[]`.

    Args:
        body: an answer's body.
        items: whether to go into the elements of a list of Stripe's.
    """
    found: dict[str, set[str]] = {}
    _walk(body, "", found, items=items, depth=0)
    return {path: frozenset(kinds) for path, kinds in found.items()}


def _walk(value: object, path: str, found: dict[str, set[str]], *, items: bool, depth: int) -> None:
    if path:
        found.setdefault(path, set()).add(_KIND[type(value)])
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            below = f"{path}.{name}" if path else name
            if name in _FREE:
                found.setdefault(below, set()).add(_KIND[type(inner)])
            elif items or name != "data":
                _walk(inner, below, found, items=items, depth=depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, f"{path}[]", found, items=items, depth=depth + 1)


def schema_problems(body: object, api_version: str) -> list[str]:
    """Return where a body breaks Stripe's schema: which field, and which word of the schema.

    Args:
        body: an answer's body.
        api_version: the version that was asked for. The object in an event of another version is not looked at.
    """
    if not isinstance(body, dict):
        return ["the body is no JSON object"]
    kind = "error" if "error" in body else body.get("object")
    if kind in {"list", "search_result"}:
        return [problem for item in body.get("data", []) for problem in schema_problems(item, api_version)]
    if body.get("deleted") is True:
        kind = f"deleted_{kind}"
    if kind not in {*KINDS, "error", "deleted_customer"}:
        return []
    problems = list(_problems(kind, json.dumps(body, sort_keys=True)))
    inner = body.get("data", {}).get("object") if kind == "event" else None
    if isinstance(inner, dict) and body.get("api_version") == api_version and inner.get("object") in KINDS:
        problems += schema_problems(inner, api_version)
    return problems


@cache
def _problems(kind: str, text: str) -> tuple[str, ...]:
    errors = validator(kind).iter_errors(json.loads(text))
    return tuple(sorted({f"{kind} {_place(error)} ({error.validator})" for error in errors}))


def _place(error: object) -> str:
    place = ".".join(str(part) for part in error.absolute_path if not isinstance(part, int))
    if error.validator != "required":
        return place or "itself"
    missing = [name for name in error.validator_value if name not in error.instance]
    return ".".join(filter(None, (place, "+".join(missing))))
