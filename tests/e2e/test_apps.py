"""Both examples as they are run: a server, its database, and a Stripe that is another process and sends webhooks itself.

The webhooks come twice, in any order, and again until they are answered. Any process may be killed at any time.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import jwt
import pytest
from tests.conftest import _STARTED, Processes

from .apps import API_KEY, JWT_SECRET, WEBHOOK_SECRET, eventually

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).parents[2]
SERVERS = {
    "uvicorn": ["uvicorn", "examples.fastapi_app.app:app", "--host", "127.0.0.1", "--port", "{port}"],
    "gunicorn": [
        "gunicorn", "examples.flask_app.app:app", "--bind", "127.0.0.1:{port}", "--workers", "2", "--threads", "4",
    ],
}  # fmt: skip
PRICE = {"amount": 450.99, "currency": "usd"}
COMPLETED = {"paymentStatus": "completed", "bookingStatus": "confirmed", "stripeStatus": "succeeded"}
DECLINED, NEEDS_3DS = "4000000000000002", "4000002760003184"


class Town:
    """One app, its database, and the fake Stripe that it talks to."""

    def __init__(self, server: str, folder: Path) -> None:
        self.processes = Processes(folder)
        self._server = [sys.executable, "-m", *SERVERS[server]]
        self._folder = folder
        self._port, stripe, control = (self.processes.free_port() for _ in range(3))
        self.url = f"http://127.0.0.1:{self._port}"
        self.database = folder / "airport.db"
        self._env = {
            "PYTHONPATH": REPOSITORY,
            "STRIPE_SECRET_KEY": API_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_PUBLISHABLE_KEY": None,
            "STRIPE_API_BASE": f"http://127.0.0.1:{stripe}",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "JWT_SECRET": JWT_SECRET,
            "AIRPORT_PAYMENTS_NAMESPACE": None,
            "PYTHONWARNINGS": "default",
        }
        words = ["--port", stripe, "--control", control, "--webhooks", f"{self.url}/payment/webhook"]
        self.processes.start(
            sys.executable, "-m", "tests.e2e.apps", *words, name="fake-stripe", cwd=REPOSITORY, ready=control
        )
        self._control = f"http://127.0.0.1:{control}"
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self.start()

    def start(self) -> None:
        """Start the app, as a supervisor would after a crash."""
        words = [word.format(port=self._port) for word in self._server]
        self.app = self.processes.start(*words, name="app", env=self._env, cwd=self._folder, ready=f"{self.url}/health")

    def close(self) -> None:
        self.client.close()
        for process in reversed(self.processes.started):
            process.stop()

    # ---- Stripe, its customers and its network ----

    def stripe(self, what: str, **given):
        answer = httpx.post(f"{self._control}/{what}", json=given, timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # ---- customers ----

    def ask(self, method: str, path: str, document: object = None, *, owner: str = "alice") -> httpx.Response:
        token = jwt.encode({"sub": owner, "exp": int(time.time()) + 600}, JWT_SECRET, "HS256")
        return self.client.request(method, path, json=document, headers={"Authorization": f"Bearer {token}"})

    def book(self, **changes) -> str:
        answer = self.ask("POST", "/bookings", {**PRICE, **changes})
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["bookingId"]

    def create(self, booking_id: str, *, owner: str = "alice", **changes) -> httpx.Response:
        document = {"bookingId": booking_id, **PRICE, **changes}
        return self.ask("POST", "/payment/create-payment-intent", document, owner=owner)

    def opened(self) -> tuple[str, str]:
        """Book and ask for a PaymentIntent: the ids of both."""
        booking_id = self.book()
        answer = self.create(booking_id)
        assert answer.status_code == 200, answer.text
        return booking_id, answer.json()["data"]["paymentIntentId"]

    def confirm(self, booking_id: str, intent_id: str, *, owner: str = "alice") -> httpx.Response:
        document = {"bookingId": booking_id, "paymentIntentId": intent_id}
        return self.ask("POST", "/payment/confirm-payment", document, owner=owner)

    def status(self, booking_id: str) -> dict:
        answer = self.ask("GET", f"/payment/status/{booking_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def becomes(self, booking_id: str, payment_status: str) -> dict:
        """Wait until a payment has this status."""
        eventually(lambda: self.status(booking_id)["paymentStatus"] == payment_status)
        return self.status(booking_id)

    # ---- the database, and what must be true of it ----

    def sql(self, statement: str, *values: object) -> list[tuple]:
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=20)) as connection:
            return connection.execute(statement, values).fetchall()

    def settled(self, *booking_ids: str) -> None:
        """Every booking was confirmed exactly once, nothing is outstanding, and Stripe's books say the same."""
        for booking_id in booking_ids:
            lines = self.sql("SELECT decision FROM airport_history WHERE booking_id = ?", booking_id)
            assert [line for (line,) in lines if "booking confirmed" in line] == ["paid: booking confirmed"]
            eventually(lambda booking_id=booking_id: self.quiet(booking_id))
            paid = [i["amount_received"] for i in self.stripe("intents", booking_id=booking_id)]
            assert [amount for amount in paid if amount] == [45099]

    def quiet(self, booking_id: str) -> bool:
        """Whether no command and no announcement is outstanding."""
        ((document,),) = self.sql("SELECT document FROM airport_ledgers WHERE booking_id = ?", booking_id)
        ledger = json.loads(document)
        return not ledger.get("effects") and not ledger.get("announcements")


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
    assert town.quiet(booking_id)
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


def test_two_customers_cannot_see_each_others_bookings(town):
    booking_id, intent_id = town.opened()

    answers = [
        town.ask("GET", f"/payment/status/{booking_id}", owner="bob"),
        town.ask("GET", f"/bookings/{booking_id}", owner="bob"),
        town.ask("POST", f"/bookings/{booking_id}/cancel", owner="bob"),
        town.create(booking_id, owner="bob"),
        town.confirm(booking_id, intent_id, owner="bob"),
        town.ask("GET", "/payment/status/b-nowhere", owner="bob"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert town.status(booking_id)["bookingStatus"] == "pending"


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
