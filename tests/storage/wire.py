"""A proxy in front of PostgreSQL that counts what is said: round trips, and statements that are parsed."""

import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

# https://www.postgresql.org/docs/current/protocol-message-formats.html: a letter, then the length of the rest in 4 bytes.
HEAD = 5


class Proxy:
    """Counts messages by their letter: `said["Z"]` ends of answers, which is round trips; `said["P"]` statements
    parsed, `said["Q"]` simple ones.
    """

    def __init__(self, dsn: str) -> None:
        url = make_url(dsn)
        host = str(url.query["host"])
        self.server = f"{host}/.s.PGSQL.{url.port or 5432}"
        self.folder = tempfile.TemporaryDirectory(prefix="pgp-")
        self.dsn = url.set(query={"host": self.folder.name}).render_as_string(hide_password=False)
        self.said: Counter[str] = Counter()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(Path(self.folder.name) / ".s.PGSQL.5432"))
        self.listener.listen()
        self._in_thread(self._accept)

    def _in_thread(self, work: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=work, args=args, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self._in_thread(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self.server)
            back = self._in_thread(self._pass, server, client, "Z")
            self._pass(client, server, "")
            back.join()

    def _pass(self, source: socket.socket, target: socket.socket, only: str) -> None:
        """Hand everything on. Of the server count the ends of its answers alone: its letters mean other things."""
        rest = b"" if only else None  # what a client says first has no letter
        with suppress(OSError):
            while data := source.recv(65536):
                rest = b"" if rest is None else self._count(rest + data, only)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _count(self, data: bytes, only: str) -> bytes:
        while len(data) >= HEAD and len(data) > (length := int.from_bytes(data[1:HEAD], "big")):
            letter = chr(data[0])
            if letter == only or not only:
                self.said[letter] += 1
            data = data[1 + length :]
        return data

    @contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        """What is said in between."""
        self.said.clear()
        yield self.said

    def close(self) -> None:
        self.listener.close()
        self.folder.cleanup()
