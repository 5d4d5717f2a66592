"""Peers of other makers: Stripe's CLI and stripe-node, installed once into .cache/node."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
CACHE = REPOSITORY / ".cache" / "node"
FILES = ("package.json", "package-lock.json")
INSTALL_SECONDS = 300


def unavailable(reason):
    """Skip, unless this is CI: there a peer that is missing is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def locked(path):
    """Let one process at a time install: pytest-xdist runs several."""
    deadline = time.monotonic() + INSTALL_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            break
        except FileExistsError:
            # A lock older than the longest installation was left behind by a process that died.
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > INSTALL_SECONDS:
                    path.unlink()
            if time.monotonic() > deadline:
                unavailable(f"{path} stayed locked for {INSTALL_SECONDS} seconds")
            time.sleep(0.1)
    try:
        yield
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def install(npm):
    wanted = hashlib.sha256(b"".join((HERE / "node" / name).read_bytes() for name in FILES)).hexdigest()
    stamp = CACHE / "installed"
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / "lock"):
        if stamp.exists() and stamp.read_text() == wanted:
            return
        stamp.unlink(missing_ok=True)
        for name in FILES:
            shutil.copyfile(HERE / "node" / name, CACHE / name)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode:
            unavailable(f"npm ci failed: {done.stderr[-500:]}")
        stamp.write_text(wanted)


@pytest.fixture(scope="session")
def node_modules():
    """Return the folder with the peers' packages."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        unavailable("node and npm are not installed")
    install(npm)
    return CACHE / "node_modules"
