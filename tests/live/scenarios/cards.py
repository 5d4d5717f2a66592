"""Every test card: what paying with it comes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .registry import NEW, PAID, refused, scenario

if TYPE_CHECKING:
    from tests.live.stage import Stage

# docs.stripe.com/testing, as of August 2026.
PAYING: Final = (
    "visa", "visa_debit", "mastercard", "mastercard_debit", "mastercard_prepaid", "amex", "discover", "diners", "jcb",
    "unionpay", "bypassPending", "bypassPendingInternational", "amex_threeDSecureNotSupported", "threeDSecureOptional",
    "createDispute", "createDisputeProductNotReceived", "createDisputeInquiry", "createMultipleDisputes",
    "createIssuerFraudRecord", "pendingRefund", "refundFail",
)  # fmt: skip
# Rules of the account's Radar may block these.
RADAR: Final = (
    "riskLevelHighest",
    "riskLevelElevated",
    "cvcCheckFail",
    "avsFail",
    "avsLine1Fail",
    "avsZipFail",
    "avsUnchecked",
)
ASKING: Final = (
    "authenticationRequired", "authenticationRequiredOnSetup", "authenticationRequiredChargeDeclinedInsufficientFunds",
    "threeDSecure2Required", "threeDSecureRequired", "threeDSecureRequiredChargeDeclined",
    "threeDSecureRequiredProcessingError", "authenticationRequiredSetupForOffSession",
)  # fmt: skip
# Name, code, decline code.
DECLINED: Final = (
    ("visa_chargeDeclined", "card_declined", "generic_decline"),
    ("visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ("visa_chargeDeclinedExpiredCard", "expired_card", None),
    ("visa_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("visa_chargeDeclinedProcessingError", "processing_error", None),
    ("visa_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
    ("chargeDeclined", "card_declined", "generic_decline"),
    ("chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ("chargeDeclinedExpiredCard", "expired_card", None),
    ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("chargeDeclinedProcessingError", "processing_error", None),
    ("chargeDeclinedFraudulent", "card_declined", "fraudulent"),
    ("chargeDeclinedIncorrectNumber", "incorrect_number", None),
    ("chargeCustomerFail", "card_declined", "generic_decline"),
    ("radarBlock", "card_declined", "fraudulent"),
)


def _card(name: str) -> dict[str, object]:
    return {**PAID, "payment_method": f"pm_card_{name}"}


def _pays(names: tuple[str, ...], depends: str = "") -> Callable[[Stage], None]:
    def play(stage: Stage) -> None:
        for name in names:
            stage.post(name, "payment_intents", _card(name), words={"is": "succeeded"}, depends=depends)

    return play


@scenario
def cards_that_pay(stage: Stage) -> None:
    """Cards that succeed at once."""
    _pays(PAYING)(stage)


@scenario
def cards_that_radar_looks_at(stage: Stage) -> None:
    """Cards with a risk or a failed check: they pay, unless a rule of the account blocks them."""
    _pays(RADAR, "rules of the account's Radar")(stage)


@scenario
def cards_that_are_declined(stage: Stage) -> None:
    """Every decline is 402 with its codes, and the error carries the PaymentIntent, which waits for another card."""
    for name, code, decline_code in DECLINED:
        words = refused(code, type="card_error", decline_code=decline_code)
        answer = stage.post(name, "payment_intents", _card(name), status=402, words=words)
        intent = answer.error.get("payment_intent", {})
        stage.check(f"{name}: the PaymentIntent", intent.get("status"), "requires_payment_method")
        stage.check(f"{name}: its card is gone", intent.get("payment_method"), None)
        stage.check(f"{name}: it remembers why", (intent.get("last_payment_error") or {}).get("code"), code)
        stage.check(f"{name}: it names its charge", intent.get("latest_charge") == answer.error.get("charge"), True)


@scenario
def a_decline_leaves_a_failed_charge(stage: Stage) -> None:
    """After a decline another card may pay the same PaymentIntent; the failed charge stays."""
    made = stage.post("create", "payment_intents", NEW)
    path = f"payment_intents/{made['id']}"
    words = refused("card_declined", type="card_error", decline_code="insufficient_funds")
    failed = stage.post(
        "confirm",
        f"{path}/confirm",
        {"payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds"},
        status=402,
        words=words,
    )
    charge = stage.get("its charge", f"charges/{failed.error['charge']}", words={"is": "failed"})
    stage.check("it collected nothing", charge["amount_captured"], 0)
    stage.check("why", charge["failure_code"], "card_declined")
    paid = stage.post("confirm again", f"{path}/confirm", {"payment_method": "pm_card_visa"}, words={"is": "succeeded"})
    stage.check("another charge", paid["latest_charge"] == charge["id"], False)
    stage.check("the error is cleared", paid["last_payment_error"], None)
    both = stage.get("both charges", "charges", {"payment_intent": made["id"]})
    stage.check("how many", len(both["data"]), 2)


@scenario
def cards_that_ask_the_customer(stage: Stage) -> None:
    """Cards that need 3-D Secure wait for it. What the customer answers there takes a browser, and is not played."""
    for name in ASKING:
        answer = stage.post(name, "payment_intents", _card(name), words={"is": "requires_action"})
        stage.check(f"{name}: what to do", (answer["next_action"] or {}).get("type"), "use_stripe_sdk")
        stage.check(f"{name}: no charge yet", answer["latest_charge"], None)
    request = {**_card("authenticationRequired"), "return_url": "https://example.com/back"}
    answer = stage.post("with a return_url", "payment_intents", request, words={"is": "requires_action"})
    stage.check("where to go", (answer["next_action"] or {}).get("type"), "redirect_to_url")


@scenario
def an_action_can_be_refused_beforehand(stage: Stage) -> None:
    """With `error_on_requires_action` a card that needs 3-D Secure is declined at once."""
    request = {**_card("authenticationRequired"), "error_on_requires_action": True}
    words = refused("authentication_required", type="card_error")
    stage.post("create", "payment_intents", request, status=402, words=words)
