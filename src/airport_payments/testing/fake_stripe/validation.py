"""Refuses and converts parameters as Stripe does, by the request table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from airport_payments.testing.fake_stripe.constants import (
    METADATA_MAX_KEY_LENGTH,
    METADATA_MAX_KEYS,
    METADATA_MAX_VALUE_LENGTH,
)
from airport_payments.testing.fake_stripe.errors import (
    StripeRefusal,
    invalid_request,
    parameter_missing,
    parameters_unknown,
)
from airport_payments.testing.fake_stripe.forms import guessed, is_position
from airport_payments.testing.fake_stripe.request_table import BROWSER_ONLY, ENDPOINTS, REQUIRED, SHARED
from airport_payments.testing.fake_stripe.strangers import check_strangers

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.forms import Param, Params
    from airport_payments.testing.fake_stripe.json_types import Obj
    from airport_payments.testing.fake_stripe.request_table import ParamType

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}\Z")
_BOOLEANS: Final = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
DEFAULT_MAX_LENGTH: Final = 5000
_NOT_IN_DESCRIPTORS: Final = "<>\\'\"*"
_EMAIL: Final = re.compile(r"[^@\s]{1,255}@[^@\s.]{1,63}(?:\.[^@\s.]{1,63}){1,8}")


def checked(endpoint: str, given: Params, *, from_browser: bool = False) -> Obj:
    """Check and convert the parameters of a request.

    Raises:
        StripeRefusal: If one is unknown, missing, or not of its type.
    """
    fields = ENDPOINTS[endpoint]
    method = endpoint.partition(" ")[0]
    if from_browser:
        fields = {**fields, **BROWSER_ONLY}
    unknown = [name for name in given if name not in fields]
    if unknown:
        raise parameters_unknown(unknown)
    for name in REQUIRED.get(endpoint, ()):
        if name not in given:
            raise parameter_missing(name)
    typed = {name: _checked(value, fields[name], name) for name, value in given.items()}
    check_strangers(endpoint, typed)
    if "metadata" in typed:
        check_metadata(typed["metadata"])
    for name in ("statement_descriptor", "statement_descriptor_suffix"):
        if typed.get(name):
            _check_descriptor(typed[name], name)
    for name in ("email", "receipt_email"):
        if typed.get(name) and method != "GET":
            _check_email(typed[name], name)
    return typed


def _check_descriptor(text: str, name: str) -> None:
    """Refuse what no card statement can show (docs.stripe.com/get-started/account/statement-descriptors)."""
    for character in text:
        if character in _NOT_IN_DESCRIPTORS:
            raise invalid_request(f"The statement descriptor cannot include {character}.", param=name)
    if not re.search("[A-Za-z]", text):
        raise invalid_request("The statement descriptor must contain at least one Latin character.", param=name)


def _check_email(text: str, name: str) -> None:
    """Refuse what is no address. How strict Stripe is, is not known; this finds what is plainly none."""
    if not _EMAIL.fullmatch(text):
        raise invalid_request(f"Invalid email address: {text[:100]}", code="email_invalid", param=name)


def check_metadata(metadata: Obj | str) -> None:
    """Refuse metadata beyond Stripe's limits on one key or value; the number of keys is checked when merging."""
    if isinstance(metadata, str):
        return
    for key, value in metadata.items():
        if len(key) > METADATA_MAX_KEY_LENGTH:
            raise invalid_request(
                f"Metadata keys can have up to {METADATA_MAX_KEY_LENGTH} characters, but you passed in a key that "
                f"is {len(key)} characters. Invalid key: {key}",
                param="metadata",
            )
        if len(value) > METADATA_MAX_VALUE_LENGTH:
            raise invalid_request(
                f"Metadata values can have up to {METADATA_MAX_VALUE_LENGTH} characters, but you passed in a value "
                f"that is {len(value)} characters. Invalid value: {value}",
                param=f"metadata[{key}]",
            )


def merged_metadata(current: dict[str, str], given: Obj | str) -> dict[str, str]:
    """Merge as Stripe does: an empty value removes its key, an empty string removes all.

    Raises:
        StripeRefusal: If there would be more than 50 keys.
    """
    if isinstance(given, str):
        return {}
    merged = {key: value for key, value in {**current, **given}.items() if value}
    if len(merged) > METADATA_MAX_KEYS:
        raise invalid_request(
            f"Metadata can have up to {METADATA_MAX_KEYS} keys, but you passed in {len(merged)} keys.",
            param="metadata",
        )
    return merged


def _checked(value: Param, kind: ParamType, name: str) -> Any:  # noqa: ANN401
    """Check one value: dispatches on the form of its type, see `request_table`."""
    if isinstance(kind, str):
        return _checked(value, SHARED[kind[1:]], name) if kind[0] == "@" else _scalar(value, kind, name)
    if isinstance(kind, list):
        return _word(value, kind, name)
    if "|" in kind:
        return _any_of(value, kind["|"], name)
    if "[]" in kind:
        return _list(value, kind["[]"], name)
    return _object(value, kind, name)


def _scalar(value: Param, kind: str, name: str) -> Any:  # noqa: ANN401
    if kind == "any":
        return guessed(value)
    if not isinstance(value, str):
        raise invalid_request(f"Invalid {kind.partition('<')[0]}: {name} must not be an object or a list", param=name)
    if not value and kind != "boolean":
        raise invalid_request(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
            f"parameter; however '{name}' cannot be unset. You should remove '{name}' from your request or "
            "supply a non-empty value.",
            code="parameter_invalid_empty",
            param=name,
        )
    if kind == "integer":
        if not _INTEGER.match(value):
            raise invalid_request(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
        return int(value)
    if kind == "boolean":
        if value not in _BOOLEANS:
            raise invalid_request(f"Invalid boolean: {value}", param=name)
        return _BOOLEANS[value]
    return _string(value, kind, name)


def _string(value: str, kind: str, name: str) -> str:
    if kind == "text":
        return value
    longest = int(kind.partition("<")[2] or DEFAULT_MAX_LENGTH)
    if len(value) > longest:
        shown = value if len(value) <= 40 else f"{value[:18]}...{value[-18:]}"
        raise invalid_request(f"Invalid string: {shown}; must be at most {longest} characters", param=name)
    return value


def _word(value: Param, words: list[str], name: str) -> str:
    if isinstance(value, str) and value in words:
        return value
    shown = [word for word in words if word]
    listed = " or ".join(shown) if len(shown) < 3 else f"{', '.join(shown[:-1])}, or {shown[-1]}"
    raise invalid_request(
        f"Invalid {name}: must be one of {listed}" if len(shown) > 1 else f"Invalid {name}", param=name
    )


def _any_of(value: Param, kinds: list[ParamType], name: str) -> Any:  # noqa: ANN401
    first: StripeRefusal | None = None
    for kind in kinds:
        try:
            return _checked(value, kind, name)
        except StripeRefusal as refusal:
            first = first or refusal
    assert first is not None  # noqa: S101 - there is at least one kind
    raise first


def _list(value: Param, kind: ParamType, name: str) -> list[Any]:
    if isinstance(value, dict) and all(is_position(key) for key in value):
        return [_checked(value[key], kind, f"{name}[{key}]") for key in sorted(value, key=int)]
    raise invalid_request("Invalid array", param=name)


def _object(value: Param, kind: dict[str, Any], name: str) -> Obj:
    if not isinstance(value, dict):
        raise invalid_request("Invalid object", param=name)
    typed: Obj = {}
    unknown: list[str] = []
    for key, item in value.items():
        inner = kind.get(key) or kind.get(f"{key}!") or kind.get("*")
        if inner is None:
            unknown.append(f"{name}[{key}]")
        elif inner == "text" and "*" in kind:
            typed[key] = _metadata_value(item, f"{name}[{key}]")
        else:
            typed[key] = _checked(item, inner, f"{name}[{key}]")
    if unknown:
        raise parameters_unknown(unknown)
    for key in kind:
        if key.endswith("!") and key[:-1] not in value:
            raise parameter_missing(f"{name}[{key[:-1]}]")
    return typed


def _metadata_value(value: Param, name: str) -> str:
    """Take a value of a map of strings; there the empty string has a meaning."""
    if not isinstance(value, str):
        raise invalid_request("Invalid string: metadata values must be strings", param=name)
    return value
