"""What a program has to find without events: those that never came into being, and the lists to look through."""

from __future__ import annotations

import pytest
import stripe

from airport_payments.testing import FakeStripe

NEW = {"amount": 2000, "currency": "usd"}


@pytest.fixture
def paid(fake, client):
    return lambda: fake.pay(client.payment_intents.create(NEW).id)


@pytest.fixture
def types(fake):
    return lambda: [event["type"] for event in fake.events.values()]


def test_a_lost_event_is_neither_sent_nor_listed(fake, client, paid, types):
    seen = []
    fake.send_webhooks_to(lambda body, header: seen.append(body) or 200, "whsec_1")
    fake.lose_events("payment_intent.succeeded")
    intent = paid()
    assert (intent["status"], types()) == ("succeeded", ["payment_intent.created", "charge.succeeded"])
    fake.deliver()
    assert len(seen) == 2
    assert not client.events.list({"type": "payment_intent.succeeded"}).data
    paid()
    assert types()[-1] == "payment_intent.succeeded"


def test_events_are_lost_by_group_number_and_payment(fake, client, paid, types):
    fake.lose_events("charge.*", times=2)
    for _ in range(3):
        paid()
    assert [name for name in types() if name.startswith("charge.")] == ["charge.succeeded"]
    first, second = paid(), paid()
    fake.lose_events(times=10, object_id=first["id"])
    count = len(types())
    fake.refund(first["id"])
    fake.dispute(first["id"], inquiry=True)
    assert len(types()) == count
    fake.refund(second["id"])
    assert types()[count:] == ["refund.created", "charge.refunded"]


def test_one_happening_may_be_told_by_two_events(fake, client, paid, types):
    fake.double_events("payment_intent.succeeded")
    paid()
    assert types() == ["payment_intent.created", "charge.succeeded"] + ["payment_intent.succeeded"] * 2
    first, second = client.events.list({"limit": 2}).data
    assert first.id != second.id
    assert first.data.to_dict() == second.data.to_dict()
    paid()
    assert len(types()) == 7


def test_what_is_to_be_lost_is_saved(fake, paid, clock):
    fake.lose_events("refund.created")
    intent = paid()
    again = FakeStripe.load(fake.dump(), clock=clock)
    again.refund(intent["id"])
    assert [event["type"] for event in again.events.values()][-1] == "charge.refunded"
    assert "refund.created" not in [event["type"] for event in again.events.values()]


def test_undelivered_events_are_found_in_pages_from_the_oldest_on(fake, client, paid, clock):
    fake.send_webhooks_to(lambda body, header: 500, "whsec_1")
    paid()
    fake.deliver()
    since = int(clock.now.timestamp())
    clock.forward(hours=1)
    paid()
    given = {"delivery_success": False, "types": ["payment_intent.succeeded", "charge.succeeded"], "limit": 1}
    found = [event.type for event in client.events.list(given).auto_paging_iter()]
    assert found == ["payment_intent.succeeded", "charge.succeeded"] * 2
    late = client.events.list({**given, "created": {"gt": since}, "limit": 100})
    assert len(late.data) == 2
    oldest = list(client.events.list(given).auto_paging_iter())[-1]
    backwards = client.events.list({**given, "ending_before": oldest.id, "limit": 2})
    assert [event.type for event in backwards.auto_paging_iter()] == [
        "payment_intent.succeeded", "charge.succeeded", "payment_intent.succeeded",
    ]  # fmt: skip
    assert not client.events.list({"delivery_success": True, "types": given["types"]}).data


@pytest.mark.parametrize(
    "given",
    [
        {"type": "charge.succeeded", "types": ["charge.succeeded"]},
        {"types": ["charge.succeeded"] * 21},
        {"starting_after": "evt_1", "ending_before": "evt_2"},
        {"starting_after": "evt_none"},
        {"limit": 101},
        {"delivery_success": "perhaps"},
    ],
)
def test_lists_that_contradict_themselves_are_refused(client, given):
    with pytest.raises(stripe.InvalidRequestError):
        client.events.list(given)


def test_payments_are_listed_by_the_window_of_their_creation(client, clock):
    ids = []
    for _ in range(5):
        ids.append(client.payment_intents.create(NEW).id)
        clock.forward(minutes=1)
    start = int(clock.now.timestamp()) - 300
    window = {"created": {"gte": start + 60, "lt": start + 240}}
    assert [intent.id for intent in client.payment_intents.list(window)] == ids[3:0:-1]
    assert [intent.id for intent in client.payment_intents.list({**window, "limit": 1}).auto_paging_iter()] == (
        ids[3:0:-1]
    )
    page = client.payment_intents.list({**window, "limit": 2, "starting_after": ids[3]})
    assert ([intent.id for intent in page], page.has_more) == ([ids[2], ids[1]], False)
    page = client.payment_intents.list({"limit": 2, "ending_before": ids[0]})
    assert ([intent.id for intent in page], page.has_more) == ([ids[2], ids[1]], True)
    assert [intent.id for intent in client.payment_intents.list({"created": start + 60})] == [ids[1]]
