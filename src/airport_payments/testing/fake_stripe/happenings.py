"""What customers, banks and the merchant's own staff do: the methods that make it happen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airport_payments.testing.fake_stripe import attempts, intents, refunds
from airport_payments.testing.fake_stripe.constants import DEFAULT_ACCOUNT
from airport_payments.testing.fake_stripe.errors import StripeRefusal
from airport_payments.testing.fake_stripe.json_types import copied

if TYPE_CHECKING:
    from collections.abc import Generator

    from airport_payments.testing.fake_stripe.api import Api
    from airport_payments.testing.fake_stripe.books import Call
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

    # Staff at the dashboard

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
