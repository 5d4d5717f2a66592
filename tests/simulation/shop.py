"""One team's system: its database, its processes with a gateway each, its workers."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.simulation.plan import DAY, HOUR, MINUTE, SECOND
from tests.simulation.sched import Task, drive, in_thread, join, switch
from tests.simulation.web import Front
from tests.simulation.wrapped import FaultyRepository, SyncFaultyRepository, Watched

from airport_payments import AsyncPaymentGateway, PaymentGateway, StripeSettings
from airport_payments.core.announcements import Announcement
from airport_payments.core.errors import ReconcileInterrupted
from airport_payments.core.model import Booking, BookingStatus
from airport_payments.core.money import Money
from airport_payments.core.reconcile import Difference

if TYPE_CHECKING:
    from tests.simulation.world import World

# After this long without an answer a client, or Stripe's webhook sender, hangs up; the request itself goes on.
PATIENCE = 20 * SECOND
CURRENCY = "usd"
# One reconciling gives up after so many calls; the next one begins anew.
MAX_RECONCILES = 100
Ask = Callable[[str, Any], Awaitable[tuple[str, Any]]]
SUBSCRIBERS = ("mailer", "books")


class HandlerError(Exception):
    """What a team's handler raises."""


class Process:
    """One API process: its gateway, its clock, and what runs in it."""

    def __init__(self, shop: "Shop", name: str, skew_ms: int) -> None:
        self.shop = shop
        self.world = shop.world
        self.name = name
        self.skew_ms = skew_ms
        self.tasks: dict[str, Task] = {}
        self.alive = False
        self.boot()

    def boot(self) -> None:
        """Start anew: nothing that was in memory is left."""
        world, shop = self.world, self.shop
        sync = world.plan.colour == "sync"
        repository = SyncFaultyRepository(self) if sync else FaultyRepository(self)
        build = PaymentGateway if sync else AsyncPaymentGateway
        self.gateway: Any = build(
            repository,
            shop.settings,
            port=world.stripe.port(self),
            clock=self.clock,
            new_id=world.new_id,
            sleep=self.sleep_sync if sync else self._sleep,
            draw=lambda: world.sched.current.random(),
        )
        for name in SUBSCRIBERS:
            self.gateway.on(Announcement, name)(partial(self._hear if sync else self._hear_async, name))
        self.front = Front(self) if "through_endpoints" in world.plan.ways else self.gateway
        self.alive = True

    def clock(self) -> Any:
        return self.world.start + timedelta(milliseconds=self.world.sched.now + self.skew_ms)

    async def _sleep(self, seconds: float) -> None:
        await switch(int(seconds * 1000) + 1)

    def sleep_sync(self, seconds: float) -> None:
        """Wait in a thread."""
        drive(self._sleep(seconds))

    async def _hear_async(self, name: str, announcement: Announcement) -> None:
        world = self.world
        fate = world.fates.draw("handler")
        calling, call = self.shop.calling, (name, announcement.id)
        before = calling.get(call)
        world.oracle.check(before is None or before.done, "L5", f"{call} is run twice at once")
        calling[call] = world.sched.current
        await switch(1 + int(world.sched.current.random() * 40))
        del calling[call]
        begin, end = world.plan.broken
        if name == SUBSCRIBERS[0] and begin <= world.sched.now < end:
            world.fates.note("mailer_broken")
            raise HandlerError("the mail server refuses everything")
        if fate == "handler_raises":
            world.trace(self.name, "%s raises on %s", name, announcement.id)
            raise HandlerError("the team's mail server is away")
        if fate == "crash_in_handler":
            self.die("in a handler")
        self.shop.heard[name].append(announcement)
        world.trace(self.name, "%s heard %s %s", name, announcement.id, type(announcement).__name__)

    def _hear(self, name: str, announcement: Announcement) -> None:
        drive(self._hear_async(name, announcement))

    def die(self, when: str) -> None:
        """Die in the middle of the task that runs now."""
        self.world.crash(self, when)


class Shop:
    """A team's system: a database and the processes over it."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.namespace = "airport" if number == 0 else f"airport{number + 1}"
        self.webhook_secret = f"whsec_CANARYHOOK{number}00000000000000000"
        plan = world.plan
        self.settings = self._settings(self.webhook_secret)
        self.signing = [self.webhook_secret]  # what Stripe signs with
        self.dropped: str | None = None  # a secret that nobody may sign with any more
        bookings = []
        for booking_id, amount in plan.prices.items():
            hold = plan.holds.get(booking_id)
            until = None if hold is None else world.start + timedelta(milliseconds=hold)
            bookings.append(Booking(booking_id, "alice", Money(amount, CURRENCY), hold_until=until))
        bookings.append(Booking("BBOB", "bob", Money(7700, CURRENCY)))
        self.tables = Watched(self, bookings)
        self.heard: dict[str, list[Announcement]] = {name: [] for name in SUBSCRIBERS}
        self.calling: dict[tuple[str, str], Task] = {}
        self.closed = False  # nobody is let in, and no worker runs: a backup is being restored
        self.changes = 0  # how often the team wrote its own rows
        self.stops = 0  # how often everything was stopped for that
        self.helpers: list[Process] = []
        skews = plan.skews[number * plan.processes :]
        self.processes = [Process(self, f"{self.namespace}-p{n + 1}", skews[n]) for n in range(plan.processes)]
        self._tick_token = 0
        self._tick_at: int | None = None
        self._ticks = 0
        self._vain = 0

    def _settings(self, *secrets: str) -> StripeSettings:
        plan = self.world.plan
        where = {"stripe_context": plan.context} if plan.context else {"stripe_account": plan.account}
        return StripeSettings("sk_test_CANARYKEY00", secrets, namespace=self.namespace, **where, **plan.policy)

    # ---- deploys ----

    def plan_rolling(self) -> None:
        """Somebody rolls the webhook secret: Stripe signs with both for a while, or not; the team deploys twice, later."""
        world = self.world
        draws = [world.draw_for(f"{self.namespace}{what}") for what in ("rolled", "overlap", "deployed", "dropped")]
        at = int(world.plan.span * draws[0])
        old, new = self.webhook_secret, f"whsec_CANARYROLL{self.number}00000000000000000"
        overlap = (0, HOUR, DAY)[int(draws[1] * 3)]
        deployed = at + int(SECOND * (2 * HOUR / SECOND) ** draws[2])
        # What Stripe signed with the old one it may have sent just before.
        dropped = max(at + overlap, deployed) + MINUTE + int(HOUR * draws[3])

        def roll() -> None:
            world.fates.note("secret_rolled")
            world.trace(
                self.namespace, "rolls its webhook secret; Stripe signs with both for %s minutes", overlap // MINUTE
            )
            self.signing = [new, old] if overlap else [new]
            self.webhook_secret = new

        world.sched.at(at, roll)
        if overlap:
            world.sched.at(at + overlap, lambda: self.signing.remove(old))
        world.sched.at(deployed, lambda: self._deploy(self._settings(new, old)))
        world.sched.at(dropped, lambda: self._deploy(self._settings(new), old))

    def _deploy(self, settings: StripeSettings, dropped: str | None = None) -> None:
        """Start the processes anew with these settings, one after the other; what runs in them ends as it began."""
        world, left = self.world, list(self.processes)
        self.settings = settings

        def turn() -> None:
            process = left.pop()
            if process.alive:  # else it comes back with them
                process.boot()
            world.trace(process.name, "is deployed anew")
            if left:
                world.sched.at(world.sched.now + 20 * SECOND, turn)
            elif dropped is not None:
                self.dropped = dropped

        turn()

    # ---- requests ----

    def process(self, draw: float) -> Process | None:
        """The load balancer: a process that is alive."""
        alive = [p for p in self.processes if p.alive and not self.closed]
        return alive[int(draw * len(alive))] if alive else None

    async def request(self, name: str, call: Callable[[Any], Any]) -> tuple[str, Any]:
        """Let a process answer: ("ok", value), ("error", exception) or ("lost", None)."""
        world = self.world
        process = self.process(world.sched.current.random())
        if process is None:
            return "lost", None
        stops = self.stops
        task = self.run(process, name, call)
        # What was on its way when everything was stopped does not arrive.
        if not await join(task, PATIENCE) or task.killed or stops != self.stops:
            return "lost", None
        if task.error is not None:
            return "error", task.error
        return "ok", task.result

    def run(self, process: Process, name: str, call: Callable[[Any], Any]) -> Task:
        """Start a call in a process."""
        world = self.world
        sync = world.plan.colour == "sync"

        async def main() -> Any:
            await switch(1)
            if sync and world.sched.threads:
                outcome = await in_thread(partial(call, process.front))
            else:
                outcome = call(process.front)
                outcome = outcome if sync else await outcome
            world.oracle.returned(self, outcome)
            return outcome

        task = Task(name, main(), world.seed_text, process)
        process.tasks[name] = task
        return world.sched.start(task)

    # ---- workers ----

    def notify(self) -> None:
        """Something may be due: see that a worker looks in time. This stands for a worker that polls."""
        world = self.world
        due = self.tables.next_due(world.start)
        if due is None or self.closed:
            return
        now = world.sched.now
        # A worker polls; while ticks are in vain, it comes back ever later, so that a run has an end.
        pause = 1 if world.draining else int(world.plan.poll * (0.5 + world.random.random()))
        pause = min(pause << min(self._vain, 12), 30 * MINUTE)
        when = max(now + pause, due)
        when = world.fates.awake_at("workers_asleep", when)
        if self._tick_at is None or when < self._tick_at:
            self._tick_token += 1
            token = self._tick_token
            self._tick_at = when
            world.sched.at(when, lambda: self._tick(token))

    def _tick(self, token: int) -> None:
        if token != self._tick_token:
            return
        world = self.world
        self._tick_at = None
        due = self.tables.next_due(world.start)
        self._vain = self._vain + 1 if due is not None and due <= world.sched.now else 0
        for _ in range(2 if world.random.random() < 0.25 else 1):
            process = self.process(world.random.random())
            if process is not None:
                self._ticks += 1
                limit = 1 if world.random.random() < 0.1 else 100
                task = self.run(
                    process, f"{self.namespace}-worker{self._ticks}", lambda gateway: gateway.tick(limit=limit)
                )
                world.trace(task.name, "ticks at %s", process.name, loud=False)
                waiting = self._after_tick(task)
                world.sched.start(Task(f"{task.name}-end", waiting, world.seed_text))
        if not any(p.alive for p in self.processes):
            self.notify()

    async def _after_tick(self, task: Task) -> None:
        await join(task, 10 * MINUTE)
        self.notify()

    # ---- reconcile ----

    async def reconcile(self, ask: Ask, *, dry_run: bool, limit: int = 1000, rebuild: bool = False) -> list[Difference]:
        """Compare all of Stripe's books, from page to page; give up after so many interruptions."""
        since, cursor, found = self.world.start - timedelta(days=1), None, list[Difference]()
        for _ in range(MAX_RECONCILES):

            def call(gateway: Any, cursor: str | None = cursor) -> Any:
                return gateway.reconcile(since, dry_run=dry_run, limit=limit, cursor=cursor, rebuild=rebuild)

            outcome, value = await ask(f"to reconcile{' (dry run)' if dry_run else ''}", call)
            if isinstance(value, ReconcileInterrupted):
                value = value.report
            elif outcome == "lost":
                continue
            elif outcome == "error":
                break
            found.extend(value.differences)
            cursor = value.cursor
            if cursor is None:
                break
        return found

    # ---- the team's own code ----

    def booking(self, booking_id: str) -> Booking:
        booking = self.tables.booking(booking_id)
        assert booking is not None
        return booking

    def change(self, who: str, booking_id: str, **changes: Any) -> None:
        """The team writes its own row, and says nothing."""
        from dataclasses import replace

        old = self.booking(booking_id)
        new = replace(old, **changes)
        self.tables.put_booking(new)
        self.changes += 1
        said = ", ".join(f"{name}={value!s}" for name, value in sorted(changes.items()))
        self.world.trace(who, "changes %s's row: %s", booking_id, said)
        self.notify()

    def set_price(self, who: str, booking_id: str, amount: int) -> None:
        self.change(who, booking_id, price=Money(amount, CURRENCY))

    def set_status(self, who: str, booking_id: str, status: BookingStatus) -> None:
        self.change(who, booking_id, status=status)
