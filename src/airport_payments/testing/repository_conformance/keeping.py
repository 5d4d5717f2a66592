"""What `prune` and `erase_customer` need: `newest`, `owned_by` and `forget`."""

from datetime import datetime, timedelta

from airport_payments.core.model import HistoryLine
from airport_payments.testing.repository_conformance.picture import picture
from airport_payments.testing.repository_conformance.subject import Subject
from airport_payments.testing.repository_conformance.telling import must, same
from airport_payments.testing.repository_conformance.values import NOW, change, line

HOUR = timedelta(hours=1)
PAGES = "pages by the id as due() does: id > after ORDER BY id LIMIT limit, by code points"


def told(subject: Subject, number: int, *hours: int) -> str:
    """Make a booking with a line at each of these hours, each written by a version of its own."""
    read = subject.add(number)
    for hour in hours:
        subject.saved(change(read, lines=[line(f"at {hour}", NOW + hour * HOUR)]))
        read = subject.load(read.booking.id)
    return read.booking.id


def stories(subject: Subject, *booking_ids: str) -> list[list[HistoryLine]]:
    """Return the histories of bookings."""
    return [subject.history(booking_id) for booking_id in booking_ids]


class Keeping:
    """What a `KeepingRepository` promises."""

    def test_newest_is_the_last_line_of_each_ledger(self, subject: Subject) -> None:
        """The last by its version, not the latest by the clock."""
        expected: list[tuple[str, datetime | None]] = []
        for number, hours in enumerate(((4, 4), (5,), (1, 3, 2)), 1):
            expected.append((told(subject, number, *hours), NOW + hours[-1] * HOUR))
        subject.add(4)  # without a ledger
        subject.saved(change(subject.add(5)))  # with one, without lines
        expected.append((subject.id(5), None))
        for after, limit, page in (
            (None, 10, expected),
            (None, 2, expected[:2]),
            (subject.id(2), 1, expected[2:3]),
            (subject.id(5), 10, []),
            (None, 0, []),
        ):
            found = [tuple(pair) for pair in subject.page("newest", after=after, limit=limit)]
            same(
                found,
                page,
                "newest() has each booking with a ledger, and when the last line of its history was: the one of the highest "
                f"version, None without lines. It {PAGES}",
            )

    def test_owned_by_is_a_customers_bookings_in_the_order_of_their_ids(self, subject: Subject) -> None:
        """Whatever state they are in."""
        one, other = subject.harness.owner(1), subject.harness.owner(2)
        for number in (1, 2, 3, 4):
            subject.add(number, owner=other if number == 2 else one)
        ours = [subject.id(number) for number in (1, 3, 4)]
        for owner, after, limit, page in (
            (one, None, 9, ours),
            (one, subject.id(1), 1, ours[1:2]),
            (one, subject.id(4), 9, []),
            (other, None, 9, [subject.id(2)]),
            ("", None, 9, []),
            (one + one, None, 9, []),
        ):
            found = [str(one) for one in subject.page("owned_by", owner, after=after, limit=limit)]
            same(found, page, f"owned_by() has the bookings of exactly this owner, and {PAGES}")

    def test_forget_deletes_lines_before_a_time_or_all(self, subject: Subject) -> None:
        """Of this booking alone; those at the very time stay."""
        one, other = told(subject, 1, 1, 2, 3), told(subject, 2, 1)
        (three, theirs) = stories(subject, one, other)
        for before, left in ((NOW + 2 * HOUR, three[1:]), (None, []), (None, [])):
            subject.ask("forget", one, version=3, before=before)
            same(
                stories(subject, one, other),
                [left, theirs],
                "forget() deletes the lines of this booking whose time is before `before`, all of them with None",
            )
        subject.ask("forget", subject.id(9), version=1, before=None)
        must(subject.load(one).ledger.version == 3, "forget() deletes lines of the history and nothing else")

    def test_forget_deletes_nothing_of_a_ledger_that_moved_on(self, subject: Subject) -> None:
        """It was judged on another version."""
        one = told(subject, 1, 1, 2)
        before = picture(subject, one)
        for version in (0, 1, 3):
            subject.ask("forget", one, version=version, before=None)
            same(picture(subject, one), before, "forget() deletes nothing unless the ledger's version is `version`")
