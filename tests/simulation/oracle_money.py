"""The judge of what becomes of collected money: refunds, disputes, captures, and what operators decide."""

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from tests.simulation.books import Intent
from tests.simulation.delivery import Sent
from tests.simulation.money import STANDING, Refund
from tests.simulation.wrapped import EFFECTS, LATE_MONEY

from airport_payments.core.announcements import (
    Announcement,
    AuthorizationLost,
    DisputeClosed,
    PaymentAuthorized,
    PaymentDisputed,
    PaymentRefunded,
    RefundFailed,
)
from airport_payments.core.commands import CaptureIntent, Command, CreateRefund, Effect, RetrieveIntent
from airport_payments.core.dispute import Dispute
from airport_payments.core.facts import PortReply, RefundSeen, RefusalKind, Refused, Unanswered
from airport_payments.core.model import Change, IntentStatus, Payment, PaymentState, Place, ReviewReason, Surplus
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState
from airport_payments.core.views import Cancellation, CancelOutcome, PaymentDecision, RefundReport

if TYPE_CHECKING:
    from tests.simulation.shop import Shop
    from tests.simulation.world import World

R = RefundState
Key = tuple[str, str]  # shop's namespace, booking id
Asked = tuple[str, str, str]  # and a request id
# From where each refund may go, written here once more so that nothing of ours proves itself (S8).
REFUND_MOVES: dict[RefundState, frozenset[RefundState]] = {
    R.REQUESTED: frozenset(R) - {R.REQUESTED},
    R.REFUSED: frozenset(R) - {R.REQUESTED, R.REFUSED},
    R.PENDING: frozenset({R.REQUIRES_ACTION, R.SUCCEEDED, R.FAILED, R.CANCELED}),
    R.REQUIRES_ACTION: frozenset({R.SUCCEEDED, R.FAILED, R.CANCELED}),
    R.SUCCEEDED: frozenset({R.FAILED, R.CANCELED}),
    R.FAILED: frozenset(),
    R.CANCELED: frozenset(),
}


class MoneyJudge:
    """What the oracle knows and asks of refunds, disputes, captures and operators."""

    world: "World"
    confirmed_by: dict[Key, str]

    def __init__(self) -> None:
        self.was: dict[str, list[tuple[int, Any]]] = defaultdict(list)  # the statuses of each refund and dispute
        self.shown: dict[tuple[str, str], int] = {}  # which of them an event, answered 2xx, showed to a shop
        self.flagged: set[tuple[str, str, str]] = set()
        self.told_money: Counter[tuple[str, ...]] = Counter()
        self.refund_asks: dict[Asked, set[Any]] = defaultdict(set)
        self.refs: dict[Asked, str] = {}
        self.resolutions: dict[Key, set[str]] = defaultdict(set)
        self.cancels: set[Key] = set()
        self.captures: dict[Key, set[int | None]] = defaultdict(set)
        self.refusals: Counter[str] = Counter()
        self.refused_of: dict[str, Effect | None] = {}  # what each task was last refused for good
        self.reached_refund: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        self.capture_keys: dict[str, dict[str, int]] = defaultdict(dict)
        self.settled_captures: dict[str, int] = {}

    def check(self, holds: object, rule: str, what: str) -> None:
        raise NotImplementedError

    def truth(self, intent_id: str | None) -> Intent | None:
        raise NotImplementedError

    # ---- Stripe's books ----

    def money_changed(self, intent: Intent) -> None:
        """Something changed in Stripe's books: S11."""
        standing: Counter[tuple[str | None, str]] = Counter()
        for thing in (*intent.money.refunds, *intent.money.disputes):
            self.note_status(thing.id, thing.status)
        for refund in intent.money.refunds:
            if refund.ref is not None and refund.status in STANDING:
                standing[refund.namespace, refund.ref] += 1
        for (_, ref), number in standing.items():
            self.check(number == 1, "S11", f"refund {ref} of {intent.id} was given back {number} times")
        self.check(intent.net >= 0, "S11", f"more went back of {intent.id} than was collected")

    def note_status(self, object_id: str, status: Any) -> None:
        was = self.was[object_id]
        if not was or was[-1][1] != status:
            was.append((self.world.sched.now, status))

    def _refund(self, intent_id: str | None, refund_id: str | None) -> Refund | None:
        truth = self.truth(intent_id)
        return next((r for r in truth.money.refunds if r.id == refund_id), None) if truth else None

    def _index(self, object_id: str, status: Any) -> int:
        """Return the last place of a status in an object's history, -1 if it never had it."""
        places = [n for n, (_, was) in enumerate(self.was[object_id]) if was == status]
        return places[-1] if places else -1

    # ---- commits ----

    def saved_money(self, shop: "Shop", change: Change, was: Payment | None, now: Payment) -> None:
        """A payment's refunds, disputes and place, as they were committed."""
        old = {r.ref: r for r in was.refunds} if was else {}
        self.check(set(old) <= {r.ref for r in now.refunds}, "S8", f"a refund of {now.intent_id} was forgotten")
        for refund in now.refunds:
            before = old.get(refund.ref)
            if refund is before:
                continue
            if before is None and refund.refund_id is None:
                # Commanded. What others do at Stripe in the meantime may still come between.
                self.check(now.state is PaymentState.SUCCEEDED, "S11", f"a refund of {now.intent_id}, not collected")
                self.check(now.rest_minor >= 0, "S11", f"refunds of {now.intent_id} exceed what was collected")
                self._ordered(shop, change, was, now, refund)
                ordered = [r for r in now.refunds if r.request is None and r.ref != r.refund_id and r.standing]
                # Once more for what was given back and came back, be it ours or the dashboard's.
                came_back = sum(r.state in {R.FAILED, R.CANCELED} for r in now.refunds)
                self.check(
                    len(ordered) <= 1 + came_back, "S11", f"an obligation of {now.intent_id} is given back twice"
                )
            moved = before is None or before.state is refund.state or refund.state in REFUND_MOVES[before.state]
            self.check(moved, "S8", f"refund {refund.ref} went from {before and before.state} to {refund.state}")
            if refund.refund_id is not None:
                self._known_refund(now, refund, before)
        for dispute in now.disputes:
            self._dispute(now, dispute, next((d for d in was.disputes if d.dispute_id == dispute.dispute_id), None)
                          if was else None)  # fmt: skip
        if was is not None and was.place is not now.place and was.state is PaymentState.SUCCEEDED:
            self._moved(shop, change, was, now)

    def _ordered(self, shop: "Shop", change: Change, was: Payment | None, now: Payment, refund: Any) -> None:
        """Money goes back because somebody asked for it, as much as they asked for; or where the settings, or a person, say so."""
        here = now.rest_minor + refund.amount_minor
        if refund.request is None:
            decided = "refund" in self.resolutions[shop.namespace, now.intent_id or ""]
            fits = now.place is Place.REFUNDED and (decided or shop.settings.policy.surplus is Surplus.REFUND)
            self.check(fits, "S11", f"{now.intent_id} goes back, and nobody asked for it")
            self.check(refund.amount_minor == here, "S11", f"{refund.amount_minor} of {here} goes back")
            return
        asked = [w for k, w in self.refund_asks.items() if k[:2] == (shop.namespace, change.booking_id)]
        wishes = {None if amount is None else amount.amount_minor for what in asked for _, amount in what}
        fits = refund.amount_minor in wishes or (None in wishes and refund.amount_minor == here)
        self.check(fits, "S11", f"{refund.amount_minor} of {now.intent_id} goes back, and nobody asked for that")

    def _known_refund(self, now: Payment, refund: Any, before: Any) -> None:
        truth = self._refund(now.intent_id, refund.refund_id)
        self.check(truth is not None, "S8", f"Stripe has no refund {refund.refund_id} of {now.intent_id}")
        assert truth is not None
        self.check(truth.amount == refund.amount_minor, "S13", f"{truth.id} is of {truth.amount}")
        if refund.state is R.REQUESTED or refund.state is R.REFUSED:
            return
        self.check(self._index(truth.id, refund.state) >= 0, "S8", f"{truth.id} never was {refund.state}")
        task = self.world.sched.current
        seen = task.refund_seen if task is not None else None
        if seen is not None and seen[0] == truth.id and (before is None or before.state is not refund.state):
            # Rule 2: what an answer tells was so at some time since it was asked for.
            was = self.was[truth.id]
            held = {was[n][1] for n in range(len(was)) if n + 1 == len(was) or was[n + 1][0] >= seen[1]}
            self.check(refund.state in held, "rule 2", f"{truth.id} is said to be {refund.state}, from a stored answer")

    def _dispute(self, now: Payment, dispute: Dispute, before: Dispute | None) -> None:
        if dispute is before:
            return
        index = self._index(dispute.dispute_id, dispute.status)
        self.check(index >= 0, "S8", f"{dispute.dispute_id} never was {dispute.status}")
        if before is not None:
            forward = index >= self._index(dispute.dispute_id, before.status)
            self.check(forward, "S8", f"{dispute.dispute_id} went back from {before.status} to {dispute.status}")

    def _moved(self, shop: "Shop", change: Change, was: Payment, now: Payment) -> None:
        """Collected money gets another place: only because it went back, did not after all, or by a person's word."""
        asked = self.resolutions[shop.namespace, now.intent_id or ""]
        gone = now.rest_minor <= 0
        if now.place is Place.REFUNDED:
            fits = gone or (was.place is Place.REVIEW and "refund" in asked)
        elif now.place is Place.REVIEW:
            # What somebody has given back just now was there before.
            ordered = {r.ref for r in now.refunds if r.refund_id is None} - {r.ref for r in was.refunds}
            here = now.rest_minor + sum(r.amount_minor for r in now.refunds if r.ref in ordered)
            fits = was.place is Place.REFUNDED and here > 0 and now.review is ReviewReason.REFUND_FAILED
        else:
            word = {Place.ATTACHED: "confirm", Place.KEPT: "keep"}.get(now.place, "")
            fits = was.place is Place.REVIEW and word in asked
        self.check(fits, "S3", f"{now.intent_id} went from {was.place} to {now.place} without a reason")
        if now.place is Place.ATTACHED:
            self.confirmed_by[shop.namespace, change.booking_id] = now.intent_id or ""
        if was.place is Place.ATTACHED and change.read.booking.status == "confirmed":
            self.check(change.booking_status == "cancelled", "S3", f"{now.intent_id} went back, its booking stays")

    def placed_refunded(self, shop: "Shop", now: Payment, reason_holds: bool, intent_id: str) -> None:
        """S11: money that confirms nothing goes back at once only where the settings say so, and never a stray's."""
        ordered = any(r.request is None and r.ref != r.refund_id for r in now.refunds)
        if ordered:
            self.check(shop.settings.policy.surplus is Surplus.REFUND, "S11", f"{intent_id} goes back, to be reviewed")
            self.check(not now.stray, "S11", f"{intent_id} was never asked for, and goes back without a person's word")
            self.check(reason_holds, "S2", f"{intent_id} goes back, and nothing speaks against it")
        self.check(now.rest_minor <= 0, "S3", f"{intent_id} is said to go back, and nothing gives it back")

    # ---- announcements ----

    def announced_money(self, ns: str, told: Announcement, payment: Payment | None) -> bool:
        """S7 of what is told of money; False if this is told of something else."""
        intent_id = told.payment_intent_id or ""
        truth = self.truth(intent_id)
        if isinstance(told, PaymentRefunded):
            self._once(ns, "refunded", told.refund_id)
            self._told_refund(intent_id, told, R.SUCCEEDED)
        elif isinstance(told, RefundFailed):
            if told.refund_id is None:
                self.told_money[ns, "refused", intent_id] += 1
                # Another sending of one that was refused may have got through. Or other refunds took its money while it
                # had no answer: it cannot be made any more.
                refused = [
                    r
                    for r in (payment.refunds if payment else ())
                    if self.refusals[f"{ns}/{r.ref}"] or r.failure == "refund_exceeds_rest"
                ]
                true = self.told_money[ns, "refused", intent_id] <= len(refused)
                self.check(true, "S7", f"a refund of {intent_id} was refused, but none was")
            else:
                self._once(ns, "failed", told.refund_id)
                self._told_refund(intent_id, told, R.FAILED, R.CANCELED)
        elif isinstance(told, PaymentDisputed | DisputeClosed):
            phase = told.status.split("_")[0] if isinstance(told, PaymentDisputed) else told.status
            self._once(ns, "disputed" if isinstance(told, PaymentDisputed) else "closed", told.dispute_id,
                       "formal" if phase in {"needs", "under"} else phase)  # fmt: skip
            self.check(
                self._index(told.dispute_id, told.status) >= 0, "S7", f"{told.dispute_id} never was {told.status}"
            )
        elif isinstance(told, PaymentAuthorized):
            self._once(ns, "authorized", intent_id)
            self.check(truth and truth.manual, "S7", f"{intent_id} was never authorised")
        elif isinstance(told, AuthorizationLost):
            self._once(ns, "lost", intent_id)
            self.check(truth and truth.status is IntentStatus.CANCELED, "S7", f"{intent_id} is not lost")
        else:
            return False
        return True

    def _once(self, *what: str) -> None:
        self.told_money[what] += 1
        self.check(self.told_money[what] == 1, "S7", f"{what} was announced twice")

    def _told_refund(self, intent_id: str, told: PaymentRefunded | RefundFailed, *states: RefundState) -> None:
        refund = self._refund(intent_id, told.refund_id)
        self.check(refund is not None and refund.amount == told.amount_minor, "S7", f"{told.refund_id} is none")
        true = any(self._index(told.refund_id or "", state) >= 0 for state in states)
        self.check(true, "S7", f"{told.refund_id} never was {' or '.join(states)}")

    # ---- commands ----

    def performed_money(self, command: Command) -> None:
        """A capture gets a new key only after the old one was answered, or the PaymentIntent looked at: rule 9."""
        if not isinstance(command, CaptureIntent):
            return
        truth = self.truth(command.intent_id)
        assert truth is not None
        asked = {truth.amount if a is None else a for a in self.captures[truth.namespace, truth.booking]}
        self.check(
            command.amount_minor in asked, "S13", f"{command.amount_minor} of {truth.id} is captured, asked {asked}"
        )
        keys = self.capture_keys[command.intent_id]
        known = self.settled_captures.get(command.intent_id, -1)
        for key, since in keys.items():
            self.check(
                key == command.key or known >= since, "rule 9", f"{command.intent_id}: captured with a second key"
            )
        keys.setdefault(command.key, self.world.sched.now)

    def replied(self, command: Any, reply: PortReply) -> None:
        """A command has its reply."""
        task = self.world.sched.current
        refund = isinstance(command, CreateRefund)
        if task is not None:
            final = isinstance(reply, Refused) and reply.kind not in {RefusalKind.CREDENTIALS, RefusalKind.MISSING}
            self.refused_of[task.name] = command if final and isinstance(command, EFFECTS) else None
            task.refund_seen = (reply.view.id, task.called_at) if refund and isinstance(reply, RefundSeen) else None
        if refund and isinstance(reply, Refused):
            self.refusals[f"{command.namespace}/{command.ref}"] += 1
        if isinstance(command, CaptureIntent | RetrieveIntent) and not isinstance(reply, Unanswered):
            self.settled_captures[command.intent_id] = self.world.sched.now

    def sent_refund(self, command: CreateRefund) -> None:
        """A refund reached Stripe: a second key of it only when nothing sent with the first can still take effect."""
        keys = self.reached_refund[command.namespace, command.ref]
        now = self.world.sched.now
        for key, since in keys.items():
            old = key == command.key or now - since >= LATE_MONEY
            self.check(old, "rule 9", f"refund {command.ref} is commanded with a second key while the first may work")
        keys[command.key] = now

    # ---- people ----

    def asks_refund(self, asked: Asked, what: Any) -> None:
        self.refund_asks[asked].add(what)

    def gave_back(self, asked: Asked, payment_id: str | None, amount: Money | None, report: RefundReport) -> None:
        """S11: one request id names one refund, whoever asks how often."""
        ref = self.refs.setdefault(asked, report.ref)
        self.check(ref == report.ref, "S11", f"{asked[2]} gave money back twice: {ref} and {report.ref}")
        self.check(amount in {None, report.amount}, "S13", f"asked for {amount}, gave back {report.amount}")
        self.check(payment_id in {None, report.payment_intent_id}, "S10", "another payment was refunded")
        truth = self.truth(report.payment_intent_id)
        self.check(truth is not None and (truth.namespace, truth.booking) == asked[:2], "S10", "of another booking")
        if report.refund_id is not None:
            refund = self._refund(report.payment_intent_id, report.refund_id)
            self.check(refund is not None and refund.amount == report.amount.amount_minor, "S11", f"{report} is none")
            true = report.state is R.REQUESTED or self._index(report.refund_id, report.state) >= 0
            self.check(true, "S8", f"{report.refund_id} never was {report.state}")

    def refused_request_id(self, asked: Asked) -> None:
        self.check(len(self.refund_asks[asked]) > 1, "S11", f"{asked[2]} is said to have asked for something else")

    def asks_cancel(self, key: Key) -> None:
        self.cancels.add(key)

    def cancelled(self, key: Key, reply: Cancellation, since: int) -> None:
        """What is said to be cancelled can be paid by nobody who was given the means before."""
        if reply.outcome is CancelOutcome.PROCESSING:
            return
        open_ = [
            i.id
            for i in self.world.stripe.intents()
            if (i.namespace, i.booking) == key
            and i.created <= since
            and i.status not in {IntentStatus.SUCCEEDED, IntentStatus.CANCELED}
            and self.world.oracle.was_given(i.id)
        ]
        self.check(not open_, "S4", f"{key[1]} is said to be cancelled, and {open_} can be paid")

    def asks_resolve(self, ns: str, intent_id: str, resolution: str) -> None:
        self.resolutions[ns, intent_id].add(resolution)

    def asks_capture(self, key: Key, minor: int | None) -> None:
        self.captures[key].add(minor)

    def collected(self, reply: PaymentDecision) -> None:
        truth = self.truth(reply.payment_intent_id)
        self.check(truth is not None and truth.received == reply.received.amount_minor, "S13", f"{reply} is not so")

    def resolved(self, resolution: str, reply: PaymentDecision) -> None:
        """What a person decided is what became of it."""
        place = {"confirm": Place.ATTACHED, "refund": Place.REFUNDED, "keep": Place.KEPT}[resolution]
        self.check(reply.place is place, "S3", f"decided to {resolution}, and told {reply.place}")

    # ---- events ----

    def answered_money(self, shop: "Shop", sent: Sent, payment: Payment) -> None:
        """S6: what an event about money showed is committed when it was answered 2xx."""
        ns, obj = shop.namespace, sent.object
        kind, object_id = obj["object"], obj["id"]
        if kind == "charge":
            made = sum(r.amount_minor for r in payment.refunds if r.made)
            # A charge that was fetched shows how things stand: of refunds that failed meanwhile it tells nothing.
            more = not payment.refunds if sent.fetched else made != obj["amount_refunded"]
            if more or payment.refunds_at is not None:
                truth = self.truth(payment.intent_id)
                for refund in truth.money.refunds if truth else ():
                    self.shown.setdefault((ns, refund.id), 0)
            return
        truth = self.truth(payment.intent_id)
        things = (*truth.money.refunds, *truth.money.disputes) if truth else ()
        thing = next(t for t in things if t.id == object_id)
        # An event of an older version is fetched: what it showed then is what the object is, or was, at that time.
        index = self._index(object_id, obj["status"])
        self.shown[ns, object_id] = max(index, self.shown.get((ns, object_id), -1))
        known: Any = next((r.state for r in payment.refunds if r.refund_id == object_id), None)
        if kind == "dispute":
            dispute = next((d for d in payment.disputes if d.dispute_id == object_id), None)
            known = dispute.status if dispute else None
            for flag in ("withdrawn", "reinstated"):
                if sent.type.endswith(flag):
                    self.flagged.add((ns, object_id, flag))
                    self.check(dispute and getattr(dispute, flag), "S6", f"{sent.id}: {object_id} is not {flag}")
        self.check(known is not None, "S6", f"{sent.id} was answered 2xx, but {object_id} is unknown")
        newer = self._index(object_id, known) >= index
        self.check(newer, "S6", f"{sent.id} says {obj['status']} of {thing.id}, we have committed {known}")
