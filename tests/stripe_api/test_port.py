"""The port in both colours over the real stripe-python: pain 8, rule 9, and what the network does."""

import json
from urllib.parse import parse_qs

import httpx
import pytest
import stripe
from tests.stripe_api.objects import (
    CANCEL,
    CAPTURE,
    CREATE,
    FIND,
    LIST,
    REFUND,
    RETRIEVE,
    stripe_dispute,
    stripe_intent,
    stripe_refund,
)
from tests.support import API_KEY, INTENT_ID, WEBHOOK_SECRET

from airport_payments.core.commands import RetrieveDispute, RetrieveRefund
from airport_payments.core.facts import IntentSeen, NothingFound, RefusalKind, Refused, Unanswered
from airport_payments.stripe_api.circuit import FAILURES_TO_OPEN, OPEN_S
from airport_payments.stripe_api.talk import FIND_MAX_PAGES

OK = httpx.Response(200, json=stripe_intent())


def error(status: int, headers: dict[str, str] | None = None, **fields: object) -> httpx.Response:
    return httpx.Response(status, headers=headers, json={"error": {"type": "api_error", **fields}})


def keys(harness) -> list[str | None]:
    return [request.headers.get("Idempotency-Key") for request in harness.requests]


class TestOneCall:
    def test_a_create_is_answered_with_the_intent(self, harness) -> None:
        harness.answer(OK)
        reply = harness.perform(CREATE)
        assert isinstance(reply, IntentSeen)
        assert (reply.view.id, reply.view.client_secret.reveal()) == (INTENT_ID, f"{INTENT_ID}_secret_CANARY")

    def test_what_is_sent_is_what_was_saved(self, harness) -> None:
        harness.answer(OK)
        harness.perform(CREATE)
        (request,) = harness.requests
        assert {k: v[0] for k, v in parse_qs(request.content.decode()).items()} == {
            "amount": "45099",
            "currency": "usd",
            "automatic_payment_methods[enabled]": "true",
            "metadata[airport_namespace]": "airport",
            "metadata[airport_booking]": "BK-1",
            "metadata[airport_attempt]": "a1",
        }
        assert request.headers["Authorization"] == f"Bearer {API_KEY}"
        assert request.headers["Idempotency-Key"] == CREATE.key

    def test_the_version_is_stripe_pythons_pin_on_every_call(self, harness) -> None:
        harness.answer(OK)
        harness.answer(OK, method="GET", path=f"/v1/payment_intents/{INTENT_ID}")
        for command in (CREATE, RETRIEVE):
            harness.perform(command)
        assert {r.headers["Stripe-Version"] for r in harness.requests} == {stripe.api_version}

    def test_a_get_carries_no_idempotency_key_and_no_body(self, harness) -> None:
        harness.answer(OK, method="GET", path=f"/v1/payment_intents/{INTENT_ID}")
        assert isinstance(harness.perform(RETRIEVE), IntentSeen)
        (request,) = harness.requests
        assert "Idempotency-Key" not in request.headers
        assert (request.content, request.url.query) == (b"", b"")

    def test_a_cancellation(self, harness) -> None:
        canceled = httpx.Response(200, json=stripe_intent(status="canceled"))
        harness.answer(canceled, path=f"/v1/payment_intents/{INTENT_ID}/cancel")
        assert harness.perform(CANCEL).view.status == "canceled"
        assert keys(harness) == [CANCEL.key]
        assert harness.requests[0].content == b"cancellation_reason=abandoned"

    @pytest.mark.parametrize("header", ["Idempotent-Replayed", "idempotent-replayed"])
    def test_a_replayed_answer_says_so(self, harness, header) -> None:
        harness.answer(httpx.Response(200, headers={header: "true"}, json=stripe_intent()))
        assert harness.perform(CREATE).replayed


class TestTriesOfOneCall:
    @pytest.mark.parametrize(
        "first",
        [
            httpx.ConnectError("refused"),
            httpx.ConnectTimeout("connect"),
            httpx.ReadTimeout("read"),
            httpx.WriteTimeout("write"),
            httpx.PoolTimeout("pool"),
            httpx.ReadError("reset"),
            httpx.RemoteProtocolError("cut off"),
            httpx.DecodingError("gzip"),
            error(500),
            error(502),
            httpx.Response(503, text="<html>"),
            httpx.Response(200, text='{"id": "pi_'),
            httpx.Response(200, text=""),
            error(409, type="idempotency_error", code="idempotency_key_in_use"),
            error(409),
            error(429, type="rate_limit_error"),
            error(429, {"Retry-After": "1"}, code="lock_timeout"),
            error(400, {"Stripe-Should-Retry": "true"}),
        ],
        ids=repr,
    )
    def test_it_is_sent_again_with_the_same_key_and_body(self, harness, first) -> None:
        harness.answer(first, OK)
        assert isinstance(harness.perform(CREATE), IntentSeen)
        assert keys(harness) == [CREATE.key] * 2
        assert harness.requests[0].content == harness.requests[1].content

    @pytest.mark.parametrize(
        "always",
        [httpx.ReadTimeout("read"), error(500), error(409), error(429), httpx.Response(200, text="{")],
        ids=repr,
    )
    def test_it_ends_after_its_tries_unanswered(self, harness, always) -> None:
        harness.answer(always)
        assert isinstance(harness.perform(CREATE), Unanswered)
        assert keys(harness) == [CREATE.key] * harness.settings.max_tries
        assert len(harness.slept) == harness.settings.max_tries - 1

    @pytest.mark.parametrize(
        "once",
        [
            error(500, {"Stripe-Should-Retry": "false"}),
            error(409, {"Stripe-Should-Retry": "false"}),
            error(500, {"Idempotent-Replayed": "true"}),
            error(429, {"Retry-After": "60"}),
            error(400, type="idempotency_error"),
            error(400, type="invalid_request_error"),
            error(401, type="invalid_request_error"),
            error(402, type="card_error", code="card_declined"),
            error(403, type="invalid_request_error"),
            error(404, type="invalid_request_error", code="resource_missing"),
            error(424, type="api_error"),
            httpx.Response(302, headers={"Location": "https://elsewhere.invalid/"}),
            httpx.Response(200, json={"id": "pi_x"}),
        ],
        ids=repr,
    )
    def test_it_is_sent_once_where_again_is_worth_nothing(self, harness, once) -> None:
        harness.answer(once)
        reply = harness.perform(CREATE)
        assert isinstance(reply, Unanswered | Refused)
        assert len(harness.requests) == 1

    def test_stripes_retry_after_is_waited_for(self, harness) -> None:
        harness.answer(error(429, {"Retry-After": "2"}), OK)
        harness.perform(CREATE)
        assert harness.slept == [2.0]

    @pytest.mark.parametrize("status", [409, 429, 500, 503])
    def test_stripe_python_itself_sends_nothing_again(self, harness, status) -> None:
        harness.settings = harness.settings.__class__(API_KEY, WEBHOOK_SECRET, max_tries=1)
        port = harness.port_class(harness.settings, client=harness.client)
        harness.answer(error(status))
        harness.run(port.perform(CREATE))
        assert len(harness.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            error(401, type="invalid_request_error", message=f"Invalid API Key provided: {API_KEY}"),
            RefusalKind.CREDENTIALS,
        ),
        (error(403, type="invalid_request_error", message=f"The key {API_KEY} may not"), RefusalKind.CREDENTIALS),
        (error(400, type="invalid_request_error", code="amount_too_small", message="x"), RefusalKind.AMOUNT_TOO_SMALL),
        (error(404, type="invalid_request_error", code="resource_missing", message="x"), RefusalKind.MISSING),
        (error(402, type="card_error", code="card_declined", decline_code="stolen_card"), RefusalKind.CARD),
        (error(400, type="invalid_request_error", code="parameter_unknown", message="x"), RefusalKind.INVALID),
    ],
)
def test_each_error_that_stripe_python_raises_is_its_refusal(harness, answer, kind) -> None:
    harness.answer(answer)
    reply = harness.perform(CREATE)
    assert isinstance(reply, Refused)
    assert reply.kind is kind
    assert "CANARY" not in repr(reply)


def test_a_refused_cancellation_brings_the_intent_that_the_error_carries(harness) -> None:
    refused = error(
        400,
        type="invalid_request_error",
        code="payment_intent_unexpected_state",
        payment_intent=stripe_intent(status="succeeded", amount_received=45099),
    )
    harness.answer(refused, path=f"/v1/payment_intents/{INTENT_ID}/cancel")
    reply = harness.perform(CANCEL)
    assert (reply.kind, reply.seen.view.status, reply.seen.view.received_minor) == (
        RefusalKind.UNEXPECTED_STATE,
        "succeeded",
        45099,
    )


class TestFind:
    PATH = "/v1/payment_intents"

    def page(self, *intents: dict, more: bool = False) -> httpx.Response:
        return httpx.Response(200, json={"object": "list", "data": list(intents), "has_more": more})

    def test_it_lists_with_a_window_and_a_cursor(self, harness) -> None:
        first = self.page(stripe_intent(id="pi_other0001", metadata={}), more=True)
        harness.answer(first, self.page(stripe_intent()), method="GET")
        assert harness.perform(FIND).view.id == INTENT_ID
        one, two = [dict(r.url.params) for r in harness.requests]
        since = int(FIND.since.timestamp())
        assert one == {"limit": "100", "created[gte]": str(since - 600), "created[lte]": str(since + 36 * 3600 + 600)}
        assert two == {**one, "starting_after": "pi_other0001"}

    def test_none(self, harness) -> None:
        harness.answer(self.page(), method="GET")
        assert harness.perform(FIND) == NothingFound()

    def test_it_is_bounded(self, harness) -> None:
        harness.answer(self.page(stripe_intent(id="pi_other0001", metadata={}), more=True), method="GET")
        assert isinstance(harness.perform(FIND), Unanswered)
        assert len(harness.requests) == FIND_MAX_PAGES


class TestCircuit:
    def fail(self, harness) -> None:
        harness.answer(httpx.ReadTimeout("read"))
        while len(harness.requests) < FAILURES_TO_OPEN:
            harness.perform(CREATE)

    def test_open_it_sends_nothing_and_says_so(self, harness) -> None:
        self.fail(harness)
        sent = len(harness.requests)
        reply = harness.perform(RETRIEVE)
        assert isinstance(reply, Unanswered)
        assert not reply.sent
        assert len(harness.requests) == sent

    def test_after_a_while_a_probe_closes_it(self, harness) -> None:
        self.fail(harness)
        harness.now_s += OPEN_S
        harness.answer(OK)
        assert isinstance(harness.perform(CREATE), IntentSeen)
        assert isinstance(harness.perform(CREATE), IntentSeen)

    def test_refusals_and_limits_do_not_open_it(self, harness) -> None:
        harness.answer(error(429))
        for _ in range(FAILURES_TO_OPEN):
            harness.perform(CREATE)
        harness.answer(OK)
        assert isinstance(harness.perform(CREATE), IntentSeen)


class TestClients:
    def test_an_injected_client_stays_its_owners(self, harness) -> None:
        harness.answer(OK)
        harness.perform(CREATE)
        harness.run(harness.port.close())
        assert not harness.client.is_closed
        assert isinstance(harness.perform(CREATE), IntentSeen)

    def test_an_owned_client_is_built_once_at_the_first_call_and_closed(self, harness, monkeypatch) -> None:
        name = "AsyncClient" if harness.asynchronous else "Client"
        built = []

        def build(**given):
            assert given["timeout"].read == harness.settings.timeout_s
            built.append(harness.client.__class__(transport=harness.client._transport, trust_env=False))
            return built[-1]

        monkeypatch.setattr(httpx, name, build)
        harness.answer(OK)
        port = harness.port_class(harness.settings)
        assert not built
        for _ in range(3):
            harness.run(port.perform(CREATE))
        assert len(built) == 1
        harness.run(port.close())
        harness.run(port.close())
        assert built[0].is_closed
        harness.run(port.perform(CREATE))
        assert len(built) == 2
        harness.run(port.close())

    def test_closing_before_the_first_call_is_nothing(self, harness) -> None:
        harness.run(harness.port_class(harness.settings).close())

    def test_another_api_base_is_used(self, harness) -> None:
        harness.router.post("http://127.0.0.1:12111/v1/payment_intents").mock(return_value=OK)
        settings = harness.settings.__class__(API_KEY, WEBHOOK_SECRET, api_base="http://127.0.0.1:12111")
        port = harness.port_class(settings, client=harness.client)
        assert isinstance(harness.run(port.perform(CREATE)), IntentSeen)

    def test_the_module_of_stripe_is_left_as_it_was(self, harness) -> None:
        harness.answer(OK)
        harness.perform(CREATE)
        assert stripe.api_key is None
        assert stripe.default_http_client is None


# What proxies, gateways and load balancers answer in the place of Stripe.
NO_ERRORS_OF_STRIPES = [
    b"", b"<html>", b"null", b"5", b'"x"', b"[1]", b"{}", b'{"error":null}', b'{"error":"upstream connect error"}', b'{"error":true}',
    b'{"error":503}', b'{"error":[{"code":"x"}]}', b'{"error":"invalid_client"}', b'{"error":"invalid_grant","error_description":5}',
    b'{"error":{"type":5,"code":[],"message":{}}}', b'{"error":{"type":"card_error","payment_intent":[1]}}', b'{"error":{"code":NaN}}',
    b"[" * 100_000, b'{"error":' * 50_000, b"\xff\xfe", b'{"error":"\\ud800"}',
]  # fmt: skip


@pytest.mark.parametrize("body", NO_ERRORS_OF_STRIPES, ids=lambda body: repr(body[:40]))
@pytest.mark.parametrize("status", [400, 402, 503])
def test_whatever_an_error_has_for_a_body_is_a_reply(harness, status, body) -> None:
    harness.answer(httpx.Response(status, content=body, headers={"content-type": "application/json"}))
    reply = harness.perform(CREATE)
    assert isinstance(reply, Unanswered if status == 503 else Refused)


def test_how_long_to_wait_is_heard_of_whoever_says_it(harness) -> None:
    harness.answer(httpx.Response(503, text='{"error":"overloaded"}', headers={"Retry-After": "3"}), OK)
    assert isinstance(harness.perform(CREATE), IntentSeen)
    assert harness.slept == [3.0]


def test_redirects_are_not_followed_with_the_key(harness) -> None:
    elsewhere = harness.router.post("https://elsewhere.invalid/").mock(return_value=OK)
    harness.answer(httpx.Response(307, headers={"Location": "https://elsewhere.invalid/"}))
    assert isinstance(harness.perform(CREATE), Unanswered)
    assert not elsewhere.called


def test_a_success_whose_text_is_not_utf_8_is_unanswered(harness) -> None:
    harness.answer(httpx.Response(200, content=json.dumps(stripe_intent()).encode("utf-16")))
    assert isinstance(harness.perform(CREATE), Unanswered)


@pytest.mark.parametrize(
    "oddity", [b'"\\ud83d"', b'"\xff"', b"[" * 300 + b"]" * 300], ids=["surrogate", "utf-8", "depth"]
)
def test_an_oddity_in_a_field_that_nobody_uses_does_not_make_a_success_unreadable(harness, oddity) -> None:
    content = json.dumps(stripe_intent(description="HERE")).encode().replace(b'"HERE"', oddity)
    harness.answer(httpx.Response(200, content=content))
    assert isinstance(harness.perform(CREATE), IntentSeen)


class TestMoney:
    """Refunds, captures and disputes over the real stripe-python."""

    REFUND = stripe_refund()

    def test_a_refund_is_sent_as_it_was_saved(self, harness) -> None:
        harness.answer(httpx.Response(200, json=self.REFUND), path="/v1/refunds")
        reply = harness.perform(REFUND)
        assert (reply.view.id, reply.view.ref, reply.replayed) == ("re_1", "a1.0", False)
        (request,) = harness.requests
        assert {k: v[0] for k, v in parse_qs(request.content.decode()).items()} == {
            "payment_intent": INTENT_ID,
            "amount": "10000",
            "reason": "duplicate",
            "metadata[airport_namespace]": "airport",
            "metadata[airport_booking]": "BK-1",
            "metadata[airport_attempt]": "a1",
            "metadata[airport_refund]": "a1.0",
        }
        assert request.headers["Idempotency-Key"] == REFUND.key

    def test_a_refund_is_sent_again_with_its_key_and_its_replay_says_so(self, harness) -> None:
        replayed = httpx.Response(200, json=self.REFUND, headers={"Idempotent-Replayed": "true"})
        harness.answer(httpx.ReadTimeout("slow"), replayed, path="/v1/refunds")
        assert harness.perform(REFUND).replayed
        assert keys(harness) == [REFUND.key] * 2

    def test_a_list_is_read_page_by_page(self, harness) -> None:
        pages = [
            {"object": "list", "data": [stripe_refund(id="re_2")], "has_more": True},
            {"object": "list", "data": [stripe_refund(id="re_1")], "has_more": False},
        ]
        harness.answer(*(httpx.Response(200, json=p) for p in pages), method="GET", path="/v1/refunds")
        assert [v.id for v in harness.perform(LIST).views] == ["re_1", "re_2"]
        assert [dict(r.url.params) for r in harness.requests] == [
            {"limit": "100", "payment_intent": INTENT_ID},
            {"limit": "100", "payment_intent": INTENT_ID, "starting_after": "re_2"},
        ]

    def test_a_capture(self, harness) -> None:
        paid = stripe_intent(status="succeeded", amount_received=10_000)
        harness.answer(httpx.Response(200, json=paid), path=f"/v1/payment_intents/{INTENT_ID}/capture")
        assert harness.perform(CAPTURE).view.received_minor == 10_000
        (request,) = harness.requests
        assert request.content == b"amount_to_capture=10000"
        assert request.headers["Idempotency-Key"] == CAPTURE.key

    def test_one_refund_and_one_dispute(self, harness) -> None:
        harness.answer(httpx.Response(200, json=self.REFUND), method="GET", path="/v1/refunds/re_1")
        harness.answer(httpx.Response(200, json=stripe_dispute()), method="GET", path="/v1/disputes/dp_1")
        assert harness.perform(RetrieveRefund("re_1")).view.id == "re_1"
        assert harness.perform(RetrieveDispute("dp_1")).view.id == "dp_1"

    @pytest.mark.parametrize(
        ("code", "kind"),
        [("charge_already_refunded", RefusalKind.ALREADY_REFUNDED), ("charge_disputed", RefusalKind.DISPUTED)],
    )
    def test_a_refusal(self, harness, code, kind) -> None:
        harness.answer(error(400, type="invalid_request_error", code=code), path="/v1/refunds")
        assert harness.perform(REFUND).kind is kind
