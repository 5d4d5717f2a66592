"""Small parts of the core, one rule each: what is written is checked, what is stored is named, what is shown is the newest."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.support import INTENT_ID, NOW, PRICE, booking

from airport_payments.core.codec import UnreadableLedger, dump, load
from airport_payments.core.codec.parts import from_us, to_us
from airport_payments.core.commands import CreateIntent
from airport_payments.core.dispute import Dispute, DisputeStatus
from airport_payments.core.errors import InvalidRequest, MethodNotAllowed, ReconcileInterrupted, StorageUnavailable
from airport_payments.core.keeping import check_before, check_pages, forgetting, is_settled
from airport_payments.core.model import (
    BookingStatus,
    CancelReason,
    Change,
    IntentStatus,
    Ledger,
    Payment,
    PaymentState,
    Place,
    RequestKey,
    Snapshot,
    check_booking,
    check_price,
)
from airport_payments.core.money import Money
from airport_payments.core.reconcile import Difference, DifferenceKind, differences
from airport_payments.core.refund import Refund, RefundState, ordinal_of
from airport_payments.core.secret import Secret
from airport_payments.core.views import DisputeToAnswer, PaymentStatus, attention, report

PAID = Payment(
    "a1", PRICE, PaymentState.SUCCEEDED, INTENT_ID, IntentStatus.SUCCEEDED, place=Place.ATTACHED,
    received_minor=PRICE.amount_minor,
)  # fmt: skip
CREATE = CreateIntent("a1", "BK-1", "airport", PRICE, "k", NOW, NOW, redirects=False)


def refused(call) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        call()
    return [(error.field, error.reason) for error in caught.value.errors]


class TestBookings:
    def test_one_that_may_be_written_is_returned(self):
        for good in (booking(), booking(hold_until=NOW, status=BookingStatus.CANCELLED)):
            assert check_booking(good) is good
        assert check_price(PRICE) is PRICE

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"id": ""}, ("bookingId", "1 to 128 letters, digits or . _ ~ : @ -")),
            ({"owner": ""}, ("owner", "the customer's id, as text that is not empty")),
            ({"price": 450}, ("price", 'a Money, such as Money.from_major("450.99", "USD")')),
            ({"status": "paid"}, ("status", "a BookingStatus: PENDING, CONFIRMED or CANCELLED")),
            (
                {"hold_until": datetime(2026, 1, 1)},
                ("hold_until", "a datetime with its time zone, such as datetime.now(UTC)"),
            ),
        ],
    )
    def test_one_that_may_not_names_the_field(self, changes, error):
        assert refused(lambda: check_booking(booking(**changes))) == [error]

    def test_what_is_none_is_said(self):
        assert refused(lambda: check_booking({"id": "BK-1"})) == [("booking", "a Booking")]


class TestDocuments:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{}", "a ledger that cannot be read (KeyError)"),
            ("[", "a ledger that cannot be read (JSONDecodeError)"),
            ('{"format": 0}', "a ledger of format 0: this version writes 1"),
            ('{"format": true}', "a ledger of format True: this version writes 1"),
            ('{"format": "1"}', "a ledger of format '1': this version writes 1"),
            ('{"format": 1, "payments": [], "effects": [{"do": "dance"}]}', "a ledger with an unknown command 'dance'"),
            (
                '{"format": 1, "payments": [], "announcements": [{"kind": "Rumour"}]}',
                "a ledger with an unknown announcement 'Rumour'",
            ),
        ],
    )
    def test_one_that_cannot_be_read_says_why(self, text, message):
        with pytest.raises(UnreadableLedger) as caught:
            load(text, 1)
        assert str(caught.value) == message

    def test_a_time_is_a_whole_number_of_microseconds(self):
        moment = NOW + timedelta(microseconds=1)
        assert type(to_us(moment)) is int
        assert from_us(to_us(moment)) == moment

    def test_what_is_false_is_written_as_false(self):
        (effect,) = json.loads(dump(Ledger(effects=(CREATE,))))["effects"]
        assert effect["redirects"] is False


class TestSecret:
    def test_it_is_shown_as_secret_in_the_width_that_is_asked_for(self):
        assert [f"{Secret('a')}", f"{Secret('a'):>10}", repr(Secret("a"))] == ["[secret]", "  [secret]", "[secret]"]

    def test_two_have_two_hashes_and_not_that_of_their_text(self):
        assert len({hash(Secret("a")), hash(Secret("b")), hash("a")}) == 3
        assert hash(Secret("a")) == hash(Secret("a"))

    def test_what_would_carry_it_off_is_told_what_to_do_instead(self):
        with pytest.raises(TypeError) as caught:
            Secret("a").__reduce__()
        assert str(caught.value) == "a Secret is not pickled or copied: pass it on, or call reveal() where it is used"


class TestErrors:
    def test_another_method_names_the_one_that_is_taken(self):
        assert MethodNotAllowed("POST").allow == "POST"

    def test_an_interrupted_reconcile_carries_what_stopped_it_and_what_was_found(self):
        reason, found = StorageUnavailable("down"), object()
        error = ReconcileInterrupted(reason, found)
        assert (error.reason, error.report) == (reason, found)
        assert str(error) == "storage_unavailable: down"


class TestKeeping:
    OLD = replace(
        PAID, news=("failed/ch_1",), refunds=(Refund("a1.0", 5, RefundState.REFUSED, failure="a_code: some words"),)
    )
    KEYS = (RequestKey("k", "f"),)

    def test_what_is_forgotten_is_one_change_of_the_document_and_nothing_else(self):
        read = Snapshot(booking(status=BookingStatus.CONFIRMED), Ledger(7, (self.OLD,), request_keys=self.KEYS))
        brief = replace(self.OLD, news=(), refunds=(replace(self.OLD.refunds[0], failure="a_code"),))
        assert forgetting(read) == Change(read, Ledger(8, (brief,)), None, (), None, ())

    def test_a_document_that_waits_for_a_person_still_does(self):
        waits = Dispute("dp_1", 1, "usd", DisputeStatus.NEEDS_RESPONSE, "fraudulent")
        change = forgetting(Snapshot(booking(), Ledger(7, (replace(self.OLD, disputes=(waits,)),))))
        assert change is not None
        assert change.due_at is not None

    def test_each_of_the_three_is_forgotten_also_alone(self):
        confirmed = booking(status=BookingStatus.CONFIRMED)
        alone = (
            Ledger(1, (replace(PAID, news=("x",)),)),
            Ledger(1, (replace(PAID, refunds=self.OLD.refunds),)),
            Ledger(1, (PAID,), request_keys=self.KEYS),
        )
        for ledger in alone:
            assert forgetting(Snapshot(confirmed, ledger)).ledger != ledger
        assert forgetting(Snapshot(booking(), alone[2])) is None
        assert forgetting(Snapshot(confirmed, Ledger(1, (PAID,)))) is None

    def test_a_command_or_a_cancellation_is_something_on_its_way(self):
        assert is_settled(Ledger(1, (PAID,)))
        for moving in ({"effects": (CREATE,)}, {"cancelling": CancelReason.ASKED}, {"newer": True}):
            assert not is_settled(Ledger(1, (PAID,), **moving))

    @pytest.mark.parametrize("before", [NOW + timedelta(seconds=1), datetime(2026, 1, 1), "2026-01-01"])
    def test_before_is_an_aware_time_that_is_not_in_the_future(self, before):
        check_before(NOW, NOW)
        error = ("before", "an aware datetime that is not in the future")
        assert refused(lambda: check_before(before, NOW)) == [error]

    @pytest.mark.parametrize("limit", [0, 100_001, True, "7"])
    def test_a_page_has_1_to_100000_bookings(self, limit):
        check_pages(None, 1)
        check_pages("BK-1", 100_000)
        assert refused(lambda: check_pages(None, limit)) == [("limit", "1 to 100000")]


class TestReading:
    def test_a_payment_that_is_not_there_is_none(self):
        assert Ledger(1, (PAID,)).payment_of_intent("pi_other") is None
        assert Ledger(1, (PAID,)).payment_of_intent(INTENT_ID) is PAID

    def test_the_ordinal_of_a_refund_follows_its_attempts_whole_name(self):
        refs = ("a.1.3", "a.1.9999", "a.1.10000", "a.3", "a.1.", "3", "a.1.-1", "a.1.٣")
        assert [ordinal_of(ref, "a.1") for ref in refs] == [3, 9999, -1, -1, -1, -1, -1, -1]

    def test_every_payment_that_differs_is_told(self):
        read = Snapshot(booking(), Ledger(1))
        other = replace(PAID, attempt_id="a2", intent_id="pi_2", stray=True)
        told = differences(Change(read, Ledger(2, (PAID, other)), None, (), None, ()))
        assert told == (
            Difference(DifferenceKind.MISSING, "BK-1", INTENT_ID, None, "succeeded", PRICE),
            Difference(DifferenceKind.ORPHAN, "BK-1", "pi_2", None, "succeeded", PRICE),
        )

    def test_what_is_live_speaks_before_what_was_kept_and_that_before_what_ended(self):
        kept = replace(PAID, place=Place.KEPT)
        live = replace(PAID, attempt_id="a2", intent_id="pi_2", state=PaymentState.OPEN, place=Place.NONE)
        live = replace(live, stripe_status=IntentStatus.PROCESSING)
        ended = replace(live, state=PaymentState.CANCELED, stripe_status=IntentStatus.CANCELED)
        for payments, status in (
            ((kept, live), IntentStatus.PROCESSING), ((live, kept), IntentStatus.PROCESSING),
            ((kept, ended), IntentStatus.SUCCEEDED), ((ended,), IntentStatus.CANCELED),
        ):  # fmt: skip
            assert report(Snapshot(booking(), Ledger(1, payments))).stripe_status is status

    def test_a_booking_that_stays_is_refunded_when_exactly_all_of_it_went_back(self):
        for back, status in (
            (PRICE.amount_minor, PaymentStatus.REFUNDED),
            (PRICE.amount_minor - 1, PaymentStatus.PARTIALLY_REFUNDED),
        ):
            refund = Refund("a1.0", back, RefundState.SUCCEEDED, refund_id="re_1")
            assert report(Snapshot(booking(), Ledger(1, (replace(PAID, refunds=(refund,)),)))).payment_status is status

    def test_a_dispute_to_answer_is_shown_with_its_date(self):
        waits = Dispute("dp_1", 7, "eur", DisputeStatus.NEEDS_RESPONSE, "fraudulent", due_by=NOW)
        shown = attention(Snapshot(booking(price=Money(1, "usd")), Ledger(1, (replace(PAID, disputes=(waits,)),))))
        assert shown.disputes == (
            DisputeToAnswer("dp_1", INTENT_ID, 7, "eur", DisputeStatus.NEEDS_RESPONSE, "fraudulent", NOW),
        )
