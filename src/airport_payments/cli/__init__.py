"""The command line: `airport-payments …`, or `python -m airport_payments …`.

A subcommand is one entry in `COMMANDS`; everything else follows from it. What a command needs beyond the standard
library it imports when it runs, so that `--help` is quick.
"""

import argparse
import io
import os
import sys
import textwrap
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NoReturn

from airport_payments.cli.command import EXITS, Command, CommandError, Exit, say
from airport_payments.cli.db import DB
from airport_payments.cli.demo import DEMO
from airport_payments.cli.doctor import DOCTOR
from airport_payments.cli.events import EVENTS
from airport_payments.cli.failures import told
from airport_payments.cli.keeping import ERASE, PRUNE
from airport_payments.cli.money import CANCEL, REFUND, RESOLVE
from airport_payments.cli.output import WIDTH, print_json
from airport_payments.cli.reconcile import RECONCILE
from airport_payments.cli.story import ATTENTION, DEAD_LETTERS, EXPLAIN
from airport_payments.cli.tick import TICK

__all__ = ["main"]

COMMANDS: Final[tuple[Command, ...]] = (
    DEMO, DOCTOR, TICK, RECONCILE, EXPLAIN, ATTENTION, DEAD_LETTERS, RESOLVE, REFUND, CANCEL, PRUNE, ERASE, EVENTS, DB,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line asks for, and return the exit code.

    Args:
        argv: the arguments without the program's name; those of this process by default.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old terminal's encoding is no reason to fail
    try:
        given = sys.argv[1:] if argv is None else argv
        code = _run(_parser(as_json="--json" in given).parse_args(given))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Python flushes once more at its end, which would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.UNREAD
    return code


def _run(arguments: argparse.Namespace) -> int:
    command: Command = arguments.command
    try:
        return command.run(arguments)
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, no traceback: it might show a secret
        problem = error if isinstance(error, CommandError) else told(error)
    _complain(f"airport-payments {command.name}: {problem}")
    if getattr(arguments, "json", False):
        print_json({"error": {"code": problem.code, "message": str(problem)}})
    return problem.exit


def _complain(text: str) -> None:
    """Say what went wrong: broken into lines for a person, on one line for a log."""
    if sys.stderr.isatty():
        text = textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    say(text, sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments to programs as well, where they ask for it."""

    as_json = False

    def error(self, message: str) -> NoReturn:
        """Print the usage and end with 2."""
        if self.as_json:
            print_json({"error": {"code": "invalid_request", "message": message}})
        super().error(message)


def _parser(*, as_json: bool) -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="airport-payments", description="Bookings paid through Stripe.", epilog=EXITS, formatter_class=raw
    )
    parser.as_json = as_json
    parser.add_argument("--version", action="version", version=f"airport-payments {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        lines = "\n".join(f"  {line}" for line in command.examples)
        epilog = f"{'examples' if len(command.examples) > 1 else 'example'}:\n{lines}\n\n{EXITS}"
        own = commands.add_parser(
            command.name, help=command.summary, description=command.description, epilog=epilog, formatter_class=raw
        )
        own.as_json = as_json
        command.add_arguments(own)
        own.set_defaults(command=command)
    return parser


def _version() -> str:
    try:
        return version("airport-payments")
    except PackageNotFoundError:  # a copy of the source that nobody installed
        return "(not installed)"
