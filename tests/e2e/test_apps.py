"""Both examples as they are run: a server, its database, and a Stripe that is another process and sends webhooks itself.

The webhooks come twice, in any order, and again until they are answered. Any process may be killed at any time.
"""

from __future__ import annotations

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.conftest import _STARTED

from .apps import SERVERS, Town, eventually

pytestmark = pytest.mark.e2e

COMPLETED = {"paymentStatus": "completed", "bookingStatus": "confirmed", "stripeStatus": "succeeded"}
DECLINED, NEEDS_3DS, DISPUTED = "4000000000000002", "4000002760003184", "4000000000000259"


# One group each: with several pytest workers, each town is built once.
@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in SERVERS])
def standing(request, tmp_path_factory):
    town = Town(request.param, tmp_path_factory.mktemp(request.param))
    yield town
    town.close()


@pytest.fixture
def town(request, standing):
    """A town where webhooks are on their way, and whose app runs, whatever the last test did."""
    request.node.stash[_STARTED] = standing.processes.started
    standing.stripe("start_webhooks")
    if not standing.app.running:
        standing.start()
    yield standing
    for process in standing.processes.started:
        assert "Traceback" not in process.log
        assert "CANARY" not in process.log
        assert "_secret_" not in process.log


def test_a_payment_is_completed_by_webhooks_alone(town):
    booking_id, intent_id = town.opened()
    assert town.status(booking_id) == {
        "paymentStatus": "pending",
        "bookingStatus": "pending",
        "stripeStatus": "requires_payment_method",
    }

    assert town.stripe("pay", intent_id=intent_id, card=DECLINED) == "requires_payment_method"
    assert town.becomes(booking_id, "failed")["bookingStatus"] == "pending"

    assert town.stripe("pay", intent_id=intent_id) == "succeeded"
    assert town.becomes(booking_id, "completed") == COMPLETED
    eventually(lambda: town.stripe("pending") == 0)
    assert all(times >= 2 for times in town.stripe("sent", intent_id=intent_id))
    assert town.status(booking_id) == COMPLETED
    town.settled(booking_id)


def test_confirm_completes_a_payment_without_any_webhook(town):
    town.stripe("stop_webhooks")
    booking_id, intent_id = town.opened()
    town.stripe("pay", intent_id=intent_id)
    assert town.status(booking_id)["paymentStatus"] == "pending"

    answer = town.confirm(booking_id, intent_id)

    booking = {"bookingId": booking_id, "amount": 450.99, "currency": "usd", "status": "confirmed"}
    data = {"paymentStatus": "completed", "bookingStatus": "confirmed", "booking": booking}
    assert answer.json() == {"success": True, "data": data}
    town.stripe("start_webhooks")  # they come late, and change nothing
    eventually(lambda: town.stripe("pending") == 0)
    assert town.status(booking_id) == COMPLETED
    town.settled(booking_id)


def test_a_payment_with_3ds_is_completed_after_the_customers_answer(town):
    booking_id, intent_id = town.opened()
    assert town.stripe("pay", intent_id=intent_id, card=NEEDS_3DS) == "requires_action"
    assert town.confirm(booking_id, intent_id).json()["data"]["paymentStatus"] == "requires_action"

    town.stripe("authenticate", intent_id=intent_id, succeed=False)
    town.becomes(booking_id, "failed")
    town.stripe("pay", intent_id=intent_id, card=NEEDS_3DS)
    town.stripe("authenticate", intent_id=intent_id)

    assert town.becomes(booking_id, "completed") == COMPLETED
    town.settled(booking_id)


def test_eight_clicks_at_once_make_one_payment_intent(town):
    booking_id = town.book()
    town.stripe("slow", method="POST", path="/v1/payment_intents", delay_seconds=0.2)

    with ThreadPoolExecutor(8) as clicks:
        answers = list(clicks.map(lambda _: town.create(booking_id), range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    (intent,) = town.stripe("intents", booking_id=booking_id)
    assert answers[0].json()["data"]["paymentIntentId"] == intent["id"]
    creates = town.stripe("creates", booking_id=booking_id)
    assert len({key for key, _, _ in creates}) == 1
    assert [replayed for _, status, replayed in creates if status == 200].count(False) == 1


def test_webhook_and_confirm_at_the_same_moment_confirm_once(town):
    booking_id, intent_id = town.opened()
    town.stripe("pay", intent_id=intent_id)

    with ThreadPoolExecutor(8) as clicks:
        answers = list(clicks.map(lambda _: town.confirm(booking_id, intent_id), range(8)))

    assert {answer.json()["data"]["paymentStatus"] for answer in answers} == {"completed"}
    eventually(lambda: town.stripe("pending") == 0)
    town.settled(booking_id)


def test_killed_between_create_and_webhook(town):
    town.stripe("stop_webhooks")
    booking_id, intent_id = town.opened()
    town.stripe("pay", intent_id=intent_id)

    assert town.app.kill() == -signal.SIGKILL
    town.start()
    assert town.status(booking_id)["paymentStatus"] == "pending"
    town.stripe("start_webhooks")

    assert town.becomes(booking_id, "completed") == COMPLETED
    town.settled(booking_id)


def test_killed_while_webhooks_are_being_delivered(town):
    town.stripe("stop_webhooks")
    payments = dict(town.opened() for _ in range(12))
    for intent_id in payments.values():
        town.stripe("pay", intent_id=intent_id)
    ids = ",".join(f"'{booking_id}'" for booking_id in payments)
    count = f"SELECT count(*) FROM airport_bookings WHERE status = 'confirmed' AND id IN ({ids})"

    town.stripe("start_webhooks")
    eventually(lambda: town.sql(count) > [(0,)])
    town.app.kill()
    town.start()
    # What failed meanwhile was given up soon: this Stripe's minutes are milliseconds. The real one tries for three days.
    town.stripe("resend")

    for booking_id in payments:
        assert town.becomes(booking_id, "completed") == COMPLETED
    town.settled(*payments)


def test_killed_while_stripe_is_making_the_payment_intent(town):
    booking_id = town.book()
    town.stripe("slow", method="POST", path="/v1/payment_intents", delay_seconds=1.0)

    with ThreadPoolExecutor(1) as customer:
        lost = customer.submit(town.create, booking_id)
        eventually(lambda: town.stripe("injected") == 0)
        town.app.kill()
        with pytest.raises(httpx.TransportError):
            lost.result(30)
    town.start()
    answer = town.create(booking_id)  # the customer comes back

    assert answer.status_code == 200, answer.text
    (intent,) = town.stripe("intents", booking_id=booking_id)
    assert answer.json()["data"]["paymentIntentId"] == intent["id"]
    town.stripe("pay", intent_id=intent["id"])
    assert town.becomes(booking_id, "completed") == COMPLETED
    town.settled(booking_id)


def test_a_booking_cancelled_by_the_team_cancels_its_payment_intent(town):
    booking_id, intent_id = town.opened()

    answer = town.ask("POST", f"/bookings/{booking_id}/cancel")

    assert answer.json()["data"]["status"] == "cancelled"
    assert [i["status"] for i in town.stripe("intents", booking_id=booking_id)] == ["canceled"]
    canceled = {"paymentStatus": "canceled", "bookingStatus": "cancelled", "stripeStatus": "canceled"}
    assert town.status(booking_id) == canceled
    assert town.create(booking_id).json()["data"]["error_code"] == "booking_not_payable"
    eventually(lambda: town.quiet(booking_id))
    assert town.confirm(booking_id, intent_id).json()["data"]["clientSecret"] is None


def test_a_booking_cancelled_behind_our_back_is_found_by_the_worker(town):
    """The team's code writes its own row, and knows nothing of us."""
    booking_id, _ = town.opened()

    town.sql("UPDATE airport_bookings SET status = 'cancelled' WHERE id = ?", booking_id)

    eventually(lambda: [i["status"] for i in town.stripe("intents", booking_id=booking_id)] == ["canceled"])
    assert town.becomes(booking_id, "canceled")["bookingStatus"] == "cancelled"


def test_a_new_price_makes_the_old_payment_intent_unpayable(town):
    booking_id, old = town.opened()

    town.sql("UPDATE airport_bookings SET amount_minor = 50000 WHERE id = ?", booking_id)
    assert town.create(booking_id).json()["data"]["error_code"] == "amount_mismatch"
    eventually(lambda: town.create(booking_id, amount=500).status_code == 200)

    intents = [(i["status"], i["amount"]) for i in town.stripe("intents", booking_id=booking_id)]
    assert intents == [("canceled", 45099), ("requires_payment_method", 50000)]
    assert town.create(booking_id, amount=500).json()["data"]["paymentIntentId"] != old


def test_a_late_payment_of_a_cancelled_booking_goes_to_review(town):
    town.stripe("stop_webhooks")
    booking_id, intent_id = town.opened()
    town.stripe("pay", intent_id=intent_id)

    assert town.ask("POST", f"/bookings/{booking_id}/cancel").status_code == 200
    town.stripe("start_webhooks")

    review = {"paymentStatus": "review", "bookingStatus": "cancelled", "stripeStatus": "succeeded"}
    assert town.becomes(booking_id, "review") == review
    assert town.create(booking_id).json()["data"]["error_code"] == "payment_in_review"
    eventually(lambda: town.stripe("pending") == 0)
    assert town.status(booking_id) == review


def refund(town, booking_id: str, request_id: str = "r-1", **more) -> httpx.Response:
    return town.ask("POST", f"/bookings/{booking_id}/refund", {"requestId": request_id, **more})


def paid(town, card: str = "4242424242424242") -> tuple[str, str]:
    booking_id, intent_id = town.opened()
    town.stripe("pay", intent_id=intent_id, card=card)
    return booking_id, intent_id


def told(town, booking_id: str) -> list[str]:
    """What the airport wrote down of a booking."""
    return [line["text"] for line in town.ask("GET", f"/bookings/{booking_id}/history").json()["data"]["history"]]


def test_money_goes_back_in_parts_and_the_last_one_cancels_the_booking(town):
    booking_id, intent_id = paid(town)
    town.becomes(booking_id, "completed")

    assert refund(town, booking_id, amount=100).json()["data"]["left"] == 350.99
    assert town.becomes(booking_id, "partially_refunded")["bookingStatus"] == "confirmed"
    with ThreadPoolExecutor(8) as clicks:
        answers = list(clicks.map(lambda _: refund(town, booking_id, "r-2"), range(8)))

    assert {answer.status_code for answer in answers} <= {200, 503}
    assert refund(town, booking_id, "r-2").json()["data"]["refundStatus"] == "succeeded"
    assert town.becomes(booking_id, "refunded")["bookingStatus"] == "cancelled"
    eventually(lambda: town.stripe("pending") == 0 and town.quiet(booking_id))
    assert town.stripe("refunds", intent_id=intent_id) == [10000, 35099]
    assert refund(town, booking_id, "r-3").json()["data"]["error_code"] == "nothing_to_refund"


def test_killed_while_stripe_is_giving_money_back(town):
    booking_id, intent_id = paid(town)
    town.becomes(booking_id, "completed")
    town.stripe("slow", method="POST", path="/v1/refunds", delay_seconds=1.0)

    with ThreadPoolExecutor(1) as staff:
        lost = staff.submit(refund, town, booking_id)
        eventually(lambda: town.stripe("injected") == 0)
        town.app.kill()
        with pytest.raises(httpx.TransportError):
            lost.result(30)
    town.start()

    assert refund(town, booking_id).json()["data"]["refundStatus"] == "succeeded"  # staff press the button again
    assert town.becomes(booking_id, "refunded")["bookingStatus"] == "cancelled"
    assert town.stripe("refunds", intent_id=intent_id) == [45099]


def test_a_dispute_comes_by_webhook_alone_and_stops_refunds(town):
    booking_id, _ = paid(town, DISPUTED)

    status = {"paymentStatus": "disputed", "bookingStatus": "confirmed", "stripeStatus": "succeeded"}
    eventually(lambda: town.status(booking_id) == status)
    assert refund(town, booking_id).json()["data"]["error_code"] == "payment_disputed"
    eventually(lambda: "The bank took the disputed money back." in told(town, booking_id))
    town.settled(booking_id)


@pytest.mark.parametrize("opened", [True, False])
def test_a_hold_that_is_over_is_ended_by_the_worker(town, opened):
    booking_id = town.book(holdSeconds=3600)
    assert not opened or town.create(booking_id).status_code == 200

    town.hold_ended(booking_id)

    eventually(lambda: town.status(booking_id)["bookingStatus"] == "cancelled")
    assert [i["status"] for i in town.stripe("intents", booking_id=booking_id)] == ["canceled"] * opened
    assert town.create(booking_id).json()["data"]["error_code"] == "booking_not_payable"
    assert told(town, booking_id)[-1] == "The airport cancelled the booking. Nothing was charged."


def test_two_customers_cannot_see_each_others_bookings(town):
    booking_id, intent_id = town.opened()

    answers = [
        town.ask("GET", f"/payment/status/{booking_id}", owner="bob"),
        town.ask("GET", f"/bookings/{booking_id}", owner="bob"),
        town.ask("POST", f"/bookings/{booking_id}/cancel", owner="bob"),
        town.ask("POST", f"/bookings/{booking_id}/refund", {"requestId": "r-1"}, owner="bob"),
        town.ask("GET", f"/bookings/{booking_id}/history", owner="bob"),
        town.create(booking_id, owner="bob"),
        town.confirm(booking_id, intent_id, owner="bob"),
        town.ask("GET", "/payment/status/b-nowhere", owner="bob"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert town.status(booking_id)["bookingStatus"] == "pending"


def said(town, *lines: str, body: bytes = b"", ends: bool = False) -> tuple[int, dict]:
    """Send bytes as they are, and return status and JSON of the answer. `ends`: the client stops in the middle."""
    head = "\r\n".join([*lines, "Host: shop.test", "Connection: close", "", ""])
    with socket.create_connection(town.address, timeout=20) as connection:
        connection.sendall(head.encode("latin-1") + body)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.rstrip().endswith(b"}"):
            piece = connection.recv(65_536)
            assert piece, f"hung up after {answer!r}"
            answer += piece
    head, _, document = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(document[document.index(b"{") :])


CREATE = "POST /payment/create-payment-intent HTTP/1.1"


def test_a_body_that_never_ends_is_refused_while_it_is_being_sent(town):
    piece = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    for line, limit in ((CREATE, 16), ("POST /payment/webhook HTTP/1.1", 256)):
        pieces = piece * (limit // 16 + 1)  # and no last one: the server has to answer before the end

        status, answer = said(town, line, town.bearer(), "Transfer-Encoding: chunked", body=pieces)

        assert (status, answer["data"]["error_code"]) == (413, "payload_too_large")


def test_a_body_that_says_that_it_is_too_long_is_not_waited_for(town):
    status, answer = said(town, CREATE, town.bearer(), "Content-Length: 99999999")

    assert (status, answer["data"]["error_code"]) == (413, "payload_too_large")


def test_a_header_that_must_not_come_twice_is_refused(town):
    body = b'{"bookingId":"b-1","amount":1,"currency":"usd"}'
    length = f"Content-Length: {len(body)}"
    keys = ["Idempotency-Key: a", "Idempotency-Key: b"]

    tokens = said(town, CREATE, town.bearer(), town.bearer(), length, body=body)
    assert (tokens[0], tokens[1]["data"]["error_code"]) == (401, "unauthorized")
    twice = said(town, CREATE, town.bearer(), *keys, length, body=body)
    assert (twice[0], twice[1]["data"]["errors"][0]["field"]) == (400, "Idempotency-Key")


def test_a_client_that_goes_away_in_the_middle_leaves_no_trace(town):
    with socket.create_connection(town.address, timeout=20) as connection:
        lines = [CREATE, "Host: shop.test", town.bearer(), "Content-Length: 400", "", '{"bookingId":']
        connection.sendall("\r\n".join(lines).encode())
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass
    # That no traceback was logged is checked at the end of every test.
    assert town.client.get("/health").status_code == 200


def test_sigterm_ends_the_server_in_good_order(town):
    booking_id, intent_id = town.opened()
    town.app.popen.terminate()

    assert town.app.wait(15) in {0, -signal.SIGTERM}  # uvicorn passes the signal on when it is done
    assert not town.app.running
    with pytest.raises(httpx.TransportError):
        town.status(booking_id)

    town.start()
    town.stripe("pay", intent_id=intent_id)
    town.stripe("resend")
    town.becomes(booking_id, "completed")
    town.settled(booking_id)
