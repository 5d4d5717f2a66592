"""What a scenario may do: ask one side of the comparison, and say what has to come back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import stripe

from airport_payments import Booking, Money, PaymentGateway, StripeSettings
from airport_payments.core.secret import Secret
from airport_payments.storage.memory import MemoryBookingRepository
from airport_payments.stripe_api.client import stripe_client
from airport_payments.stripe_api.http_client import HttpxTransport
from airport_payments.stripe_api.port import StripePort
from airport_payments.stripe_api.signature import sign

from .line import Answer, Line, Stopped
from .shapes import schema_problems, shape_of

TAG = "airport_payments_live"
# Ours: events are pulled and signed here, so nobody else has to know it.
WEBHOOK_SECRET = "whsec_signed_and_verified_on_this_machine"
POLL_SECONDS = 2.0
_ERROR_WORDS = ("type", "code", "decline_code", "param")


@dataclass
class Step:
    """One step on one side.

    Attributes:
        says: words of the answer: the status, an error's type and codes, what the scenario looked at.
        wanted: what they have to be.
        shape: the fields of the answer, by path; None if it is not compared.
        broken: where the answer breaks Stripe's schema.
        depends: on what the answer depends besides Stripe; then a difference is a note.
    """

    name: str
    says: dict[str, object] = field(default_factory=dict)
    wanted: dict[str, object] = field(default_factory=dict)
    shape: Mapping[str, frozenset[str]] | None = None
    kind: str = ""
    broken: list[str] = field(default_factory=list)
    depends: str = ""


@dataclass
class Side:
    """Who is asked: FakeStripe, or Stripe.

    Args:
        name: as it stands in what is printed.
        line: counts and keeps.
        transport: None: the network.
        api_base: where it is.
        key: the secret key.
        sleep: waits, in seconds.
        now: the side's time.
        run: marks everything that this run makes.
        is_fake: whether it is FakeStripe in this process, which knows accounts that nobody made.
    """

    name: str
    line: Line
    client: object
    api_base: str
    key: Secret
    sleep: Callable[[float], None]
    now: Callable[[], datetime]
    run: str
    is_fake: bool = False

    def settings(self, key: Secret | str | None = None, **given: object) -> StripeSettings:
        return StripeSettings(key or self.key, WEBHOOK_SECRET, api_base=self.api_base, **given)

    def stripe(self, key: Secret | str | None = None) -> stripe.StripeClient:
        """Return stripe-python, over our own transport."""
        return stripe_client(self.settings(key), HttpxTransport(client=self.client))


def wants(status: int = 200, **words: object) -> dict[str, object]:
    """Return what an answer has to say: its status, and `type`, `code`, `decline_code`, `param`, `object`, `is`."""
    return {"HTTP status": status, **words}


class Stage:
    """One scenario on one side. Each method's first argument names the step, the same on both sides."""

    def __init__(self, scenario: str, side: Side) -> None:
        self.scenario = scenario
        self.side = side
        self.steps: dict[str, Step] = {}
        self._stripe = side.stripe()

    # ---- asking ----

    def post(self, step: str, path: str, params: Mapping[str, object] | None = None, **given: object) -> Answer:
        """Make a POST; see `ask`. What it makes carries the run's mark."""
        params = dict(params or {})
        if path in {"payment_intents", "customers", "refunds"}:
            params["metadata"] = {TAG: self.side.run, **params.get("metadata", {})}
        return self.ask(step, "post", path, params, **given)

    def get(self, step: str, path: str, params: Mapping[str, object] | None = None, **given: object) -> Answer:
        """Make a GET; see `ask`."""
        return self.ask(step, "get", path, params, **given)

    def ask(
        self,
        step: str,
        method: str,
        path: str,
        params: Mapping[str, object] | None = None,
        *,
        status: int = 200,
        words: Mapping[str, object] | None = None,
        items: bool = True,
        depends: str = "",
        **options: object,
    ) -> Answer:
        """Make a call, and record it.

        Args:
            step: its name.
            method, path, params: what; the path without `/v1/`.
            status, words: what has to come back; words that are not named may be anything, if both sides say the same.
            items: whether the elements of a list are compared.
            depends: on what else the answer depends.
            options: `key` (of idempotency), `account`, `api_key`.
        """
        answer = self.quietly(method, path, params, **options)
        self._record(Step(step, wanted=wants(status, **(words or {})), depends=depends), answer, items=items)
        if answer.ok != (status < 300):
            raise Stopped(f"{step} was answered with {answer.status}")
        return answer

    def quietly(
        self,
        method: str,
        path: str,
        params: Mapping[str, object] | None = None,
        *,
        key: str | None = None,
        account: str | None = None,
        api_key: str | None = None,
    ) -> Answer:
        """Make a call of which nothing is recorded."""
        client = self._stripe if api_key is None else self.side.stripe(api_key)
        options = {"idempotency_key": key, "stripe_account": account}
        named = {name: value for name, value in options.items() if value is not None}
        self.side.line.last = None
        with contextlib.suppress(stripe.StripeError):
            client.raw_request(method, f"/v1/{path}", **(params or {}), **named)
        if self.side.line.last is None:
            raise Stopped(f"no answer to {method.upper()} {path.split('/', maxsplit=1)[0]}")
        return self.side.line.last

    def _record(self, step: Step, answer: Answer, *, items: bool) -> None:
        body = answer.body if isinstance(answer.body, dict) else {}
        step.kind = "error" if answer.error else str(body.get("object", ""))
        step.says = {"HTTP status": answer.status, **{name: answer.error.get(name) for name in _ERROR_WORDS}}
        step.says |= {"object": body.get("object"), "is": body.get("status")}
        step.says["schema"] = None
        step.broken = schema_problems(answer.body, stripe.api_version)
        step.shape = shape_of(answer.body, items=items)
        self._add(step)

    def _add(self, step: Step) -> None:
        assert step.name not in self.steps, f"two steps of {self.scenario} are called {step.name}"
        self.steps[step.name] = step

    def check(self, step: str, found: object, wanted: object, *, depends: str = "") -> None:
        """Record what a scenario looked at: a word or a truth, no text of Stripe's and no id."""
        self._add(Step(step, {"it": found}, {"it": wanted}, depends=depends))

    def look(self, step: str, obj: Mapping[str, object], **words: object) -> None:
        """Record an object that was not an answer by itself, such as an event of a list."""
        self._record(Step(step, wanted=wants(**words)), Answer(200, {}, dict(obj)), items=True)

    def until(
        self, step: str, ask: Callable[[], Answer], holds: Callable[[Answer], bool], *, seconds: float = 90.0
    ) -> Answer:
        """Ask again until something holds, and record whether it ever did."""
        answer, waited = ask(), 0.0
        while not holds(answer) and waited < seconds:
            self.side.sleep(POLL_SECONDS)
            waited += POLL_SECONDS
            answer = ask()
        self.check(step, holds(answer), True)
        if not holds(answer):
            raise Stopped(f"{step}: not within {seconds:.0f} seconds")
        return answer

    def key(self, name: str) -> str:
        """Return an idempotency key that no other run has."""
        return f"{self.side.run}/{self.scenario}/{name}"

    # ---- our own gateway ----

    def shop(self, *, price: Money = Money(4500, "usd"), **settings: object) -> Shop:
        """Return a gateway with one booking, over this side."""
        return Shop(self, price, settings)

    # ---- the end ----

    def clean_up(self) -> None:
        """Cancel what is open and delete the customers; what was paid stays, as a test's money is nobody's."""
        line = self.side.line
        for intent in list(line.open_intents):
            line.open_intents.pop(intent)
            self.quietly("post", f"payment_intents/{intent}/cancel")
        for customer in list(line.customers):
            line.customers.pop(customer)
            self.quietly("delete", f"customers/{customer}")


class Shop:
    """A database with one booking, and the real PaymentGateway over one side."""

    def __init__(self, stage: Stage, price: Money, settings: Mapping[str, object]) -> None:
        side = stage.side
        self.stage, self.price, self.now = stage, price, side.now
        self.owner = f"{side.run}-owner"
        self.booking_id = "BK-live"
        self.memory = MemoryBookingRepository([Booking(self.booking_id, self.owner, price)])
        self.settings = side.settings(namespace=side.run, timeout_s=30.0, **settings)
        port = StripePort(self.settings, client=side.client, sleep=side.sleep)
        self.gateway = PaymentGateway(self.memory, self.settings, port=port, clock=side.now, sleep=side.sleep)

    @property
    def status(self) -> str:
        return self.memory.booking(self.booking_id).status.value

    def create(self, **given: object) -> str:
        """Open the PaymentIntent, and return its id."""
        return self.gateway.create_payment(
            self.booking_id, owner=self.owner, amount=self.price, **given
        ).payment_intent_id

    def confirm(self, intent: str) -> object:
        return self.gateway.confirm_payment(self.booking_id, intent, owner=self.owner)

    def deliver(self, event: Mapping[str, object]) -> str:
        """Sign an event as Stripe would, hand it to the gateway, and return what became of it."""
        import json

        body = json.dumps(event).encode()
        header = sign(body, WEBHOOK_SECRET, timestamp=int(self.now().timestamp()))
        return self.gateway.handle_webhook(body, header).value
