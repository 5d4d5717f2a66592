"""What every subcommand is made of: its description, its exit codes, and how it fails."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TextIO


class Exit(IntEnum):
    """What the process ends with."""

    OK = 0
    FAILED = 1
    REFUSED = 2

    @property
    def meaning(self) -> str:
        """What `--help` says about it."""
        return {
            Exit.OK: "done; also when it was stopped with Ctrl-C or SIGTERM",
            Exit.FAILED: "it could not run: a folder or an address that cannot be used",
            Exit.REFUSED: "wrong arguments or settings, or something that has to be installed first",
        }[self]


class CommandError(Exception):
    """The command ends here. The message is for the person at the terminal and says what to do.

    Args:
        message: what is wrong, without any secret.
        exit: the exit code.
    """

    def __init__(self, message: str, exit: Exit = Exit.FAILED) -> None:  # noqa: A002
        super().__init__(message)
        self.exit = exit


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand.

    Attributes:
        name: what is typed.
        summary: one line in the list of commands.
        description: what its own `--help` says.
        add_arguments: adds its arguments to its parser.
        run: does it, and returns the exit code.
    """

    name: str
    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def say(text: str, stream: TextIO | None = None) -> None:
    """Write a line at once, also into a pipe."""
    out = stream or sys.stdout
    out.write(f"{text}\n")
    out.flush()
