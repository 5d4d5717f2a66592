"""Stripe's form encoding: `a[b][c]=1`, `a[]=1`, `a[0][b]=1`, decoded to nested values."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qsl

from airport_payments.testing.fake_stripe.constants import MAX_PARAM_DEPTH, MAX_PARAMS
from airport_payments.testing.fake_stripe.errors import invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping

Param: TypeAlias = "str | list[Param] | dict[str, Param]"
Params: TypeAlias = "dict[str, Param]"

_NAME: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")


def decode_form(text: str) -> Params:
    """Decode a query string or a form body. Arrays come out as mappings from position to value.

    Raises:
        StripeRefusal: If the text is not a form, or beyond the fake's bounds.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMS, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise invalid_request("Invalid form-encoded parameters.") from error
    root: Params = {}
    for name, value in pairs:
        _put(root, _path(name), value)
    return root


def _path(name: str) -> list[str]:
    match = _NAME.match(name)
    if match is None:
        raise invalid_request(f"Invalid parameter name: {name[:100]}", param=name[:100])
    path = [match[1], *_PART.findall(match[2])]
    if len(path) > MAX_PARAM_DEPTH:
        raise invalid_request(f"Parameter nested too deeply: {name[:100]}", param=match[1])
    return path


def _put(root: Params, path: list[str], value: str) -> None:
    """Set one value. Arrays are kept as mappings of positions until all names were read."""
    here = root
    for part, following in pairwise(path):
        key = part or str(_position(here, following))
        inner = here.setdefault(key, {})
        if not isinstance(inner, dict):
            raise invalid_request(f"Invalid parameter: {path[0]} is both a value and an object", param=path[0])
        here = inner
    last = path[-1]
    here[last or str(len(here))] = value


def _position(array: Mapping[str, Param], following: str) -> int:
    """Find the element that `a[][b]` speaks of: the last, unless that has a `b` already."""
    if not array:
        return 0
    last = array.get(str(len(array) - 1))
    return len(array) if not isinstance(last, dict) or following in last else len(array) - 1


def guessed(value: Param) -> Param:
    """Turn positions into a list where all keys are numbers: for values whose type is not known."""
    if not isinstance(value, dict):
        return value
    items = {key: guessed(item) for key, item in value.items()}
    if items and all(is_position(key) for key in items):
        return [items[key] for key in sorted(items, key=int)]
    return items


def is_position(key: str) -> bool:
    """Say whether a key is an array's index."""
    return key.isascii() and key.isdecimal() and len(key) <= 4
