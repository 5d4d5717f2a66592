"""A circuit that stops hammering a Stripe that is down."""

from typing import Final

from airport_payments.stripe_api.forks import Locked

# So many calls in a row without an answer open the circuit: fewer would let one slow call close the shop.
FAILURES_TO_OPEN: Final = 5
# How long it stays open before one call may try again, in seconds.
OPEN_S: Final = 10.0


class Circuit(Locked):
    """Counts calls that stayed without an answer. Safe for threads; the time comes in.

    Closed: every call may go. Open: none may, for `OPEN_S`. Then one call may go as a probe, and its result decides.
    """

    def __init__(self) -> None:
        super().__init__()
        self._failures = 0
        self._closed_again_at = 0.0

    def may_send(self, now_s: float) -> bool:
        """Return whether a call may go now. `now_s` is a monotonic time in seconds."""
        with self._lock:
            if self._failures < FAILURES_TO_OPEN:
                return True
            if now_s < self._closed_again_at:
                return False
            # This one is the probe; the others wait for its result, or for its time to pass.
            self._closed_again_at = now_s + OPEN_S
            return True

    def record(self, now_s: float, *, down: bool) -> None:
        """Note whether a call found Stripe down."""
        with self._lock:
            if not down:
                self._failures = 0
                return
            self._failures += 1
            if self._failures >= FAILURES_TO_OPEN:
                self._closed_again_at = now_s + OPEN_S
