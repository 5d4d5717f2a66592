"""`due`: what the background work finds, page by page."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airport_payments.core.model import BookingStatus
from airport_payments.testing.repository_conformance.subject import Subject
from airport_payments.testing.repository_conformance.telling import must, same
from airport_payments.testing.repository_conformance.values import DAY, LATER, NOW, change, closed

MOMENT = timedelta(microseconds=1)
ORDER = (
    'due() is ordered by the id as a text, by code points as Python\'s sorted() does (COLLATE "C" in PostgreSQL), and '
    "`after` is compared in the same way"
)
UNWANTED = (
    "due() also has bookings with a payable payment (state 'payable') whose row is not pending any more or has another "
    "amount or currency than the payment's index row, whatever `before` is"
)
HELD = (
    "due() also has pending bookings whose hold_until is at or before `before`, unless a payment of theirs is closing"
)


class Dues:
    """What `due` promises."""

    def test_due_is_what_is_due_at_or_before(self, subject: Subject) -> None:
        """To the microsecond."""
        times = (NOW - MOMENT, NOW, NOW + MOMENT, None)
        for number, at in enumerate(times, 1):
            subject.saved(change(subject.add(number), due=at))
        subject.add(5)
        for before, count in ((NOW - 2 * MOMENT, 0), (NOW - MOMENT, 1), (NOW, 2), (NOW + MOMENT, 3), (NOW + DAY, 3)):
            same(
                subject.due(before),
                [subject.id(number) for number in range(1, count + 1)],
                "due() has the bookings whose due_at is at or before `before`, to the microsecond",
            )

    def test_before_may_have_any_zone(self, subject: Subject) -> None:
        """It is a moment, not a text."""
        subject.saved(change(subject.add(), due=NOW))
        for hours in (-11, 5):
            zone = timezone(timedelta(hours=hours))
            for before, count in ((NOW, 1), (NOW - MOMENT, 0)):
                found = subject.due(before.astimezone(zone))
                must(len(found) == count, "due() compares moments: change `before` to UTC first", seen=(before, found))

    @pytest.mark.parametrize("change_of", ["cancelled", "confirmed", "amount", "currency"])
    def test_a_payable_payment_that_its_booking_no_longer_wants_is_due(self, subject: Subject, change_of: str) -> None:
        """The team's own code told nobody."""
        read = subject.add()
        subject.saved(change(read, subject.payment()))
        must(subject.due() == [], "due() does not have a pending booking whose payable payment has its very price")
        prices = subject.harness.prices
        subject.write(
            {
                "cancelled": replace(read.booking, status=BookingStatus.CANCELLED),
                "confirmed": replace(read.booking, status=BookingStatus.CONFIRMED),
                "amount": replace(read.booking, price=prices[1]),
                "currency": replace(read.booking, price=prices[-1]),
            }[change_of]
        )
        for before in (NOW, datetime(1970, 1, 1, tzinfo=UTC)):
            must(subject.due(before) == [subject.id()], UNWANTED, seen=subject.due(before))

    def test_a_payment_that_is_closing_or_closed_is_not_due_for_its_booking(self, subject: Subject) -> None:
        """What can be done about it is done."""
        for number, made in enumerate((subject.payment(closing=True), closed(subject.payment("at_2", "pi_2"))), 1):
            read = subject.add(number)
            subject.saved(change(read, made))
            subject.write(replace(read.booking, status=BookingStatus.CANCELLED))
        must(subject.due() == [], f"{UNWANTED}; not those whose payment is 'closing' or 'closed'", seen=subject.due())

    def test_a_pending_booking_whose_hold_is_over_is_due(self, subject: Subject) -> None:
        """Whether it has a ledger or not."""
        if not subject.harness.holds:
            must(subject.add().booking.hold_until is None, "without a column for it, hold_until is None")
            return
        times = (NOW - MOMENT, NOW, NOW + MOMENT, None)
        for number, until in enumerate(times, 1):
            subject.add(number, hold_until=until)
        for number, status in enumerate((BookingStatus.CONFIRMED, BookingStatus.CANCELLED), 5):
            subject.add(number, hold_until=NOW, status=status)
        same(subject.due(), [subject.id(1), subject.id(2)], HELD)
        subject.saved(change(subject.load(subject.id(2)), subject.payment()))
        same(subject.due(), [subject.id(1), subject.id(2)], HELD)
        same(subject.due(after=subject.id(1), limit=1), [subject.id(2)], HELD)

    def test_a_hold_that_is_over_is_not_due_while_its_payment_is_being_closed(self, subject: Subject) -> None:
        """And is again once that is done."""
        if not subject.harness.holds:
            subject.saved(change(subject.add(), subject.payment(closing=True)))
            must(subject.due() == [], "due() has nothing for a pending booking whose payment is closing")
            return
        subject.saved(change(subject.add(hold_until=NOW), subject.payment(closing=True)))
        must(subject.due() == [], HELD, seen=subject.due())
        subject.saved(change(subject.load(subject.id()), closed(subject.payment())))
        must(subject.due() == [subject.id()], HELD, seen=subject.due())

    def test_due_is_listed_once_in_ascending_order(self, subject: Subject) -> None:
        """For whatever reasons, and however the database sorts words."""
        names = list(subject.harness.unsorted_ids())
        for number, name in enumerate(names):
            ours = subject.write(replace(subject.booking(), id=name))
            made = subject.payment(f"at_{number}", f"pi_{number}")
            subject.saved(change(subject.load(name), made, due=NOW - timedelta(hours=number)))
            held = NOW if subject.harness.holds and number % 2 else None
            subject.write(replace(ours, price=subject.harness.prices[1], hold_until=held))
        found = subject.due()
        must(
            len(found) == len(set(found)), "due() has each booking once, for however many reasons: UNION, not UNION ALL"
        )
        must(sorted(found) == sorted(names), UNWANTED, seen=found)
        same(found, sorted(names), ORDER)
        for after in sorted(names):
            same(subject.due(after=after), [name for name in sorted(names) if name > after], ORDER)

    def test_due_pages_through_everything_whatever_stays_due(self, subject: Subject) -> None:
        """A booking that fails each time must not starve those behind it."""
        names = [subject.id(number) for number in range(1, 26)]
        for number, name in enumerate(names, 1):
            read = subject.add(number)
            if number % 2:
                # The later the id, the longer it has been due.
                subject.saved(change(read, due=NOW - timedelta(minutes=number)))
            else:
                subject.saved(change(read, subject.payment(f"at_{number}", f"pi_{number}")))
                subject.write(replace(read.booking, price=subject.harness.prices[1]))
            must(subject.load(name).ledger.version == 1, "save() writes the version of change.ledger")
        seen: list[str] = []
        after = None
        while len(seen) <= len(names):
            page = subject.due(after=after, limit=3)
            must(len(page) <= 3, "due() has at most `limit` ids", seen=page)
            if not page:
                break
            seen += page
            after = page[-1]
        same(
            seen,
            names,
            "due() pages by id: WHERE id > after ORDER BY id LIMIT …, over all that is due. What stays due on the first "
            "page must not hide what comes behind it",
        )

    def test_the_edges_of_a_page(self, subject: Subject) -> None:
        """`after` need not be there; no limit is no ids."""
        for number in (1, 2, 3):
            subject.saved(change(subject.add(number), due=NOW))
        first, second, third = (subject.id(number) for number in (1, 2, 3))
        must(subject.due(limit=0) == [], "due(limit=0) is empty", seen=subject.due(limit=0))
        must(subject.due(after=third) == [], "due() has only ids greater than `after`", seen=subject.due(after=third))
        must(subject.due(after=first, limit=1) == [second], ORDER, seen=subject.due(after=first, limit=1))
        must(subject.due(after="", limit=2) == [first, second], ORDER, seen=subject.due(after="", limit=2))
        must(subject.due(LATER, limit=2**31) == [first, second, third], "due() takes a limit that is larger than all")
