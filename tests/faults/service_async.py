"""The service of `tests.faults.service`, async: `uvicorn tests.faults.service_async:app`."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from tests.faults.service import (
    MAIL,
    SUBSCRIBERS,
    TICK_S,
    clock,
    customer,
    engine_of,
    mail_of,
    rows_of,
    staff_answer,
)

from airport_payments import (
    Announcement,
    AsyncPaymentEndpoints,
    AsyncPaymentGateway,
    Change,
    PaymentsError,
    StripeSettings,
)
from airport_payments.contract import error_answer
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository


async def on_save(connection: AsyncConnection, change: Change) -> None:
    for statement, values in rows_of(change):
        await connection.execute(statement, values)


def subscribe(gateway: AsyncPaymentGateway, engine: AsyncEngine, name: str) -> None:
    @gateway.on(Announcement, name=name)
    async def _write_down(told: Announcement) -> None:
        async with engine.begin() as connection:
            await connection.execute(MAIL, mail_of(name, told))


async def customer_async(token: str) -> str:
    return customer(token)


class App:
    """An ASGI application: the contract's endpoints, and three of our own."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()

    async def start(self) -> None:
        engine = engine_of(create_async_engine, os.environ["FAULTS_DRIVER"])
        repository = AsyncSqlAlchemyBookingRepository(engine, on_save=on_save)
        self.gateway = AsyncPaymentGateway(repository, StripeSettings.from_env(), clock=clock)
        self.endpoints = AsyncPaymentEndpoints(self.gateway, customer_async)
        for name in SUBSCRIBERS:
            subscribe(self.gateway, engine, name)
        self.worker = asyncio.create_task(self.gateway.work(self.stop, TICK_S))
        (Path(os.environ["FAULTS_PIDS"]) / str(os.getpid())).touch()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await self.start()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.stop.set()
            self.gateway.wake()
            await self.worker
            await send({"type": "lifespan.shutdown.complete"})
            return
        path = scope["path"]
        if path.startswith("/payment/"):
            headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
            result = await self.endpoints.handle(scope["method"], path, headers, _pieces(receive))
        else:
            try:
                body = b"".join([piece async for piece in _pieces(receive)])
                result = staff_answer(await self._staff(path, body))
            except PaymentsError as error:
                result = error_answer(error)
        found = [(name.encode(), value.encode()) for name, value in result.headers]
        await send({"type": "http.response.start", "status": result.status, "headers": found})
        await send({"type": "http.response.body", "body": result.body})

    async def _staff(self, path: str, body: bytes) -> object:
        if path == "/health":
            return os.getpid()
        asked = json.loads(body)
        if path == "/cancel":
            return (await self.gateway.cancel(asked["booking_id"])).outcome
        refund = await self.gateway.refund(asked["booking_id"], request_id=asked["request_id"])
        return [refund.refund_id, refund.state]


async def _pieces(receive: Any) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")


app = App()
