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

FOLDER = Path(__file__).parent / "node"


def run(script, node_modules):
    """Run a script against a new fake; return what it saw."""
    with FakeStripe(api_key="sk_test_node").serve() as server:
        environment = {"PATH": os.environ["PATH"], "NODE_PATH": str(node_modules), "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [shutil.which("node"), str(FOLDER / script), server.url, "sk_test_node"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def seen(node_modules):
    """What the script for the time up to a payment saw."""
    return run("client.cjs", node_modules)


@pytest.fixture(scope="module")
def after(node_modules):
    """What the script for the time after it saw."""
    return run("money.cjs", node_modules)


def test_the_lock_file_pins_hashes_and_names_no_host():
    lock = (FOLDER / "package-lock.json").read_text()
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


REFUSED = "StripeInvalidRequestError"


def test_node_refunds_in_parts_and_reads_what_is_refused(after):
    assert after["refunds"] == {
        "paged": True,
        "metadata": {"checked": "yes"},
        "pending": ["pending", "processing"],
        "tooMuch": [REFUSED, None, 400],
        "rest": 800,
        "again": [REFUSED, "charge_already_refunded", 400],
        "cancel": [REFUSED, None, 400],
        "uncaptured": [REFUSED, None, 400],
    }


def test_node_answers_and_closes_disputes(after):
    opened = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert after["disputes"] == {
        "statuses": ["needs_response", "under_review", "lost"],
        "money": [-2000],
        "refused": [REFUSED, "charge_disputed", 400],
        "closedTwice": [REFUSED, None, 400],
        "paged": 3,
        "types": [*opened, "charge.dispute.updated", "charge.dispute.closed", *opened, *opened],
    }


def test_node_captures_less_and_releases(after):
    assert after["captures"] == {
        "held": ["requires_capture", 2000],
        "captured": ["succeeded", 1500],
        "released": ["canceled", 0],
        "tooMuch": [REFUSED, "amount_too_large", 400],
        "twice": [REFUSED, "payment_intent_unexpected_state", 400],
    }


def test_node_charges_a_saved_card_off_session(after):
    away = ["StripeCardError", "authentication_required", 402]
    assert after["customers"] == {"listed": [True], "away": away, "deleted": True}


def test_node_reads_thin_events(after):
    assert after["thin"] == [3, "v1.charge.dispute.created", "charge.dispute.created", True]


def test_node_works_on_behalf_of_other_accounts(after):
    assert after["accounts"] == [True, [REFUSED, "resource_missing", 404]]
