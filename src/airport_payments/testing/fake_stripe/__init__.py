"""A fake Stripe: stateful, at the level of HTTP, without a network.

It shares no code with the rest of airport_payments, so that it can judge it.
"""

from airport_payments.testing.fake_stripe.api import FakeResponse, LoggedRequest
from airport_payments.testing.fake_stripe.cards import BY_NAME, CARDS, Card
from airport_payments.testing.fake_stripe.errors import StripeRefusal
from airport_payments.testing.fake_stripe.fake import FakeStripe
from airport_payments.testing.fake_stripe.faults import FakeConnectionLostError, FakeReadTimeoutError, Fault, Injection
from airport_payments.testing.fake_stripe.server import FakeServer
from airport_payments.testing.fake_stripe.webhooks import Delivery, sign

__all__ = [
    "BY_NAME",
    "CARDS",
    "Card",
    "Delivery",
    "FakeConnectionLostError",
    "FakeReadTimeoutError",
    "FakeResponse",
    "FakeServer",
    "FakeStripe",
    "Fault",
    "Injection",
    "LoggedRequest",
    "StripeRefusal",
    "sign",
]
