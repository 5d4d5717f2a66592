"""Stripe's events on their way to the shops: late, twice, twice under two ids, in any order, changed, or never."""

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.simulation.plan import CONTEXT, DAY, HOUR, MINUTE, SECOND
from tests.simulation.sched import Task, switch

if TYPE_CHECKING:
    from tests.simulation.books import Intent
    from tests.simulation.shop import Shop
    from tests.simulation.world import World

GUIDE_EVENTS = frozenset({"payment_intent.succeeded", "payment_intent.payment_failed"})
# Stripe tries for three days, ever more rarely.
RETRIES = (MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR, 12 * HOUR, 12 * HOUR, 20 * HOUR)
API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True)
class Sent:
    """An event as it is sent to one shop.

    Attributes:
        ours: it is genuine, of our account and mode.
        unsaid: it does not say of which account it is, though the settings name one.
        thin: it only names its object.
    """

    id: str
    type: str
    object: dict[str, Any]
    intent: tuple[str, str, str]  # its PaymentIntent, with the marks that show whose it is: namespace and booking
    ours: bool = True
    account: str | None = None
    context: str | None = None
    livemode: bool = False
    api_version: str = API_VERSION
    unsaid: bool = False
    thin: bool = False

    @property
    def fetched(self) -> bool:
        """Whether its object has to be asked for: then it shows how things stand when that is answered."""
        return self.thin or self.unsaid or self.api_version != API_VERSION

    def body(self, now_s: int) -> bytes:
        event: dict[str, Any] = {
            "id": self.id, "object": "event", "type": self.type, "created": now_s, "livemode": self.livemode,
            "api_version": self.api_version, "data": {"object": self.object},
        }  # fmt: skip
        event |= {name: said for name in ("account", "context") if (said := getattr(self, name)) is not None}
        if self.thin:
            kind, object_id = self.object["object"], self.object["id"]
            named = {"id": object_id, "type": kind, "url": f"/v1/{kind}s/{object_id}"}
            event = {
                "id": self.id, "object": "v2.core.event", "type": f"v1.{self.type}", "livemode": self.livemode,
                "created": datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "context": self.context or self.account, "related_object": named,
            }  # fmt: skip
        return json.dumps(event).encode()


def signature(body: bytes, secret: str, now_s: int) -> str:
    """A `Stripe-Signature` header, written here once more so that nothing of ours proves itself."""
    mac = hmac.new(secret.encode(), b"%d." % now_s + body, hashlib.sha256).hexdigest()
    return f"t={now_s},v1={mac}"


def _message(event: bytes, draw: float) -> bytes | str:
    """An event as a queue has it: bare, or in the envelope of EventBridge or Event Grid."""
    text = event.decode()
    if draw < 0.3:
        return event
    if draw < 0.65:
        return f'{{"version": "0", "source": "aws.partner/stripe.com/ed_1", "detail-type": "x", "detail": {text}}}'
    return f'{{"specversion": "1.0", "source": "stripe", "type": "x", "data": {text}}}'.encode()


class Deliveries:
    """Sends every event to every shop that wants it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.events = 0
        self._waiting: dict[str, Sent] = {}  # made, and not taken by all that want it

    def publish(self, event_type: str, obj: dict[str, Any], intent: "Intent") -> None:
        """Take an event that Stripe made about a PaymentIntent, or about its money."""
        world = self.world
        self.events += 1
        event_id = f"evt_{self.events:06d}"
        variant = world.plan.variant
        if variant == "no_events" or (variant == "guide_events" and event_type not in GUIDE_EVENTS):
            return
        for shop in world.shops:
            name = f"{event_id}>{shop.namespace}"
            marks = (intent.id, intent.namespace, intent.booking)
            self._waiting[name] = sent = self._sent(name, Sent(event_id, event_type, obj, marks))
            world.sched.start(Task(name, self._way(shop, sent, name), world.seed_text))

    def _sent(self, name: str, sent: Sent) -> Sent:
        """Write an event as the shop's endpoint has it: of a connected account, or thin."""
        plan, draw = self.world.plan, self.world.draw_for
        if plan.account is not None:
            # An endpoint of the account itself does not say so.
            unsaid = draw(f"{name}whose") < 0.3
            account, context = (None, plan.context) if plan.context else (plan.account, None)
            sent = replace(sent, unsaid=True) if unsaid else replace(sent, account=account, context=context)
        return replace(sent, thin="thin_events" in plan.ways and draw(f"{name}thin") < 0.7)

    def _foreign(self, sent: Sent, name: str) -> Sent:
        """An event of another account. The platform's own does not say whose it is, but its object is not in ours."""
        sent = replace(sent, id=f"{sent.id}acct", ours=False, unsaid=False, account=None, context=None)
        if self.world.plan.account is not None and self.world.draw_for(f"{name}platform") < 0.5:
            return replace(sent, object={**sent.object, "id": f"{sent.object['id']}0platform"})
        if self.world.plan.context is not None:  # of the same organisation
            return replace(sent, context=f"{CONTEXT.partition('/')[0]}/acct_other00000000")
        return replace(sent, account="acct_other00000000")

    def undelivered(self) -> list[dict[str, Any]]:
        """Return the events that Stripe keeps for whoever asks for those that it could not deliver."""
        sent = {s.id: replace(s, thin=False) for s in self._waiting.values()}
        return [json.loads(s.body(int(self.world.start_s))) for s in sent.values()]

    async def _way(self, shop: "Shop", sent: Sent, name: str) -> None:
        """One event's way to one shop."""
        world = self.world
        task = world.sched.current
        fate = world.fates.draw("event")
        delay = 100 + int(task.random() * 3000)
        if fate in {"event_never_made", "event_dropped"}:
            # Never made, or every try for three days failed: to the shop it is the same, but for Stripe's list of events.
            if fate == "event_never_made":
                del self._waiting[name]
            world.trace("Stripe", "%s %s is lost: %s", sent.id, sent.type, fate)
            return
        if fate == "event_delayed":
            delay = int(MINUTE * (3 * DAY / MINUTE) ** task.random())
        elif fate == "event_held_back":  # until others have overtaken it
            delay += 5 * SECOND + int(task.random() * 60 * SECOND)
        again = (
            int(delay * (0.5 + task.random()))
            if task.random() < 0.5
            else int(SECOND * (3 * DAY / SECOND) ** task.random())
        )
        copies = [(sent, delay)]
        if fate == "event_duplicated":
            copies.append((sent, again))
        elif fate == "event_twin":
            copies.append((replace(sent, id=f"{sent.id}twin"), again))
        elif fate == "event_of_another_account":
            copies.append((self._foreign(sent, name), delay))
        elif fate == "event_of_the_other_mode":
            copies.append((replace(sent, id=f"{sent.id}live", ours=False, livemode=True), delay))
        elif fate == "event_of_another_version":
            # What cannot be read is fetched. A charge has no field that an older version lacks.
            gone = {"payment_intent": "amount_received", "refund": "amount", "dispute": "amount"}.get(
                sent.object["object"]
            )
            old = {name: value for name, value in sent.object.items() if name != gone}
            copies[0] = (replace(sent, object=old, api_version="2019-02-11"), delay)
        for number, (copy, wait) in enumerate(copies):
            part = f"{name}/{number}" if number else f"{name}/"
            world.sched.start(Task(part, self._deliver(shop, copy, part), world.seed_text), wait)

    async def _deliver(self, shop: "Shop", sent: Sent, name: str) -> None:
        world = self.world
        for number, pause in enumerate((*RETRIES, None)):
            now_s = int(world.start_s + world.sched.now / 1000)
            body = sent.body(now_s)
            header = signature(body, shop.signing[0], now_s)
            for secret in shop.signing[1:]:
                header += "," + signature(body, secret, now_s).partition(",")[2]
            outcome, value = await self._offer(shop, sent, f"{name}{number}", body, header)
            lost = world.fates.draw("answer") is not None
            if outcome == "ok":
                world.oracle.answered_event(shop, sent, value)
                world.trace(
                    name, "%s of %s: %s%s", sent.type, sent.object["id"], value, " (answer lost)" if lost else ""
                )
                if not lost:
                    if sent.ours:
                        self._waiting.pop(name.partition("/")[0], None)
                    return
            else:
                world.trace(name, "%s of %s not taken: %s", sent.type, sent.object["id"], value or "no answer")
            if pause is None:
                return
            await switch(pause)

    async def _offer(self, shop: "Shop", sent: Sent, name: str, body: bytes, header: str) -> tuple[str, Any]:
        saves = self.world.oracle.saves_of(name)
        if "by_queue" in self.world.plan.ways:
            message = _message(body, self.world.draw_for(f"{sent.id}envelope"))
            outcome = await shop.request(name, lambda gateway: gateway.handle_event(message))
        else:
            outcome = await shop.request(name, lambda gateway: gateway.handle_webhook(body, header))
        if not sent.ours:
            self.world.oracle.ignored_event(sent, outcome, self.world.oracle.saves_of(name) - saves)
        return outcome
