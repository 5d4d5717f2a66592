"""A database that is put back to what it was some time ago, while Stripe went on: what a team does then, and what it forgot."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tests.simulation.sched import Task, join
from tests.simulation.shop import CURRENCY, MAX_RECONCILES, Process

from airport_payments.core.money import Money

if TYPE_CHECKING:
    from tests.simulation.shop import Shop
    from tests.simulation.world import World

# What a database holds.
_TABLES = ("_bookings", "_ledgers", "_index", "_intents", "_due", "_history")
# What the judge knows of what was committed, announced and answered. What Stripe has done it does not forget.
_KNOWN = (
    "versions", "confirmed_by", "confirms", "cancellations", "final", "abandoned", "effects", "reached", "told", "told_money",
    "asked_as_of", "shown", "flagged", "refs", "reached_refund", "capture_keys", "settled_captures", "refusals",
    "redelivered",
)  # fmt: skip


class Backup:
    """Takes a backup of one shop, and restores it."""

    def __init__(self, world: "World", shop: "Shop") -> None:
        self.world = world
        self.shop = shop
        self._taken: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] | None = None
        world.sched.at(int(world.plan.span * world.draw_for(f"{shop.namespace}backup")), self._take)

    def _take(self) -> None:
        # Ledgers, rows and lines never change: new ones take their places.
        tables = {name: self._copied(getattr(self.shop.tables, name)) for name in _TABLES}
        known = {name: deepcopy(getattr(self.world.oracle, name)) for name in _KNOWN}
        heard = {name: list(told) for name, told in self.shop.heard.items()}
        self._taken = tables, known, heard
        self.world.trace("THE WORLD", "%s makes a backup", self.shop.namespace)

    @staticmethod
    def _copied(table: dict[str, Any]) -> dict[str, Any]:
        return {key: row.copy() if isinstance(row, dict | list) else row for key, row in table.items()}

    def restore(self) -> None:
        """Stop everything, put the tables back, rebuild what Stripe knows, and open again."""
        if self._taken is None:
            return
        world, shop = self.world, self.shop
        tables, known, heard = self._taken
        if tables["_ledgers"] == shop.tables._ledgers:
            return  # nothing happened since
        world.fates.note("backup_restored")
        world.trace("THE WORLD", "%s is stopped, and its backup restored", shop.namespace)
        shop.closed = True
        shop.stops += 1
        world.sched.current = None  # what ran last is to be stopped as well
        for process in shop.processes:
            for task in list(process.tasks.values()):
                world.sched.kill(task)
        for name, table in tables.items():
            setattr(shop.tables, name, table)
        for name, value in known.items():
            setattr(world.oracle, name, value)
        world.oracle.restored = True
        world.stripe.keys_repeat()
        shop.heard.update(heard)
        shop.calling.clear()
        repair = Process(shop, f"{shop.namespace}-repair", 0)
        shop.helpers.append(repair)
        task = world.sched.start(Task(f"{shop.namespace}-rebuilder", self._rebuild(repair), world.seed_text))
        world.oracle.rebuilding = True
        while not task.done:
            world.sched.step()
        world.oracle.rebuilding = False
        shop.closed = False
        for process in shop.processes:
            process.boot()
        world.trace("THE WORLD", "%s is open again", shop.namespace)
        world.spawn(f"{shop.namespace}-clerk", self._give_back())

    async def _rebuild(self, repair: Process) -> None:
        """As docs/how-to/reconcile.md says: look first, then put back what is missing."""
        asked = 0

        async def ask(what: str, call: Any) -> tuple[str, Any]:
            nonlocal asked
            asked += 1
            task = self.shop.run(repair, f"{repair.name}{asked}", call)
            await join(task, 10**12)
            self.world.trace(repair.name, "%s: %s", what, task.error or "done")
            return ("error", task.error) if task.error is not None else ("ok", task.result)

        looked = await self.shop.reconcile(ask, dry_run=True, rebuild=True)
        self.world.trace(repair.name, "would mend %s differences", len(looked))
        self.world.oracle.check(asked < MAX_RECONCILES, "L6", "the rebuilding does not end")
        await self.shop.reconcile(ask, dry_run=False, rebuild=True)

    async def _give_back(self) -> None:
        """Somebody gives a part back, of what may have been given back before: that nobody here remembers."""
        world, shop = self.world, self.shop
        for booking_id in sorted(world.plan.prices):
            paid = [i for i in world.stripe.intents() if i.booking == booking_id and i.net > 0]
            if not paid or world.draw_for(f"{booking_id}clerk") < 0.3:
                continue
            amount = Money(max(1, paid[-1].net // 3), CURRENCY)
            asked = (shop.namespace, booking_id, "clerk")
            world.oracle.asks_refund(asked, (None, amount))

            def call(gateway: Any, booking_id: str = booking_id, amount: Money = amount) -> Any:
                return gateway.refund(booking_id, amount=amount, request_id="clerk")

            outcome, value = await shop.request(f"{booking_id}-clerk", call)
            world.trace("clerk", "asks to refund %s of %s: %s %s", amount, booking_id, outcome, value)
            if outcome == "ok":
                world.oracle.gave_back(asked, None, amount, value)
