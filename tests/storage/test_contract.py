"""What every repository promises: each line of the Protocol's docstrings, on all of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.storage.builders import (
    LATER,
    NOW,
    OTHER_PRICE,
    booking,
    change,
    closed,
    line,
    opening,
    paying,
    payment,
)
from tests.storage.stores import Store, load

from airport_payments.core.model import BookingStatus, Change, HistoryLine, Ledger, PaymentState, Snapshot
from airport_payments.core.money import MAX_AMOUNT_MINOR, Money

DISTANT = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def due(store: Store, before: datetime = NOW, after: str | None = None, limit: int = 100) -> list[str]:
    return list(store.due(before=before, after=after, limit=limit))


# ---- get ----


def test_get_of_an_unknown_booking_is_none(store: Store) -> None:
    assert store.get("bk_nobody") is None
    assert store.get("") is None


def test_get_returns_the_teams_row_and_an_empty_ledger_before_the_first_save(store: Store) -> None:
    ours = booking(hold_until=LATER)
    store.add_booking(ours)
    assert store.get("bk_1") == Snapshot(ours, Ledger())


def test_get_returns_what_was_saved(store: Store) -> None:
    store.add_booking(booking())
    first = opening(load(store))
    assert store.save(first)
    assert load(store) == Snapshot(booking(), first.ledger)
    second = paying(load(store))
    assert store.save(second)
    assert load(store) == Snapshot(booking(status=BookingStatus.CONFIRMED), second.ledger)
    assert load(store).ledger.version == 2


def test_get_shows_the_row_as_the_team_has_it_now(store: Store) -> None:
    store.add_booking(booking())
    store.set_booking_price("bk_1", OTHER_PRICE)
    store.set_booking_status("bk_1", BookingStatus.CANCELLED)
    assert load(store).booking == booking(price=OTHER_PRICE, status=BookingStatus.CANCELLED)
    assert store.booking("bk_1") == booking(price=OTHER_PRICE, status=BookingStatus.CANCELLED)
    assert store.booking("bk_2") is None


# ---- find ----


def test_find_knows_every_intent_that_was_saved_and_no_other(store: Store) -> None:
    for number in (1, 2):
        store.add_booking(booking(f"bk_{number}"))
        assert store.save(change(load(store, f"bk_{number}"), payment("at", f"pi_{number}")))
    assert store.find("pi_1") == "bk_1"
    assert store.find("pi_2") == "bk_2"
    assert store.find("pi_3") is None
    assert store.find("") is None


def test_find_knows_closed_payments_too(store: Store) -> None:
    store.add_booking(booking())
    store.save(change(load(store), payment()))
    assert store.save(change(load(store), closed(payment()), payment("at_2", "pi_2")))
    assert store.find("pi_1") == store.find("pi_2") == "bk_1"


def test_find_forgets_an_intent_that_its_attempt_no_longer_has(store: Store) -> None:
    store.add_booking(booking())
    store.save(change(load(store), payment("at_1", "pi_1")))
    assert store.save(change(load(store), payment("at_1", "pi_2")))
    assert (store.find("pi_1"), store.find("pi_2")) == (None, "bk_1")


# ---- save: what makes it False, and that False writes nothing ----


def refused(store: Store, made: Change) -> None:
    before = store.dump()
    assert store.save(made) is False
    assert store.dump() == before


def full(read: Snapshot) -> Change:
    """A change that writes to every table."""
    return paying(read, "pi_9")


def without_status(read: Snapshot) -> Change:
    """A change that writes to every table but the team's."""
    return replace(full(read), booking_status=None)


both_kinds = pytest.mark.parametrize("make", [full, without_status])


def test_a_first_save_needs_the_booking_to_exist(store: Store) -> None:
    refused(store, full(Snapshot(booking("bk_nobody"))))


@both_kinds
@pytest.mark.parametrize("ahead", [-1, 1, 7])
def test_a_stale_or_invented_version_is_refused(store: Store, ahead: int, make: Callable[[Snapshot], Change]) -> None:
    store.add_booking(booking())
    for _ in range(2):
        assert store.save(change(load(store)))
    read = load(store)
    refused(store, make(replace(read, ledger=replace(read.ledger, version=2 + ahead))))


def test_a_first_save_is_refused_once_there_is_a_ledger(store: Store) -> None:
    store.add_booking(booking())
    read = load(store)
    assert store.save(change(read))
    refused(store, full(read))


def test_a_later_save_is_refused_while_there_is_no_ledger(store: Store) -> None:
    store.add_booking(booking())
    refused(store, full(Snapshot(booking(), Ledger(3))))


@both_kinds
@pytest.mark.parametrize("saves_before", [0, 1])
@pytest.mark.parametrize(
    "as_read",
    [
        booking(owner="cust_2"),
        booking(price=OTHER_PRICE),
        booking(price=Money(45099, "eur")),
        booking(status=BookingStatus.CANCELLED),
        booking(status=BookingStatus.CONFIRMED),
    ],
    ids=["owner", "amount", "currency", "cancelled", "confirmed"],
)
def test_a_fitting_version_is_refused_when_the_teams_row_is_another(
    store: Store, as_read: object, saves_before: int, make: Callable[[Snapshot], Change]
) -> None:
    store.add_booking(booking())
    for _ in range(saves_before):
        store.save(change(load(store), payment()))
    refused(store, make(replace(load(store), booking=as_read)))  # type: ignore[arg-type]


@both_kinds
@pytest.mark.parametrize("saves_before", [0, 1])
@pytest.mark.parametrize(
    "team",
    [
        lambda s: s.set_booking_status("bk_1", BookingStatus.CANCELLED),
        lambda s: s.set_booking_price("bk_1", OTHER_PRICE),
    ],
    ids=["cancelled", "repriced"],
)
def test_what_the_team_changes_after_the_read_refuses_the_save(
    store: Store, team: Callable[[Store], object], saves_before: int, make: Callable[[Snapshot], Change]
) -> None:
    store.add_booking(booking())
    for _ in range(saves_before):
        store.save(change(load(store)))
    made = make(load(store))
    team(store)
    refused(store, made)


def test_what_the_team_changes_and_changes_back_does_not_refuse_the_save(store: Store) -> None:
    store.add_booking(booking())
    made = full(load(store))
    store.set_booking_price("bk_1", OTHER_PRICE)
    store.set_booking_price("bk_1", booking().price)
    assert store.save(made)


def test_a_hold_that_the_team_moves_does_not_refuse_the_save(store: Store) -> None:
    store.add_booking(booking(hold_until=NOW))
    read = load(store)
    assert store.save(full(replace(read, booking=replace(read.booking, hold_until=LATER))))
    assert load(store).booking.hold_until == NOW


def test_a_second_payable_payment_is_refused(store: Store) -> None:
    store.add_booking(booking())
    store.save(change(load(store), payment()))
    refused(store, change(load(store), payment(), payment("at_2", "pi_2"), due=NOW, lines=[line("two")]))


@pytest.mark.parametrize("closing", ["first", "second", "both"])
def test_a_payment_that_is_being_cancelled_keeps_others_from_being_payable(store: Store, closing: str) -> None:
    store.add_booking(booking())
    one = payment("at_1", "pi_1", closing=closing != "second")
    two = payment("at_2", "pi_2", closing=closing != "first")
    refused(store, change(load(store), one, two))
    assert store.save(change(load(store), one))
    refused(store, change(load(store), one, two))


def test_the_next_payment_opens_once_the_last_is_closed(store: Store) -> None:
    store.add_booking(booking())
    store.save(change(load(store), payment()))
    assert store.save(change(load(store), closed(payment())))
    assert store.save(change(load(store), closed(payment()), payment("at_2", "pi_2")))


@pytest.mark.parametrize("order", [1, -1])
def test_one_change_may_close_a_payment_and_open_the_next_in_any_order(store: Store, order: int) -> None:
    store.add_booking(booking())
    store.save(change(load(store), payment("at_5", "pi_5")))
    both = [closed(payment("at_5", "pi_5")), payment("at_6", "pi_6")][::order]
    assert store.save(change(load(store), *both))


def test_any_number_of_strays_may_stand_beside_the_payable_one(store: Store) -> None:
    store.add_booking(booking())
    strays = [payment(f"at_{n}", f"pi_{n}", stray=True) for n in range(2, 5)]
    assert store.save(change(load(store), payment(), *strays))


def test_an_intent_of_another_booking_is_refused(store: Store) -> None:
    for number in (1, 2):
        store.add_booking(booking(f"bk_{number}"))
    store.save(change(load(store, "bk_1"), payment("at_1", "pi_1")))
    fine = payment("at_3", "pi_3", state=PaymentState.CANCELED)
    refused(store, change(load(store, "bk_2"), fine, payment("at_2", "pi_1"), due=NOW, lines=[line("stolen")]))
    assert store.find("pi_3") is None
    assert store.find("pi_1") == "bk_1"


def test_one_intent_on_two_attempts_of_a_booking_is_refused(store: Store) -> None:
    store.add_booking(booking())
    refused(store, change(load(store), payment("at_1", "pi_1", stray=True), payment("at_2", "pi_1")))


def test_the_same_attempt_id_may_stand_in_two_bookings(store: Store) -> None:
    for number in (1, 2):
        store.add_booking(booking(f"bk_{number}"))
        assert store.save(change(load(store, f"bk_{number}"), payment("at_same", f"pi_{number}")))


def test_payments_without_an_intent_do_not_collide(store: Store) -> None:
    for number in (1, 2):
        store.add_booking(booking(f"bk_{number}"))
        assert store.save(opening(load(store, f"bk_{number}"), f"at_{number}"))


def test_a_change_without_a_status_leaves_the_teams_row_alone(store: Store) -> None:
    store.add_booking(booking(status=BookingStatus.CANCELLED, hold_until=LATER))
    assert store.save(change(load(store), payment(stray=True)))
    assert store.booking("bk_1") == booking(status=BookingStatus.CANCELLED, hold_until=LATER)


def test_a_save_leaves_other_bookings_alone(store: Store) -> None:
    for number in (1, 2):
        store.add_booking(booking(f"bk_{number}"))
    store.save(opening(load(store, "bk_2"), "at_2"))
    before = load(store, "bk_2"), store.history("bk_2")
    assert store.save(full(load(store, "bk_1")))
    assert (load(store, "bk_2"), store.history("bk_2")) == before


# ---- due ----


def test_due_is_what_is_due_at_or_before(store: Store) -> None:
    moment = timedelta(microseconds=1)
    for name, at in {"early": NOW - moment, "exact": NOW, "late": NOW + moment, "never": None}.items():
        store.add_booking(booking(name))
        store.save(change(load(store, name), due=at))
    store.add_booking(booking("untouched"))
    assert due(store) == ["early", "exact"]
    assert due(store, NOW + moment) == ["early", "exact", "late"]
    assert due(store, NOW - 2 * moment) == []


def test_due_follows_the_last_save(store: Store) -> None:
    store.add_booking(booking())
    store.save(change(load(store), due=NOW))
    store.save(change(load(store), due=LATER))
    assert due(store) == []
    store.save(change(load(store), due=None))
    assert due(store, DISTANT) == []


@pytest.mark.parametrize(
    "team",
    [
        lambda s: s.set_booking_status("bk_1", BookingStatus.CANCELLED),
        lambda s: s.set_booking_status("bk_1", BookingStatus.CONFIRMED),
        lambda s: s.set_booking_price("bk_1", OTHER_PRICE),
        lambda s: s.set_booking_price("bk_1", Money(45099, "eur")),
    ],
    ids=["cancelled", "confirmed", "amount", "currency"],
)
def test_a_payable_payment_that_its_booking_no_longer_wants_is_due(
    store: Store, team: Callable[[Store], object]
) -> None:
    store.add_booking(booking())
    store.save(change(load(store), payment()))
    assert due(store) == []
    team(store)
    assert due(store) == ["bk_1"]
    assert due(store, datetime(1970, 1, 1, tzinfo=UTC)) == ["bk_1"]


def test_a_payment_that_is_closing_or_closed_is_not_due_for_its_booking(store: Store) -> None:
    for name, made in {"a": payment(closing=True), "b": closed(payment("at_2", "pi_2"))}.items():
        store.add_booking(booking(name))
        store.save(change(load(store, name), made))
        store.set_booking_status(name, BookingStatus.CANCELLED)
    assert due(store) == []


def test_a_pending_booking_whose_hold_is_over_is_due(store: Store) -> None:
    moment = timedelta(microseconds=1)
    for name, at in {"early": NOW - moment, "exact": NOW, "late": NOW + moment, "free": None}.items():
        store.add_booking(booking(name, hold_until=at))
    for status in (BookingStatus.CONFIRMED, BookingStatus.CANCELLED):
        store.add_booking(booking(f"was_{status}", hold_until=NOW, status=status))
    assert due(store) == ["early", "exact"]
    assert due(store, NOW + moment) == ["early", "exact", "late"]
    assert due(store, after="early", limit=1) == ["exact"]
    assert due(store, NOW - 2 * moment) == []


@pytest.mark.parametrize("closing", [False, True])
def test_a_hold_that_is_over_is_not_due_while_its_payment_is_being_closed(store: Store, closing: bool) -> None:
    store.add_booking(booking(hold_until=NOW))
    store.save(change(load(store), payment(closing=closing)))
    assert due(store) == ([] if closing else ["bk_1"])
    if closing:
        assert store.save(change(load(store), closed(payment())))
        assert due(store) == ["bk_1"]


def test_due_is_listed_once_in_ascending_order(store: Store) -> None:
    names = ["b", "a", "B", "a1", "A", "~", "10", "9", "a:b", "a@b", "a-b"]
    for number, name in enumerate(names):
        store.add_booking(booking(name))
        made = change(load(store, name), payment(f"at_{number}", f"pi_{number}"), due=NOW - timedelta(hours=number))
        store.save(made)
        store.set_booking_status(name, BookingStatus.CANCELLED)  # due for both reasons
    assert due(store) == sorted(names)


def test_due_pages_through_everything_whatever_stays_due(store: Store) -> None:
    names = [f"bk_{number:02}" for number in range(25)]
    for number, name in enumerate(names):
        store.add_booking(booking(name))
        if number % 2:
            store.save(change(load(store, name), due=NOW))
        else:
            store.save(change(load(store, name), payment(f"at_{number}", f"pi_{number}")))
            store.set_booking_price(name, OTHER_PRICE)
    seen: list[str] = []
    after = None
    for _ in range(9):
        page = due(store, after=after, limit=3)
        assert len(page) <= 3
        seen += page
        after = page[-1]
        if len(page) < 3:
            break
    assert seen == names
    assert due(store, after="bk_10x", limit=2) == ["bk_11", "bk_12"]
    assert due(store, after="zz") == []
    assert due(store, limit=0) == []


# ---- history ----


def test_history_is_oldest_first_and_keeps_everything(store: Store) -> None:
    store.add_booking(booking())
    assert store.history("bk_1") == ()
    told: list[HistoryLine] = []
    for number in range(4):
        # Clocks go back now and then: the order is that of the saves.
        lines = [line(f"{number}.{part}", NOW - timedelta(minutes=number)) for part in range(3)]
        assert store.save(change(load(store), lines=lines))
        told += lines
    assert list(store.history("bk_1")) == told
    assert store.history("bk_2") == ()


def test_history_gives_back_every_field(store: Store) -> None:
    store.add_booking(booking())
    lines = [HistoryLine(NOW, "fact", "décision ✈", "evt_1", "pi_1"), HistoryLine(LATER, "", "", None, None)]
    store.save(change(load(store), lines=lines))
    assert list(store.history("bk_1")) == lines


# ---- values at their limits ----


def test_values_at_their_limits_come_back_exactly(store: Store) -> None:
    longest = "z" * 128
    large = Money(MAX_AMOUNT_MINOR, "usd")
    ours = booking(longest, owner="Zoë ✈ \U0001f6eb ' \" ; -- %s %(x)s $1 :y", price=large, hold_until=DISTANT)
    store.add_booking(ours)
    assert load(store, longest).booking == ours
    made = payment("a" * 128, "pi_" + "x" * 252, amount=large, opened_at=DISTANT, look_at=NOW)
    written = change(load(store, longest), made, due=DISTANT, status=BookingStatus.CONFIRMED)
    assert store.save(written)
    assert load(store, longest) == Snapshot(replace(ours, status=BookingStatus.CONFIRMED), written.ledger)
    assert store.find("pi_" + "x" * 252) == longest
    assert due(store, DISTANT) == due(store, DISTANT, after="z" * 127) == [longest]


def test_times_before_1970_and_a_price_of_zero_come_back_exactly(store: Store) -> None:
    ours = booking(price=Money(0, "jpy"), hold_until=datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
    store.add_booking(ours)
    assert load(store).booking == ours


def test_a_large_ledger_comes_back_exactly(store: Store) -> None:
    store.add_booking(booking())
    many = tuple(closed(payment(f"at_{n}", f"pi_{n}", news=tuple(f"n/{k}" for k in range(20)))) for n in range(400))
    assert store.save(change(load(store), *many))
    assert load(store).ledger.payments == many
    assert store.find("pi_399") == "bk_1"
