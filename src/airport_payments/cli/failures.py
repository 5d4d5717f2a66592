"""What a command's end looks like when something raised: a sentence, a code for programs, an exit code."""

import traceback

from airport_payments.cli.command import CommandError, Exit
from airport_payments.core.errors import (
    ConfigurationError,
    InvalidRequest,
    Misconfigured,
    PaymentsError,
    StorageUnavailable,
    TryAgain,
)


def told(error: Exception) -> CommandError:
    """Return what to say about an error that a command did not foresee."""
    if isinstance(error, PaymentsError):
        return CommandError(f"{_sentence(error)}{_advice(error)}", _exit(error), error.code)
    # Its text may hold anything, a password too.
    return CommandError(f"unexpected {kind(error)} at {place(error)}", code="internal_error")


def kind(error: BaseException) -> str:
    """Return the name of an error's class."""
    return type(error).__name__


def place(error: BaseException) -> str:
    """Return the file and line that raised, without the error's text."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"


def _exit(error: PaymentsError) -> Exit:
    if isinstance(error, TryAgain):
        return Exit.TRY_AGAIN
    if isinstance(error, ConfigurationError | InvalidRequest | Misconfigured):
        return Exit.REFUSED
    return Exit.FAILED


def _sentence(error: PaymentsError) -> str:
    detail, public = str(error).rstrip("."), error.public_message.rstrip(".")
    # What asks to try again is meant for customers; the detail is for whoever sits here.
    if isinstance(error, ConfigurationError | TryAgain) or detail == public:
        return detail
    return f"{public}: {detail}"


def _advice(error: PaymentsError) -> str:
    if isinstance(error, StorageUnavailable):
        return ". Nothing is lost. Is the database there, with its tables (airport-payments db init)?"
    if isinstance(error, TryAgain):
        return ". Nothing is lost: run it again, with the same arguments."
    return ""
