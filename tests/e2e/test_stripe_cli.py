"""Stripe's own CLI works against the fake: its fixtures run unchanged, and their events arrive signed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import stripe

from airport_payments.core.decide.route import HANDLED
from airport_payments.testing import FakeStripe

from .conftest import unavailable

pytestmark = [pytest.mark.e2e, pytest.mark.node]

KEY, SECRET = "sk_test_fake0123456789", "whsec_cli"
EVENTS = [
    "payment_intent.created",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.amount_capturable_updated",
    "payment_intent.requires_action",
    "payment_intent.processing",
    "charge.succeeded",
    "charge.failed",
    "charge.captured",
    "charge.refunded",
    "charge.refund.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "customer.created",
    "customer.updated",
    "customer.deleted",
    "payment_method.attached",
    "payment_method.detached",
]
FIXTURE = {
    "_meta": {"template_version": 0},
    "fixtures": [
        {
            "name": "held",
            "path": "/v1/payment_intents",
            "method": "post",
            "params": {
                "amount": 4999,
                "currency": "eur",
                "capture_method": "manual",
                "confirm": True,
                "payment_method": "pm_card_visa",
                "payment_method_types": ["card"],
                "metadata": {"booking": "b-1"},
            },
        },
        {
            "name": "captured",
            "path": "/v1/payment_intents/${held:id}/capture",
            "method": "post",
            "params": {"amount_to_capture": 3000},
        },
        {
            "name": "refund",
            "path": "/v1/refunds",
            "method": "post",
            "params": {"payment_intent": "${captured:id}", "amount": 1000},
        },
        {"name": "found", "path": "/v1/refunds/${refund:id}", "method": "get"},
    ],
}


@pytest.fixture(scope="module")
def cli(node_modules, tmp_path_factory):
    """Return a function that runs the CLI, with a home of its own."""
    # The lock file names the package with the binary for this platform only.
    binary = node_modules / "@stripe" / "cli-linux-x64" / "bin" / "stripe"
    if not binary.exists():
        unavailable("Stripe's CLI is locked for Linux on x64 only")
    home = tmp_path_factory.mktemp("stripe-cli")
    environment = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "PATH": os.environ["PATH"],
        "STRIPE_CLI_TELEMETRY_OPTOUT": "1",
        "STRIPE_API_KEY": KEY,
        # `trigger` asks for newer versions: let that end at a closed port of this machine.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }

    def run(server, *arguments):
        return subprocess.run(
            [str(binary), *arguments, "--api-base", server.url],
            env=environment,
            cwd=home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    run.home = Path(home)
    return run


class Inbox:
    """An HTTP server that believes only what Stripe's own library verifies."""

    def __init__(self):
        inbox = self
        self.types, self.refused = [], []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    event = stripe.Webhook.construct_event(body, self.headers["Stripe-Signature"], SECRET)
                    inbox.types.append(event.type)
                    self.send_response(200)
                except (ValueError, stripe.SignatureVerificationError) as error:
                    inbox.refused.append(error)
                    self.send_response(400)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhook"

    def wait_for(self, event_type):
        deadline = time.monotonic() + 10
        while event_type not in self.types and time.monotonic() < deadline:
            time.sleep(0.01)
        return event_type in self.types


@pytest.fixture
def inbox():
    inbox = Inbox()
    thread = threading.Thread(target=inbox.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield inbox
    inbox.server.shutdown()
    thread.join(5)
    inbox.server.server_close()
    assert not inbox.refused


@pytest.fixture
def fake(inbox):
    fake = FakeStripe(api_key=KEY)
    fake.send_webhooks_to(inbox.url, SECRET)
    return fake


@pytest.fixture
def server(fake):
    with fake.serve() as server:
        yield server


@pytest.mark.parametrize("event", EVENTS)
def test_trigger_makes_the_event_arrive(cli, server, inbox, fake, event):
    done = cli(server, "trigger", event)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Trigger succeeded" in done.stdout
    assert inbox.wait_for(event), (inbox.types, [request.path for request in fake.requests])
    assert {request.status for request in fake.requests} <= {200, 402}


def test_fixtures_run_from_a_file(cli, server, inbox, fake):
    path = cli.home / "fixture.json"
    path.write_text(json.dumps(FIXTURE))
    done = cli(server, "fixtures", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    (intent,) = fake.intents.values()
    (refund,) = fake.refunds.values()
    assert (intent["status"], intent["amount_received"], intent["metadata"]) == ("succeeded", 3000, {"booking": "b-1"})
    assert (refund["amount"], refund["payment_intent"]) == (1000, intent["id"])
    assert inbox.wait_for("charge.refunded")


def test_resource_commands_create_confirm_and_list(cli, server, inbox, fake):
    done = cli(
        server,
        "payment_intents",
        "create",
        "--amount=2000",
        "--currency=usd",
        "-d",
        "payment_method_types[]=card",
        "--idempotency=k1",
    )
    assert done.returncode == 0, done.stderr
    intent = json.loads(done.stdout)
    again = cli(
        server,
        "payment_intents",
        "create",
        "--amount=2000",
        "--currency=usd",
        "-d",
        "payment_method_types[]=card",
        "--idempotency=k1",
    )
    assert json.loads(again.stdout)["id"] == intent["id"]
    confirmed = cli(
        server, "payment_intents", "confirm", intent["id"], "--payment-method=pm_card_visa", "-e", "latest_charge"
    )
    assert json.loads(confirmed.stdout)["latest_charge"]["captured"] is True
    assert inbox.wait_for("payment_intent.succeeded")
    listed = json.loads(cli(server, "payment_intents", "list", "--limit=1").stdout)
    assert [item["status"] for item in listed["data"]] == ["succeeded"]
    found = cli(server, "payment_intents", "search", "--query=status:'succeeded'")
    assert [item["id"] for item in json.loads(found.stdout)["data"]] == [intent["id"]]


def test_resource_commands_capture_refund_and_settle_disputes(cli, server, inbox, fake):
    def command(*arguments):
        done = cli(server, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    new = ["payment_intents", "create", "--amount=2000", "--currency=usd", "--confirm=true"]
    card = ["-d", "payment_method_types[]=card"]
    held = command(*new, "--capture-method=manual", "--payment-method=pm_card_visa", *card)
    assert command("payment_intents", "capture", held["id"], "--amount-to-capture=1500")["amount_received"] == 1500
    refund = command("refunds", "create", "--payment-intent", held["id"], "--amount=500", "-d", "metadata[a]=b")
    assert (refund["status"], refund["metadata"]) == ("succeeded", {"a": "b"})
    assert command("refunds", "list", "--limit=1")["data"][0]["id"] == refund["id"]
    command(*new, "--payment-method=pm_card_createDispute", *card)
    (dispute,) = command("disputes", "list")["data"]
    evidence = ["-d", "evidence[uncategorized_text]=winning_evidence"]
    assert command("disputes", "update", dispute["id"], *evidence)["status"] == "under_review"
    fake.advance(60)
    assert command("disputes", "retrieve", dispute["id"])["status"] == "won"
    for name in ("charge.captured", "charge.refunded", "charge.dispute.funds_reinstated", "charge.dispute.closed"):
        assert inbox.wait_for(name), (name, inbox.types)
    refused = cli(server, "disputes", "close", dispute["id"], "--confirm")
    assert "already closed" in refused.stdout + refused.stderr


def test_errors_are_shown_as_stripes(cli, server):
    done = cli(server, "payment_intents", "retrieve", "pi_nothing")
    assert re.search(r"No such payment_intent: 'pi_nothing'", done.stdout + done.stderr)
    done = cli(server, "payment_intents", "create", "--amount=2000", "--currency=usd", "-d", "colour=red")
    assert "parameter_unknown" in done.stdout + done.stderr


def test_it_takes_the_calls_that_airport_payments_prints(cli, server, fake):
    printed = subprocess.run(
        [sys.executable, "-m", "airport_payments", "events", "--stripe-cli", "--url", "https://shop.example/payment/webhook"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    listen, create = (shlex.split(call.replace("\\\n", " ")) for call in printed.split("\n\n"))
    done = cli(server, *create[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    made = list(fake.objects("webhook_endpoint").values())[-1]
    assert (made["url"], made["enabled_events"]) == ("https://shop.example/payment/webhook", list(HANDLED))
    assert made["api_version"] == stripe.api_version
    flags = set(re.findall(r"--[a-z][\w-]*", cli(server, "listen", "--help").stdout))
    assert {word for word in listen if word.startswith("--")} <= flags
