"""The public names are the same for Python, for type checkers and for readers."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import airport_payments

from .repository import ROOT, tree_of

USER = Path(__file__).parent / "user.py"


def _imports_for_type_checkers() -> dict[str, str]:
    tree = tree_of(ROOT / "src" / "airport_payments" / "__init__.py")
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {(alias.asname or alias.name): node.module for node in block.body for alias in node.names}


def test_names_are_the_same_at_run_time_and_for_type_checkers():
    imported = _imports_for_type_checkers()
    assert set(airport_payments.__all__) == {*imported, "__version__"}
    for name, module in imported.items():
        assert getattr(airport_payments, name) is getattr(import_module(module), name), name


def test_every_error_of_the_reference_can_be_imported():
    table = (ROOT / "docs" / "reference" / "errors.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert len(listed) > 20
    assert set(listed) <= set(airport_payments.__all__)


def test_no_public_name_is_listed_twice():
    assert len(airport_payments.__all__) == len(set(airport_payments.__all__))
    assert set(dir(airport_payments)) == set(airport_payments.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = airport_payments.nothing_of_that_name


@pytest.mark.e2e
@pytest.mark.thorough
def test_a_users_code_passes_strict_mypy(tmp_path):
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path), str(USER)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.e2e
def test_a_users_code_passes_strict_pyright(tmp_path):
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict", "include": ["user.py"]}))
    (tmp_path / "user.py").write_text(USER.read_text())
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
