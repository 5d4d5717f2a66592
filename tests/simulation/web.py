"""What a client meets: the four endpoints over HTTP, and everything else by the gateway's own methods.

The answers are read back into what the gateway returns and raises, from their bytes alone, so that the same judge looks at
them; and each has to be the contract's envelope.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from tests.simulation.oracle_answers import CANARY

from airport_payments.contract import Response
from airport_payments.contract_models import CONFIRM_PATH, CREATE_PATH, STATUS_PREFIX, WEBHOOK_PATH
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import CardDeclined, PaymentsError, TryAgain
from airport_payments.core.model import Booking, BookingStatus, IntentStatus
from airport_payments.core.money import Money
from airport_payments.core.secret import Secret
from airport_payments.core.views import ConfirmedPayment, CreatedPayment, PaymentReport, PaymentStatus
from airport_payments.endpoints import PaymentEndpoints
from airport_payments.endpoints_async import AsyncPaymentEndpoints

if TYPE_CHECKING:
    from tests.simulation.shop import Process

TOKEN = "token-of-"


def _owner(token: str) -> str:
    return token.removeprefix(TOKEN)


async def _owner_async(token: str) -> str:
    return _owner(token)


def _errors(kind: type[PaymentsError]) -> Iterator[tuple[str, type[PaymentsError]]]:
    for sub in kind.__subclasses__():
        yield sub.code, sub
        yield from _errors(sub)


# The first of each code: an error that is another's special case has its code, too.
ERRORS: dict[str, type[PaymentsError]] = {}
for _code, _kind in _errors(PaymentsError):
    ERRORS.setdefault(_code, _kind)


class Front:
    """A gateway behind its endpoints. What is no endpoint is the gateway's own.

    Args:
        process: whose gateway it is.
    """

    def __init__(self, process: "Process") -> None:
        self._gateway = process.gateway
        self._oracle = process.world.oracle
        self._sync = process.world.plan.colour == "sync"
        self._endpoints: Any = (
            PaymentEndpoints(process.gateway, _owner)
            if self._sync
            else AsyncPaymentEndpoints(process.gateway, _owner_async)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    # ---- the four ----

    def create_payment(self, booking_id: str, *, owner: str, amount: Money, idempotency_key: str | None = None) -> Any:
        # Python writes a Decimal's digits nowhere in JSON; a float of so few is exact, and is what a browser sends.
        body = {"bookingId": booking_id, "amount": float(amount.to_major()), "currency": amount.currency}
        headers = [] if idempotency_key is None else [("Idempotency-Key", idempotency_key)]
        return self._ask("POST", CREATE_PATH, headers, owner, body, _created)

    def confirm_payment(self, booking_id: str, payment_intent_id: str, *, owner: str) -> Any:
        body = {"bookingId": booking_id, "paymentIntentId": payment_intent_id}
        return self._ask("POST", CONFIRM_PATH, [], owner, body, _confirmed)

    def payment_status(self, booking_id: str, *, owner: str) -> Any:
        return self._ask("GET", STATUS_PREFIX + booking_id, [], owner, None, _reported)

    def handle_webhook(self, body: bytes, header: str | None) -> Any:
        headers = [] if header is None else [("Stripe-Signature", header)]
        return self._ask("POST", WEBHOOK_PATH, headers, None, body, _outcome)

    # ---- over HTTP ----

    def _ask(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        owner: str | None,
        body: Any,
        read: Callable[[dict[str, Any]], Any],
    ) -> Any:
        if owner is not None:
            headers.append(("Authorization", f"Bearer {TOKEN}{owner}"))
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        if self._sync:
            return self._read(self._endpoints.handle(method, path, headers, _halves(content)), read)
        return self._ask_async(method, path, headers, content, read)

    async def _ask_async(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        content: bytes,
        read: Callable[[dict[str, Any]], Any],
    ) -> Any:
        return self._read(await self._endpoints.handle(method, path, headers, _halves_async(content)), read)

    def _read(self, answer: Response, read: Callable[[dict[str, Any]], Any]) -> Any:
        """Return what an answer says, or raise the error that it is."""
        document = json.loads(answer.body)
        data = document["data"]
        shown = json.dumps({**document, "data": {**data, "clientSecret": None}})
        self._oracle.check(CANARY not in shown, "S12", "an answer shows a secret besides the client's own")
        if answer.status == 200:
            self._oracle.check(
                "error_message" not in data or not document["success"], "contract", "an error is a success"
            )
            return read(data)
        raise self._error(answer, document)

    def _error(self, answer: Response, document: dict[str, Any]) -> PaymentsError:
        code = document["data"]["error_code"]
        kind = CardDeclined if answer.status == 402 else ERRORS[code]
        error = kind.__new__(kind)
        error.args = (document["message"],)
        said = not document["success"] and document["data"]["error_message"] == document["message"]
        fits = answer.status == kind.http_status and (
            kind is CardDeclined or document["message"] == kind.public_message
        )
        again = any(name == "retry-after" for name, _ in answer.headers) == issubclass(kind, TryAgain)
        self._oracle.check(said and fits and again, "contract", f"{code} was answered as {answer.status}")
        return error


def _created(data: dict[str, Any]) -> CreatedPayment:
    amount = Money.from_major(Decimal(str(data["amount"])), data["currency"])
    return CreatedPayment(data["paymentIntentId"], Secret(data["clientSecret"]), IntentStatus(data["status"]), amount)


def _confirmed(data: dict[str, Any]) -> ConfirmedPayment:
    if data["paymentStatus"] == "completed":
        shown = data["booking"]
        price = Money.from_major(Decimal(str(shown["amount"])), shown["currency"])
        # Whose it is and how the PaymentIntent stands a client is not told.
        booking = Booking(shown["bookingId"], "unknown", price, BookingStatus(shown["status"]))
        return ConfirmedPayment(True, cast("IntentStatus", None), booking)
    secret = data["clientSecret"]
    nobody = Booking("unknown", "unknown", Money(100, "usd"))
    return ConfirmedPayment(
        False, IntentStatus(data["paymentStatus"]), nobody, None, Secret(secret) if secret is not None else None
    )


def _reported(data: dict[str, Any]) -> PaymentReport:
    stripe = data["stripeStatus"]
    return PaymentReport(
        PaymentStatus(data["paymentStatus"]),
        BookingStatus(data["bookingStatus"]),
        IntentStatus(stripe) if stripe is not None else None,
    )


def _outcome(data: dict[str, Any]) -> EventOutcome:
    return EventOutcome(data["outcome"])


def _halves(content: bytes) -> Iterator[bytes]:
    """A body arrives in pieces."""
    yield content[: len(content) // 2]
    yield content[len(content) // 2 :]


async def _halves_async(content: bytes) -> AsyncIterator[bytes]:
    for part in _halves(content):
        yield part
