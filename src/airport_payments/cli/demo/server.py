"""Serves the example app under uvicorn."""

import socket
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

import uvicorn

from airport_payments.cli.command import CommandError
from airport_payments.cli.demo.address import Address

# Requests are short; a browser that holds one open does not hold up the end.
_GRACE_SECONDS: Final = 3
_EXAMPLES: Final = "airport_payments.examples"


def serve(address: Address, ready: Callable[[], None]) -> None:
    """Serve until a signal comes.

    Args:
        address: the socket to serve on.
        ready: called once requests are answered.

    Raises:
        CommandError: the app could not be started.
    """
    find_examples()
    app = import_module(f"{_EXAMPLES}.demo").app
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS
    )
    server = _Server(config, ready)
    try:
        server.run(sockets=[address.socket])
    except SystemExit:
        raise CommandError("the example app could not be started; the reason stands above") from None


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def find_examples() -> None:
    """Make the examples importable: in a wheel they lie in the package, in a checkout beside `src`.

    Raises:
        CommandError: they are in neither place.
    """
    if find_spec(_EXAMPLES) is not None:
        return
    folder = Path(__file__).resolve().parents[4] / "examples"
    spec = spec_from_file_location(_EXAMPLES, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not (folder / "demo.py").is_file():
        raise CommandError("this installation has no examples: install the wheel, or work in a checkout")
    module = module_from_spec(spec)
    sys.modules[_EXAMPLES] = module
    spec.loader.exec_module(module)
