"""The async files are what the one table makes of the sync ones: neither colour can drift."""

import ast

import pytest
from tests.twins import SRC, TWINS, twin_of


@pytest.mark.parametrize(("twin", "original"), TWINS.items(), ids=TWINS)
def test_each_twin_is_what_the_table_makes_of_its_original(twin, original) -> None:
    assert (SRC / twin).read_text() == twin_of((SRC / original).read_text()), f"python -m tests.twins --write ({twin})"


@pytest.mark.parametrize(("twin", "original"), TWINS.items(), ids=TWINS)
def test_twins_offer_the_same_names_with_the_same_arguments(twin, original) -> None:
    def offered(path) -> set[tuple[str, str]]:
        tree = ast.parse((SRC / path).read_text())
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        return {(f.name, ",".join(a.arg for a in [*f.args.args, *f.args.kwonlyargs])) for f in functions}

    assert offered(twin) == offered(original)


@pytest.mark.parametrize(("twin", "original"), TWINS.items(), ids=TWINS)
def test_a_twin_awaits_and_its_original_does_not(twin, original) -> None:
    def awaits(path) -> int:
        return sum(isinstance(n, ast.Await) for n in ast.walk(ast.parse((SRC / path).read_text())))

    assert awaits(original) == 0
    assert awaits(twin) > 0


def test_every_pair_of_twins_in_the_source_is_held_by_the_table_or_differs_for_a_reason() -> None:
    # The storage has a table of its own (tests/storage/test_storage_twins.py), and waiting is what the two colours do not share.
    others = {"storage/sqlalchemy/repository_async.py", "storage/sqlalchemy/database_async.py", "waiting_async.py"}
    assert {str(p.relative_to(SRC)) for p in SRC.rglob("*_async.py")} == {*TWINS, *others}
