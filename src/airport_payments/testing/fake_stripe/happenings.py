"""What customers, banks and the merchant's own staff do: the methods that make it happen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airport_payments.testing.fake_stripe import attempts, disputes, intents, refunds
from airport_payments.testing.fake_stripe.constants import DEFAULT_ACCOUNT
from airport_payments.testing.fake_stripe.errors import StripeRefusal
from airport_payments.testing.fake_stripe.json_types import copied

if TYPE_CHECKING:
    from collections.abc import Generator

    from airport_payments.testing.fake_stripe.api import Api
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.cards import DisputeReason
    from airport_payments.testing.fake_stripe.disputes import Outcome
    from airport_payments.testing.fake_stripe.json_types import JsonObject, Obj
    from airport_payments.testing.fake_stripe.refunds import FailureReason, HeldStatus, Reason


class Happenings:
    """The part of `FakeStripe` that plays everyone else: customers, banks, and staff at the dashboard."""

    def __init__(self, api: Api) -> None:
        self._api = api

    @contextmanager
    def _working(self, account: str, *, publishable: bool = False) -> Generator[Call]:
        with self._api.lock:
            self._api.run_due()
            yield self._api.call(self._api.books(account), publishable=publishable)

    # Customers

    def pay(self, intent_id: str, card: str = "4242424242424242", *, account: str = DEFAULT_ACCOUNT) -> JsonObject:
        """Do what Stripe.js does in the customer's browser: confirm with a card.

        Args:
            intent_id: The payment intent.
            card: A test number, or a name such as `pm_card_visa`.
            account: Whose intent.

        Returns:
            The intent as it then is; a declined card shows in `last_payment_error`.

        Raises:
            StripeRefusal: If the intent cannot be confirmed at all.
        """
        with self._working(account, publishable=True) as call:
            intent = call.books.get("payment_intent", intent_id, "intent")
            number = card.replace(" ", "")
            given: Obj = {"type": "card", "card": {"number": number}}
            params: Obj = {"payment_method_data": given} if number.isdecimal() else {"payment_method": card}
            try:
                intents.confirm(call, intent, {**params, "use_stripe_sdk": True})
            except StripeRefusal as refusal:
                if refusal.status != 402:
                    raise
            return copied(intent)

    def authenticate(self, intent_id: str, succeed: bool = True, *, account: str = DEFAULT_ACCOUNT) -> JsonObject:  # noqa: FBT001, FBT002
        """Give the customer's answer to the 3DS question, and return the intent as it then is.

        Raises:
            ValueError: If the intent waits for none.
        """
        with self._working(account) as call:
            intent = call.books.get("payment_intent", intent_id, "intent")
            return copied(attempts.answer(call, intent, succeed=succeed))

    # Banks

    def settle(self, intent_id: str, *, succeed: bool = True, account: str = DEFAULT_ACCOUNT) -> JsonObject:
        """Let the bank answer now for an intent in `processing`, and return the intent."""
        with self._working(account) as call:
            intent = call.books.get("payment_intent", intent_id, "intent")
            attempts.bank_answers(call, intent, succeeds=succeed)
            return copied(intent)

    def expire(self, intent_id: str, *, account: str = DEFAULT_ACCOUNT) -> JsonObject:
        """Let an authorisation run out now, as it does by itself after seven days, and return the intent.

        Raises:
            ValueError: If nothing is authorised.
        """
        with self._working(account) as call:
            intent = call.books.get("payment_intent", intent_id, "intent")
            if intent["status"] != "requires_capture":
                raise ValueError(f"{intent_id} has no authorisation: it is {intent['status']}")
            intents.expire_authorisation(call, intent)
            return copied(intent)

    def hold_refunds(self, times: int = 1, *, status: HeldStatus = "pending", account: str = DEFAULT_ACCOUNT) -> None:
        """Let the next refunds that are asked for wait, until `settle_refund` or `fail_refund`.

        Args:
            times: How many; 0 ends it.
            status: `pending`, as when the balance does not suffice, or `requires_action`, as when Stripe asks
                the customer for a bank account.
            account: Whose refunds.
        """
        with self._working(account) as call:
            call.books.switches["held_refunds"] = {"times": times, "status": status}

    def settle_refund(self, refund_id: str, *, account: str = DEFAULT_ACCOUNT) -> JsonObject:
        """Let a refund that waits arrive, and return it."""
        with self._working(account) as call:
            refund = call.books.get("refund", refund_id, "refund")
            refunds.succeed(call, refund)
            return copied(refund)

    def fail_refund(
        self,
        refund_id: str,
        *,
        reason: FailureReason = "expired_or_canceled_card",
        account: str = DEFAULT_ACCOUNT,
    ) -> JsonObject:
        """Let a refund come back from the bank, even long after it had succeeded, and return it."""
        with self._working(account) as call:
            refund = call.books.get("refund", refund_id, "refund")
            refunds.fail(call, refund, reason)
            return copied(refund)

    def dispute(
        self,
        intent_id: str,
        amount: int | None = None,
        *,
        reason: DisputeReason = "fraudulent",
        inquiry: bool = False,
        prevented: bool = False,
        account: str = DEFAULT_ACCOUNT,
    ) -> JsonObject:
        """Let the customer dispute a payment at the bank, which takes the money back at once.

        Args:
            intent_id: The payment intent.
            amount: How much; all that was captured by default.
            reason: As the bank gives it.
            inquiry: Only ask, and take nothing; see `escalate_dispute`.
            prevented: Settle it with the network before it becomes a dispute: the money goes back, nothing is answered.
            account: Whose intent.

        Returns:
            The dispute.

        Raises:
            ValueError: If nothing was captured, or if it is to be an inquiry and prevented.
        """
        if inquiry and prevented:
            raise ValueError("an inquiry takes no money: there is nothing to prevent")
        with self._working(account) as call:
            intent = call.books.get("payment_intent", intent_id, "intent")
            charge = call.books.objects["charge"].get(intent["latest_charge"] or "")
            if charge is None or not charge["captured"]:
                raise ValueError(f"{intent_id} has no captured charge to dispute")
            return copied(
                disputes.open_dispute(call, charge, reason, inquiry=inquiry, amount=amount, prevented=prevented)
            )

    def escalate_dispute(self, dispute_id: str, *, account: str = DEFAULT_ACCOUNT) -> JsonObject:
        """Let the bank turn an inquiry into a dispute, which takes the money back, and return it."""
        with self._working(account) as call:
            dispute = call.books.get("dispute", dispute_id, "dispute")
            disputes.escalate(call, dispute)
            return copied(dispute)

    def close_dispute(self, dispute_id: str, outcome: Outcome, *, account: str = DEFAULT_ACCOUNT) -> JsonObject:
        """Let the bank close a dispute, answered or not, and return it.

        Raises:
            ValueError: If it is closed already.
        """
        with self._working(account) as call:
            dispute = call.books.get("dispute", dispute_id, "dispute")
            if dispute["status"] in disputes.CLOSED:
                raise ValueError(f"{dispute_id} is closed already: it is {dispute['status']}")
            disputes.settle(call, dispute, outcome)
            return copied(dispute)

    def appeal_dispute(self, dispute_id: str, *, account: str = DEFAULT_ACCOUNT) -> JsonObject:
        """Let a decided dispute be appealed, by whoever lost it, and return it; answer and close it as before.

        Raises:
            ValueError: If it is neither won nor lost.
        """
        with self._working(account) as call:
            dispute = call.books.get("dispute", dispute_id, "dispute")
            if dispute["status"] not in {"won", "lost"}:
                raise ValueError(f"{dispute_id} was not decided: it is {dispute['status']}")
            disputes.appeal(call, dispute)
            return copied(dispute)

    # Staff at the dashboard

    def answer_dispute(
        self, dispute_id: str, evidence: str = "Evidence.", *, account: str = DEFAULT_ACCOUNT
    ) -> JsonObject:
        """Submit evidence by hand, and return the dispute; three words decide it, see docs.stripe.com/testing.

        Raises:
            StripeRefusal: If it is closed already.
        """
        with self._working(account) as call:
            dispute = call.books.get("dispute", dispute_id, "dispute")
            disputes.update(call, dispute, {"evidence": {"uncategorized_text": evidence}})
            return copied(dispute)

    def refund(
        self,
        intent_id: str,
        amount: int | None = None,
        *,
        reason: Reason | None = None,
        status: HeldStatus | None = None,
        account: str = DEFAULT_ACCOUNT,
    ) -> JsonObject:
        """Refund a payment by hand, as at the dashboard: without metadata, key or request of the program's.

        Args:
            intent_id: The payment intent.
            amount: How much, in minor units; all that is left by default.
            reason: As shown in the refund.
            status: Let it wait in this status; by default the card decides.
            account: Whose intent.

        Returns:
            The refund.

        Raises:
            StripeRefusal: As for a request that asks for it.
        """
        params: Obj = {"payment_intent": intent_id}
        params |= {} if amount is None else {"amount": amount}
        params |= {} if reason is None else {"reason": reason}
        with self._working(account) as call:
            return copied(refunds.create(call, params, status))

    def cancel_refund(self, refund_id: str, *, account: str = DEFAULT_ACCOUNT) -> JsonObject:
        """Cancel a refund that waits, by hand, and return it.

        Raises:
            StripeRefusal: If it does not wait.
        """
        with self._working(account) as call:
            return copied(refunds.end(call, call.books.get("refund", refund_id, "refund")))
