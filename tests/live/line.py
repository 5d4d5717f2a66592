"""The line to one side, FakeStripe or Stripe: every call is counted, paced, kept within a budget, and its answer kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

# A sandbox takes 25 calls a second in all (docs.stripe.com/rate-limits).
CALLS_PER_SECOND = 15
# A whole run makes about 600, and asks again where it waits for something; more than this is a mistake of ours, not to be
# had out on somebody's account.
MAX_CALLS = 1500
MAX_SECONDS = 1200.0
# What it may still take to clean up when that was reached, or somebody pressed Ctrl-C.
CLEAN_UP_CALLS = 50
CLEAN_UP_SECONDS = 60.0
TIMEOUT_S = 30.0
# Stripe cancels no PaymentIntent that is over.
_OPEN = {"requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"}


class OutOfBudget(BaseException):
    """Too many calls, or too long: nothing between here and the runner may hold it up."""


class Stopped(Exception):
    """Something went so wrong that the rest of a scenario makes no sense. Its text is ours, and holds no value of Stripe's."""


@dataclass(frozen=True)
class Answer:
    """What came back: the body is what its JSON says, or None."""

    status: int
    headers: dict[str, str]
    body: object

    def __getitem__(self, name: str):
        if not isinstance(self.body, dict) or name not in self.body:
            raise Stopped(f"no field {name}")
        return self.body[name]

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def error(self) -> dict:
        found = self.body.get("error") if isinstance(self.body, dict) else None
        return found if isinstance(found, dict) else {}


@dataclass
class Line:
    """Hooks of an httpx client.

    Args:
        clock, sleep: a monotonic time in seconds, and a wait.
        paced: whether to keep to `CALLS_PER_SECOND` and to the budget: what is in this process need not.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    paced: bool = True
    calls: int = 0
    last: Answer | None = None
    open_intents: dict[str, None] = field(default_factory=dict)
    customers: dict[str, None] = field(default_factory=dict)
    _next: float = 0.0
    _ends: float = 0.0
    _extra: int = 0

    def client(self, transport: httpx.BaseTransport | None = None, *, trust_env: bool = False) -> httpx.Client:
        hooks = {"request": [self._before], "response": [self._after]}
        return httpx.Client(transport=transport, trust_env=trust_env, timeout=TIMEOUT_S, event_hooks=hooks)

    def _before(self, request: httpx.Request) -> None:
        del request
        now = self.clock()
        self._ends = self._ends or now + MAX_SECONDS
        if self.paced:
            if self.calls >= MAX_CALLS + self._extra or now > self._ends:
                raise OutOfBudget(
                    f"stopped after {self.calls} calls: at most {MAX_CALLS}, in {MAX_SECONDS:.0f} seconds"
                )
            if now < self._next:
                self.sleep(self._next - now)
            self._next = max(now, self._next) + 1 / CALLS_PER_SECOND
        self.calls += 1
        self.last = None

    def allow_cleaning_up(self) -> None:
        """Let a run that is over still close what it left open."""
        self._extra = self.calls - min(self.calls, MAX_CALLS) + CLEAN_UP_CALLS
        self._ends = self.clock() + CLEAN_UP_SECONDS

    def _after(self, response: httpx.Response) -> None:
        content = response.read()
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        self.last = Answer(response.status_code, dict(response.headers), body)
        self._note(body)
        self._note(self.last.error.get("payment_intent"))

    def _note(self, obj: object) -> None:
        """Remember what has to be cleaned up."""
        if not isinstance(obj, dict) or not isinstance(obj.get("id"), str):
            return
        if obj.get("object") == "payment_intent":
            if obj.get("status") in _OPEN:
                self.open_intents[obj["id"]] = None
            else:
                self.open_intents.pop(obj["id"], None)
        elif obj.get("object") == "customer":
            if obj.get("deleted"):
                self.customers.pop(obj["id"], None)
            else:
                self.customers[obj["id"]] = None
