"""`airport-payments prune` and `erase`: forget what is not needed any more."""

import argparse
from typing import TYPE_CHECKING, Final

from airport_payments.cli.command import Command, CommandError, Exit, say
from airport_payments.cli.options import add_app, moment, whole_number
from airport_payments.cli.output import plural, print_json

if TYPE_CHECKING:
    from airport_payments.core.keeping import EraseReport, PruneReport

_PRUNE: Final = """\
Forgets the history, and details of the ledger, of bookings to which nothing
happened since --before. Payments, refunds and disputes are kept, and nothing is
forgotten of a booking whose money is still moving or that waits for a person.
It may run beside everything else, and again after it was stopped.
"""
_ERASE: Final = """\
Forgets of a customer's bookings whatever the library can do without, however
new it is. Your own rows, and what Stripe keeps of the customer, are left to
you. Bookings whose money is still moving are named: run it again later.
"""
_AT_ONCE: Final = 1000
_MOST: Final = 100_000_000


def _prune_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--before",
        type=moment,
        required=True,
        metavar="TIME",
        help="so long ago (400d), or a time; UTC unless it says",
    )
    parser.add_argument("--dry-run", action="store_true", help="only count")
    parser.add_argument("--limit", type=whole_number(1, _MOST), default=_MOST, help="look at so many bookings at most")
    parser.add_argument("--after", metavar="BOOKING", help="go on after this booking, as the last call said")
    add_app(parser)


def _prune(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick

    looked_at = pruned = lines = moving = 0
    after: str | None = arguments.after
    with open_desk(arguments.app) as desk:
        while looked_at < arguments.limit:
            size = min(_AT_ONCE, arguments.limit - looked_at)
            found: PruneReport = desk.wait(
                desk.gateway.prune(arguments.before, after=after, limit=size, dry_run=arguments.dry_run)
            )
            looked_at, pruned = looked_at + found.looked_at, pruned + found.pruned
            lines, moving, after = lines + found.lines, moving + found.moving, found.after
            if after is None:
                break
    if arguments.json:
        print_json({
            "dry_run": arguments.dry_run, "looked_at": looked_at, "pruned": pruned, "lines": lines, "moving": moving,
            "after": after,
        })  # fmt: skip
        return Exit.OK
    would = "would be pruned" if arguments.dry_run else "pruned"
    say(f"{plural(looked_at, 'booking')} looked at, {pruned} {would}: {plural(lines, 'line')} of history.")
    if moving:
        say(f"{plural(moving, 'booking')} as old left alone: money is still moving, or a person has to decide.")
    if after is not None:
        say(f"There are more: go on with --after {after}")
    return Exit.OK


def _erase_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("owner", metavar="OWNER", help="the customer's id, as your bookings have it")
    add_app(parser)


def _erase(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick

    if not arguments.owner:
        raise CommandError("name the customer", Exit.REFUSED, "invalid_request")
    erased: list[str] = []
    moving: list[str] = []
    lines, after = 0, None
    with open_desk(arguments.app) as desk:
        while True:
            found: EraseReport = desk.wait(desk.gateway.erase_customer(arguments.owner, after=after, limit=_AT_ONCE))
            erased += found.erased
            moving += found.moving
            lines, after = lines + found.lines, found.after
            if after is None:
                break
    if arguments.json:
        print_json({"erased": erased, "moving": moving, "lines": lines})
    else:
        say(f"{plural(len(erased), 'booking')} erased: {plural(lines, 'line')} of history.")
        if moving:
            say(f"Money of {', '.join(moving)} is still moving, or a person has to decide: run this again later.")
    return Exit.FAILED if moving else Exit.OK


PRUNE: Final = Command(
    "prune",
    "forget the history of bookings that are long settled",
    _PRUNE,
    _prune_arguments,
    _prune,
    ("airport-payments prune --before 400d --dry-run", "airport-payments prune --before 2025-01-01 --app shop:gateway"),
)
ERASE: Final = Command(
    "erase",
    "forget what is kept of a customer",
    _ERASE,
    _erase_arguments,
    _erase,
    ("airport-payments erase alice",),
)
