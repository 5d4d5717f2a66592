"""The shop that the command line works on."""

from __future__ import annotations

import sys

import pytest
from tests.cli.shop import KEY, Ended, Shop, checked
from tests.postgres import HURRY, Server

from airport_payments.cli import main
from airport_payments.testing import FakeStripe


@pytest.fixture
def shop(tmp_path):
    fake = FakeStripe(KEY)
    with fake.serve(automatic=False) as server:
        yield Shop(fake, server.url, tmp_path)


@pytest.fixture
def postgresql():
    """A PostgreSQL of one's own, empty."""
    with Server(**HURRY) as server:
        yield server


@pytest.fixture
def here(shop, monkeypatch, capsys):
    """Run the command in this process, in the shop's folder: for what needs no process of its own."""
    monkeypatch.chdir(shop.folder)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    before = set(sys.modules)

    def run(*arguments: str, **env: str | None) -> Ended:
        for name, value in {**shop.env, **env}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        return checked(Ended(code, printed.out, printed.err))

    yield run
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith((str(shop.folder), f"{name}.py")):
            del sys.modules[name]
