"""`airport-payments explain`, `attention` and `dead-letters`: what happened, and what waits for a person."""

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from airport_payments.cli.command import Command, CommandError, Exit
from airport_payments.cli.options import add_app, add_booking, whole_number
from airport_payments.cli.output import Json, Screen, plural, print_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from airport_payments.cli.desk import Desk
    from airport_payments.core.announcements import DeadLetter
    from airport_payments.core.model import HistoryLine
    from airport_payments.core.views import Attention, Page

Item = TypeVar("Item")

_EXPLAIN: Final = """\
Tells how a booking and its money stand, what is to come, and what happened.
For support: it shows no secret and no personal data.
"""
_ATTENTION: Final = """\
Lists bookings that wait for a person: money in review (airport-payments
resolve), disputes to answer at Stripe, and announcements that a handler could
not be given (airport-payments dead-letters).
"""
_DEAD_LETTERS: Final = """\
Lists announcements that one of your handlers did not take, however often it was
called. Mend the handler, then have them delivered after all: tick does it.
"""
_LIMIT: Final = 100
_MOST: Final = 1000
_INDENT: Final = re.compile(r" *")


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    add_booking(parser)
    add_app(parser)


def _explain(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick

    with open_desk(arguments.app) as desk:
        story = desk.wait(desk.gateway.explain(arguments.booking))
    if arguments.json:
        print_json({
            "booking": story.booking_id,
            "standing": list(story.standing),
            "coming": [line.strip() for line in story.coming],
            "history": [_line_json(line) for line in story.history],
        })  # fmt: skip
        return Exit.OK
    screen = Screen()
    for line in story.lines:
        found = _INDENT.match(line)
        indent = len(found[0]) if found else 0
        screen.wrapped(line.strip(), indent=indent, hang=2)
    return Exit.OK


def _line_json(line: "HistoryLine") -> Json:
    return {
        "at": _time(line.at),
        "fact": line.fact,
        "decision": line.decision,
        "event": line.event_id,
        "payment": line.intent_id,
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _page_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=whole_number(1, _MOST), default=_LIMIT, help=f"of so many bookings at most ({_LIMIT})"
    )
    parser.add_argument("--after", metavar="BOOKING", help="go on after this booking, as the last call said")
    add_app(parser)


def _pages(
    desk: "Desk",
    ask: "Callable[[str | None, int], Page[Item] | Awaitable[Page[Item]]]",
    arguments: argparse.Namespace,
) -> tuple[list[Item], str | None]:
    """Return what is on the pages up to the first that is not empty, and where to go on."""
    after: str | None = arguments.after
    while True:
        page = desk.wait(ask(after, arguments.limit))
        if page.items or page.after is None:
            return list(page.items), page.after
        after = page.after


def _more(screen: Screen, after: str | None, command: str) -> None:
    if after is not None:
        screen.wrapped(f"There may be more: airport-payments {command} --after {after}")


def _attention(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick

    with open_desk(arguments.app) as desk:
        found, after = _pages(desk, desk.gateway.needs_attention, arguments)
    if arguments.json:
        print_json({"bookings": [_attention_json(booking) for booking in found], "after": after})
        return Exit.OK
    screen = Screen()
    if not found:
        screen.line("Nothing waits for a person.")
    for booking in found:
        screen.line((f"Booking {booking.booking_id}", "bold"), f" ({booking.booking_status.value})")
        screen.fields(*_waits_for(booking))
    _more(screen, after, "attention")
    return Exit.OK


def _waits_for(booking: "Attention") -> "Iterator[tuple[str, str]]":
    """Yield what of a booking waits for a person: its name, and the rest of the line."""
    from airport_payments.core.money import spell  # noqa: PLC0415 - so that --help is quick

    for review in booking.reviews:
        why = f": {review.reason.value.replace('_', ' ')}" if review.reason else ""
        yield "in review", f"{spell(review.amount_minor, review.currency)}, payment {review.payment_intent_id}{why}"
    for dispute in booking.disputes:
        amount = spell(dispute.amount_minor, dispute.currency)
        until = f", answer until {_time(dispute.due_by)}" if dispute.due_by else ""
        yield "dispute", f"{amount}, {dispute.dispute_id}: {dispute.reason}{until}"
    if booking.dead_letters:
        yield "not heard", f"{plural(len(booking.dead_letters), 'announcement')}: see airport-payments dead-letters"


def _attention_json(booking: "Attention") -> Json:
    return {
        "booking": {"id": booking.booking_id, "status": booking.booking_status.value},
        "reviews": [
            {
                "payment": review.payment_intent_id,
                "amount": {"amount_minor": review.amount_minor, "currency": review.currency},
                "reason": review.reason.value if review.reason else None,
            }
            for review in booking.reviews
        ],
        "disputes": [
            {
                "dispute": dispute.dispute_id,
                "payment": dispute.payment_intent_id,
                "amount": {"amount_minor": dispute.amount_minor, "currency": dispute.currency},
                "status": dispute.status.value,
                "reason": dispute.reason,
                "due_by": _time(dispute.due_by) if dispute.due_by else None,
            }
            for dispute in booking.disputes
        ],
        "dead_letters": [_letter_json(letter) for letter in booking.dead_letters],
    }


def _letters_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--redeliver",
        nargs=2,
        metavar=("BOOKING", "NUMBER"),
        help="have this announcement of a booking delivered after all",
    )
    _page_arguments(parser)


def _dead_letters(arguments: argparse.Namespace) -> int:
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick

    with open_desk(arguments.app) as desk:
        if arguments.redeliver is not None:
            return _redeliver(desk, arguments)
        found, after = _pages(desk, desk.gateway.dead_letters, arguments)
    if arguments.json:
        print_json({"dead_letters": [_letter_json(letter) for letter in found], "after": after})
        return Exit.OK
    screen = Screen()
    if not found:
        screen.line("There are no dead letters.")
    head = ("BOOKING", "NUMBER", "ANNOUNCEMENT", "GIVEN UP", "HANDLER AND ERROR")
    screen.table(
        head,
        [
            (
                letter.announcement.booking_id,
                str(letter.announcement.sequence),
                type(letter.announcement).__name__,
                f"{letter.at.astimezone(UTC):%Y-%m-%d %H:%M}",
                f"{letter.subscriber}: {letter.error}, {plural(letter.tries, 'try', 'tries')}",
            )
            for letter in found
        ],
    )
    _more(screen, after, "dead-letters")
    return Exit.OK


def _redeliver(desk: "Desk", arguments: argparse.Namespace) -> int:
    booking, text = arguments.redeliver
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise CommandError("--redeliver: NUMBER is the announcement's number", Exit.REFUSED, "invalid_request")
    names = desk.wait(desk.gateway.redeliver(booking, int(text)))
    if arguments.json:
        print_json({"booking": booking, "number": int(text), "subscribers": list(names)})
    else:
        Screen().wrapped(f"Announcement {text} of booking {booking} is due again, for {', '.join(names)}.")
    return Exit.OK


def _letter_json(letter: "DeadLetter") -> Json:
    return {
        "booking": letter.announcement.booking_id,
        "number": letter.announcement.sequence,
        "announcement": type(letter.announcement).__name__,
        "id": letter.announcement.id,
        "subscriber": letter.subscriber,
        "tries": letter.tries,
        "error": letter.error,
        "at": _time(letter.at),
    }


EXPLAIN: Final = Command(
    "explain",
    "tell a booking's story",
    _EXPLAIN,
    _explain_arguments,
    _explain,
    ("airport-payments explain parking-17",),
)
ATTENTION: Final = Command(
    "attention",
    "list bookings that wait for a person",
    _ATTENTION,
    _page_arguments,
    _attention,
    ("airport-payments attention",),
)
DEAD_LETTERS: Final = Command(
    "dead-letters",
    "list announcements that a handler did not take",
    _DEAD_LETTERS,
    _letters_arguments,
    _dead_letters,
    ("airport-payments dead-letters", "airport-payments dead-letters --redeliver parking-17 2"),
)
