"""What happens by itself, later, by the fake's clock."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from airport_payments.testing.fake_stripe import attempts, charges, disputes, intents, refunds
from airport_payments.testing.fake_stripe.constants import MAX_DUE_PER_TICK

if TYPE_CHECKING:
    from collections.abc import Callable

    from airport_payments.testing.fake_stripe.books import Call
    from airport_payments.testing.fake_stripe.json_types import Obj

_ACTIONS: Final[dict[str, tuple[str, Callable[[Call, Obj], None]]]] = {
    "expire_authorisation": ("payment_intent", intents.expire_authorisation),
    "bank_answers": ("payment_intent", attempts.bank_answers),
    "book_payment": ("charge", charges.book_payment_later),
    "refund_reference": ("refund", refunds.name_reference),
    "refund_pending": ("refund", refunds.succeed),
    "refund_fail": ("refund", refunds.fail),
    "decide_dispute": ("dispute", disputes.decide),
    "miss_deadline": ("dispute", disputes.miss_deadline),
    "end_inquiry": ("dispute", disputes.end_inquiry),
}


def run_due(call: Call, now: int) -> None:
    """Run what is due, in the order in which it is due, each at its own time."""
    waiting = call.books.timers
    for _ in range(MAX_DUE_PER_TICK):
        if not waiting or waiting[0][0] > now:
            return
        due, _number, what, object_id = heapq.heappop(waiting)
        kind, action = _ACTIONS[what]
        obj = call.books.objects[kind].get(object_id)
        if obj is not None:
            action(replace(call, now=due), obj)
