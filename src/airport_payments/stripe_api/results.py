"""What one HTTP call to Stripe came to, and whether to send it again: pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from airport_payments.core.errors import PaymentsError
from airport_payments.core.evolve import quick

# Waits between the tries of one call, in seconds: the base, doubled each time, up to the cap, of which 50 to 100 % is drawn.
BACKOFF_FIRST_S: Final = 0.25
BACKOFF_MOST_S: Final = 2.0
# A request is waiting: a Retry-After beyond this is left to the saved command, which is sent again later.
RETRY_AFTER_MOST_S: Final = 3.0


class Unreadable(PaymentsError):
    """Stripe sent an object whose fields this version cannot read."""


# What makes something of a success's body. Raises `Unreadable`, or `ValueError` for what is no JSON at all.
Reader: TypeAlias = Callable[[str | bytes], object]


@quick
@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call to Stripe's API. `read` makes something of its answer."""

    method: str
    path: str
    params: Mapping[str, object]
    read: Reader
    idempotency_key: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class ApiResult:
    """What came of one call.

    Args:
        status: the HTTP status, None when there was no answer.
        found: what the request's `read` made of the answer when the status is 2xx, None when it is unreadable.
        error: Stripe's `error` object otherwise.
        replayed: Stripe answered from what it had stored under the idempotency key.
        should_retry: what Stripe's header advises, None when it is silent.
        retry_after_s: how long Stripe asks us to wait.
        reason: for the log, when there was no answer or it is unreadable.
        sent: False when the circuit was open.
    """

    status: int | None
    found: object = None
    error: Mapping[str, object] | None = None
    replayed: bool = False
    should_retry: bool | None = None
    retry_after_s: float | None = None
    reason: str = ""
    sent: bool = True

    def __repr__(self) -> str:
        return f"ApiResult(status={self.status}, reason={self.reason!r})"

    @property
    def ok(self) -> bool:
        """Whether Stripe did what was asked."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def down(self) -> bool:
        """Whether this speaks for a Stripe, or a network, that is down. A stored 500, replayed, does not: it is alive."""
        return self.sent and not self.replayed and (self.status is None or self.status >= 500)

    def field(self, name: str) -> str | None:
        """Return a text field of Stripe's error object."""
        value = self.error.get(name) if self.error else None
        return value if isinstance(value, str) else None

    @property
    def in_flight(self) -> bool:
        """Whether the same key is being worked on right now."""
        return self.status == 409 or self.field("code") == "idempotency_key_in_use"


def from_headers(
    status: int | None, headers: Mapping[str, str], *, found: object = None, error: object = None, reason: str = ""
) -> ApiResult:
    """Return the result of an answer with these headers, whose names are in any case."""
    lower = {name.lower(): value for name, value in headers.items()}
    advice = lower.get("stripe-should-retry")
    return ApiResult(
        status,
        found=found,
        error=cast("Mapping[str, object]", error) if isinstance(error, Mapping) else None,
        replayed=lower.get("idempotent-replayed") == "true",
        should_retry={"true": True, "false": False}.get(advice or ""),
        retry_after_s=_seconds(lower.get("retry-after")),
        reason=reason,
    )


def _seconds(text: str | None) -> float | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 6:
        return None
    return float(text)


def retry_delay_s(result: ApiResult, tries: int, max_tries: int, draw: float) -> float | None:
    """Return how long to wait before sending the same call again, None to stop.

    Args:
        result: what the last try came to.
        tries: how many there were.
        max_tries: how many there may be.
        draw: a random number from 0 to 1, so that many processes do not come back at once.
    """
    # A replayed answer is the one that this key will bring for a day.
    if result.ok or result.replayed or not result.sent or tries >= max_tries:
        return None
    advised = result.should_retry
    worth_it = result.status is None or result.status in {409, 429} or result.status >= 500
    if advised is False or not (worth_it or advised):
        return None
    wait = min(BACKOFF_FIRST_S * (1 << (tries - 1)), BACKOFF_MOST_S) * (0.5 + draw / 2)
    if result.retry_after_s is not None:
        if result.retry_after_s > RETRY_AFTER_MOST_S:
            return None
        wait = max(wait, result.retry_after_s)
    return wait
