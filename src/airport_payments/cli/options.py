"""The arguments that several commands share."""

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

_APP: Final = """\
your own gateway: the name of a PaymentGateway or AsyncPaymentGateway, or of a function that makes one.
Without it one is made of the environment: STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET, DATABASE_URL.
"""
_AGO: Final = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_app(parser: argparse.ArgumentParser) -> None:
    """Add `--app` and `--json`, which every command on a gateway has."""
    parser.add_argument("--app", metavar="MODULE:NAME", help=_APP)
    add_json(parser)


def add_booking(parser: argparse.ArgumentParser) -> None:
    """Add the booking that a command is about."""
    parser.add_argument("booking", metavar="BOOKING", help="the booking's id")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text[:10]) <= most):
            raise argparse.ArgumentTypeError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def moment(text: str) -> datetime:
    """Read `2026-11-01`, `2026-11-01T12:00`, with a time zone or else UTC, or how long ago: `36h`, `3d`."""
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("a time, such as 2026-11-01, 2026-11-01T12:00Z, 36h or 3d") from None
