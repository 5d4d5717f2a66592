"""What one call came to and whether it is sent again, and the circuit: pure."""

import json
import threading

import pytest
from tests.stripe_api.objects import stripe_intent

from airport_payments.stripe_api.bodies import HeldBody
from airport_payments.stripe_api.circuit import FAILURES_TO_OPEN, OPEN_S, Circuit
from airport_payments.stripe_api.client import result_of_answer
from airport_payments.stripe_api.results import (
    BACKOFF_FIRST_S,
    BACKOFF_MOST_S,
    RETRY_AFTER_MOST_S,
    ApiResult,
    from_headers,
    retry_delay_s,
)
from airport_payments.stripe_api.wire import read_intent, read_page


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
    intent = json.dumps(stripe_intent())
    page = json.dumps({"data": [stripe_intent()], "has_more": False})
    for read, body in ((read_intent, intent), (read_page, page)):
        result = result_of_answer(read, HeldBody.of(body), {}, 200)
        assert result.found is not None
        assert "CANARY" not in repr(result) + repr(result.found) + str(result.found)
    assert "CANARY" not in repr(ApiResult(400, error={"x": "CANARY"}))


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
