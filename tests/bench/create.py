"""A create call against stripe-python's own, both on the same `stripe.HTTPClient` that does nothing."""

import json
from collections.abc import Mapping, Sequence
from itertools import count

import stripe
from tests.bench.events import SAMPLES
from tests.bench.measure import Figure, rounds

from airport_payments import Booking, Money, PaymentGateway, StripeSettings
from airport_payments.storage.memory import MemoryBookingRepository
from airport_payments.stripe_api.port import StripePort

KEY = "sk_test_" + "b" * 24
# Of one length for every call, so that both sides read an answer of the same size.
BOOKING_ID, ATTEMPT_ID, INTENT_ID = "b-{:06}", "{:024x}", "pi_{:016}"
METADATA = {
    "airport_namespace": "airport", "airport_booking": BOOKING_ID.format(0), "airport_attempt": ATTEMPT_ID.format(0),
}  # fmt: skip
CALLS, ROUNDS = 60, 31
# What a PaymentIntent gets only later, or from parameters that neither side sends. Each object among them costs
# stripe-python what our rules cost, so they would flatter us.
NOT_YET = (
    "customer", "description", "payment_method", "receipt_email", "shipping", "statement_descriptor_suffix", "transfer_group",
)  # fmt: skip
NEVER = ("hooks", "payment_details", "presentment_details")


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


def _answers(methods: Sequence[str], number: int) -> list[str]:
    """Return what Stripe answers to each create, for an account that has these payment methods switched on."""
    intent = json.loads((SAMPLES / "payment_intent.succeeded.4k.json").read_text())["data"]["object"]
    intent.update(status="requires_payment_method", amount=45099, amount_received=0, currency="usd", latest_charge=None)
    intent.update(dict.fromkeys(NOT_YET), id=INTENT_ID.format(0), metadata=METADATA, payment_method_types=list(methods))
    intent["payment_method_options"] = {name: intent["payment_method_options"][name] for name in methods}
    body = json.dumps({name: value for name, value in intent.items() if name not in NEVER}, indent=2)
    bodies = []
    for n in range(number):
        answer = body
        for mark in (BOOKING_ID, ATTEMPT_ID, INTENT_ID):
            answer = answer.replace(mark.format(0), mark.format(n))
        bodies.append(answer)
    return bodies


def figures() -> list[Figure]:
    """Return the figures of a create call, all of our rules and the memory storage included.

    Two, because stripe-python's time grows with the answer and ours does not: it has an object for each payment method.
    """
    many = ("card", "bancontact", "klarna", "link", "paypal", "revolut_pay", "multibanco", "amazon_pay")
    return [_figure("eight payment methods", many), _figure("card and Link", ("card", "link"))]


def _figure(name: str, methods: Sequence[str]) -> Figure:
    total = CALLS * ROUNDS
    answers = _answers(methods, total)
    idle = Idle(answers[0])
    price = Money(45099, "usd")
    settings = StripeSettings(KEY, "whsec_" + "b" * 32)
    # Each call pays a booking of its own, which was there before, and gets a PaymentIntent of its own.
    repository = MemoryBookingRepository([Booking(BOOKING_ID.format(n), "alice", price) for n in range(total)])
    port = StripePort(settings, transport=idle)
    attempts, numbers, others = count(), count(), count()
    gateway = PaymentGateway(repository, settings, port=port, new_id=lambda: ATTEMPT_ID.format(next(attempts)))

    def ours() -> None:
        number = next(numbers)
        idle.body = answers[number]
        gateway.create_payment(BOOKING_ID.format(number), owner="alice", amount=price)

    client = stripe.StripeClient(KEY, http_client=idle)

    def theirs() -> None:
        number = next(others)
        idle.body = answers[number]
        client.v1.payment_intents.create(
            {
                "amount": 45099,
                "currency": "usd",
                "automatic_payment_methods": {"enabled": True},
                "metadata": METADATA,
            },
            {"idempotency_key": f"airport/{number:024}/create/0"},
        )

    ratio, mine, other = rounds(ours, theirs, ours_n=CALLS, theirs_n=CALLS, number=ROUNDS)
    detail = f"{mine:.0f} µs against {other:.0f} µs"
    name = f"create_payment, memory storage, an answer with {name}"
    return Figure(name, "payment_intents.create", ratio, "≥ 3 times less CPU", ratio >= 3, detail)
