"""Turns each sync module into its async twin by one fixed table of substitutions.

    python -m tests.twins           say which twins differ from what the table makes of their originals
    python -m tests.twins --write   write them
"""

import re
import subprocess
import sys
from pathlib import Path

SRC = Path(__file__).parent.parent / "src" / "airport_payments"

# The async module, from the sync one.
TWINS = {
    "stripe_api/port_async.py": "stripe_api/port.py",
    "runner_async.py": "runner.py",
    "reconcile_async.py": "reconcile.py",
    "staff_async.py": "staff.py",
    "keeping_async.py": "keeping.py",
    "gateway_async.py": "gateway.py",
    "endpoints_async.py": "endpoints.py",
}

# Applied in this order, to the whole text. Nothing else may differ.
TABLE: list[tuple[str, str]] = [
    # names
    (r"\bPaymentGateway\b", "AsyncPaymentGateway"),
    (r"\bPaymentEndpoints\b", "AsyncPaymentEndpoints"),
    (r"(?<!Async)\bBookingRepository\b", "AsyncBookingRepository"),
    (r"\bStripePort\b", "AsyncStripePort"),
    (r"\bPort\b", "AsyncPort"),
    (r"\bRunner\b", "AsyncRunner"),
    (r"\bStaff\b", "AsyncStaff"),
    (r"\bKeeping\b", "AsyncKeeping"),
    (r"\bKeepingRepository\b", "AsyncKeepingRepository"),
    (r"\b(Tables|PacedPort|Comparison|Reconciler)\b", r"Async\1"),
    (r"\bhttpx\.Client\b", "httpx.AsyncClient"),
    (r"\bAuthenticator\b", "AsyncAuthenticator"),
    (r"\bIterable\[bytes\]", "AsyncIterable[bytes]"),
    (r"import Callable, Iterable\b", "import AsyncIterable, Awaitable, Callable, Iterable"),
    (r"import Callable, (Generator|Sequence)$", r"import Awaitable, Callable, \1"),
    (r"airport_payments\.gateway\b", "airport_payments.gateway_async"),
    (r"stripe_api\.port\b", "stripe_api.port_async"),
    (r"airport_payments\.(keeping|reconcile|runner|staff)\b", r"airport_payments.\1_async"),
    (r"Authenticator: TypeAlias = Callable\[\[str\], str\]", "Authenticator: TypeAlias = Callable[[str], Awaitable[str]]"),
    (r"self\._authenticator\(bearer", "await self._authenticator(bearer"),
    (r"self\._options\(owner", "await self._options(owner"),
    (r"Callable\[\[str, str\], PaymentOptions \| None\]", "Callable[[str, str], Awaitable[PaymentOptions | None]]"),
    (r"\bHttpxTransport\(client=", "HttpxTransport(async_client="),
    (r"asynchronous=False", "asynchronous=True"),
    (r"\bown_home\b", "own_home_async"),
    # words
    (r"Safe for threads: build one for the process\.", "Safe for tasks: build one for the event loop."),
    (r"Safe for threads\b", "Safe for tasks"),
    (r"^from collections\.abc import Callable$", "from collections.abc import Awaitable, Callable"),
    # types of what is awaited
    (r"sleep: Callable\[\[float\], None\]", "sleep: Callable[[float], Awaitable[None]]"),
    (r"\btime\.sleep\b", "asyncio.sleep"),
    (r"Handler = Callable\[\[A\], object\]", "Handler = Callable[[A], Awaitable[object]]"),
    (r"Handlers\[Callable\[\.\.\., object\]\]", "Handlers[Callable[..., Awaitable[object]]]"),
    (r"\bthreading\.Event\b", "asyncio.Event"),
    (r"airport_payments\.waiting import Waker$", "airport_payments.waiting_async import AsyncWaker"),
    (r"(?<!Async)\bWaker\(\)", "AsyncWaker()"),
    (r"^import (random|threading)\n", r"import asyncio\nimport \1\n"),
    # what becomes a coroutine, and what awaits it
    (r"^( *)def (perform|prune|erase_customer|_forget|page|_converse|_compare|_refunds|get|find|save|due|reconcile|_send|_call|close|create_payment|confirm_payment|charge_saved_card|customer|fetch|refund|cancel|expire|resolve|capture|needs_attention|dead_letters|redeliver|history|explain|_attention|payment_status|handle_webhook|handle_event"
     r"|event|_get_and_save|_aftermath|_place|_fetch_intent|_fetch_aftermath|_apply|booking_changed|tick|work|run|_deliver|handle|create_payment_intent|webhook|_answer|_read"
     r"|_owner|_create|_confirm|_status|_webhook)\(", r"\1async def \2("),
    (r"= together\(", "= await together("),
    (r"\bself\._waker\.wait\(", "await self._waker.wait("),
    (r"(?<!await )\bself\.(_converse|_get_and_save|_forget|_compare|_refunds|_send|_call|_aftermath|_place|_fetch_intent|_fetch_aftermath|_apply|run|_deliver|_sleep|needs_attention|_attention|tick|handle_event|_answer|_read|_owner"
     r"|_create|_confirm|_status|_webhook)\(", r"await self.\1("),
    (r"(?<!await )\bself\._(repository|inner|tables|port|runner|reconciler|gateway|authenticator)\.(page|get|find|save|due|history|perform|close|event|run|fetch|tick|work|create_payment"
     r"|confirm_payment|payment_status|handle_webhook|authenticate)\(", r"await self._\1.\2("),
    (r"(?<!await )\btables\.(newest|owned_by|forget|get|save|history)\(", r"await tables.\1("),
    (r"(?<!await )\bcomparison\.page\(", "await comparison.page("),
    (r"\bclient\.raw_request\(", "await client.raw_request_async("),
    (r"\bowned\.close\(\)", "await owned.aclose()"),
    (r"taken\(handler\(announcement\)\)", "await handler(announcement)"),
    (r"for chunk in chunks\b", "async for chunk in chunks"),
    (r"\(await self\._runner\.run\((.+)\)\.reply\)$", r"((await self._runner.run(\1)).reply)"),
    (r"(problems|report_) = await", r"\1 = await"),
]


def twin_of(text: str) -> str:
    """Return the async text of a sync module."""
    for pattern, replacement in TABLE:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return formatted(text)


def formatted(text: str) -> str:
    """Drop imports that the substitutions left unused, and lay the text out as the formatter would."""
    ruff = [str(Path(sys.executable).parent / "ruff")]
    where = ["--stdin-filename", str(SRC / "twin.py"), "-"]
    fixed = subprocess.run([*ruff, "check", "--select", "F401,I001", "--fix-only", "--quiet", *where],
                           input=text, capture_output=True, text=True, timeout=60, check=True).stdout  # fmt: skip
    return subprocess.run([*ruff, "format", "--quiet", *where],
                          input=fixed, capture_output=True, text=True, timeout=60, check=True).stdout  # fmt: skip


def main() -> int:
    """Compare or write."""
    different = 0
    for twin, original in TWINS.items():
        if not (SRC / original).exists():
            continue
        text = twin_of((SRC / original).read_text())
        if not (SRC / twin).exists() or (SRC / twin).read_text() != text:
            different += 1
            print(f"{twin} differs from what the table makes of {original}")
            if "--write" in sys.argv:
                (SRC / twin).write_text(text)
    return 0 if "--write" in sys.argv else min(different, 1)


if __name__ == "__main__":
    sys.exit(main())
