"""Idempotency keys, and who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import stripe

from .registry import NEW, PAID, refused, scenario

if TYPE_CHECKING:
    from tests.live.stage import Stage


@scenario
def a_key_is_replayed(stage: Stage) -> None:
    """The same key with the same parameters gets the first answer again, marked as a replay."""
    key = stage.key("create")
    first = stage.post("create", "payment_intents", NEW, key=key, words={"is": "requires_payment_method"})
    stage.check("the first is no replay", first.headers.get("idempotent-replayed"), None)
    again = stage.post("create again", "payment_intents", NEW, key=key)
    stage.check("the second is a replay", again.headers.get("idempotent-replayed"), "true")
    stage.check("it is the same PaymentIntent", again["id"] == first["id"], True)
    stage.check(
        "it names the first request", again.headers.get("original-request") == first.headers["request-id"], True
    )
    other = stage.post("create with another key", "payment_intents", NEW, key=stage.key("other"))
    stage.check("it is another PaymentIntent", other["id"] == first["id"], False)


@scenario
def a_replay_shows_the_past(stage: Stage) -> None:
    """A replayed answer tells how things were then: our rules never take a status from it."""
    key = stage.key("create")
    first = stage.post("create", "payment_intents", NEW, key=key)
    stage.post("cancel", f"payment_intents/{first['id']}/cancel", words={"is": "canceled"})
    stage.post("create again", "payment_intents", NEW, key=key, words={"is": "requires_payment_method"})
    stage.get("retrieve", f"payment_intents/{first['id']}", words={"is": "canceled"})


@scenario
def a_key_is_for_one_request(stage: Stage) -> None:
    """The same key with other parameters, or at another endpoint, is refused."""
    key = stage.key("create")
    stage.post("create", "payment_intents", NEW, key=key)
    words = refused(type="idempotency_error")
    stage.post("another amount", "payment_intents", {**NEW, "amount": 2001}, key=key, status=400, words=words)
    stage.post("another endpoint", "customers", {}, key=key, status=400, words=words)


@scenario
def a_decline_is_replayed(stage: Stage) -> None:
    """A card that was declined stays declined under its key."""
    request, key = {**PAID, "payment_method": "pm_card_visa_chargeDeclined"}, stage.key("declined")
    words = refused("card_declined", type="card_error", decline_code="generic_decline")
    first = stage.post("declined", "payment_intents", request, key=key, status=402, words=words)
    again = stage.post("again", "payment_intents", request, key=key, status=402, words=words)
    stage.check("it is a replay", again.headers.get("idempotent-replayed"), "true")
    same = again.error["payment_intent"]["id"] == first.error["payment_intent"]["id"]
    stage.check("it is the same PaymentIntent", same, True)


@scenario
def a_refused_parameter_leaves_the_key_free(stage: Stage) -> None:
    """What was refused before it began is not stored under its key."""
    key = stage.key("create")
    stage.post("unknown", "payment_intents", {**NEW, "colour": "red"}, key=key, status=400, words=refused())
    stage.post("known", "payment_intents", NEW, key=key)


@scenario
def keys_have_a_length(stage: Stage) -> None:
    """255 characters are a key, 256 are none."""
    longest = stage.key("k").ljust(255, "x")
    stage.post("255", "payment_intents", NEW, key=longest)
    stage.post("256", "payment_intents", NEW, key=longest + "x", status=400, words=refused())


@scenario
def a_capture_with_its_key_happens_once(stage: Stage) -> None:
    """Sent twice with one key, a capture and a refund are one."""
    made = stage.post("authorise", "payment_intents", {**PAID, "capture_method": "manual"})
    path = f"payment_intents/{made['id']}/capture"
    stage.post("capture", path, {"amount_to_capture": 1500}, key=stage.key("capture"), words={"is": "succeeded"})
    again = stage.post("capture again", path, {"amount_to_capture": 1500}, key=stage.key("capture"))
    stage.check("the capture is a replay", again.headers.get("idempotent-replayed"), "true")
    part = {"payment_intent": made["id"], "amount": 500}
    first = stage.post("refund", "refunds", part, key=stage.key("refund"), words={"is": "succeeded"})
    second = stage.post("refund again", "refunds", part, key=stage.key("refund"))
    stage.check("it is one refund", second["id"] == first["id"], True)


@scenario
def an_unknown_key_is_refused(stage: Stage) -> None:
    """An API key that nobody has is 401."""
    nobody = "sk_test_" + "51nobody" * 8
    stage.get("list", "payment_intents", api_key=nobody, status=401, words=refused())
    stage.post("create", "payment_intents", NEW, api_key=nobody, status=401, words=refused())


@scenario
def an_account_of_nobody_is_refused(stage: Stage) -> None:
    """A connected account that is not ours is 403. FakeStripe lets every account that is named begin empty: not compared."""
    if stage.side.is_fake:
        stage.check("status", 403, 403)
        stage.check("type", "invalid_request_error", "invalid_request_error")
        return
    answer = stage.quietly("get", "payment_intents", account="acct_1NobodysAccount0")
    stage.check("status", answer.status, 403)
    stage.check("type", answer.error.get("type"), "invalid_request_error")


@scenario
def the_version_is_the_one_asked_for(stage: Stage) -> None:
    """The answer names the API version that stripe-python pins."""
    answer = stage.get("list", "payment_intents", {"limit": 1}, items=False)
    stage.check("the version", answer.headers.get("stripe-version"), stripe.api_version)
    stage.check("a request has an id", answer.headers.get("request-id", "").startswith("req_"), True)
