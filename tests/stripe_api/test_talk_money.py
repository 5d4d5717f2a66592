"""How refunds, their lists, captures and disputes are put to Stripe, and what its answers mean: pure."""

from datetime import UTC, datetime

import pytest
from tests.stripe_api.objects import (
    CANCEL,
    CAPTURE,
    CREATE,
    LIST,
    REFUND,
    RETRIEVE,
    bad,
    good,
    play,
    stripe_dispute,
    stripe_intent,
    stripe_refund,
)
from tests.support import INTENT_ID, NOW

from airport_payments.core.commands import (
    ConfirmIntent,
    EnsureCustomer,
    RetrieveCharge,
    RetrieveDispute,
    RetrieveIntent,
    RetrieveRefund,
)
from airport_payments.core.dispute import DisputeStatus
from airport_payments.core.facts import (
    CustomerSeen,
    DisputeSeen,
    IntentSeen,
    RefundSeen,
    RefundsSeen,
    RefusalKind,
    Refused,
    Unanswered,
)
from airport_payments.core.model import IntentStatus
from airport_payments.core.money import Money
from airport_payments.core.refund import RefundState
from airport_payments.stripe_api.results import ApiResult
from airport_payments.stripe_api.talk import PAGE_SIZE, REFUNDS_MAX_PAGES
from airport_payments.stripe_api.wire import Unreadable
from airport_payments.stripe_api.wire_money import aftermath_of, dispute_view, refund_view


def page(*refunds: dict, more: bool = False) -> ApiResult:
    return good({"object": "list", "data": list(refunds), "has_more": more})


class TestRefund:
    def test_it_asks_exactly_for_what_was_saved(self) -> None:
        (request,), reply = play(REFUND, good(stripe_refund()))
        assert (request.method, request.path, request.idempotency_key) == ("post", "/v1/refunds", REFUND.key)
        assert request.params == {
            "payment_intent": INTENT_ID,
            "amount": 10_000,
            "reason": "duplicate",
            "metadata": {
                "airport_namespace": "airport",
                "airport_booking": "BK-1",
                "airport_attempt": "a1",
                "airport_refund": "a1.0",
            },
        }
        assert type(request.params["amount"]) is int
        assert isinstance(reply, RefundSeen)
        assert (reply.view.id, reply.view.ref, reply.view.state) == ("re_1", "a1.0", RefundState.SUCCEEDED)

    def test_without_a_reason_none_is_sent(self) -> None:
        from dataclasses import replace

        (request,), _ = play(replace(REFUND, reason=None), good(stripe_refund()))
        assert "reason" not in request.params

    def test_a_replayed_answer_says_so(self) -> None:
        assert play(REFUND, good(stripe_refund(), replayed=True))[1].replayed

    @pytest.mark.parametrize(
        ("result", "kind"),
        [
            (bad(400, code="charge_already_refunded"), RefusalKind.ALREADY_REFUNDED),
            (bad(400, code="charge_disputed"), RefusalKind.DISPUTED),
            (bad(404, code="resource_missing"), RefusalKind.MISSING),
            (bad(400, type="invalid_request_error", message="Refund amount is greater"), RefusalKind.INVALID),
            (bad(401), RefusalKind.CREDENTIALS),
        ],
    )
    def test_4xx_is_a_refusal_of_its_kind(self, result, kind) -> None:
        reply = play(REFUND, result)[1]
        assert isinstance(reply, Refused)
        assert reply.kind is kind

    @pytest.mark.parametrize(
        "result", [ApiResult(None, reason="lost"), bad(500), bad(409), bad(429), bad(424)], ids=str
    )
    def test_what_tells_nothing_is_unanswered(self, result) -> None:
        reply = play(REFUND, result)[1]
        assert isinstance(reply, Unanswered)
        assert not reply.key_spent

    def test_an_answer_that_cannot_be_read_is_looked_for_and_never_taken_for_none(self) -> None:
        for body in ({}, None, [], "<html>", stripe_refund(status="new"), stripe_refund(amount="10000")):
            reply = play(REFUND, good(body))[1]
            assert isinstance(reply, Unanswered), body
            assert reply.key_spent

    def test_one_is_asked_for_by_its_id(self) -> None:
        (request,), reply = play(RetrieveRefund("re_1"), good(stripe_refund(status="failed", failure_reason="x")))
        assert (request.method, request.path, request.idempotency_key) == ("get", "/v1/refunds/re_1", None)
        assert (reply.view.state, reply.view.failure) == (RefundState.FAILED, "x")


INTENT = stripe_intent(id="pi_of_somebody_else")
MARKS = {"airport_namespace": "airport", "airport_booking": "BK-1", "airport_attempt": "a1"}
CONFIRM = ConfirmIntent("a1", INTENT_ID, "pm_1", None, "airport/a1/confirm/0", NOW, NOW)
CUSTOMER = EnsureCustomer("0a1b", "airport", None, "airport/0a1b/customer/0")


def customer(**changes: object) -> dict:
    return {"id": "cus_1", "metadata": {"airport_owner": "0a1b", "airport_namespace": "airport"} | changes}


class TestAnswersAboutAnotherObject:
    """A proxy, or a connection that two processes share, may bring the answer to what somebody else asked."""

    @pytest.mark.parametrize(
        ("command", "answer"),
        [
            (CREATE, stripe_intent(metadata={})),
            *[(CREATE, stripe_intent(metadata=MARKS | {mark: "other"})) for mark in MARKS],
            (RETRIEVE, INTENT),
            (RetrieveIntent("", INTENT_ID), INTENT),
            (CANCEL, INTENT),
            (CONFIRM, INTENT),
            (CAPTURE, INTENT),
            (REFUND, stripe_refund(metadata={"airport_namespace": "airport", "airport_refund": "a2.0"})),
            (REFUND, stripe_refund(metadata={"airport_namespace": "other", "airport_refund": "a1.0"})),
            (RetrieveRefund("re_1"), stripe_refund(id="re_2")),
            (RetrieveDispute("dp_1"), stripe_dispute(id="dp_2")),
            (RetrieveCharge("ch_1"), {"id": "ch_2", "amount_refunded": 0, "payment_intent": INTENT_ID}),
            (LIST, {"data": [stripe_refund(), stripe_refund(payment_intent="pi_of_somebody_else")], "has_more": False}),
            (CUSTOMER, {"data": [customer(airport_owner="ffff")], "has_more": False}),
            (CUSTOMER, {"data": [customer(airport_owner=None)], "has_more": False}),
        ],
        ids=repr,
    )
    def test_they_answer_nothing_and_the_same_key_is_asked_again(self, command, answer) -> None:
        reply = play(command, good(answer))[1]
        assert isinstance(reply, Unanswered)
        assert not reply.key_spent

    @pytest.mark.parametrize("command", [CANCEL, CONFIRM, CAPTURE], ids=repr)
    def test_a_refusal_that_shows_another_paymentintent_refuses_nothing(self, command) -> None:
        about = {"code": "payment_intent_unexpected_state", "payment_intent": INTENT}
        assert isinstance(play(command, bad(400, **about))[1], Unanswered)

    def test_a_customer_that_was_made_is_the_owners(self) -> None:
        none = page()
        for other in (customer(airport_owner="ffff"), customer(airport_namespace="other")):
            assert isinstance(play(CUSTOMER, none, good(other))[1], Unanswered)
        assert play(CUSTOMER, none, good(customer()))[1] == CustomerSeen("cus_1")

    def test_a_customer_of_another_namespace_is_not_taken_for_the_one_that_is_missing(self) -> None:
        found = good({"data": [customer(airport_namespace="Airport")], "has_more": False})
        assert play(CUSTOMER, found, good(customer() | {"id": "cus_2"}))[1] == CustomerSeen("cus_2")


class TestList:
    def test_all_of_a_payment_are_asked_for_and_come_oldest_first(self) -> None:
        (request,), reply = play(LIST, page(stripe_refund(id="re_2"), stripe_refund(id="re_1")))
        assert (request.method, request.path) == ("get", "/v1/refunds")
        assert request.params == {"limit": PAGE_SIZE, "payment_intent": INTENT_ID}
        assert isinstance(reply, RefundsSeen)
        assert [v.id for v in reply.views] == ["re_1", "re_2"]

    def test_none_is_an_answer(self) -> None:
        assert play(LIST, page())[1] == RefundsSeen(())

    def test_it_turns_every_page(self) -> None:
        requests, reply = play(LIST, page(stripe_refund(id="re_2"), more=True), page(stripe_refund(id="re_1")))
        assert requests[1].params["starting_after"] == "re_2"
        assert [v.id for v in reply.views] == ["re_1", "re_2"]

    def test_more_than_the_bound_is_unanswered_and_never_a_part(self) -> None:
        pages = [page(stripe_refund(id=f"re_{n}"), more=True) for n in range(REFUNDS_MAX_PAGES)]
        requests, reply = play(LIST, *pages)
        assert len(requests) == REFUNDS_MAX_PAGES
        assert isinstance(reply, Unanswered)

    def test_a_page_that_promises_more_and_shows_nothing_ends_it(self) -> None:
        assert play(LIST, page(more=True))[1] == RefundsSeen(())

    def test_a_failure_in_the_middle_is_unanswered_and_never_a_part(self) -> None:
        first = page(stripe_refund(), more=True)
        for second in (ApiResult(None, reason="lost"), bad(500), good({"data": 7}), page(stripe_refund(status="new"))):
            assert isinstance(play(LIST, first, second)[1], Unanswered)

    def test_one_that_cannot_be_read_is_not_overlooked(self) -> None:
        assert isinstance(play(LIST, page(stripe_refund(), stripe_refund(id=None)))[1], Unanswered)


class TestCaptureAndDispute:
    def test_a_capture_asks_exactly_for_what_was_saved(self) -> None:
        (request,), reply = play(CAPTURE, good(stripe_intent(status="succeeded", amount_received=10_000)))
        assert (request.method, request.path, request.idempotency_key) == (
            "post",
            f"/v1/payment_intents/{INTENT_ID}/capture",
            CAPTURE.key,
        )
        assert request.params == {"amount_to_capture": 10_000}
        assert isinstance(reply, IntentSeen)
        assert reply.view.received_minor == 10_000

    def test_a_refused_capture_brings_its_intent(self) -> None:
        error = {"code": "payment_intent_unexpected_state", "payment_intent": stripe_intent(status="canceled")}
        assert play(CAPTURE, bad(400, **error))[1].seen.view.status is IntentStatus.CANCELED

    def test_a_dispute_is_asked_for_by_its_id(self) -> None:
        (request,), reply = play(RetrieveDispute("dp_1"), good(stripe_dispute()))
        assert (request.method, request.path, request.idempotency_key) == ("get", "/v1/disputes/dp_1", None)
        assert isinstance(reply, DisputeSeen)
        assert reply.view.status is DisputeStatus.NEEDS_RESPONSE
        for result, kind in (
            (bad(404, code="resource_missing"), Refused),
            (good({}), Unanswered),
            (bad(500), Unanswered),
        ):
            assert isinstance(play(RetrieveDispute("dp_1"), result)[1], kind)


class TestRefundView:
    @pytest.mark.parametrize("field", ["id", "amount", "currency", "status"])
    def test_pain_19_required_fields_are_required(self, field) -> None:
        refund = stripe_refund()
        del refund[field]
        with pytest.raises(Unreadable):
            refund_view(refund)

    def test_a_status_that_is_null_is_a_method_without_statuses(self) -> None:
        assert refund_view(stripe_refund(status=None)).state is RefundState.SUCCEEDED

    @pytest.mark.parametrize("status", ["", "requested", "refused", "SUCCEEDED", "new"])
    def test_an_unknown_status_is_never_guessed(self, status) -> None:
        with pytest.raises(Unreadable):
            refund_view(stripe_refund(status=status))

    @pytest.mark.parametrize("status", ["pending", "requires_action", "succeeded", "failed", "canceled"])
    def test_stripes_statuses_are_ours(self, status) -> None:
        assert refund_view(stripe_refund(status=status)).state == status

    @pytest.mark.parametrize(
        "changes", [{"id": "re"}, {"id": "re_/../x"}, {"id": ""}, {"amount": -1}, {"currency": "CANARY"}]
    )
    def test_garbage_is_unreadable_and_not_shown(self, changes) -> None:
        with pytest.raises(Unreadable) as caught:
            refund_view(stripe_refund(**changes))
        assert "CANARY" not in str(caught.value)

    @pytest.mark.parametrize("intent", [INTENT_ID, {"id": INTENT_ID, "object": "payment_intent"}])
    def test_the_payment_intent_may_be_expanded(self, intent) -> None:
        assert refund_view(stripe_refund(payment_intent=intent)).intent_id == INTENT_ID

    def test_marks_may_be_missing(self) -> None:
        for metadata in (None, {}):
            view = refund_view(stripe_refund(metadata=metadata))
            assert (view.namespace, view.ref) == (None, None)


class TestDisputeView:
    @pytest.mark.parametrize("field", ["id", "amount", "currency", "status"])
    def test_pain_19_required_fields_are_required(self, field) -> None:
        dispute = stripe_dispute()
        del dispute[field]
        with pytest.raises(Unreadable):
            dispute_view(dispute)

    @pytest.mark.parametrize("status", [None, "", "new"])
    def test_an_unknown_status_is_never_guessed(self, status) -> None:
        with pytest.raises(Unreadable):
            dispute_view(stripe_dispute(status=status))

    @pytest.mark.parametrize("status", DisputeStatus)
    def test_stripes_statuses_are_ours(self, status) -> None:
        assert dispute_view(stripe_dispute(status=status.value)).status is status

    @pytest.mark.parametrize("details", [None, {}, {"due_by": None}, {"due_by": 0}, {"due_by": -1}, {"due_by": 10**15}])
    def test_no_date_or_an_impossible_one_is_none(self, details) -> None:
        assert dispute_view(stripe_dispute(evidence_details=details)).due_by is None

    def test_a_date_is_aware_utc(self) -> None:
        assert dispute_view(stripe_dispute()).due_by == datetime.fromtimestamp(1_800_000_000, UTC)

    @pytest.mark.parametrize(("given", "refundable"), [(True, True), (False, False), (None, False)])
    def test_only_what_stripe_calls_refundable_is(self, given, refundable) -> None:
        assert dispute_view(stripe_dispute(is_charge_refundable=given)).refundable is refundable

    def test_a_reason_that_is_missing_is_a_general_one(self) -> None:
        assert dispute_view(stripe_dispute(reason=None)).reason == "general"


class TestAftermath:
    def test_each_kind_of_object_is_its_own_fact(self) -> None:
        charge = {"id": "ch_1", "object": "charge", "amount_refunded": 7, "payment_intent": INTENT_ID}
        refund = aftermath_of(stripe_refund(), "evt_1", "refund.created")
        dispute = aftermath_of(stripe_dispute(), "evt_2", "charge.dispute.created")
        hint = aftermath_of(charge, "evt_3", "charge.refunded")
        assert (refund.view.amount, refund.event_id) == (Money(10_000, "usd"), "evt_1")
        assert (dispute.view.id, dispute.event_type) == ("dp_1", "charge.dispute.created")
        assert (hint.intent_id, hint.refunded_minor) == (INTENT_ID, 7)

    @pytest.mark.parametrize(
        "obj", [{}, {"object": "charge"}, {"object": "invoice", "amount_refunded": 1}, {"object": "refund"}]
    )
    def test_anything_else_is_unreadable(self, obj) -> None:
        with pytest.raises(Unreadable):
            aftermath_of(obj, "evt_1", "refund.created")
