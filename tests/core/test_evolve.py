"""`quick` and `replace` do what dataclasses would do, only faster."""

import copy
import dataclasses
import inspect
from dataclasses import dataclass

import pytest

from airport_payments.core.evolve import quick, replace


@dataclass(frozen=True, slots=True)
class Plain:
    a: int
    b: str = "b"
    c: tuple[int, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    a: int
    b: str = "b"
    c: tuple[int, ...] = ()


def test_a_quick_class_is_built_like_a_plain_one() -> None:
    for args, kwargs in [((1,), {}), ((1, "x"), {"c": (2,)}), ((), {"c": (3,), "a": 1})]:
        assert dataclasses.astuple(Quick(*args, **kwargs)) == dataclasses.astuple(Plain(*args, **kwargs))
    for args, kwargs in [((), {}), ((1, "x", (), 4), {}), ((1,), {"a": 2}), ((1,), {"d": 2})]:
        with pytest.raises(TypeError, match=r"__init__\(\)"):
            Quick(*args, **kwargs)
    assert inspect.signature(Quick) == inspect.signature(Plain)


def test_a_quick_class_stays_frozen_and_compares_by_value() -> None:
    value = Quick(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.a = 2
    assert value == Quick(1) != Quick(2)
    assert hash(value) == hash(Quick(1))
    assert copy.copy(value) == value
    assert dataclasses.replace(value, a=5) == Quick(5)


def test_a_copy_has_the_changes_and_the_original_has_not() -> None:
    value = Quick(1, "x")
    assert replace(value, a=2, c=(1,)) == Quick(2, "x", (1,))
    assert value == Quick(1, "x")
    with pytest.raises(KeyError):
        replace(value, d=1)


def test_a_class_whose_init_does_more_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Checked:
        a: int

        def __post_init__(self) -> None:
            """Check."""

    @dataclass(frozen=True, slots=True)
    class Made:
        a: list[int] = dataclasses.field(default_factory=list)

    for kind in (Checked, Made):
        with pytest.raises(TypeError, match=kind.__name__):
            quick(kind)
    with pytest.raises(TypeError, match="Checked"):
        replace(Checked(1), a=2)
