"""The guide's four endpoints, for any framework: bytes and headers in, status and bytes out.

An adapter is only routing: it hands over method, path, headers and the body's chunks, and sends back what it gets.
"""

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import TypeAlias

from airport_payments.contract import (
    REQUEST_LIMIT_BYTES,
    WEBHOOK_LIMIT_BYTES,
    HeaderPairs,
    Headers,
    Response,
    Whole,
    bearer_token,
    booking_id_of,
    check_length,
    check_route,
    confirmed_answer,
    created_answer,
    customer_id,
    error_answer,
    idempotency_key,
    money_of,
    options_of,
    parse,
    signature,
    status_answer,
    webhook_answer,
)
from airport_payments.contract_models import (
    CONFIRM_PATH,
    CREATE_PATH,
    WEBHOOK_PATH,
    ConfirmPaymentRequest,
    CreatePaymentIntentRequest,
)
from airport_payments.core.errors import PayloadTooLarge
from airport_payments.core.options import PaymentOptions
from airport_payments.gateway_async import AsyncPaymentGateway
from airport_payments.parts import check_endpoint_parts

# Takes a bearer token and returns the customer's id, or raises `Unauthorized`.
AsyncAuthenticator: TypeAlias = Callable[[str], Awaitable[str]]
# Takes the customer's id and the booking's, and returns what their PaymentIntent gets beside its amount.
OptionsFor: TypeAlias = Callable[[str, str], Awaitable[PaymentOptions | None]]
# A request's body.
Chunks: TypeAlias = AsyncIterable[bytes] | Whole


class AsyncPaymentEndpoints:
    """Serves the HTTP contract over a gateway. Whatever arrives, the answer is the contract's envelope.

    Args:
        gateway: what takes the payments.
        authenticator: takes a bearer token and returns the customer's id, or raises `Unauthorized`.
        options: takes the customer's id and the booking's, and returns the `PaymentOptions` to open a PaymentIntent
            with: customer, receipt, metadata. It may be called for bookings that are not the customer's.

    Raises:
        ConfigurationError: a part is of another kind, or of the other colour: async where this is not, or the reverse.
    """

    def __init__(
        self, gateway: AsyncPaymentGateway, authenticator: AsyncAuthenticator, *, options: OptionsFor | None = None
    ) -> None:
        check_endpoint_parts(gateway, authenticator, options, asynchronous=True)
        self._gateway = gateway
        self._options = options
        self._authenticator = authenticator

    async def handle(
        self, method: str, path: str, headers: HeaderPairs, chunks: AsyncIterable[bytes] | bytes
    ) -> Response:
        """Answer one request.

        Args:
            method: the HTTP method.
            path: the path, percent-decoded, without the query.
            headers: names and values, as pairs or as a mapping; among pairs a name may come more than once.
            chunks: the body, whole or piece by piece. No more pieces are read than the limit lets in.

        Returns:
            Status, headers and body to send. Nothing is raised.
        """
        try:
            asked, body = Headers(headers), Whole(chunks) if isinstance(chunks, bytes) else chunks
            # Whoever reports an error may show the locals of its frames: from here on nothing names a token or the body.
            del headers, chunks
            return await self._answer(method, path, asked, body)
        except Exception as error:  # noqa: BLE001 - whatever happens, the answer is the envelope
            return error_answer(error)

    async def _answer(self, method: str, path: str, headers: Headers, chunks: Chunks) -> Response:
        endpoint = check_route(method, path)
        if endpoint == WEBHOOK_PATH:
            return await self._webhook(headers, chunks)
        owner = customer_id(await self._authenticator(bearer_token(headers)))
        if endpoint == CREATE_PATH:
            return await self._create(owner, headers, chunks)
        if endpoint == CONFIRM_PATH:
            return await self._confirm(owner, headers, chunks)
        return await self._status(owner, path)

    async def _create(self, owner: str, headers: Headers, chunks: Chunks) -> Response:
        asked = parse(await self._read(headers, chunks, REQUEST_LIMIT_BYTES), CreatePaymentIntentRequest)
        key = idempotency_key(headers)
        options = options_of(await self._options(owner, asked.booking_id)) if self._options is not None else None
        payment = await self._gateway.create_payment(
            asked.booking_id, owner=owner, amount=money_of(asked), idempotency_key=key, options=options
        )
        return created_answer(payment)

    async def _confirm(self, owner: str, headers: Headers, chunks: Chunks) -> Response:
        asked = parse(await self._read(headers, chunks, REQUEST_LIMIT_BYTES), ConfirmPaymentRequest)
        payment = await self._gateway.confirm_payment(asked.booking_id, asked.payment_intent_id, owner=owner)
        return confirmed_answer(payment)

    async def _status(self, owner: str, path: str) -> Response:
        return status_answer(await self._gateway.payment_status(booking_id_of(path), owner=owner))

    async def _webhook(self, headers: Headers, chunks: Chunks) -> Response:
        outcome = await self._gateway.handle_webhook(
            await self._read(headers, chunks, WEBHOOK_LIMIT_BYTES), signature(headers)
        )
        return webhook_answer(outcome)

    async def _read(self, headers: Headers, chunks: Chunks, limit: int) -> bytes:
        """Return the body, read no further than the limit."""
        check_length(headers, limit)
        if isinstance(chunks, Whole):
            return chunks.within(limit)
        parts: list[bytes] = []
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise PayloadTooLarge
            parts.append(chunk)
        return b"".join(parts)
