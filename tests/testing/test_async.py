"""stripe-python's async methods work against the fake, too."""

from __future__ import annotations

import asyncio

import httpx
import stripe

from airport_payments.testing import FakeStripe


class AsyncTransportClient(stripe.HTTPClient):
    name = "test"

    def __init__(self, transport):
        super().__init__()
        self.client = httpx.AsyncClient(transport=transport)

    async def request_async(self, method, url, headers, post_data=None):
        answer = await self.client.request(method, url, headers=headers, content=post_data)
        return answer.content, answer.status_code, answer.headers

    async def close_async(self):
        await self.client.aclose()


def test_stripe_python_creates_pays_and_pages_asynchronously():
    fake = FakeStripe()

    async def run():
        http_client = AsyncTransportClient(fake.async_transport())
        v1 = stripe.StripeClient("sk_test_fake", http_client=http_client).v1
        given = {"amount": 2000, "currency": "usd"}
        made = await asyncio.gather(*(v1.payment_intents.create_async(given) for _ in range(5)))
        fake.pay(made[0].id)
        paid = await v1.payment_intents.retrieve_async(made[0].id, {"expand": ["latest_charge"]})
        listed = [item.id async for item in (await v1.payment_intents.list_async({"limit": 2})).auto_paging_iter()]
        await http_client.close_async()
        return paid.latest_charge.paid, sorted(listed) == sorted(item.id for item in made)

    assert asyncio.run(run()) == (True, True)
