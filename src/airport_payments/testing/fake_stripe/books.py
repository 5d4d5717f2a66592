"""What the fake remembers: one set of books per Stripe account, all of it plain JSON."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airport_payments.testing.fake_stripe.constants import MAX_OBJECTS, STRIPE_PAGES
from airport_payments.testing.fake_stripe.errors import no_such
from airport_payments.testing.fake_stripe.events import applies, make_event
from airport_payments.testing.fake_stripe.json_types import clone

if TYPE_CHECKING:
    from collections.abc import Callable

    from airport_payments.testing.fake_stripe.ids import Ids
    from airport_payments.testing.fake_stripe.json_types import Obj

# When it is due, its number (so that what is due at the same time keeps its order), what, and of which object.
Timer: TypeAlias = tuple[int, int, str, str]
KINDS: Final = (
    "payment_intent",
    "charge",
    "refund",
    "dispute",
    "customer",
    "payment_method",
    "balance_transaction",
    "event",
    "webhook_endpoint",
    "event_destination",  # only those for thin events
)


class FakeIsFull(RuntimeError):
    """The fake holds as many objects of a kind as it may: make a new one for another test."""


def _no_objects() -> dict[str, dict[str, Obj]]:
    return {kind: {} for kind in KINDS}


@dataclass(slots=True)
class Books:
    """One account's objects, in the order of their creation.

    Attributes:
        account: The account's id.
        livemode: Whether they play live mode.
        objects: By kind, then by id, as Stripe would show them.
        hidden: By id, what Stripe knows but doesn't show: a card's number, whether the customer authenticated.
        answers: Stored answers by idempotency key.
        timers: What is to happen later: a heap.
        timer_count: How many timers there ever were.
        switches: What a test told the fake to do to what comes next, by the name of the rule.
    """

    account: str
    livemode: bool = False
    objects: dict[str, dict[str, Obj]] = field(default_factory=_no_objects)
    hidden: dict[str, Obj] = field(default_factory=dict[str, "Obj"])
    answers: dict[str, Obj] = field(default_factory=dict[str, "Obj"])
    timers: list[Timer] = field(default_factory=list["Timer"])
    timer_count: int = 0
    switches: Obj = field(default_factory=dict[str, "Any"])

    def add(self, obj: Obj) -> Obj:
        """Store a new object."""
        shelf = self.objects[obj["object"]]
        if len(shelf) >= MAX_OBJECTS:
            raise FakeIsFull(f"{MAX_OBJECTS} objects of kind {obj['object']} in account {self.account}")
        shelf[obj["id"]] = obj
        return obj

    def get(self, kind: str, object_id: str, param: str, *, in_url: bool = True) -> Obj:
        """Find an object.

        Raises:
            StripeRefusal: If there is none (`resource_missing`).
        """
        found = self.objects[kind].get(object_id)
        if found is None:
            raise no_such(kind, object_id, param, in_url=in_url)
        return found

    def secrets_of(self, object_id: str) -> Obj:
        """Return what is hidden about an object, to be read and changed."""
        return self.hidden.setdefault(object_id, {})

    def later(self, due: int, what: str, object_id: str) -> None:
        """Remember that something is to happen."""
        self.timer_count += 1
        heapq.heappush(self.timers, (due, self.timer_count, what, object_id))

    def dump(self) -> Obj:
        """Return all of it as JSON."""
        return {
            "account": self.account,
            "livemode": self.livemode,
            "objects": clone(self.objects),
            "hidden": clone(self.hidden),
            "answers": clone(self.answers),
            "timers": [list(timer) for timer in self.timers],
            "timer_count": self.timer_count,
            "switches": clone(self.switches),
        }

    @classmethod
    def load(cls, saved: Obj) -> Books:
        """Make books from what `dump` returned."""
        return cls(
            account=saved["account"],
            livemode=saved.get("livemode", False),
            objects={kind: dict(saved["objects"].get(kind, {})) for kind in KINDS},
            hidden=dict(saved["hidden"]),
            answers=dict(saved["answers"]),
            timers=[(due, number, what, object_id) for due, number, what, object_id in saved["timers"]],
            timer_count=saved["timer_count"],
            switches=dict(saved.get("switches", {})),
        )


@dataclass(slots=True)
class Call:
    """What an operation works with: the account's books, the time, and who asked.

    Attributes:
        books: The account's books.
        ids: Where new ids come from.
        now: Unix time.
        publish: Called with each new event, to queue its deliveries; returns how many there are.
        request_id: `req_…`; None when nobody asked (a timer).
        idempotency_key: The request's key.
        publishable: Whether a publishable key asked.
        page_url: Where the page is on which the customer authenticates.
    """

    books: Books
    ids: Ids
    now: int
    publish: Callable[[Books, Obj], None]
    request_id: str | None = None
    idempotency_key: str | None = None
    publishable: bool = False
    page_url: str = STRIPE_PAGES

    def record(self, event_type: str, obj: Obj, previous: Obj | None = None) -> None:
        """Write an event: a snapshot of the object as it is now. Stripe may fail to, or write two."""
        if applies(self, "lost_events", event_type, obj):
            return
        for _ in range(2 if applies(self, "doubled_events", event_type, obj) else 1):
            event = make_event(self, event_type, obj, previous)
            self.books.add(event)
            self.publish(self.books, event)
