"""What people do: customers, strangers, the team, and a forger."""

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.simulation.books import PAYABLE, WAITING
from tests.simulation.delivery import Sent, signature
from tests.simulation.money import WAITING_REFUND
from tests.simulation.plan import DAY, HOUR, MINUTE, SECOND, Person
from tests.simulation.sched import switch
from tests.simulation.shop import CURRENCY

from airport_payments.core.errors import InvalidSignature, TryAgain
from airport_payments.core.model import BookingStatus
from airport_payments.core.money import Money
from airport_payments.core.options import PaymentOptions

if TYPE_CHECKING:
    from tests.simulation.shop import Shop
    from tests.simulation.world import World

OWNER = "alice"
# Most customers pay at the latest so long after they were given a PaymentIntent; the late ones before five days are over,
# in which the library looks.
LATEST = DAY
VERY_LATE = 5 * DAY


class Human:
    """Someone with a name, a shop and a booking."""

    def __init__(self, world: "World", person: Person) -> None:
        self.world = world
        self.person = person
        self.name = person.name
        self.shop: Shop = world.shops[person.shop]
        self.booking = person.booking
        self.rng = random.Random(f"{world.seed_text}:{person.name}:deeds")
        self.asked = 0

    async def live(self) -> None:
        await getattr(self, f"_{self.person.kind}")()

    async def ask(self, what: str, call: Any) -> tuple[str, Any]:
        self.asked += 1
        name = f"{self.name}.{self.asked}"
        self.world.trace(self.name, "asks: %s (%s)", what, name)
        outcome, value = await self.shop.request(name, call)
        said = value if outcome != "ok" else _short(value)
        self.world.trace(self.name, "is answered: %s %s", outcome, said)
        self.last = name
        if outcome == "error":
            self.world.oracle.said(value)
        return outcome, value

    async def pause(self) -> None:
        await switch(self.rng.choice((1, 200, 2 * SECOND, 30 * SECOND, 5 * MINUTE)))

    # ---- customers ----

    async def _customer(self) -> None:
        rng = self.rng
        known: list[str] = []
        key = f"key-{self.name}" if rng.random() < 0.3 else None
        for _ in range(rng.randint(1, 7)):
            if self.world.draining:
                return
            deed = rng.random()
            if not known or deed < 0.3:
                await self._create(known, key)
            elif deed < 0.65:
                paid = rng.choice(known)
                await self._pay(paid)
                # The page comes back from Stripe and asks, once or twice at the same time.
                for _ in range(rng.choices((0, 1, 2), (50, 20, 30))[0]):
                    self.world.spawn(f"{self.name}-page{self.asked}-{_}", self._confirm(paid))
            elif deed < 0.85:
                await self._confirm(rng.choice(known))
            else:
                before = self.shop.tables._get(self.booking)
                outcome, value = await self.ask("status", lambda g: g.payment_status(self.booking, owner=OWNER))
                if outcome == "ok":
                    self.world.oracle.said_status(self.shop, self.booking, value, before)
            if rng.random() < 0.12:
                break  # gives up, or comes back late
            await self.pause()
        if known and rng.random() < 0.25:
            await switch(int(MINUTE * (LATEST / MINUTE) ** rng.random()))
            if not self.world.draining:
                await self._pay(rng.choice(known))

    async def _create(self, known: list[str], key: str | None) -> None:
        for _ in range(self.rng.randint(1, 5)):
            price = self.shop.booking(self.booking).price

            def call(gateway: Any, price: Money = price) -> Any:
                return gateway.create_payment(self.booking, owner=OWNER, amount=price, idempotency_key=key)

            since = self.world.sched.now
            outcome, value = await self.ask(f"to pay {self.booking}, {price}", call)
            if outcome == "ok":
                self.world.oracle.created(self.shop, self.booking, price, value, since)
                if value.payment_intent_id not in known:
                    known.append(value.payment_intent_id)
                return
            if outcome == "error" and not isinstance(value, TryAgain):
                return
            await switch(self.rng.choice((10, SECOND, 20 * SECOND)))

    async def _pay(self, intent_id: str) -> None:
        """In the browser, with Stripe.js: nothing of ours is between."""
        way = self.rng.choices(("pay", "decline", "ask", "process"), (60, 18, 14, 8))[0]
        stripe = self.world.stripe
        if not stripe.deed(self.name, intent_id, way):
            return
        if way == "ask":
            await self.pause()
            if self.rng.random() < 0.85:
                stripe.deed(
                    self.name, intent_id, self.rng.choice(("authenticate", "authenticate", "fail_to_authenticate"))
                )
        elif way == "process":
            world, ends = self.world, self.rng.choice(("settle", "settle", "bounce"))
            wait = int(SECOND * (12 * HOUR / SECOND) ** self.rng.random())
            world.sched.at(world.sched.now + wait, lambda: stripe.deed("bank", intent_id, ends))

    async def _confirm(self, intent_id: str) -> None:
        since = self.world.sched.now
        paid = self.world.oracle.pays(self.shop, self.booking, intent_id)
        outcome, value = await self.ask(
            f"whether {intent_id} paid {self.booking}",
            lambda g: g.confirm_payment(self.booking, intent_id, owner=OWNER),
        )
        if outcome == "ok":
            self.world.oracle.confirmed(self.shop, self.booking, intent_id, value, since, paid_before=paid)

    async def _saver(self) -> None:
        """A job of the team's charges a card that the customer saved, while they are away: one try for each call."""
        world, key = self.world, (self.shop.namespace, self.booking)
        card = self.rng.choice(("good", "asks", "bad"))
        wallet = random.Random(f"{world.seed_text}:{self.name}:wallet")
        several = wallet.random() < 0.4
        for _ in range(self.rng.randint(1, 4)):
            if world.draining:
                return
            customer, method = world.stripe.saved(card)
            price = self.shop.booking(self.booking).price
            world.oracle.asks_charge(key, f"{self.name}.{self.asked + 1}", method)

            def call(g: Any, price: Money = price, customer: str = customer, method: str = method) -> Any:
                options = PaymentOptions(customer_id=customer)
                return g.charge_saved_card(
                    self.booking, owner=OWNER, amount=price, payment_method_id=method, options=options
                )

            outcome, value = await self.ask(f"to charge {method} for {self.booking}, {price}", call)
            if several:
                card = wallet.choice(("good", "asks", "bad", "nobodys"))
            if outcome == "error":
                world.oracle.charge_refused(value)
            if outcome == "ok":
                world.fates.note("saved_card")
                world.oracle.charged(self.shop, self.booking, value)
                if value.client_secret is not None and self.rng.random() < 0.6:
                    # The bank wants the customer, who comes back and pays as anybody does.
                    intent_id = value.client_secret.reveal().partition("_secret")[0]
                    await self.pause()
                    await self._pay(intent_id)
            await self.pause()

    async def _late_payer(self) -> None:
        """Leaves the page open for days, perhaps comes back and does so again, and pays. That may be long after the faults."""
        known: list[str] = []
        for _ in range(self.rng.randint(1, 3)):
            await self._create(known, None)
            if not known:
                return
            wait = self.rng.randint(6 * HOUR, VERY_LATE)
            await switch(wait)
        if wait > LATEST:
            self.world.fates.note("late_payer")
        await self._pay(known[-1])

    async def _card_tester(self) -> None:
        """Tries stolen cards, one after the other; events of it may come late, and twice."""
        known: list[str] = []
        await self._create(known, None)
        for _ in range(self.rng.randint(20, 60) if known else 0):
            if not self.world.stripe.deed(self.name, known[0], "decline"):
                return
            await switch(self.rng.randint(1, 4 * SECOND))

    # ---- those who may not ----

    async def _stranger(self) -> None:
        """Someone else's booking, and one that does not exist, look the same and change nothing."""
        world = self.world
        for _ in range(self.rng.randint(2, 12)):
            theirs = next((i.id for i in world.stripe.intents()), "pi_00000001")
            booking = self.rng.choice((self.booking, "BNONE"))
            price = self.shop.booking(self.booking).price
            call = self.rng.choice((
                lambda g, b=booking: g.create_payment(b, owner="mallory", amount=price),
                lambda g, b=booking, i=theirs: g.confirm_payment(b, i, owner="mallory"),
                lambda g, b=booking: g.payment_status(b, owner="mallory"),
                lambda g, b=booking: g.refund(b, request_id="mine", owner="mallory"),
                lambda g, b=booking: g.cancel(b, owner="mallory"),
            ))  # fmt: skip
            outcome, value = await self.ask(f"for {booking}, which is not theirs", call)
            world.oracle.strange(outcome, value, world.oracle.saves_of(self.last))
            # Bob may pay his own booking, but not with Alice's PaymentIntent.
            outcome, value = await self.ask(
                "whether alice's payment paid BBOB", lambda g, i=theirs: g.confirm_payment("BBOB", i, owner="bob")
            )
            world.oracle.check(outcome != "ok", "S10", f"a payment of another booking was shown: {value}")
            await self.pause()

    async def _tamperer(self) -> None:
        for _ in range(self.rng.randint(1, 3)):
            price = self.shop.booking(self.booking).price
            wrong = self.rng.choice((Money(price.amount_minor + 7, CURRENCY), Money(price.amount_minor, "eur")))
            outcome, value = await self.ask(
                f"to pay {self.booking} with {wrong}",
                lambda g, w=wrong: g.create_payment(self.booking, owner=OWNER, amount=w),
            )
            self.world.oracle.check(outcome != "ok", "rule 4", f"a tampered amount was taken: {value}")
            await self.pause()

    async def _forger(self) -> None:
        """Sends what Stripe never signed: for a PaymentIntent that exists, that it was paid."""
        world, rng = self.world, self.rng
        for _ in range(rng.randint(1, 3)):
            intents = world.stripe.intents()
            if intents:
                obj = dict(rng.choice(intents).as_json(), status="succeeded")
                obj["amount_received"] = obj["amount"]
                now_s = int(world.start_s + world.sched.now / 1000)
                body = Sent("evt_forged", "payment_intent.succeeded", obj, ("", "", "")).body(now_s)
                good = self.shop.webhook_secret
                header = rng.choice((
                    None, "", f"t={now_s},v0=00", signature(body, "whsec_somethingelse00000", now_s),
                    signature(body, good, now_s - 1000), signature(body, good, now_s + 1000),
                    signature(body + b" ", good, now_s), signature(body, self.shop.dropped or "whsec_none00000000000", now_s),
                ))  # fmt: skip
                world.fates.note("forged")
                outcome, value = await self.ask("to believe a forged event", lambda g: g.handle_webhook(body, header))
                refused = outcome == "lost" or (outcome == "error" and isinstance(value, InvalidSignature))
                world.oracle.check(refused, "S9", f"a forged event was answered {outcome} {value}")
                world.oracle.check(not world.oracle.saves_of(self.last), "S9", "a forged event wrote something")
            await self.pause()

    # ---- the team ----

    async def _tell(self) -> None:
        """Most teams call booking_changed; some forget."""
        if self.rng.random() < 0.6:
            await self.ask(f"booking_changed({self.booking})", lambda g: g.booking_changed(self.booking))

    async def _cancels(self) -> None:
        self.shop.set_status(self.name, self.booking, BookingStatus.CANCELLED)
        await self._tell()

    async def _reopens(self) -> None:
        self.shop.set_status(self.name, self.booking, BookingStatus.CANCELLED)
        await self._tell()
        await self.pause()
        self.shop.set_status(self.name, self.booking, BookingStatus.PENDING)
        await self._tell()

    async def _holder(self) -> None:
        """The team gives a customer more time, before the hold is over or a little later."""
        for _ in range(self.rng.randint(1, 2)):
            if self.world.draining:
                return
            if self.shop.booking(self.booking).status is BookingStatus.PENDING:
                now = self.world.start + timedelta(milliseconds=self.world.sched.now)
                longer = timedelta(milliseconds=self.rng.choice((MINUTE, HOUR, DAY)))
                self.shop.change(self.name, self.booking, hold_until=now + longer)
                self.world.fates.note("hold_moved")
                await self._tell()
            await self.pause()

    async def _reprices(self) -> None:
        self.shop.set_price(self.name, self.booking, self.world.plan.prices[self.booking] + self.rng.choice((100, 200)))
        await self._tell()

    async def _there_and_back(self) -> None:
        self.world.fates.note("price_there_and_back")
        price = self.shop.booking(self.booking).price.amount_minor
        self.shop.set_price(self.name, self.booking, price + 300)
        await self._tell()
        await self.pause()
        self.shop.set_price(self.name, self.booking, price)
        await self._tell()

    async def _counter(self) -> None:
        """The customer pays at the counter: the team confirms by itself."""
        if self.shop.booking(self.booking).status is BookingStatus.PENDING:
            self.world.fates.note("counter_confirms")
            self.shop.set_status(self.name, self.booking, BookingStatus.CONFIRMED)
            await self._tell()

    async def _dashboard(self) -> None:
        for _ in range(6):
            await switch(self.rng.choice((50, 300, SECOND, 10 * SECOND)))
            waiting = [i.id for i in self.world.stripe.intents() if i.status in WAITING]
            if (
                waiting
                and self.rng.random() < 0.5
                and self.world.stripe.deed(self.name, waiting[-1], "dashboard_cancel")
            ):
                self.world.fates.note("dashboard_cancel")

    async def _editor(self) -> None:
        """Someone's script changes a PaymentIntent's amount at Stripe."""
        for _ in range(4):
            await self.pause()
            for intent in self.world.stripe.intents():
                if intent.status in WAITING and self.world.stripe.deed(self.name, intent.id, "edit_amount"):
                    self.world.fates.note("amount_edited")
                    return


def meddle(world: "World", fate: str, shop: "Shop", booking_id: str) -> None:
    """In the middle of someone's call: the team changes the row, or a customer pays what they were given."""
    task = world.sched.current
    draw = task.random()
    if fate == "money_mid_call":
        _meddle_with_money(world, draw)
        return
    if fate == "pay_mid_call":
        given = [i for i in world.stripe.intents() if i.status in PAYABLE and world.oracle.was_given(i.id)]
        if given:
            intent = given[int(draw * len(given))]
            way = ("pay", "pay", "decline", "ask", "process")[int(task.random() * 5)]
            world.stripe.deed("a customer", intent.id, "authenticate" if intent.status == "requires_action" else way)
        return
    names = sorted(world.plan.prices)
    booking = shop.booking(booking_id if booking_id in names else names[int(draw * len(names))])
    price = world.plan.prices[booking.id]
    waiting = [i for i in world.stripe.intents() if i.status in WAITING]
    if draw < 0.15 and waiting:
        world.stripe.deed("team", waiting[-1].id, "dashboard_cancel")
    elif draw < 0.3:
        shop.set_status("team", booking.id, BookingStatus.CANCELLED)
    elif draw < 0.55:
        shop.set_status("team", booking.id, BookingStatus.PENDING)
    else:
        shop.set_price("team", booking.id, price + (0 if booking.price.amount_minor != price else 300))


def _meddle_with_money(world: "World", draw: float) -> None:
    """In the middle of someone's call: money is given back at the dashboard, disputed, or a dispute or refund goes on."""
    paid = [i for i in world.stripe.intents() if i.received]
    if not paid:
        return
    intent = paid[int(draw * len(paid))]
    way = world.sched.current.random()
    waiting = [r for r in intent.money.refunds if r.status in WAITING_REFUND]
    if waiting and way < 0.5:
        world.stripe.deed("bank", waiting[-1].id, "settle_refund" if way < 0.35 else "fail_refund")
    elif intent.money.disputes and way < 0.7:
        deed = ("escalate", "answer", "win", "lose", "drop_inquiry")[int(world.sched.current.random() * 5)]
        world.stripe.deed("bank", intent.money.disputes[-1].id, deed)
    elif way < 0.8:
        part = intent.net // 3 if way < 0.6 else 0
        world.stripe.deed("cashier", intent.id, "dashboard_refund", part)
    else:
        world.stripe.deed("bank", intent.id, "inquire" if way < 0.9 else "dispute")


def _short(value: Any) -> str:
    if hasattr(value, "client_secret") and hasattr(value, "payment_intent_id"):
        return f"{value.payment_intent_id} {value.status} {value.amount}"
    if hasattr(value, "stripe_status"):
        return f"{value.stripe_status} booking {getattr(value, 'booking_status', None) or value.booking.status}"
    return str(value)
