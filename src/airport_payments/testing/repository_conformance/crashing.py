"""What comes between two steps of a call: the end of the process, an interrupt, another writer, the team."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

from airport_payments.core.model import Booking, BookingStatus, Change, Snapshot
from airport_payments.testing.repository_conformance.beside import Beside
from airport_payments.testing.repository_conformance.picture import picture
from airport_payments.testing.repository_conformance.steps import (
    MOST_STEPS,
    at_each_step,
    broken_off,
    code_of,
    count_steps,
)
from airport_payments.testing.repository_conformance.subject import Subject, plain
from airport_payments.testing.repository_conformance.telling import must
from airport_payments.testing.repository_conformance.values import change, line, paying

ONE_TRANSACTION = (
    "save() writes all of a change in one transaction, committed once and at its end: the ledger, the index rows, the "
    "history, the team's status"
)
BROKEN_OFF = (
    "a save() that is broken off is rolled back whole, or had been committed whole: begin and end the transaction in "
    "a `with`, and never commit in a `finally`"
)
LOCK = (
    "save() locks or changes the team's row in its transaction before it judges it (SELECT … FOR NO KEY UPDATE, or one "
    "UPDATE … WHERE with the owner, price and status as read), so that nobody changes it in between"
)
COMPARE = (
    "save() compares the version and writes in one statement (UPDATE … WHERE version = …, INSERT … ON CONFLICT DO NOTHING), "
    "and looks at whether it wrote a row: reading the version first and writing later loses an update"
)


def amid(
    subject: Subject, beside: Beside, call: Callable[[], object], at: int, does: Callable[[Subject], object]
) -> object:
    """Make a call, let somebody else do something before its step `at`, and return what the call returned."""

    def interject(step: int) -> None:
        if step == at:
            beside.do(does)

    with at_each_step(code_of(subject), interject):
        return subject.run(call())


class Crashes:
    """A crash between any two steps, and others who come in between."""

    def test_a_process_that_ends_between_any_two_steps_of_a_save_leaves_all_or_nothing(self, subject: Subject) -> None:
        """What another connection sees at a step is what the end of the process there would leave behind."""
        read = subject.add()
        made = replace(paying(read), due_at=None)
        old = picture(subject, subject.id())
        seen: list[tuple[int, object]] = []
        with Beside(subject.harness) as beside:
            beside.do(lambda other: picture(other, made.booking_id))
            beside.done()

            def look(step: int) -> None:
                # One that has to wait for our lock sees nothing at this step. Its picture may be of two moments.
                if beside.still_busy():
                    return
                beside.do(lambda other: picture(other, made.booking_id))
                if not beside.busy:
                    seen.extend((step, found) for found in beside.done())

            with at_each_step(code_of(subject), look):
                must(plain(subject.run(subject.repository.save(made))), "save() returns True where nothing moved on")
            beside.done()
        new = picture(subject, subject.id())
        for step, found in seen:
            must(found in (old, new), ONE_TRANSACTION, seen=f"after {step} steps: {found}")
        turns = [found == new for _, found in seen]
        must(turns == sorted(turns), f"{ONE_TRANSACTION}. It came, and went again", seen=turns)

    def test_a_save_that_is_broken_off_at_any_step_is_whole_or_nothing(self, subject: Subject) -> None:
        """Ctrl-C, a time-out of the worker, a cancelled task; and the next call finds no open transaction."""
        read = subject.add(1)
        count_steps(subject, partial(subject.repository.save, paying(read, "pi_1")))
        with Beside(subject.harness) as beside:
            for number in range(2, MOST_STEPS + 2):
                read = subject.add(number)
                old = picture(subject, read.booking.id)
                made = paying(read, f"pi_{number}0")
                went_on = broken_off(subject, partial(subject.repository.save, made), number - 1)
                beside.do(partial(whole, old.snapshot, made))
                (version,) = cast("list[int]", beside.done())
                # And so can another writer write, and we too.
                beside.do(partial(save_again, made.booking_id))
                must(beside.done() == [True], f"{BROKEN_OFF}. The next save() found it in the way")
                again = subject.load(made.booking_id)
                must(
                    again.ledger.version == version + 1,
                    f"{BROKEN_OFF}. The connection that was broken off sees old rows",
                )
                must(subject.save(change(again)), f"{BROKEN_OFF}. The next save() of the same repository failed")
                if not went_on:
                    break

    def test_of_two_saves_of_one_version_one_wins_whenever_the_other_comes(self, subject: Subject) -> None:
        """A lost update, tried at every step."""
        for first in (True, False):
            start = 1 if first else 400
            read = self._read(subject, start, first=first)
            steps = count_steps(subject, partial(subject.repository.save, change(read, lines=[line("we")])))
            with Beside(subject.harness) as beside:
                for step in range(1, steps + 1):
                    read = self._read(subject, start + step, first=first)
                    ours, theirs = (change(read, lines=[line(who)]) for who in ("we", "they"))
                    answer = amid(
                        subject,
                        beside,
                        partial(subject.repository.save, ours),
                        step,
                        partial(save_in, theirs),
                    )
                    answers = [plain(answer), *map(plain, beside.done())]
                    story = [one.decision for one in subject.history(read.booking.id)]
                    version = subject.load(read.booking.id).ledger.version
                    ok = sum(answers) == 1 and story == ["we" if answers[0] else "they"]
                    must(ok and version == read.ledger.version + 1, COMPARE, seen=(f"step {step}", answers, story))

    @staticmethod
    def _read(subject: Subject, number: int, *, first: bool) -> Snapshot:
        read = subject.add(number)
        if not first:
            subject.saved(change(read))
            read = subject.load(read.booking.id)
        return read

    def test_what_the_team_changes_during_a_save_is_never_overwritten(self, subject: Subject) -> None:
        """The half-match as a race: the row moves on between our check and our write."""
        read = subject.add(1)
        steps = count_steps(subject, partial(subject.repository.save, paying(read)))
        with Beside(subject.harness) as beside:
            for step in range(1, steps + 1):
                read = subject.add(step + 1)
                made = paying(read, f"pi_{step}0")
                gone = replace(read.booking, status=BookingStatus.CANCELLED)
                answer = amid(
                    subject,
                    beside,
                    partial(subject.repository.save, made),
                    step,
                    partial(write_in, gone),
                )
                beside.done()
                row = subject.row(read.booking.id)
                must(
                    row == gone, LOCK, seen=f"at step {step} the team cancelled; the row is {row}, save() said {answer}"
                )
                version = subject.load(read.booking.id).ledger.version
                must(
                    version == int(plain(answer)),
                    f"save() returns True if it wrote, and else False. {LOCK}",
                    seen=version,
                )

    def test_get_reads_the_row_and_the_ledger_at_one_moment(self, subject: Subject) -> None:
        """A save that comes between the two reads makes a snapshot that never was."""
        subject.add(1)
        steps = count_steps(subject, partial(subject.repository.get, subject.id(1)))
        with Beside(subject.harness) as beside:
            for step in range(1, steps + 1):
                made = paying(subject.add(step + 1), f"pi_{step}0")
                call = partial(subject.repository.get, made.booking_id)
                found = cast("Snapshot", amid(subject, beside, call, step, partial(save_in, made)))
                must(beside.done() == [True], "save() waits for nobody who only reads")
                status, version = found.booking.status, found.ledger.version
                must(
                    (status, version) in {(BookingStatus.PENDING, 0), (BookingStatus.CONFIRMED, 1)},
                    "get() reads the team's row and the ledger in one statement (a join), or in one REPEATABLE READ "
                    "transaction",
                    seen=f"{status} with version {version}",
                )


def save_in(made: Change, other: Subject) -> bool:
    """Let another save."""
    return other.save(made)


def save_again(booking_id: str, other: Subject) -> bool:
    """Let another save on what it finds."""
    return other.save(change(other.load(booking_id)))


def write_in(row: Booking, other: Subject) -> None:
    """Let the team write."""
    other.write(row)


def whole(old: object, made: Change, other: Subject) -> int:
    """Check that a save was written whole or not at all, and return the version that stands."""
    booking_id, intent_id = made.booking_id, made.index[0].intent_id or ""
    now = other.load(booking_id)
    seen = (now.ledger.version, now.booking.status, len(other.history(booking_id)), other.find(intent_id))
    must(
        seen == (1, BookingStatus.CONFIRMED, 2, booking_id) or (now == old and seen[2:] == (0, None)),
        f"{BROKEN_OFF}. {ONE_TRANSACTION}",
        seen=seen,
    )
    return now.ledger.version
