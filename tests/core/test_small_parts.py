"""Secrets, ids, routing, the table of transitions, reports and the ledger's document."""

import copy
import dataclasses
import json
import pickle
import traceback
from dataclasses import replace
from itertools import product

import pytest
from tests.support import NOW, POLICY, PRICE, booking, declined, opened, view

from airport_payments.core.announcements import (
    BookingConfirmed,
    DeadLetter,
    Delivery,
    PaymentFailed,
    PaymentNeedsReview,
    Pending,
)
from airport_payments.core.codec import UnreadableLedger, dump, load
from airport_payments.core.commands import CancelIntent, CreateIntent
from airport_payments.core.decide.route import HANDLED, Ask, EventHead, Ignore, Ours, Subject, route, unsaid
from airport_payments.core.decide.table import FORWARD, STATE_OF
from airport_payments.core.errors import InvalidRequest
from airport_payments.core.ids import check_booking_id, check_idempotency_key, check_intent_id
from airport_payments.core.model import (
    BookingStatus,
    Failure,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
    Policy,
    RequestKey,
    ReviewReason,
    Snapshot,
)
from airport_payments.core.options import PaymentOptions
from airport_payments.core.secret import Secret
from airport_payments.core.views import PaymentStatus, report

CANARY = "sk_live_CANARY"


class TestSecret:
    @pytest.mark.parametrize(
        "show",
        [repr, str, "{}".format, "{:>40}".format, "{!r}".format, "%s".__mod__, "%r".__mod__, lambda s: f"{s}", lambda s: repr([s]),
         lambda s: repr({"key": s}), lambda s: repr(replace(view("processing"), client_secret=s)), lambda s: "".join(map(str, dir(s))),
         lambda s: traceback.format_exception(ValueError(s)), lambda s: logged(s)],
    )  # fmt: skip
    def test_no_way_of_showing_it_shows_it(self, show) -> None:
        assert "CANARY" not in str(show(Secret(CANARY)))

    @pytest.mark.parametrize(
        "take",
        [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, lambda s: copy.deepcopy([s]), lambda s: dataclasses.asdict(Holder(s)),
         lambda s: pickle.dumps(view("processing", client_secret=s)), lambda s: s.__reduce__(), lambda s: s.__reduce_ex__(2), vars],
    )  # fmt: skip
    def test_what_would_carry_it_off_is_refused(self, take) -> None:
        with pytest.raises(TypeError) as caught:
            take(Secret(CANARY))
        assert "CANARY" not in str(caught.value)

    def test_a_traceback_with_its_locals_does_not_show_it(self) -> None:
        held = Secret(CANARY)
        try:
            _ = 1 / 0 if held else None
        except ZeroDivisionError as error:
            shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert "held = [secret]" in shown
        assert "CANARY" not in shown

    def test_it_is_a_value(self) -> None:
        assert Secret("a") == Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert hash(Secret("a")) == hash(Secret("a"))
        assert (bool(Secret("")), bool(Secret("a")), Secret("a").reveal()) == (False, True, "a")


@dataclasses.dataclass
class Holder:
    secret: Secret


def logged(secret: Secret) -> str:
    import logging

    return logging.LogRecord("n", 10, "p", 1, "%s %r", (secret, secret), None).getMessage()


class TestIds:
    @pytest.mark.parametrize("good", ["BK-1", "a", "x" * 128, "A.b_c~d:e@f-0", "..a", "0"])
    def test_booking_ids(self, good) -> None:
        assert check_booking_id(good) == good

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            ".",
            "..",
            "...",
            "x" * 129,
            "a b",
            "a/b",
            "a\\b",
            "a\n",
            "\na",
            "a\x00",
            "ä",
            "１",
            "a%2f",
            "a?b",
            "a#b",
            "a'--",
            "<a>",
        ],
    )
    def test_other_booking_ids_are_refused(self, bad) -> None:
        with pytest.raises(InvalidRequest) as caught:
            check_booking_id(bad)
        assert [e.field for e in caught.value.errors] == ["bookingId"]

    @pytest.mark.parametrize("good", ["pi_12345678", "pi_3PJk2L2eZvKYlo2C12345678", "pi_" + "x" * 252, "pi_a_b_c_d_e"])
    def test_intent_ids(self, good) -> None:
        assert check_intent_id(good) == good

    @pytest.mark.parametrize(
        "bad", ["", "pi_", "..", "pi_1234567", "PI_12345678", "ch_12345678", "pi_x/../charges", "pi_12345678\n", "pi_1234567ä", "pi_" + "x" * 253,
                " pi_12345678", "pi_12345678?x=1", "pi_12345678_secret_x-y"]
    )  # fmt: skip
    def test_other_intent_ids_are_refused_before_they_reach_a_url(self, bad) -> None:
        with pytest.raises(InvalidRequest):
            check_intent_id(bad)

    @pytest.mark.parametrize(("key", "ok"), [("a", True), ("!~" * 100, True), ("x" * 255, True), ("x" * 256, False), ("", False), ("a b", False),
                                             ("a\n", False), ("a\r\nX: y", False), ("ä", False), ("\x7f", False)])  # fmt: skip
    def test_idempotency_keys(self, key, ok) -> None:
        if ok:
            assert check_idempotency_key(key) == key
            return
        with pytest.raises(InvalidRequest):
            check_idempotency_key(key)


class TestRoute:
    HEAD = EventHead("payment_intent.succeeded", False, None, None, "airport", "BK-1")

    @pytest.mark.parametrize(
        ("changes", "way"),
        [
            ({}, Ours("BK-1")),
            ({"type": "charge.succeeded"}, Ignore),
            ({"type": "charge.refunded"}, Ask()),
            ({"type": "refund.created", "namespace": "hotel"}, Ask()),
            ({"type": ""}, Ignore),
            ({"namespace": "hotel"}, Ignore),
            ({"namespace": None}, Ask()),
            ({"booking_id": None}, Ask()),
            ({"namespace": None, "booking_id": None}, Ask()),
        ],
    )
    def test_whose_it_is(self, changes, way) -> None:
        got = route(replace(self.HEAD, **changes), POLICY)
        assert got == way or (isinstance(way, type) and isinstance(got, way) and not got.alarm)

    @pytest.mark.parametrize(
        "changes", [{"livemode": True}, {"account": "acct_1"}, {"context": "x"}, {"account": ""}, {"context": ""}]
    )
    def test_pain_16_the_other_mode_and_other_accounts_raise_the_alarm(self, changes) -> None:
        got = route(replace(self.HEAD, **changes), POLICY)
        assert isinstance(got, Ignore)
        assert got.alarm

    def test_a_type_that_is_not_handled_raises_no_alarm_even_of_another_account(self) -> None:
        head = replace(self.HEAD, type="charge.succeeded", livemode=True, account="acct_1")
        assert route(head, POLICY) == Ignore("a type that is not handled")

    @pytest.mark.parametrize("told", [{"account": "acct_1"}, {"context": "acct_1"}, {"context": "acct_0/acct_1"}])
    @pytest.mark.parametrize("ours", [{"account": "acct_1"}, {"context": "acct_1"}, {"context": "acct_0/acct_1"}])
    def test_an_event_of_the_account_that_the_settings_name_is_ours(self, ours, told) -> None:
        """A context is a path down to the account that is meant, seen from whoever the key, or the endpoint, belongs to."""
        mine = Policy("airport", livemode=False, **ours)
        assert route(replace(self.HEAD, **told), mine) == Ours("BK-1")
        assert not unsaid(told.get("account"), told.get("context"), mine)

    @pytest.mark.parametrize("told", [{"account": "acct_0"}, {"context": "acct_1/acct_2"}, {"context": "acct_1/"}])
    @pytest.mark.parametrize("ours", [{"account": "acct_1"}, {"context": "acct_1"}, {"context": "acct_0/acct_1"}])
    def test_an_event_of_another_account_than_the_settings_name_raises_the_alarm(self, ours, told) -> None:
        got = route(replace(self.HEAD, **told), Policy("airport", livemode=False, **ours))
        assert isinstance(got, Ignore)
        assert got.alarm

    def test_an_event_that_does_not_say_whose_it_is_has_to_be_asked_about(self) -> None:
        mine = Policy("airport", livemode=False, account="acct_1")
        assert route(self.HEAD, mine) == Ours("BK-1")
        assert unsaid(None, None, mine)
        assert not unsaid(None, None, POLICY)

    def test_the_table_of_events_says_what_each_is_about(self) -> None:
        for kind, subject in HANDLED.items():
            expected = {"payment_intent": Subject.INTENT, "refund": Subject.REFUND}.get(kind.partition(".")[0])
            if kind.startswith("charge.dispute."):
                expected = Subject.DISPUTE
            elif kind.startswith("charge."):
                expected = Subject.CHARGE if kind == "charge.refunded" else Subject.REFUND
            assert subject is expected, kind
        assert {"refund.created", "refund.updated", "refund.failed", "charge.refunded"} <= set(HANDLED)
        ends = ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
        assert {f"charge.dispute.{end}" for end in ends} <= set(HANDLED)

    @pytest.mark.parametrize("kind", [k for k, s in HANDLED.items() if s is not Subject.INTENT])
    def test_what_happens_to_money_later_is_ours_if_its_intent_is_whatever_its_own_marks_say(self, kind) -> None:
        for marks in ({}, {"namespace": "hotel"}, {"namespace": None, "booking_id": None}):
            assert route(replace(self.HEAD, type=kind, **marks), POLICY) == Ask()

    def test_the_guides_two_events_are_handled(self) -> None:
        assert {"payment_intent.succeeded", "payment_intent.payment_failed"} <= set(HANDLED)


RANK = {
    PaymentState.OPENING: 0, PaymentState.ABANDONED: 0, PaymentState.OPEN: 1, PaymentState.REQUIRES_CAPTURE: 2,
    PaymentState.SUCCEEDED: 3, PaymentState.CANCELED: 3,
}  # fmt: skip


class TestTable:
    def test_every_status_of_stripes_has_its_state(self) -> None:
        assert set(STATE_OF) == set(IntentStatus)
        assert set(FORWARD) == set(PaymentState)

    @pytest.mark.parametrize(("state", "status"), list(product(PaymentState, IntentStatus)))
    def test_rule_5_every_pair_moves_forward_or_is_old_news(self, state, status) -> None:
        told = STATE_OF[status]
        forward = told in FORWARD[state]
        final = state in {PaymentState.SUCCEEDED, PaymentState.CANCELED}
        assert forward is (not final and RANK[told] >= RANK[state])

    @pytest.mark.parametrize(("state", "status"), list(product(PaymentState, IntentStatus)))
    def test_decide_obeys_the_table(self, state, status) -> None:
        if state in {PaymentState.OPENING, PaymentState.ABANDONED}:
            return  # they become OPEN first, by learning their PaymentIntent
        driver = opened()
        paid = driver.payment if state is PaymentState.OPEN else None
        if paid is None:
            driver.event(view(str(state)), "evt_0")
        before = driver.payment
        driver.event(view(status, charge_id="ch_new"))
        expected = STATE_OF[status] if STATE_OF[status] in FORWARD[state] else state
        assert driver.payment.state is expected
        if STATE_OF[status] not in FORWARD[state]:
            assert driver.payment == before

    def test_final_states_have_no_way_out(self) -> None:
        assert not FORWARD[PaymentState.SUCCEEDED]
        assert not FORWARD[PaymentState.CANCELED]


class TestReport:
    BASE = Payment("a1", PRICE, PaymentState.OPEN, "pi_00000001", IntentStatus.REQUIRES_PAYMENT_METHOD)

    def of(self, *payments: Payment, **changes: object):
        return report(Snapshot(booking(**changes), Ledger(1, payments)))

    def test_before_the_first_intent_it_is_pending_and_stripe_says_nothing(self) -> None:
        for payments in (
            (),
            (Payment("a1", PRICE, PaymentState.OPENING),),
            (Payment("a1", PRICE, PaymentState.ABANDONED),),
        ):
            got = self.of(*payments)
            assert (got.payment_status, got.stripe_status) == (PaymentStatus.PENDING, None)

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({}, "pending"),
            ({"stripe_status": IntentStatus.PROCESSING}, "pending"),
            ({"stripe_status": IntentStatus.REQUIRES_ACTION, "failure": declined()}, "pending"),
            ({"failure": declined()}, "failed"),
            ({"state": PaymentState.REQUIRES_CAPTURE, "stripe_status": IntentStatus.REQUIRES_CAPTURE}, "pending"),
            ({"state": PaymentState.CANCELED, "stripe_status": IntentStatus.CANCELED}, "canceled"),
            (
                {"state": PaymentState.SUCCEEDED, "stripe_status": IntentStatus.SUCCEEDED, "place": Place.ATTACHED},
                "completed",
            ),
            (
                {"state": PaymentState.SUCCEEDED, "stripe_status": IntentStatus.SUCCEEDED, "place": Place.REVIEW},
                "review",
            ),
        ],
    )
    def test_each_state_in_the_contracts_words(self, changes, status) -> None:
        payment = replace(self.BASE, **changes)
        got = self.of(payment)
        assert (got.payment_status, got.stripe_status) == (status, payment.stripe_status)

    def test_what_was_collected_speaks_before_what_is_open_and_that_before_what_ended(self) -> None:
        ended = replace(self.BASE, attempt_id="a0", state=PaymentState.CANCELED, stripe_status=IntentStatus.CANCELED)
        paid = replace(
            self.BASE,
            attempt_id="a2",
            state=PaymentState.SUCCEEDED,
            stripe_status=IntentStatus.SUCCEEDED,
            place=Place.ATTACHED,
        )
        held = replace(paid, attempt_id="a3", place=Place.REVIEW)
        stray = replace(ended, attempt_id="a4", stray=True)
        assert self.of(ended, self.BASE).payment_status == "pending"
        assert self.of(ended, self.BASE, held).payment_status == "review"
        assert self.of(ended, held, paid).payment_status == "completed"
        assert self.of(self.BASE, stray).payment_status == "pending"
        assert self.of(stray).stripe_status is None

    @pytest.mark.parametrize("status", BookingStatus)
    def test_the_bookings_own_status_is_the_teams(self, status) -> None:
        assert self.of(status=status).booking_status is status

    def test_the_words_are_the_contracts(self) -> None:
        words = "completed pending failed canceled refunded partially_refunded disputed review"
        assert {str(s) for s in PaymentStatus} == set(words.split())


class TestDocument:
    FULL = Ledger(
        7,
        (
            Payment("a1", PRICE, PaymentState.SUCCEEDED, "pi_00000001", IntentStatus.SUCCEEDED, place=Place.ATTACHED, received_minor=45099),
            Payment("a2", PRICE, PaymentState.SUCCEEDED, "pi_2", IntentStatus.SUCCEEDED, True, True, Failure("c", "m", None, "ch"), Place.REVIEW,
                    ReviewReason.SURPLUS, 1, ("x", "y"), NOW, NOW, 3, 4),
            Payment("a3", PRICE, PaymentState.OPENING),
        ),
        (CreateIntent("a3", "BK-1", "n", PRICE, "k", NOW, NOW, 1, 2), CancelIntent("a2", "pi_2", "k2", NOW, NOW, 3, 4)),
        (
            Pending(BookingConfirmed(booking_id="BK-1", sequence=1, at=NOW, payment_intent_id="pi_1", amount=PRICE), (Delivery("mailer", NOW, 2),)),
            Pending(PaymentFailed(booking_id="BK-1", sequence=2, at=NOW, error_code="c", decline_code=None)),
            Pending(PaymentNeedsReview(booking_id="BK-1", sequence=3, at=NOW, reason="late", amount_minor=1, currency="usd")),
        ),
        9,
        (RequestKey("k", "f"),),
        dead_letters=(DeadLetter(PaymentFailed(booking_id="BK-1", sequence=2, at=NOW, error_code="c"), "mailer", 36, NOW, "OSError"),),
    )  # fmt: skip

    def test_there_and_back_is_the_same_ledger(self) -> None:
        for ledger in (Ledger(), self.FULL):
            assert load(dump(ledger), ledger.version) == ledger

    def test_options_without_metadata_come_back_without_any(self) -> None:
        command = CreateIntent("a1", "BK-1", "n", PRICE, "k", NOW, NOW, options=PaymentOptions(description="Lounge"))
        ledger = Ledger(1, effects=(command,))
        assert load(dump(ledger), 1) == ledger

    def test_a_ledger_without_payments_has_none_that_lives_or_is_attached(self) -> None:
        assert Ledger().live is None
        assert Ledger().attached is None
        assert self.FULL.attached == self.FULL.payments[0]

    @pytest.mark.parametrize("field", ["state", "status", "place", "review"])
    def test_an_unknown_word_of_a_newer_version_is_left_alone_and_never_guessed(self, field) -> None:
        doc = json.loads(dump(self.FULL))
        doc["payments"][1][field] = "word_of_tomorrow"
        with pytest.raises(UnreadableLedger):
            load(json.dumps(doc), 7)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda d: d.update(format=0), lambda d: d.pop("format"), lambda d: d.pop("payments"), lambda d: d.update(payments=None),
            lambda d: d["payments"][0].update(currency="xxx"), lambda d: d["payments"][0].update(amount=-1), lambda d: d["effects"][0].update(do="refund"),
            lambda d: d["announcements"][0].update(kind="tomorrow"), lambda d: d["effects"][0].pop("key"), lambda d: d["payments"][1].update(failure=[1]),
            lambda d: d["announcements"][0].update(deliveries=[["mailer"]]), lambda d: d["dead_letters"][0].pop("told"), lambda d: d["dead_letters"][0].pop("error"),
        ],
    )  # fmt: skip
    def test_a_damaged_document_is_one_error_of_ours(self, damage) -> None:
        doc = json.loads(dump(self.FULL))
        damage(doc)
        with pytest.raises(UnreadableLedger) as caught:
            load(json.dumps(doc), 7)
        assert caught.value.http_status == 500

    @pytest.mark.parametrize("text", ["", "{", "null", "[]", "1", '{"format":1}'])
    def test_what_is_no_document_is_the_same_error(self, text) -> None:
        with pytest.raises(UnreadableLedger):
            load(text, 1)
