"""Stripe's lists: what is asked for, and what becomes of what is listed."""

import json
from datetime import UTC, datetime

import pytest
from tests.support import NAMESPACE

from airport_payments.core.decide.route import HANDLED, SUBJECTS, Ours, route
from airport_payments.core.facts import RefusalKind, Refused, Unanswered
from airport_payments.core.model import Policy
from airport_payments.stripe_api.lists import ListedPage, Listing, ListPage, list_page
from airport_payments.stripe_api.results import ApiResult
from airport_payments.stripe_api.wire import read_items
from airport_payments.testing import FakeStripe

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
POLICY = Policy(NAMESPACE, livemode=False, account="acct_1Mine")


def ask(listing=Listing.INTENTS, **given) -> ListPage:
    return ListPage(listing, SINCE, UNTIL, POLICY, **given)


def said(command, result) -> object:
    talk = list_page(command)
    next(talk)
    with pytest.raises(StopIteration) as end:
        talk.send(result)
    return end.value.value


def page(items, command=None, *, more=False) -> object:
    body = json.dumps({"object": "list", "data": items, "has_more": more, "url": "/v1/x"})
    return said(command or ask(), ApiResult(200, found=read_items(body)))


@pytest.fixture
def intent():
    fake = FakeStripe("sk_test_fake")
    marks = "&".join(
        f"metadata[airport_{k}]={v}" for k, v in {"namespace": NAMESPACE, "booking": "BK-1", "attempt": "a1"}.items()
    )
    answer = fake.handle(
        "POST",
        "/v1/payment_intents",
        {"Authorization": "Bearer sk_test_fake"},
        f"amount=100&currency=usd&{marks}".encode(),
    )
    return json.loads(answer.body)


def test_the_window_the_page_and_the_place_to_go_on_are_asked_for() -> None:
    request = next(list_page(ask(size=7, after="pi_1")))
    assert (request.method, request.path, request.idempotency_key) == ("get", "/v1/payment_intents", None)
    window = {"gte": int(SINCE.timestamp()), "lte": int(UNTIL.timestamp())}
    assert request.params == {
        "limit": 7, "created": window, "starting_after": "pi_1", "expand": ["data.latest_charge"],
    }  # fmt: skip
    assert next(list_page(ask(Listing.REFUNDS, intent_id="pi_1"))).params == {"limit": 100, "payment_intent": "pi_1"}


def test_events_are_those_that_we_handle_and_that_were_not_delivered() -> None:
    request = next(list_page(ask(Listing.EVENTS)))
    assert request.params["delivery_success"] == "false"
    assert request.params["types"] == list(HANDLED)
    assert len(HANDLED) <= 20  # Stripe takes no more (docs.stripe.com/api/events/list)


def test_what_is_listed_goes_the_way_of_events_oldest_first(intent) -> None:
    found = page([intent, {**intent, "id": "pi_00000002"}], more=True)
    assert isinstance(found, ListedPage)
    assert [e.object_id for e in found.events] == ["pi_00000002", intent["id"]]
    assert (found.last, found.more) == ("pi_00000002", True)
    for event in found.events:
        assert event.id == "reconcile"
        assert event.name in SUBJECTS
        assert route(event.head, POLICY) == Ours("BK-1")
        assert event.intent.attempt_id == "a1"


def test_no_client_secret_is_kept(intent) -> None:
    found = page([intent])
    assert "client_secret" not in found.events[0]._object
    assert "_secret_" not in repr(found)


@pytest.mark.parametrize("item", [None, 5, "pi_1", [], {}, {"id": 5}, {"object": "payment_intent", "amount": "1"}])
def test_a_thing_that_cannot_be_read_leaves_the_others(intent, item) -> None:
    found = page([item, intent])
    assert len(found.events) == 2
    assert found.events[0].intent is not None
    assert found.events[1].intent is None


def test_how_much_went_back_is_what_its_charge_says(intent) -> None:
    charge = {"id": "ch_1", "object": "charge", "amount_refunded": 40}
    assert page([{**intent, "latest_charge": charge}]).refunded_minor == {intent["id"]: 40}
    for other in (None, "ch_1", {"id": "ch_1"}, {"id": "ch_1", "amount_refunded": None}):
        assert page([{**intent, "latest_charge": other}]).refunded_minor == {}


def test_a_listed_event_keeps_its_id_and_is_of_the_account_that_was_asked(intent) -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1,
        "livemode": False,
        "data": {"object": intent},
    }
    (listed,) = page([event], ask(Listing.EVENTS)).events
    assert (listed.id, listed.type, listed.account) == ("evt_1", "payment_intent.succeeded", "acct_1Mine")
    event["data"]["object"]["amount"] = {"of": "tomorrow"}
    (listed,) = page([event], ask(Listing.EVENTS)).events
    assert (listed.object_id, listed.intent) == (intent["id"], None)


def test_what_is_no_event_among_events_is_no_answer() -> None:
    assert isinstance(page([{"id": "evt_1"}], ask(Listing.EVENTS)), Unanswered)


@pytest.mark.parametrize(
    ("result", "reply"),
    [
        (ApiResult(None, reason="a time-out"), Unanswered),
        (ApiResult(500), Unanswered),
        (ApiResult(429), Unanswered),
        (ApiResult(200, reason="an answer of another shape"), Unanswered),
        (ApiResult(401), Refused),
        (ApiResult(400, error={"code": "resource_missing"}), Refused),
    ],
)
def test_what_is_no_page_says_why(result, reply) -> None:
    found = said(ask(), result)
    assert isinstance(found, reply)
    if isinstance(found, Refused):
        assert found.kind in {RefusalKind.CREDENTIALS, RefusalKind.MISSING}
