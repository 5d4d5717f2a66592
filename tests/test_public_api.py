"""The public names: `__all__`, the imports for type checkers and the lazy table agree, and importing loads nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import airport_payments

SOURCE = ast.parse(Path(airport_payments.__file__).read_text())
HEAVY = ["stripe", "httpx", "pydantic", "sqlalchemy", "requests", "fastapi", "flask"]


def imports_for_type_checkers() -> dict[str, str]:
    (block,) = [n for n in SOURCE.body if isinstance(n, ast.If)]
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    return {
        alias.asname or alias.name: node.module.removeprefix("airport_payments.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_lazy_table_and_the_imports_for_type_checkers_agree() -> None:
    assert imports_for_type_checkers() == airport_payments._MODULE_OF


def test_all_is_the_table_and_the_version() -> None:
    assert set(airport_payments.__all__) == {"__version__", *airport_payments._MODULE_OF}
    assert len(airport_payments.__all__) == len(set(airport_payments.__all__))
    assert sorted(dir(airport_payments)) == sorted(airport_payments.__all__)


@pytest.mark.parametrize("name", airport_payments.__all__)
def test_every_public_name_is_there_and_documented(name) -> None:
    value = getattr(airport_payments, name)
    assert name == "__version__" or value.__doc__
    if name != "__version__":
        assert value.__module__.startswith("airport_payments.")


def test_another_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = airport_payments.Nonsense


def loaded_by(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return set(out.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import airport_payments",
        "from airport_payments import Booking, Money, PaymentGateway, AsyncPaymentGateway, StripeSettings, BookingConfirmed",
        # All but the endpoints, whose bodies pydantic reads.
        "import airport_payments as a; [getattr(a, n) for n in a.__all__ if not n.endswith('Endpoints')]",
        "from airport_payments.storage.memory import MemoryBookingRepository",
    ],
)
def test_importing_the_package_and_its_names_loads_nothing_heavy(statement) -> None:
    assert not loaded_by(statement) & set(HEAVY)


def test_building_a_gateway_loads_neither_stripe_nor_httpx() -> None:
    statement = (
        "import airport_payments as a\n"
        "from airport_payments.storage.memory import MemoryBookingRepository\n"
        "a.PaymentGateway(MemoryBookingRepository(), a.StripeSettings('sk_test_0000', 'whsec_00000000')).close()"
    )
    assert not loaded_by(statement) & set(HEAVY)
