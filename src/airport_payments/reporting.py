"""What the gateway tells the log of bookings."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from airport_payments.core.codec import UnreadableLedger
from airport_payments.core.decide.draft import Decision
from airport_payments.core.errors import LedgerTooNew, Misconfigured, PaymentsError
from airport_payments.core.model import Change
from airport_payments.loop import logger
from airport_payments.stripe_api.client import loaded_pin

# A worker meets the ledgers that a newer version left due at every tick; what it says of each, it says so often at most.
SAY_AGAIN: Final = timedelta(hours=1)
# Of so many bookings it is remembered that they were spoken of.
MAX_SAID: Final = 10_000
# An endpoint has one API version, and several endpoints a few.
MAX_VERSIONS: Final = 20


class Reporter:
    """Tells what went wrong with bookings, and does not repeat at every tick what only a deploy or a person can mend.

    Args:
        clock: the present, aware UTC.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._said: dict[str, datetime] = {}
        self._versions: set[str] = set()

    def problem(self, booking_id: str, decision: Decision, *, ticking: bool) -> None:
        """Log what went wrong at Stripe, also where nobody waits for the reply."""
        if ticking and isinstance(decision.problem, LedgerTooNew) and not self._is_news(booking_id):
            return
        log_problem(booking_id, decision)

    def tick_failed(self, booking_id: str, error: Exception) -> None:
        """Log why a tick could do nothing for a booking. Call it where the error is handled."""
        if isinstance(error, UnreadableLedger):
            if self._is_news(booking_id):
                logger.error("booking %r: tick failed: %s", booking_id, error)
            return
        logger.error("booking %r: tick failed: %s", booking_id, type(error).__name__, exc_info=True)

    def version(self, version: str | None) -> None:
        """Log once of each API version that events come in and that is not the one we ask in: fields may be missing."""
        if version is None or version in self._versions or len(self._versions) >= MAX_VERSIONS:
            return
        pin = loaded_pin()
        if pin is None:
            return
        self._versions.add(version)
        if version != pin:
            logger.warning(
                "events come in API version %.32r, and this library asks in %s: what cannot be read is fetched again, for"
                " one more call each; airport-payments doctor says what to do",
                version,
                pin,
            )

    def _is_news(self, booking_id: str) -> bool:
        now, said = self._clock(), self._said.get(booking_id)
        # A clock that was set back makes it speak again, not fall silent.
        if said is not None and said <= now < said + SAY_AGAIN:
            return False
        if len(self._said) >= MAX_SAID:
            self._said.clear()
        self._said[booking_id] = now
        return True


def log_problem(booking_id: str, decision: Decision) -> None:
    """Log what went wrong at Stripe, also where nobody waits for the reply."""
    problem = decision.problem
    if problem is not None:
        level = logging.ERROR if isinstance(problem, Misconfigured) else logging.WARNING
        logger.log(level, "booking %r: %s: %s", booking_id, problem.code, problem)


def log_unreadable(booking_id: str, error: PaymentsError) -> None:
    """Log a booking that a list has to leave out."""
    logger.error("booking %r is left out of the list: %s", booking_id, error)


def log_dead_letters(change: Change) -> None:
    """Log the deliveries that a change gave up."""
    known = change.read.ledger.dead_letters
    for letter in change.ledger.dead_letters:
        if letter not in known:
            logger.error(
                "announcement %r: given up for %r after %s tries (%s): mend it, then call redeliver(%r, %s)",
                letter.announcement.id,
                letter.subscriber,
                letter.tries,
                letter.error,
                change.booking_id,
                letter.announcement.sequence,
            )
