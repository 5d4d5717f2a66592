"""`airport-payments tick`: do what is due, once or as a worker."""

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from airport_payments.cli.command import Command, CommandError, Exit, say
from airport_payments.cli.options import add_app, whole_number
from airport_payments.cli.output import plural, print_json

if TYPE_CHECKING:
    from types import FrameType

    from airport_payments.cli.desk import Desk
    from airport_payments.gateway_async import AsyncPaymentGateway

_DESCRIPTION: Final = """\
Does what is due: sends what a crash left unanswered, looks after payments and
holds, and hands announcements to your handlers. Your service does that by
itself where gateway.work runs; this is for cron, or for a worker of its own.

Your handlers are on your own gateway, so name it with --app. What has no
handler in the process that ticks counts as delivered, and is heard by nobody:
--no-handlers says that you have none.
"""
_EVERY_S: Final = 1.0
_LIMIT: Final = 100
_MOST: Final = 100_000


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", action="store_true", help="go on until SIGTERM or Ctrl-C")
    parser.add_argument(
        "--limit", type=whole_number(1, _MOST), default=_LIMIT, help=f"look after so many bookings at most ({_LIMIT})"
    )
    parser.add_argument("--no-handlers", action="store_true", help="there are no handlers to call")
    add_app(parser)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.app is None and not arguments.no_handlers:
        raise CommandError(
            "name your gateway with --app module:name: your handlers are on it, and announcements that nobody handles "
            "are gone. If you have no handlers, say --no-handlers",
            Exit.REFUSED,
            "configuration_error",
        )
    from airport_payments.cli.desk import open_desk  # noqa: PLC0415 - so that --help is quick

    with open_desk(arguments.app, worker=arguments.work, quiet=False) as desk:
        return _work(desk, as_json=arguments.json) if arguments.work else _once(desk, arguments)


def _once(desk: "Desk", arguments: argparse.Namespace) -> int:
    report = desk.wait(desk.gateway.tick(limit=arguments.limit))
    if arguments.json:
        print_json({"bookings": report.bookings, "problems": report.problems, "more": report.more})
    else:
        said = plural(report.bookings, "booking") if report.bookings else "nothing was due"
        if report.bookings:
            said += " looked after"
        if report.problems:
            said += f", {plural(report.problems, 'problem')}: see the log; it stays due"
        say(f"{said}.{' More is due: run it again.' if report.more else ''}")
    return Exit.FAILED if report.problems else Exit.OK


def _work(desk: "Desk", *, as_json: bool) -> int:
    """Work until a signal comes, and end the tick that is under way."""
    import logging  # noqa: PLC0415 - so that --help is quick

    from airport_payments.gateway import PaymentGateway  # noqa: PLC0415 - so that --help is quick

    logging.getLogger("airport_payments").setLevel(logging.INFO)
    seen: list[int] = []
    gateway = desk.gateway
    if isinstance(gateway, PaymentGateway):
        stop = threading.Event()
        worker = threading.Thread(target=gateway.work, args=(stop, _EVERY_S), name="airport-payments")

        def end(number: int, _frame: object) -> None:
            seen.append(number)
            stop.set()
            gateway.wake()

        with _signals(end):
            worker.start()
            _started(as_json=as_json)
            while worker.is_alive():  # a wait without an end would hold signals back on some systems
                worker.join(_EVERY_S)
    else:
        desk.runner.run(_work_async(gateway, seen, as_json=as_json))
    if as_json:
        print_json({"stopped_by": signal.Signals(seen[0]).name if seen else None})
    else:
        say("Stopped.")
    return Exit.INTERRUPTED if signal.SIGINT in seen else Exit.OK


async def _work_async(gateway: "AsyncPaymentGateway", seen: list[int], *, as_json: bool) -> None:
    import asyncio  # noqa: PLC0415 - so that --help is quick

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(number: int, _frame: object) -> None:
        seen.append(number)
        loop.call_soon_threadsafe(stop.set)
        loop.call_soon_threadsafe(gateway.wake)

    with _signals(end):
        _started(as_json=as_json)
        await gateway.work(stop, _EVERY_S)


def _started(*, as_json: bool) -> None:
    # A program gets one document, at the end.
    say("Working. SIGTERM or Ctrl-C stops it, after what is under way.", sys.stderr if as_json else None)


@contextmanager
def _signals(handler: "Callable[[int, FrameType | None], None]") -> Generator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


TICK: Final = Command(
    "tick",
    "do what is due: once, or as a worker",
    _DESCRIPTION,
    _add_arguments,
    _run,
    ("airport-payments tick --app shop.payments:gateway --work", "airport-payments tick --no-handlers"),
)
