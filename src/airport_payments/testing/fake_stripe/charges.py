"""Charges and what follows a successful one: the balance, disputes, warnings of fraud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airport_payments.testing.fake_stripe import disputes
from airport_payments.testing.fake_stripe.json_types import changed_attributes, clone
from airport_payments.testing.fake_stripe.objects import new_balance_transaction

if TYPE_CHECKING:
    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.cards import Card
    from airport_payments.testing.fake_stripe.json_types import Obj

# With `automatic_async` capture the balance transaction comes after the answer, with a `charge.updated`.
BALANCE_DELAY: Final = 2


def collect(call: Call, charge: Obj, amount: int, *, at_once: bool = True) -> None:
    """Take the money of a charge: the captured amount and its line in the balance."""
    charge["captured"] = True
    charge["amount_captured"] = amount
    if at_once:
        book_payment(call, charge)
    else:
        call.books.later(call.now + BALANCE_DELAY, "book_payment", charge["id"])


def book_payment(call: Call, charge: Obj) -> None:
    """Write the balance transaction of a captured charge."""
    amount = charge["amount_captured"]
    line = new_balance_transaction(call, charge, "charge", amount, amount * 29 // 1000 + 30)
    charge["balance_transaction"] = call.books.add(line)["id"]


def book_payment_later(call: Call, charge: Obj) -> None:
    """Do what `automatic_async` leaves for later."""
    if charge["balance_transaction"] is None:
        before = clone(charge)
        book_payment(call, charge)
        call.record("charge.updated", charge, changed_attributes(before, charge))


def consequences(call: Call, charge: Obj, card: Card) -> None:
    """Let happen what this test card is for, after its charge was captured."""
    if card.fraud_warning:
        warning = {
            "id": call.ids.new("issfr"),
            "object": "radar.early_fraud_warning",
            "actionable": True,
            "charge": charge["id"],
            "created": call.now,
            "fraud_type": "made_with_stolen_card",
            "livemode": call.books.livemode,
            "payment_intent": charge["payment_intent"],
        }
        call.record("radar.early_fraud_warning.created", warning)
    for _ in range(card.dispute_count if card.dispute else 0):
        disputes.open_dispute(call, charge, card.dispute or "fraudulent", inquiry=card.inquiry)
