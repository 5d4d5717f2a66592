"""`tick`, `refund`, `cancel` and `resolve` as processes, on a shop with a fake Stripe and SQLite, in both colours."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from contextlib import closing

import pytest
from tests.cli.demo import until
from tests.cli.shop import COLOURS, interrupt

pytestmark = pytest.mark.e2e


# ---- tick ----


def test_tick_without_handlers_has_to_be_meant(shop):
    shop.paid("b-1")
    ended = shop.run("tick", "--json")
    assert ended.code == 2
    assert ended.json["error"]["code"] == "configuration_error"
    assert "name your gateway with --app" in ended.err
    assert shop.run("tick", "--no-handlers").out == "1 booking looked after.\n"
    assert shop.run("tick", "--no-handlers", "--json").json == {"bookings": 0, "problems": 0, "more": False}


@pytest.mark.parametrize("colour", COLOURS)
def test_tick_hands_announcements_to_the_teams_handlers_once(shop, colour):
    shop.paid("b-1")
    shop.paid("b-2")
    app = shop.app(colour)
    first = shop.run("tick", "--app", app, "--limit", "1")
    assert first.out == "heard BookingConfirmed b-1\n1 booking looked after. More is due: run it again.\n"
    assert shop.run("tick", "--app", app).out == "heard BookingConfirmed b-2\n1 booking looked after.\n"
    assert shop.run("tick", "--app", app).out == "nothing was due.\n"


def test_tick_with_problems_ends_with_1_and_the_log_says_which(shop):
    shop.open("b-2")
    shop.cancelled_behind("b-2")
    with closing(sqlite3.connect(shop.folder / "airport.db")) as database, database:
        database.execute("UPDATE airport_ledgers SET document = '{}'")
    ended = shop.run("tick", "--no-handlers", "--json")
    assert ended.code == 1
    assert ended.json["problems"] == 1
    assert ended.err.startswith("ERROR: booking 'b-2': tick failed: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("limit", ["0", "-1", "100001", "ten", "1.5", "", "9" * 30])
def test_a_limit_that_is_none_is_refused(here, limit):
    with pytest.raises(SystemExit) as ended:
        here("tick", "--no-handlers", "--limit", limit)
    assert ended.value.code == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "Ctrl-C"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_worker_works_until_it_is_told_to_stop(shop, processes, colour, number, code):
    intent = shop.open("b-1")
    process = processes.start(
        *shop.command("tick", "--work", "--app", shop.app(colour)), env=shop.variables(), cwd=shop.folder
    )
    until(lambda: "Working." in process.log, "the worker says that it works")
    shop.fake.pay(intent)
    shop.look("b-1", intent)
    until(lambda: "heard BookingConfirmed b-1" in process.log, "the worker hears of the payment")
    process.popen.send_signal(number)
    assert process.wait() == code
    assert process.log.endswith("Stopped.\n")
    assert "Traceback" not in process.log
    assert "CANARY" not in process.log


@pytest.mark.parametrize("colour", COLOURS)
def test_a_worker_tells_a_program_one_document_when_it_ends(shop, colour):
    shop.open("b-1")
    process = subprocess.Popen(
        shop.command("tick", "--work", "--json", "--app", shop.app(colour)), cwd=shop.folder, env=shop.variables(),
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert "Working." in process.stderr.readline()
    ended = interrupt(process, signal.SIGTERM)
    assert (ended.code, json.loads(ended.out)) == (0, {"stopped_by": "SIGTERM"})


@pytest.mark.parametrize("colour", COLOURS)
def test_a_worker_ends_what_is_under_way_first(shop, colour):
    shop.paid("b-1")
    (shop.folder / "slow.py").write_text(
        "import time, asyncio\nfrom airport_payments import BookingConfirmed\nimport shop\ngateway = shop.make()\n"
        "@gateway.on(BookingConfirmed)\n"
        + {
            "sync": "def slow(news):\n    print('begun', flush=True)\n    time.sleep(1)\n    print('ended', flush=True)\n",
            "async": "async def slow(news):\n    print('begun', flush=True)\n    await asyncio.sleep(1)\n    print('ended', flush=True)\n",
        }[colour]
    )
    shop.app(colour)
    process = subprocess.Popen(
        shop.command("tick", "--work", "--app", "slow:gateway"), cwd=shop.folder, env=shop.variables(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    printed = []
    while "begun\n" not in printed:
        printed.append(process.stdout.readline())
        assert printed[-1], process.stderr.read()
    ended = interrupt(process, signal.SIGTERM)
    assert (ended.code, ended.out, ended.err) == (0, "ended\nStopped.\n", "")
    assert shop.run("tick", "--no-handlers").out == "nothing was due.\n"


def test_a_worker_outlives_a_database_that_is_away(shop, processes):
    (shop.folder / "airport.db").touch()
    process = processes.start(
        *shop.command("tick", "--work", "--no-handlers"), env=shop.variables(), cwd=shop.folder
    )  # fmt: skip
    until(lambda: "tick failed" in process.log, "the worker says what is wrong")
    shop.paid("b-1")
    until(lambda: shop.status("b-1") == "confirmed", "the booking is paid")
    process.popen.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert "CANARY" not in process.log


# ---- refund ----


@pytest.mark.parametrize("colour", COLOURS)
def test_a_refund_in_parts_and_the_same_request_twice(shop, colour):
    intent = shop.paid("b-1")
    app = shop.app(colour)
    part = ["refund", "b-1", "--amount", "12.50", "--request-id", "case-1", "--app", app]
    first, again = shop.run(*part, "--json"), shop.run(*part, "--json")
    assert (first.code, first.err) == (0, "")
    assert first.json == again.json
    assert first.json == {
        "refund": next(iter(shop.fake.refunds)),
        "ref": first.json["ref"],
        "payment": intent,
        "amount": {"amount_minor": 1250, "currency": "usd"},
        "state": "succeeded",
        "left": {"amount_minor": 7150, "currency": "usd"},
        "booking": {"id": "b-1", "status": "confirmed"},
    }
    rest = shop.run("refund", "b-1", "--request-id", "case-2", "--app", app)
    second = list(shop.fake.refunds)[1]
    assert rest.out == (
        "71.50 USD of booking b-1 go back: succeeded.\n"
        f"  refund      {second}\n  payment     {intent}\n  left of it  0.00 USD\n  booking     cancelled\n"
    )
    assert shop.fake.charges[next(iter(shop.fake.charges))]["amount_refunded"] == 8400


REFUSED = {
    "more than there is": (["--amount", "84.01"], 1, "refund_too_large"),
    "another currency": (["--amount", "1.00", "--currency", "eur"], 1, "currency_mismatch"),
    "no currency that there is": (["--amount", "1.00", "--currency", "CANARY"], 2, "invalid_request"),
    "not exact": (["--amount", "1.001"], 2, "invalid_request"),
    "nothing": (["--amount", "0"], 2, "invalid_request"),
    "no number": (["--amount", "all"], 2, "invalid_request"),
    "another booking's payment": (["--payment", "pi_00000000000000"], 1, "payment_intent_mismatch"),
    "no payment": (["--payment", "a b"], 2, "invalid_request"),
    "a currency of nothing": (["--currency", "usd"], 2, "invalid_request"),
}


@pytest.mark.parametrize(("more", "code", "error"), REFUSED.values(), ids=REFUSED)
def test_a_refund_that_cannot_be_is_refused_by_its_code(shop, here, more, code, error):
    shop.paid("b-1")
    ended = here("refund", "b-1", "--request-id", "r", *more, "--json")
    assert (ended.code, ended.json["error"]["code"]) == (code, error)
    assert ended.err.startswith("airport-payments refund: ")
    assert shop.fake.refunds == {}


def test_a_refund_of_a_booking_that_is_not_there_or_not_paid(shop, here):
    shop.open("b-1")
    assert here("refund", "b-1", "--request-id", "r", "--json").json["error"]["code"] == "nothing_to_refund"
    for more in ([], ["--amount", "1"]):
        assert here("refund", "b-2", "--request-id", "r", *more, "--json").json["error"]["code"] == "booking_not_found"
    no_number = here("refund", "b-2", "--request-id", "r", "--amount", "abc", "--json")
    assert no_number.json["error"]["code"] == "invalid_request"


def test_a_refund_needs_a_name_of_its_own(here, capsys):
    with pytest.raises(SystemExit) as ended:
        here("refund", "b-1")
    assert ended.value.code == 2
    assert "--request-id" in capsys.readouterr().err


# ---- cancel ----


@pytest.mark.parametrize("colour", COLOURS)
def test_a_booking_is_cancelled_and_its_intent_with_it(shop, colour):
    intent = shop.open("b-1")
    ended = shop.run("cancel", "b-1", "--app", shop.app(colour))
    assert ended.out == "Booking b-1 is cancelled, and nobody can pay it any more.\n  booking  cancelled\n"
    assert shop.fake.intents[intent]["status"] == "canceled"
    again = shop.run("cancel", "b-1", "--json")
    assert again.json["outcome"] == "cancelled"
    assert again.json["booking"] == {
        "id": "b-1", "status": "cancelled", "price": {"amount_minor": 8400, "currency": "usd"},
    }  # fmt: skip


def test_a_payment_that_came_first_is_told(shop, here):
    shop.paid("b-1", known=False)
    ended = here("cancel", "b-1")
    assert ended.code == 0
    assert "was paid before it could be cancelled" in ended.out
    shop.paid("b-2")
    assert here("cancel", "b-2", "--json").json["error"]["code"] == "booking_already_paid"


# ---- resolve ----


@pytest.mark.parametrize(
    ("resolution", "place", "booking"),
    [("confirm", "attached", "confirmed"), ("refund", "refunded", "cancelled"), ("keep", "kept", "cancelled")],
)
@pytest.mark.parametrize("colour", COLOURS)
def test_money_in_review_is_decided_about(shop, colour, resolution, place, booking):
    intent = shop.late("b-1")
    app = shop.app(colour)
    ended = shop.run("resolve", "b-1", intent, resolution, "--by", "staff-7", "--app", app, "--json")
    assert (ended.code, ended.json["place"], ended.json["booking"]["status"]) == (0, place, booking)
    assert ended.json["received"] == {"amount_minor": 8400, "currency": "usd"}
    assert shop.status("b-1") == booking
    again = shop.run("resolve", "b-1", intent, resolution, "--by", "staff-7", "--app", app)
    assert again.out == f"84.00 USD of booking b-1: {place}.\n  payment  {intent}\n  booking  {booking}\n"


def test_what_is_not_in_review_is_not_resolved(shop, here):
    intent = shop.paid("b-1")
    assert here("resolve", "b-1", intent, "keep", "--by", "x", "--json").json["error"]["code"] == "not_in_review"
    with pytest.raises(SystemExit) as ended:
        here("resolve", "b-1", intent, "burn", "--by", "x")
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        here("resolve", "b-1", intent, "keep")
    assert ended.value.code == 2


def test_every_json_is_one_document(shop, here):
    intent = shop.late("b-1")
    for arguments in (["tick", "--no-handlers"], ["resolve", "b-1", intent, "refund", "--by", "x"], ["cancel", "b-1"]):
        assert isinstance(json.loads(here(*arguments, "--json").out), dict)
