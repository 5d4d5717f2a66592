import asyncio

import httpx
import pytest
import respx
from tests.support import API_KEY, WEBHOOK_SECRET

from airport_payments.settings import StripeSettings
from airport_payments.stripe_api.port import StripePort
from airport_payments.stripe_api.port_async import AsyncStripePort


class PortHarness:
    """The real port over the real stripe-python, in one colour, on an injected httpx client whose network is respx."""

    def __init__(self, colour: str) -> None:
        self.asynchronous = colour == "async"
        self.settings = StripeSettings(API_KEY, WEBHOOK_SECRET)
        self.router = respx.Router(assert_all_called=False, base_url="https://api.stripe.com")
        self.runner = asyncio.Runner()
        self.slept: list[float] = []
        self.now_s = 0.0
        if self.asynchronous:
            self.client = httpx.AsyncClient(transport=httpx.MockTransport(self.router.async_handler), trust_env=False)
            self.port_class, sleep = AsyncStripePort, self._sleep_async
        else:
            self.client = httpx.Client(transport=httpx.MockTransport(self.router.handler), trust_env=False)
            self.port_class, sleep = StripePort, self.slept.append
        self.port = self.port_class(
            self.settings, client=self.client, sleep=sleep, clock=lambda: self.now_s, draw=lambda: 1.0
        )

    async def _sleep_async(self, seconds: float) -> None:
        self.slept.append(seconds)

    def run(self, outcome):
        return self.runner.run(outcome) if self.asynchronous else outcome

    def perform(self, command):
        return self.run(self.port.perform(command))

    def answer(self, *answers, method: str = "POST", path: str = "/v1/payment_intents") -> respx.Route:
        """Let Stripe answer these, one after another, the last again and again."""
        given = list(answers)

        def answer(_request):
            now = given.pop(0) if len(given) > 1 else given[0]
            if isinstance(now, Exception):
                raise now
            return now

        return self.router.request(method, path).mock(side_effect=answer)

    @property
    def requests(self) -> list[httpx.Request]:
        return [call.request for call in self.router.calls]

    def close(self) -> None:
        self.run(self.port.close())
        self.run(self.client.aclose() if self.asynchronous else self.client.close())
        self.runner.close()


@pytest.fixture(params=["sync", "async"])
def harness(request):
    harness = PortHarness(request.param)
    yield harness
    harness.close()
