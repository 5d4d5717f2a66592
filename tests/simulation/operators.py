"""What the team's operators do, and who moves money at Stripe itself: the dashboard's staff and the banks."""

from collections.abc import Callable
from typing import Any, Final

from tests.simulation.books import Intent
from tests.simulation.people import OWNER, Human
from tests.simulation.plan import DAY, HOUR, MINUTE, SECOND
from tests.simulation.sched import switch
from tests.simulation.shop import CURRENCY

from airport_payments.core.errors import IdempotencyKeyReused, TryAgain
from airport_payments.core.model import IntentStatus, Place
from airport_payments.core.money import Money

KINDS: Final = frozenset(
    {"reconciler", "refunder", "canceller", "resolver", "capturer", "cashier", "collector", "bank", "ghost"}
)
# How often someone looks whether there is something to do for them.
LOOKS: Final = 8


class Operator(Human):
    """Someone who decides about money."""

    # ---- looking ----

    def _mine(self) -> list[Intent]:
        """The PaymentIntents of this person's booking, as Stripe's dashboard shows them."""
        marks = (self.shop.namespace, self.booking)
        return [i for i in self.world.stripe.intents() if (i.namespace, i.booking) == marks]

    def _paid(self) -> list[str]:
        return [i.id for i in self._mine() if i.received]

    def _authorised(self) -> list[str]:
        return [i.id for i in self._mine() if i.status is IntentStatus.REQUIRES_CAPTURE]

    def _in_review(self) -> list[str]:
        snapshot = self.shop.tables._get(self.booking)
        payments = snapshot.ledger.payments if snapshot else ()
        return [p.intent_id for p in payments if p.place is Place.REVIEW and p.intent_id]

    async def _until(self, there: Callable[[], list[str]]) -> list[str]:
        """Come back until there is something to do, or give up."""
        for _ in range(LOOKS):
            found = there()
            if found or self.world.draining:
                return found
            await switch(self.rng.choice((300, 3 * SECOND, 20 * SECOND, 3 * MINUTE, HOUR)))
        return there()

    async def _insist(self, what: str, call: Any, took: Callable[[str, Any], None]) -> None:
        """Ask until there is an answer, and now and then once more."""
        for _ in range(self.rng.randint(1, 5)):
            outcome, value = await self.ask(what, call)
            took(outcome, value)
            again = outcome == "lost" or (outcome == "error" and isinstance(value, TryAgain))
            if self.world.draining or (not again and self.rng.random() < 0.75):
                return
            await switch(self.rng.choice((1, SECOND, 20 * SECOND, 10 * MINUTE)))

    # ---- the team's operators ----

    async def _refunder(self) -> None:
        """Gives back all or a part, several times; two of them may have one list of request ids."""
        rng = self.rng
        oracle = self.world.oracle
        desk = self.name.rstrip("b") if rng.random() < 0.6 else self.name
        for _ in range(rng.randint(1, 4)):
            paid = await self._until(self._paid)
            if self.world.draining:
                return
            total = sum(i.received for i in self._mine()) or 1000
            minor = rng.choice((None, None, None, total // 3 or 1, total // 2 or 1, 1, total + 1))
            amount = None if minor is None else Money(minor, CURRENCY)
            payment_id = rng.choice((None, rng.choice(paid))) if paid else None
            request_id = f"{desk}-{rng.randint(1, 3)}"
            owner = OWNER if rng.random() < 0.1 else None
            asked = (self.shop.namespace, self.booking, request_id)
            oracle.asks_refund(asked, (payment_id, amount))

            def call(g: Any, i: Any = payment_id, a: Any = amount, r: str = request_id, o: Any = owner) -> Any:
                return g.refund(self.booking, payment_id=i, amount=a, request_id=r, owner=o)

            def took(outcome: str, value: Any, k: Any = asked, i: Any = payment_id, a: Any = amount) -> None:
                if outcome == "ok":
                    oracle.gave_back(k, i, a, value)
                elif isinstance(value, IdempotencyKeyReused):
                    oracle.refused_request_id(k)

            await self._insist(f"to refund {amount or 'all'} of {self.booking} as {request_id}", call, took)
            await self.pause()

    async def _canceller(self) -> None:
        rng, oracle = self.rng, self.world.oracle
        key = (self.shop.namespace, self.booking)
        for _ in range(rng.randint(1, 2)):
            if self.world.draining:
                return
            expire = rng.random() < 0.3
            owner = OWNER if rng.random() < 0.4 else None
            oracle.asks_cancel(key)
            since = self.world.sched.now

            def call(g: Any, e: bool = expire, o: Any = owner) -> Any:
                return g.expire(self.booking) if e else g.cancel(self.booking, owner=o)

            def took(outcome: str, value: Any, since: int = since) -> None:
                if outcome == "ok":
                    oracle.cancelled(key, value, since)

            await self._insist(f"to {'expire' if expire else 'cancel'} {self.booking}", call, took)
            await self.pause()

    async def _resolver(self) -> None:
        rng, oracle = self.rng, self.world.oracle
        for _ in range(rng.randint(1, 3)):
            waiting = await self._until(self._in_review)
            if self.world.draining or not (waiting or self._paid()):
                return
            payment_id = rng.choice(waiting or self._paid())
            resolution = rng.choice(("confirm", "refund", "keep"))
            oracle.asks_resolve(self.shop.namespace, payment_id, resolution)

            def call(g: Any, i: str = payment_id, r: str = resolution) -> Any:
                return g.resolve(self.booking, i, r, by=self.name)

            def took(outcome: str, value: Any, r: str = resolution) -> None:
                if outcome == "ok":
                    oracle.resolved(r, value)

            await self._insist(f"to {resolution} {payment_id} of {self.booking}", call, took)
            await self.pause()

    async def _capturer(self) -> None:
        rng, oracle = self.rng, self.world.oracle
        for _ in range(rng.randint(1, 3)):
            waiting = await self._until(self._authorised)
            if self.world.draining:
                return
            price = self.shop.booking(self.booking).price.amount_minor
            minor = rng.choice((None, None, price, price // 2 or 1, price + 1))
            amount = None if minor is None else Money(minor, CURRENCY)
            payment_id = rng.choice((None, rng.choice(waiting))) if waiting else None
            oracle.asks_capture((self.shop.namespace, self.booking), minor)

            def call(g: Any, i: Any = payment_id, a: Any = amount) -> Any:
                return g.capture(self.booking, payment_id=i, amount=a)

            def took(outcome: str, value: Any) -> None:
                if outcome == "ok":
                    oracle.collected(value)

            await self._insist(f"to capture {amount or 'all'} of {self.booking}", call, took)
            await self.pause()

    async def _reconciler(self) -> None:
        """A cron job, which goes on where it was interrupted; two of them may overlap."""
        for _ in range(self.rng.randint(1, 4)):
            if self.world.draining:
                return
            dry_run = self.rng.random() < 0.3

            async def ask(what: str, call: Any, dry_run: bool = dry_run) -> tuple[str, Any]:
                answer = await self.ask(what, call)
                wrote = dry_run and self.world.oracle.saves_of(self.last)
                self.world.oracle.check(not wrote, "L6", "a dry run of reconcile wrote something")
                return answer

            await self.shop.reconcile(ask, dry_run=dry_run, limit=self.rng.choice((1, 2, 5, 1000)))
            await switch(self.rng.choice((1, SECOND, HOUR, 12 * HOUR)))

    # ---- at Stripe ----

    async def _cashier(self) -> None:
        """Refunds at the dashboard."""
        for _ in range(self.rng.randint(1, 3)):
            paid = await self._until(self._paid)
            for intent_id in paid[:1]:
                net = self.world.stripe.get(intent_id).net
                part = self.rng.choice((0, net // 2, net // 3, 1))
                if self.world.stripe.deed(self.name, self.rng.choice(paid), "dashboard_refund", part):
                    self.world.fates.note("dashboard_refund")
            await self.pause()

    async def _collector(self) -> None:
        """Captures at the dashboard."""
        for intent_id in (await self._until(self._authorised))[:1]:
            amount = self.rng.choice((0, 0, self.world.stripe.get(intent_id).amount // 2 or 1))
            if self.world.stripe.deed(self.name, intent_id, "dashboard_capture", amount):
                self.world.fates.note("dashboard_capture")

    async def _ghost(self) -> None:
        """Someone pays a PaymentIntent that the database knew before a backup was restored."""
        if not self.world.plan.real:
            self.world.stripe.books.ghost(self.shop.namespace, self.booking, self.shop.booking(self.booking).price)
            self.world.fates.note("ghost_paid")

    async def _bank(self) -> None:
        """The customer's bank asks about a payment or takes it back, thinks, and decides."""
        rng, stripe = self.rng, self.world.stripe
        paid = await self._until(self._paid)
        if not paid:
            return
        intent_id = rng.choice(paid)
        if not stripe.deed(self.name, intent_id, rng.choice(("dispute", "inquire"))):
            return
        self.world.fates.note("disputed")
        dispute_id = stripe.get(intent_id).money.disputes[-1].id
        for deed in ("answer_inquiry", rng.choice(("drop_inquiry", "escalate", "escalate")), "answer",
                     rng.choice(("win", "lose"))):  # fmt: skip
            await switch(int(SECOND * (2 * DAY / SECOND) ** rng.random()))
            if rng.random() < 0.8:
                stripe.deed(self.name, dispute_id, deed)
