"""Connected accounts and organisations: every call is for the account that the settings name, and events of another are not ours."""

import json

import pytest
from tests.gateway.shop import opened
from tests.support import WEBHOOK_SECRET

from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import StripeUnavailable
from airport_payments.core.model import BookingStatus
from airport_payments.testing import Fault

MINE, OTHER = "acct_1Mine", "acct_1Other"
SETTINGS = [
    {"stripe_account": MINE},
    {"stripe_context": MINE},
    {"stripe_context": f"acct_1Platform/{MINE}"},
]


@pytest.fixture(params=SETTINGS, ids=["account", "context", "path"])
def shop(request, colour):
    with opened(colour, **request.param) as shop:
        yield shop


@pytest.fixture
def intent_id(shop) -> str:
    """A PaymentIntent that was paid in our account."""
    intent_id = shop.create().payment_intent_id
    shop.fake.pay(intent_id, account=MINE)
    return intent_id


def told(shop, kind="payment_intent.succeeded", account=MINE):
    return next(e for e in shop.fake.objects("event", account=account).values() if e["type"] == kind)


def levels(caplog) -> list[str]:
    return [r.levelname for r in caplog.records if r.name == "airport_payments"]


def test_everything_happens_in_the_account_that_the_settings_name(shop, intent_id) -> None:
    assert shop.confirm(intent_id).completed
    shop.run(shop.gateway.refund("BK-1", request_id="r1"))
    assert list(shop.fake.objects("payment_intent", account=MINE)) == [intent_id]
    assert len(shop.fake.objects("refund", account=MINE)) == 1
    assert {r.account for r in shop.fake.requests} == {MINE}
    assert not shop.fake.intents


def test_the_same_idempotency_key_in_two_accounts_is_two_keys(colour) -> None:
    """Stripe keeps keys per account, so nothing of the account has to be in ours."""
    with opened(colour, stripe_account=MINE) as one, opened(colour, stripe_account=OTHER) as two:
        two.fake = one.fake
        two.gateway = two.new_gateway()
        assert one.create().payment_intent_id != two.create().payment_intent_id
        keys = [r.idempotency_key for r in one.fake.requests]
        assert len(keys) == 2
        assert len(set(keys)) == 1


def test_an_event_of_our_account_is_applied_and_not_fetched(shop, intent_id) -> None:
    event = {**told(shop), "account": MINE}
    asked = len(shop.fake.requests)
    assert shop.webhook(event) is EventOutcome.APPLIED
    assert shop.webhook({**event, "account": None, "context": MINE}) is EventOutcome.UNCHANGED
    assert shop.webhook({**event, "account": None, "context": f"acct_1Platform/{MINE}"}) is EventOutcome.UNCHANGED
    assert len(shop.fake.requests) == asked
    assert shop.booking().status is BookingStatus.CONFIRMED


@pytest.mark.parametrize(
    "whose", [{"account": OTHER}, {"context": OTHER, "account": None}, {"context": f"{MINE}/{OTHER}", "account": None}]
)
def test_an_event_of_another_account_is_ignored_with_an_alarm(shop, intent_id, caplog, whose) -> None:
    before, asked = shop.snapshot(), len(shop.fake.requests)
    assert shop.webhook({**told(shop), **whose}) is EventOutcome.IGNORED
    assert levels(caplog) == ["ERROR"]
    assert (shop.snapshot(), len(shop.fake.requests)) == (before, asked)


class TestAnEventThatDoesNotSayWhose:
    """One that an endpoint of the account itself sends, or one of the platform's own: Stripe is asked in our account."""

    def event(self, shop, **changes):
        return {**told(shop), "account": None, "context": None, **changes}

    def test_of_our_account_is_applied(self, shop, intent_id) -> None:
        asked = len(shop.fake.requests)
        assert shop.webhook(self.event(shop)) is EventOutcome.APPLIED
        assert shop.booking().status is BookingStatus.CONFIRMED
        assert [r.path for r in shop.fake.requests[asked:]] == [f"/v1/payment_intents/{intent_id}"]

    def test_of_the_platform_is_ignored_with_an_alarm(self, shop, intent_id, caplog) -> None:
        """The same metadata, another account's PaymentIntent: nothing of it confirms our booking."""
        event = self.event(shop)
        event["data"]["object"]["id"] = "pi_0000platform"
        before = shop.snapshot()
        assert shop.webhook(event) is EventOutcome.IGNORED
        assert levels(caplog) == ["ERROR"]
        assert shop.snapshot() == before

    def test_what_it_shows_counts_for_nothing(self, shop, intent_id) -> None:
        event = self.event(shop)
        event["data"]["object"].update(amount=1, amount_received=1)
        assert shop.webhook(event) is EventOutcome.APPLIED
        assert shop.booking().status is BookingStatus.CONFIRMED

    def test_stripe_away_is_not_acknowledged(self, shop, intent_id) -> None:
        shop.fake.inject(Fault.connection_lost(), "GET", times=9)
        with pytest.raises(StripeUnavailable):
            shop.webhook(self.event(shop))

    def test_of_a_refund_is_fetched_too(self, shop, intent_id) -> None:
        assert shop.confirm(intent_id).completed
        shop.fake.refund(intent_id, 100, account=MINE)
        event = {**told(shop, "refund.created"), "account": None, "context": None}
        event["data"]["object"]["amount"] = 99
        assert shop.webhook(event) is EventOutcome.APPLIED
        assert [r.amount_minor for r in shop.snapshot().ledger.payments[0].refunds] == [100]


@pytest.mark.parametrize("payload", ["snapshot", "thin"])
@pytest.mark.parametrize("events_from", ["@accounts", "@organization_members"])
def test_what_stripe_sends_for_our_account_is_ours_and_for_others_is_not(shop, payload, events_from) -> None:
    outcomes = {}

    def take(body: bytes, _: str) -> int:
        event = json.loads(body)
        told_id = (event.get("related_object") or event.get("data", {}).get("object"))["id"]
        outcomes.setdefault(told_id, []).append(shop.webhook(event))
        return 200

    shop.fake.send_webhooks_to(take, WEBHOOK_SECRET, payload=payload, events_from=events_from)
    mine = shop.create().payment_intent_id
    shop.fake.pay(mine, account=MINE)
    with opened("async" if shop.asynchronous else "sync", stripe_account=OTHER) as theirs:
        theirs.fake = shop.fake
        theirs.gateway = theirs.new_gateway()
        other = theirs.create().payment_intent_id
        shop.fake.pay(other, account=OTHER)
    shop.fake.deliver()
    assert EventOutcome.APPLIED in outcomes[mine]
    assert set(outcomes[other]) == {EventOutcome.IGNORED}
    assert shop.booking().status is BookingStatus.CONFIRMED
