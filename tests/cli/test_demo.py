"""`airport-payments demo` as a real process: it starts, is paid, stops, and finds everything again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest
from tests.cli.demo import CLEAN, DECLINED, SUCCESS, Customer, run, start_demo, until
from tests.cli.test_command_line import TEST_KEYS

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]


def page(demo, path="/", **headers) -> httpx.Response:
    return httpx.get(demo.url + path, headers=headers, trust_env=False, timeout=20)


def test_a_booking_is_paid_and_nothing_secret_is_printed(processes, tmp_path):
    demo = start_demo(processes, tmp_path)
    customer = demo.customer()
    booking = customer.book(450.99)
    intent = customer.open_payment(booking, 450.99)
    assert customer.pay(intent["clientSecret"], DECLINED).status_code == 402
    customer.wait_until(booking, "failed")
    assert customer.pay(intent["clientSecret"], SUCCESS).json()["status"] == "succeeded"
    assert customer.wait_until(booking, "completed")["bookingStatus"] == "confirmed"
    assert demo.signal(signal.SIGTERM) == 0
    assert "4242 4242 4242 4242" in demo.log
    secrets = json.loads((tmp_path / "fake" / "secrets.json").read_text())
    assert not [name for name in ("jwt", "webhook", "api_key") if secrets[name] in demo.log]
    assert "_secret_" not in demo.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_stops_it_cleanly(processes, tmp_path, number):
    demo = start_demo(processes, tmp_path)
    with socket.create_connection(("127.0.0.1", int(demo.url.rpartition(":")[2]))):  # a browser's idle connection
        assert demo.signal(number) == 0
    assert "Traceback" not in demo.log
    assert "Stopped." in demo.log


def test_a_program_is_told_in_one_document_where_it_runs(processes, tmp_path):
    command = (sys.executable, "-m", "airport_payments", "demo", "--json", "--port", "0", "--data", str(tmp_path))
    process = processes.start(*command, name="demo", env=CLEAN)
    until(lambda: "}" in process.log or not process.running, "the demo says where it runs")
    told = json.loads(process.log)
    assert httpx.get(told["url"] + "/health", trust_env=False, timeout=20).status_code == 200
    assert told == {"url": told["url"], "fake": True, "bookings": str(tmp_path / "fake")}
    process.popen.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert json.loads(process.log) == told


def test_a_second_run_knows_the_bookings_and_their_intents(processes, tmp_path):
    data = tmp_path / "with space #1"
    first = start_demo(processes, data)
    customer = first.customer()
    paid, still_open = customer.book(), customer.book(12.5, "eur")
    customer.pay(customer.open_payment(paid)["clientSecret"])
    customer.wait_until(paid, "completed")
    intent = customer.open_payment(still_open, 12.5, "eur")
    assert first.signal(signal.SIGTERM) == 0

    second = start_demo(processes, data)
    customer = Customer(second.url, customer.token)
    assert customer.status(paid)["paymentStatus"] == "completed"
    assert customer.open_payment(still_open, 12.5, "eur")["paymentIntentId"] == intent["paymentIntentId"]
    assert customer.pay(intent["clientSecret"]).json()["status"] == "succeeded"
    assert customer.wait_until(still_open, "completed")["bookingStatus"] == "confirmed"


def test_a_kill_loses_little(processes, tmp_path):
    first = start_demo(processes, tmp_path)
    customer = first.customer()
    booking = customer.book()
    intent = customer.open_payment(booking)
    books = tmp_path / "fake" / "demo.fake-stripe.json"
    until(lambda: books.exists() and intent["paymentIntentId"] in books.read_text(), "the fake's books are saved")
    first.process.kill()

    customer = Customer(start_demo(processes, tmp_path).url, customer.token)
    assert customer.pay(intent["clientSecret"]).json()["status"] == "succeeded"
    assert customer.wait_until(booking, "completed")["bookingStatus"] == "confirmed"


def test_reset_forgets(processes, tmp_path):
    first = start_demo(processes, tmp_path)
    customer = first.customer()
    booking = customer.book()
    assert first.signal(signal.SIGTERM) == 0
    second = start_demo(processes, tmp_path, "--reset")
    assert Customer(second.url, customer.token).ask("GET", f"/bookings/{booking}").status_code == 401
    assert second.customer().ask("GET", f"/bookings/{booking}").status_code == 404


def test_a_taken_port_gets_another(processes, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start_demo(processes, tmp_path, port=port)
    assert f"port {port} is taken" in demo.log
    assert not demo.url.endswith(f":{port}")
    assert page(demo).status_code == 200


def test_a_free_port_is_the_one_asked_for(processes, tmp_path, free_port):
    demo = start_demo(processes, tmp_path, port=free_port)
    assert demo.url == f"http://127.0.0.1:{free_port}"
    assert "taken" not in demo.log


def test_one_folder_has_one_demo(processes, tmp_path):
    demo = start_demo(processes, tmp_path)
    ended = run("demo", "--port", "0", "--data", str(tmp_path))
    assert ended.returncode == 1
    assert f"already runs with this folder, at {demo.url}" in ended.stderr
    assert demo.process.running


def test_damaged_books_are_said(processes, tmp_path):
    assert start_demo(processes, tmp_path).signal(signal.SIGTERM) == 0
    (tmp_path / "fake" / "demo.fake-stripe.json").write_text("{")
    ended = run("demo", "--port", "0", "--data", str(tmp_path))
    assert ended.returncode == 1
    assert "--reset" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_page_is_served_with_a_strict_policy(processes, tmp_path):
    demo = start_demo(processes, tmp_path)
    fake = demo.data("GET", "/demo/config")
    assert fake["isFake"]
    for path, kind in (("/", "text/html"), ("/app.js", "javascript"), ("/style.css", "text/css")):
        answer = page(demo, path)
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert f"connect-src 'self' {fake['stripeApi']};" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in page(demo).text
    assert page(demo, "/nothing").status_code == 404
    for path in ("/payment", "/payment/nothing"):
        assert page(demo, path).json()["success"] is False  # the page takes nothing from the API


def test_a_browser_on_another_machine_is_told_an_address_that_it_can_reach(processes, tmp_path):
    demo = start_demo(processes, tmp_path, "--host", "0.0.0.0")
    assert demo.url.startswith("http://127.0.0.1:")
    port = demo.data("GET", "/demo/config")["stripeApi"].rpartition(":")[2]
    seen = demo.data("GET", "/demo/config", headers={"Host": "192.0.2.7:8000"})
    assert seen["stripeApi"] == f"http://192.0.2.7:{port}"
    odd = demo.data("GET", "/demo/config", headers={"Host": "a;script-src *"})
    assert odd["stripeApi"] == f"http://127.0.0.1:{port}"


def test_stripes_test_mode_starts_no_fake(processes, tmp_path):
    demo = start_demo(processes, tmp_path, env={**TEST_KEYS, "STRIPE_API_BASE": "http://127.0.0.1:9"})
    assert f"--forward-to {demo.url}/payment/webhook" in demo.log
    assert "Stripe's test mode" in demo.log
    assert "fake" not in demo.log
    assert "CANARY" not in demo.log
    assert demo.data("GET", "/demo/config") == {"isFake": False, "stripeApi": None}
    assert demo.data("GET", "/config") == {"publishableKey": TEST_KEYS["STRIPE_PUBLISHABLE_KEY"]}
    policy = page(demo).headers["content-security-policy"]
    assert "script-src 'self' https://js.stripe.com" in policy
    assert "connect-src 'self' https://api.stripe.com;" in policy
    assert demo.signal(signal.SIGTERM) == 0
    assert not list(tmp_path.rglob("*.fake-stripe.json"))


def test_a_database_of_another_program_is_not_touched(processes, tmp_path):
    theirs = tmp_path / "theirs.db"
    env = {"DATABASE_URL": f"sqlite:///{theirs}", "JWT_SECRET": "short"}
    start_demo(processes, tmp_path / "demo", env=env).customer().book()
    assert not theirs.exists()


def test_it_works_from_an_installed_wheel(processes, tmp_path):
    site = tmp_path / "site"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "airport_payments", site / "airport_payments", ignore=ignore)
    shutil.copytree(ROOT / "examples", site / "airport_payments" / "examples", ignore=ignore)
    env = {"PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    where = "import airport_payments as a, importlib.util as u; print(a.__file__, u.find_spec('airport_payments.examples').origin)"
    probe = processes.start(sys.executable, "-c", where, env=env, cwd=tmp_path)
    assert probe.wait() == 0
    assert probe.log.count(str(site)) == 2
    demo = start_demo(processes, tmp_path / "data", env=env, cwd=tmp_path)
    customer = demo.customer()
    booking = customer.book()
    customer.pay(customer.open_payment(booking)["clientSecret"])
    customer.wait_until(booking, "completed")
    assert page(demo).status_code == 200


def test_it_works_from_any_folder(processes, tmp_path):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "__init__.py").write_text("raise SystemExit('not ours')")
    demo = start_demo(processes, tmp_path / "data", cwd=tmp_path, env={"XDG_DATA_HOME": os.devnull})
    assert page(demo).status_code == 200
