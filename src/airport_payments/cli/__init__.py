"""The command line: `airport-payments …`, or `python -m airport_payments …`.

A subcommand is one entry in `COMMANDS`; everything else follows from it.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from airport_payments.cli.command import Command, CommandError, Exit, say
from airport_payments.cli.demo import DEMO

__all__ = ["main"]

COMMANDS: Final[tuple[Command, ...]] = (DEMO,)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line asks for, and return the exit code.

    Args:
        argv: the arguments without the program's name; those of this process by default.
    """
    arguments = _parser().parse_args(argv)
    command: Command = arguments.command
    try:
        return command.run(arguments)
    except CommandError as error:
        say(f"airport-payments {command.name}: {error}", sys.stderr)
        return error.exit


def _parser() -> argparse.ArgumentParser:
    exits = "exit codes:\n" + "\n".join(f"  {code.value}  {code.meaning}" for code in Exit)
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="airport-payments", description="Bookings paid through Stripe.", epilog=exits, formatter_class=raw
    )
    parser.add_argument("--version", action="version", version=f"airport-payments {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        own = commands.add_parser(
            command.name, help=command.summary, description=command.description, epilog=exits, formatter_class=raw
        )
        command.add_arguments(own)
        own.set_defaults(command=command)
    return parser


def _version() -> str:
    try:
        return version("airport-payments")
    except PackageNotFoundError:  # a copy of the source that nobody installed
        return "(not installed)"
