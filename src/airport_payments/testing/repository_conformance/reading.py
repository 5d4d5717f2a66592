"""`get`, `find` and `history`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from airport_payments.core.model import BookingStatus, HistoryLine, Ledger, Snapshot
from airport_payments.testing.repository_conformance.subject import Subject
from airport_payments.testing.repository_conformance.telling import must, same
from airport_payments.testing.repository_conformance.values import LATER, NOW, change, closed, line, opening, paying

LEDGER = "get() gives back the ledger that the last save wrote: airport_payments.core.codec dumps and loads all of it"


class Reading:
    """What the three reading methods promise."""

    def test_get_of_an_unknown_booking_is_none(self, subject: Subject) -> None:
        """No row of the team's, no snapshot."""
        for booking_id in (subject.id(), "", "no such booking", "12345678901234567890123"):
            found = subject.get(booking_id)
            must(found is None, "get() returns None for an id that no row of the team's has", seen=found)

    def test_get_before_the_first_save_is_the_teams_row_and_an_empty_ledger(self, subject: Subject) -> None:
        """The team's code knows nothing of ledgers."""
        ours = subject.write(subject.booking(1, **subject.held(LATER)))
        found = subject.get(ours.id)
        same(found, Snapshot(ours, Ledger()), "get() returns a Ledger() for a row that has none yet: use an outer join")

    def test_get_is_what_was_saved(self, subject: Subject) -> None:
        """Every field of the ledger, and its version."""
        read = subject.add()
        first = subject.saved(opening(read))
        same(subject.load(subject.id()), replace(read, ledger=first.ledger), LEDGER)
        second = subject.saved(paying(subject.load(subject.id())))
        confirmed = replace(read.booking, status=BookingStatus.CONFIRMED)
        same(subject.load(subject.id()), Snapshot(confirmed, second.ledger), LEDGER)

    def test_get_sees_what_another_connection_saved(self, subject: Subject) -> None:
        """Nothing may be kept from one call to the next."""
        read = subject.add()
        other = subject.another()
        subject.load(subject.id(), other)
        made = subject.saved(opening(read))
        same(
            subject.load(subject.id(), other).ledger,
            made.ledger,
            "get() reads the database each time: cache nothing, and leave no transaction open after a call",
        )

    def test_get_is_the_row_as_the_team_has_it_now(self, subject: Subject) -> None:
        """The team changes its rows without telling anyone."""
        subject.saved(opening(subject.add()))
        for price in subject.harness.prices[1:]:
            now = subject.write(
                subject.booking(price=price, status=BookingStatus.CANCELLED, owner=subject.harness.owner(2))
            )
            same(
                subject.load(now.id).booking,
                now,
                "get() reads owner, price and status from the team's row, and keeps no copy of them",
            )

    def test_find_knows_every_intent_that_was_saved_and_no_other(self, subject: Subject) -> None:
        """Open ones and closed ones, of any booking."""
        for number in (1, 2):
            subject.saved(change(subject.add(number), subject.payment("at", f"pi_{number}")))
        read = subject.load(subject.id(1))
        subject.saved(change(read, closed(subject.payment("at", "pi_1")), subject.payment("at_2", "pi_3")))
        for intent_id, number in {"pi_1": 1, "pi_2": 2, "pi_3": 1}.items():
            found = subject.find(intent_id)
            must(
                found == subject.id(number),
                "find() returns the id of the booking whose index rows have the intent, closed payments too",
                seen=(intent_id, found),
            )
        for intent_id in ("pi_4", "pi", "pi__", "PI_1", ""):
            found = subject.find(intent_id)
            must(
                found is None,
                "find() returns None for an intent that nobody has, compared exactly",
                seen=(intent_id, found),
            )

    def test_find_forgets_an_intent_that_its_payment_no_longer_has(self, subject: Subject) -> None:
        """An index row replaces the one of the same booking and attempt."""
        subject.saved(change(subject.add(), subject.payment("at_1", "pi_1")))
        subject.saved(change(subject.load(subject.id()), subject.payment("at_1", "pi_2")))
        found = subject.find("pi_1"), subject.find("pi_2")
        must(
            found == (None, subject.id()),
            "save() replaces the index row of the same booking and attempt (insert, on conflict update every column)",
            seen=found,
        )

    def test_history_is_in_the_order_of_the_saves(self, subject: Subject) -> None:
        """Clocks go back now and then: the order is not that of the times."""
        read = subject.add()
        must(subject.history(subject.id()) == [], "history() of a booking without any is empty")
        told: list[HistoryLine] = []
        for number in range(12):
            lines = [
                line(f"{number}.{part}", NOW - timedelta(minutes=number)) for part in range(12 if number == 3 else 2)
            ]
            subject.saved(change(read, lines=lines))
            read = subject.load(subject.id())
            told += lines
        same(
            [one.decision for one in subject.history(subject.id())],
            [one.decision for one in told],
            "history() is ordered by the version that wrote a line and its place there, never by `at`: clocks go back",
        )
        must(subject.history(subject.id(2)) == [], "history() has the lines of one booking only")

    def test_history_gives_back_every_field(self, subject: Subject) -> None:
        """Unicode, empty words, None."""
        lines = [
            HistoryLine(NOW, "fact", "décision ✈ \U0001f6eb", "evt_1", "pi_1"),
            HistoryLine(LATER, "", "", None, None),
            HistoryLine(NOW, " fact ", ' it\'s "100%"; -- \\ \n\t %s :x ', "evt_" + "x" * 251, "pi_" + "x" * 252),
            HistoryLine(NOW, "fact", "x" * 10_000),
        ]
        subject.saved(change(subject.add(), lines=lines))
        same(subject.history(subject.id()), lines, "history() gives back each line exactly as it was saved")

    @pytest.mark.parametrize("method", ["history", "due"])
    def test_what_a_caller_does_to_an_answer_changes_nothing(self, subject: Subject, method: str) -> None:
        """A list that a caller was given is the caller's."""
        subject.saved(change(subject.add(), due=NOW, lines=[line("once")]))

        def answer() -> object:
            if method == "history":
                return subject.ask("history", subject.id())
            return subject.ask("due", before=NOW, after=None, limit=9)

        first = answer()
        if isinstance(first, list):
            first.clear()
        must(answer(), f"{method}() returns a new list or a tuple, and not one that the repository goes on using")
