"""`airport-payments demo`: the FastAPI example with a page, and with a fake Stripe unless test keys are given."""

import argparse
import os
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

from airport_payments.cli.command import Command, CommandError, Exit, say
from airport_payments.cli.demo import words
from airport_payments.cli.demo.address import listen
from airport_payments.cli.demo.folder import Folder, default_folder
from airport_payments.cli.demo.mode import Mode, choose
from airport_payments.cli.options import add_json
from airport_payments.cli.output import print_json

# Each comes with the extra `demo`; named here so that the first one missing is told in one line.
NEEDED: Final = ("fastapi", "uvicorn", "jwt", "sqlalchemy", "aiosqlite", "greenlet", "pydantic", "httpx", "stripe")

_DESCRIPTION: Final = """\
Runs the FastAPI example with a web page: book something, pay it with a test
card, watch it being confirmed. Nothing leaves this machine: a fake Stripe runs
in the same process, and a second run finds its bookings again.

With STRIPE_SECRET_KEY (sk_test_… or rk_test_…), STRIPE_WEBHOOK_SECRET and
STRIPE_PUBLISHABLE_KEY in the environment it uses Stripe's test mode instead.
Live keys are refused.
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=8000, help="where to listen; another one if it is taken (8000)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (127.0.0.1)")
    parser.add_argument("--data", type=Path, metavar="DIR", help=f"where bookings are kept ({default_folder()})")
    parser.add_argument("--reset", action="store_true", help="forget the bookings of earlier runs first")
    add_json(parser)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError("a port is a number from 0 (any free one) to 65535")
    return int(text)


def _run(arguments: argparse.Namespace) -> int:
    data: Path = arguments.data or default_folder()
    with stopped_by_signals(quiet=arguments.json):
        _check_extras()
        mode = choose(os.environ)
        with ExitStack() as stack:
            folder = stack.enter_context(Folder(data.expanduser().absolute() / mode.folder_name))
            if arguments.reset:
                folder.reset()
            _serve(stack, arguments, mode, folder)
    return Exit.OK


def _serve(stack: ExitStack, arguments: argparse.Namespace, mode: Mode, folder: Folder) -> None:
    """Start what is needed and serve until a signal comes; the stack ends it all in turn."""
    # Here and not above, because these need the extras.
    from airport_payments.cli.demo import fake, server  # noqa: PLC0415

    secrets = folder.secrets()
    address = listen(arguments.host, arguments.port)
    stack.callback(address.socket.close)
    if mode.is_fake:
        api_base = stack.enter_context(fake.running(folder, secrets, address))
        os.environ.update(fake.settings(secrets, api_base))
    else:
        os.environ.pop("STRIPE_API_BASE", None)
        os.environ.setdefault("AIRPORT_PAYMENTS_NAMESPACE", secrets.namespace)
    # The demo's own, whatever this shell has for another program: a demo never touches a real database.
    os.environ.update(DATABASE_URL=folder.database_url(), JWT_SECRET=secrets.jwt)
    folder.note_address(address.url)

    def ready() -> None:
        if arguments.json:
            print_json({"url": address.url, "fake": mode.is_fake, "bookings": str(folder.path)})
        else:
            say(words.welcome(address, folder.path, mode, wanted_port=arguments.port))

    server.serve(address, ready)


def _check_extras() -> None:
    for name in NEEDED:
        try:
            import_module(name)
        except ImportError:
            raise CommandError(
                f"the demo needs {name}, which is not installed. Install it with: pip install 'airport-payments[demo]'",
                Exit.REFUSED,
            ) from None


@contextmanager
def stopped_by_signals(*, quiet: bool = False) -> Generator[None]:
    """Let Ctrl-C and SIGTERM end the block in order, and nothing disturb it while it ends."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, _stop)
    try:
        yield
    except KeyboardInterrupt:
        if not quiet:
            say(words.GOODBYE, sys.stdout)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: object) -> None:
    """End the demo; a second signal is ignored, because what the first one started takes seconds at most."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    raise KeyboardInterrupt(number)


DEMO: Final = Command(
    "demo",
    "a web page to try it all, with a fake Stripe: no account needed",
    _DESCRIPTION,
    _add_arguments,
    _run,
    ("airport-payments demo --port 8080",),
)
