"""JSON as types, and the two things done with it everywhere: copying and comparing."""

from __future__ import annotations

from typing import Any, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"

# Inside the package objects are built and read field by field; a precise type for each of Stripe's
# objects would be a second copy of stripe-python's. The tests check them against Stripe's schemas instead.
Obj: TypeAlias = dict[str, Any]


def clone(value: Any) -> Any:  # noqa: ANN401
    """Copy a JSON value; several times faster than `copy.deepcopy`."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [clone(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def copied(obj: Obj) -> JsonObject:
    """Copy an object for a caller outside the package."""
    copy: JsonObject = clone(obj)
    return copy


def changed_attributes(before: Obj, after: Obj) -> Obj:
    """Say what `data.previous_attributes` of an event says: the old values of the fields that changed."""
    changes: Obj = {}
    for key, old in before.items():
        new = after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changes[key] = _changed_entries(old, new)  # pyright: ignore[reportUnknownArgumentType]
        else:
            changes[key] = clone(old)
    changes.update({key: None for key in after if key not in before})
    return changes


def _changed_entries(old: Obj, new: Obj) -> Obj:
    entries = {key: clone(value) for key, value in old.items() if new.get(key) != value}
    entries.update({key: None for key in new if key not in old})
    return entries
