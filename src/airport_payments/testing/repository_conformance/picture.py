"""Everything that a repository tells of one booking."""

from dataclasses import dataclass

from airport_payments.core.model import Booking, HistoryLine, Snapshot
from airport_payments.testing.repository_conformance.harness import DISTANT
from airport_payments.testing.repository_conformance.subject import Subject

INTENTS = ("pi_1", "pi_2", "pi_9")


@dataclass(frozen=True)
class Picture:
    """What the five methods and the team's own code say of a booking."""

    snapshot: Snapshot | None
    history: list[HistoryLine]
    found: list[str | None]
    due: bool
    row: Booking | None


def picture(subject: Subject, booking_id: str, intents: tuple[str, ...] = INTENTS) -> Picture:
    """Return all that is told of a booking now."""
    return Picture(
        subject.get(booking_id),
        subject.history(booking_id),
        [subject.find(intent_id) for intent_id in intents],
        booking_id in subject.due(DISTANT, limit=1000),
        subject.row(booking_id),
    )
