"""What every subcommand is made of: its description, its exit codes, and how it fails."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TextIO


class Exit(IntEnum):
    """What the process ends with."""

    OK = 0
    FAILED = 1
    REFUSED = 2
    DIFFERENT = 3
    TRY_AGAIN = 4
    INTERRUPTED = 130  # what a shell makes of SIGINT
    UNREAD = 141  # and of SIGPIPE

    @property
    def meaning(self) -> str:
        """What `--help` says about it."""
        return {
            Exit.OK: "done; also when the demo or a worker was told to stop",
            Exit.FAILED: "not done, or not all of it; doctor --strict: there are warnings",
            Exit.REFUSED: "wrong arguments or settings, or something is not installed;\n       doctor: there are problems",
            Exit.DIFFERENT: "reconcile: something differs that is not repaired",
            Exit.TRY_AGAIN: "Stripe or the database did not answer: run it again",
            Exit.INTERRUPTED: "stopped with Ctrl-C",
            Exit.UNREAD: "whoever read the output went away",
        }[self]


# The one table of exit codes; `docs/reference/cli.md` has the same.
EXITS: Final = "exit codes:\n" + "\n".join(f"  {code.value:<5}{code.meaning}" for code in Exit)


class CommandError(Exception):
    """The command ends here. The message is for the person at the terminal and says what to do.

    Args:
        message: what is wrong, without any secret.
        exit: the exit code.
        code: the same for programs, as `--json` gives it.
    """

    def __init__(self, message: str, exit: Exit = Exit.FAILED, code: str = "failed") -> None:  # noqa: A002
        super().__init__(message)
        self.exit = exit
        self.code = code


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand.

    Attributes:
        name: what is typed.
        summary: one line in the list of commands.
        description: what its own `--help` says.
        add_arguments: adds its arguments to its parser.
        run: does it, and returns the exit code.
        examples: command lines to copy.
    """

    name: str
    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    examples: tuple[str, ...] = ()


def say(text: str, stream: TextIO | None = None) -> None:
    """Write a line at once, also into a pipe."""
    out = stream or sys.stdout
    out.write(f"{text}\n")
    out.flush()
