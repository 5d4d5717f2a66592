"""How each command is put to Stripe, and what Stripe's answer means. No I/O: a talk yields calls and is sent results."""

from collections.abc import Generator
from datetime import timedelta
from typing import Final, TypeAlias

from airport_payments.core.commands import (
    CancelIntent,
    CaptureIntent,
    Command,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    EnsureCustomer,
    Fetch,
    FindIntent,
    IntentEffect,
    ListRefunds,
    RetrieveCharge,
    RetrieveDispute,
    RetrieveIntent,
    RetrieveRefund,
)
from airport_payments.core.facts import (
    ChargeSeen,
    CustomerSeen,
    DisputeSeen,
    DisputeView,
    IntentSeen,
    IntentView,
    NothingFound,
    PortReply,
    RefundSeen,
    RefundsSeen,
    RefundView,
    RefusalKind,
    Refused,
    Unanswered,
)
from airport_payments.core.model import Failure
from airport_payments.stripe_api.marks import META_ATTEMPT, META_NAMESPACE, META_OWNER
from airport_payments.stripe_api.results import ApiRequest, ApiResult, Unreadable
from airport_payments.stripe_api.wire import (
    AnswerDict,
    Page,
    Stranger,
    cancel_params,
    capture_params,
    confirm_params,
    create_params,
    failure_of,
    intent_view,
    read_anyones_intent,
    read_embedded_intent,
    read_intent,
    read_page,
    refund_params,
)
from airport_payments.stripe_api.wire_money import (
    Belonging,
    ChargeView,
    CustomerPage,
    CustomerView,
    RefundPage,
    read_anyones_charge,
    read_anyones_dispute,
    read_anyones_refund,
    read_customer,
    read_customers,
    read_refund,
    read_refund_page,
)

# Stripe's clock and ours may differ; a search starts this much before the create was first sent.
FIND_MARGIN: Final = timedelta(minutes=10)
# How long after its first sending a create may still have made its PaymentIntent: the life of its key, and half a day in
# which Stripe may complete what it had answered with a 500. Stripe does not say how late it does that.
FIND_SPAN: Final = timedelta(hours=36)
# A search reads at most this many pages of 100; more is "unanswered", never "none".
FIND_MAX_PAGES: Final = 20
PAGE_SIZE: Final = 100
# Refunds of one PaymentIntent: more pages than these are not read.
REFUNDS_MAX_PAGES: Final = 5
# What is kept of Stripe's words for the log.
MAX_REASON: Final = 300
# An answer about another object than the one asked for, as when a proxy mixes answers up, says nothing of ours.
ANOTHERS: Final = Unanswered("Stripe's answer is about another object than the one asked for")

Talk: TypeAlias = Generator[ApiRequest, ApiResult, PortReply]


def talk(command: Command | Fetch) -> Talk:
    """Return the talk that performs a command: it yields each call to make, is sent its result, and returns the reply."""
    if isinstance(command, FindIntent):
        return _find(command)
    if isinstance(command, ListRefunds):
        return _list_refunds(command)
    if isinstance(command, (CreateRefund, RetrieveRefund)):
        return _refund(command)
    if isinstance(command, RetrieveDispute):
        return _dispute(command)
    if isinstance(command, RetrieveCharge):
        return _charge(command)
    if isinstance(command, EnsureCustomer):
        return _customer(command)
    return _single(command)


def _single(command: IntentEffect | RetrieveIntent) -> Talk:
    result = yield _request(command)
    if not result.ok:
        return _not_of_another(command, failed(result))
    view = result.found
    if isinstance(view, Stranger):
        return Refused(RefusalKind.FOREIGN, "another application's PaymentIntent, which cannot be read")
    if not isinstance(view, IntentView):
        # It was done; what came back cannot be read. Looking again, with a newer version, is all that can be done.
        return Unanswered(f"Stripe's answer cannot be read: {result.reason}", key_spent=True)
    if not _is_asked_for(view, command):
        return ANOTHERS
    return IntentSeen(view, replayed=result.replayed)


def _is_asked_for(view: IntentView, command: IntentEffect | RetrieveIntent) -> bool:
    if isinstance(command, CreateIntent):
        marks = (view.namespace, view.booking_id, view.attempt_id)
        return marks == (command.namespace, command.booking_id, command.attempt_id)
    return view.id == command.intent_id


def _not_of_another(command: IntentEffect | RetrieveIntent, reply: PortReply) -> PortReply:
    """Let go of a refusal that shows a PaymentIntent other than the one it has to be about."""
    seen = reply.seen if isinstance(reply, Refused) else None
    if seen is None or isinstance(command, CreateIntent) or _is_asked_for(seen.view, command):
        return reply
    return ANOTHERS


def _request(command: IntentEffect | RetrieveIntent) -> ApiRequest:
    if isinstance(command, CreateIntent):
        return ApiRequest("post", "/v1/payment_intents", create_params(command), read_intent, command.key)
    path = f"/v1/payment_intents/{command.intent_id}"
    if isinstance(command, CancelIntent):
        return ApiRequest("post", f"{path}/cancel", cancel_params(command), read_intent, command.key)
    if isinstance(command, ConfirmIntent):
        return ApiRequest("post", f"{path}/confirm", confirm_params(command), read_intent, command.key)
    if isinstance(command, CaptureIntent):
        return ApiRequest("post", f"{path}/capture", capture_params(command), read_intent, command.key)
    # Asked for no attempt, it may be anybody's.
    return ApiRequest("get", path, {}, read_intent if command.attempt_id else read_anyones_intent)


def _refund(command: CreateRefund | RetrieveRefund) -> Talk:
    if isinstance(command, CreateRefund):
        request = ApiRequest("post", "/v1/refunds", refund_params(command), read_refund, command.key)
    else:
        request = ApiRequest("get", f"/v1/refunds/{command.refund_id}", {}, read_anyones_refund)
    result = yield request
    if not result.ok:
        return failed(result)
    view = result.found
    if not isinstance(view, RefundView):
        return _unread(result, "" if isinstance(command, CreateRefund) else command.refund_id)
    if isinstance(command, CreateRefund):
        mine = (view.namespace, view.ref) == (command.namespace, command.ref)
    else:
        mine = view.id == command.refund_id
    if not mine:
        return ANOTHERS
    return RefundSeen(view, replayed=result.replayed)


def _customer(command: EnsureCustomer) -> Talk:
    """Search for the owner's customer, and make one if there is none.

    The search lags behind, by a minute or in an outage by an hour; for a day the key brings the customer that was made.
    """
    query = f"metadata['{META_OWNER}']:'{command.owner}' AND metadata['{META_NAMESPACE}']:'{command.namespace}'"
    found = yield ApiRequest("get", "/v1/customers/search", {"query": query, "limit": 10}, read_customers)
    if not found.ok:
        return failed(found)
    if not isinstance(found.found, CustomerPage):
        return Unanswered(f"Stripe's answer cannot be read: {found.reason}")
    for view in found.found.views:
        if view.owner != command.owner:
            return ANOTHERS
        if view.namespace == command.namespace:  # the search does not tell capitals from small letters
            return CustomerSeen(view.id)
    params: dict[str, object] = {"metadata": {META_OWNER: command.owner, META_NAMESPACE: command.namespace}}
    if command.email is not None:
        params["email"] = command.email
    made = yield ApiRequest("post", "/v1/customers", params, read_customer, command.key)
    if not made.ok:
        return failed(made)
    if not isinstance(made.found, CustomerView):
        return Unanswered(f"Stripe's answer cannot be read: {made.reason}", key_spent=True)
    view = made.found
    mine = (view.namespace, view.owner) == (command.namespace, command.owner)
    return CustomerSeen(view.id) if mine else ANOTHERS


def _dispute(command: RetrieveDispute) -> Talk:
    result = yield ApiRequest("get", f"/v1/disputes/{command.dispute_id}", {}, read_anyones_dispute)
    if not result.ok:
        return failed(result)
    view = result.found
    if not isinstance(view, DisputeView):
        return _unread(result, command.dispute_id)
    return DisputeSeen(view) if view.id == command.dispute_id else ANOTHERS


def _charge(command: RetrieveCharge) -> Talk:
    result = yield ApiRequest("get", f"/v1/charges/{command.charge_id}", {}, read_anyones_charge)
    if not result.ok:
        return failed(result)
    if not isinstance(result.found, ChargeView):
        return _unread(result, command.charge_id)
    view = result.found
    return ChargeSeen(view.intent_id, view.refunded_minor) if view.id == command.charge_id else ANOTHERS


def _unread(result: ApiResult, object_id: str) -> Unanswered:
    """Return what an answer says that cannot be read: nothing, or at least of which PaymentIntent it is."""
    found = result.found
    if not isinstance(found, Belonging):
        return Unanswered(f"Stripe's answer cannot be read: {result.reason}", key_spent=True)
    if found.id != object_id:
        return ANOTHERS
    return Unanswered(f"Stripe's answer cannot be read: {found.reason}", key_spent=True, intent_id=found.intent_id)


def _list_refunds(command: ListRefunds) -> Talk:
    """Read every refund of a PaymentIntent. A list is read whole, or it says nothing: what is not in it was not made."""
    views: list[RefundView] = []
    after: str | None = None
    for _ in range(REFUNDS_MAX_PAGES):
        params: dict[str, object] = {"limit": PAGE_SIZE, "payment_intent": command.intent_id}
        if after is not None:
            params["starting_after"] = after
        result = yield ApiRequest("get", "/v1/refunds", params, read_refund_page)
        if not result.ok:
            return failed(result)
        page = result.found
        if not isinstance(page, RefundPage):
            return Unanswered(f"Stripe's answer cannot be read: {result.reason}")
        if any(view.intent_id != command.intent_id for view in page.views):
            return ANOTHERS
        views += page.views
        if not page.has_more or not page.views:
            return RefundsSeen(tuple(reversed(views)))  # Stripe's newest come first
        after = page.views[-1].id
    return Unanswered(f"more than {REFUNDS_MAX_PAGES * PAGE_SIZE} refunds")


def _find(command: FindIntent) -> Talk:
    """Look through the window in which the create can have happened, newest first.

    Listing is used, not search: search lags behind what was just written (Stripe's own warning).
    """
    window = {
        "gte": int((command.since - FIND_MARGIN).timestamp()),
        "lte": int((command.since + FIND_SPAN + FIND_MARGIN).timestamp()),
    }
    after: str | None = None
    for _ in range(FIND_MAX_PAGES):
        params: dict[str, object] = {"limit": PAGE_SIZE, "created": window}
        if after is not None:
            params["starting_after"] = after
        result = yield ApiRequest("get", "/v1/payment_intents", params, read_page)
        if not result.ok:
            return failed(result)
        page = result.found
        if not isinstance(page, Page):
            return Unanswered(f"Stripe's answer cannot be read: {result.reason}")
        try:
            for obj in page.data:
                if _is_of(obj, command):
                    return IntentSeen(intent_view(obj))
        except Unreadable as error:
            return Unanswered(f"Stripe's answer cannot be read: {error}")
        if not page.has_more or not page.data:
            return NothingFound()
        after = page.data[-1].get("id")
    return Unanswered(f"more than {FIND_MAX_PAGES * PAGE_SIZE} PaymentIntents in the window")


def _is_of(obj: AnswerDict, command: FindIntent) -> bool:
    marks = obj.get("metadata") or {}
    return marks.get(META_ATTEMPT) == command.attempt_id and marks.get(META_NAMESPACE) == command.namespace


_KINDS: Final = {
    "amount_too_small": RefusalKind.AMOUNT_TOO_SMALL,
    "amount_too_large": RefusalKind.AMOUNT_TOO_LARGE,
    "payment_intent_unexpected_state": RefusalKind.UNEXPECTED_STATE,
    "resource_missing": RefusalKind.MISSING,
    "charge_already_refunded": RefusalKind.ALREADY_REFUNDED,
    "charge_disputed": RefusalKind.DISPUTED,
    "email_invalid": RefusalKind.EMAIL,
}


def failed(result: ApiResult) -> PortReply:
    """Return what a call that did not succeed means."""
    status = result.status
    if status is None:
        return Unanswered(result.reason, sent=result.sent)
    code, kind = result.field("code"), result.field("type")
    if kind == "idempotency_error" and not result.in_flight:
        # The key was used with other parameters, so it can bring no answer to these.
        return Unanswered("the idempotency key was used with other parameters", key_spent=True)
    if status >= 500:
        return Unanswered(f"Stripe answered {status}", server_error=True)
    if result.in_flight or status in {424, 429} or not 400 <= status < 500 or code in {"lock_timeout", "rate_limit"}:
        return Unanswered(f"Stripe answered {status} ({code or kind or 'no reason'})")
    if status in {401, 403}:
        # Its message may quote part of the key.
        return Refused(RefusalKind.CREDENTIALS, f"{status} {code or kind or ''}".strip())
    refusal = RefusalKind.CARD if status == 402 or kind == "card_error" else _KINDS.get(code or "", RefusalKind.INVALID)
    if refusal in {RefusalKind.MISSING, RefusalKind.INVALID} and result.field("param") == "payment_method":
        refusal = RefusalKind.PAYMENT_METHOD  # unknown, or another customer's: it says nothing of the PaymentIntent
    embedded = result.error.get("payment_intent") if result.error else None
    seen = read_embedded_intent(embedded) if embedded is not None else None
    failure = _failure(result) if refusal is RefusalKind.CARD else None
    # Of a card error only what may be shown: the log would tell of a stolen card, too.
    reason = (
        f"{failure.code}: {failure.message}"
        if failure
        else f"{code or kind or status}: {result.field('message') or ''}"
    )
    return Refused(
        refusal,
        reason[:MAX_REASON],
        failure=failure,
        seen=IntentSeen(seen, replayed=result.replayed) if seen is not None else None,
    )


def _failure(result: ApiResult) -> Failure | None:
    return failure_of(
        {
            "type": "card_error",
            "code": result.field("code"),
            "decline_code": result.field("decline_code"),
            "message": result.field("message"),
            "charge": result.field("charge"),
        }
    )
