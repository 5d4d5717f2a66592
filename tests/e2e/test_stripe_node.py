"""stripe-node works against the fake, and verifies the webhooks that the fake sends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import stripe

from airport_payments.testing import FakeStripe
from airport_payments.testing.fake_stripe import sign

pytestmark = [pytest.mark.e2e, pytest.mark.node]

SCRIPT = Path(__file__).parent / "node" / "client.cjs"


@pytest.fixture(scope="module")
def seen(node_modules):
    """Run the script once; return what it saw."""
    with FakeStripe(api_key="sk_test_node").serve() as server:
        environment = {"PATH": os.environ["PATH"], "NODE_PATH": str(node_modules), "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [shutil.which("node"), str(SCRIPT), server.url, "sk_test_node"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_lock_file_pins_hashes_and_names_no_host():
    lock = (SCRIPT.parent / "package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    assert "resolved" not in lock
    assert "://" not in lock
    assert all("integrity" in package for name, package in packages.items() if name)


def test_node_creates_and_confirms(seen):
    assert seen["paid"] == ["requires_payment_method", "succeeded", "b"]


def test_node_captures_a_part_once(seen):
    assert seen["captured"] == ["requires_capture", "succeeded", 3000, True]
    assert seen["replayed"] == "true"


def test_node_refunds_and_expands(seen):
    assert seen["refunded"] == ["succeeded", 1000, 3000, 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("declined", ["StripeCardError", "card_declined", "insufficient_funds", 402, "requires_payment_method"]),
        ("unexpected", ["StripeInvalidRequestError", "payment_intent_unexpected_state", None, 400, "succeeded"]),
        ("unknown", ["StripeInvalidRequestError", "parameter_unknown", None, 400, None]),
        ("mismatch", ["StripeIdempotencyError", None, None, 400, None]),
    ],
)
def test_node_reads_the_errors(seen, name, expected):
    assert list(seen[name].values()) == expected


def test_node_pages_and_searches(seen):
    assert seen["paged"] == [3, 3, True]
    assert seen["searched"] == [True]


def test_node_verifies_the_webhooks(seen):
    assert seen["webhooks"] == [True] * 4
    assert seen["refused"] == []


def test_node_and_the_fake_sign_alike(seen):
    payload, header = seen["header"]["payload"], seen["header"]["header"]
    assert sign(payload.encode(), "whsec_shared", 1700000000) == header
    stripe.WebhookSignature.verify_header(payload, header, "whsec_shared")
