"""The life of a PaymentIntent: what is possible in which status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .registry import AUTHORISED, NEW, PAID, STATE, VISA, paid, refused, scenario

if TYPE_CHECKING:
    from tests.live.stage import Stage


@scenario
def create_then_confirm(stage: Stage) -> None:
    """A PaymentIntent is created, is changed, gets a card, and is confirmed; nothing of that is possible twice."""
    made = stage.post("create", "payment_intents", NEW, words={"is": "requires_payment_method"})
    path = f"payment_intents/{made['id']}"
    stage.post("confirm without a card", f"{path}/confirm", status=400, words=refused(STATE))
    stage.post("another amount", path, {"amount": 2500}, words={"is": "requires_payment_method"})
    stage.post("a card", path, VISA, words={"is": "requires_confirmation"})
    done = stage.post("confirm", f"{path}/confirm", words={"is": "succeeded"})
    stage.check("what was received", done["amount_received"], 2500)
    again = stage.post("confirm again", f"{path}/confirm", status=400, words=refused(STATE))
    stage.check("the refusal carries it", (again.error.get("payment_intent") or {}).get("status"), "succeeded")
    stage.post("another amount, too late", path, {"amount": 2600}, status=400, words=refused(STATE))
    stage.post("metadata, at any time", path, {"metadata": {"late": "yes"}}, words={"is": "succeeded"})
    stage.get("retrieve", path, words={"is": "succeeded"})
    charge = stage.get("its charge", f"charges/{done['latest_charge']}", words={"is": "succeeded"})
    stage.check("it is captured", charge["captured"], True)


@scenario
def cancel_what_is_open(stage: Stage) -> None:
    """What is not paid can be cancelled, once, and is then over."""
    for step, request in (
        ("requires_payment_method", NEW),
        ("requires_confirmation", {**NEW, **VISA}),
        ("requires_action", {**PAID, "payment_method": "pm_card_authenticationRequired"}),
        ("requires_capture", AUTHORISED),
    ):
        made = stage.post(f"create: {step}", "payment_intents", request, words={"is": step})
        path = f"payment_intents/{made['id']}"
        done = stage.post(f"cancel: {step}", f"{path}/cancel", words={"is": "canceled"})
        stage.check(f"no reason: {step}", done["cancellation_reason"], None)
        stage.check(f"nothing is held: {step}", done["amount_capturable"], 0)
        again = stage.post(f"cancel again: {step}", f"{path}/cancel", status=400, words=refused(STATE))
        told = (again.error.get("payment_intent") or {}).get("status")
        stage.check(f"the refusal carries it: {step}", told, "canceled")


@scenario
def cancel_with_a_reason(stage: Stage) -> None:
    """The reason is one of Stripe's words."""
    made = stage.post("create", "payment_intents", NEW)
    path = f"payment_intents/{made['id']}"
    wrong = {"cancellation_reason": "changed_my_mind"}
    stage.post("no such reason", f"{path}/cancel", wrong, status=400, words=refused(param="cancellation_reason"))
    done = stage.post("cancel", f"{path}/cancel", {"cancellation_reason": "abandoned"}, words={"is": "canceled"})
    stage.check("the reason", done["cancellation_reason"], "abandoned")
    stage.post("pay", f"{path}/confirm", VISA, status=400, words=refused(STATE))
    stage.post("change", path, {"amount": 2100}, status=400, words=refused(STATE))


@scenario
def what_succeeded_cannot_be_cancelled(stage: Stage) -> None:
    """The refusal carries the PaymentIntent: that is how a rule learns that it was paid."""
    done = paid(stage)
    answer = stage.post("cancel", f"payment_intents/{done['id']}/cancel", status=400, words=refused(STATE))
    stage.check("what it carries", (answer.error.get("payment_intent") or {}).get("status"), "succeeded")


@scenario
def capture_all(stage: Stage) -> None:
    """An authorisation is captured once."""
    held = stage.post("authorise", "payment_intents", AUTHORISED, words={"is": "requires_capture"})
    path = f"payment_intents/{held['id']}"
    stage.check("what is held", held["amount_capturable"], 2000)
    charge = stage.get("its charge", f"charges/{held['latest_charge']}", words={"is": "succeeded"})
    stage.check("nothing is captured", charge["captured"], False)
    stage.post("confirm", f"{path}/confirm", status=400, words=refused(STATE))
    done = stage.post("capture", f"{path}/capture", words={"is": "succeeded"})
    stage.check("what was received", done["amount_received"], 2000)
    again = stage.post("capture again", f"{path}/capture", status=400, words=refused(STATE))
    stage.check("the refusal carries it", (again.error.get("payment_intent") or {}).get("status"), "succeeded")


@scenario
def capture_a_part(stage: Stage) -> None:
    """The rest of an authorisation is released, which is no refund."""
    held = stage.post("authorise", "payment_intents", AUTHORISED, words={"is": "requires_capture"})
    path = f"payment_intents/{held['id']}"
    stage.post(
        "too much", f"{path}/capture", {"amount_to_capture": 2001}, status=400, words=refused("amount_too_large")
    )
    stage.post("nothing", f"{path}/capture", {"amount_to_capture": 0}, status=400, words=refused())
    done = stage.post("capture", f"{path}/capture", {"amount_to_capture": 1200}, words={"is": "succeeded"})
    stage.check("what was received", done["amount_received"], 1200)
    charge = stage.get("its charge", f"charges/{done['latest_charge']}", words={"is": "succeeded"})
    stage.check("what was captured", charge["amount_captured"], 1200)
    stage.check("what was refunded", charge["amount_refunded"], 0)


@scenario
def only_an_authorisation_is_captured(stage: Stage) -> None:
    """What waits for a card, or for nothing, cannot be captured."""
    made = stage.post("create", "payment_intents", NEW)
    stage.post("capture", f"payment_intents/{made['id']}/capture", status=400, words=refused(STATE))
    stage.post("cancel", f"payment_intents/{made['id']}/cancel")
    stage.post("capture what is over", f"payment_intents/{made['id']}/capture", status=400, words=refused(STATE))


@scenario
def the_dashboards_methods(stage: Stage) -> None:
    """Where the dashboard's methods may redirect, confirming on the server needs a return_url."""
    request = {"amount": 2000, "currency": "usd", **VISA, "confirm": True}
    stage.post("without", "payment_intents", request, status=400, words=refused())
    never = {**request, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    stage.post("never redirect", "payment_intents", never, words={"is": "succeeded"})
    back = {**request, "return_url": "https://example.com/back"}
    stage.post("with a return_url", "payment_intents", back, words={"is": "succeeded"})
    mixed = {**NEW, "automatic_payment_methods": {"enabled": True}}
    stage.post("both kinds of choice", "payment_intents", mixed, status=400, words=refused())
