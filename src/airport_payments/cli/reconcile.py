"""`airport-payments reconcile`: our tables against Stripe's books."""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airport_payments.cli.command import Command, CommandError, Exit, say
from airport_payments.cli.failures import told
from airport_payments.cli.money import money_json
from airport_payments.cli.options import add_app, moment, whole_number
from airport_payments.cli.output import Json, Screen, plural, print_json

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from airport_payments.cli.desk import Desk
    from airport_payments.core.reconcile import Difference, ReconcileProgress, ReconcileReport

_DESCRIPTION: Final = """\
Compares our tables with Stripe's books, by its lists and by the events that it
could not deliver, and says what differs and how much money that concerns.
It changes nothing until --repair is given; then the same rules as for events
apply, and what follows is left due for tick.
"""
_MOST: Final = 1_000_000
# These are reported and left alone, with --repair too.
_LEFT: Final = frozenset({"unmatched", "not_compared"})
_WORDS: Final = {
    "missing": "was not known here",
    "behind": "had come further at Stripe",
    "refund": "a refund",
    "dispute": "a dispute",
    "orphan": "no attempt of ours is known",
    "unmatched": "there is no such booking",
    "not_compared": "could not be compared",
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since",
        type=moment,
        required=True,
        metavar="TIME",
        help="from when: 2026-11-01T12:00Z, or 36h, 3d ago (UTC)",
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="up to when (now)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="only say what differs: that is the default")
    how.add_argument("--repair", action="store_true", help="put what differs right")
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="after a restored backup: put forgotten attempts back as the booking's own",
    )
    parser.add_argument("--cursor", help="go on where an earlier call stopped, with the same --since and --until")
    parser.add_argument(
        "--limit", type=whole_number(1, _MOST), default=10_000, help="compare so many objects at most (10000)"
    )
    add_app(parser)


def _run(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick
    from airport_payments.core.errors import ReconcileInterrupted  # noqa: PLC0415

    progress = _Progress() if sys.stderr.isatty() else None
    problem: CommandError | None = None
    with open_desk(arguments.app) as desk:
        try:
            report = desk.wait(_asked(desk, arguments, progress))
        except ReconcileInterrupted as error:
            problem, report = told(error), error.report
        finally:
            if progress is not None:
                progress.clear()
    if arguments.json:
        failed: dict[str, Json] = {} if problem is None else {"error": {"code": problem.code, "message": str(problem)}}
        print_json({**_document(report), **failed})
    else:
        _show(report, arguments)
    if problem is not None:
        say(f"airport-payments reconcile: {problem}", sys.stderr)
        return problem.exit
    return Exit.DIFFERENT if _left(report) else Exit.OK


def _asked(
    desk: "Desk", arguments: argparse.Namespace, progress: "_Progress | None"
) -> "ReconcileReport | Awaitable[ReconcileReport]":
    return desk.gateway.reconcile(
        arguments.since,
        until=arguments.until,
        dry_run=not arguments.repair,
        cursor=arguments.cursor,
        limit=arguments.limit,
        rebuild=arguments.rebuild,
        progress=progress,
    )


class _Progress:
    """One line on standard error that is written over and over."""

    def __call__(self, progress: "ReconcileProgress") -> None:
        """Say how far it is."""
        listing = progress.listing.replace("_", " ")
        differ = plural(progress.differences, "difference")
        sys.stderr.write(f"\r\x1b[K{listing}: {progress.looked_at} compared, {differ}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Leave nothing behind."""
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _left(report: "ReconcileReport") -> list["Difference"]:
    """Return the differences that are not repaired."""
    return [d for d in report.differences if report.dry_run or d.kind.value in _LEFT]


def _show(report: "ReconcileReport", arguments: argparse.Namespace) -> None:
    screen = Screen()
    for booking, found in report.by_booking.items():
        screen.line((f"Booking {booking}" if booking else "Of no known booking", "bold"))
        for difference in found:
            amount = f"{difference.amount}, " if difference.amount is not None else ""
            stands = f"{difference.here or 'nothing'} here, {difference.at_stripe} at Stripe"
            lead = f"  {difference.object_id}  "
            screen.wrapped(f"{amount}{_WORDS[difference.kind.value]}: {stands}", indent=len(lead), lead=[lead])
    counted = plural(report.looked_at, "object")
    foreign = f", {report.foreign} of them of others" if report.foreign else ""
    window = f"{_time(report.since)} to {_time(report.until)}"
    screen.wrapped(f"{counted} of Stripe's compared{foreign}, from {window}.")
    money = ", ".join(_spelled(minor, currency) for currency, minor in report.money_minor.items())
    if not report.differences:
        screen.line("Nothing differs.")
    else:
        done = "" if report.dry_run else ", repaired" if not _left(report) else f", {len(_left(report))} not repaired"
        concerns = f", about {money}" if money else ""
        screen.wrapped(f"{plural(len(report.differences), 'difference')}{concerns}{done}.")
    if report.dry_run and report.differences:
        screen.line("Nothing was changed. Add --repair to put it right.")
    if report.cursor is not None:
        mode = " --repair" if arguments.repair else ""
        screen.line("It stopped at the limit. Go on with:")
        screen.line(
            f"  airport-payments reconcile{mode} --since {_time(report.since)} --until {_time(report.until)} "
            f"--cursor {report.cursor}"
        )


def _spelled(minor: int, currency: str) -> str:
    from airport_payments.core.money import spell  # noqa: PLC0415 - so that --help is quick

    return spell(minor, currency)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _document(report: "ReconcileReport") -> dict[str, Json]:
    return {
        "since": _time(report.since),
        "until": _time(report.until),
        "dry_run": report.dry_run,
        "looked_at": report.looked_at,
        "foreign": report.foreign,
        "differences": [
            {
                "kind": difference.kind.value,
                "booking": difference.booking_id,
                "object": difference.object_id,
                "here": difference.here,
                "at_stripe": difference.at_stripe,
                "amount": money_json(difference.amount) if difference.amount is not None else None,
            }
            for difference in report.differences
        ],
        "money_minor": dict(report.money_minor),
        "not_repaired": len(_left(report)),
        "cursor": report.cursor,
    }


RECONCILE: Final = Command(
    "reconcile",
    "compare our tables with Stripe's books",
    _DESCRIPTION,
    _add_arguments,
    _run,
    ("airport-payments reconcile --since 3d", "airport-payments reconcile --since 2026-11-01T00:00Z --repair"),
)
