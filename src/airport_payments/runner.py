"""The loop: load, decide, commit, act, feed the reply back. It knows no rule."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from airport_payments.core.announcements import Deliver
from airport_payments.core.commands import Command, Fetch, RetrieveIntent
from airport_payments.core.decide.draft import Decision, Unplaced, after
from airport_payments.core.decide.route import SUBJECTS, Ask, EventOutcome, Ignore, Ours, Subject, route
from airport_payments.core.errors import Busy, PaymentsError
from airport_payments.core.evolve import replace
from airport_payments.core.facts import (
    Answer,
    Asker,
    Delivered,
    DeliveryFailed,
    Fact,
    IntentObserved,
    IntentSeen,
    IntentView,
    Observed,
    PortReply,
    TimePassed,
)
from airport_payments.core.ids import PAYMENT_INTENT_ID
from airport_payments.core.model import Change, Policy, Snapshot
from airport_payments.core.views import TickReport
from airport_payments.deciding import Turn
from airport_payments.loop import (
    MAX_ROUNDS,
    Handlers,
    logger,
    pause_s,
    taken,
)
from airport_payments.placing import (
    FOREIGN,
    NO_SUCH_OBJECT,
    OBSERVED,
    AftermathFact,
    Unread,
    fetch_of,
    fetched,
    head_of,
    ignored,
    intent_of,
    not_fetched,
    readable,
    shown_aftermath,
    shown_intent,
    shown_owner,
)
from airport_payments.reporting import Reporter, log_dead_letters
from airport_payments.repository import BookingRepository, get_and_save_of
from airport_payments.stripe_api.events import Event
from airport_payments.stripe_api.lists import ListPage, ListReply
from airport_payments.waiting import Waker


class Port(Protocol):
    """What the gateway needs of Stripe: a command in, a reply out."""

    def perform(self, command: Command | Fetch) -> PortReply:
        """Perform a command; whatever the network does is a reply."""
        ...

    def page(self, command: ListPage) -> ListReply:
        """Ask for a page of a list; whatever the network does is a reply."""
        ...

    def close(self) -> None:
        """Let go of what was opened."""
        ...


class Runner:
    """Runs facts through the rules, and does what is due. Safe for threads.

    Args:
        repository: the team's database.
        port: Stripe.
        policy: what the rules need to know of the settings.
        clock: the present, aware UTC.
        sleep: waits after a lost race, in seconds.
        draw: a random number from 0 to 1, to wait a different time than others.
        rebuild: whether a PaymentIntent that no attempt is known of may be put back as the booking's own.
    """

    def __init__(
        self,
        repository: BookingRepository,
        port: Port,
        policy: Policy,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        draw: Callable[[], float],
        rebuild: bool = False,
    ) -> None:
        self.handlers: Handlers[Callable[..., object]] = Handlers(asynchronous=False)
        self._repository = repository
        self._port = port
        self._policy = policy
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._rebuild = rebuild
        self._waker = Waker()
        self._reporter = Reporter(clock)
        self._after: str | None = None

    # ---- events ----

    def note(self, event: Event) -> None:
        """Take note of how an event came, for the log."""
        self._reporter.version(event.api_version)

    def event(self, event: Event) -> EventOutcome:
        """Apply an event whose origin is known to be good. When this returns, what it changed is committed."""
        way = route(event.head, self._policy)
        if isinstance(way, Ignore):
            return ignored(event, way)
        if SUBJECTS[event.name] is not Subject.INTENT:
            return self._aftermath(event)
        shown = shown_intent(event, self._policy)
        view = shown if shown is not None else self._fetch_intent(event, event.object_id)
        if isinstance(view, Ignore):
            return ignored(event, view)
        if shown is None:
            way = route(head_of(event, view), self._policy)
            if isinstance(way, Ignore):
                return ignored(event, way)
        booking_id = self._repository.find(view.id) if isinstance(way, Ask) else way.booking_id
        if booking_id is None:
            return ignored(event, FOREIGN)
        return self._apply(booking_id, IntentObserved(view, event.id, event.name))

    def _aftermath(self, event: Event) -> EventOutcome:
        """Apply an event about a refund or a dispute: ours, if its PaymentIntent is."""
        shown = shown_aftermath(event, self._policy)
        intent_id = shown_owner(event, self._policy)
        # What says nothing of its owner is fetched at once; else what cannot be read matters only if it is ours.
        fact = shown if shown is not None or intent_id is not None else self._fetch_aftermath(event)
        if isinstance(fact, Ignore):
            return ignored(event, fact)
        if intent_id is None and fact is not None:
            intent_id = intent_of(fact)
        if not intent_id:
            return ignored(event, FOREIGN)
        booking_id = self._repository.find(intent_id) or self._place(event, intent_id)
        if isinstance(booking_id, Ignore):
            return ignored(event, booking_id)
        if booking_id is None:
            return EventOutcome.UNMATCHED
        found = readable(event, fact if fact is not None else self._fetch_aftermath(event))
        return ignored(event, found) if isinstance(found, Ignore) else self._apply(booking_id, found)

    def _place(self, event: Event, intent_id: str) -> str | Ignore | None:
        """Return whose a PaymentIntent is that no booking is known to have; None: ours, but there is no such booking."""
        view = self._fetch_intent(event, intent_id)
        if isinstance(view, Ignore):
            return view
        way = route(head_of(event, view), self._policy)
        if not isinstance(way, Ours):
            return way if isinstance(way, Ignore) else FOREIGN
        if self._apply(way.booking_id, IntentObserved(view, event.id, event.name)) is EventOutcome.UNMATCHED:
            return None
        return self._repository.find(intent_id)

    def _fetch_intent(self, event: Event, intent_id: str) -> IntentView | Ignore:
        """Return a PaymentIntent that an event names but does not show, as this version shows it, or why it is not ours."""
        if not PAYMENT_INTENT_ID.fullmatch(intent_id):
            return NO_SUCH_OBJECT
        reply = self._port.perform(RetrieveIntent("", intent_id))
        return reply.view if isinstance(reply, IntentSeen) else not_fetched(event.id, reply)

    def _fetch_aftermath(self, event: Event) -> AftermathFact | Unread | Ignore:
        """Return what an event is about that it does not show as this version does, or why it is not ours."""
        question = fetch_of(event)
        if isinstance(question, Ignore):
            return question
        reply = self._port.perform(question)
        return fetched(event, reply)

    def _apply(self, booking_id: str, fact: Observed) -> EventOutcome:
        decision = self.run(booking_id, fact)
        lost = decision.reply is None or isinstance(decision.reply, Unplaced)
        if lost and isinstance(fact, IntentObserved):
            # Its marks may name another booking, or none any more: whose it is, the index says first.
            elsewhere = self._repository.find(fact.view.id)
            placed = replace(fact, placed=True, rebuild=self._rebuild)
            decision = self.run(elsewhere or booking_id, placed)
        if isinstance(decision.reply, PaymentsError):
            raise decision.reply
        if decision.reply is None:
            logger.error("event %.64r is ours, but there is no booking %r: unmatched", fact.event_id, booking_id[:128])
            return EventOutcome.UNMATCHED
        if isinstance(decision.reply, Unplaced):
            raise Busy("the PaymentIntent was put elsewhere meanwhile")
        return EventOutcome.UNCHANGED if decision.change is None else EventOutcome.APPLIED

    # ---- what time brings ----

    def tick(self, now: datetime | None = None, limit: int = 100) -> TickReport:
        """Do what is due, as `PaymentGateway.tick` has it."""
        before = now if now is not None else self._clock()
        due = self._repository.due(before=before, after=self._after, limit=limit)
        problems = 0
        asked = TimePassed(self.handlers.subscriptions)
        for booking_id in due:
            try:
                decision = self.run(booking_id, asked, now)
                problems += isinstance(decision.reply, PaymentsError)
            except Exception as error:  # noqa: BLE001 - one booking's trouble must not keep the others waiting
                problems += 1
                self._reporter.tick_failed(booking_id, error)
        # The next tick goes on where this one stopped, so that what keeps failing starves nobody.
        more = 0 < limit <= len(due)
        self._after = due[-1] if more else None
        return TickReport(len(due), problems, more)

    def work(self, stop: threading.Event, every_s: float = 1.0) -> None:
        """Tick until `stop` is set: at every commit that leaves something due, and at least every `every_s`."""
        while not stop.is_set():
            self._waker.clear()
            go_on = False
            try:
                report_ = self.tick()
                go_on = report_.more and report_.problems < report_.bookings
            except Exception as error:  # noqa: BLE001 - the worker outlives a database that is away
                logger.error("tick failed: %s", type(error).__name__, exc_info=True)
            if not go_on:
                self._waker.wait(every_s)

    def wake(self) -> None:
        """Let a waiting `work` go on at once, to see a commit, or that `stop` is set."""
        self._waker.set()

    def fetch(self, command: Fetch) -> PortReply:
        """Ask Stripe for something that is of no booking."""
        return self._port.perform(command)

    def close(self) -> None:
        """Let go of Stripe."""
        self._port.close()

    # ---- the loop ----

    def run(self, booking_id: str, asked: Asker | Observed, at: datetime | None = None) -> Decision:
        """Load, decide, commit, act, and feed the reply back, until there is a reply for who asked.

        A decision without a reply means that there is no such booking.
        """
        fact: Fact = asked
        conflicts = 0
        known: Snapshot | None = None
        for round_ in range(MAX_ROUNDS):
            turn = Turn(fact, self._policy, self._clock if at is None else lambda: at)
            if known is None:
                saved = self._get_and_save(booking_id, turn)
            elif (change := turn(known)) is not None:
                saved = self._repository.save(change)
            else:
                # What was just written stands in for a reading only where the next save checks that it still stands.
                known = None
                continue
            decision, snapshot = turn.decision, turn.snapshot
            if decision is None or snapshot is None:
                return Decision(None)
            if not saved:
                known = None
                conflicts += 1
                self._sleep(pause_s(conflicts, self._draw()))
                continue
            change = decision.change
            if change is not None:
                log_dead_letters(change)
                self._committed(change)
            self._reporter.problem(booking_id, decision, ticking=isinstance(asked, TimePassed))
            act = decision.act
            if act is None:
                return decision
            known = None if change is None else after(change)
            if isinstance(act, Deliver):
                # The last rounds are for writing down what this delivery came to: what is left stays due.
                fact = self._deliver(act, asked if round_ < MAX_ROUNDS // 2 else None)
            elif not isinstance(asked, OBSERVED):
                fact = Answer(act, self._port.perform(act), (known or snapshot).ledger.version, asked)
        return Decision(None, reply=Busy("other writers kept winning"))

    def _get_and_save(self, booking_id: str, turn: Turn) -> bool:
        """Save what the rules make of what is read. True also if there is nothing to save."""
        together = get_and_save_of(self._repository)
        if together is not None:
            saved: bool = together(booking_id, turn)
            return saved
        snapshot = self._repository.get(booking_id)
        change = None if snapshot is None else turn(snapshot)
        return change is None or self._repository.save(change)

    def _committed(self, change: Change) -> None:
        """Wake the worker if the commit left something due."""
        if change.due_at is not None and change.due_at <= self._clock():
            self._waker.set()

    def _deliver(self, call: Deliver, asked: Asker | Observed | None) -> Delivered | DeliveryFailed:
        announcement, name = call.announcement, call.subscriber
        asker = asked if isinstance(asked, TimePassed) else None
        try:
            handler = self.handlers.of(call)
            taken(handler(announcement))
        except Exception as error:  # noqa: BLE001 - whatever a team's handler raises, the announcement stays due
            kind = type(error).__name__
            logger.error("announcement %r: %r raised %s", announcement.id, name, kind, exc_info=True)
            return DeliveryFailed(announcement.sequence, name, call.tries, kind, asker)
        return Delivered(announcement.sequence, name, asker)
