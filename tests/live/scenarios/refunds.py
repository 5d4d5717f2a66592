"""Refunds and disputes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .registry import AUTHORISED, NEW, VISA, paid, refused, scenario

if TYPE_CHECKING:
    from tests.live.stage import Stage


@scenario
def refund_all(stage: Stage) -> None:
    """A payment goes back whole, once."""
    done = paid(stage)
    refund = stage.post("refund", "refunds", {"payment_intent": done["id"]}, words={"is": "succeeded"})
    stage.check("how much", refund["amount"], 2000)
    intent = stage.get("the PaymentIntent", f"payment_intents/{done['id']}", words={"is": "succeeded"})
    stage.check("what was received stays", intent["amount_received"], 2000)
    charge = stage.get("the charge", f"charges/{done['latest_charge']}")
    stage.check("it is refunded", charge["refunded"], True)
    words = refused("charge_already_refunded")
    stage.post("refund again", "refunds", {"payment_intent": done["id"]}, status=400, words=words)
    stage.post("refund its charge", "refunds", {"charge": done["latest_charge"]}, status=400, words=words)
    stage.get("retrieve", f"refunds/{refund['id']}", words={"is": "succeeded"})


@scenario
def refund_parts(stage: Stage) -> None:
    """Parts may go back until all has."""
    done = paid(stage)
    one = {"payment_intent": done["id"], "amount": 700}
    stage.post("a part", "refunds", {**one, "reason": "requested_by_customer"}, words={"is": "succeeded"})
    stage.post("more than is left", "refunds", {**one, "amount": 1301}, status=400, words=refused(param="amount"))
    stage.post("nothing", "refunds", {**one, "amount": 0}, status=400, words=refused(param="amount"))
    stage.post("no such reason", "refunds", {**one, "reason": "regret"}, status=400, words=refused(param="reason"))
    stage.post("the rest", "refunds", {"payment_intent": done["id"]}, words={"is": "succeeded"})
    found = stage.get("list", "refunds", {"payment_intent": done["id"]})
    stage.check("how much in all", sum(refund["amount"] for refund in found["data"]), 2000)
    stage.check("the newest first", [refund["amount"] for refund in found["data"]], [1300, 700])


@scenario
def a_refund_carries_its_metadata(stage: Stage) -> None:
    """That is how our own refunds are recognised."""
    done = paid(stage)
    made = stage.post("refund", "refunds", {"payment_intent": done["id"], "metadata": {"ref": "r-1"}})
    stage.check("metadata", made["metadata"].get("ref"), "r-1")
    again = stage.post("change", f"refunds/{made['id']}", {"metadata": {"ref": "r-2"}})
    stage.check("changed metadata", again["metadata"].get("ref"), "r-2")
    stage.post("cancel it", f"refunds/{made['id']}/cancel", status=400, words=refused())


@scenario
def what_was_not_collected_is_not_refunded(stage: Stage) -> None:
    """An authorisation is cancelled instead; what is open or over has nothing to give back."""
    held = stage.post("authorise", "payment_intents", AUTHORISED, words={"is": "requires_capture"})
    stage.post("refund what is held", "refunds", {"payment_intent": held["id"]}, status=400, words=refused())
    open_ = stage.post("create", "payment_intents", NEW)
    stage.post("refund what is open", "refunds", {"payment_intent": open_["id"]}, status=400, words=refused())
    nobody = {"payment_intent": "pi_3NobodysPaymentIntent0"}
    stage.post(
        "refund nobody's", "refunds", nobody, status=400, words=refused("resource_missing", param="payment_intent")
    )
    stage.post("refund of nothing", "refunds", {}, status=400, words=refused())


@scenario
def a_refund_that_waits(stage: Stage) -> None:
    """`pm_card_pendingRefund`: pending first, and succeeded later."""
    done = paid(stage, card="pm_card_pendingRefund")
    made = stage.post("refund", "refunds", {"payment_intent": done["id"]}, words={"is": "pending"})
    path = f"refunds/{made['id']}"
    stage.until("it succeeds", lambda: stage.quietly("get", path), lambda a: a["status"] == "succeeded", seconds=240)
    stage.get("in the end", path, words={"is": "succeeded"})


@scenario
def a_refund_that_fails_late(stage: Stage) -> None:
    """`pm_card_refundFail`: succeeded first, and failed later; the money can then be given back again."""
    done = paid(stage, card="pm_card_refundFail")
    made = stage.post("refund", "refunds", {"payment_intent": done["id"]}, words={"is": "succeeded"})
    path = f"refunds/{made['id']}"
    stage.until("it fails", lambda: stage.quietly("get", path), lambda a: a["status"] == "failed", seconds=240)
    after = stage.get("in the end", path, words={"is": "failed"})
    stage.check("it says why", after["failure_reason"], "expired_or_canceled_card")
    charge = stage.get("the charge", f"charges/{done['latest_charge']}")
    stage.check("nothing is refunded", charge["amount_refunded"], 0)


@scenario
def a_payment_is_disputed(stage: Stage) -> None:
    """`pm_card_createDispute`: a dispute follows, and the payment cannot be refunded any more."""
    done = paid(stage, card="pm_card_createDispute")
    wanted = {"payment_intent": done["id"]}
    found = stage.until("it comes", lambda: stage.quietly("get", "disputes", wanted), lambda a: bool(a["data"]))
    dispute = stage.get("the dispute", f"disputes/{found['data'][0]['id']}", words={"is": "needs_response"})
    stage.check("why", dispute["reason"], "fraudulent")
    stage.check("how much", dispute["amount"], 2000)
    stage.check("whether it can be refunded", dispute["is_charge_refundable"], False)
    charge = stage.get("the charge", f"charges/{done['latest_charge']}")
    stage.check("it is marked", charge["disputed"], True)
    stage.get("the PaymentIntent", f"payment_intents/{done['id']}", words={"is": "succeeded"})
    stage.post("refund", "refunds", wanted, status=400, words=refused("charge_disputed"))
    stage.post(
        "answer", f"disputes/{dispute['id']}", {"evidence": {"uncategorized_text": "losing_evidence"}, "submit": True}
    )
    path = f"disputes/{dispute['id']}"
    stage.until("it is lost", lambda: stage.quietly("get", path), lambda a: a["status"] == "lost", seconds=120)


@scenario
def a_bank_asks(stage: Stage) -> None:
    """`pm_card_createDisputeInquiry`: a question is no dispute yet, and the payment may still be refunded."""
    done = paid(stage, card="pm_card_createDisputeInquiry")
    wanted = {"payment_intent": done["id"]}
    found = stage.until("it comes", lambda: stage.quietly("get", "disputes", wanted), lambda a: bool(a["data"]))
    words = {"is": "warning_needs_response"}
    dispute = stage.get("the inquiry", f"disputes/{found['data'][0]['id']}", words=words)
    stage.check("whether it can be refunded", dispute["is_charge_refundable"], True)
    stage.post("refund", "refunds", wanted, words={"is": "succeeded"})


@scenario
def nothing_waits_for_an_open_payment(stage: Stage) -> None:
    """A PaymentIntent without an attempt has no charge, no refund and no dispute."""
    made = stage.post("create", "payment_intents", {**NEW, **VISA}, words={"is": "requires_confirmation"})
    for kind in ("charges", "refunds", "disputes"):
        found = stage.get(kind, kind, {"payment_intent": made["id"]}, words={"object": "list"})
        stage.check(f"how many {kind}", len(found["data"]), 0)
