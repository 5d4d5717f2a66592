"""What may be shown of a declined card."""

from typing import Final

from airport_payments.core.model import Failure

# Stripe asks to present these exactly as a generic decline (docs.stripe.com/declines/codes): telling a thief that the card
# is reported stolen puts the cardholder at risk.
HIDDEN: Final = frozenset({"fraudulent", "lost_card", "stolen_card", "lost_or_stolen_card", "merchant_blacklist"})
GENERIC_CODE: Final = "card_declined"
GENERIC_DECLINE: Final = "generic_decline"
GENERIC_MESSAGE: Final = "Your card was declined."
# Messages are Stripe's, for customers; this bounds what we store of them.
MAX_MESSAGE: Final = 500


def presentable(code: str, decline_code: str | None, message: str, charge_id: str | None) -> Failure:
    """Return a failure that is safe to show, store and announce."""
    if code in HIDDEN or decline_code in HIDDEN:
        return Failure(GENERIC_CODE, GENERIC_MESSAGE, GENERIC_DECLINE, charge_id)
    return Failure(code[:100], message[:MAX_MESSAGE], decline_code[:100] if decline_code else None, charge_id)
