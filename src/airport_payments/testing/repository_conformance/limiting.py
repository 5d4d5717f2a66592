"""Values at their limits."""

from dataclasses import replace
from datetime import timedelta

from airport_payments.core.model import BookingStatus, Snapshot
from airport_payments.testing.repository_conformance.harness import DISTANT
from airport_payments.testing.repository_conformance.subject import Subject
from airport_payments.testing.repository_conformance.telling import ALL_OF_IT, must, same
from airport_payments.testing.repository_conformance.values import NOW, change, closed, line

EXACT = "get() gives back the team's row exactly, and save() finds it by exactly that"


class Limits:
    """What comes in comes out."""

    def test_bookings_at_their_limits_come_back_exactly(self, subject: Subject) -> None:
        """Amounts, unicode, microseconds; and a save finds its row by them."""
        for number, ours in enumerate(subject.harness.limits()):
            subject.write(ours)
            read = subject.load(ours.id)
            same(read.booking, ours, EXACT)
            made = change(read, subject.payment("at_1", f"pi_{number}", amount=ours.price), due=NOW)
            must(subject.save(made), f"{EXACT}. It returned False for this booking", seen=ours)
            settled = change(subject.load(ours.id), closed(made.ledger.payments[0]), status=BookingStatus.CONFIRMED)
            must(subject.save(settled), f"{EXACT}. It returned False for this booking", seen=ours)
            same(subject.row(ours.id), replace(ours, status=BookingStatus.CONFIRMED), EXACT)

    def test_a_payable_payment_of_any_price_is_not_due(self, subject: Subject) -> None:
        """The price in the team's table is compared exactly, by whatever arithmetic."""
        for number, ours in enumerate(subject.harness.limits()):
            subject.write(replace(ours, hold_until=None))
            subject.saved(change(subject.load(ours.id), subject.payment("at_1", f"pi_{number}", amount=ours.price)))
        found = subject.due()
        must(found == [], "due() compares amounts exactly: in whole minor units, or as NUMERIC", seen=found)

    def test_ids_at_their_limits_come_back_exactly(self, subject: Subject) -> None:
        """A PaymentIntent's id has up to 255 characters, an attempt's up to 128."""
        longest = "pi_" + "x" * 252
        made = subject.saved(change(subject.add(), subject.payment("a" * 128, longest, look_at=NOW)))
        same(subject.load(subject.id()).ledger, made.ledger, ALL_OF_IT)
        found = subject.find(longest), subject.find(longest[:-1])
        must(
            found == (subject.id(), None),
            "the index keeps 255 characters of an intent's id and 128 of an attempt's, and find() compares all of them",
            seen=found,
        )

    def test_times_at_their_limits_come_back_exactly(self, subject: Subject) -> None:
        """The last microsecond of the year 9999."""
        made = subject.saved(
            change(subject.add(), subject.payment(opened_at=DISTANT), due=DISTANT, lines=[line("x", DISTANT)])
        )
        same(subject.load(subject.id()).ledger, made.ledger, ALL_OF_IT)
        same(subject.history(subject.id()), list(made.history), ALL_OF_IT)
        for before, expected in ((DISTANT, [subject.id()]), (DISTANT - timedelta(microseconds=1), [])):
            same(
                subject.due(before),
                expected,
                "due_at keeps microseconds up to the year 9999: no column of seconds, no float",
            )

    def test_a_large_ledger_comes_back_exactly(self, subject: Subject) -> None:
        """Some 150 KB."""
        news = tuple(f"n/{k}" for k in range(20))
        many = tuple(closed(subject.payment(f"at_{n}", f"pi_{n}", news=news)) for n in range(400))
        made = subject.saved(change(subject.add(), *many))
        same(
            subject.load(subject.id()), Snapshot(subject.booking(), made.ledger), f"the document is a TEXT: {ALL_OF_IT}"
        )
        must(subject.find("pi_399") == subject.id(), "save() writes every index row of a change, however many")

    def test_a_long_story_comes_back_exactly(self, subject: Subject) -> None:
        """More lines than most statements take parameters."""
        lines = [line(f"line {number}") for number in range(3000)]
        subject.saved(change(subject.add(), lines=lines))
        same(subject.history(subject.id()), lines, "save() writes every line of a change, and history() returns all")
