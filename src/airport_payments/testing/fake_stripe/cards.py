"""Stripe's test cards: one row per number, with the names that stand for it and what it does.

Source: docs.stripe.com/testing as of August 2026, for the numbers and most names. The bank account
rows at the end and the `pm_usBankAccount_*` names are remembered, not confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

DisputeReason = Literal[
    "bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated", "debit_not_authorized",
    "duplicate", "fraudulent", "general", "incorrect_account_details", "insufficient_funds", "noncompliant",
    "product_not_received", "product_unacceptable", "subscription_canceled", "unrecognized",
]  # fmt: skip
ThreeDS = Literal["none", "optional", "required", "always", "unless_set_up", "set_up"]


@dataclass(frozen=True, slots=True)
class Decline:
    """How an attempt fails: what stands in the card error."""

    code: str
    decline_code: str | None
    message: str
    advice_code: str | None = "try_again_later"


GENERIC: Final = Decline("card_declined", "generic_decline", "Your card was declined.")
FUNDS: Final = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST: Final = Decline("card_declined", "lost_card", "Your card was declined.", "do_not_try_again")
STOLEN: Final = Decline("card_declined", "stolen_card", "Your card was declined.", "do_not_try_again")
VELOCITY: Final = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)
EXPIRED: Final = Decline("expired_card", None, "Your card has expired.", "do_not_try_again")
CVC: Final = Decline("incorrect_cvc", None, "Your card's security code is incorrect.", "confirm_card_data")
PROCESSING: Final = Decline(
    "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
)
NUMBER: Final = Decline("incorrect_number", None, "Your card number is incorrect.", "confirm_card_data")
FRAUDULENT: Final = Decline("card_declined", "fraudulent", "Your card was declined.", "do_not_try_again")
AUTHENTICATION: Final = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    None,
)
BANK_REFUSED: Final = Decline("payment_intent_payment_attempt_failed", None, "The bank refused the debit.", None)


@dataclass(frozen=True, slots=True)
class Card:
    """What one test number is and does.

    Attributes:
        number: The card number, or the IBAN or account number of a bank account.
        brand: As in `card.brand`; for other methods the method's type.
        names: What stands after `pm_card_` and, for the first, after `tok_` (with a lower-case beginning).
        decline: How a charge fails, if it does.
        three_ds: When the customer must authenticate.
        attaches: Whether a customer may save it; plain declines are refused there too.
        dispute: The reason of the dispute that follows a successful charge.
        inquiry: Whether that is only an inquiry.
        refund: What becomes of its refunds.
        delay: Seconds in `processing`, for methods that are not instant; None for a card.
    """

    number: str
    brand: str = "visa"
    names: tuple[str, ...] = ()
    decline: Decline | None = None
    three_ds: ThreeDS = "none"
    attaches: bool = True
    dispute: DisputeReason | None = None
    inquiry: bool = False
    dispute_count: int = 1
    refund: Literal["ok", "pending", "fail"] = "ok"
    funding: str = "credit"
    risk: tuple[str, int] = ("normal", 20)
    cvc_check: str = "pass"
    address_check: str | None = None
    fraud_warning: bool = False
    kind: str = "card"
    delay: int | None = None

    @property
    def last4(self) -> str:
        """Return the four digits that are shown."""
        return self.number[-4:]


def _declined(number: str, decline: Decline, *names: str) -> Card:
    return Card(number, names=names, decline=decline, attaches=False)


NEVER: Final = -1  # stays in processing until told otherwise

CARDS: Final = (
    Card("4242424242424242", names=("visa", "bypassPendingInternational")),
    Card("4000056655665556", names=("visa_debit",), funding="debit"),
    Card("5555555555554444", "mastercard", ("mastercard",)),
    Card("5200828282828210", "mastercard", ("mastercard_debit",), funding="debit"),
    Card("5105105105105100", "mastercard", ("mastercard_prepaid",), funding="prepaid"),
    Card("378282246310005", "amex", ("amex", "amex_threeDSecureNotSupported"), three_ds="optional"),
    Card("6011111111111117", "discover", ("discover",)),
    Card("3056930009020004", "diners", ("diners",)),
    Card("3566002020360505", "jcb", ("jcb",)),
    Card("6200000000000005", "unionpay", ("unionpay",)),
    Card("4000000000000077", names=("bypassPending",)),
    _declined("4000000000000002", GENERIC, "chargeDeclined", "visa_chargeDeclined"),
    _declined("4000000000009995", FUNDS, "chargeDeclinedInsufficientFunds", "visa_chargeDeclinedInsufficientFunds"),
    _declined("4000000000009987", LOST, "chargeDeclinedLostCard", "visa_chargeDeclinedLostCard"),
    _declined("4000000000009979", STOLEN, "chargeDeclinedStolenCard", "visa_chargeDeclinedStolenCard"),
    _declined(
        "4000000000006975",
        VELOCITY,
        "chargeDeclinedVelocityLimitExceeded",
        "visa_chargeDeclinedVelocityLimitExceeded",
    ),
    _declined("4000000000000069", EXPIRED, "chargeDeclinedExpiredCard", "visa_chargeDeclinedExpiredCard"),
    _declined("4000000000000127", CVC, "chargeDeclinedIncorrectCvc", "visa_chargeDeclinedIncorrectCvc"),
    _declined("4000000000000119", PROCESSING, "chargeDeclinedProcessingError", "visa_chargeDeclinedProcessingError"),
    _declined(
        "4100000000000019", FRAUDULENT, "radarBlock", "chargeDeclinedFraudulent", "visa_chargeDeclinedFraudulent"
    ),
    _declined("4242424242424241", NUMBER, "chargeDeclinedIncorrectNumber"),
    Card("4000000000000341", names=("chargeCustomerFail",), decline=GENERIC),
    Card("4000002500003155", names=("authenticationRequiredOnSetup",), three_ds="unless_set_up"),
    Card("4000002760003184", names=("authenticationRequired",), three_ds="always"),
    Card("4000003800000446", names=("authenticationRequiredSetupForOffSession",), three_ds="set_up"),
    Card(
        "4000008260003178",
        names=("authenticationRequiredChargeDeclinedInsufficientFunds",),
        three_ds="always",
        decline=FUNDS,
    ),
    Card("4000000000003220", names=("threeDSecure2Required",), three_ds="required"),
    Card("4000000000003063", names=("threeDSecureRequired",), three_ds="required"),
    Card("4000008400001629", names=("threeDSecureRequiredChargeDeclined",), three_ds="required", decline=GENERIC),
    Card("4000008400001280", names=("threeDSecureRequiredProcessingError",), three_ds="required", decline=PROCESSING),
    Card("4000000000003055", names=("threeDSecureOptional",), three_ds="optional"),
    Card("4000000000000259", names=("createDispute",), dispute="fraudulent"),
    Card("4000000000002685", names=("createDisputeProductNotReceived",), dispute="product_not_received"),
    Card("4000000000001976", names=("createDisputeInquiry",), dispute="general", inquiry=True),
    Card("4000000404000079", names=("createMultipleDisputes",), dispute="fraudulent", dispute_count=2),
    Card("4000000000005423", names=("createIssuerFraudRecord",), fraud_warning=True),
    Card("4000000000007726", names=("pendingRefund",), refund="pending"),
    Card("4000000000005126", names=("refundFail",), refund="fail"),
    Card("4000000000004954", names=("riskLevelHighest",), risk=("highest", 90)),
    Card("4000000000009235", names=("riskLevelElevated",), risk=("elevated", 70)),
    Card("4000000000000101", names=("cvcCheckFail",), cvc_check="fail"),
    Card("4000000000000010", names=("avsFail",), address_check="fail"),
    Card("4000000000000028", names=("avsLine1Fail",), address_check="fail"),
    Card("4000000000000036", names=("avsZipFail",), address_check="fail"),
    Card("4000000000000044", names=("avsUnchecked",), address_check="unavailable"),
)
_BANK_ACCOUNTS: Final = (
    Card("AT611904300234573201", "sepa_debit", kind="sepa_debit", delay=0),
    Card("AT321904300235473204", "sepa_debit", kind="sepa_debit", delay=180),
    Card("AT861904300235473202", "sepa_debit", kind="sepa_debit", delay=0, decline=BANK_REFUSED),
    Card("AT051904300235473205", "sepa_debit", kind="sepa_debit", delay=180, decline=BANK_REFUSED),
    Card("AT591904300235473203", "sepa_debit", kind="sepa_debit", delay=0, dispute="fraudulent"),
    Card("000123456789", "us_bank_account", ("success",), kind="us_bank_account", delay=180),
    Card("000000000009", "us_bank_account", ("processing",), kind="us_bank_account", delay=NEVER),
    Card("000222222227", "us_bank_account", ("insufficientFunds",), FUNDS, kind="us_bank_account", delay=180),
)  # fmt: skip

BY_NUMBER: Final = {card.number: card for card in (*CARDS, *_BANK_ACCOUNTS)}
BY_NAME: Final = {
    **{f"pm_card_{name}": card for card in CARDS for name in card.names},
    **{f"tok_{name}": card for card in CARDS for name in card.names},
    **{f"pm_{card.kind}_{name}": card for card in _BANK_ACCOUNTS for name in card.names},
    **{
        f"pm_usBankAccount_{name}": card
        for card in _BANK_ACCOUNTS
        if card.kind == "us_bank_account"
        for name in card.names
    },
}


def by_number(text: str) -> Card | None:
    """Find a test number, written with or without spaces."""
    return BY_NUMBER.get(text.replace(" ", "").replace("-", ""))
