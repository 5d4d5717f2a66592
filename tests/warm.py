"""Runs the command line in processes that have imported everything already: each is forked from one that waits.

A fresh interpreter spends a second on importing before the command has begun, and the tests of the command line start
hundreds. What a fork changes is only that: each run has its own process, folder, environment, output and exit code.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path

# Of the package, what an application imports; of others, what is imported only when it is used.
OTHERS = ("aiosqlite", "httpx", "sqlalchemy.dialects.sqlite.aiosqlite", "sqlalchemy.ext.asyncio", "stripe")
LEFT_OUT = ("airport_payments.__main__", "airport_payments.examples", "airport_payments.testing.repository_conformance")
LENGTH = struct.Struct("!I")


@dataclass(frozen=True)
class Done:
    """What became of a run."""

    code: int
    out: str
    err: str


def run_warm(arguments: tuple[str, ...], *, cwd: Path | str, env: dict[str, str], timeout_s: float) -> Done:
    """Run `airport-payments` with these arguments to its end. Raises `TimeoutError` if that takes too long."""
    global _server
    with _lock, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        if _server is None:
            _server = _Server()
        request = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": env})
        try:
            code = _server.ask(request.encode(), (out.fileno(), err.fileno()), timeout_s)
        except OSError:
            _server.stop()
            _server = None
            raise
        return Done(code, _text(out), _text(err))


def _text(file) -> str:
    file.seek(0)
    return file.read().decode()


class _Server:
    """The process that waits."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=Path(__file__).parent.parent,
            )  # fmt: skip
        atexit.register(self.stop)

    def ask(self, request: bytes, files: tuple[int, int], timeout_s: float) -> int:
        self.ours.settimeout(timeout_s)
        socket.send_fds(self.ours, [LENGTH.pack(len(request))], files)
        self.ours.sendall(request)
        return struct.unpack("!i", _exactly(self.ours, 4))[0]

    def stop(self) -> None:
        atexit.unregister(self.stop)
        self.ours.close()  # which ends it, unless a run hangs
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_server: _Server | None = None
_lock = threading.Lock()


# ---- the process that waits ----


def _serve(connection: socket.socket) -> None:
    """Fork a run for each request, until the tests are over."""
    for name in OTHERS:
        importlib.import_module(name)
    package = importlib.import_module("airport_payments")
    for module in pkgutil.walk_packages(package.__path__, "airport_payments."):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)
    gc.freeze()
    while True:
        head, files, _, _ = socket.recv_fds(connection, LENGTH.size, 2)
        if not head:
            return
        request = json.loads(_exactly(connection, LENGTH.unpack(head)[0]))
        child = os.fork()
        if child == 0:
            connection.close()
            _run(request, files)
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        connection.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))


def _run(request: dict, files: list[int]) -> None:
    """Be the command, as `python -m airport_payments` in that folder would."""
    code = 70
    try:
        os.dup2(files[0], 1)
        os.dup2(files[1], 2)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        sys.path[0] = ""
        sys.argv = ["airport-payments", *request["arguments"]]
        code = _exit_code(importlib.import_module("airport_payments.cli").main)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_code(main) -> int:
    try:
        return main(sys.argv[1:]) or 0
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise ConnectionResetError("the process that waits has ended")
        found += part
    return found


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        _serve(listening)
