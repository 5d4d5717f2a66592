"""The judge of what people are answered: true, no older than the question, and nothing that is not theirs."""

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.simulation.books import PAYABLE, Intent
from tests.simulation.oracle_money import Key

from airport_payments.core.commands import ConfirmIntent
from airport_payments.core.errors import (
    BookingNotFound,
    CardDeclined,
    InternalError,
    PaymentIntentMismatch,
    StorageUnavailable,
)
from airport_payments.core.model import IntentStatus, PaymentState, Place
from airport_payments.core.money import Money
from airport_payments.core.story import Story
from airport_payments.core.views import Attention, ConfirmedPayment, CreatedPayment, PaymentReport, PaymentStatus

if TYPE_CHECKING:
    from tests.simulation.shop import Shop
    from tests.simulation.world import World

CANARY = "CANARY"


class AnswerJudge:
    """Rule 2, S2, S4, S10, S12 and S13 of answers."""

    world: "World"
    given: dict[Key, set[str]]
    statuses: dict[str, list[tuple[int, IntentStatus]]]
    charge_asks: Counter[Key]
    cards: dict[str, str]

    def check(self, holds: object, rule: str, what: str) -> None:
        raise NotImplementedError

    def truth(self, intent_id: str | None) -> Intent | None:
        raise NotImplementedError

    def fresh(self, intent_id: str, status: IntentStatus, since: int) -> None:
        """An answer is never older than its question: the intent had this status at some time since then."""
        was = self.statuses[intent_id]
        held = {was[i][1] for i in range(len(was)) if i + 1 == len(was) or was[i + 1][0] >= since}
        self.check(status in held, "rule 2", f"{intent_id} is said to be {status}, which it no longer was when asked")

    def created(self, shop: "Shop", booking_id: str, asked: Money, reply: CreatedPayment, since: int) -> None:
        truth = self.truth(reply.payment_intent_id)
        self.check(truth is not None, "S10", "an answer with a PaymentIntent that Stripe does not know")
        assert truth is not None
        self.fresh(truth.id, reply.status, since)
        self.check(reply.amount == asked, "S13", f"asked to pay {asked}, quoted {reply.amount}")

    def returned(self, shop: "Shop", outcome: Any) -> None:
        """A process answers: from now on someone may have this client secret."""
        if not isinstance(outcome, CreatedPayment | ConfirmedPayment) or outcome.client_secret is None:
            return
        secret = outcome.client_secret.reveal()
        self.check(CANARY not in repr(outcome), "S12", "an answer shows its secret")
        truth = self.truth(secret.partition("_secret")[0])
        self.check(truth is not None and truth.secret == secret, "S10", "a client secret that is none")
        assert truth is not None
        key = (truth.namespace, truth.booking)
        self.check(truth.namespace == shop.namespace, "S10", f"{truth.id} is another shop's")
        if isinstance(outcome, CreatedPayment):
            task = self.world.sched.current
            self.fresh(truth.id, outcome.status, task.called_at if task is not None else 0)
            self.check(outcome.payment_intent_id == truth.id, "S10", "the secret of another PaymentIntent")
            edited = self.world.fates.counts["amount_edited"]
            exact = outcome.amount == Money(truth.amount, truth.currency) or edited
            self.check(exact, "S13", f"quoted {outcome.amount}, but {truth.id} is of {truth.amount}")
        given = self.given[key]
        given.add(truth.id)
        payable = [i for i in sorted(given) if (t := self.truth(i)) is not None and t.status in PAYABLE]
        self.check(len(payable) <= 1, "S4", f"{key[1]} can be paid by {' and '.join(payable)}")

    def confirmed(
        self, shop: "Shop", booking_id: str, intent_id: str, reply: ConfirmedPayment, since: int, *, paid_before: bool
    ) -> None:
        truth = self.truth(intent_id)
        assert truth is not None
        told: IntentStatus | None = reply.stripe_status
        if told is not None:  # else the endpoint said that it is completed, and no more
            self.fresh(truth.id, told, since)
        paid = truth.status is IntentStatus.SUCCEEDED or shop.settings.policy.confirm_at_authorization
        self.check(paid or not reply.completed, "S2", f"{intent_id} is said to be completed, but is {truth.status}")
        self.check(truth.booking == booking_id, "S10", f"{intent_id} is not of {booking_id}")
        stands = paid_before and self.pays(shop, booking_id, intent_id)
        self.check(reply.completed or not stands, "rule 2", f"{intent_id} is said to be open, and pays {booking_id}")

    def pays(self, shop: "Shop", booking_id: str, intent_id: str) -> bool:
        """Whether a payment stands for its booking just now."""
        snapshot = shop.tables._get(booking_id)
        payment = snapshot.ledger.payment_of_intent(intent_id) if snapshot else None
        collected = payment is not None and payment.state is PaymentState.SUCCEEDED and payment.rest_minor > 0
        return payment is not None and payment.place is Place.ATTACHED and collected

    def said_status(self, shop: "Shop", booking_id: str, reply: PaymentReport, before: object) -> None:
        """How a booking is said to stand; `before`: how it was when that was asked."""
        mine = [i for i in self.world.stripe.intents() if (i.namespace, i.booking) == (shop.namespace, booking_id)]
        paid = any(i.received for i in mine)
        completed = reply.payment_status is PaymentStatus.COMPLETED
        self.check(paid or not completed, "S2", f"{booking_id} is said to be {reply}, and nothing was collected")
        now = shop.tables._get(booking_id)
        if now is None or now != before:
            return
        self.check(reply.booking_status is now.booking.status, "rule 2", f"{booking_id} is said to be {reply}")
        attached = now.ledger.attached
        stands = attached is not None and self.pays(shop, booking_id, attached.intent_id or "")
        unpaid = {PaymentStatus.PENDING, PaymentStatus.FAILED, PaymentStatus.CANCELED}
        self.check(
            not stands or reply.payment_status not in unpaid, "rule 2", f"{booking_id} is paid, and told: {reply}"
        )

    def asks_charge(self, key: Key, call: str, payment_method_id: str) -> None:
        """Somebody asks to charge a saved card."""
        self.charge_asks[key] += 1
        self.cards[call] = payment_method_id

    def performed_charge(self, command: ConfirmIntent) -> None:
        """A saved card is charged: the one that who sends it asked for. A worker finishes what others asked for."""
        task = self.world.sched.current
        asked = self.cards.get(task.name, "a worker" if "-worker" in task.name else "none")
        fits = asked in {command.payment_method_id, "a worker"}
        self.check(fits, "one try", f"{task.name} asked for {asked}, and {command.payment_method_id} is charged")

    def charge_refused(self, error: Exception) -> None:
        """Where the bank wants the customer's own yes, the answer is not an error but what lets them give it."""
        codes = (error.code, error.decline_code) if isinstance(error, CardDeclined) else ()
        wants = "authentication_required" in codes
        self.check(not wants, "contract", f"the customer could say yes, and is told {error!r}")

    def charged_saved(self, charged: dict[tuple[str, str, str], set[str]]) -> None:
        """Saved cards were charged: no more often than somebody asked for it.

        One PaymentIntent at a time: after one that was cancelled meanwhile, a call goes on with the next.
        """
        for (namespace, booking, intent_id), keys in charged.items():
            asked = self.charge_asks[namespace, booking]
            self.check(len(keys) <= asked, "one try", f"{intent_id} of {booking}: {len(keys)} tries with a saved card")

    def charged(self, shop: "Shop", booking_id: str, reply: ConfirmedPayment) -> None:
        """What is said to be paid with a saved card is paid, and is this booking's."""
        mine = [i for i in self.world.stripe.intents() if (i.namespace, i.booking) == (shop.namespace, booking_id)]
        paid = any(i.received for i in mine) or shop.settings.policy.confirm_at_authorization
        self.check(paid or not reply.completed, "S2", f"{booking_id} is said to be paid with a saved card, and is not")
        self.check(reply.booking.id == booking_id, "S10", "the answer is of another booking")

    def strange(self, outcome: str, value: Any, saves: int) -> None:
        """S10: a stranger learns and changes nothing; not found and not yours look the same."""
        self.check(outcome != "ok", "S10", f"a stranger was shown {value}")
        self.check(not saves, "S10", "a stranger's request wrote something")
        if outcome == "error" and not isinstance(value, StorageUnavailable | InternalError):
            same = type(value) is BookingNotFound and str(value) == str(BookingNotFound())
            self.check(same, "S10", f"a stranger can tell: {value!r}")

    # ---- what the office is told ----

    def explained(self, shop: "Shop", booking_id: str, story: Story, unmoved: Story | None) -> None:
        """A booking's story is true, and is as things stand; `unmoved` is how they stood all the while."""
        self.check(CANARY not in str(story), "S12", "a story shows a secret")
        self.check(unmoved is None or story == unmoved, "rule 2", f"{booking_id} is told otherwise than it stands")
        for line in story.standing:
            said = re.match(r"Payment (pi_\S+) of [^:]*: (paid|canceled)?", line)
            if said is None:
                continue
            truth = self.truth(said[1])
            self.check(truth is not None, "S10", f"a story of {said[1]}, which Stripe does not know")
            assert truth is not None
            self.check((truth.namespace, truth.booking) == (shop.namespace, booking_id), "S10", f"{booking_id}: {line}")
            status = {"paid": IntentStatus.SUCCEEDED, "canceled": IntentStatus.CANCELED}.get(said[2], truth.status)
            self.check(truth.status is status, "S8", f"{line} But it is {truth.status}")

    def waiting(self, shop: "Shop") -> dict[str, tuple[int, frozenset[object]]]:
        """Return the bookings that wait for a person: money in review, a dispute to answer, dead letters.

        Each with the version of its ledger, and what of it is for somebody.
        """
        found: dict[str, tuple[int, frozenset[object]]] = {}
        for booking_id, ledger in sorted(shop.tables._ledgers.items()):
            reviews = [(p.intent_id, p.rest_minor, p.review) for p in ledger.payments if p.place is Place.REVIEW]
            asked = [
                (d.dispute_id, d.amount_minor)
                for p in ledger.payments
                for d in p.disputes
                if d.status.endswith("needs_response")
            ]
            letters = [(a.subscriber, a.announcement.sequence) for a in ledger.dead_letters]
            if wanted := frozenset((*reviews, *asked, *letters)):
                found[booking_id] = (ledger.version, wanted)
        return found

    def attended(self, shop: "Shop", listed: list[Attention]) -> None:
        """What waits for a person is listed, all of it and nothing else, in the order of the bookings."""
        told = []
        for one in listed:
            reviews = [(r.payment_intent_id, r.amount_minor, r.reason) for r in one.reviews]
            asked = [(d.dispute_id, d.amount_minor) for d in one.disputes]
            letters = [(a.subscriber, a.announcement.sequence) for a in one.dead_letters]
            told.append((one.booking_id, frozenset((*reviews, *asked, *letters))))
        wanted = [(booking_id, what) for booking_id, (_, what) in self.waiting(shop).items()]
        self.check(told == wanted, "attention", f"{told} are said to wait for a person, and {wanted} do")

    def said(self, error: Exception) -> None:
        self.check(CANARY not in f"{error} {error!r}", "S12", "an error shows a secret")
        self.check(not isinstance(error, PaymentIntentMismatch) or str(error), "S10", "an empty error")
