"""Reconciling: Stripe's lists, and the events that were not delivered, are put to the same rules as webhooks are."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from airport_payments.core.codec import UnreadableLedger
from airport_payments.core.commands import Command, Fetch, RetrieveIntent
from airport_payments.core.errors import (
    Misconfigured,
    PaymentsError,
    ReconcileInterrupted,
    StorageUnavailable,
    StripeUnavailable,
)
from airport_payments.core.evolve import replace
from airport_payments.core.facts import IntentSeen, PortReply
from airport_payments.core.model import Change, HistoryLine, Policy, Snapshot
from airport_payments.core.reconcile import ReconcileReport
from airport_payments.reconciling import (
    MAX_KNOWN,
    MAX_REFUND_PAGES,
    Job,
    Overlay,
    Pace,
    Place,
    Tally,
    listed,
    made_minor,
    page_of,
)
from airport_payments.repository import AsyncBookingRepository
from airport_payments.runner_async import AsyncPort, AsyncRunner
from airport_payments.stripe_api.events import Event
from airport_payments.stripe_api.lists import MAX_PAGE, ListedPage, Listing, ListPage, ListReply


class AsyncTables:
    """The team's database, with an eye on what is written; in a dry run nothing is, and readings show it all the same."""

    def __init__(self, inner: AsyncBookingRepository, tally: Tally, *, dry_run: bool) -> None:
        self._inner = inner
        self._tally = tally
        self._overlay = Overlay() if dry_run else None

    async def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking and its ledger."""
        kept = self._overlay.get(booking_id) if self._overlay is not None else None
        return kept if kept is not None else await self._inner.get(booking_id)

    async def find(self, payment_intent_id: str) -> str | None:
        """Return the booking that has this PaymentIntent."""
        kept = self._overlay.find(payment_intent_id) if self._overlay is not None else None
        return kept if kept is not None else await self._inner.find(payment_intent_id)

    async def save(self, change: Change) -> bool:
        """Write a change, or in a dry run only keep it in mind."""
        if self._overlay is not None:
            self._overlay.save(change)
        elif not await self._inner.save(change):
            return False
        self._tally.changed(change)
        return True

    async def due(self, *, before: datetime, after: str | None, limit: int) -> Sequence[str]:
        """Return what the database says."""
        return await self._inner.due(before=before, after=after, limit=limit)

    async def history(self, booking_id: str) -> Sequence[HistoryLine]:
        """Return what the database says."""
        return await self._inner.history(booking_id)


class AsyncPacedPort:
    """Stripe, asked no faster than it likes, and about each PaymentIntent at most once."""

    def __init__(
        self, port: AsyncPort, *, clock: Callable[[], datetime], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._port = port
        self._pace = Pace(clock)
        self._sleep = sleep
        self._known: dict[str, IntentSeen] = {}

    async def perform(self, command: Command | Fetch) -> PortReply:
        """Ask, or say again what was answered."""
        if isinstance(command, RetrieveIntent) and command.intent_id in self._known:
            return self._known[command.intent_id]
        await self._sleep(self._pace.wait_s())
        reply = await self._port.perform(command)
        if isinstance(reply, IntentSeen):
            self._remember(reply)
        return reply

    async def page(self, command: ListPage) -> ListReply:
        """Ask for a page."""
        await self._sleep(self._pace.wait_s())
        reply = await self._port.page(command)
        if isinstance(reply, ListedPage) and command.listing is Listing.INTENTS:
            for view in (event.intent for event in reply.events):
                if view is not None:
                    self._remember(IntentSeen(view))
        return reply

    async def close(self) -> None:
        """Leave it open: it is not ours."""

    def _remember(self, seen: IntentSeen) -> None:
        if len(self._known) < MAX_KNOWN:
            self._known[seen.view.id] = seen


class AsyncComparison:
    """Puts what Stripe lists to the rules, as if it had come in events."""

    def __init__(self, runner: AsyncRunner, tables: AsyncTables, port: AsyncPacedPort, tally: Tally) -> None:
        self._runner = runner
        self._tables = tables
        self._port = port
        self._tally = tally

    async def page(self, command: ListPage) -> ListedPage:
        """Compare one page, and return it."""
        page = listed(await self._port.page(command), command)
        for event in page.events:
            await self._compare(event)
            refunded_minor = page.refunded_minor.get(event.object_id)
            if refunded_minor is not None:
                await self._refunds(command, event.object_id, refunded_minor)
        return page

    async def _compare(self, event: Event) -> None:
        try:
            outcome = await self._runner.event(event)
        except (StripeUnavailable, StorageUnavailable, Misconfigured):
            raise
        except PaymentsError as error:
            self._tally.not_compared(event, error)
            return
        self._tally.judged(event, outcome)

    async def _refunds(self, asked: ListPage, intent_id: str, refunded_minor: int) -> None:
        """Read a PaymentIntent's refunds, whenever they were made, if another sum went back than is known here."""
        booking_id = await self._tables.find(intent_id)
        if booking_id is None:
            return
        try:
            snapshot = await self._tables.get(booking_id)
        except UnreadableLedger:
            return  # told of when its PaymentIntent was compared; the others go on
        if made_minor(snapshot, intent_id) == refunded_minor:
            return
        command = replace(asked, listing=Listing.REFUNDS, size=MAX_PAGE, after=None, intent_id=intent_id)
        for _ in range(MAX_REFUND_PAGES):
            page = listed(await self._port.page(command), command)
            for event in page.events:
                await self._compare(event)
            if not page.more:
                return
            command = replace(command, after=page.last)


class AsyncReconciler:
    """Compares Stripe's books with the tables, for one gateway.

    Args:
        repository, port, policy, clock, sleep, draw: as the runner has them.
        wake: lets the gateway's worker see what was left due.
    """

    def __init__(
        self,
        repository: AsyncBookingRepository,
        port: AsyncPort,
        policy: Policy,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        draw: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._repository = repository
        self._port = port
        self._policy = policy
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._wake = wake

    async def run(self, job: Job, start: Place) -> ReconcileReport:
        """Compare page after page, and return what was found. Raises as `AsyncPaymentGateway.reconcile` does."""
        tally = Tally(job)
        tables = AsyncTables(self._repository, tally, dry_run=job.dry_run)
        port = AsyncPacedPort(self._port, clock=self._clock, sleep=self._sleep)
        runner = AsyncRunner(
            tables, port, self._policy, clock=self._clock, sleep=self._sleep, draw=self._draw, rebuild=job.rebuild
        )
        comparison = AsyncComparison(runner, tables, port, tally)
        place: Place | None = start
        while place is not None and tally.looked_at < job.limit:
            changes = tally.changes
            try:
                page = await comparison.page(page_of(job, place, self._policy, tally.looked_at))
            except (StripeUnavailable, StorageUnavailable) as error:
                raise ReconcileInterrupted(error, tally.report(place)) from error
            tally.looked_at += len(page.events)
            tally.tell(place)
            if tally.changes != changes and not job.dry_run:
                self._wake()
            place = place.next(page)
        return tally.report(place)
