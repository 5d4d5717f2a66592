"""The API without I/O: authentication, faults, idempotency, dispatch, answers.

A request is opened (its key is claimed), may then have to wait, and is closed (executed, its answer stored).
The one lock is held while opening and while closing, never while waiting: that is what makes a second request
with the same key meet a 409.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from airport_payments.testing.fake_stripe import errors, idempotency, routes, timers
from airport_payments.testing.fake_stripe.books import Books, Call
from airport_payments.testing.fake_stripe.constants import (
    API_VERSION,
    DEFAULT_ACCOUNT,
    FAULT_MAX_DELAY_SECONDS,
    MADE_UP_LIVE_KEY,
    MAX_ACCOUNTS,
    MAX_BODY_BYTES,
    MAX_LOG,
    MAX_TARGET_LENGTH,
    STRIPE_PAGES,
)
from airport_payments.testing.fake_stripe.errors import StripeRefusal
from airport_payments.testing.fake_stripe.expand import check as check_expansions
from airport_payments.testing.fake_stripe.expand import expanded
from airport_payments.testing.fake_stripe.faults import (
    FakeConnectionLostError,
    FakeReadTimeoutError,
    Fault,
    Injection,
)
from airport_payments.testing.fake_stripe.forms import Param, Params, decode_form, guessed
from airport_payments.testing.fake_stripe.ids import Ids
from airport_payments.testing.fake_stripe.validation import checked
from airport_payments.testing.fake_stripe.webhooks import DeliveryQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airport_payments.testing.fake_stripe.json_types import JsonValue, Obj

_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9]{1,64}\Z")
_LIVE: Final = ("sk_live_", "rk_live_", "pk_live_")
_NO_KEY: Final = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer "
    "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for "
    "details, or we can help at https://support.stripe.com/."
)


@dataclass(frozen=True, slots=True)
class FakeResponse:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request that the fake was asked.

    Attributes:
        status: The status of the answer; None if there was none.
        replayed: Whether the answer came from the idempotency layer.
    """

    method: str
    path: str
    params: Mapping[str, JsonValue]
    idempotency_key: str | None
    account: str
    status: int | None
    request_id: str
    replayed: bool = False


@dataclass(slots=True)
class Exchange:
    """One request on its way through the API."""

    method: str
    path: str
    text: str
    headers: Mapping[str, str]
    request_id: str
    key: str | None = None
    account: str = DEFAULT_ACCOUNT
    publishable: bool = False
    params: Params = field(default_factory=dict[str, "Param"])
    injection: Injection | None = None
    claimed: bool = False
    answer: FakeResponse | None = None

    @property
    def wait_seconds(self) -> float:
        """Return for how long this request must wait, within bounds."""
        return min(self.injection.fault.delay_seconds, FAULT_MAX_DELAY_SECONDS) if self.injection else 0.0

    @property
    def gate(self) -> threading.Event | None:
        """Return what this request must wait for."""
        return self.injection.fault.gate if self.injection else None


class Api:
    """All that the fake knows, and the one lock around it."""

    def __init__(
        self,
        api_key: str,
        publishable_key: str,
        clock: Callable[[], datetime] | None,
        seed: int,
        *,
        livemode: bool = False,
    ) -> None:
        self.api_key = api_key
        self.publishable_key = publishable_key
        self.seed = seed
        self.lock = threading.RLock()
        self.livemode = livemode
        self.accounts = {DEFAULT_ACCOUNT: Books(DEFAULT_ACCOUNT, livemode)}
        self.ids = Ids(seed)
        self.queue = DeliveryQueue()
        self.injections: list[Injection] = []
        self.log: deque[LoggedRequest] = deque(maxlen=MAX_LOG)
        self.offset_seconds = 0.0
        self.page_url = STRIPE_PAGES
        self.on_event: Callable[[], None] = lambda: None
        self._clock = clock or (lambda: datetime.now(UTC))

    def now(self) -> int:
        """Return the fake's time."""
        return int(self._clock().timestamp() + self.offset_seconds)

    def books(self, account: str = DEFAULT_ACCOUNT) -> Books:
        """Return an account's books; an account that was never heard of begins empty."""
        if account not in self.accounts:
            if len(self.accounts) >= MAX_ACCOUNTS:
                raise errors.invalid_request(
                    f"This fake has no room for more than {MAX_ACCOUNTS} accounts.", status=403
                )
            self.accounts[account] = Books(account, self.livemode)
        return self.accounts[account]

    def call(self, books: Books, exchange: Exchange | None = None, *, publishable: bool = False) -> Call:
        """Make the context of an operation."""
        return Call(
            books=books,
            ids=self.ids,
            now=self.now(),
            publish=self._publish,
            request_id=exchange.request_id if exchange else None,
            idempotency_key=exchange.key if exchange else None,
            publishable=exchange.publishable if exchange else publishable,
            page_url=self.page_url,
        )

    def run_due(self) -> None:
        """Let happen what is due: expiries, slow banks, refunds."""
        with self.lock:
            now = self.now()
            for books in self.accounts.values():
                timers.run_due(self.call(books), now)

    def open(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Exchange:
        """Take a request up to the point where it may have to wait."""
        lowered = {name.lower(): value for name, value in headers.items()}
        parts = urlsplit(target)
        with self.lock:
            exchange = Exchange(method.upper(), parts.path, "", lowered, f"req_{self.ids.text(14)}")
            exchange.injection = next(
                (item for item in self.injections if item.takes(exchange.method, parts.path)), None
            )
            try:
                exchange.text = _text(target, parts.query, body)
                self._identify(exchange)
                self._claim(exchange)
            except StripeRefusal as refusal:
                exchange.answer = self._refused(exchange, refusal)
        return exchange

    def close(self, exchange: Exchange) -> FakeResponse:
        """Execute a request, unless it has its answer already.

        Raises:
            FakeConnectionLostError: If a fault says so.
            FakeReadTimeoutError: If a fault says so.
        """
        with self.lock:
            try:
                answer = self._answer(exchange)
            except (FakeConnectionLostError, FakeReadTimeoutError):
                self._remember(exchange, None)
                raise
            finally:
                self._release(exchange)
            self._remember(exchange, answer)
        return answer

    def _answer(self, exchange: Exchange) -> FakeResponse:
        """Decide between the fault, the stored answer, a refusal, and the execution: in the order of Stripe's layers."""
        injection = exchange.injection
        if injection is None or not injection.fault.fails:
            return exchange.answer or self._execute(exchange, storing=True)
        fault = injection.fault
        if injection.comes_before_keys:
            return self._fail(exchange, fault)
        if exchange.answer is not None and (fault.stored or "Idempotent-Replayed" not in exchange.answer.headers):
            return exchange.answer
        if injection.after_effect and exchange.answer is None:
            self._execute(exchange, storing=not fault.stored)
        return self._fail(exchange, fault)

    def _fail(self, exchange: Exchange, fault: Fault) -> FakeResponse:
        if fault.silence == "connection":
            raise FakeConnectionLostError("the connection was lost")
        if fault.silence == "timeout":
            raise FakeReadTimeoutError("no answer in time")
        assert fault.status is not None  # noqa: S101 - a fault is silent or has a status, else it only waits
        if fault.stored and exchange.claimed:
            self._store(exchange, fault.status, fault.body.decode())
        return FakeResponse(fault.status, {**self._headers(exchange), **fault.headers}, fault.body)

    def _identify(self, exchange: Exchange) -> None:
        """Find out who asks, and on behalf of which account."""
        exchange.params = decode_form(exchange.text)
        in_form = exchange.params.get("key")
        key = _given_key(exchange.headers) or (in_form if isinstance(in_form, str) else "")
        if not key:
            raise errors.unauthorized(_NO_KEY)
        if key.startswith(_LIVE) and not (self.livemode and re.fullmatch(MADE_UP_LIVE_KEY, key)):
            raise errors.unauthorized("This is a fake Stripe: it takes no live keys. Use a test key.")
        exchange.publishable = key == self.publishable_key
        if key != self.api_key and not exchange.publishable:
            raise errors.unauthorized(
                f"Invalid API Key provided: {key[:8]}{'*' * 8}{key[-4:] if len(key) > 16 else ''}"
            )
        exchange.account = _account(exchange)
        self.books(exchange.account)

    def _claim(self, exchange: Exchange) -> None:
        """Claim the idempotency key; a stored answer becomes this request's answer."""
        key = exchange.headers.get("idempotency-key")
        if exchange.method != "POST" or not key:
            return
        exchange.key = key
        if exchange.injection is not None and exchange.injection.comes_before_keys:
            return
        request = idempotency.fingerprint(exchange.method, exchange.path, exchange.params)
        record = idempotency.begin(self.books(exchange.account), key, request, self.now())
        exchange.claimed = record is None
        if record is not None:
            replay = {"Idempotent-Replayed": "true", "Original-Request": record["request_id"]}
            headers = {**self._headers(exchange), **replay}
            exchange.answer = FakeResponse(record["status"], headers, record["body"].encode())

    def _execute(self, exchange: Exchange, *, storing: bool) -> FakeResponse:
        self.run_due()
        books = self.books(exchange.account)
        try:
            status, body = 200, self._perform(exchange, books)
        except StripeRefusal as refusal:
            answer = self._refused(exchange, refusal)
            if refusal.executed and exchange.claimed and storing:
                self._store(exchange, answer.status, answer.body.decode())
            return answer
        text = json.dumps(body, ensure_ascii=False)
        if exchange.claimed and storing:
            self._store(exchange, status, text)
        return FakeResponse(status, self._headers(exchange), text.encode())

    def _perform(self, exchange: Exchange, books: Books) -> Obj:
        route, object_id = routes.find(exchange.method, exchange.path)
        if exchange.publishable and not route.for_browsers:
            raise errors.unauthorized(
                "This API call cannot be made with a publishable API key. Please use a secret API key. You can find "
                "a list of your API keys at https://dashboard.stripe.com/account/apikeys.",
                code="secret_key_required",
            )
        params = checked(route.endpoint, exchange.params, from_browser=exchange.publishable)
        expand = params.pop("expand", [])
        check_expansions(route.kind, expand, listing=route.listing)
        answer = route.operation(self.call(books, exchange), unquote(object_id), params)
        if exchange.publishable:
            answer = routes.for_browser(answer)
        return expanded(books, answer, expand) if expand else answer

    def _refused(self, exchange: Exchange, refusal: StripeRefusal) -> FakeResponse:
        error = routes.hide_in_error(refusal.error) if exchange.publishable else refusal.error
        url = f"https://dashboard.stripe.com/test/logs/{exchange.request_id}?t={self.now()}"
        body = json.dumps({"error": {**error, "request_log_url": url}}, ensure_ascii=False)
        return FakeResponse(refusal.status, self._headers(exchange), body.encode())

    def _store(self, exchange: Exchange, status: int, body: str) -> None:
        assert exchange.key is not None  # noqa: S101 - claimed
        idempotency.finish(self.books(exchange.account), exchange.key, status, body, exchange.request_id)
        exchange.claimed = False

    def _release(self, exchange: Exchange) -> None:
        if exchange.claimed and exchange.key is not None:
            idempotency.release(self.books(exchange.account), exchange.key)

    def _headers(self, exchange: Exchange) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Date": format_datetime(datetime.fromtimestamp(self.now(), UTC), usegmt=True),
            "Request-Id": exchange.request_id,
            "Stripe-Version": exchange.headers.get("stripe-version", API_VERSION),
        }
        if exchange.key is not None:
            headers |= {"Idempotency-Key": exchange.key, "Original-Request": exchange.request_id}
        for name in ("Stripe-Account", "Stripe-Context"):
            if name.lower() in exchange.headers:
                headers[name] = exchange.headers[name.lower()]
        return headers

    def _remember(self, exchange: Exchange, answer: FakeResponse | None) -> None:
        params = {name: guessed(value) for name, value in exchange.params.items()}
        self.log.append(
            LoggedRequest(
                exchange.method,
                exchange.path,
                params,  # type: ignore[arg-type]  # lists and mappings of strings are JSON
                exchange.key,
                exchange.account,
                answer.status if answer else None,
                exchange.request_id,
                replayed=answer is not None and "Idempotent-Replayed" in answer.headers,
            )
        )

    def _publish(self, books: Books, event: Obj) -> None:
        self.queue.publish(books, event, self.accounts[DEFAULT_ACCOUNT])
        self.on_event()


def _text(target: str, query: str, body: bytes) -> str:
    if len(target) > MAX_TARGET_LENGTH or len(body) > MAX_BODY_BYTES:
        raise errors.invalid_request("Request too large.", status=413)
    try:
        form = body.decode()
    except UnicodeDecodeError:
        raise errors.invalid_request("Invalid UTF-8 in the request body.") from None
    return f"{query}&{form}" if query and form else query or form


def _account(exchange: Exchange) -> str:
    """Return whose books a request is about.

    `Stripe-Context` supersedes `Stripe-Account` (docs.stripe.com/context); of a path such as `acct_1/acct_2` the
    last account is meant. What Stripe says to both headers at once is not known; here they must agree.
    """
    in_form = exchange.params.get("_stripe_account")
    account = exchange.headers.get("stripe-account") or (in_form if isinstance(in_form, str) else "")
    context = exchange.headers.get("stripe-context", "")
    path = context.split("/") if context else []
    if not all(_ACCOUNT.match(part) for part in [*path, *([account] if account else [])]):
        raise errors.invalid_request("The provided account is not valid.", code="account_invalid", status=403)
    if path and account and path[-1] != account:
        raise errors.invalid_request("Stripe-Account and Stripe-Context name different accounts.")
    return path[-1] if path else account or DEFAULT_ACCOUNT


def _given_key(headers: Mapping[str, str]) -> str:
    """Return the API key of `Authorization: Bearer` or `Basic` (the key is the user name)."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
