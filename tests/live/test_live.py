"""The scenarios of `make live` hold for FakeStripe; and the runner finds, prints and refuses what it has to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.live import line as lines
from tests.live.__main__ import DIFFERENT, ENDED_EARLY, NOT_RUN, SAME, main
from tests.live.compare import one_side
from tests.live.run import FAKE_KEY, FakeWorld, play
from tests.live.scenarios import SCENARIOS, cards

from airport_payments.testing import FakeStripe
from airport_payments.testing.fake_stripe.api import FakeResponse
from airport_payments.testing.fake_stripe.cards import BY_NAME

ROOT = Path(__file__).parents[2]
KEY = "sk_test_peer_canary_0123456789"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def test_fake_stripe_does_as_the_scenario_wants_and_nothing_stays_open(scenario):
    world = FakeWorld()
    played = play(scenario, world.side("live-test"))
    assert (played.stopped, one_side(scenario.name, played.steps)) == (None, [])
    assert played.steps
    assert open_intents(world.fake) == []
    assert [c["id"] for c in world.fake.objects("customer").values() if not c.get("deleted")] == []
    assert all("live-test" in intent["metadata"].values() for intent in world.fake.intents.values())


def open_intents(fake):
    return [i["id"] for i in fake.intents.values() if i["status"] not in {"succeeded", "canceled"}]


def test_every_test_card_is_in_a_scenario():
    named = {*cards.PAYING, *cards.RADAR, *cards.ASKING, *(name for name, _, _ in cards.DECLINED)}
    assert named == {name.removeprefix("pm_card_") for name in BY_NAME if name.startswith("pm_card_")}


def test_names_are_distinct_and_the_docs_count_them():
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    assert f"| {len(names)} scenarios " in (ROOT / "docs/explanation/fake-stripe.md").read_text("utf-8")


# ---- the runner, over a real socket ----


class Peer:
    """A FakeStripe on a socket, whose time passes when the runner waits, and which may be wrong."""

    def __init__(self, wrong=None):
        self.now = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
        self.fake = FakeStripe(KEY, clock=lambda: self.now)
        self.said: list[str] = []
        self.times: list[float] = []
        api = self.fake._api
        close = api.close

        def closing(exchange):
            self.times.append(self.now.timestamp())
            answer = close(exchange)
            if wrong is None:
                return answer
            body = json.loads(answer.body)
            status, headers = wrong(exchange, answer.status, dict(answer.headers), body)
            return FakeResponse(status, headers, json.dumps(body).encode())

        api.close = closing

    def sleep(self, seconds):
        self.now += timedelta(seconds=seconds)

    def run(self, *argv, key=KEY):
        with self.fake.serve(automatic=False) as server:
            return main(
                [*argv, "--api-base", server.url],
                {"STRIPE_SECRET_KEY": key},
                say=self.said.append,
                clock=lambda: self.now.timestamp(),
                sleep=self.sleep,
                now=lambda: self.now,
            )

    @property
    def text(self):
        return "\n".join(self.said)


def test_a_peer_that_is_right_differs_in_nothing():
    peer = Peer()
    # FakeStripe lets every account that is named begin empty, so it cannot stand in for Stripe there.
    names = [scenario.name for scenario in SCENARIOS if scenario.name != "an_account_of_nobody_is_refused"]
    code = peer.run(*names)
    assert (code, [text for text in peer.said if " says " in text or "both say" in text]) == (SAME, [])
    assert f"{len(names)} scenarios" in peer.said[-1]
    assert KEY not in peer.text
    # Paced: no second of the peer's time saw more calls than a sandbox takes.
    assert max(sum(start <= at < start + 1 for at in peer.times) for start in peer.times) <= 25
    assert len(peer.fake.requests) < lines.MAX_CALLS


def decline_code(exchange, status, headers, body):
    if body.get("error", {}).get("decline_code") == "insufficient_funds":
        body["error"]["decline_code"] = "generic_decline"
    return status, headers


def decline_status(exchange, status, headers, body):
    return (400 if status == 402 else status), headers


def no_replay(exchange, status, headers, body):
    return status, {name: value for name, value in headers.items() if name != "Idempotent-Replayed"}


def no_param(exchange, status, headers, body):
    if exchange.path == "/v1/refunds":
        body.get("error", {}).pop("param", None)
    return status, headers


def a_field_is_missing(exchange, status, headers, body):
    if body.get("object") == "payment_intent":
        del body["amount_received"]
    return status, headers


def a_field_is_gone(exchange, status, headers, body):
    return a_field_is_missing(exchange, status, headers, body)


def a_field_of_another_kind(exchange, status, headers, body):
    if body.get("object") == "refund":
        body["amount"] = str(body["amount"])
    return status, headers


def a_field_too_many(exchange, status, headers, body):
    if body.get("object") == "charge":
        body["colour"] = "red"
    return status, headers


def another_status(exchange, status, headers, body):
    if body.get("object") == "payment_intent" and body["status"] == "requires_capture":
        body["status"] = "processing"
    return status, headers


def no_intent_in_the_refusal(exchange, status, headers, body):
    if exchange.path.endswith("/cancel"):
        body.get("error", {}).pop("payment_intent", None)
    return status, headers


def pages_that_do_not_end(exchange, status, headers, body):
    if body.get("object") == "list":
        body["has_more"] = True
    return status, headers


def another_version(exchange, status, headers, body):
    return status, {**headers, "Stripe-Version": "2020-08-27"}


def an_unknown_word(exchange, status, headers, body):
    if body.get("object") == "payment_intent":
        body["capture_method"] = "whenever"
    return status, headers


def an_api_that_stands_on_its_head(exchange, status, headers, body):
    body.clear()
    return 500, headers


WRONG = {
    decline_code: (
        "cards_that_are_declined",
        "cards_that_are_declined, chargeDeclinedInsufficientFunds, decline_code: fake says insufficient_funds, "
        "the peer says generic_decline (the scenario wants insufficient_funds)",
    ),
    decline_status: (
        "a_decline_is_replayed",
        "a_decline_is_replayed, declined, HTTP status: fake says 402, the peer says 400 (the scenario wants 402)",
    ),
    no_replay: (
        "a_key_is_replayed",
        "a_key_is_replayed, the second is a replay, it: fake says true, the peer says nothing (the scenario wants true)",
    ),
    no_param: (
        "refund_parts",
        "refund_parts, more than is left, param: fake says amount, the peer says nothing (the scenario wants amount)",
    ),
    a_field_is_missing: (
        "what_succeeded_cannot_be_cancelled",
        "what_succeeded_cannot_be_cancelled, pay, payment_intent.amount_received: fake says integer, the peer says nothing",
    ),
    a_field_of_another_kind: (
        "refund_all",
        "refund_all, refund, refund.amount: fake says integer, the peer says string (and in 1 other steps)",
    ),
    a_field_too_many: ("capture_a_part", "capture_a_part, its charge, charge.colour: fake says nothing, the peer says string"),
    another_status: (
        "only_an_authorisation_is_captured capture_all",
        "capture_all, authorise, is: fake says requires_capture, the peer says processing "
        "(the scenario wants requires_capture)",
    ),
    no_intent_in_the_refusal: (
        "what_succeeded_cannot_be_cancelled",
        "what_succeeded_cannot_be_cancelled, what it carries, it: fake says succeeded, the peer says nothing "
        "(the scenario wants succeeded)",
    ),
    pages_that_do_not_end: (
        "pages",
        "pages, third: there is no more, it: fake says False, the peer says True (the scenario wants False)",
    ),
    another_version: (
        "the_version_is_the_one_asked_for",
        "the_version_is_the_one_asked_for, the version, it: fake says 2026-10-28.endive, the peer says 2020-08-27 "
        "(the scenario wants 2026-10-28.endive)",
    ),
    an_unknown_word: (
        "refund_all",
        "refund_all, pay, schema of payment_intent capture_method (enum): fake says it does not, "
        "the peer says it breaks the schema (and in 1 other steps)",
    ),
    a_field_is_gone: (
        "capture_all",
        "capture_all, after capture: fake says go on, the peer says the end (no field amount_received)",
    ),
    an_api_that_stands_on_its_head: ("capture_all", "capture_all, authorise, HTTP status: fake says 200, the peer says 500"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_peer_that_is_wrong_is_found_and_named(wrong):
    names, line = WRONG[wrong]
    peer = Peer(wrong)
    assert peer.run(*names.split()) == DIFFERENT
    assert any(said.startswith(line) for said in peer.said), peer.text
    assert KEY not in peer.text


def test_a_note_is_no_difference():
    """What is null on one side, and what depends on the account, is said only when it is asked for."""

    def nothing_is_known(exchange, status, headers, body):
        if body.get("object") == "payment_intent":
            body["description"] = "here it has one"
        return status, headers

    peer = Peer(nothing_is_known)
    assert peer.run("what_succeeded_cannot_be_cancelled") == SAME
    assert peer.said[-1].endswith("1 notes: --notes shows them.")
    peer = Peer(nothing_is_known)
    assert peer.run("what_succeeded_cannot_be_cancelled", "--notes") == SAME
    assert "payment_intent.description: fake says null, the peer says string [one of them is null here]" in peer.text


def test_a_peer_that_is_not_there_is_said():
    said = []
    code = main(["capture_all", "--api-base", "http://127.0.0.1:1"], {"STRIPE_SECRET_KEY": KEY}, say=said.append)
    assert code == DIFFERENT
    assert "capture_all, at once: fake says go on, the peer says the end (no answer to POST payment_intents)" in said


def test_too_many_calls_end_the_run_and_leave_nothing_open(monkeypatch):
    monkeypatch.setattr(lines, "MAX_CALLS", 7)
    peer = Peer()
    assert peer.run("pages") == ENDED_EARLY
    assert "stopped after 7 calls" in peer.said[-1]
    assert len(peer.fake.intents) == 5
    assert open_intents(peer.fake) == []


def test_too_long_a_run_is_ended(monkeypatch):
    monkeypatch.setattr(lines, "MAX_SECONDS", 3.0)
    peer = Peer()
    assert peer.run() == ENDED_EARLY
    assert 3 < len(peer.fake.requests) < 100
    assert open_intents(peer.fake) == []


# ---- what is refused before anything is sent ----

REFUSED = {
    "": "is not set",
    "  ": "is not set",
    "sk_live_51canary0123456789": "live key",
    "rk_live_51canary0123456789": "live key",
    "sk_org_live_51canary0123456789": "live key",
    "pk_live_51canary0123456789": "live key",
    "pk_test_51canary0123456789": "publishable key",
    "whsec_51canary0123456789": "no test key",
    "sk_test_": "no test key",
    "sk_org_test_51canary0123456789": "no test key",
    "SK_TEST_51canary0123456789": "no test key",
    "sk_test_51canary\r\nX: y": "no test key",
    "sk_live_51canary sk_test_51canary": "live key",
}


@pytest.mark.parametrize("key", REFUSED)
def test_only_a_test_key_is_taken(key):
    peer = Peer()
    assert peer.run(key=key) == NOT_RUN
    assert REFUSED[key] in peer.text
    assert "canary" not in peer.text
    assert peer.fake.requests == []


@pytest.mark.parametrize(
    "base",
    [
        "https://api.stripe.com.example.com", "http://api.stripe.com", "https://example.com", "http://192.0.2.1:80",
        "http://127.0.0.1:80@192.0.2.1:80", "http://127.0.0.1.example.com:80", "http://127.0.0.1", "https://127.0.0.1:1",
        "http://127.0.0.1:80/v1", "",
    ],
)  # fmt: skip
def test_the_key_goes_to_stripe_or_stays_here(base):
    said = []
    assert main(["--api-base", base], {"STRIPE_SECRET_KEY": KEY}, say=said.append) == NOT_RUN
    assert said[0].startswith("--api-base")


def test_a_name_that_is_no_scenario_is_said():
    peer = Peer()
    assert peer.run("no_such_*") == NOT_RUN
    assert peer.fake.requests == []
    assert peer.run("--list", "capture_*") == SAME
    assert [text.split(":")[0] for text in peer.said[1:]] == ["capture_all", "capture_a_part"]


@pytest.mark.e2e
def test_the_command_says_what_it_needs():
    """As `make live` runs it: by itself, with no key, and with one, at a server on this machine."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STRIPE_")}
    command = [sys.executable, "-m", "tests.live"]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (NOT_RUN, "")
    assert "STRIPE_SECRET_KEY is not set" in done.stdout
    with FakeStripe(FAKE_KEY).serve(automatic=False) as server:
        command += ["capture_all", "the_gateway_captures", "--api-base", server.url]
        env = {**clean, "STRIPE_SECRET_KEY": FAKE_KEY}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (SAME, ""), done.stdout
    assert "2 scenarios" in done.stdout
    assert FAKE_KEY not in done.stdout
