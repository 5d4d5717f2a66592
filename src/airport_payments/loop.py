"""What both colours of the gateway share: everything but the waiting."""

import hashlib
import inspect
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Generic, NoReturn, TypeVar

from airport_payments.core.announcements import Announcement
from airport_payments.core.decide.draft import Completed, Decision, NotCompleted, Ready, Reply
from airport_payments.core.decide.route import Ignore
from airport_payments.core.errors import (
    BookingNotFound,
    ConfigurationError,
    FieldError,
    InternalError,
    InvalidRequest,
    InvalidSignature,
    Misconfigured,
    PaymentsError,
)
from airport_payments.core.facts import IntentView, PaymentRequested, Refused
from airport_payments.core.ids import check_idempotency_key, check_owner
from airport_payments.core.model import IntentStatus, RequestKey
from airport_payments.core.money import Money
from airport_payments.core.views import ConfirmedPayment, CreatedPayment

logger: Final = logging.getLogger("airport_payments")

# One call loads, decides and saves at most this often. Of thirty-two writers at once each loses at most thirty-one times.
MAX_ROUNDS: Final = 100
# After a lost race, wait a random part of this, growing, so that many writers do not collide again, in seconds.
PAUSE_FIRST_S: Final = 0.001
PAUSE_MOST_S: Final = 0.05

Handler = TypeVar("Handler", bound=Callable[..., object])


def utc_now() -> datetime:
    """Return the present, aware UTC."""
    return datetime.now(UTC)


def new_attempt_id() -> str:
    """Return a random id: two databases may share a Stripe account, and a restored one repeats its numbers."""
    return secrets.token_hex(12)


def pause_s(conflicts: int, draw: float) -> float:
    """Return how long to wait after so many lost races; `draw` is a random number from 0 to 1."""
    return draw * min(PAUSE_FIRST_S * (1 << min(conflicts, 10)), PAUSE_MOST_S)


def request_of(owner: str, amount: Money, attempt_id: str, idempotency_key: str | None) -> PaymentRequested:
    """Return the fact that a customer wants to pay. The key and the body are kept only as hashes."""
    if not _is_money(amount):
        raise InvalidRequest(FieldError("amount", 'a Money, such as Money.from_major("450.99", "USD")'))
    key = None
    if idempotency_key is not None:
        body = f"{amount.amount_minor} {amount.currency}"
        key = RequestKey(_digest(check_idempotency_key(idempotency_key)), _digest(body))
    return PaymentRequested(check_owner(owner), amount, attempt_id, key)


def _is_money(value: object) -> bool:
    return isinstance(value, Money)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def created(reply: Reply | None) -> CreatedPayment:
    """Return what `create_payment` returns, or raise its error."""
    if not isinstance(reply, Ready):
        _raise(reply)
    if reply.view.client_secret is None:
        raise InternalError("Stripe answered without a client secret")
    return CreatedPayment(reply.view.id, reply.view.client_secret, reply.view.status, reply.amount)


def confirmed(reply: Reply | None) -> ConfirmedPayment:
    """Return what `confirm_payment` returns, or raise its error."""
    if isinstance(reply, Completed):
        return ConfirmedPayment(completed=True, stripe_status=IntentStatus.SUCCEEDED, booking=reply.booking)
    if not isinstance(reply, NotCompleted):
        _raise(reply)
    return ConfirmedPayment(
        completed=False,
        stripe_status=reply.status,
        booking=reply.booking,
        failure=reply.failure,
        client_secret=reply.client_secret,
    )


def _raise(reply: Reply | None) -> NoReturn:
    if isinstance(reply, PaymentsError):
        raise reply
    if reply is None:
        raise BookingNotFound
    raise InternalError(f"an unexpected reply ({type(reply).__name__})")


def log_problem(booking_id: str, decision: Decision) -> None:
    """Log what went wrong at Stripe, also where nobody waits for the reply."""
    problem = decision.problem
    if problem is not None:
        level = logging.ERROR if isinstance(problem, Misconfigured) else logging.WARNING
        logger.log(level, "booking %r: %s: %s", booking_id, problem.code, problem)


def log_ignored(event_id: str, event_type: str, ignored: Ignore) -> None:
    """Log an event that is not ours; loudly, where it says that something is set up wrongly."""
    level = logging.ERROR if ignored.alarm else logging.DEBUG
    logger.log(level, "event %.64r (%.64r) ignored: %s", event_id, event_type, ignored.reason)


def refuse_constants(body: bytes) -> None:
    """Refuse a signed body with NaN or Infinity: it is not JSON. Raises `InvalidSignature`."""
    from airport_payments.stripe_api.wire import has_constants  # noqa: PLC0415 - loads pydantic, which importing must not

    if has_constants(body):
        raise InvalidSignature("the body is not JSON")


def unreadable(event_id: str, seen: IntentView | None) -> InternalError:
    """Return the error for an event whose object even Stripe's present version does not let us read."""
    what = "its object cannot be read" if seen is None else "its object cannot be placed"
    return InternalError(f"event {event_id:.64}: {what}; is this version of airport-payments too old?")


def refused_fetch(event_id: str, refused: Refused) -> Misconfigured:
    """Return the error for an event whose object Stripe does not let us see: it is sent again once that is mended."""
    return Misconfigured(f"event {event_id:.64}: Stripe refuses to show its object ({refused.reason})")


def taken(result: object) -> None:
    """Check what a handler of the synchronous gateway returned. Raises `ConfigurationError` for work that was not done."""
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise ConfigurationError("the handler returned an awaitable: nobody awaits it in a synchronous gateway")


def _is_kind(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Announcement)


class Handlers(Generic[Handler]):
    """The team's handlers, by the kind of announcement that they want to hear."""

    def __init__(self, *, asynchronous: bool) -> None:
        self._asynchronous = asynchronous
        self._handlers: list[tuple[type[Announcement], Handler]] = []

    def add(self, kind: type[Announcement], handler: Handler) -> Handler:
        """Register a handler. Raises `ConfigurationError` for one of the other colour, or a kind that is none."""
        if not _is_kind(kind):
            raise ConfigurationError("on(kind): kind is Announcement or one of its subclasses")
        # An object may be callable through an `async def __call__` of its class.
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
        if is_async is not self._asynchronous:
            wanted = "an async function: this gateway is async" if self._asynchronous else "a plain function"
            raise ConfigurationError(f"on({kind.__name__}): the handler has to be {wanted}")
        if not callable(handler):
            raise ConfigurationError(f"on({kind.__name__}): the handler has to be a function")
        self._handlers.append((kind, handler))
        return handler

    def of(self, announcement: Announcement) -> list[Handler]:
        """Return the handlers that want to hear this, in the order in which they were registered."""
        return [handler for kind, handler in self._handlers if isinstance(announcement, kind)]
