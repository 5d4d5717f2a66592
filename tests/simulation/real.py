"""The second level: the real port over the real stripe-python, which meets FakeStripe over a transport of this world."""

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import httpx
from tests.simulation.books import Intent
from tests.simulation.money import DISPUTE_DEEDS, REFUND_DEEDS, Aftermath, Dispute, Refund
from tests.simulation.plan import MINUTE
from tests.simulation.sched import Task, drive, switch
from tests.simulation.wrapped import EFFECTS, GIVE_UP, MEDDLING, stall_ms

from airport_payments.core.commands import Command, Fetch
from airport_payments.core.decide.route import HANDLED
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.facts import IntentSeen, PortReply, Refused
from airport_payments.core.model import IntentStatus
from airport_payments.core.refund import RefundState
from airport_payments.stripe_api.lists import ListPage, ListReply
from airport_payments.stripe_api.port import StripePort
from airport_payments.stripe_api.port_async import AsyncStripePort
from airport_payments.testing import FakeStripe, Fault
from airport_payments.testing.fake_stripe.api import FakeResponse
from airport_payments.testing.fake_stripe.constants import DEFAULT_ACCOUNT
from airport_payments.testing.fake_stripe.errors import StripeRefusal

if TYPE_CHECKING:
    from tests.simulation.shop import Process
    from tests.simulation.world import World

# A debit that stays in processing until the bank is asked to answer.
SLOW_DEBIT = "pm_usBankAccount_processing"
SAVED_CARDS = {"good": "pm_card_visa", "asks": "pm_card_authenticationRequired", "bad": "pm_card_chargeCustomerFail"}
MONEY_DEEDS = frozenset({"dashboard_refund", "dispute", "inquire"})
CARDS = {"pay": "4242424242424242", "decline": "4000000000000002", "ask": "4000002760003184", "process": SLOW_DEBIT}


class RealStripe:
    """FakeStripe, as the world uses it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.fake = FakeStripe("sk_test_CANARYKEY00", clock=lambda: world.start + world.elapsed(), seed=world.plan.seed)
        self.account = world.plan.account or DEFAULT_ACCOUNT
        self._events = 0
        self._seen: dict[str, tuple[Any, ...]] = {}
        self._failures: dict[str, int] = {}
        self._saved: dict[str, str] = {}
        self._customer = ""
        self.charged: dict[tuple[str, str, str], set[str]] = defaultdict(set)

    def _objects(self, kind: str) -> dict[str, Any]:
        return self.fake._api.books(self.account).objects[kind]

    def intents(self) -> list[Intent]:
        return [self._intent(obj) for obj in list(self._objects("payment_intent").values())]

    def get(self, intent_id: str) -> Intent | None:
        obj = self._objects("payment_intent").get(intent_id)
        return self._intent(obj) if obj else None

    def _intent(self, obj: Any) -> Intent:
        marks = obj["metadata"]
        intent = _Shown(
            obj["id"], IntentStatus(obj["status"]), obj["amount"], obj["currency"], marks["airport_namespace"],
            marks["airport_booking"], marks["airport_attempt"], 0, obj["amount_received"],
            failures=self._failures.get(obj["id"], 0), manual=obj["capture_method"] == "manual",
            money=self._money(obj["id"]),
        )  # fmt: skip
        intent.object = obj
        return intent

    def _money(self, intent_id: str) -> Aftermath:
        """What became of an intent's money, in the words of this world's books."""
        money = Aftermath()
        for obj in self._objects("refund").values():
            if obj["payment_intent"] == intent_id:
                marks = obj["metadata"]
                money.refunds.append(Refund(
                    obj["id"], intent_id, obj["amount"], obj["currency"], RefundState(obj["status"]),
                    marks.get("airport_namespace"), marks.get("airport_refund"),
                ))  # fmt: skip
        for obj in self._objects("dispute").values():
            if obj["payment_intent"] == intent_id:
                money.disputes.append(Dispute(
                    obj["id"], intent_id, obj["charge"], obj["amount"], obj["currency"], DisputeStatus(obj["status"]),
                    obj["is_charge_refundable"], 0,
                ))  # fmt: skip
        return money

    def port(self, process: "Process") -> Any:
        if self.world.plan.colour == "sync":
            client = httpx.Client(transport=SyncTransport(process), trust_env=False)
            inner: Any = StripePort(
                process.shop.settings, client=client, sleep=process.sleep_sync, clock=self._monotonic, draw=self._draw
            )
            return SyncChecked(process, inner)
        async_client = httpx.AsyncClient(transport=Transport(process), trust_env=False)
        return Checked(
            process,
            AsyncStripePort(
                process.shop.settings, client=async_client, sleep=_sleep, clock=self._monotonic, draw=self._draw
            ),
        )

    def saved(self, card: str) -> tuple[str, str]:
        """Return a customer of the shop and a card of theirs: good, asks or bad; or one that nobody has."""
        if not self._customer:
            self._customer = json.loads(self._post("/v1/customers", b"").body)["id"]
        if card not in SAVED_CARDS:
            return self._customer, "pm_nobodys"
        if card not in self._saved:
            path = f"/v1/payment_methods/{SAVED_CARDS[card]}/attach"
            form = f"customer={self._customer}".encode()
            self._saved[card] = json.loads(self._post(path, form).body)["id"]
        return self._customer, self._saved[card]

    def keys_repeat(self) -> None:
        """A database was put back: FakeStripe refuses a key with other parameters by itself."""

    def _monotonic(self) -> float:
        return self.world.sched.now / 1000

    def _draw(self) -> float:
        task = self.world.sched.current
        return task.random() if task is not None else 0.5

    def look(self) -> None:
        """Pass on what changed in the fake's books since the last time, and its new events."""
        world = self.world
        for event in list(self._objects("event").values())[self._events :]:
            self._events += 1
            if event["type"] == "payment_intent.payment_failed":
                intent_id = event["data"]["object"]["id"]
                self._failures[intent_id] = self._failures.get(intent_id, 0) + 1
            obj = event["data"]["object"]
            self._note_money(obj)
            if event["type"] in HANDLED:
                intent_id = obj["id"] if obj["object"] == "payment_intent" else obj["payment_intent"]
                intent = self.get(intent_id)
                if intent is not None:
                    world.deliveries.publish(event["type"], obj, intent)
        for intent in self.intents():
            money = tuple((m.id, str(m.status)) for m in (*intent.money.refunds, *intent.money.disputes))
            now = (str(intent.status), intent.amount, money)
            if self._seen.get(intent.id) != now:
                self._seen[intent.id] = now
                world.stripe_changed(intent, ())

    def _note_money(self, obj: Any) -> None:
        """One call may move a refund or a dispute twice: each of its events shows one of the steps."""
        if obj["object"] in {"refund", "dispute"}:
            kind = RefundState if obj["object"] == "refund" else DisputeStatus
            self.world.oracle.note_status(obj["id"], kind(obj["status"]))

    def deed(self, who: str, object_id: str, deed: str, amount: int = 0) -> bool:
        self.world.trace(who, "%s %s%s", deed.replace("_", " "), object_id, f" ({amount})" if amount else "")
        if object_id.startswith("pi_") and deed not in MONEY_DEEDS:
            return self._deed(object_id, deed, amount)
        try:
            self._move_money(object_id, deed, amount)
        except (StripeRefusal, ValueError):
            return False
        finally:
            self.look()
        return True

    def _move_money(self, object_id: str, deed: str, amount: int) -> None:
        """Do something to collected money. Raises `StripeRefusal` or `ValueError` where Stripe does not let anyone."""
        fake = self.fake
        if deed in REFUND_DEEDS:
            if self._objects("refund")[object_id]["status"] not in REFUND_DEEDS[deed][0]:
                raise ValueError
            {"settle_refund": fake.settle_refund, "fail_refund": fake.fail_refund, "cancel_refund": fake.cancel_refund}[
                deed
            ](object_id, account=self.account)
        elif deed in DISPUTE_DEEDS:
            if self._objects("dispute")[object_id]["status"] not in DISPUTE_DEEDS[deed][0]:
                raise ValueError
            if deed == "escalate":
                fake.escalate_dispute(object_id, account=self.account)
            elif deed in {"answer", "answer_inquiry"}:
                fake.answer_dispute(object_id, account=self.account)
            else:
                outcome = {"drop_inquiry": "warning_closed", "win": "won", "lose": "lost"}[deed]
                fake.close_dispute(object_id, outcome, account=self.account)
        elif deed == "dashboard_refund":
            fake.refund(object_id, amount or None, account=self.account)
        elif any(d.status != "warning_closed" for d in self._money(object_id).disputes):
            raise ValueError
        else:
            fake.dispute(object_id, inquiry=deed == "inquire", account=self.account)

    def _deed(self, intent_id: str, deed: str, amount: int) -> bool:
        fake, status = self.fake, self._objects("payment_intent")[intent_id]["status"]
        waits = {"authenticate": "requires_action", "fail_to_authenticate": "requires_action",
                 "settle": "processing", "bounce": "processing", "dashboard_capture": "requires_capture"}  # fmt: skip
        if waits.get(deed, status) != status:
            return False
        try:
            if deed in CARDS:
                fake.pay(intent_id, CARDS[deed], account=self.account)
            elif deed in {"authenticate", "fail_to_authenticate"}:
                fake.authenticate(intent_id, deed == "authenticate", account=self.account)
            elif deed in {"settle", "bounce"}:
                fake.settle(intent_id, succeed=deed == "settle", account=self.account)
            elif deed == "expire":
                fake.expire(intent_id, account=self.account)
            elif deed == "dashboard_capture":
                self._post(
                    f"/v1/payment_intents/{intent_id}/capture", b"amount_to_capture=%d" % amount if amount else b""
                )
            elif deed == "dashboard_cancel":
                self._post(f"/v1/payment_intents/{intent_id}/cancel", b"")
            elif deed == "edit_amount":
                amount = self._objects("payment_intent")[intent_id]["amount"] + 100
                self._post(f"/v1/payment_intents/{intent_id}", b"amount=%d" % amount)
        except (StripeRefusal, ValueError):
            return False
        finally:
            self.look()
        return True

    def _post(self, path: str, body: bytes) -> FakeResponse:
        headers = {"Authorization": "Bearer sk_test_CANARYKEY00"}
        if self.world.plan.account is not None:
            headers["Stripe-Account"] = self.account
        return self.fake.handle("POST", path, headers, body)


class _Shown(Intent):
    """An intent of the fake's books, with the object as an event carries it."""

    object: Any

    @property
    def secret(self) -> str:
        return str(self.object["client_secret"])

    def as_json(self) -> dict[str, Any]:
        return dict(self.object)


async def _sleep(seconds: float) -> None:
    await switch(int(seconds * 1000) + 1)


def begin(process: "Process", command: Command | Fetch) -> None:
    """Note what a process is about to ask."""
    process.world.oracle.performed(process, command)
    process.world.sched.current.command = command


def end(process: "Process", command: Command | Fetch, reply: PortReply) -> None:
    """Note what it was answered, and when that was so at Stripe. Of a stored answer nobody here knows when."""
    task = process.world.sched.current
    seen = reply.seen if isinstance(reply, Refused) else reply
    if isinstance(seen, IntentSeen):
        attempt_id = getattr(command, "attempt_id", None)
        task.seen = None if seen.replayed or attempt_id is None else (attempt_id, task.reached_at)
    process.world.oracle.replied(command, reply)


class Checked:
    """The real port; the oracle sees its commands."""

    def __init__(self, process: "Process", port: Any) -> None:
        self._process = process
        self._port = port

    async def perform(self, command: Command | Fetch) -> PortReply:
        begin(self._process, command)
        reply: PortReply = await self._port.perform(command)
        end(self._process, command, reply)
        return reply

    async def page(self, command: ListPage) -> ListReply:
        reply: ListReply = await self._port.page(command)
        return reply

    async def close(self) -> None:
        """The client is the world's."""


class SyncChecked:
    def __init__(self, process: "Process", port: Any) -> None:
        self._process = process
        self._port = port

    def perform(self, command: Command | Fetch) -> PortReply:
        begin(self._process, command)
        reply: PortReply = self._port.perform(command)
        end(self._process, command, reply)
        return reply

    def page(self, command: ListPage) -> ListReply:
        reply: ListReply = self._port.page(command)
        return reply

    def close(self) -> None:
        """The client is the world's."""


class Transport(httpx.AsyncBaseTransport):
    """The network between stripe-python and Stripe, for one process."""

    def __init__(self, process: "Process") -> None:
        self.process = process
        self.world = process.world
        self.stripe: RealStripe = process.world.stripe

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        world = self.world
        task = world.sched.current
        site = "post" if request.method == "POST" else "get"
        task.called_at = world.sched.now
        fate = world.fates.draw(site)
        await switch(20 + int(task.random() * 200))
        await self._before(fate, task)
        if world.fates.within("stripe_down") or fate in {"timeout_before", "cut_before"}:
            await switch(GIVE_UP if fate != "cut_before" else 50)
            world.trace(task.name, "%s %s does not reach Stripe", request.method, request.url.path)
            raise httpx.ConnectError("the connection was lost", request=request)
        task.reached_at = world.sched.now
        if site == "post" and isinstance(task.command, EFFECTS):
            world.oracle.sent(self.process.shop, task.command)
        if fate == "late":
            delay = int(task.random() * 10 * MINUTE)
            world.sched.at(world.sched.now + delay, lambda: self._handle(request, None))
            await switch(GIVE_UP)
            raise httpx.ReadTimeout("no answer in time", request=request)
        answer = self._handle(request, fate)
        await switch(40 + int(task.random() * 300))
        if fate == "crash_after_call":
            self.process.die(f"after {request.method} {request.url.path}")
        if fate in {"timeout_after", "cut_after"}:
            world.trace(task.name, "the answer to %s %s is lost", request.method, request.url.path)
            await switch(GIVE_UP if fate == "timeout_after" else 50)
            raise httpx.ReadTimeout("no answer in time", request=request)
        return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body, request=request)

    async def _before(self, fate: str | None, task: Task) -> None:
        if fate == "crash_before_call":
            self.process.die("before a call")
        if fate == "stall":
            await switch(stall_ms(task.random()))
        elif fate in MEDDLING:
            self.world.meddle(fate, self.process.shop, "")

    def _handle(self, request: httpx.Request, fate: str | None) -> Any:
        world, fake = self.world, self.stripe.fake
        plan, whose = world.plan, [request.headers.get(name) for name in ("stripe-account", "stripe-context")]
        named = [None if plan.context else plan.account, plan.context]
        world.oracle.check(whose == named, "S9", f"{request.method} {request.url.path} is for {whose}")
        fault = {
            "error_500_before": (Fault.server_error(), False),
            "error_500_late": (Fault.server_error(), False),
            "error_500_after": (Fault.server_error(), True),
            "error_503": (Fault.response(503), False),
            "rate_limited": (Fault.rate_limited(), False),
            "in_flight": (Fault.key_in_use(), False),
            "refused": (Fault.response(400, {"type": "invalid_request_error", "message": "not now"}), False),
            "bad_key": (Fault.response(401), False),
        }.get(fate or "")
        if fault is not None:
            fake.inject(fault[0], after_effect=fault[1])
        if request.method == "POST" and request.url.path == "/v1/refunds":
            status = world.first_refund_status(f"refund{len(self.stripe._objects('refund')) + 1}")
            if status is not RefundState.SUCCEEDED:
                fake.hold_refunds(1, status=status.value, account=self.stripe.account)
        answer = fake.handle(request.method, request.url.raw_path.decode(), dict(request.headers), request.read())
        fake.clear_faults()
        world.trace("Stripe", "answers %s %s with %s%s", request.method, request.url.path, answer.status,
                    f" ({fate})" if fate else "")  # fmt: skip
        self.stripe.look()
        key, confirmed = request.headers.get("idempotency-key"), request.url.path.endswith("/confirm")
        if confirmed and key is not None and answer.status in {200, 402}:
            intent = self.stripe.get(request.url.path.split("/")[-2])
            assert intent is not None
            self.stripe.charged[intent.namespace, intent.booking, intent.id].add(key)
            world.oracle.charged_saved(self.stripe.charged)
        return answer


class SyncTransport(httpx.BaseTransport):
    """The same for the sync port."""

    def __init__(self, process: "Process") -> None:
        self._inner = Transport(process)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = drive(self._inner.handle_async_request(request))
        return response
