"""What requests may name and this fake has none of: references to other parts of Stripe's API.

They are refused as Stripe refuses an id that it does not know, never ignored. What stands under `UNPLAYED` has a meaning
at Stripe that the fake does not play: it says so, in words of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airport_payments.testing.fake_stripe.errors import invalid_request, no_such

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.json_types import Obj

# By parameter: the kind of object that it names. The kinds' names in Stripe's messages are guessed.
STRANGERS: Final = {
    "confirmation_token": "confirmation_token",
    "customer_account": "account",
    "mandate": "mandate",
    "payment_method_configuration": "payment_method_configuration",
    "payout": "payout",
    "source": "token",
    "test_clock": "test_clock",
}
_OF_CUSTOMERS: Final = {
    "cash_balance": "balances of customers are",
    "tax": "taxes are",
    "tax_id_data": "taxes are",
}
# By endpoint: what it refuses, and why.
UNPLAYED: Final = {
    "POST /v1/payment_intents/{intent}/confirm": {"amount_to_confirm": "partial confirmations are"},
    "POST /v1/refunds": {
        "customer": "balances of customers are",
        "origin": "balances of customers are",
    },
    "POST /v1/payment_methods": {
        "customer": "payment methods cloned between accounts are",
        "payment_method": "payment methods cloned between accounts are",
    },
    "POST /v1/customers": _OF_CUSTOMERS,
    "POST /v1/customers/{customer}": _OF_CUSTOMERS,
}


def check_strangers(endpoint: str, params: Obj) -> None:
    """Refuse what names, or asks for, something that this fake does not have.

    Raises:
        StripeRefusal: `resource_missing`, or a message that begins with "FakeStripe".
    """
    for name, value in params.items():
        # The lines of a balance have a `source` that the fake has.
        ours = name == "source" and endpoint == "GET /v1/balance_transactions"
        if name in STRANGERS and value and not ours:
            raise no_such(STRANGERS[name], str(value), name, in_url=False)
        if name in UNPLAYED.get(endpoint, {}):
            raise invalid_request(f"FakeStripe: {UNPLAYED[endpoint][name]} not part of this fake.", param=name)
