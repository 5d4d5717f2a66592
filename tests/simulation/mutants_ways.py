"""Deliberate faults that only show in runs that go another way: through the endpoints. The simulator has to notice each."""

from typing import Any

from tests.simulation.mutant import Patches, mutant

from airport_payments import endpoints, endpoints_async
from airport_payments.contract import webhook_answer
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import TryAgain

# ---- through the endpoints ----


@mutant()
def the_endpoints_take_everyone_for_the_owner() -> Patches:
    """Who asks is who the authenticator says."""
    return [(part, "customer_id", lambda _: "alice") for part in (endpoints, endpoints_async)]


@mutant()
def the_endpoints_acknowledge_what_was_not_saved() -> Patches:
    """Rule 10: 2xx means committed."""
    real, real_async = endpoints.PaymentEndpoints._webhook, endpoints_async.AsyncPaymentEndpoints._webhook

    def webhook(self: Any, headers: Any, chunks: Any) -> Any:
        try:
            return real(self, headers, chunks)
        except TryAgain:
            return webhook_answer(EventOutcome.UNCHANGED)

    async def webhook_async(self: Any, headers: Any, chunks: Any) -> Any:
        try:
            return await real_async(self, headers, chunks)
        except TryAgain:
            return webhook_answer(EventOutcome.UNCHANGED)

    return [
        (endpoints.PaymentEndpoints, "_webhook", webhook),
        (endpoints_async.AsyncPaymentEndpoints, "_webhook", webhook_async),
    ]
