"""`prune` and `erase`."""

import sqlite3
from contextlib import closing

import pytest


def lines(shop, booking_id: str = "b-1") -> int:
    with closing(sqlite3.connect(shop.folder / "airport.db")) as database:
        sql = "SELECT count(*) FROM airport_history WHERE booking_id = ?"
        return database.execute(sql, (booking_id,)).fetchone()[0]


@pytest.fixture
def settled(shop, here):
    """A booking that is paid, with everything delivered, and one that is open."""
    shop.paid("b-1")
    shop.open("b-2")
    for _ in range(3):
        here("tick", "--no-handlers")
    return shop


def test_prune_counts_in_a_dry_run_and_then_forgets(settled, here):
    known = lines(settled)
    told = here("prune", "--before", "2000-01-01", "--json").json
    assert (told["looked_at"], told["pruned"], told["moving"]) == (2, 0, 0)
    dry = here("prune", "--before", "0h", "--dry-run", "--json").json
    assert (dry["dry_run"], dry["pruned"], dry["lines"], dry["moving"], dry["after"]) == (True, 1, known, 1, None)
    assert lines(settled) == known
    said = here("prune", "--before", "0h")
    assert said.code == 0
    assert f"2 bookings looked at, 1 pruned: {known} lines of history." in " ".join(said.out.split())
    assert "1 booking as old left alone" in said.out
    assert lines(settled) == 0
    assert lines(settled, "b-2") > 0
    assert settled.status("b-1") == "confirmed"


def test_prune_stops_at_its_limit_and_says_where_to_go_on(settled, here):
    first = here("prune", "--before", "0h", "--limit", "1")
    assert "go on with --after b-1" in first.out
    assert here("prune", "--before", "0h", "--limit", "1", "--after", "b-1", "--json").json["moving"] == 1


def test_prune_refuses_a_time_that_is_none_or_to_come(settled, here, capsys):
    assert here("prune", "--before", "2999-01-01").code == 2
    with pytest.raises(SystemExit) as ended:
        here("prune", "--before", "soon")
    assert ended.value.code == 2
    assert "a time, such as" in capsys.readouterr().err


def test_erase_names_what_is_still_moving_and_ends_with_1(settled, here):
    first = here("erase", "alice", "--json")
    assert (first.code, first.json["erased"], first.json["moving"]) == (1, ["b-1"], ["b-2"])
    assert lines(settled) == 0
    assert "Money of b-2 is still moving" in here("erase", "alice").out
    here("cancel", "b-2")
    for _ in range(3):
        here("tick", "--no-handlers")
    said = here("erase", "alice")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("2 bookings erased")
    assert lines(settled, "b-2") == 0
    assert here("erase", "").code == 2
