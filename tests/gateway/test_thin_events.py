"""Thin events: they name their object, which is fetched; then the same rules apply."""

import json
import logging

import pytest
from tests.support import WEBHOOK_SECRET

from airport_payments.core.decide.route import EventOutcome
from airport_payments.core.errors import InternalError, InvalidSignature, Misconfigured, StripeUnavailable
from airport_payments.core.model import BookingStatus
from airport_payments.testing import Fault


@pytest.fixture
def inbox(shop):
    """What Stripe sends to a destination of thin events: bodies, as they arrive."""
    bodies: list[bytes] = []
    shop.fake.send_webhooks_to(lambda body, header: bodies.append(body) or 200, WEBHOOK_SECRET, payload="thin")
    return bodies


def notes(shop, inbox, kind: str) -> list[dict]:
    """Return the thin events of this type that arrived so far."""
    shop.fake.deliver()
    return [n for n in map(json.loads, inbox) if n["type"] == f"v1.{kind}"]


def paid(shop) -> str:
    intent_id = shop.create().payment_intent_id
    shop.fake.pay(intent_id)
    return intent_id


def confirmed(shop) -> str:
    intent_id = paid(shop)
    assert shop.confirm(intent_id).completed
    return intent_id


def test_a_booking_is_confirmed_by_thin_events_alone(shop, inbox) -> None:
    paid(shop)
    (note,) = notes(shop, inbox, "payment_intent.succeeded")
    assert shop.webhook(note) is EventOutcome.APPLIED
    assert shop.booking().status is BookingStatus.CONFIRMED
    assert shop.webhook(note) is EventOutcome.UNCHANGED


def test_the_history_keeps_the_thin_events_id(shop, inbox) -> None:
    paid(shop)
    (note,) = notes(shop, inbox, "payment_intent.succeeded")
    shop.webhook(note)
    lines = shop.run(shop.memory.history("BK-1"))
    assert (lines[-1].event_id, lines[-1].fact) == (note["id"], "payment_intent.succeeded")


def test_a_thin_event_and_its_snapshot_are_one_happening(shop, inbox) -> None:
    paid(shop)
    (note,) = notes(shop, inbox, "payment_intent.succeeded")
    assert shop.webhook(note) is EventOutcome.APPLIED
    assert shop.webhook(shop.events("payment_intent.succeeded")[0]) is EventOutcome.UNCHANGED


def test_everything_that_happens_to_a_payment_is_told_by_thin_events(shop, inbox) -> None:
    """Late, so that each shows the end rather than its own moment, and again: the same end as with whole events."""
    intent_id = paid(shop)
    shop.fake.refund(intent_id, 100)
    dispute = shop.fake.dispute(intent_id)
    shop.fake.close_dispute(dispute["id"], "won")
    shop.fake.deliver()
    for note in [*inbox, *reversed(inbox)]:
        assert shop.webhook(json.loads(note)) is not EventOutcome.UNMATCHED
    shop.tick()
    (payment,) = shop.snapshot().ledger.payments
    assert shop.booking().status is BookingStatus.CONFIRMED
    assert [(r.amount_minor, r.state) for r in payment.refunds] == [(100, "succeeded")]
    assert [(d.status, d.withdrawn, d.reinstated) for d in payment.disputes] == [("won", True, True)]


def test_a_thin_charge_refunded_is_a_hint_to_list_the_refunds(shop, inbox) -> None:
    shop.fake.refund(confirmed(shop), 100)
    (note,) = notes(shop, inbox, "charge.refunded")
    assert shop.webhook(note) is EventOutcome.APPLIED
    shop.tick()
    assert [r.amount_minor for r in shop.snapshot().ledger.payments[0].refunds] == [100]


@pytest.mark.parametrize(
    "kind", ["payment_intent.succeeded", "refund.created", "charge.dispute.created", "charge.refunded"]
)
class TestTheFetch:
    @pytest.fixture
    def note(self, shop, inbox, kind):
        intent_id = confirmed(shop) if kind != "payment_intent.succeeded" else paid(shop)
        if "refund" in kind:
            shop.fake.refund(intent_id, 100)
        if "dispute" in kind:
            shop.fake.dispute(intent_id)
        return notes(shop, inbox, kind)[0]

    def test_no_address_of_the_payload_is_ever_fetched(self, shop, note) -> None:
        note["related_object"]["url"] = "https://evil.example/v1/steal"
        seen = len(shop.fake.requests)
        assert shop.webhook(note) is EventOutcome.APPLIED
        (asked,) = shop.fake.requests[seen:]
        assert (asked.method, asked.path.rpartition("/")[2]) == ("GET", note["related_object"]["id"])

    def test_stripe_away_is_not_acknowledged(self, shop, note) -> None:
        before = shop.snapshot()
        shop.fake.inject(Fault.connection_lost(), "GET", times=9)
        with pytest.raises(StripeUnavailable):
            shop.webhook(note)
        assert shop.snapshot() == before
        shop.fake.clear_faults()
        assert shop.webhook(note) is EventOutcome.APPLIED

    def test_a_refused_key_is_not_acknowledged(self, shop, note) -> None:
        shop.fake.inject(Fault.response(403, {"type": "invalid_request_error"}), "GET", times=9)
        with pytest.raises(Misconfigured):
            shop.webhook(note)

    def test_an_answer_that_cannot_be_read_is_not_acknowledged(self, shop, note) -> None:
        shop.fake.inject(Fault(status=200, body=b'{"id": "x"}'), "GET", times=9)
        with pytest.raises(InternalError):
            shop.webhook(note)

    def test_what_cannot_be_read_is_ignored_if_it_is_another_applications(self, shop, note) -> None:
        """Answered 5xx, it would be sent again for days, until Stripe disables the endpoint."""
        before = shop.snapshot()
        kind, object_id = note["related_object"]["type"], note["related_object"]["id"]
        strange = {"id": object_id, "object": kind, "status": "brand_new", "metadata": {}}
        theirs = {"id": "pi_of_somebody_else", "object": "payment_intent", "status": "brand_new", "metadata": {}}

        def answer(intent_id: object) -> None:
            shop.fake.clear_faults()
            for body in ({**strange, "payment_intent": intent_id}, theirs):
                shop.fake.inject(Fault(status=200, body=json.dumps(body).encode()), "GET")

        for nobodys in ("pi_of_somebody_else", {"id": "pi_of_somebody_else"}, None):
            answer(nobodys)
            assert shop.webhook(note) is EventOutcome.IGNORED
        shop.fake.clear_faults()
        assert shop.snapshot() == before
        if kind != "payment_intent":
            (intent_id,) = shop.fake.intents
            shop.fake.inject(
                Fault(status=200, body=json.dumps({**strange, "payment_intent": intent_id}).encode()), "GET", times=9
            )
            with pytest.raises(InternalError):
                shop.webhook(note)
        assert shop.snapshot() == before

    @pytest.mark.parametrize("wrong", ["", "..", "pi_", "re_x/../../charges", "ch_\r\nX: 1", "re_\u00e9", "x" * 300])
    def test_an_id_that_is_none_of_stripes_is_not_asked_for(self, shop, note, caplog, wrong) -> None:
        note["related_object"]["id"] = wrong
        asked = len(shop.fake.requests)
        if not wrong or note["related_object"]["type"] == "payment_intent":
            assert shop.webhook(note) is EventOutcome.IGNORED
            assert "ERROR" in [r.levelname for r in caplog.records]
        else:
            with pytest.raises(InternalError):
                shop.webhook(note)
        assert len(shop.fake.requests) == asked

    def test_an_object_that_stripe_does_not_have_is_ignored_with_an_alarm(self, shop, note, caplog) -> None:
        note["related_object"]["id"] = note["related_object"]["id"][:8] + "None"
        assert shop.webhook(note) is EventOutcome.IGNORED
        assert "ERROR" in [r.levelname for r in caplog.records]

    @pytest.mark.parametrize("change", [{"livemode": True}, {"context": "acct_1Other"}])
    def test_another_mode_or_account_is_ignored_before_anything_is_fetched(self, shop, note, caplog, change) -> None:
        before, asked = shop.snapshot(), len(shop.fake.requests)
        assert shop.webhook({**note, **change}) is EventOutcome.IGNORED
        assert "ERROR" in [r.levelname for r in caplog.records]
        assert (shop.snapshot(), len(shop.fake.requests)) == (before, asked)

    def test_another_applications_object_is_ignored(self, shop, note) -> None:
        other = type(shop)("async" if shop.asynchronous else "sync", namespace="hotel")
        try:
            other.fake = shop.fake
            other.gateway = other.new_gateway()
            assert other.webhook(note) is EventOutcome.IGNORED
            assert other.snapshot().ledger.version == 0
        finally:
            other.close()


@pytest.mark.parametrize(
    "kind", ["v2.core.account.closed", "v1.billing.meter.error_report_triggered", "v1.charge.succeeded"]
)
@pytest.mark.parametrize(
    "related", [None, {"id": "acct_1", "type": "v2.core.account", "url": "/v2/core/accounts/acct_1"}]
)
def test_unknown_types_are_ignored(shop, inbox, caplog, kind, related) -> None:
    caplog.set_level(logging.DEBUG, "airport_payments")
    shop.create()
    (note,) = notes(shop, inbox, "payment_intent.created")
    asked = len(shop.fake.requests)
    assert shop.webhook({**note, "type": kind, "related_object": related}) is EventOutcome.IGNORED
    assert len(shop.fake.requests) == asked
    assert [r.levelname for r in caplog.records if r.name == "airport_payments"] == ["DEBUG"]


def test_a_forged_thin_event_fetches_nothing(shop, inbox) -> None:
    paid(shop)
    (note,) = notes(shop, inbox, "payment_intent.succeeded")
    body, header = shop.signed(note)
    asked = len(shop.fake.requests)
    for forged in ((body + b" ", header), (body, None), (body, header[:-2] + "00")):
        with pytest.raises(InvalidSignature):
            shop.run(shop.gateway.handle_webhook(*forged))
    assert len(shop.fake.requests) == asked


def test_thin_events_come_in_envelopes_too(shop, inbox) -> None:
    paid(shop)
    (note,) = notes(shop, inbox, "payment_intent.succeeded")
    message = {"version": "0", "detail-type": note["type"], "source": "aws.partner/stripe.com", "detail": note}
    assert shop.handle(json.dumps(message)) is EventOutcome.APPLIED
    grid = {"specversion": "1.0", "type": note["type"], "source": "/stripe", "data": note}
    assert shop.handle(json.dumps(grid)) is EventOutcome.UNCHANGED
    assert shop.handle(json.dumps(note)) is EventOutcome.UNCHANGED


def test_thirty_two_at_once_confirm_once(shop, inbox) -> None:
    paid(shop)
    (note,) = notes(shop, inbox, "payment_intent.succeeded")
    body, header = shop.signed(note)
    outcomes = shop.together(*[lambda: shop.gateway.handle_webhook(body, header)] * 32)
    assert sorted(outcomes) == [EventOutcome.APPLIED] + [EventOutcome.UNCHANGED] * 31
    assert shop.history().count("paid: booking confirmed") == 1
