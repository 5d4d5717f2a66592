"""Commands, and Stripe's answers to them, that the tests of this folder share."""

import json
from dataclasses import replace

from tests.support import INTENT_ID, NOW, PRICE

from airport_payments.core.commands import (
    CancelIntent,
    CaptureIntent,
    CreateIntent,
    CreateRefund,
    FindIntent,
    ListRefunds,
    RetrieveIntent,
)
from airport_payments.stripe_api.bodies import HeldBody
from airport_payments.stripe_api.client import result_of_answer
from airport_payments.stripe_api.results import ApiRequest, ApiResult
from airport_payments.stripe_api.talk import talk

CREATE = CreateIntent("a1", "BK-1", "airport", PRICE, "airport/a1/create/0", NOW, NOW)
CANCEL = CancelIntent("a1", INTENT_ID, "airport/a1/cancel/0", NOW, NOW)
RETRIEVE = RetrieveIntent("a1", INTENT_ID)
FIND = FindIntent("a1", "BK-1", "airport", NOW)

REFUND = CreateRefund("a1", "a1.0", "BK-1", "airport", INTENT_ID, 10_000, "duplicate", "airport/a1/refund/0", NOW, NOW)
LIST = ListRefunds("a1", INTENT_ID)
CAPTURE = CaptureIntent("a1", INTENT_ID, 10_000, "airport/a1/capture/0", NOW, NOW)


def stripe_intent(**changes: object) -> dict:
    return {
        "id": INTENT_ID,
        "object": "payment_intent",
        "status": "requires_payment_method",
        "amount": 45099,
        "amount_received": 0,
        "currency": "usd",
        "livemode": False,
        "client_secret": f"{INTENT_ID}_secret_CANARY",
        "latest_charge": None,
        "last_payment_error": None,
        "metadata": {"airport_namespace": "airport", "airport_booking": "BK-1", "airport_attempt": "a1"},
        **changes,
    }


def stripe_refund(**changes: object) -> dict:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 10_000,
        "currency": "usd",
        "status": "succeeded",
        "payment_intent": INTENT_ID,
        "charge": "ch_1",
        "failure_reason": None,
        "metadata": {"airport_namespace": "airport", "airport_refund": "a1.0"},
        **changes,
    }


def stripe_dispute(**changes: object) -> dict:
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 45_099,
        "currency": "usd",
        "status": "needs_response",
        "reason": "fraudulent",
        "payment_intent": INTENT_ID,
        "is_charge_refundable": False,
        "evidence_details": {"due_by": 1_800_000_000},
        **changes,
    }


def good(body: object, **more: object) -> ApiResult:
    """Return a success with this answer, which `play` has read as the port does."""
    return ApiResult(200, found=HeldBody.of(json.dumps(body)), **more)


def bad(status: int, **error: object) -> ApiResult:
    return ApiResult(status, error=error)


def play(command, *results: ApiResult):
    """Send a talk these results. Returns its requests and its reply."""
    conversation = talk(command)
    requests = [next(conversation)]
    for result in results:
        try:
            requests.append(conversation.send(_read(requests[-1], result)))
        except StopIteration as end:
            assert result is results[-1], "the talk ended early"
            return requests, end.value
    raise AssertionError("the talk goes on")


def _read(request: ApiRequest, result: ApiResult) -> ApiResult:
    if not isinstance(result.found, HeldBody):
        return result
    read = result_of_answer(request.read, result.found, {}, 200)
    return replace(result, found=read.found, reason=read.reason)
