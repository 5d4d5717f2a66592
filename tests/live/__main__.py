"""Compare FakeStripe with Stripe's test mode: `STRIPE_SECRET_KEY=sk_test_… make live`.

Exit codes: 0 no difference; 1 differences, which are printed; 2 nothing was asked: no key, a key that is not of test mode,
another address than Stripe's or this machine's; 3 it ended early: too many calls, or too long.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import stripe

from airport_payments.core.secret import Secret

from .compare import printed
from .line import Line
from .run import both
from .scenarios import SCENARIOS, Scenario
from .stage import Side

STRIPE = "https://api.stripe.com"
SAME, DIFFERENT, NOT_RUN, ENDED_EARLY = 0, 1, 2, 3
_KEY = re.compile(r"(?:sk|rk)_test_[A-Za-z0-9_]{4,247}", re.ASCII)
_HERE = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\]):\d{1,5}", re.ASCII)


class Refused(Exception):
    """Nothing is asked; the text says why, and shows no key."""


def checked_key(environ: Mapping[str, str]) -> Secret:
    """Return the test key of the environment.

    Raises:
        Refused: there is none, or it is not one of test mode.
    """
    key = environ.get("STRIPE_SECRET_KEY", "").strip()
    if not key:
        raise Refused("STRIPE_SECRET_KEY is not set: put a test key there, sk_test_… or rk_test_…")
    if key.startswith(("sk_live_", "rk_live_", "sk_org_live_", "pk_live_")):
        raise Refused(
            "STRIPE_SECRET_KEY holds a live key. This makes payments: only test keys are taken. Nothing was sent"
        )
    if key.startswith("pk_"):
        raise Refused("STRIPE_SECRET_KEY holds a publishable key: sk_test_… or rk_test_… is needed. Nothing was sent")
    if not _KEY.fullmatch(key):
        raise Refused("STRIPE_SECRET_KEY holds no test key: sk_test_… or rk_test_… is needed. Nothing was sent")
    return Secret(key)


def checked_base(given: str) -> str:
    """Return where to ask: Stripe, or this machine.

    Raises:
        Refused: it is neither.
    """
    if given != STRIPE and not _HERE.fullmatch(given):
        raise Refused(
            "--api-base: http://127.0.0.1:PORT, localhost or [::1]; the key goes to no other machine than Stripe's"
        )
    return given


def chosen(patterns: Sequence[str]) -> list[Scenario]:
    """Return the scenarios whose names match any of these; all if none is given.

    Raises:
        Refused: there is none.
    """
    found = [s for s in SCENARIOS if not patterns or any(fnmatchcase(s.name, pattern) for pattern in patterns)]
    if not found:
        raise Refused(f"no scenario matches {' '.join(patterns)}; --list names them")
    return found


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("scenarios", nargs="*", help="names, with * for anything; all by default")
    made.add_argument("--list", action="store_true", help="name the scenarios, and ask nobody")
    made.add_argument(
        "--notes", action="store_true", help="print notes, too: null on one side, what depends on the account"
    )
    made.add_argument("--api-base", default=STRIPE, help="a peer on this machine instead of Stripe")
    return made


def main(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    say: Callable[[str], None] = print,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Run, print, and return the exit code."""
    given = parser().parse_args(argv)
    try:
        scenarios = chosen(given.scenarios)
        if given.list:
            for scenario in scenarios:
                say(f"{scenario.name}: {scenario.says}")
            return SAME
        base, key = checked_base(given.api_base), checked_key(environ)
    except Refused as error:
        say(str(error))
        return NOT_RUN
    name = "Stripe" if base == STRIPE else "the peer"
    # What our gateway logs names what Stripe said; here only its words are compared.
    logging.getLogger("airport_payments").addHandler(logging.NullHandler())
    run = f"live-{secrets.token_hex(6)}"
    line = Line(clock=clock, sleep=sleep)
    say(f"{len(scenarios)} scenarios at {base}, version {stripe.api_version}, marked {run}")
    with line.client(trust_env=base == STRIPE) as client:
        side = Side(name, line, client, base, key, sleep, now, run)
        outcome = both(side, run, scenarios, tell=lambda scenario: say(f"  {scenario}"))
    lines = printed([f for f in outcome.findings if not f.note], name)
    notes = printed([f for f in outcome.findings if f.note], name)
    for text in [*lines, *(notes if given.notes else [])]:
        say(text.replace(key.reveal(), "sk_test_…"))
    kept = "" if given.notes or not notes else f" {len(notes)} notes: --notes shows them."
    say(f"{outcome.played} scenarios, {line.calls} calls, {len(lines)} differences.{kept}")
    if outcome.out_of_budget:
        say(outcome.out_of_budget)
        return ENDED_EARLY
    return DIFFERENT if lines else SAME


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
