"""The arguments that several commands share."""

import argparse
from collections.abc import Callable

_APP = """\
your own gateway: the name of a PaymentGateway or AsyncPaymentGateway, or of a function that makes one.
Without it one is made of the environment: STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET, DATABASE_URL.
"""


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
