"""Many at once, in threads or tasks, on one repository and on two."""

from airport_payments.testing.repository_conformance.crashing import COMPARE, ONE_TRANSACTION
from airport_payments.testing.repository_conformance.saving import INTENT, PAYABLE
from airport_payments.testing.repository_conformance.subject import Subject
from airport_payments.testing.repository_conformance.telling import must
from airport_payments.testing.repository_conformance.values import change, line, opening

ROUNDS = 40


class Races:
    """Of those who start from the same version, one wins."""

    def test_of_two_writers_on_one_version_exactly_one_wins(self, subject: Subject) -> None:
        """Again and again, on the first version and on later ones."""
        read, other = subject.add(), subject.another()
        for turn in range(1, ROUNDS + 1):
            ours, theirs = (change(read, lines=[line(f"{turn} {who}")]) for who in "ab")
            won = subject.saves([(subject.repository, ours), (other, theirs)])
            must(won == 1, COMPARE, seen=f"{won} of 2 were told True")
            read = subject.load(subject.id())
            must(read.ledger.version == turn, COMPARE, seen=f"version {read.ledger.version} after {turn} saves")
        told = [one.decision.split()[0] for one in subject.history(subject.id())]
        must(told == [str(turn) for turn in range(1, ROUNDS + 1)], ONE_TRANSACTION, seen=told)

    def test_of_many_who_open_a_payment_exactly_one_does(self, subject: Subject) -> None:
        """Eight clicks at once."""
        other = subject.another()
        for turn in range(1, 9):
            read = subject.add(turn)
            clicks = [((subject.repository, other)[n % 2], opening(read, f"at_{n}")) for n in range(8)]
            won = subject.saves(clicks)
            must(won == 1, f"{PAYABLE}. {COMPARE}", seen=f"{won} of 8 were told True")
            must(len(subject.load(subject.id(turn)).ledger.payments) == 1, COMPARE)

    def test_of_two_bookings_that_claim_one_intent_exactly_one_has_it(self, subject: Subject) -> None:
        """What the version of neither can tell."""
        other = subject.another()
        for turn in range(1, 21, 2):
            intent_id = f"pi_{turn}"
            both = [change(subject.add(turn + n), subject.payment("at_1", intent_id)) for n in range(2)]
            won = subject.saves([(subject.repository, both[0]), (other, both[1])])
            must(won == 1, INTENT, seen=f"{won} of 2 were told True")
            versions = [subject.load(made.booking_id).ledger.version for made in both]
            must(sorted(versions) == [0, 1], f"a save that returns False writes nothing. {INTENT}", seen=versions)

    def test_writers_of_different_bookings_all_win(self, subject: Subject) -> None:
        """Nobody else's booking is in the way."""
        other = subject.another()
        for turn in range(6):
            made = [opening(subject.add(10 * turn + n), f"at_{turn}_{n}") for n in range(1, 9)]
            won = subject.saves([((subject.repository, other)[n % 2], one) for n, one in enumerate(made)])
            must(
                won == len(made),
                "save() returns False only for what happened to this very booking: others are waited for, not refused",
                seen=f"{won} of {len(made)} were told True",
            )
