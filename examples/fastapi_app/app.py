"""Payments in FastAPI: routing and nothing else. Start with `uvicorn examples.fastapi_app.app:app`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from airport_payments import AsyncPaymentEndpoints, AsyncPaymentGateway, StripeSettings
from airport_payments import contract_models as models
from airport_payments.storage.sqlalchemy import AsyncSqlAlchemyBookingRepository

from .. import airport
from .standin import stand_in

tokens = airport.Tokens()
engine = create_async_engine(airport.database_url(asynchronous=True))
bookings = AsyncSqlAlchemyBookingRepository(engine)
gateway = AsyncPaymentGateway(bookings, StripeSettings.from_env())
endpoints = AsyncPaymentEndpoints(gateway, tokens.customer_async)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
    """Create the tables, and do what is due in the background until the server stops."""
    await bookings.create_tables()
    stop = asyncio.Event()
    worker = asyncio.create_task(gateway.work(stop))
    yield
    stop.set()
    gateway.wake()
    await worker
    await gateway.close()
    await engine.dispose()


app = FastAPI(title="Airport payments", lifespan=lifespan, redirect_slashes=False)


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield the request's body piece by piece. Where the client goes away it ends, and what came is judged as it came."""
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            yield chunk


async def pay(request: Request) -> Response:
    """Hand a request over, and send back what comes."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    # As the server decoded it. `request.url` is put together again, and in some versions an encoded `?` cuts it short.
    result = await endpoints.handle(request.method, request.scope["path"], headers, pieces(request))
    return Response(result.body, result.status, dict(result.headers))


def route(path: str, method: str, answer: object, body: type[models.Body] | None = None) -> None:
    """Add one of the contract's endpoints, with its real models and errors on the OpenAPI page."""
    extra = {"requestBody": models.openapi_body(body)} if body else None
    secured = [] if path == models.WEBHOOK_PATH else [Depends(HTTPBearer(auto_error=False))]
    responses: dict[int | str, dict[str, Any]] = {
        200: {"model": answer},
        **models.openapi_errors(path.partition("{")[0]),
    }
    app.add_api_route(
        path, pay, methods=[method], responses=responses, dependencies=secured, openapi_extra=extra, response_model=None
    )


route(models.CREATE_PATH, "POST", models.PaymentIntentAnswer, models.CreatePaymentIntentRequest)
route(models.CONFIRM_PATH, "POST", models.CompletedAnswer | models.NotCompletedAnswer, models.ConfirmPaymentRequest)
route(models.STATUS_PREFIX + "{booking_id}", "GET", models.StatusAnswer)
route(models.WEBHOOK_PATH, "POST", models.WebhookAnswer)
app.include_router(stand_in(bookings, gateway, tokens))


@app.exception_handler(HTTPException)
async def refuse(_: Request, error: HTTPException) -> Response:
    """Answer what no route takes in the contract's envelope."""
    result = airport.refused(error.status_code, (error.headers or {}).get("Allow", ""))
    return Response(result.body, result.status, dict(result.headers))
