"""How a command gets its gateway: the team's own, named by `--app`, or one made of the environment."""

import asyncio
import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeVar, cast

from airport_payments import AsyncPaymentGateway, PaymentGateway, StripeSettings
from airport_payments.cli.command import CommandError, Exit
from airport_payments.cli.failures import kind, place
from airport_payments.core.errors import PaymentsError
from airport_payments.repository import AsyncBookingRepository, BookingRepository

T = TypeVar("T")

_LOG_FORMAT: Final = "%(levelname)s: %(message)s"
_WORKER_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(message)s"


class _OneLine(logging.Formatter):
    """Leaves tracebacks out: somebody sits at a terminal and looks for what to do."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """Return nothing of an exception."""
        del ei
        return ""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        return super().format(record).rstrip("\n")


class Desk:
    """A gateway of either colour, for a program that waits for each answer.

    Attributes:
        gateway: the gateway.
        runner: awaits what an async gateway returns.
    """

    def __init__(self, gateway: PaymentGateway | AsyncPaymentGateway, runner: asyncio.Runner) -> None:
        self.gateway = gateway
        self.runner = runner

    @property
    def settings(self) -> StripeSettings:
        """What the gateway was built with."""
        return self.gateway.settings

    @property
    def repository(self) -> BookingRepository | AsyncBookingRepository:
        """What the gateway was built with."""
        return self.gateway.repository

    @property
    def asynchronous(self) -> bool:
        """Whether the gateway is an `AsyncPaymentGateway`."""
        return isinstance(self.gateway, AsyncPaymentGateway)

    def wait(self, result: T | Awaitable[T]) -> T:
        """Return what a method of the gateway or the repository returned, awaited if it has to be."""
        return waited(self.runner, result)


def waited(runner: asyncio.Runner, result: T | Awaitable[T]) -> T:
    """Return a result, awaited if it has to be."""
    if not inspect.isawaitable(result):
        return result

    async def _answer() -> T:
        return await cast("Awaitable[T]", result)

    return runner.run(_answer())


@contextmanager
def open_desk(app: str | None, *, worker: bool = False, quiet: bool = True) -> Generator[Desk]:
    """Yield the gateway that a command works on, and close it.

    Args:
        app: `module:name`, or None for the environment's.
        worker: whether the command runs for long, and its log with it.
        quiet: whether the library's log is left out, because the command tells what it would.

    Raises:
        CommandError: there is no such gateway, or it cannot be made; the message says what to do.
        ConfigurationError: a setting is missing or wrong.
    """
    with asyncio.Runner() as runner:
        if app is None:
            from airport_payments.cli.database import open_repository  # noqa: PLC0415 - needs an extra

            settings = StripeSettings.from_env()
            with open_repository(os.environ, runner) as storage:
                yield from _lent(Desk(storage.gateway(settings), runner), worker=worker, quiet=quiet)
        else:
            yield from _lent(Desk(_named(app, runner), runner), worker=worker, quiet=quiet)


def _lent(desk: Desk, *, worker: bool, quiet: bool) -> Generator[Desk]:
    # After the team's module, which may have set its own log up: then this does nothing.
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_WORKER_LOG_FORMAT) if worker else _OneLine(_LOG_FORMAT))
    logging.basicConfig(handlers=[handler])
    log = logging.getLogger("airport_payments")
    before = log.level
    if quiet and log.level == logging.NOTSET:
        log.setLevel(logging.CRITICAL)  # the command says itself what went wrong
    try:
        yield desk
    finally:
        desk.wait(desk.gateway.close())
        log.setLevel(before)
        logging.getLogger().removeHandler(handler)


def _named(app: str, runner: asyncio.Runner) -> PaymentGateway | AsyncPaymentGateway:
    module_name, _, names = app.partition(":")
    if not module_name or not names:
        raise _refused(app, "write it as module:name, such as shop.payments:gateway")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as python -m has it: the current folder
    found = _found(app, module_name, names)
    if _is_gateway(found):
        return cast("PaymentGateway | AsyncPaymentGateway", found)
    if not callable(found):
        raise _refused(app, f"this is {_a(found)}, not a PaymentGateway or AsyncPaymentGateway")
    try:
        made = waited(runner, cast("Callable[[], object]", found)())
    except Exception as error:  # noqa: BLE001 - whatever the team's code raises is told without its text
        raise _raised(app, f"{names}() raised", error) from None
    if not _is_gateway(made):
        raise _refused(app, f"{names}() returned {_a(made)}, not a PaymentGateway or AsyncPaymentGateway")
    return cast("PaymentGateway | AsyncPaymentGateway", made)


def _found(app: str, module_name: str, names: str) -> object:
    try:
        known = find_spec(module_name) is not None
        value: object = import_module(module_name) if known else None
    except (ImportError, ValueError) as error:
        missing = getattr(error, "name", None)
        about = f" ({missing})" if isinstance(missing, str) else ""
        raise _refused(app, f"the module cannot be imported: {kind(error)}{about}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
        raise _raised(app, "importing the module raised", error) from None
    if not known:
        raise _refused(app, f"there is no module {module_name} in this folder ({Path.cwd()}) or where Python looks")
    for name in names.split("."):
        if not hasattr(value, name):
            raise _refused(app, f"{module_name} has no {names}")
        value = getattr(value, name)
    return value


def _is_gateway(value: object) -> bool:
    return isinstance(value, PaymentGateway | AsyncPaymentGateway)


def _a(value: object) -> str:
    return f"a {kind_of(value)}"


def kind_of(value: object) -> str:
    """Return the name of a value's class."""
    return "module" if inspect.ismodule(value) else type(value).__name__


def _refused(app: str, why: str) -> CommandError:
    return CommandError(f"--app {app}: {why}", Exit.REFUSED, "configuration_error")


def _raised(app: str, what: str, error: BaseException) -> CommandError:
    """Return the error for code of the team that raised. Only our own errors' texts are known to hold no secret."""
    if isinstance(error, PaymentsError):
        return _refused(app, f"{what} {kind(error)}: {error}")
    return _refused(app, f"{what} {kind(error)} at {place(error)}")
