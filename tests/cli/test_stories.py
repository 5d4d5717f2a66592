"""`explain`, `attention` and `dead-letters` as processes, in both colours."""

from __future__ import annotations

import json
import re

import pytest
from tests.cli.shop import COLOURS, checked_width

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("colour", COLOURS)
def test_a_bookings_story_is_told(shop, colour):
    intent = shop.paid("b-1")
    app = shop.app(colour)
    ended = shop.run("explain", "b-1", "--app", app)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Booking b-1 is confirmed. It costs 84.00 USD.\n")
    assert intent in ended.out
    assert [line for line in ended.out.splitlines() if line.startswith("What")] == [
        "What is to come:",
        "What happened:",
    ]
    checked_width(ended.out)
    told = shop.run("explain", "b-1", "--app", app, "--json").json
    assert told["booking"] == "b-1"
    assert {"at", "fact", "decision", "event", "payment"} == set(told["history"][0])
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["at"]) for line in told["history"])
    assert "alice" not in ended.out + json.dumps(told)


def test_the_story_of_a_booking_that_is_not_there(shop, here):
    shop.repository().engine.dispose()
    assert here("explain", "b-1", "--json").json["error"]["code"] == "booking_not_found"


@pytest.mark.parametrize("colour", COLOURS)
def test_money_in_review_and_disputes_wait_for_a_person(shop, colour):
    review, disputed = shop.late("b-1"), shop.paid("b-2")
    shop.paid("b-3")
    dispute = shop.disputed(disputed)
    app = shop.app(colour)
    ended = shop.run("attention", "--app", app)
    assert ended.code == 0
    assert f"Booking b-1 (cancelled)\n  in review  84.00 USD, payment {review}: late\n" in ended.out
    assert f"Booking b-2 (confirmed)\n  dispute  84.00 USD, {dispute}: fraudulent," in ended.out
    assert "b-3" not in ended.out
    checked_width(ended.out)
    found = shop.run("attention", "--app", app, "--json").json
    assert [item["booking"]["id"] for item in found["bookings"]] == ["b-1", "b-2"]
    assert found["bookings"][0]["reviews"] == [
        {"payment": review, "amount": {"amount_minor": 8400, "currency": "usd"}, "reason": "late"}
    ]
    assert found["bookings"][1]["disputes"][0]["due_by"].endswith("Z")
    assert found["after"] is None
    first = shop.run("attention", "--app", app, "--limit", "1")
    assert first.out.endswith("There may be more: airport-payments attention --after b-1\n")
    assert "b-2" in shop.run("attention", "--app", app, "--after", "b-1").out
    shop.run("resolve", "b-1", review, "keep", "--by", "staff-7")
    assert "b-1" not in shop.run("attention").out


def test_nothing_waits_where_nothing_does(shop, here):
    shop.repository().engine.dispose()
    assert here("attention").out == "Nothing waits for a person.\n"
    assert here("dead-letters").out == "There are no dead letters.\n"
    assert here("dead-letters", "--json").json == {"dead_letters": [], "after": None}


@pytest.mark.parametrize("colour", COLOURS)
def test_a_dead_letter_is_listed_and_delivered_again(shop, colour):
    shop.paid("b-1")
    app = shop.app(colour)
    shop.dead("b-1", "shop.make.<locals>.hear")
    ended = shop.run("dead-letters", "--app", app)
    head, row, *_ = ended.out.splitlines()
    assert head == "BOOKING  NUMBER  ANNOUNCEMENT      GIVEN UP          HANDLER AND ERROR"
    assert row.startswith("b-1      1       BookingConfirmed  ")
    checked_width(ended.out)
    (letter,) = shop.run("dead-letters", "--app", app, "--json").json["dead_letters"]
    assert (letter["booking"], letter["number"], letter["announcement"]) == ("b-1", 1, "BookingConfirmed")
    assert letter["error"] == "RuntimeError"
    assert "see airport-payments dead-letters" in shop.run("attention", "--app", app).out
    again = shop.run("dead-letters", "--redeliver", "b-1", "1", "--app", app)
    assert again.out.startswith("Announcement 1 of booking b-1 is due again, for ")
    assert shop.run("tick", "--app", app).out.startswith("heard BookingConfirmed b-1\n")
    assert shop.run("dead-letters", "--app", app).out == "There are no dead letters.\n"
    refused = shop.run("dead-letters", "--redeliver", "b-1", "1", "--app", app, "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "nothing_to_redeliver")


@pytest.mark.parametrize("number", ["x", " -1", "1.5", "", "9" * 20, "٣"])
def test_an_announcement_without_a_number_is_refused(shop, here, number):
    shop.repository().engine.dispose()
    ended = here("dead-letters", "--redeliver", "b-1", number, "--json")
    assert (ended.code, ended.json["error"]["code"]) == (2, "invalid_request")
