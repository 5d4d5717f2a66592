from __future__ import annotations

import pytest
import stripe

CARD = {"payment_method_types": ["card"]}


@pytest.fixture
def five(clock, client):
    ids = []
    for n in range(5):
        metadata = {"booking": f"b{n}", "even": str(n % 2 == 0)}
        ids.append(client.payment_intents.create({"amount": 1000 + n, "currency": "usd", "metadata": metadata}).id)
        clock.forward(seconds=10)
    return ids


def test_lists_are_newest_first_and_paged_both_ways(client, five):
    page = client.payment_intents.list({"limit": 2})
    assert ([item.id for item in page.data], page.has_more) == ([five[4], five[3]], True)
    page = client.payment_intents.list({"limit": 2, "starting_after": five[3]})
    assert [item.id for item in page.data] == [five[2], five[1]]
    page = client.payment_intents.list({"limit": 2, "starting_after": five[1]})
    assert ([item.id for item in page.data], page.has_more) == ([five[0]], False)
    page = client.payment_intents.list({"limit": 2, "ending_before": five[1]})
    assert ([item.id for item in page.data], page.has_more) == ([five[3], five[2]], True)
    assert [item.id for item in client.payment_intents.list({"limit": 2}).auto_paging_iter()] == five[::-1]


def test_lists_filter_by_creation_and_customer(clock, client, five):
    times = [client.payment_intents.retrieve(intent).created for intent in five]
    listed = client.payment_intents.list({"created": {"gt": times[0], "lte": times[2]}})
    assert [item.id for item in listed.data] == [five[2], five[1]]
    assert [item.id for item in client.payment_intents.list({"created": times[3]}).data] == [five[3]]
    customer = client.customers.create({})
    mine = client.payment_intents.create({"amount": 100, "currency": "usd", "customer": customer.id})
    assert [item.id for item in client.payment_intents.list({"customer": customer.id}).data] == [mine.id]


@pytest.mark.parametrize(
    "given", [{"limit": 0}, {"limit": 101}, {"starting_after": "pi_nothing"}, {"created": {"after": 1}}]
)
def test_bad_pages_are_refused(client, given):
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_intents.list(given)


@pytest.mark.parametrize(("query", "found"), [
    ("metadata['booking']:'b3'", [3]),
    ('metadata["booking"]:"b3"', [3]),
    ("metadata['even']:'True' AND amount>1001", [4, 2]),
    ("metadata['booking']:'b0' OR metadata['booking']:'b1'", [1, 0]),
    ("status:'requires_payment_method' AND amount<=1001", [1, 0]),
    ("-metadata['even']:'True'", [3, 1]),
    ("amount:1002", [2]),
    ("metadata['other']:null", [4, 3, 2, 1, 0]),
    ("metadata['booking']:'b\\'x'", []),
])  # fmt: skip
def test_search_understands_stripes_language(client, five, query, found):
    answer = client.payment_intents.search({"query": query})
    assert [item.id for item in answer.data] == [five[n] for n in found]


def test_search_is_paged(client, five):
    page = client.payment_intents.search({"query": "status:'requires_payment_method'", "limit": 2})
    assert page.has_more
    following = client.payment_intents.search(
        {"query": "status:'requires_payment_method'", "limit": 2, "page": page.next_page}
    )
    assert [item.id for item in following.data] == [five[2], five[1]]
    assert len(list(page.auto_paging_iter())) == 5


@pytest.mark.parametrize(
    "query", ["", "amount", "color:'red'", "amount>1 AND amount<5 OR amount>9", "amount>1 amount<5"]
)
def test_bad_queries_are_refused(client, query):
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_intents.search({"query": query})


def test_expansion_replaces_ids_at_every_level(fake, client):
    customer = client.customers.create({})
    intent = client.payment_intents.create(
        {"amount": 100, "currency": "usd", "customer": customer.id, "capture_method": "automatic"}
    )
    fake.pay(intent.id)
    client.refunds.create({"payment_intent": intent.id, "amount": 10})
    expand = ["latest_charge.balance_transaction", "latest_charge.refunds", "customer", "payment_method"]
    full = client.payment_intents.retrieve(intent.id, {"expand": expand})
    assert full.latest_charge.balance_transaction.amount == 100
    assert full.latest_charge.refunds.data[0].amount == 10
    assert (full.customer.id, full.payment_method.type) == (customer.id, "card")
    listed = client.payment_intents.list({"expand": ["data.latest_charge", "data.customer"]})
    assert listed.data[0].latest_charge.id == full.latest_charge.id
    refund = client.refunds.list({"payment_intent": intent.id, "expand": ["data.charge.payment_intent"]}).data[0]
    assert refund.charge.payment_intent.id == intent.id
    # What is stored keeps its ids.
    assert isinstance(fake.intents[intent.id]["latest_charge"], str)


@pytest.mark.parametrize(
    "path", ["colour", "latest_charge.colour", "latest_charge.payment_intent.latest_charge.payment_intent.customer"]
)
def test_impossible_expansions_are_refused(fake, client, path):
    intent = client.payment_intents.create({"amount": 100, "currency": "usd"})
    fake.pay(intent.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.payment_intents.retrieve(intent.id, {"expand": [path]})
    assert caught.value.param == "expand"


def test_charges_are_listed_by_intent_failures_too(fake, client):
    intent = client.payment_intents.create({"amount": 100, "currency": "usd"})
    fake.pay(intent.id, "4000000000000002")
    fake.pay(intent.id)
    client.payment_intents.create({"amount": 100, "currency": "usd"})
    charges = client.charges.list({"payment_intent": intent.id}).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]
    assert client.charges.update(charges[0].id, {"metadata": {"a": "b"}}).metadata["a"] == "b"


def test_a_refused_expansion_has_no_effect(fake, client):
    with pytest.raises(stripe.InvalidRequestError):
        client.payment_intents.create({"amount": 100, "currency": "usd", "expand": ["colour"]})
    assert not fake.intents


def test_every_list_knows_what_it_lists():
    from airport_payments.testing.fake_stripe.routes import ROUTES

    listing = {route.endpoint: route.kind for route in ROUTES if route.listing}
    assert listing["GET /v1/payment_intents/search"] == "payment_intent"
    assert listing["GET /v1/customers/{customer}/payment_methods"] == "payment_method"
    assert listing["GET /v1/customers/search"] == "customer"
    assert len(listing) == 14
