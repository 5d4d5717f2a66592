"""What holds for every test: no skips in CI, no connections beyond this machine, nothing that depends on timing.

Fixtures for all: `free_port`, `processes`.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import subprocess
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# ---- Hypothesis: no verdict depends on how fast the machine is; CI draws the same examples every time ----

_TIMING = [HealthCheck.too_slow]
settings.register_profile("dev", deadline=None, max_examples=40, suppress_health_check=_TIMING)
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=100,
    suppress_health_check=_TIMING,
    derandomize=True,
    database=None,
    print_blob=True,
)
settings.register_profile("long", deadline=None, max_examples=2000, suppress_health_check=_TIMING)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if IN_CI else "dev"))

# ---- A shell starts what runs in its background with Ctrl-C ignored, and so would be all that tests start ----

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# ---- Tests talk to this machine only ----

_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
_refused: list[str] = []


class OutsideConnection(RuntimeError):
    """A test wanted to reach another machine. It is no OSError, so that code which handles those does not hide it."""


def _refuse(what: str) -> OutsideConnection:
    message = f"tests talk to this machine only, not to {what}: use FakeStripe, or a server on 127.0.0.1"
    _refused.append(message)
    return OutsideConnection(message)


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return True
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _check_address(connection: socket.socket, address: object) -> None:
    if connection.family in {socket.AF_INET, socket.AF_INET6} and not _is_here(address[0]):
        raise _refuse(f"{address[0]}:{address[1]}")


def _guarded_connect(self, address):
    _check_address(self, address)
    return _connect(self, address)


def _guarded_connect_ex(self, address):
    _check_address(self, address)
    return _connect_ex(self, address)


def _guarded_getaddrinfo(host, *args, **kwargs):
    """Names other than localhost are asked of a name server, which is another machine. Addresses are not."""
    name = host.decode() if isinstance(host, bytes) else host
    if not _is_here(name):
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise _refuse(name) from None
    return _getaddrinfo(host, *args, **kwargs)


def pytest_configure():
    socket.socket.connect = _guarded_connect
    socket.socket.connect_ex = _guarded_connect_ex
    socket.getaddrinfo = _guarded_getaddrinfo


def pytest_unconfigure():
    socket.socket.connect = _connect
    socket.socket.connect_ex = _connect_ex
    socket.getaddrinfo = _getaddrinfo


# ---- The order: fast tests first ----

_FIRST = ("tests/core/", "tests/stripe_api/")
_LAST = ("e2e", "browser", "node")


def pytest_collection_modifyitems(items):
    def rank(item):
        if item.get_closest_marker("browser"):
            # The very last: its driver leaves an event loop running in the thread of the tests.
            return len(_FIRST) + 2
        if any(item.get_closest_marker(name) for name in _LAST):
            return len(_FIRST) + 1
        return next((n for n, folder in enumerate(_FIRST) if item.nodeid.startswith(folder)), len(_FIRST))

    items.sort(key=rank)


# ---- The verdicts: in CI a skip is a failure; a refused connection always is ----


def _reason(report) -> str:
    where = report.longrepr
    return where[2] if isinstance(where, tuple) else str(where)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and nothing may be skipped in CI. {_reason(report)}"
    if _refused and report.when != "setup":
        report.outcome = "failed"
        report.longrepr = "\n".join([*dict.fromkeys(_refused), str(report.longrepr or "")])
        _refused.clear()
    if report.failed:
        report.sections += [(f"log of {p.name}", p.log) for p in item.stash.get(_STARTED, [])]
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector):
    report = yield
    if IN_CI and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, and nothing may be skipped in CI. {_reason(report)}"
    return report


# ---- Processes and their ports ----

_STARTED: pytest.StashKey[list[Process]] = pytest.StashKey()
_LOG_TAIL = 20_000  # characters of a log that a failed test shows
_STOP_S = 10.0  # how long a process may take to stop before it is killed


# Ports below those that systems hand out by themselves (32768 on Linux, 49152 elsewhere): a port from there may be taken
# by any connection between the moment it was found free and the moment a server binds it. Each worker has its own slice,
# begins it anywhere, and gives no port twice.
_SLICE = 1500
_SLICES = 8
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SLICES
_ports = (20_000 + _worker * _SLICE + (os.getpid() * 61 + n) % _SLICE for n in range(_SLICE))


def _new_port() -> int:
    for port in _ports:
        with closing(socket.socket()) as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"none of this worker's {_SLICE} ports is left")


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    return _new_port()


@dataclass
class Process:
    """A process that a test started. Its output goes to a file, so that it never waits for a reader."""

    name: str
    popen: subprocess.Popen
    path: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def log(self) -> str:
        """What it has printed, on both streams: the end of it, if it is long."""
        return self.path.read_text(errors="replace")[-_LOG_TAIL:]

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def wait(self, timeout_s: float = 30.0) -> int:
        """Wait until it ends by itself, and return its exit code."""
        return self.popen.wait(timeout_s)

    def stop(self) -> int:
        """Ask it to stop, kill it if it does not, and return its exit code."""
        if self.running:
            self.popen.terminate()
            try:
                self.popen.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.popen.wait(_STOP_S)

    def kill(self) -> int:
        """Kill it as a crash would, with every process that it started."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)  # its own group: see start_new_session
        return self.popen.wait(_STOP_S)


@dataclass
class Processes:
    """Starts processes, and stops them at the end of the test."""

    folder: Path
    started: list[Process] = field(default_factory=list)

    def free_port(self) -> int:
        """Another port that nobody listens on."""
        return _new_port()

    def start(self, *command: str | Path, name="", env=None, cwd=None, ready=None, timeout_s=30.0) -> Process:
        """Start a process.

        Args:
            command: The program and its arguments; `sys.executable` for Python.
            name: What to call it in a failed test's output; the program's name by default.
            env: Variables to add to ours; None as a value takes one away.
            cwd: Where to start it.
            ready: What to wait for: a port of 127.0.0.1 that accepts, or a URL that answers with less than 500.
            timeout_s: How long to wait for that at most.
        """
        words = [str(word) for word in command]
        path = self.folder / f"process-{len(self.started)}.log"
        variables = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        with path.open("wb") as log:
            popen = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={key: str(value) for key, value in variables.items() if value is not None},
                start_new_session=True,
            )
        process = Process(name or Path(words[0]).name, popen, path)
        self.started.append(process)
        if ready is not None:
            self.wait_for(process, ready, timeout_s)
        return process

    def wait_for(self, process: Process, ready: int | str, timeout_s: float = 30.0) -> None:
        """Wait until a port accepts or a URL answers; fail as soon as the process has ended, or in the end."""
        end = time.monotonic() + timeout_s
        answered = False
        while not answered or not process.running:  # an answer of somebody else's at that port does not count
            answered = _answers(ready)
            if not process.running:
                pytest.fail(f"{process.name} ended with {process.popen.returncode}:\n{process.log}")
            if not answered and time.monotonic() > end:
                pytest.fail(f"{process.name} did not answer at {ready} within {timeout_s:g} s")
            if not answered:
                time.sleep(0.05)


def _answers(ready: int | str) -> bool:
    if isinstance(ready, int):
        with closing(socket.socket()) as connection:
            connection.settimeout(1.0)
            return connection.connect_ex(("127.0.0.1", ready)) == 0
    try:
        return httpx.get(ready, timeout=2.0, trust_env=False).status_code < 500
    except httpx.TransportError:
        return False


@pytest.fixture
def processes(request, tmp_path_factory):
    """Start servers and programs: `processes.start(sys.executable, "-m", "thing", ready=port)`."""
    started = Processes(tmp_path_factory.mktemp("processes"))
    request.node.stash[_STARTED] = started.started
    yield started
    for process in reversed(started.started):
        process.stop()
