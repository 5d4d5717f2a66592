"""What both colours of reconcile share: the window, the cursor, the pace, and the tally of what was found."""

import base64
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias, cast

from airport_payments.core.decide.draft import after
from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import FieldError, InvalidRequest, Misconfigured, PaymentsError, StripeUnavailable
from airport_payments.core.evolve import replace
from airport_payments.core.facts import IntentView, RefusalKind, Refused
from airport_payments.core.ids import check_time
from airport_payments.core.model import Change, Policy, Snapshot
from airport_payments.core.money import Money
from airport_payments.core.reconcile import (
    Difference,
    DifferenceKind,
    ReconcileProgress,
    ReconcileReport,
    differences,
)
from airport_payments.loop import logger
from airport_payments.stripe_api.events import Event
from airport_payments.stripe_api.lists import MAX_PAGE, ListedPage, Listing, ListPage, ListReply
from airport_payments.stripe_api.marks import META_BOOKING

# Stripe lets 25 calls a second through to one endpoint (docs.stripe.com/rate-limits). Customers are served meanwhile.
PER_SECOND: Final = 10
# One call compares so many objects if it is told nothing else: a few minutes, and what a dry run keeps in mind stays small.
DEFAULT_LIMIT: Final = 10_000
MAX_LIMIT: Final = 1_000_000
# Refunds of one PaymentIntent are read in so many pages.
MAX_REFUND_PAGES: Final = 5
# PaymentIntents that one call keeps in mind, so that it asks for none of them twice.
MAX_KNOWN: Final = 10_000

# PaymentIntents first: a restored backup gets them back before refunds, disputes and old events speak of them.
ORDER: Final = (Listing.INTENTS, Listing.REFUNDS, Listing.DISPUTES, Listing.EVENTS)
_ID: Final = re.compile(r"[a-z]{2,8}_[A-Za-z0-9_]{1,250}", re.ASCII)
_MAX_CURSOR_CHARS: Final = 1000

Progress: TypeAlias = Callable[[ReconcileProgress], object]


@dataclass(frozen=True, slots=True)
class Job:
    """What one call of `reconcile` was asked."""

    since: datetime
    until: datetime
    dry_run: bool
    rebuild: bool
    limit: int
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where reconciling stands: in which list, and after which object."""

    listing: Listing = ORDER[0]
    after: str | None = None

    def next(self, page: ListedPage) -> "Place | None":
        """Return the place after a page, None at the end."""
        if page.more and page.last is not None:
            return Place(self.listing, page.last)
        at = ORDER.index(self.listing) + 1
        return Place(ORDER[at]) if at < len(ORDER) else None


def job_of(
    since: datetime,
    until: datetime | None,
    cursor: str | None,
    now: datetime,
    *,
    dry_run: bool,
    rebuild: bool,
    limit: int,
    progress: Progress | None,
) -> tuple[Job, Place]:
    """Return what to do and where to begin. Raises `InvalidRequest` for what is no window, limit or cursor."""
    check_time("since", since)
    if until is not None:
        check_time("until", until)
    if not _is_count(limit):
        raise InvalidRequest(FieldError("limit", f"1 to {MAX_LIMIT}"))
    if progress is not None and not callable(progress):
        raise InvalidRequest(FieldError("progress", "a function that takes a ReconcileProgress"))
    place = Place()
    if cursor is not None:
        since, until, place = _read_cursor(cursor, since, until)
    elif until is None:
        until = now
    if until <= since:
        raise InvalidRequest(FieldError("until", "later than since"))
    return Job(since, until, dry_run, rebuild, limit, progress), place


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= MAX_LIMIT


def cursor_of(job: Job, place: Place) -> str:
    """Return where to go on, as text that a caller can keep."""
    document = [1, _seconds(job.since), _seconds(job.until), place.listing.value, place.after]
    return base64.urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()


def _read_cursor(cursor: str, since: datetime, until: datetime | None) -> tuple[datetime, datetime, Place]:
    found = _decoded(cursor)
    place = _place_of(found)
    if place is None:
        raise InvalidRequest(FieldError("cursor", "what an earlier call of reconcile handed back"))
    _, since_s, until_s, *_ = cast("list[int]", found)
    if since_s != _seconds(since) or (until is not None and until_s != _seconds(until)):
        raise InvalidRequest(FieldError("cursor", "of another window: give the same since and until"))
    return since, until or datetime.fromtimestamp(until_s, UTC), place


def _decoded(cursor: object) -> object:
    if not isinstance(cursor, str) or len(cursor) > _MAX_CURSOR_CHARS:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (ValueError, RecursionError):
        return None


def _place_of(found: object) -> Place | None:
    """Return the place that a cursor names, None if it is none of ours."""
    if not isinstance(found, list):
        return None
    parts = cast("list[object]", found)
    if len(parts) != 5 or parts[0] != 1 or not all(type(part) is int and 0 <= part < 2**33 for part in parts[1:3]):
        return None
    listing, last = parts[3:]
    if not isinstance(listing, str) or listing not in set(ORDER):
        return None
    if last is None or (isinstance(last, str) and _ID.fullmatch(last)):
        return Place(Listing(listing), last)
    return None


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def page_of(job: Job, place: Place, policy: Policy, looked_at: int) -> ListPage:
    """Return the question for the next page."""
    size = min(MAX_PAGE, job.limit - looked_at)
    return ListPage(place.listing, job.since, job.until, policy, size, place.after)


def listed(reply: ListReply, command: ListPage) -> ListedPage:
    """Return the page that Stripe answered with.

    Raises:
        StripeUnavailable: it did not answer.
        InvalidRequest: it does not know any more what the cursor names.
        Misconfigured: it does not let us see the list.
    """
    if isinstance(reply, ListedPage):
        return reply
    if not isinstance(reply, Refused):
        raise StripeUnavailable(reply.reason)
    if reply.kind is RefusalKind.MISSING and command.after is not None:
        raise InvalidRequest(FieldError("cursor", "too old: Stripe has forgotten where it stood; begin again"))
    raise Misconfigured(f"Stripe refuses to list {command.listing} ({reply.reason})")


class Pace:
    """Says how long to wait before each call, so that no second has more of them than `PER_SECOND`."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last: datetime | None = None
        self._gap = timedelta(seconds=1 / PER_SECOND)

    def wait_s(self) -> float:
        """Return how long to wait before a call that is then made, in seconds."""
        now, last = self._clock(), self._last
        wait = timedelta(0)
        if last is not None:
            # A clock that was set back, or does not move, makes it wait a whole gap and never more.
            wait = min(max(last + self._gap - now, timedelta(0)), self._gap)
        self._last = now + wait
        return wait.total_seconds()


class Overlay:
    """What a dry run would have written: kept beside the tables, and read in their place."""

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._intents: dict[str, str] = {}

    def get(self, booking_id: str) -> Snapshot | None:
        """Return the booking as it would be, None if nothing of it would have been written."""
        return self._snapshots.get(booking_id)

    def find(self, intent_id: str) -> str | None:
        """Return whose PaymentIntent it would be."""
        return self._intents.get(intent_id)

    def save(self, change: Change) -> None:
        """Keep what would be written."""
        self._snapshots[change.booking_id] = after(change)
        for row in change.index:
            if row.intent_id is not None:
                self._intents[row.intent_id] = change.booking_id


class Tally:
    """Counts what was looked at, and keeps each difference once, whichever way found it."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._found: dict[tuple[DifferenceKind, str], Difference] = {}
        self.looked_at = 0
        self.changes = 0
        self.foreign = 0

    def changed(self, change: Change) -> None:
        """Take in a change that was written, or would have been."""
        self.changes += 1
        for difference in differences(change):
            self._add(difference)

    def judged(self, event: Event, outcome: EventOutcome) -> None:
        """Take in what became of one object."""
        if outcome is EventOutcome.IGNORED:
            self.foreign += 1
        elif outcome is EventOutcome.UNMATCHED:
            booking_id = event.metadata.get(META_BOOKING)
            seen = event.intent
            word = seen.status.value if seen is not None else event.object_type
            self._add(
                Difference(DifferenceKind.UNMATCHED, booking_id, event.object_id, None, word, _amount_of(event, seen))
            )

    def not_compared(self, event: Event, error: PaymentsError) -> None:
        """Take in an object that could not be compared; the others are."""
        logger.log(logging.ERROR, "reconcile: %.64r was not compared: %s", event.object_id, error)
        booking_id = event.metadata.get(META_BOOKING)
        self._add(Difference(DifferenceKind.NOT_COMPARED, booking_id, event.object_id, None, error.code, None))

    def _add(self, new: Difference) -> None:
        key = (new.kind, new.object_id)
        old = self._found.get(key)
        self._found[key] = new if old is None else replace(new, here=old.here)

    def tell(self, place: Place) -> None:
        """Tell the caller how far it has come."""
        if self._job.progress is not None:
            self._job.progress(ReconcileProgress(place.listing.value, self.looked_at, len(self._found)))

    def report(self, place: Place | None) -> ReconcileReport:
        """Return what was found up to here."""
        job = self._job
        return ReconcileReport(
            since=job.since,
            until=job.until,
            dry_run=job.dry_run,
            looked_at=self.looked_at,
            foreign=self.foreign,
            differences=tuple(self._found.values()),
            cursor=None if place is None else cursor_of(job, place),
        )


def _amount_of(event: Event, intent: IntentView | None) -> Money | None:
    if intent is not None:
        return intent.amount
    fact = event.aftermath
    view = getattr(fact, "view", None)
    return view.amount if view is not None else None


def made_minor(snapshot: Snapshot | None, intent_id: str) -> int | None:
    """Return how much of a PaymentIntent went back as far as is known here, None if it is not known at all."""
    payment = snapshot.ledger.payment_of_intent(intent_id) if snapshot is not None else None
    return None if payment is None else sum(r.amount_minor for r in payment.refunds if r.made)
