"""Faults: what a scripted failure looks like, and which request it hits."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from airport_payments.testing.fake_stripe import errors

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from airport_payments.testing.fake_stripe.json_types import JsonObject


class FakeConnectionLostError(Exception):
    """The fake answers nothing: the connection is lost, or never came about."""


class FakeReadTimeoutError(Exception):
    """The fake answers nothing for longer than the client waits."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail. Make it with the class methods, or by hand for anything else.

    Attributes:
        status: The status to answer with; None to answer normally (with a delay) or not at all.
        body: The body to answer with.
        headers: More headers, for example `Stripe-Should-Retry`.
        silence: Answer nothing.
        stored: Keep the answer under the request's idempotency key, as Stripe does with a 500 of its own;
            otherwise it comes from in front of the API, and a repetition is not bound to it.
        delay_seconds: Wait before executing. The request's key is in use meanwhile.
        gate: Wait for this event (at most 30 seconds) before executing.
    """

    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    silence: Literal["connection", "timeout"] | None = None
    stored: bool = False
    delay_seconds: float = 0.0
    gate: threading.Event | None = None

    @property
    def fails(self) -> bool:
        """Say whether this replaces the answer, rather than only delay it."""
        return self.silence is not None or self.status is not None

    @classmethod
    def response(
        cls,
        status: int,
        error: JsonObject | None = None,
        *,
        stored: bool = False,
        should_retry: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Answer with a status and Stripe's error body.

        Args:
            status: The HTTP status.
            error: What stands under `error`; an `api_error` by default.
            stored: Whether the answer is kept under the idempotency key.
            should_retry: The value of `Stripe-Should-Retry`; None leaves the header out.
            headers: More headers.
        """
        body = json.dumps({"error": error or errors.api_error().error}).encode()
        retry = {} if should_retry is None else {"Stripe-Should-Retry": str(should_retry).lower()}
        return cls(status=status, body=body, headers={**retry, **(headers or {})}, stored=stored)

    @classmethod
    def server_error(cls, *, stored: bool = True, should_retry: bool | None = None) -> Fault:
        """Answer 500; by default it is stored and replayed, as Stripe's own are."""
        return cls.response(500, stored=stored, should_retry=should_retry)

    @classmethod
    def rate_limited(cls, *, lock_timeout: bool = False, should_retry: bool | None = None) -> Fault:
        """Answer 429, for too many requests or for an object that is locked."""
        return cls.response(429, errors.rate_limited(lock_timeout=lock_timeout).error, should_retry=should_retry)

    @classmethod
    def key_in_use(cls, *, should_retry: bool | None = None) -> Fault:
        """Answer 409 `idempotency_key_in_use`."""
        return cls.response(409, errors.key_in_use("the key").error, should_retry=should_retry)

    @classmethod
    def connection_lost(cls) -> Fault:
        """Lose the connection: before the effect nothing happened, after it the answer is lost."""
        return cls(silence="connection")

    @classmethod
    def read_timeout(cls) -> Fault:
        """Never answer."""
        return cls(silence="timeout")

    @classmethod
    def slow(cls, delay_seconds: float = 0.0, gate: threading.Event | None = None) -> Fault:
        """Answer normally, but late."""
        return cls(delay_seconds=delay_seconds, gate=gate)


@dataclass(slots=True)
class Injection:
    """A fault waiting for its requests.

    Attributes:
        times: How many more requests it will hit.
        skip: How many matching requests pass first.
        hits: How many it has hit.
    """

    fault: Fault
    method: str
    path: str
    after_effect: bool
    times: int
    skip: int = 0
    hits: int = 0

    @property
    def comes_before_keys(self) -> bool:
        """Say whether it strikes in front of the idempotency layer, as a 429 or a lost connection does."""
        return self.fault.fails and not self.after_effect and not self.fault.stored

    def takes(self, method: str, path: str) -> bool:
        """Say whether this request is hit, and count it."""
        if self.times <= 0 or self.method not in {"*", method} or not fnmatchcase(path, self.path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        self.hits += 1
        return True
