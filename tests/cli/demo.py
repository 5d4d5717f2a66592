"""Starts `airport-payments demo` as a process, and does what its page does, over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

SUCCESS, DECLINED, NO_FUNDS, THREE_DS = "4242424242424242", "4000000000000002", "4000000000009995", "4000002760003184"
# What this shell may have set must not reach the demo.
CLEAN = dict.fromkeys(
    (
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "STRIPE_PUBLISHABLE_KEY",
        "STRIPE_API_BASE",
        "AIRPORT_PAYMENTS_NAMESPACE",
    )
)
WAIT_S = 60.0


def until(condition, what: str, timeout_s: float = WAIT_S):
    """Wait until a condition is true, and return its value."""
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)
    return value


def run(*arguments: str, env: dict[str, str | None] | None = None, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command to its end; `code` is Python that runs before it."""
    program = f"{code}\nimport sys\nfrom airport_payments.cli import main\nsys.exit(main(sys.argv[1:]))"
    variables = {**os.environ, **CLEAN, **(env or {})}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env={name: value for name, value in variables.items() if value is not None},
    )


@dataclass
class Demo:
    """A demo that runs."""

    process: object
    url: str

    @property
    def log(self) -> str:
        return self.process.log

    def signal(self, number: signal.Signals) -> int:
        """Send a signal, and return the exit code."""
        os.kill(self.process.pid, number)
        return self.process.wait(WAIT_S)

    def customer(self) -> Customer:
        """A new customer."""
        return Customer(self.url, self.data("POST", "/demo/session")["token"])

    def data(self, method: str, path: str, **options) -> dict:
        """Ask without a token, and return the answer's data."""
        return httpx.request(method, self.url + path, trust_env=False, timeout=20, **options).json()["data"]


def start_demo(processes, data: Path, *arguments: str, env=None, cwd=None, port: int = 0) -> Demo:
    """Start a demo, and wait until it has said where it runs."""
    command = (sys.executable, "-m", "airport_payments", "demo", "--port", str(port), "--data", str(data), *arguments)
    process = processes.start(*command, name="demo", env={**CLEAN, **(env or {})}, cwd=cwd)
    until(lambda: "Ctrl-C stops it" in process.log or not process.running, "the demo says where it runs")
    found = re.search(r"runs at (http://\S+)", process.log)
    assert found, process.log
    return Demo(process, found[1])


@dataclass
class Customer:
    """What the page does, as one of its customers."""

    url: str
    token: str

    def ask(self, method: str, path: str, body=None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(method, self.url + path, json=body, headers=headers, trust_env=False, timeout=20)

    def book(self, amount: float = 84.0, currency: str = "usd") -> str:
        answer = self.ask("POST", "/bookings", {"amount": amount, "currency": currency})
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["bookingId"]

    def open_payment(self, booking: str, amount: float = 84.0, currency: str = "usd") -> dict:
        body = {"bookingId": booking, "amount": amount, "currency": currency}
        answer = self.ask("POST", "/payment/create-payment-intent", body)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def status(self, booking: str) -> dict:
        answer = self.ask("GET", f"/payment/status/{booking}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def pay(self, client_secret: str, card: str = SUCCESS) -> httpx.Response:
        """Confirm in the fake, as Stripe.js would."""
        ask = httpx.Client(base_url=self.url, trust_env=False, timeout=20)
        with ask:
            stripe = ask.get("/demo/config").json()["data"]["stripeApi"]
            key = ask.get("/config").json()["data"]["publishableKey"]
            form = {
                "client_secret": client_secret,
                "use_stripe_sdk": "true",
                "payment_method_data[type]": "card",
                "payment_method_data[card][number]": card,
                "payment_method_data[card][exp_month]": "12",
                "payment_method_data[card][exp_year]": "2034",
                "payment_method_data[card][cvc]": "123",
            }
            intent = client_secret.partition("_secret_")[0]
            headers = {"Authorization": f"Bearer {key}"}
            return ask.post(f"{stripe}/v1/payment_intents/{intent}/confirm", data=form, headers=headers)

    def wait_until(self, booking: str, payment_status: str) -> dict:
        def reached():
            found = self.status(booking)
            return found if found["paymentStatus"] == payment_status else None

        return until(reached, f"{booking} is {payment_status}")
