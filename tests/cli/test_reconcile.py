"""`reconcile` as a process: our tables against Stripe's books, in both colours."""

from __future__ import annotations

import pytest
from tests.cli.shop import COLOURS, checked_width
from tests.cli.test_every_command import on_a_terminal, plain

from airport_payments.cli.reconcile import _LEFT, _WORDS
from airport_payments.core.reconcile import DifferenceKind
from airport_payments.testing.fake_stripe import Fault

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("colour", COLOURS)
def test_reconcile_says_what_differs_and_repairs_it_when_told_to(shop, colour):
    intent = shop.paid("b-1", known=False)
    shop.paid("b-2")
    app = shop.app(colour)
    dry = shop.run("reconcile", "--since", "1h", "--app", app)
    assert (dry.code, dry.err) == (3, "")
    assert dry.out.startswith(f"Booking b-1\n  {intent}  84.00 USD, had come further at Stripe:")
    assert "1 difference, about 84.00 USD.\nNothing was changed. Add --repair to put it right.\n" in dry.out
    assert shop.status("b-1") == "pending"
    checked_width(dry.out)
    repaired = shop.run("reconcile", "--since", "1h", "--repair", "--app", app, "--json")
    assert repaired.code == 0
    assert (repaired.json["dry_run"], repaired.json["not_repaired"], repaired.json["cursor"]) == (False, 0, None)
    assert repaired.json["money_minor"] == {"usd": 8400}
    assert [(d["kind"], d["booking"], d["object"]) for d in repaired.json["differences"]] == [("behind", "b-1", intent)]
    assert shop.status("b-1") == "confirmed"
    again = shop.run("reconcile", "--since", "1h", "--dry-run", "--app", app)
    assert (again.code, again.out.splitlines()[-1]) == (0, "Nothing differs.")


def test_what_cannot_be_repaired_ends_with_3(shop):
    shop.paid("b-1")
    shop.forget("b-1")
    ended = shop.run("reconcile", "--since", "1h", "--repair")
    assert ended.code == 3
    assert "there is no such booking" in ended.out
    assert ", 1 not repaired." in ended.out


def test_it_stops_at_the_limit_and_says_how_to_go_on(shop):
    for number in range(3):
        shop.paid(f"b-{number}", known=False)
    first = shop.run("reconcile", "--since", "1h", "--repair", "--limit", "1")
    (line,) = [line for line in first.out.splitlines() if line.startswith("  airport-payments reconcile")]
    for _ in range(20):
        ended = shop.run(*line.split()[1:])
        found = [line for line in ended.out.splitlines() if line.startswith("  airport-payments reconcile")]
        if not found:
            break
        (line,) = found
    else:
        pytest.fail("it never came to an end")
    assert [shop.status(f"b-{number}") for number in range(3)] == ["confirmed"] * 3


def test_a_stripe_that_goes_away_meanwhile_ends_with_4_and_what_was_found(shop):
    shop.paid("b-1", known=False)
    shop.fake.inject(Fault.connection_lost(), "GET", "/v1/refunds", times=1000)
    shop.fake.inject(Fault.connection_lost(), "GET", "/v1/disputes", times=1000)
    ended = shop.run("reconcile", "--since", "1h", "--repair", "--json")
    assert ended.code == 4
    assert ended.json["error"]["code"] == "reconcile_interrupted"
    assert [d["booking"] for d in ended.json["differences"]] == ["b-1"]
    assert ended.json["cursor"]
    assert "Nothing is lost" in ended.err


@pytest.mark.parametrize("since", ["yesterday", "", "3", "3y", "2026-13-01", "9" * 10 + "d", "999999w", "-1d"])
def test_a_time_that_is_none_is_refused(here, since):
    with pytest.raises(SystemExit) as ended:
        here("reconcile", f"--since={since}")
    assert ended.value.code == 2


@pytest.mark.parametrize("since", ["2026-11-01", "2026-11-01T12:00", "2026-11-01T12:00Z", "2026-11-01T12:00+01:00", "90m", "36h", "3d", "2w"])  # fmt: skip
def test_a_time_is_a_date_or_how_long_ago(shop, here, since):
    shop.repository().engine.dispose()
    assert here("reconcile", "--since", since, "--json").json["since"].endswith("Z")


def test_dry_run_and_repair_exclude_each_other_and_a_window_must_be_one(shop, here):
    shop.repository().engine.dispose()
    with pytest.raises(SystemExit):
        here("reconcile", "--since", "1h", "--dry-run", "--repair")
    for more in (["--until", "2h"], ["--cursor", "nonsense"]):
        assert here("reconcile", "--since", "1h", *more, "--json").json["error"]["code"] == "invalid_request"


def test_progress_is_for_terminals_and_leaves_nothing_behind(shop):
    shop.paid("b-1", known=False)
    printed = on_a_terminal(shop, "reconcile", "--since", "1h", stderr_too=True)
    assert "payment intents: 1 compared, 1 difference" in printed.out
    assert "Booking b-1" in plain(printed.out)


def test_every_kind_of_difference_has_words():
    assert set(_WORDS) == {kind.value for kind in DifferenceKind}
    assert set(_WORDS) >= _LEFT
