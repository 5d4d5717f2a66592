"""What the team decides about bookings and their money: the part of the gateway that no customer calls."""

from collections.abc import Callable
from datetime import datetime

from airport_payments.core.announcements import DeadLetter
from airport_payments.core.codec import UnreadableLedger
from airport_payments.core.decide.table import ATTENTION_AT
from airport_payments.core.errors import BookingNotFound
from airport_payments.core.facts import CancelRequested, Resolution
from airport_payments.core.ids import check_booking_id, check_owner
from airport_payments.core.model import CancelReason, HistoryLine
from airport_payments.core.money import Money
from airport_payments.core.reconcile import ReconcileReport
from airport_payments.core.refund import RefundReason
from airport_payments.core.story import Story, tell
from airport_payments.core.views import Attention, Cancellation, Page, PaymentDecision, RefundReport, attention
from airport_payments.keeping import Keeping
from airport_payments.loop import (
    MAX_PAGES_READ,
    PAGE,
    cancelled,
    capture_request,
    check_page,
    decided,
    redeliver_request,
    redelivered,
    refund_request,
    refunded,
    resolve_request,
)
from airport_payments.reconcile import Reconciler
from airport_payments.reconciling import DEFAULT_LIMIT, Progress, job_of
from airport_payments.reporting import log_unreadable
from airport_payments.repository import BookingRepository
from airport_payments.runner import Runner


class Staff(Keeping):
    """The methods of `PaymentGateway` for staff, back offices and the team's own code."""

    def __init__(
        self, runner: Runner, repository: BookingRepository, reconciler: Reconciler, clock: Callable[[], datetime]
    ) -> None:
        super().__init__(repository, clock)
        self._runner = runner
        self._reconciler = reconciler

    def refund(
        self,
        booking_id: str,
        *,
        payment_id: str | None = None,
        amount: Money | None = None,
        reason: RefundReason | str = RefundReason.REQUESTED_BY_CUSTOMER,
        request_id: str,
        owner: str | None = None,
    ) -> RefundReport:
        """Give money back: all that is left of a payment, or a part of it.

        The sum of a payment's refunds never exceeds what was collected, however many people ask at once. The same
        `request_id` again, with the same arguments, gives nothing back a second time: it says how that refund stands.
        If Stripe does not answer, the refund is saved, and `tick` goes on with it.

        Args:
            booking_id: the booking.
            payment_id: which payment, as its PaymentIntent's id. None: the one that paid the booking, or the only one.
            amount: how much. None: all that is left.
            reason: duplicate, fraudulent or requested_by_customer, as Stripe has them.
            request_id: your own name of this refund, 1 to 255 visible ASCII characters; one for each that you mean.
            owner: who asks, if it is a customer; then it has to be the booking's owner.

        Raises:
            InvalidRequest: a malformed argument, or several payments and none named.
            BookingNotFound: no such booking, or it is someone else's.
            PaymentIntentMismatch: the payment is not this booking's.
            NothingToRefund, RefundTooLarge, CurrencyMismatch: not so much was collected, or it went back already.
            DisputedPayment, RefundRefused: Stripe does not allow it.
            IdempotencyKeyReused: the `request_id` asked for another refund before.
            StripeUnavailable, StorageUnavailable, Busy: try again, with the same `request_id`.
            Misconfigured: Stripe refuses the API key.
        """
        check_booking_id(booking_id)
        asked = refund_request(payment_id, amount, reason, request_id, owner)
        return refunded(self._runner.run(booking_id, asked).reply)

    def cancel(self, booking_id: str, *, owner: str | None = None) -> Cancellation:
        """Cancel a booking that is not paid: its PaymentIntent at Stripe first, so that nobody pays what is gone.

        Also releases an authorisation that was not captured. If Stripe does not answer, `tick` goes on with it.

        Args:
            booking_id: the booking.
            owner: who asks, if it is a customer; then it has to be the booking's owner.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking, or it is someone else's.
            BookingAlreadyPaid: it is paid: refund it instead.
            StripeUnavailable, StorageUnavailable, Busy: it stays due; ask again to know.
            Misconfigured: Stripe refuses the API key.
        """
        check_booking_id(booking_id)
        asked = CancelRequested(CancelReason.ASKED, None if owner is None else check_owner(owner))
        return cancelled(self._runner.run(booking_id, asked).reply)

    def expire(self, booking_id: str) -> Cancellation:
        """Cancel a booking as `cancel` does, because its hold is over. `tick` does it by itself where it knows the hold.

        Raises:
            InvalidRequest: a malformed id, or a booking whose `hold_until` is still to come.
            As `cancel` otherwise.
        """
        check_booking_id(booking_id)
        return cancelled(self._runner.run(booking_id, CancelRequested(CancelReason.EXPIRED)).reply)

    def resolve(self, booking_id: str, payment_id: str, resolution: Resolution | str, *, by: str) -> PaymentDecision:
        """Decide about money in review. Deciding the same again changes nothing.

        Args:
            booking_id: the booking.
            payment_id: the payment, as its PaymentIntent's id.
            resolution: `confirm` (it pays the booking, cancelled or not), `refund` (all of it), or `keep`.
            by: who decides, as an id rather than a name: it is kept in the history.

        Raises:
            InvalidRequest: a malformed argument.
            BookingNotFound: no such booking.
            PaymentIntentMismatch: the payment is not this booking's.
            NotInReview: it does not wait for a decision.
            BookingAlreadyPaid: to confirm, when another payment confirmed the booking.
            StorageUnavailable, Busy: try again.
        """
        check_booking_id(booking_id)
        asked = resolve_request(payment_id, resolution, by)
        return decided(self._runner.run(booking_id, asked).reply)

    def capture(
        self, booking_id: str, *, payment_id: str | None = None, amount: Money | None = None
    ) -> PaymentDecision:
        """Collect an authorised payment, once: all of it, or less, which releases the rest. `cancel` releases it whole.

        Args:
            booking_id: the booking.
            payment_id: which payment, as its PaymentIntent's id. None: the one that is authorised.
            amount: how much. None: all of it.

        Raises:
            InvalidRequest: a malformed argument.
            BookingNotFound: no such booking.
            PaymentIntentMismatch: the payment is not this booking's.
            NothingToCapture, CaptureTooLarge, CurrencyMismatch, AlreadyCaptured, CaptureRefused: it cannot be collected.
            StripeUnavailable, StorageUnavailable, Busy: try again; what was saved, `tick` goes on with.
            Misconfigured: Stripe refuses the API key.
        """
        check_booking_id(booking_id)
        return decided(self._runner.run(booking_id, capture_request(payment_id, amount)).reply)

    # ---- what waits for a person ----

    def needs_attention(self, after: str | None = None, limit: int = 100) -> Page[Attention]:
        """Return bookings that wait for a person: money in review, a dispute to answer, or dead letters.

        In the order of their ids. A call reads at most a thousand ledgers, so a page may be short, or empty, though there
        is more: go on while `after` is not None.

        Args:
            after: the last page's `after`, None for the first page.
            limit: how many bookings at most, 1 to 1000.

        Raises:
            InvalidRequest: a malformed argument.
            StorageUnavailable: try again.
        """
        check_page(after, limit)
        found: list[Attention] = []
        for _ in range(MAX_PAGES_READ):
            page = self._repository.due(before=ATTENTION_AT, after=after, limit=PAGE)
            for booking_id in page:
                after = booking_id
                waiting = self._attention(booking_id)
                if waiting is not None:
                    found.append(waiting)
                if len(found) == limit:
                    return Page(tuple(found), after)
            if len(page) < PAGE:
                return Page(tuple(found), None)
        return Page(tuple(found), after)

    def dead_letters(self, after: str | None = None, limit: int = 100) -> Page[DeadLetter]:
        """Return announcements that a subscriber could not be given, of at most `limit` bookings.

        Paged as `needs_attention`, whose other bookings count as well. Mend the handler, then call `redeliver`.

        Raises:
            InvalidRequest: a malformed argument.
            StorageUnavailable: try again.
        """
        page = self.needs_attention(after, limit)
        return Page(tuple(d for booking in page.items for d in booking.dead_letters), page.after)

    def redeliver(self, booking_id: str, sequence: int) -> tuple[str, ...]:
        """Let the dead letters of an announcement be delivered after all. `tick` does it, with all tries anew.

        Args:
            booking_id: the booking.
            sequence: the announcement's number within it.

        Returns:
            The names of the subscribers that are to hear it.

        Raises:
            InvalidRequest: a malformed argument.
            BookingNotFound: no such booking.
            NothingToRedeliver: there is no dead letter of this announcement.
            StorageUnavailable, Busy: try again.
        """
        check_booking_id(booking_id)
        return redelivered(self._runner.run(booking_id, redeliver_request(sequence)).reply)

    # ---- what happened ----

    def history(self, booking_id: str, *, owner: str | None = None) -> tuple[HistoryLine, ...]:
        """Return what happened to a booking's money, oldest first: each fact that changed something or was refused.

        Args:
            booking_id: the booking.
            owner: who asks, if it is a customer; then it has to be the booking's owner.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking, or it is someone else's.
            StorageUnavailable: try again.
        """
        snapshot = self._repository.get(check_booking_id(booking_id))
        if snapshot is None or (owner is not None and snapshot.booking.owner != check_owner(owner)):
            raise BookingNotFound
        return tuple(self._repository.history(booking_id))

    def explain(self, booking_id: str) -> Story:
        """Tell how a booking and its money stand, what is to come, and what happened: `print(gateway.explain(id))`.

        For the team's support, not for customers. It shows no secret and no personal data.

        Raises:
            InvalidRequest: a malformed id.
            BookingNotFound: no such booking.
            StorageUnavailable: try again.
        """
        snapshot = self._repository.get(check_booking_id(booking_id))
        if snapshot is None:
            raise BookingNotFound
        return tell(snapshot, self._repository.history(booking_id))

    def _attention(self, booking_id: str) -> Attention | None:
        """Return what of a booking waits for a person, None if nothing does."""
        try:
            snapshot = self._repository.get(booking_id)
        except UnreadableLedger as error:
            # It must not hide all the others. Who asks for this booking itself gets the error.
            log_unreadable(booking_id, error)
            return None
        if snapshot is None or not snapshot.ledger.needs_attention:
            return None
        return attention(snapshot)

    def reconcile(
        self,
        since: datetime,
        *,
        until: datetime | None = None,
        dry_run: bool = True,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
        rebuild: bool = False,
        progress: Progress | None = None,
    ) -> ReconcileReport:
        """Compare our tables with Stripe's books, and put what differs to the same rules that events go through.

        Two ways: Stripe's lists of PaymentIntents, refunds and disputes, and the events that Stripe could not deliver,
        which it keeps for 30 days. What follows is left due for `tick`. A second run over the same window finds nothing.
        Stripe is asked at most ten times a second.

        Args:
            since: from when, aware: what Stripe created from then on is compared.
            until: up to when, aware. None: the present.
            dry_run: only say what differs; write nothing.
            cursor: where an earlier call stopped, with the same `since` and `until`.
            limit: how many of Stripe's objects to compare before handing back a cursor, 1 to 1,000,000.
            rebuild: after a restored backup: a PaymentIntent that carries our marks, and that no attempt is known of, is put
                back as the booking's own attempt, if no other is live or paid it. Else such a one is cancelled, or its
                money goes into review.
            progress: is called with a `ReconcileProgress` after each page.

        Returns:
            What differed, by booking, how much money that concerns, and the cursor to go on from.

        Raises:
            InvalidRequest: no window, or a cursor that is none, is of another window, or too old.
            ReconcileInterrupted: Stripe or the database is away; go on later from `error.report.cursor`.
            Misconfigured: Stripe refuses the API key.
        """
        job, place = job_of(
            since, until, cursor, self._clock(), dry_run=dry_run, rebuild=rebuild, limit=limit, progress=progress
        )
        return self._reconciler.run(job, place)
