"""Events, as they are listed: which ones come, and their form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .registry import AUTHORISED, NEW, paid, refused, scenario

if TYPE_CHECKING:
    from tests.live.stage import Stage

PULLED = (
    "payment_intent.created", "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled",
    "payment_intent.requires_action", "payment_intent.amount_capturable_updated", "charge.succeeded", "charge.failed",
    "charge.captured", "charge.refunded", "refund.created", "refund.updated", "refund.failed", "charge.dispute.created",
)  # fmt: skip
MAX_PAGES = 5


def pulled(stage: Stage, intent: str, since: int) -> list[dict[str, Any]]:
    """Return the events of a PaymentIntent and of what belongs to it, oldest first."""
    found: list[dict[str, Any]] = []
    wanted: dict[str, object] = {"types": list(PULLED), "created": {"gte": since}, "limit": 100}
    for _ in range(MAX_PAGES):
        page = stage.quietly("get", "events", wanted)
        found += page["data"]
        if not page["has_more"]:
            break
        wanted["starting_after"] = page["data"][-1]["id"]
    return [event for event in reversed(found) if intent in _ids(event["data"]["object"])]


def _ids(obj: dict[str, Any]) -> tuple[object, ...]:
    return obj.get("id"), obj.get("payment_intent")


def seen(stage: Stage, made: Any, *types: str) -> None:
    """Wait for these events of a PaymentIntent, and record each."""
    events: dict[str, dict[str, Any]] = {}

    def ask() -> Any:
        events.update({event["type"]: event for event in pulled(stage, made["id"], made["created"])})
        return stage.side.line.last

    stage.until("they come", ask, lambda _: set(types) <= set(events), seconds=60)
    for name in types:
        stage.look(name, events[name], object="event")
        stage.check(f"{name}: of test mode", events[name]["livemode"], False)
        stage.check(f"{name}: of our own account", events[name].get("account"), None)
    one = stage.get("retrieve", f"events/{events[types[0]]['id']}", words={"object": "event"})
    stage.check("it is the one", one["type"], types[0])


@scenario
def events_of_a_payment(stage: Stage) -> None:
    """Paid and refunded."""
    done = paid(stage)
    stage.post("refund", "refunds", {"payment_intent": done["id"]})
    seen(
        stage, done,
        "payment_intent.created", "payment_intent.succeeded", "charge.succeeded", "charge.refunded", "refund.created",
    )  # fmt: skip


@scenario
def events_of_a_failure(stage: Stage) -> None:
    """Declined, then cancelled."""
    made = stage.post("create", "payment_intents", NEW)
    path = f"payment_intents/{made['id']}"
    stage.post("decline", f"{path}/confirm", {"payment_method": "pm_card_visa_chargeDeclined"}, status=402)
    stage.post("cancel", f"{path}/cancel")
    seen(stage, made, "payment_intent.payment_failed", "charge.failed", "payment_intent.canceled")


@scenario
def events_of_an_authorisation(stage: Stage) -> None:
    """Authorised, then captured."""
    made = stage.post("authorise", "payment_intents", AUTHORISED)
    stage.post("capture", f"payment_intents/{made['id']}/capture", {"amount_to_capture": 1000})
    seen(stage, made, "payment_intent.amount_capturable_updated", "charge.captured", "payment_intent.succeeded")


@scenario
def events_of_a_question(stage: Stage) -> None:
    """The customer is asked by their bank."""
    request = {**NEW, "payment_method": "pm_card_authenticationRequired", "confirm": True}
    seen(stage, stage.post("ask", "payment_intents", request), "payment_intent.requires_action")


@scenario
def events_of_a_dispute(stage: Stage) -> None:
    """Disputed."""
    seen(stage, paid(stage, card="pm_card_createDispute"), "charge.dispute.created", "payment_intent.succeeded")


@scenario
def events_of_a_refund_that_fails(stage: Stage) -> None:
    """Given back, and come back."""
    done = paid(stage, card="pm_card_refundFail")
    made = stage.post("refund", "refunds", {"payment_intent": done["id"]})
    path = f"refunds/{made['id']}"
    stage.until("it fails", lambda: stage.quietly("get", path), lambda a: a["status"] == "failed", seconds=240)
    seen(stage, done, "refund.failed", "refund.updated")


@scenario
def events_are_listed_by_type(stage: Stage) -> None:
    """At most twenty types at once; not by `type` and `types` together."""
    stage.get("many", "events", {"types": ["charge.succeeded"] * 21}, status=400, words=refused())
    both = {"type": "charge.succeeded", "types": ["charge.failed"]}
    stage.get("both", "events", both, status=400, words=refused())
    found = stage.get("one", "events", {"type": "payment_intent.created", "limit": 1}, items=False)
    stage.check("only that", {event["type"] for event in found["data"]} <= {"payment_intent.created"}, True)
