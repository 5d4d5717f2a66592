"""A create call against stripe-python's own, both on the same `stripe.HTTPClient` that does nothing."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime

import stripe
from tests.bench.events import SAMPLES
from tests.bench.measure import Figure, rounds

from airport_payments import Booking, Money, PaymentGateway, StripeSettings
from airport_payments.storage.memory import MemoryBookingRepository
from airport_payments.stripe_api.port import StripePort

KEY = "sk_test_" + "b" * 24
METADATA = {"airport_namespace": "airport", "airport_booking": "b-1", "airport_attempt": "a-1"}


class Idle(stripe.HTTPClient):
    """Answers every request with the same PaymentIntent."""

    name = "idle"

    def __init__(self, body: str) -> None:
        super().__init__()
        self.body = body

    def request(self, method: str, url: str, headers: object, post_data: object = None, **_: object):
        """Answer."""
        answer: tuple[str, int, Mapping[str, str]] = (self.body, 200, {"Request-Id": "req_1"})
        return answer


def _answer() -> str:
    """Return a PaymentIntent as Stripe sends it: the one of the sample event, not yet paid, with our metadata."""
    intent = json.loads((SAMPLES / "payment_intent.succeeded.4k.json").read_text())["data"]["object"]
    intent.update(status="requires_payment_method", amount=45099, amount_received=0, currency="usd", latest_charge=None)
    intent["metadata"] = METADATA
    return json.dumps(intent, indent=2)


def figures() -> list[Figure]:
    """Return the figure of a create call, all of our rules and the memory storage included."""
    body = _answer()
    document = json.loads(body)
    idle = Idle(body)
    price = Money(45099, "usd")
    settings = StripeSettings(KEY, "whsec_" + "b" * 32)
    # Each call pays a new booking and gets the same PaymentIntent: the repositories are told apart, so that is legal.
    numbers = iter(range(10**9))
    draw = random.Random(1)

    def gateway() -> PaymentGateway:
        port = StripePort(settings, transport=idle)
        return PaymentGateway(repository, settings, port=port, new_id=lambda: f"{draw.getrandbits(96):024x}")

    repository = MemoryBookingRepository()
    ours_gateway = gateway()

    def ours() -> None:
        booking_id = f"b-{next(numbers)}"
        repository.put_booking(Booking(booking_id, "alice", price))
        idle.body = body.replace(document["id"], "pi_" + booking_id.replace("-", "").rjust(16, "0"))
        ours_gateway.create_payment(booking_id, owner="alice", amount=price)

    client = stripe.StripeClient(KEY, http_client=idle)

    def theirs() -> None:
        idle.body = body.replace(document["id"], "pi_" + str(next(numbers)).rjust(16, "0"))
        client.v1.payment_intents.create(
            {
                "amount": 45099,
                "currency": "usd",
                "automatic_payment_methods": {"enabled": True},
                "metadata": METADATA,
            },
            {"idempotency_key": f"k-{datetime.now(UTC).timestamp()}"},
        )

    ratio, mine, other = rounds(ours, theirs, ours_n=60, theirs_n=60)
    detail = f"{mine:.0f} µs against {other:.0f} µs"
    return [
        Figure(
            "create_payment, memory storage", "payment_intents.create", ratio, "≥ 3 times less CPU", ratio >= 3, detail
        )
    ]
