"""Where the demo listens."""

import errno
import ipaddress
import socket
from dataclasses import dataclass
from typing import Final

from airport_payments.cli.command import CommandError, Exit

_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class Address:
    """A socket that listens already, so that nobody can take the port and early connections wait.

    Attributes:
        socket: the socket.
        host: the address it is bound to.
        port: its port.
    """

    socket: socket.socket
    host: str
    port: int

    @property
    def from_here(self) -> str:
        """The address to reach it at from this machine: a wildcard is none."""
        address = ipaddress.ip_address(self.host)
        if address.is_unspecified:
            return "127.0.0.1" if address.version == 4 else "::1"
        return self.host

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it, without a slash at the end."""
        return f"http://{bracketed(self.from_here)}:{self.port}"

    @property
    def peer_host(self) -> str:
        """Where to bind a server that the same browsers must reach, and that this machine reaches at loopback."""
        address = ipaddress.ip_address(self.host)
        if address.is_loopback:
            return self.host
        return "0.0.0.0" if address.version == 4 else "::"  # noqa: S104 - the caller asked to be seen from outside


def bracketed(host: str) -> str:
    """Return an address as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def listen(host: str, port: int) -> Address:
    """Listen at a port, or at any free one if it is taken.

    Raises:
        CommandError: the host is no address of this machine, or the port may not be used.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise CommandError(f"--host {host}: no such address", Exit.REFUSED) from None
    try:
        bound = _bound(family, str(where[0]), port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise CommandError(f"cannot listen at {host}, port {port}: {error.strerror or error}") from None
        bound = _bound(family, str(where[0]), 0)
    name = bound.getsockname()
    return Address(bound, str(name[0]), int(name[1]))


def _bound(family: int, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Windows gives this option another meaning: there it would let two programs share a port.
        if hasattr(socket, "AF_UNIX"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
