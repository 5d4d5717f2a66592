"""The Django example, copied into a project as its page says: alone, without the stand-ins, with a login of one's own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .repository import ROOT

pytestmark = pytest.mark.e2e

LOGIN = """
def login(token: str) -> str:
    if token != "alices":
        raise Unauthorized
    return "alice"

"""
ASK = """
import django
django.setup()
from django.test import Client
from shop.models import Booking
Booking.objects.create(id="b-1", owner="alice", amount_minor=45099, currency="usd")
asked = Client(SERVER_NAME="localhost")
for token in ("alices", "bobs"):
    print(asked.get("/payment/status/b-1", headers={"authorization": f"Bearer {token}"}).content.decode())
print(asked.get("/elsewhere").content.decode())
"""


def _edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text, (path.name, old)
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def _python(folder: Path, *arguments: str) -> str:
    variables = {
        **{name: value for name, value in os.environ.items() if name not in {"JWT_SECRET", "DATABASE_URL"}},
        "DJANGO_SECRET_KEY": "only for tests",
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "STRIPE_SECRET_KEY": "sk_test_0123",
        "STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef",
    }
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_copy_of_the_django_example_needs_nothing_of_the_other_examples(tmp_path) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(ROOT / "examples/django_app", shop, ignore=shutil.ignore_patterns("__pycache__", "standin.py"))
    _edit(shop / "urls.py", ("import standin, views", "import views"), ("    *standin.urlpatterns,\n", ""))
    _edit(
        shop / "payments.py",
        ("from .. import airport\n", ""),
        ("StripeSettings\n", "StripeSettings, Unauthorized\n"),
        ("tokens = airport.Tokens()\n", LOGIN),
        ("tokens.customer", "login"),
    )
    assert "Applying airport.0001_initial... OK" in _python(tmp_path, "-m", "shop.manage", "migrate")
    mine, bobs, elsewhere = _python(tmp_path, "-c", ASK).splitlines()
    assert '"bookingStatus":"pending"' in mine
    assert '"error_code":"unauthorized"' in bobs
    assert '"error_code":"not_found"' in elsewhere
