"""What the team's office does: it looks how things stand, sees to what waits for a person, and forgets what is settled."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from tests.simulation.operators import Operator
from tests.simulation.people import OWNER
from tests.simulation.plan import DAY, HOUR, MINUTE, SECOND
from tests.simulation.sched import switch

from airport_payments.core.announcements import DeadLetter
from airport_payments.core.story import Story, tell

KINDS: Final = frozenset({"keeper", "support"})
# How many pages somebody goes on with.
PAGES: Final = 4


class Clerk(Operator):
    """Someone in the office."""

    async def _pages(self, what: str, call: Any) -> list[Any] | None:
        """Return what was answered, page by page to the last one; None if that was not reached."""
        pages: list[Any] = []
        after: str | None = None
        for _ in range(PAGES):
            outcome, value = await self.ask(what, lambda gateway, after=after: call(gateway, after))
            if outcome == "ok":
                pages.append(value)
                after = value.after
                if after is None:
                    return pages
        return None

    # ---- forgetting ----

    async def _keeper(self) -> None:
        """Prunes, and erases the customer, beside everything else: also what ended a moment ago."""
        rng = self.rng
        for _ in range(rng.randint(1, 8)):
            erases, limit = rng.random() < 0.5, rng.choice((1, 1000))
            # Clocks are up to two minutes off, and what is to come is refused.
            age = timedelta(milliseconds=2 * MINUTE + rng.choice((0, MINUTE, HOUR, DAY)))
            before = self.world.start + self.world.elapsed() - age

            def call(g: Any, after: str | None, b: Any = before, e: bool = erases, n: int = limit) -> Any:
                return g.erase_customer(OWNER, after=after, limit=n) if e else g.prune(b, after=after, limit=n)

            if await self._pages("to forget alice" if erases else "to prune", call) is not None:
                self.world.fates.note("forgetting")
            await switch(rng.choice((1, SECOND, MINUTE, HOUR, DAY)))

    # ---- support ----

    async def _support(self) -> None:
        """Looks how a booking stands, and what waits; has dead letters delivered again."""
        rng = self.rng
        for _ in range(rng.randint(1, 8)):
            if rng.random() < 0.5:
                await self._explain()
            else:
                await self.attend(limit=rng.choice((1, 100)))
            self.world.fates.note("support")
            await switch(rng.choice((1, SECOND, MINUTE, HOUR, 12 * HOUR)))

    async def _explain(self) -> None:
        def story() -> Story | None:
            snapshot = self.shop.tables._get(self.booking)
            return tell(snapshot, self.shop.tables._story(self.booking)) if snapshot else None

        before, changes = story(), self.shop.changes
        outcome, told = await self.ask(f"how {self.booking} stands", lambda gateway: gateway.explain(self.booking))
        if outcome == "ok":
            unmoved = before == story() and changes == self.shop.changes  # a price may go up and down again
            self.world.oracle.explained(self.shop, self.booking, told, before if unmoved else None)

    async def attend(self, *, limit: int = 100) -> bool:
        """See what waits for a person, and have dead letters delivered again; whether there was an answer."""
        oracle, shop = self.world.oracle, self.shop
        before = oracle.waiting(shop)
        pages = await self._pages("what waits for a person", lambda g, after: g.needs_attention(after, limit))
        if pages is None:
            return False
        waiting = [item for page in pages for item in page.items]
        if before == oracle.waiting(shop):
            oracle.attended(shop, waiting)
        for booking_id, letter in _letters(waiting):
            sequence = letter.announcement.sequence
            oracle.redelivered.add((shop.namespace, booking_id, sequence))

            def call(g: Any, b: str = booking_id, n: int = sequence) -> Any:
                return g.redeliver(b, n)

            await self.ask(f"to deliver {booking_id}:{sequence} again", call)
        return True


def _letters(waiting: list[Any]) -> Iterator[tuple[str, DeadLetter]]:
    for item in waiting:
        for letter in item.dead_letters:
            yield item.booking_id, letter
