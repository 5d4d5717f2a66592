"""`save`: what it writes, and what makes it write nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from airport_payments.core.model import BookingStatus, Change, Ledger, PaymentState, Snapshot
from airport_payments.testing.repository_conformance.picture import picture
from airport_payments.testing.repository_conformance.subject import Subject
from airport_payments.testing.repository_conformance.telling import must, same
from airport_payments.testing.repository_conformance.values import (
    DAY,
    LATER,
    NOW,
    change,
    closed,
    line,
    opening,
    paying,
)

VERSION = "save() returns False unless the stored version is change.read.ledger.version: `UPDATE … WHERE version = …`"
ROW = (
    "save() returns False unless the team's row still has the owner, price and status of change.read.booking, whatever else "
    "fits: check them in the transaction that writes"
)
PAYABLE = (
    "save() keeps at most one payable or closing payment a booking: a partial unique index on booking_id WHERE state IN "
    "('payable', 'closing'), whose violation is a False"
)
INTENT = "save() refuses an intent that another payment has: a unique index on intent_id, whose violation is a False"

Make = Callable[[Snapshot], Change]


def full(read: Snapshot) -> Change:
    """Return a change that writes to every table."""
    return paying(read, "pi_9")


def without_status(read: Snapshot) -> Change:
    """Return a change that writes to every table but the team's."""
    return replace(full(read), booking_status=None)


def refused(subject: Subject, made: Change, why: str) -> None:
    """Check that a change is refused, and that nothing at all was written."""
    __tracebackhide__ = True
    before = picture(subject, made.booking_id)
    must(not subject.save(made), why, seen="it returned True")
    same(
        picture(subject, made.booking_id),
        before,
        f"a save that returns False writes nothing: roll it back whole. {why}",
    )


both_kinds = pytest.mark.parametrize("make", [full, without_status], ids=["with_status", "without_status"])


class Saving:
    """What `save` promises."""

    def test_a_save_writes_the_new_status_and_nothing_else_of_the_teams_row(self, subject: Subject) -> None:
        """The library writes one column of theirs."""
        read = subject.add(1, **subject.held(LATER))
        subject.saved(full(read))
        same(
            subject.row(subject.id()),
            replace(read.booking, status=BookingStatus.CONFIRMED),
            "save() writes change.booking_status to the team's row, and no other column of it",
        )

    def test_a_change_without_a_status_leaves_the_teams_row_alone(self, subject: Subject) -> None:
        """`booking_status` None is no status."""
        read = subject.add(status=BookingStatus.CANCELLED)
        subject.saved(change(read, subject.payment(stray=True)))
        same(
            subject.row(subject.id()),
            read.booking,
            "save() leaves the team's row alone where change.booking_status is None",
        )

    def test_a_save_leaves_other_bookings_alone(self, subject: Subject) -> None:
        """A forgotten WHERE."""
        reads = [subject.add(number) for number in (1, 2)]
        subject.saved(change(reads[1], subject.payment("at_1", "pi_2"), due=NOW, lines=[line("theirs")]))
        before = picture(subject, subject.id(2), ("pi_2",))
        subject.saved(full(reads[0]))
        same(
            picture(subject, subject.id(2), ("pi_2",)),
            before,
            "save() touches rows of its own booking only: look at each WHERE",
        )

    def test_a_first_save_needs_the_teams_row(self, subject: Subject) -> None:
        """A booking that the team deleted."""
        subject.add(2)
        refused(subject, full(Snapshot(subject.booking(1))), ROW)

    @both_kinds
    @pytest.mark.parametrize("ahead", [-2, -1, 1, 7])
    def test_a_version_that_is_not_the_stored_one_is_refused(self, subject: Subject, ahead: int, make: Make) -> None:
        """Older, or never written."""
        subject.add()
        for _ in range(2):
            subject.saved(change(subject.load(subject.id())))
        read = subject.load(subject.id())
        refused(subject, make(replace(read, ledger=replace(read.ledger, version=2 + ahead))), VERSION)

    def test_a_first_save_is_refused_once_there_is_a_ledger(self, subject: Subject) -> None:
        """Two requests that both found no ledger."""
        read = subject.add()
        subject.saved(opening(read))
        refused(
            subject,
            full(read),
            "save() of version 0 inserts, and returns False where there is a ledger already: never INSERT OR REPLACE",
        )

    def test_a_later_save_is_refused_while_there_is_no_ledger(self, subject: Subject) -> None:
        """An update that found no row."""
        read = subject.add()
        refused(subject, full(replace(read, ledger=Ledger(3))), VERSION)

    @both_kinds
    @pytest.mark.parametrize("saves_before", [0, 1])
    @pytest.mark.parametrize("what", ["owner", "amount", "currency", "cancelled", "confirmed"])
    def test_a_half_match_writes_nothing(self, subject: Subject, what: str, saves_before: int, make: Make) -> None:
        """Our version fits; what was read of the team's row is not what stands there."""
        read = subject.add()
        for _ in range(saves_before):
            subject.saved(change(read, subject.payment()))
            read = subject.load(subject.id())
        prices = subject.harness.prices
        other = {
            "owner": replace(read.booking, owner=subject.harness.owner(2)),
            "amount": replace(read.booking, price=prices[1]),
            "currency": replace(read.booking, price=prices[-1]),
            "cancelled": replace(read.booking, status=BookingStatus.CANCELLED),
            "confirmed": replace(read.booking, status=BookingStatus.CONFIRMED),
        }[what]
        refused(subject, replace(make(read), read=replace(read, booking=other)), ROW)

    @both_kinds
    @pytest.mark.parametrize("what", ["cancelled", "repriced", "sold"])
    def test_what_the_team_changes_after_the_read_refuses_the_save(
        self, subject: Subject, what: str, make: Make
    ) -> None:
        """The other way round: the row moved on."""
        read = subject.add()
        made = make(read)
        subject.write(
            {
                "cancelled": replace(read.booking, status=BookingStatus.CANCELLED),
                "repriced": replace(read.booking, price=subject.harness.prices[1]),
                "sold": replace(read.booking, owner=subject.harness.owner(2)),
            }[what]
        )
        refused(subject, made, ROW)

    def test_what_the_team_changes_and_changes_back_does_not_refuse_the_save(self, subject: Subject) -> None:
        """Compared is what stands there, not whether somebody wrote."""
        read = subject.add()
        made = full(read)
        subject.write(replace(read.booking, price=subject.harness.prices[1]))
        subject.write(read.booking)
        must(subject.save(made), "save() compares owner, price and status, and no version or time of the team's row")

    def test_a_hold_that_the_team_moves_does_not_refuse_the_save(self, subject: Subject) -> None:
        """`hold_until` is not among what is compared."""
        read = subject.add(1, **subject.held(NOW))
        made = full(replace(read, booking=replace(read.booking, hold_until=LATER)))
        must(subject.save(made), "save() does not compare hold_until: only owner, price and status")
        same(
            subject.load(subject.id()).booking.hold_until,
            read.booking.hold_until,
            "save() leaves hold_until as the team has it",
        )

    def test_a_second_payable_payment_is_refused(self, subject: Subject) -> None:
        """Or two intents could be paid at once."""
        subject.add()
        subject.saved(change(subject.load(subject.id()), subject.payment()))
        two = [subject.payment(), subject.payment("at_2", "pi_2")]
        refused(subject, change(subject.load(subject.id()), *two, due=NOW, lines=[line("two")]), PAYABLE)

    @pytest.mark.parametrize("closing", ["first", "second", "both"])
    def test_a_payment_that_is_being_closed_still_counts_as_payable(self, subject: Subject, closing: str) -> None:
        """At Stripe it can still be paid."""
        one = subject.payment("at_1", "pi_1", closing=closing != "second")
        two = subject.payment("at_2", "pi_2", closing=closing != "first")
        refused(subject, change(subject.add(), one, two), PAYABLE)
        subject.saved(change(subject.load(subject.id()), one))
        refused(subject, change(subject.load(subject.id()), one, two), PAYABLE)

    @pytest.mark.parametrize("order", [1, -1], ids=["close_first", "open_first"])
    def test_one_change_may_close_a_payment_and_open_the_next(self, subject: Subject, order: int) -> None:
        """In whatever order its rows come."""
        subject.saved(change(subject.add(), subject.payment("at_5", "pi_5")))
        both = [closed(subject.payment("at_5", "pi_5")), subject.payment("at_6", "pi_6")][::order]
        must(
            subject.save(change(subject.load(subject.id()), *both)),
            "save() writes the index rows that close a payment before those that open one, for the unique index is checked "
            "after each row: sort them by `state is not CLOSED`",
        )

    def test_any_number_of_closed_payments_may_stand_beside_the_payable_one(self, subject: Subject) -> None:
        """The index is unique for payable ones only."""
        strays = [subject.payment(f"at_{n}", f"pi_{n}", stray=True) for n in range(2, 5)]
        must(
            subject.save(change(subject.add(), subject.payment(), *strays)),
            "save() takes any number of closed index rows: the unique index is for 'payable' and 'closing' only",
        )

    def test_an_intent_of_another_booking_is_refused(self, subject: Subject) -> None:
        """And the intent stays where it was."""
        subject.saved(change(subject.add(1), subject.payment("at_1", "pi_1")))
        fine = subject.payment("at_3", "pi_3", state=PaymentState.CANCELED)
        stolen = change(subject.add(2), fine, subject.payment("at_2", "pi_1"), due=NOW, lines=[line("stolen")])
        refused(subject, stolen, INTENT)
        found = subject.find("pi_3"), subject.find("pi_1")
        must(found == (None, subject.id(1)), f"a save that returns False writes no index row. {INTENT}", seen=found)

    def test_one_intent_on_two_payments_of_a_booking_is_refused(self, subject: Subject) -> None:
        """`find` could not say which."""
        both = [subject.payment("at_1", "pi_1", stray=True), subject.payment("at_2", "pi_1")]
        refused(subject, change(subject.add(), *both), INTENT)

    def test_payments_without_an_intent_do_not_collide(self, subject: Subject) -> None:
        """NULL is no value that could be there twice."""
        for number in (1, 2):
            made = opening(subject.add(number), f"at_{number}")
            must(
                subject.save(made),
                "save() stores NULL for a payment without an intent: many have none at the same time",
            )

    def test_the_same_attempt_id_may_stand_in_two_bookings(self, subject: Subject) -> None:
        """What is found again at Stripe keeps the id that it has there."""
        for number in (1, 2):
            made = change(subject.add(number), subject.payment("at_same", f"pi_{number}"))
            must(subject.save(made), "the key of an index row is its booking and its attempt, both")

    def test_what_is_due_is_replaced_with_each_save(self, subject: Subject) -> None:
        """Also by nothing."""
        read = subject.add()
        for at, expected in ((NOW, [subject.id()]), (LATER, []), (NOW, [subject.id()]), (None, [])):
            subject.saved(change(read, due=at))
            read = subject.load(subject.id())
            must(
                subject.due(NOW) == expected,
                "save() writes change.due_at each time, and NULL for None",
                seen=(at, subject.due(NOW)),
            )
        must(subject.due(NOW + DAY) == [], "save() with due_at None means never", seen=subject.due(NOW + DAY))
