"""The rules at their edges: ledgers as they seldom are, the first and the last of a range, answers that come too late."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support import (
    INTENT_ID,
    NOW,
    OWNER,
    POLICY,
    PRICE,
    TICK,
    Driver,
    booking,
    collected,
    declined,
    listed,
    opened,
    refund_request,
    refund_view,
    seen,
    view,
)

from airport_payments.core.announcements import Announcement, BookingCancelled, DeadLetter, Delivery, Pending
from airport_payments.core.commands import CreateRefund, FindIntent, ListRefunds, RetrieveIntent
from airport_payments.core.decide import decide
from airport_payments.core.decide.draft import Draft, NotCompleted, RedeliverReply, after
from airport_payments.core.decide.requests import step
from airport_payments.core.decide.route import Ask, EventHead, Ignore, Ours, route
from airport_payments.core.decide.table import (
    KEY_FORGOTTEN,
    LOOK_FIRST,
    MAX_DEAD_LETTERS,
    MAX_DELIVERIES,
    MAX_PAYMENTS,
    MAX_REFUNDS,
    PROCESSING_FIRST,
    backoff,
)
from airport_payments.core.errors import BookingAlreadyPaid, BookingNotPayable, Busy, LedgerTooNew, RefundRefused
from airport_payments.core.facts import (
    Answer,
    BookingChanged,
    CancelRequested,
    ChargeRequested,
    ConfirmRequested,
    PaymentRequested,
    RedeliverRequested,
    RefusalKind,
    Refused,
    TimePassed,
)
from airport_payments.core.model import (
    BookingStatus,
    CancelReason,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
    Snapshot,
)
from airport_payments.core.options import PaymentOptions
from airport_payments.core.refund import Refund, RefundState

OPEN = Payment("a1", PRICE, PaymentState.OPEN, INTENT_ID, IntentStatus.REQUIRES_PAYMENT_METHOD, opened_at=NOW)
PAID = replace(
    OPEN, state=PaymentState.SUCCEEDED, stripe_status=IntentStatus.SUCCEEDED, place=Place.ATTACHED,
    received_minor=PRICE.amount_minor,
)  # fmt: skip
PENDING_REFUND = Refund("a1.0", 100, RefundState.PENDING, refund_id="re_1", asked_at=NOW)
ASK = PaymentRequested(OWNER, PRICE, "a9")
CHARGE = ChargeRequested(OWNER, PRICE, "a9", "pm_1", PaymentOptions())


def driver(*payments: Payment, policy=POLICY, status=BookingStatus.PENDING, **more) -> Driver:
    return Driver(Snapshot(booking(status=status), Ledger(1, payments, **more)), policy=policy)


class TestNewer:
    """A ledger that a newer version of this library wrote."""

    def test_it_is_read_but_neither_changed_nor_acted_upon(self):
        snapshot = Snapshot(booking(), Ledger(1, (OPEN,), newer=True))
        message = "the ledger of booking BK-1 was written by a newer version of this library"
        changing, acting = ASK, ConfirmRequested(OWNER, INTENT_ID)
        due = Snapshot(booking(), Ledger(1, (replace(OPEN, look_at=NOW),), newer=True))
        for before, fact in (
            (snapshot, CancelRequested(CancelReason.ASKED)),
            (snapshot, acting),
            (due, TICK),
            (snapshot, changing),
        ):
            decision = decide(before, fact, NOW, POLICY)
            assert isinstance(decision.reply, LedgerTooNew), fact
            assert str(decision.reply) == message
            assert decision.problem is decision.reply
            assert decision.change is decision.act is None
        assert isinstance(decide(snapshot, ConfirmRequested("mallory", INTENT_ID), NOW, POLICY).reply, Exception)
        quiet = decide(snapshot, TICK, NOW, POLICY)
        assert not isinstance(quiet.reply, LedgerTooNew)
        assert quiet.problem is None

    def test_what_only_changes_it_is_refused_too(self):
        paid = Snapshot(booking(), Ledger(1, (replace(OPEN, closing=True),), newer=True))
        decision = decide(paid, CancelRequested(CancelReason.ASKED), NOW, POLICY)
        assert isinstance(decision.reply, LedgerTooNew)


class TestLooking:
    @pytest.mark.parametrize("asker", [ASK, CHARGE], ids=lambda asker: type(asker).__name__)
    def test_an_intent_that_was_just_seen_is_not_handed_out_for_another(self, asker):
        draft = Draft(Snapshot(booking(), Ledger(1, (OPEN,))), NOW, POLICY)
        act, reply = step(draft, asker, view("requires_payment_method", "a1", "pi_other"))
        assert act == RetrieveIntent("a1", INTENT_ID)
        assert reply is None

    def test_nor_for_the_one_that_a_customer_asks_about(self):
        draft = Draft(Snapshot(booking(), Ledger(1, (OPEN,))), NOW, POLICY)
        act, _ = step(draft, ConfirmRequested(OWNER, INTENT_ID), view("succeeded", "a1", "pi_other"))
        assert act == RetrieveIntent("a1", INTENT_ID)

    @pytest.mark.parametrize("asker", [ASK, CHARGE], ids=lambda asker: type(asker).__name__)
    def test_an_attempt_without_a_command_is_looked_for_by_its_marks(self, asker):
        opening = Payment("a1", PRICE, PaymentState.OPENING, opened_at=NOW - timedelta(hours=1))
        found = driver(opening).feed(asker).act
        assert found == FindIntent("a1", "BK-1", "airport", NOW - timedelta(hours=1))

    @pytest.mark.parametrize(
        ("asker", "status"),
        [
            (ASK, "requires_payment_method"),
            (CHARGE, "requires_payment_method"),
            (CHARGE, "requires_action"),
            (ConfirmRequested(OWNER, INTENT_ID), "requires_action"),
        ],
    )
    def test_what_is_handed_out_or_charged_is_looked_at_as_when_it_was_opened(self, asker, status):
        first, day = NOW + LOOK_FIRST, NOW + timedelta(days=1)
        for look_at, looks, then in (
            (None, 11, (first, 1)),
            (None, 0, (first, 1)),
            (day, 9, (first, 1)),
            (NOW + timedelta(minutes=1), 2, (first, 1)),
            # Its first look is still to come, so there is nothing to write.
            (first - timedelta(minutes=1), 1, (first - timedelta(minutes=1), 1)),
            (NOW + timedelta(minutes=1), 0, (NOW + timedelta(minutes=1), 0)),
        ):
            told = driver(replace(OPEN, look_at=look_at, looks=looks))
            decision = told.feed(asker)
            assert decision.act == RetrieveIntent("a1", INTENT_ID)
            told.feed(Answer(decision.act, seen(status), told.snapshot.ledger.version, asker))
            assert (told.payment.look_at, told.payment.looks) == then

    def test_charges_that_are_declined_use_up_none_of_the_looks(self):
        told = driver(replace(OPEN, look_at=NOW + LOOK_FIRST, looks=1))
        bad = declined(decline_code="insufficient_funds")
        after = seen("requires_payment_method", failure=bad)
        for _ in range(30):
            told.now += timedelta(hours=20)
            told.ask(CHARGE, seen("requires_payment_method"), Refused(RefusalKind.CARD, "card_declined", bad, after))
            assert told.payment.look_at == told.now + LOOK_FIRST * 2
        told.tick(seen("succeeded"), after=LOOK_FIRST * 2)
        assert told.payment.state is PaymentState.SUCCEEDED

    def test_what_is_not_handed_out_is_looked_at_as_it_was(self):
        for changes in ({"stray": True}, {"closing": True}):
            told = driver(replace(OPEN, look_at=None, looks=11, failure=declined(), **changes))
            reply = told.confirm(seen("requires_action", failure=declined()))
            assert told.payment.look_at is None
            assert reply == NotCompleted(told.booking, IntentStatus.REQUIRES_ACTION, declined(), None)

    def test_one_that_was_looked_at_to_the_end_is_looked_at_anew_when_its_money_is_held(self):
        told = driver(replace(OPEN, look_at=None, looks=11))
        told.event(view("requires_capture"))
        assert (told.payment.look_at, told.payment.looks) == (NOW + LOOK_FIRST, 0)

    def test_money_that_goes_back_lets_it_be_looked_at_now_but_a_look_that_is_due_goes_on(self):
        for look_at, looks, then in ((None, 11, 0), (NOW + LOOK_FIRST, 3, 0), (NOW, 3, 3), (NOW - LOOK_FIRST, 3, 3)):
            told = driver(replace(OPEN, look_at=look_at, looks=looks))
            told.refund_event(refund_view("re_1", 100))
            assert (told.payment.look_at, told.payment.looks) == (min(look_at or NOW, NOW), then)

    def test_a_refund_of_no_intent_is_not_one_of_an_attempt_that_has_none_yet(self):
        told = driver(Payment("a1", PRICE, PaymentState.OPENING, opened_at=NOW))
        assert told.refund_event(refund_view("re_1", 100, intent_id=None)).change is None

    def test_a_canceled_payment_of_which_nothing_is_known_is_being_looked_up(self):
        reply = driver(replace(OPEN, state=PaymentState.CANCELED, stripe_status=None)).confirm()
        assert isinstance(reply, Busy)
        assert str(reply) == "the payment is still being looked up"

    def test_what_is_to_be_closed_and_is_not_known_exactly_is_looked_at_first(self):
        told = driver(replace(OPEN, stripe_status=None, closing=True))
        told.feed(TICK)
        assert told.payment.look_at == NOW

    def test_what_is_to_be_closed_and_is_processing_is_looked_at_soon(self):
        told = driver(replace(OPEN, stripe_status=IntentStatus.PROCESSING, closing=True))
        told.feed(TICK)
        assert told.payment.look_at == NOW + PROCESSING_FIRST
        assert not told.effects

    def test_a_wait_doubles_twenty_times_and_then_stays(self):
        first = timedelta(microseconds=1)
        assert [backoff(first, timedelta(days=1), n) // first for n in (0, 1, 19, 20, 21, 10**6)] == [
            1,
            2,
            2**19,
            *[2**20] * 3,
        ]


class TestTooLate:
    def test_after_as_many_attempts_as_there_may_be_none_is_opened(self):
        gone = tuple(
            replace(OPEN, attempt_id=f"x{n}", intent_id=f"pi_x{n}", state=PaymentState.CANCELED)
            for n in range(MAX_PAYMENTS)
        )
        reply = driver(*gone).request()
        assert isinstance(reply, BookingNotPayable)
        assert str(reply) == "the booking had 100 attempts already"
        assert driver(*gone[1:]).feed(ASK).act is not None

    def test_a_booking_that_the_team_confirmed_is_not_cancelled_for_a_payment_that_is_gone(self):
        gone = replace(OPEN, state=PaymentState.CANCELED, stripe_status=IntentStatus.CANCELED)
        assert isinstance(driver(gone, status=BookingStatus.CONFIRMED).cancel(), BookingAlreadyPaid)

    def test_a_refusal_of_a_refund_that_is_not_known_changes_no_refund(self):
        told = collected()
        command = CreateRefund("a1", "a1.7", "BK-1", "airport", INTENT_ID, 1, None, "key", NOW, NOW)
        refused = Refused(RefusalKind.INVALID, "a_code: no")
        decision = told.feed(Answer(command, refused, told.snapshot.ledger.version, TimePassed()))
        assert not told.payment.refunds
        assert isinstance(decision.problem, RefundRefused)

    def test_a_refusal_that_comes_after_the_refund_was_seen_changes_nothing(self):
        told = collected()
        command = told.feed(refund_request()).act
        told.refund_event(refund_view("re_1", state="pending", ref=command.ref))
        told.feed(
            Answer(command, Refused(RefusalKind.INVALID, "a_code: no"), told.snapshot.ledger.version, TimePassed())
        )
        assert told.refund_states == ["pending"]

    def test_after_as_many_refunds_as_there_may_be_none_is_made(self):
        many = tuple(
            replace(PENDING_REFUND, ref=f"a1.{n}", refund_id=f"re_{n}", amount_minor=1) for n in range(MAX_REFUNDS)
        )
        reply = driver(replace(PAID, refunds=many), status=BookingStatus.CONFIRMED).refund()
        assert isinstance(reply, RefundRefused)
        assert str(reply) == "the payment had 100 refunds already"
        fewer = driver(replace(PAID, refunds=many[1:], refund_orders=MAX_REFUNDS), status=BookingStatus.CONFIRMED)
        assert fewer.feed(refund_request()).act is not None


class TestListing:
    def test_a_list_that_shows_nothing_to_wait_for_changes_nothing_where_none_is_planned(self):
        told = driver(replace(PAID, refund_looks=3), status=BookingStatus.CONFIRMED)
        fact = Answer(ListRefunds("a1", INTENT_ID), listed(), 1, TimePassed())
        assert told.feed(fact).change is None

    def test_a_list_before_its_time_leaves_the_next_one_where_it_was_planned(self):
        planned = NOW + timedelta(hours=2)
        told = driver(
            replace(PAID, refunds=(PENDING_REFUND,), refunds_at=planned, refund_looks=3), status=BookingStatus.CONFIRMED
        )
        assert told.feed(Answer(ListRefunds("a1", INTENT_ID), listed(), 1, TimePassed())).change is None

    def test_a_refused_refund_is_looked_for_until_its_key_is_forgotten_and_no_longer(self):
        refused = replace(PENDING_REFUND, refund_id=None, state=RefundState.REFUSED)
        for wait, left in ((KEY_FORGOTTEN, False), (KEY_FORGOTTEN - timedelta(seconds=1), True)):
            told = driver(replace(PAID, refunds=(refused,), refunds_at=NOW), status=BookingStatus.CONFIRMED)
            told.tick(listed(), after=wait)
            assert (told.payment.refunds_at is not None) is left

    def test_a_list_that_is_due_stays_due_whatever_one_refund_comes_to(self):
        told = collected()
        told.hint(500)
        told.now += LOOK_FIRST
        told.refund_event(refund_view("re_5", 200))
        assert told.payment.refunds_at == NOW

    def test_money_that_was_to_go_back_is_not_in_review_while_a_list_is_due(self):
        back = replace(PAID, place=Place.REFUNDED, refunds=(PENDING_REFUND,), refunds_at=NOW)
        told = driver(back, status=BookingStatus.CANCELLED)
        told.feed(BookingChanged())
        assert told.payment.place is Place.REFUNDED
        later = driver(replace(back, refunds_at=NOW + LOOK_FIRST), status=BookingStatus.CANCELLED)
        later.feed(BookingChanged())
        assert later.payment.place is Place.REVIEW

    def test_a_mark_of_another_application_uses_up_no_number(self):
        told = collected()
        told.refund_event(replace(refund_view("re_1", 100, ref="a1.3"), namespace="another"))
        assert told.payment.refund_orders == 0
        told.refund_event(refund_view("re_2", 100, ref="a1.3"))
        assert told.payment.refund_orders == 4

    def test_who_names_no_payment_means_the_one_that_has_money(self):
        empty = replace(PAID, place=Place.KEPT, refunds=(replace(PENDING_REFUND, amount_minor=PRICE.amount_minor),))
        one_cent = replace(
            PAID, attempt_id="a2", intent_id="pi_2", place=Place.KEPT, refund_orders=1,
            refunds=(replace(PENDING_REFUND, ref="a2.0", refund_id="re_2", amount_minor=PRICE.amount_minor - 1),),
        )  # fmt: skip
        told = driver(empty, one_cent)
        command = told.feed(refund_request()).act
        assert isinstance(command, CreateRefund)
        assert (command.intent_id, command.amount_minor) == ("pi_2", 1)


class TestConfirming:
    def test_a_status_is_told_as_it_was_just_seen(self):
        reply = opened().confirm(seen("processing", livemode=True))
        assert isinstance(reply, NotCompleted)
        assert reply.status is IntentStatus.PROCESSING


class TestDeadLetters:
    def test_redelivery_leaves_those_alone_who_still_wait_for_the_same_announcement(self):
        told = BookingCancelled(booking_id="BK-1", sequence=1, at=NOW, reason="asked")
        waiting = Delivery("audit", NOW + LOOK_FIRST, 4)
        letters = tuple(DeadLetter(told, name, 36, NOW, "E") for name in ("mail", "sms"))
        shop = driver(announcements=(Pending(told, (waiting,)),), dead_letters=letters)
        reply = shop.ask(RedeliverRequested(1))
        assert reply == RedeliverReply(("mail", "sms"))
        (pending,) = shop.snapshot.ledger.announcements
        assert pending.deliveries == (waiting, Delivery("mail", NOW), Delivery("sms", NOW))
        assert shop.history == ["announcement 1 to be delivered again: mail, sms"]

    def test_which_of_too_many_is_dropped_stands_in_the_history(self):
        told = BookingCancelled(booking_id="BK-1", sequence=99, at=NOW, reason="asked")
        old = tuple(DeadLetter(replace(told, sequence=n), "mail", 36, NOW, "E") for n in range(MAX_DEAD_LETTERS))
        last = Pending(told, (Delivery("mail", NOW, MAX_DELIVERIES),))
        shop = driver(announcements=(last,), dead_letters=old)
        change = shop.feed(TimePassed(((Announcement, "mail"),))).change
        assert [(line.fact, line.decision) for line in change.history] == [
            ("delivery", "announcement 99 (BookingCancelled) given up for mail after 36 tries: no answer"),
            ("delivery", "dead letter 0 for mail dropped: there are too many"),
        ]
        assert [letter.announcement.sequence for letter in shop.snapshot.ledger.dead_letters] == [
            *range(1, MAX_DEAD_LETTERS),
            99,
        ]

    def test_what_is_taken_up_stays_while_later_announcements_are(self):
        first = BookingCancelled(booking_id="BK-1", sequence=1, at=NOW, reason="asked")
        taken = Pending(first, (Delivery("mail", NOW + LOOK_FIRST, 1),))
        shop = driver(announcements=(taken, Pending(replace(first, sequence=2)), Pending(replace(first, sequence=3))))
        shop.feed(TimePassed(((Announcement, "mail"),)))
        kept = shop.snapshot.ledger.announcements
        assert kept[0] == taken
        assert [[d.subscriber for d in p.deliveries] for p in kept] == [["mail"]] * 3


def test_what_was_saved_is_what_the_next_reading_shows():
    told = opened()
    told.team(hold_until=NOW)
    decision = told.feed(TICK)
    assert decision.change is not None
    before = decision.change
    assert after(before) == Snapshot(before.read.booking, before.ledger)
    moved = replace(before, booking_status=BookingStatus.CANCELLED)
    assert after(moved) == Snapshot(replace(before.read.booking, status=BookingStatus.CANCELLED), before.ledger)


HEAD = EventHead("payment_intent.succeeded", False, None, None, "airport", "BK-1")


@pytest.mark.parametrize(
    ("head", "becomes"),
    [
        (HEAD, Ours("BK-1")),
        (replace(HEAD, namespace=None), Ask()),
        (replace(HEAD, booking_id=None), Ask()),
        (replace(HEAD, type="refund.updated"), Ask()),
        (replace(HEAD, type="customer.created"), Ignore("a type that is not handled")),
        (
            replace(HEAD, livemode=True),
            Ignore(
                "of the other mode: this endpoint's secret and STRIPE_SECRET_KEY disagree about live and test",
                alarm=True,
            ),
        ),
        (
            replace(HEAD, account="acct_other"),
            Ignore(
                "of another account: this endpoint listens to more accounts than the one that the settings name",
                alarm=True,
            ),
        ),
        (replace(HEAD, namespace="another"), Ignore("another application's object")),
    ],
)
def test_rule_10_whose_an_event_is_and_why_not_ours(head, becomes):
    assert route(head, POLICY) == becomes
