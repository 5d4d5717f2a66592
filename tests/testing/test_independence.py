"""The fake judges the library, so it shares nothing with it; and importing it is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from airport_payments import testing
from airport_payments.testing import fake_stripe

OWN = "airport_payments.testing.fake_stripe"
ALLOWED = {"httpx"} | set(sys.stdlib_module_names)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_the_fake_imports_only_itself_httpx_and_the_standard_library():
    for path in Path(fake_stripe.__file__).parent.glob("*.py"):
        for name in imports(path):
            assert name.startswith(OWN) or name.partition(".")[0] in ALLOWED, (path.name, name)


def test_importing_testing_loads_nothing_and_the_fake_loads_no_stripe():
    heavy = "{'stripe', 'pydantic', 'sqlalchemy'} & set(sys.modules)"
    code = f"import sys, airport_payments.testing as t; assert 'httpx' not in sys.modules; t.FakeStripe; assert not {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_all_names_resolve():
    for module in (testing, fake_stripe):
        for name in module.__all__:
            assert getattr(module, name)
