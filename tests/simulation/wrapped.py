"""The database and the port as a process meets them: slow, failing, and gone in the middle of a call."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.simulation.keys import REPLAYED
from tests.simulation.lists import page
from tests.simulation.plan import HOUR, MINUTE, SECOND
from tests.simulation.sched import drive, switch

from airport_payments.core.codec import dump, load
from airport_payments.core.commands import (
    CancelIntent,
    CaptureIntent,
    Command,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    Effect,
    Fetch,
    FindIntent,
    RetrieveIntent,
)
from airport_payments.core.decide.table import ATTENTION_AT
from airport_payments.core.errors import StorageUnavailable
from airport_payments.core.facts import PortReply, RefusalKind, Refused, Unanswered
from airport_payments.core.model import BookingStatus, Change, HistoryLine, Ledger, Snapshot
from airport_payments.storage.memory import AsyncMemoryBookingRepository
from airport_payments.stripe_api.lists import ListPage, ListReply

if TYPE_CHECKING:
    from tests.simulation.shop import Process, Shop

MAX_TRIES = 3
RETRY = (250, 500)
GIVE_UP = 8 * SECOND
EFFECTS = (CreateIntent, ConfirmIntent, CancelIntent, CaptureIntent, CreateRefund)
MEDDLING = frozenset({"team_mid_call", "pay_mid_call", "money_mid_call"})
# Stripe may complete at last what it had answered with a 500 (error-low-level); how late, it does not say. A refund and
# a capture within an hour is what KEY_FORGOTTEN in core/decide/table.py relies on.
LATE_MONEY = HOUR
LATE_INTENT = 12 * HOUR


class Watched(AsyncMemoryBookingRepository):
    """The library's own storage in memory; the oracle sees every commit."""

    def __init__(self, shop: "Shop", bookings: Sequence[Any]) -> None:
        super().__init__(bookings)
        self.shop = shop

    def _save(self, change: Change) -> bool:
        before = self._bookings.get(change.booking_id)
        if not super()._save(change):
            return False
        row = self._bookings[change.booking_id]
        moved = before if change.booking_status is None else replace(before, status=change.booking_status)
        self.shop.world.oracle.check(row == moved, "S2", f"the team's row is {row}, and should be {moved}")
        # As a database would have it: what is read next comes out of the document.
        document = dump(change.ledger)
        self._ledgers[change.booking_id] = load(document, change.ledger.version)
        self.shop.world.saved(self.shop, before, change, document)
        return True

    def next_due(self, start: datetime) -> int | None:
        """When something is next due, in this world's time; the row's own news is due at once."""
        if self._due_ids(start, None, 1):
            return 0
        # What waits for a person is never due by itself.
        due = [at for at in self._due.values() if at < ATTENTION_AT]
        holds = [
            b.hold_until
            for b in self._bookings.values()
            if b.hold_until
            and b.status is BookingStatus.PENDING
            and (b.id not in self._ledgers or self._ledgers[b.id].attached is None)
            and not any(p.closing and p.payable for p in self._ledgers.get(b.id, Ledger()).payments)
        ]
        soonest = min((*due, *holds), default=None)
        return None if soonest is None else max(0, int((soonest - start) / timedelta(milliseconds=1)) + 1)


class FaultyRepository:
    """The database over a network, for one process."""

    def __init__(self, process: "Process") -> None:
        self.process = process
        self.world = process.world
        self.tables = process.shop.tables

    async def _begin(self, site: str, booking_id: str) -> str | None:
        world = self.world
        task = world.sched.current
        fate = world.fates.draw(site)
        await switch(1 + int(task.random() * 12))
        if fate is not None:
            if fate.startswith("crash_before"):
                self.process.die(f"before {site}")
            if fate == "stall":
                await switch(stall_ms(task.random()))
            elif fate in MEDDLING:
                world.meddle(fate, self.process.shop, booking_id)
            elif fate in {"read_fails", "save_fails"}:
                world.trace(task.name, "%s fails", site)
                raise StorageUnavailable
        if world.fates.within("database_down"):
            raise StorageUnavailable
        return fate

    async def _end(self, site: str, fate: str | None) -> None:
        await switch(1 + int(self.world.sched.current.random() * 12))
        if fate is not None:
            if fate.startswith("crash_after"):
                self.process.die(f"after {site}")
            if fate == "commit_unknown":
                self.world.trace(self.world.sched.current.name, "does not hear of its commit")
                raise StorageUnavailable("the connection was lost while committing")

    async def get(self, booking_id: str) -> Snapshot | None:
        fate = await self._begin("read", booking_id)
        snapshot = self.tables._get(booking_id)
        await self._end("read", fate)
        return snapshot

    async def find(self, payment_intent_id: str) -> str | None:
        fate = await self._begin("read", "")
        found = self.tables._find(payment_intent_id)
        await self._end("read", fate)
        return found

    async def save(self, change: Change) -> bool:
        fate = await self._begin("save", change.booking_id)
        if fate == "save_conflict":
            self.world.trace(self.world.sched.current.name, "its save is refused: a serialization failure")
            return False
        saved = self.tables._save(change)
        await self._end("save", fate)
        return saved

    async def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        fate = await self._begin("read", "")
        found = self.tables._due_ids(before, after, limit)
        await self._end("read", fate)
        return found

    async def history(self, booking_id: str) -> Sequence[HistoryLine]:
        fate = await self._begin("read", booking_id)
        lines = self.tables._story(booking_id)
        await self._end("read", fate)
        return lines

    async def newest(self, *, after: str | None, limit: int) -> Sequence[tuple[str, datetime | None]]:
        fate = await self._begin("read", "")
        found = self.tables._newest(after, limit)
        await self._end("read", fate)
        return found

    async def owned_by(self, owner: str, *, after: str | None, limit: int) -> Sequence[str]:
        fate = await self._begin("read", "")
        found = self.tables._owned_by(owner, after, limit)
        await self._end("read", fate)
        return found

    async def forget(self, booking_id: str, *, version: int, before: datetime | None) -> None:
        fate = await self._begin("save", booking_id)
        self.tables._forget(booking_id, version, before)
        await self._end("save", fate)


class SyncFaultyRepository:
    """The same for the sync gateway: nobody comes between."""

    def __init__(self, process: "Process") -> None:
        self._inner = FaultyRepository(process)

    def get(self, booking_id: str) -> Snapshot | None:
        return drive(self._inner.get(booking_id))

    def find(self, payment_intent_id: str) -> str | None:
        return drive(self._inner.find(payment_intent_id))

    def save(self, change: Change) -> bool:
        return drive(self._inner.save(change))

    def due(self, **named: Any) -> Sequence[str]:
        return drive(self._inner.due(**named))

    def history(self, booking_id: str) -> Sequence[HistoryLine]:
        return drive(self._inner.history(booking_id))

    def newest(self, **named: Any) -> Sequence[tuple[str, datetime | None]]:
        return drive(self._inner.newest(**named))

    def owned_by(self, owner: str, **named: Any) -> Sequence[str]:
        return drive(self._inner.owned_by(owner, **named))

    def forget(self, booking_id: str, **named: Any) -> None:
        drive(self._inner.forget(booking_id, **named))


class ModelPort:
    """The port over the small Stripe: it tries as the real one does, and every try may fail in every way."""

    def __init__(self, process: "Process") -> None:
        self.process = process
        self.world = process.world
        self.books = process.world.stripe.books

    async def perform(self, command: Command | Fetch) -> PortReply:
        self.world.oracle.performed(self.process, command)
        for wait in (*RETRY, None):
            reply = await (self._post(command) if isinstance(command, EFFECTS) else self._get(command))
            replayed_error = isinstance(reply, Unanswered) and reply.reason == REPLAYED
            if wait is None or not isinstance(reply, Unanswered) or replayed_error:
                break
            await switch(wait)
        self.world.oracle.replied(command, reply)
        return reply

    async def page(self, command: ListPage) -> ListReply:
        """Read a page of one of Stripe's lists."""
        for wait in (*RETRY, None):
            fate, lost = await self._begin("get", command)
            if lost is None:
                reply = page(self.world, command)
                await self._travel(fate, command)
                return reply
            if wait is None or isinstance(lost, Refused):
                break
            await switch(wait)
        assert isinstance(lost, Refused | Unanswered)
        return lost

    async def close(self) -> None:
        """Nothing to close."""

    async def _begin(self, site: str, command: Command | Fetch | ListPage) -> tuple[str | None, PortReply | None]:
        """Return the fate of this try, and the reply if the call does not reach Stripe."""
        world = self.world
        task = world.sched.current
        task.called_at = world.sched.now
        fate = world.fates.draw(site)
        await switch(20 + int(task.random() * 200))
        if fate == "crash_before_call":
            self.process.die(f"before {type(command).__name__}")
        if fate == "stall":
            await switch(stall_ms(task.random()))
        elif fate in MEDDLING:
            world.meddle(fate, self.process.shop, getattr(command, "booking_id", ""))
        elif fate in {"timeout_before", "cut_before"}:
            await switch(GIVE_UP if fate == "timeout_before" else 50)
            return fate, Unanswered(fate)
        elif fate in {"rate_limited", "in_flight"}:
            return fate, Unanswered(f"Stripe answered {429 if fate == 'rate_limited' else 409}")
        elif fate == "error_503":
            return fate, Unanswered("Stripe answered 503", server_error=True)
        elif fate == "bad_key":
            return fate, Refused(RefusalKind.CREDENTIALS, "401")
        elif fate == "refused":
            return fate, Refused(RefusalKind.INVALID, "the account cannot do this just now")
        if world.fates.within("stripe_down"):
            await switch(GIVE_UP)
            return fate, Unanswered("timeout")
        return fate, None

    async def _get(self, command: Any) -> PortReply:
        world = self.world
        fate, reply = await self._begin("get", command)
        if reply is None:
            since = world.ms(command.since) if isinstance(command, FindIntent) else 0
            reply = self.books.read(command, since)
            if isinstance(command, RetrieveIntent | FindIntent):
                world.sched.current.seen = (command.attempt_id, world.sched.now)
        else:
            world.trace(world.sched.current.name, "%s: %s", command, fate or "no answer", loud=False)
        await self._travel(fate, command)
        return reply

    async def _post(self, command: Effect) -> PortReply:
        world, books = self.world, self.books
        task = world.sched.current
        fate, reply = await self._begin("post", command)
        if reply is not None:
            world.trace(task.name, "%s %s does not reach Stripe: %s", type(command).__name__, command.key, reply)
            return reply
        world.oracle.sent(self.process.shop, command)
        if fate == "late":
            # Stuck on the way; it arrives when its sender has long given up.
            delay = int(task.random() * 10 * MINUTE)
            world.sched.at(world.sched.now + delay, lambda: books.execute(command, world.sched.now, None))
            world.trace(task.name, "%s %s is stuck on the way", type(command).__name__, command.key)
            await switch(GIVE_UP)
            return Unanswered("timeout")
        if command.key in books.in_use:
            return Unanswered("Stripe answered 409")
        answers: list[PortReply] = []

        def execute() -> None:
            books.in_use.discard(command.key)
            world.trace("Stripe", "executes %s %s%s", type(command).__name__, command.key, f" ({fate})" if fate else "")
            late = fate == "error_500_late" and not books.knows(command.key)
            answers.append(books.execute(command, world.sched.now, fate))
            world.oracle.charged_saved(books.charged)
            if late:
                longest = LATE_MONEY if isinstance(command, CaptureIntent | CreateRefund) else LATE_INTENT
                delay = int(task.random() * longest)
                world.sched.at(world.sched.now + delay, lambda: books.complete(command, world.sched.now))

        if world.plan.colour == "sync" and not world.sched.threads:
            execute()
        else:
            # Stripe goes on whatever becomes of who asked; meanwhile the key is in use.
            books.in_use.add(command.key)
            busy = 30 + int(task.random() * 300)
            world.sched.at(world.sched.now + busy, execute)
            await switch(busy)
        await self._travel(fate, command)
        if fate in {"timeout_after", "cut_after"}:
            world.trace(task.name, "the answer to %s is lost", command.key)
            await switch(GIVE_UP if fate == "timeout_after" else 50)
            return Unanswered(fate)
        if not isinstance(command, CreateRefund):
            task.seen = (command.attempt_id, books.as_of(command.key))
        return answers[0]

    async def _travel(self, fate: str | None, command: ListPage | Command | Fetch) -> None:
        # Some answers are overtaken by later ones.
        await switch(10 + int(4000 * self.world.sched.current.random() ** 6))
        if fate == "crash_after_call":
            self.process.die(f"after {type(command).__name__}")


class SyncModelPort:
    """The same for the sync gateway."""

    def __init__(self, process: "Process") -> None:
        self._inner = ModelPort(process)

    def perform(self, command: Command) -> PortReply:
        return drive(self._inner.perform(command))

    def page(self, command: ListPage) -> ListReply:
        return drive(self._inner.page(command))

    def close(self) -> None:
        """Nothing to close."""


def stall_ms(draw: float) -> int:
    """How long a process stands still: mostly seconds, rarely longer than a lease, at most forty minutes."""
    return int(SECOND * 2400**draw)
