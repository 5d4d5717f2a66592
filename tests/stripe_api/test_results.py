"""What one call came to and whether it is sent again; the circuit; what each error of Stripe's means: all pure."""

import json
import threading

import pytest
from tests.support import INTENT_ID, NOW, PRICE

from airport_payments.core.commands import CancelIntent, CreateIntent, FindIntent, RetrieveIntent
from airport_payments.core.declines import GENERIC_CODE, GENERIC_DECLINE, GENERIC_MESSAGE, HIDDEN, MAX_MESSAGE
from airport_payments.core.facts import IntentSeen, NothingFound, RefusalKind, Refused, Unanswered
from airport_payments.core.model import Failure, IntentStatus
from airport_payments.stripe_api.circuit import FAILURES_TO_OPEN, OPEN_S, Circuit
from airport_payments.stripe_api.results import (
    BACKOFF_FIRST_S,
    BACKOFF_MOST_S,
    RETRY_AFTER_MOST_S,
    ApiResult,
    from_headers,
    retry_delay_s,
)
from airport_payments.stripe_api.talk import FIND_MARGIN, FIND_MAX_PAGES, FIND_SPAN, talk
from airport_payments.stripe_api.wire import Unreadable, read_embedded_intent, read_intent

CREATE = CreateIntent("a1", "BK-1", "airport", PRICE, "airport/a1/create/0", NOW, NOW)
CANCEL = CancelIntent("a1", INTENT_ID, "airport/a1/cancel/0", NOW, NOW)
RETRIEVE = RetrieveIntent("a1", INTENT_ID)
FIND = FindIntent("a1", "BK-1", "airport", NOW)


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


def good(body: object, **more: object) -> ApiResult:
    return ApiResult(200, body=json.dumps(body), **more)


def bad(status: int, **error: object) -> ApiResult:
    return ApiResult(status, error=error)


def play(command, *results: ApiResult):
    """Send a talk these results. Returns its requests and its reply."""
    conversation = talk(command)
    requests = [next(conversation)]
    for result in results:
        try:
            requests.append(conversation.send(result))
        except StopIteration as end:
            assert result is results[-1], "the talk ended early"
            return requests, end.value
    raise AssertionError("the talk goes on")


class TestRetryDelay:
    @pytest.mark.parametrize(
        ("result", "again"),
        [
            (ApiResult(200), False),
            (ApiResult(None, reason="time-out"), True),
            (ApiResult(None, sent=False), False),
            (ApiResult(500), True),
            (ApiResult(503), True),
            (ApiResult(599), True),
            (ApiResult(409), True),
            (ApiResult(429), True),
            (ApiResult(400), False),
            (ApiResult(401), False),
            (ApiResult(402), False),
            (ApiResult(403), False),
            (ApiResult(404), False),
            (ApiResult(424), False),
            (ApiResult(302), False),
            (ApiResult(400, should_retry=True), True),
            (ApiResult(500, should_retry=False), False),
            (ApiResult(409, should_retry=False), False),
            (ApiResult(429, should_retry=False), False),
            (ApiResult(500, replayed=True), False),
            (ApiResult(200, should_retry=True), False),
            (ApiResult(429, retry_after_s=RETRY_AFTER_MOST_S), True),
            (ApiResult(429, retry_after_s=RETRY_AFTER_MOST_S + 1), False),
            (ApiResult(503, retry_after_s=1.0), True),
        ],
    )
    def test_what_is_sent_again(self, result, again) -> None:
        assert (retry_delay_s(result, 1, 3, 0.5) is not None) is again

    def test_never_more_often_than_allowed(self) -> None:
        assert [retry_delay_s(ApiResult(500), tries, 3, 0.0) is None for tries in (1, 2, 3, 4)] == [
            False,
            False,
            True,
            True,
        ]
        assert retry_delay_s(ApiResult(500), 1, 1, 0.0) is None

    def test_waits_double_up_to_the_most_and_are_spread(self) -> None:
        waits = [retry_delay_s(ApiResult(500), tries, 10, 1.0) for tries in range(1, 8)]
        assert waits[:3] == [BACKOFF_FIRST_S, BACKOFF_FIRST_S * 2, BACKOFF_FIRST_S * 4]
        assert max(waits) == BACKOFF_MOST_S
        assert retry_delay_s(ApiResult(500), 1, 3, 0.0) == BACKOFF_FIRST_S / 2

    def test_stripe_is_given_at_least_the_time_that_it_asks_for(self) -> None:
        assert retry_delay_s(ApiResult(429, retry_after_s=2.0), 1, 3, 0.0) == 2.0
        assert retry_delay_s(ApiResult(429, retry_after_s=0.0), 1, 3, 1.0) == BACKOFF_FIRST_S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1.0), ("0", 0.0), ("120", 120.0), (None, None), ("", None), ("-1", None), ("1.5", None), ("Wed, 21 Oct 2026", None),
     ("9" * 7, None), ("１", None), ("inf", None), ("nan", None)],
)  # fmt: skip
def test_retry_after_is_whole_seconds_or_nothing(text, seconds) -> None:
    assert from_headers(429, {} if text is None else {"Retry-After": text}).retry_after_s == seconds


def test_headers_are_read_in_any_case() -> None:
    result = from_headers(500, {"STRIPE-SHOULD-RETRY": "true", "idempotent-Replayed": "true"})
    assert (result.should_retry, result.replayed) == (True, True)
    assert from_headers(500, {"Stripe-Should-Retry": "maybe"}).should_retry is None
    assert from_headers(500, {"Stripe-Should-Retry": "false"}).should_retry is False


def test_a_result_shows_no_body() -> None:
    assert "CANARY" not in repr(ApiResult(200, body="CANARY", error={"x": "CANARY"}))


class TestCircuit:
    def fail(self, circuit: Circuit, times: int, now_s: float = 0.0) -> None:
        for _ in range(times):
            circuit.record(now_s, down=True)

    def test_it_opens_after_so_many_failures_in_a_row(self) -> None:
        circuit = Circuit()
        self.fail(circuit, FAILURES_TO_OPEN - 1)
        assert circuit.may_send(0)
        self.fail(circuit, 1)
        assert not circuit.may_send(0)
        assert not circuit.may_send(OPEN_S - 0.01)

    def test_one_answer_in_between_starts_the_count_anew(self) -> None:
        circuit = Circuit()
        self.fail(circuit, FAILURES_TO_OPEN - 1)
        circuit.record(0, down=False)
        self.fail(circuit, FAILURES_TO_OPEN - 1)
        assert circuit.may_send(0)

    def test_half_open_one_probe_goes_and_its_answer_decides(self) -> None:
        circuit = Circuit()
        self.fail(circuit, FAILURES_TO_OPEN)
        assert [circuit.may_send(OPEN_S) for _ in range(3)] == [True, False, False]
        circuit.record(OPEN_S, down=True)
        assert not circuit.may_send(OPEN_S * 2 - 0.01)
        assert circuit.may_send(OPEN_S * 2)
        circuit.record(OPEN_S * 2, down=False)
        assert all(circuit.may_send(OPEN_S * 2) for _ in range(5))

    def test_a_probe_that_never_comes_back_does_not_keep_it_open_for_ever(self) -> None:
        circuit = Circuit()
        self.fail(circuit, FAILURES_TO_OPEN)
        assert circuit.may_send(OPEN_S)
        assert circuit.may_send(OPEN_S * 2)

    def test_of_many_threads_one_is_the_probe(self) -> None:
        circuit = Circuit()
        self.fail(circuit, FAILURES_TO_OPEN)
        barrier, went = threading.Barrier(16), []

        def ask() -> None:
            barrier.wait()
            went.append(circuit.may_send(OPEN_S))

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert went.count(True) == 1

    @pytest.mark.parametrize(
        ("result", "down"),
        [
            (ApiResult(200), False),
            (ApiResult(402), False),
            (ApiResult(409), False),
            (ApiResult(429), False),
            (ApiResult(500), True),
            (ApiResult(500, replayed=True), False),
            (ApiResult(None), True),
            (ApiResult(None, sent=False), False),
        ],
    )
    def test_what_counts_as_down(self, result, down) -> None:
        assert result.down is down


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
            "{}",
            "",
            "[]",
            "<html>",
            json.dumps(stripe_intent(status="new")),
            json.dumps(stripe_intent(amount="45099")),
        ):
            reply = play(CREATE, ApiResult(200, body=body))[1]
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
        for body in ("{}", "[]", '{"data": 1, "has_more": false}', '{"data": []}'):
            assert isinstance(play(FIND, ApiResult(200, body=body))[1], Unanswered)

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
