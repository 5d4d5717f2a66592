"""The judge of what events are answered: what was taken is committed, and what is not ours writes nothing."""

from typing import TYPE_CHECKING, Any

from tests.simulation.delivery import Sent
from tests.simulation.oracle_money import MoneyJudge

from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.model import PaymentState

if TYPE_CHECKING:
    from tests.simulation.shop import Shop

FINAL = frozenset({PaymentState.SUCCEEDED, PaymentState.CANCELED})
MAX_NEWS = 32


class EventJudge(MoneyJudge):
    """S6 and S9."""

    def answered_event(self, shop: "Shop", sent: Sent, outcome: Any) -> None:
        """S6: what was answered 2xx is committed, as far as it is ours."""
        if not sent.ours:
            return
        obj = sent.object
        intent_id, namespace, booking_id = sent.intent
        if namespace != shop.namespace:
            self.check(outcome is EventOutcome.IGNORED, "S9", f"{sent.id} of another application: {outcome}")
            return
        ok = outcome in {EventOutcome.APPLIED, EventOutcome.UNCHANGED}
        self.check(ok, "S6", f"{sent.id} is ours, and was answered {outcome}")
        snapshot = shop.tables._get(booking_id)
        payment = snapshot and snapshot.ledger.payment_of_intent(intent_id)
        self.check(payment is not None, "S6", f"{sent.id} was answered 2xx, but {intent_id} is unknown")
        assert payment
        self.shown.setdefault((namespace, intent_id), 0)
        if obj["object"] != "payment_intent":
            self.answered_money(shop, sent, payment)
            return
        status = obj["status"]
        if status in {"succeeded", "canceled"}:
            self.check(payment.state == status, "S6", f"{sent.id} says {status}, we have committed {payment.state}")
        elif obj["last_payment_error"] and sent.type == "payment_intent.payment_failed":
            error = obj["last_payment_error"]
            past = payment.state in FINAL or payment.state is PaymentState.REQUIRES_CAPTURE
            past = past or sent.fetched  # it shows how things stand now
            known = f"failed/{error.get('charge') or error['code']}" in payment.news or past
            self.check(known or len(payment.news) == MAX_NEWS, "S6", f"{sent.id}: its failure is not committed")

    def ignored_event(self, sent: Sent, outcome: tuple[str, Any], saves: int) -> None:
        """S9: nothing of another account or mode is written."""
        self.check(not saves, "S9", f"{sent.id}, not of our account and mode, wrote something")
        if outcome[0] == "ok":
            self.check(outcome[1] is EventOutcome.IGNORED, "S9", f"{sent.id} was {outcome[1]}")
