"""What both colours of the gateway share: everything but the waiting."""

import functools
import hashlib
import inspect
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Generic, NoReturn, TypeVar, cast

from airport_payments.core.announcements import Announcement, Deliver, Subscription
from airport_payments.core.commands import EnsureCustomer
from airport_payments.core.decide.draft import (
    CancelReply,
    Completed,
    NotCompleted,
    PaymentReply,
    Ready,
    RedeliverReply,
    RefundReply,
    Reply,
)
from airport_payments.core.errors import (
    BookingNotFound,
    ConfigurationError,
    FieldError,
    InternalError,
    InvalidRequest,
    Misconfigured,
    PaymentsError,
    RefundRefused,
    StripeUnavailable,
)
from airport_payments.core.facts import (
    CaptureRequested,
    ChargeRequested,
    CustomerSeen,
    PaymentRequested,
    PortReply,
    RedeliverRequested,
    RefundRequested,
    RefusalKind,
    Refused,
    Resolution,
    ResolveRequested,
    Unanswered,
)
from airport_payments.core.ids import (
    check_booking_id,
    check_by,
    check_idempotency_key,
    check_owner,
    check_payment_id,
    check_request_id,
    check_time,
)
from airport_payments.core.model import RequestKey
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions, check_email, check_options, check_payment_method
from airport_payments.core.refund import RefundReason, RefundState
from airport_payments.core.views import (
    Cancellation,
    CancelOutcome,
    ConfirmedPayment,
    CreatedPayment,
    PaymentDecision,
    RefundReport,
)

logger: Final = logging.getLogger("airport_payments")

# One call loads, decides and saves at most this often. Of thirty-two writers at once each loses at most thirty-one times.
MAX_ROUNDS: Final = 100
# After a lost race, wait a random part of this, growing, so that many writers do not collide again, in seconds.
PAUSE_FIRST_S: Final = 0.001
PAUSE_MOST_S: Final = 0.05

# One call for what waits for a person asks for so many due bookings at a time, so often at most, and reads their ledgers.
PAGE: Final = 100
MAX_PAGES_READ: Final = 10
# One tick looks after so many bookings at most.
MAX_TICK: Final = 1_000_000
# A worker that looks once a day at least still finds what is due. More is a mistake in the unit.
MAX_EVERY_S: Final = 86_400.0
# A subscriber's name is kept with each announcement that it is still to hear.
MAX_NAME: Final = 200

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


def request_of(
    owner: str, amount: Money, attempt_id: str, idempotency_key: str | None, options: PaymentOptions | None = None
) -> PaymentRequested:
    """Return the fact that a customer wants to pay. The key and the body are kept only as hashes."""
    if not _is_money(amount):
        raise InvalidRequest(FieldError("amount", 'a Money, such as Money.from_major("450.99", "USD")'))
    key = None
    if idempotency_key is not None:
        body = f"{amount.amount_minor} {amount.currency}"
        # Each caller has keys of their own, also where a booking changes hands. A key has no blanks.
        key = RequestKey(_digest(f"{check_idempotency_key(idempotency_key)} {check_owner(owner)}"), _digest(body))
    return PaymentRequested(check_owner(owner), amount, attempt_id, key, check_options(options))


def charge_request(
    owner: str, amount: Money, attempt_id: str, payment_method_id: str, options: PaymentOptions
) -> ChargeRequested:
    """Return the fact that the team wants to collect with a saved card."""
    asked = request_of(owner, amount, attempt_id, None, options)
    if asked.options is None or options.customer_id is None:
        raise InvalidRequest(FieldError("options", "customer_id is needed: a saved card belongs to a customer"))
    return ChargeRequested(asked.owner, amount, attempt_id, check_payment_method(payment_method_id), options)


def customer_request(namespace: str, owner: str, email: str | None) -> EnsureCustomer:
    """Return the command that finds or makes an owner's customer. Stripe is told a hash of our id, not the id."""
    hashed = _digest(check_owner(owner))
    email = None if email is None else check_email(email)
    return EnsureCustomer(hashed, namespace, email, f"{namespace}/{hashed}/customer/0")


def customer_of(reply: PortReply) -> str:
    """Return the customer's id that Stripe answered, or raise the error."""
    if isinstance(reply, CustomerSeen):
        return reply.customer_id
    if isinstance(reply, Refused) and reply.kind is RefusalKind.EMAIL:
        raise InvalidRequest(FieldError("email", "an e-mail address that Stripe takes"))
    if isinstance(reply, Refused):
        raise Misconfigured(f"Stripe refuses the customer: {reply.reason}")
    raise StripeUnavailable(reply.reason if isinstance(reply, Unanswered) else None)


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
        return ConfirmedPayment(completed=True, stripe_status=reply.status, booking=reply.booking)
    if not isinstance(reply, NotCompleted):
        _raise(reply)
    return ConfirmedPayment(
        completed=False,
        stripe_status=reply.status,
        booking=reply.booking,
        failure=reply.failure,
        client_secret=reply.client_secret,
    )


def refund_request(
    payment_id: str | None, amount: Money | None, reason: RefundReason | str, request_id: str, owner: str | None
) -> RefundRequested:
    """Return the fact that somebody wants money given back. The request id and what it asks for are kept as hashes."""
    if payment_id is not None:
        check_payment_id(payment_id)
    if amount is not None and not _is_money(amount):
        raise InvalidRequest(FieldError("amount", 'a Money, such as Money.from_major("450.99", "USD")'))
    try:
        why = RefundReason(reason)
    except ValueError:
        raise InvalidRequest(FieldError("reason", " or ".join(r.value for r in RefundReason))) from None
    asked = f"{payment_id} {amount.amount_minor} {amount.currency}" if amount is not None else f"{payment_id} all"
    request = (_digest(check_request_id(request_id)), _digest(asked))
    return RefundRequested(payment_id, amount, why, request, None if owner is None else check_owner(owner))


def capture_request(payment_id: str | None, amount: Money | None) -> CaptureRequested:
    """Return the fact that an authorised amount is to be collected."""
    if payment_id is not None:
        check_payment_id(payment_id)
    if amount is not None and not _is_money(amount):
        raise InvalidRequest(FieldError("amount", 'a Money, such as Money.from_major("450.99", "USD")'))
    return CaptureRequested(payment_id, amount)


def resolve_request(payment_id: str, resolution: Resolution | str, by: str) -> ResolveRequested:
    """Return the fact that a person decided about money in review."""
    try:
        decision = Resolution(resolution)
    except ValueError:
        raise InvalidRequest(FieldError("resolution", " or ".join(r.value for r in Resolution))) from None
    return ResolveRequested(check_payment_id(payment_id), decision, check_by(by))


def refunded(reply: Reply | None) -> RefundReport:
    """Return what `refund` returns, or raise its error."""
    if not isinstance(reply, RefundReply):
        _raise(reply)
    payment, refund = reply.payment, reply.refund
    if refund.state is RefundState.REFUSED:
        raise RefundRefused(refund.failure)
    currency = payment.currency
    return RefundReport(
        ref=refund.ref,
        refund_id=refund.refund_id,
        payment_intent_id=payment.intent_id or "",
        amount=Money(refund.amount_minor, currency),
        state=refund.state,
        rest=Money(max(payment.rest_minor, 0), currency),
        booking_status=reply.booking.status,
    )


def cancelled(reply: Reply | None) -> Cancellation:
    """Return what `cancel` returns, or raise its error."""
    if not isinstance(reply, CancelReply):
        _raise(reply)
    outcome = CancelOutcome.CANCELLED
    if any(p.payable for p in reply.payments):
        outcome = CancelOutcome.PROCESSING
    elif reply.payments:
        outcome = CancelOutcome.PAID
    return Cancellation(outcome, reply.booking)


def decided(reply: Reply | None) -> PaymentDecision:
    """Return what `resolve` and `capture` return, or raise their error."""
    if not isinstance(reply, PaymentReply):
        _raise(reply)
    payment = reply.payment
    received = Money(payment.received_minor, payment.currency)
    return PaymentDecision(payment.intent_id, payment.state, payment.place, received, reply.booking)


def redeliver_request(sequence: int) -> RedeliverRequested:
    """Return the fact that a person wants an announcement delivered after all."""
    if not _is_number(sequence) or sequence < 1:
        raise InvalidRequest(FieldError("sequence", "the announcement's number: 1 or more"))
    return RedeliverRequested(sequence)


def redelivered(reply: Reply | None) -> tuple[str, ...]:
    """Return what `redeliver` returns, or raise its error."""
    if not isinstance(reply, RedeliverReply):
        _raise(reply)
    return reply.subscribers


def check_page(after: str | None, limit: int) -> None:
    """Check what a list is asked for. Raises `InvalidRequest`."""
    if after is not None:
        check_booking_id(after)
    if not _is_number(limit) or not 1 <= limit <= PAGE * MAX_PAGES_READ:
        raise InvalidRequest(FieldError("limit", f"1 to {PAGE * MAX_PAGES_READ}"))


def check_tick(now: datetime | None, limit: int) -> None:
    """Check what a tick is asked for. Raises `InvalidRequest`."""
    if now is not None:
        check_time("now", now)
    if not _is_number(limit) or limit > MAX_TICK:
        raise InvalidRequest(FieldError("limit", f"a whole number up to {MAX_TICK}"))


def check_work(stop: object, every_s: float) -> None:
    """Check what ends a worker, and how often it is to look. Raises `InvalidRequest`."""
    if not callable(getattr(stop, "is_set", None)):
        raise InvalidRequest(
            FieldError("stop", "the event that ends it: threading.Event(), or asyncio.Event() if async")
        )
    if not _is_seconds(every_s) or not 0 < every_s <= MAX_EVERY_S:
        raise InvalidRequest(FieldError("every_s", f"seconds: more than 0, up to {MAX_EVERY_S:.0f}"))


def _is_seconds(value: object) -> bool:
    return isinstance(value, float) or _is_number(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _raise(reply: Reply | None) -> NoReturn:
    if isinstance(reply, PaymentsError):
        raise reply
    if reply is None:
        raise BookingNotFound
    raise InternalError(f"an unexpected reply ({type(reply).__name__})")


def taken(result: object) -> None:
    """Check what a handler of the synchronous gateway returned. Raises `ConfigurationError` for work that was not done."""
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise ConfigurationError("the handler returned an awaitable: nobody awaits it in a synchronous gateway")


def _is_kind(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Announcement)


class Handlers(Generic[Handler]):
    """The team's handlers, by the kind of announcement that they want to hear and the name of who hears it.

    `subscriptions` are those kinds and names, in the order in which they were registered.
    """

    def __init__(self, *, asynchronous: bool) -> None:
        self.subscriptions: tuple[Subscription, ...] = ()
        self._asynchronous = asynchronous
        self._handlers: list[Handler] = []

    def add(self, kind: type[Announcement], handler: Handler, name: str | None) -> Handler:
        """Register a handler under a name, None for its own.

        Raises:
            ConfigurationError: the handler is of the other colour, the kind or the name is none, or another handler of
                that name hears the same announcements.
        """
        if not _is_kind(kind):
            raise ConfigurationError("on(kind): kind is Announcement or one of its subclasses")
        # An object may be callable through an `async def __call__` of its class.
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
        if is_async is not self._asynchronous:
            wanted = "an async function: this gateway is async" if self._asynchronous else "a plain function"
            raise ConfigurationError(f"on({kind.__name__}): the handler has to be {wanted}")
        if not callable(handler):
            raise ConfigurationError(f"on({kind.__name__}): the handler has to be a function")
        name = _own_name(handler) if name is None else name
        if not _is_name(name):
            raise ConfigurationError(f"on({kind.__name__}): name is text of 1 to {MAX_NAME} characters")
        for other, taken_name in self.subscriptions:
            if taken_name == name and (issubclass(kind, other) or issubclass(other, kind)):
                raise ConfigurationError(
                    f"on({kind.__name__}): another handler named {name!r} hears {other.__name__}: give each a name=…"
                )
        self._handlers.append(handler)
        self.subscriptions = (*self.subscriptions, (kind, name))
        return handler

    def of(self, call: Deliver) -> Handler:
        """Return the handler to call. Raises `InternalError` if there is none."""
        for (kind, name), handler in zip(self.subscriptions, self._handlers, strict=False):
            if name == call.subscriber and isinstance(call.announcement, kind):
                return handler
        raise InternalError(f"there is no handler named {call.subscriber!r}")


def _own_name(handler: object) -> str:
    """Return a handler's default name: it has to be the same in every process, and after every restart."""
    while isinstance(handler, functools.partial):
        handler = cast("functools.partial[object]", handler).func
    named = handler if hasattr(handler, "__qualname__") else type(handler)
    return f"{named.__module__}.{getattr(named, '__qualname__', '')}"


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()
