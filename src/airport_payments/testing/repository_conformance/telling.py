"""How the suite tells what to change."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Final, cast

MONEY: Final = (
    "keep amounts as integers of minor units, or as NUMERIC that you convert with Decimal: a float is not exact"
)
ZONE: Final = "give times back aware and in UTC: `moment.astimezone(UTC)`, from a column that knows its zone"
ALL_OF_IT: Final = "give back exactly what was written: no column may cut, round, strip or change it"
_SHOWN: Final = 300


def must(holds: object, change: str, *, seen: object = None) -> None:
    """Fail unless `holds`, with what to change in the repository and what was seen of it."""
    __tracebackhide__ = True
    if not holds:
        shown = "" if seen is None else f"\n  seen: {_short(seen)}"
        raise AssertionError(f"{change}{shown}")


def same(found: object, wanted: object, change: str) -> None:
    """Fail unless what was found is what was wanted, types and time zones too; say where it differs, and why that may be."""
    __tracebackhide__ = True
    difference = _difference(found, wanted, "")
    if difference is not None:
        where, why = difference
        hint = f"\n  probably: {why}" if why else ""
        raise AssertionError(f"{change}\n  {where}{hint}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _difference(found: object, wanted: object, at: str) -> tuple[str, str] | None:
    """Return where two values differ, and what may be the reason."""
    where = at.lstrip(".") or "the answer"
    if isinstance(found, datetime) and isinstance(wanted, datetime):
        return _other_time(found, wanted, where)
    if type(found) is not type(wanted):
        why = MONEY if isinstance(found, float) else ""
        return f"{where}: {_short(found)} instead of {_short(wanted)}", why
    if is_dataclass(wanted) and not isinstance(wanted, type):
        for field in fields(wanted):
            inner = _difference(getattr(found, field.name), getattr(wanted, field.name), f"{at}.{field.name}")
            if inner is not None:
                return inner
        return None
    if isinstance(wanted, list | tuple):
        items = cast("list[Sequence[object]]", [found, wanted])
        return _other_items(items[0], items[1], at, where)
    if found == wanted:
        return None
    why = MONEY if at.endswith("_minor") else ALL_OF_IT if isinstance(wanted, str) else ""
    return f"{where}: {_short(found)} instead of {_short(wanted)}", why


def _other_items(found: Sequence[object], wanted: Sequence[object], at: str, where: str) -> tuple[str, str] | None:
    if len(found) != len(wanted):
        return f"{where}: {len(found)} instead of {len(wanted)}: {_short(found)} instead of {_short(wanted)}", ""
    for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
        inner = _difference(one, other, f"{at}[{number}]")
        if inner is not None:
            return inner
    return None


def _other_time(found: datetime, wanted: datetime, where: str) -> tuple[str, str] | None:
    if found.utcoffset() != timedelta(0):
        return f"{where}: {found!r} instead of {wanted!r}", ZONE
    if found != wanted:
        return f"{where}: {found!r} instead of {wanted!r}", "a time has microseconds; keep all six digits"
    return None
