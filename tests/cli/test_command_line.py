"""The command line without a server: help, refusals, and what it needs."""

from __future__ import annotations

import json
import socket

import pytest
from tests.cli.demo import run

from airport_payments.cli import main
from airport_payments.cli.command import CommandError, Exit
from airport_payments.cli.demo.address import Address, listen
from airport_payments.cli.demo.folder import Folder
from airport_payments.cli.demo.mode import choose

TEST_KEYS = {
    "STRIPE_SECRET_KEY": "sk_test_CANARY0000000000",
    "STRIPE_WEBHOOK_SECRET": "whsec_CANARY0000000000",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_CANARY0000000000",
}


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("airport-payments 0.")


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["demo", "--port", "70000"], ["demo", "--port", "-1"], ["demo", "x"]]
)
def test_wrong_arguments_end_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["refund", "b-1"],
        ["tick", "--limit", "x"],
        ["reconcile", "--since", "never"],
        ["resolve", "b-1", "pi_1", "burn", "--by", "x"],
        ["db", "sql", "--dialect", "oracle"],
        ["demo", "--port", "-1"],
        ["doctor", "--fly"],
        ["fly"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_told_to_programs_too(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    assert ended.value.code == 2
    said = capsys.readouterr()
    error = json.loads(said.out)["error"]
    assert error["code"] == "invalid_request"
    assert error["message"] in said.err


def test_no_keys_mean_the_fake():
    assert choose({}).is_fake
    assert choose(dict.fromkeys(TEST_KEYS, "")).is_fake


@pytest.mark.parametrize("secret_key", ["sk_test_CANARY0000000000", "rk_test_CANARY0000000000"])
def test_three_test_keys_mean_stripes_test_mode(secret_key):
    mode = choose({**TEST_KEYS, "STRIPE_SECRET_KEY": secret_key})
    assert not mode.is_fake
    assert "CANARY" not in mode.folder_name


def test_each_stripe_account_has_its_own_folder():
    other = {**TEST_KEYS, "STRIPE_PUBLISHABLE_KEY": "pk_test_OTHER00000000"}
    assert choose(TEST_KEYS).folder_name != choose(other).folder_name


@pytest.mark.parametrize("missing", TEST_KEYS)
def test_a_missing_key_is_refused_by_name(missing):
    with pytest.raises(CommandError, match=missing) as refused:
        choose({name: value for name, value in TEST_KEYS.items() if name != missing})
    assert refused.value.exit == Exit.REFUSED
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_SECRET_KEY", "sk_live_CANARY0000"),
        ("STRIPE_SECRET_KEY", "rk_live_CANARY0000"),
        ("STRIPE_PUBLISHABLE_KEY", "pk_live_CANARY0000"),
    ],
)
@pytest.mark.parametrize("others", [TEST_KEYS, {}], ids=["with the others", "alone"])
def test_live_keys_are_refused(name, value, others):
    with pytest.raises(CommandError, match=f"{name} holds a live key") as refused:
        choose({**others, name: value})
    assert refused.value.exit == Exit.REFUSED
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize("name", TEST_KEYS)
def test_a_key_of_the_wrong_kind_is_refused_without_showing_it(name):
    with pytest.raises(CommandError, match=name) as refused:
        choose({**TEST_KEYS, name: "CANARY nonsense"})
    assert refused.value.exit == Exit.REFUSED
    assert "CANARY" not in str(refused.value)


@pytest.mark.e2e
@pytest.mark.parametrize("module", ["uvicorn", "sqlalchemy"])
def test_a_missing_extra_is_named_with_what_to_do(module, tmp_path):
    block = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "{module}":
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""
    ended = run("demo", "--data", str(tmp_path), code=block)
    assert ended.returncode == 2, ended.stderr
    assert f"needs {module}" in ended.stderr
    assert "pip install 'airport-payments[demo]'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.e2e
def test_a_live_key_ends_the_process_with_2(tmp_path):
    ended = run("demo", "--data", str(tmp_path), env={**TEST_KEYS, "STRIPE_SECRET_KEY": "sk_live_CANARY0000"})
    assert ended.returncode == 2
    assert ended.stderr == "airport-payments demo: STRIPE_SECRET_KEY holds a live key. The demo takes test keys only.\n"
    assert ended.stdout == ""


def test_an_address_that_is_not_ours_is_refused():
    with pytest.raises(CommandError, match="cannot listen"):
        listen("192.0.2.1", 0)


def test_a_name_that_is_no_address_is_refused(monkeypatch):
    def unknown(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CommandError, match="no such address") as refused:
        listen("not an address", 0)
    assert refused.value.exit == Exit.REFUSED


@pytest.mark.parametrize(
    ("host", "here", "peer"),
    [("127.0.0.1", "127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1", "0.0.0.0"), ("::", "[::1]", "::"), ("::1", "[::1]", "::1"), ("192.0.2.1", "192.0.2.1", "0.0.0.0")],
)  # fmt: skip
def test_how_an_address_is_reached(host, here, peer):
    address = Address(None, host, 8000)
    assert (address.url, address.peer_host) == (f"http://{here}:8000", peer)


def test_secrets_are_made_once_and_are_private(tmp_path):
    with Folder(tmp_path / "a") as folder:
        made = folder.secrets()
        assert folder.secrets() == made
        assert (folder.path / "secrets.json").stat().st_mode & 0o777 == 0o600
        assert made.jwt not in repr(made)
    with Folder(tmp_path / "b") as other:
        assert other.secrets().jwt != made.jwt


def test_reset_deletes_nothing_but_the_demos_own(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with Folder(tmp_path) as folder:
        folder.secrets()
        folder.books.write_text("{}")
        folder.reset()
        assert not folder.books.exists()
        assert not (tmp_path / "secrets.json").exists()
    assert (tmp_path / "mine.txt").read_text() == "keep"


@pytest.mark.parametrize("text", [None, "", "{}", "[]", json.dumps({"jwt": "x"})])
def test_damaged_secrets_are_refused(tmp_path, text):
    with Folder(tmp_path) as folder:
        folder.books.write_text("{}")
        if text is not None:
            (tmp_path / "secrets.json").write_text(text)
        with pytest.raises(CommandError, match="--reset"):
            folder.secrets()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot use the folder"), Folder(tmp_path / "file" / "folder"):
        pass
