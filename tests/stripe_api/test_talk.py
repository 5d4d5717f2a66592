"""How each command is put to Stripe, and what each answer and error of Stripe's means: pure."""

import json
from datetime import timedelta

import pytest
from tests.stripe_api.objects import CANCEL, CREATE, FIND, RETRIEVE, bad, good, play, stripe_intent
from tests.support import INTENT_ID, NOW

from airport_payments.core.decide.table import KEY_LIFETIME
from airport_payments.core.declines import GENERIC_CODE, GENERIC_DECLINE, GENERIC_MESSAGE, HIDDEN, MAX_MESSAGE
from airport_payments.core.facts import IntentSeen, NothingFound, RefusalKind, Refused, Unanswered
from airport_payments.core.model import Failure, IntentStatus
from airport_payments.stripe_api.results import (
    ApiResult,
    Unreadable,
)
from airport_payments.stripe_api.talk import FIND_MARGIN, FIND_MAX_PAGES, FIND_SPAN
from airport_payments.stripe_api.wire import read_embedded_intent, read_intent


class TestTalk:
    def test_a_create_asks_exactly_for_what_was_saved(self) -> None:
        (request,), reply = play(CREATE, good(stripe_intent()))
        assert (request.method, request.path, request.idempotency_key) == ("post", "/v1/payment_intents", CREATE.key)
        assert request.params == {
            "amount": 45099,
            "currency": "usd",
            "automatic_payment_methods": {"enabled": "true"},
            "metadata": {"airport_namespace": "airport", "airport_booking": "BK-1", "airport_attempt": "a1"},
        }
        assert type(request.params["amount"]) is int
        assert isinstance(reply, IntentSeen)
        assert (reply.view.attempt_id, reply.replayed) == ("a1", False)

    def test_the_others_ask_for_the_intent_by_its_id(self) -> None:
        (cancel,), _ = play(CANCEL, good(stripe_intent(status="canceled")))
        (retrieve,), _ = play(RETRIEVE, good(stripe_intent()))
        assert (cancel.method, cancel.path, cancel.idempotency_key) == (
            "post",
            f"/v1/payment_intents/{INTENT_ID}/cancel",
            CANCEL.key,
        )
        assert (retrieve.method, retrieve.path, retrieve.idempotency_key) == (
            "get",
            f"/v1/payment_intents/{INTENT_ID}",
            None,
        )

    def test_a_replayed_answer_says_so(self) -> None:
        assert play(CREATE, good(stripe_intent(), replayed=True))[1].replayed

    @pytest.mark.parametrize(
        ("result", "kind"),
        [
            (bad(400, type="invalid_request_error", code="amount_too_small"), RefusalKind.AMOUNT_TOO_SMALL),
            (bad(400, type="invalid_request_error", code="amount_too_large"), RefusalKind.AMOUNT_TOO_LARGE),
            (
                bad(400, type="invalid_request_error", code="payment_intent_unexpected_state"),
                RefusalKind.UNEXPECTED_STATE,
            ),
            (bad(404, type="invalid_request_error", code="resource_missing"), RefusalKind.MISSING),
            (bad(400, type="invalid_request_error", code="parameter_missing"), RefusalKind.INVALID),
            (bad(400), RefusalKind.INVALID),
            (bad(404), RefusalKind.INVALID),
            (bad(402, type="card_error", code="card_declined"), RefusalKind.CARD),
            (bad(402), RefusalKind.CARD),
            (
                bad(401, type="invalid_request_error", message="Invalid API Key: sk_test_CANARY"),
                RefusalKind.CREDENTIALS,
            ),
            (bad(403, type="invalid_request_error"), RefusalKind.CREDENTIALS),
        ],
    )
    def test_4xx_is_a_refusal_of_its_kind(self, result, kind) -> None:
        reply = play(CREATE, result)[1]
        assert isinstance(reply, Refused)
        assert reply.kind is kind
        assert "CANARY" not in reply.reason

    @pytest.mark.parametrize(
        ("result", "expected"),
        [
            (ApiResult(None, reason="time-out"), Unanswered("time-out")),
            (ApiResult(None, reason="open", sent=False), Unanswered("open", sent=False)),
            (bad(500, type="api_error"), Unanswered("Stripe answered 500", server_error=True)),
            (bad(503), Unanswered("Stripe answered 503", server_error=True)),
            (bad(409, type="idempotency_error", code="idempotency_key_in_use"), None),
            (bad(400, type="idempotency_error", code="idempotency_key_in_use"), None),
            (bad(429, type="rate_limit_error"), None),
            (bad(429, type="invalid_request_error", code="lock_timeout"), None),
            (bad(400, code="lock_timeout"), None),
            (bad(424), None),
            (bad(302), None),
            (bad(100), None),
        ],
    )
    def test_what_tells_nothing_is_unanswered(self, result, expected) -> None:
        reply = play(CREATE, result)[1]
        assert isinstance(reply, Unanswered)
        assert not reply.key_spent
        if expected is not None:
            assert reply == expected

    def test_a_key_used_with_other_parameters_can_bring_no_answer(self) -> None:
        assert play(CREATE, bad(400, type="idempotency_error"))[1].key_spent

    def test_an_answer_that_cannot_be_read_is_not_taken_for_none(self) -> None:
        for body in (
            {},
            None,
            [],
            "<html>",
            stripe_intent(status="new"),
            stripe_intent(amount="45099"),
        ):
            reply = play(CREATE, good(body))[1]
            assert isinstance(reply, Unanswered)
            assert reply.key_spent
            assert "CANARY" not in reply.reason

    def test_a_refused_cancellation_brings_its_intent(self) -> None:
        refused = bad(400, code="payment_intent_unexpected_state", payment_intent=stripe_intent(status="succeeded"))
        reply = play(CANCEL, refused)[1]
        assert reply.seen.view.status is IntentStatus.SUCCEEDED
        assert play(CANCEL, bad(400, code="payment_intent_unexpected_state", payment_intent={"id": 1}))[1].seen is None

    def test_the_reason_is_bounded(self) -> None:
        assert len(play(CREATE, bad(400, code="x", message="m" * 9999))[1].reason) <= 300


class TestFind:
    def page(self, *intents: dict, more: bool = False) -> ApiResult:
        return good({"data": list(intents), "has_more": more})

    def other(self, number: int) -> dict:
        return stripe_intent(id=f"pi_other{number:04d}", metadata={})

    def test_it_lists_the_window_and_does_not_search(self) -> None:
        (request,), reply = play(FIND, self.page())
        assert (request.method, request.path) == ("get", "/v1/payment_intents")
        assert request.params["created"] == {
            "gte": int((NOW - FIND_MARGIN).timestamp()),
            "lte": int((NOW + FIND_SPAN + FIND_MARGIN).timestamp()),
        }
        assert reply == NothingFound()

    def test_it_turns_the_pages_until_it_finds(self) -> None:
        pages = [self.page(self.other(1), more=True), self.page(self.other(2), stripe_intent(), more=True)]
        requests, reply = play(FIND, *pages)
        assert "starting_after" not in requests[0].params
        assert requests[1].params["starting_after"] == "pi_other0001"
        assert reply.view.id == INTENT_ID

    def test_only_the_attempt_in_our_namespace_is_ours(self) -> None:
        for marks in (
            {"airport_attempt": "a2", "airport_namespace": "airport"},
            {"airport_attempt": "a1", "airport_namespace": "hotel"},
            {"airport_attempt": "a1"},
            None,
        ):
            assert play(FIND, self.page(stripe_intent(metadata=marks)))[1] == NothingFound()

    def test_more_than_the_bound_is_unanswered_and_never_none(self) -> None:
        pages = [self.page(self.other(n), more=True) for n in range(FIND_MAX_PAGES)]
        requests, reply = play(FIND, *pages)
        assert len(requests) == FIND_MAX_PAGES
        assert isinstance(reply, Unanswered)

    def test_the_last_page_of_the_bound_may_still_say_none(self) -> None:
        pages = [self.page(self.other(n), more=n < FIND_MAX_PAGES - 1) for n in range(FIND_MAX_PAGES)]
        assert play(FIND, *pages)[1] == NothingFound()

    def test_a_failure_in_the_middle_is_unanswered(self) -> None:
        assert isinstance(
            play(FIND, self.page(self.other(1), more=True), ApiResult(None, reason="lost"))[1], Unanswered
        )
        for body in ({}, [], {"data": 1, "has_more": False}, {"data": []}):
            assert isinstance(play(FIND, good(body))[1], Unanswered)

    def test_one_of_ours_that_cannot_be_read_is_unanswered_and_not_overlooked(self) -> None:
        assert isinstance(play(FIND, self.page(stripe_intent(status="new")))[1], Unanswered)


class TestDeclines:
    @pytest.mark.parametrize("hidden", sorted(HIDDEN))
    def test_hidden_declines_read_as_a_generic_one_everywhere(self, hidden) -> None:
        told = f"Your card was reported as {hidden}."
        generic = Failure(GENERIC_CODE, GENERIC_MESSAGE, GENERIC_DECLINE, "ch_1")
        for code, decline_code in (("card_declined", hidden), (hidden, None), (hidden, hidden)):
            error = {
                "type": "card_error",
                "code": code,
                "decline_code": decline_code,
                "message": told,
                "charge": "ch_1",
            }
            assert read_intent(json.dumps(stripe_intent(last_payment_error=error))).failure == generic
            refused = play(CREATE, ApiResult(402, error=error))[1]
            assert refused.failure == generic
            assert hidden not in repr(refused)

    def test_others_read_as_stripe_says(self) -> None:
        error = {
            "type": "card_error",
            "code": "card_declined",
            "decline_code": "insufficient_funds",
            "message": "No.",
            "charge": "ch_1",
        }
        failure = read_intent(json.dumps(stripe_intent(last_payment_error=error))).failure
        assert failure == Failure("card_declined", "No.", "insufficient_funds", "ch_1")

    def test_only_a_card_errors_message_is_shown(self) -> None:
        error = {"type": "api_error", "code": None, "message": "internal detail"}
        failure = read_intent(json.dumps(stripe_intent(last_payment_error=error))).failure
        assert (failure.code, failure.message) == ("api_error", "The payment failed.")

    def test_what_is_kept_of_a_message_is_bounded(self) -> None:
        error = {"type": "card_error", "code": "c" * 999, "message": "m" * 9999, "decline_code": "d" * 999}
        failure = read_intent(json.dumps(stripe_intent(last_payment_error=error))).failure
        assert (len(failure.code), len(failure.message), len(failure.decline_code)) == (100, MAX_MESSAGE, 100)


class TestWire:
    @pytest.mark.parametrize("field", ["id", "status", "amount", "amount_received", "currency", "livemode"])
    def test_required_fields_are_required(self, field) -> None:
        intent = stripe_intent()
        del intent[field]
        with pytest.raises(Unreadable):
            read_intent(json.dumps(intent))
        assert read_embedded_intent(intent) is None

    def test_an_unknown_status_is_never_guessed(self) -> None:
        with pytest.raises(Unreadable):
            read_intent(json.dumps(stripe_intent(status="almost_succeeded")))

    def test_nothing_of_the_content_is_in_the_error(self) -> None:
        for broken in (stripe_intent(amount="CANARY"), stripe_intent(currency="CANARY"), stripe_intent(id="CANARY")):
            with pytest.raises(Unreadable) as caught:
                read_intent(json.dumps(broken))
            assert "CANARY" not in repr(caught.value)
            assert caught.value.__cause__ is None

    def test_the_secret_is_held_and_an_empty_one_is_none(self) -> None:
        held = read_intent(json.dumps(stripe_intent())).client_secret
        assert (repr(held), held.reveal()) == ("[secret]", f"{INTENT_ID}_secret_CANARY")
        assert read_intent(json.dumps(stripe_intent(client_secret=""))).client_secret is None

    def test_kwd_and_isk_amounts_that_stripe_could_not_have_charged_are_unreadable(self) -> None:
        for amount, currency in ((5001, "kwd"), (150, "isk"), (150, "ugx")):
            with pytest.raises(Unreadable):
                read_intent(json.dumps(stripe_intent(amount=amount, currency=currency)))


def test_a_create_that_stripe_completes_half_a_day_after_its_last_sending_is_looked_for() -> None:
    assert KEY_LIFETIME + timedelta(hours=12) <= FIND_SPAN
