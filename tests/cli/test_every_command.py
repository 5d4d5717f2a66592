"""What holds for every command: help, exit codes, JSON, no secrets, quick to start, quiet to stop."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.cli.demo import until
from tests.cli.shop import COLOURS, KEY, Ended, blocked, checked, interrupt

from airport_payments.cli import COMMANDS, main
from airport_payments.cli.command import EXITS, Exit
from airport_payments.testing.fake_stripe import Fault

NAMES = [command.name for command in COMMANDS]
# What a command on a gateway is called with, about a booking that there is.
ON_A_GATEWAY = {
    "prune": ["prune", "--before", "400d"],
    "erase": ["erase", "nobody"],
    "tick": ["tick", "--no-handlers"],
    "refund": ["refund", "b-1", "--request-id", "r-1"],
    "cancel": ["cancel", "b-1"],
    "resolve": ["resolve", "b-1", "pi_00000000", "keep", "--by", "staff-1"],
}
DOCS = Path(__file__).parents[2] / "docs/reference/cli.md"


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_is_at_most_80_columns_wide_and_has_an_example_and_the_exit_codes(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"] if name else ["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if len(line) > 80] == []
    assert EXITS in said
    assert not name or f"\n  airport-payments {name}" in said.partition("\nexample")[2]


def test_the_docs_have_the_same_table_of_exit_codes():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    meanings = [(str(code.value), re.sub(r"\s+", " ", code.meaning)) for code in Exit]
    assert [row for row in rows if row[0].isdecimal()] == meanings


def test_the_docs_have_every_command_and_every_option(capsys):
    text = DOCS.read_text()
    for name in NAMES:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", capsys.readouterr().out.partition("\nexample")[0]))
        common = {"--help", "--app", "--json"}
        assert section, name
        assert flags - common - set(re.findall(r"--[a-z][\w-]*", section)) == set(), name


HEAVY = ("stripe", "pydantic", "httpx", "sqlalchemy", "asyncio", "rich", "uvicorn")


@pytest.mark.e2e
@pytest.mark.parametrize("arguments", [["--help"], ["doctor", "--help"], ["demo", "--help"], ["events"]])
def test_help_loads_nothing_heavy(shop, arguments):
    code = (
        f"import atexit, sys\natexit.register(lambda: sys.stderr.write(repr([n for n in {HEAVY} if n in sys.modules])))"
    )
    ended = shop.run(*arguments, code=code)
    assert (ended.code, ended.err) == (0, "[]")


# ---- where the gateway comes from, and what is said when it does not ----

WITHOUT = {
    "no key": ({"STRIPE_SECRET_KEY": None}, 2, "STRIPE_SECRET_KEY is not set"),
    "a publishable key": ({"STRIPE_SECRET_KEY": "pk_test_CANARY00"}, 2, "publishable key"),
    "no webhook secret": ({"STRIPE_WEBHOOK_SECRET": None}, 2, "STRIPE_WEBHOOK_SECRET is not set"),
    "no database": ({"DATABASE_URL": None}, 2, "DATABASE_URL is not set"),
    "no URL": ({"DATABASE_URL": "CANARY of something else"}, 2, "DATABASE_URL is no database URL"),
    "a file that is not there": ({"DATABASE_URL": "sqlite:///other.db"}, 2, "db init makes a new one"),
    "another database": ({"DATABASE_URL": "mysql://me:CANARY@localhost/x"}, 2, "SQLite or PostgreSQL"),
    "an unknown driver": ({"DATABASE_URL": "nosuch://me:CANARY@localhost/x"}, 2, "nosuch"),
    "postgres as some hosts write it": ({"DATABASE_URL": "postgres://me:CANARY@localhost/x"}, 2, "postgresql+psycopg://"),
}  # fmt: skip


@pytest.mark.parametrize(("env", "code", "said"), WITHOUT.values(), ids=WITHOUT)
def test_a_setting_that_is_wrong_is_named_and_its_value_is_not_shown(shop, here, env, code, said):
    shop.repository().engine.dispose()
    ended = here("tick", "--no-handlers", **env)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("airport-payments tick: ")
    assert said in ended.err
    assert not (shop.folder / "other.db").exists()


@pytest.mark.parametrize("name", ON_A_GATEWAY)
def test_every_command_on_a_gateway_reads_the_environment(shop, here, name):
    ended = here(*ON_A_GATEWAY[name], "--json", STRIPE_WEBHOOK_SECRET=None)
    assert ended.code == 2
    assert ended.json["error"]["code"] == "configuration_error"
    assert "STRIPE_WEBHOOK_SECRET is not set" in ended.err


@pytest.mark.e2e
@pytest.mark.parametrize("arguments", [*ON_A_GATEWAY.values(), ["db", "init"], ["db", "sql"]], ids=lambda a: " ".join(a[:2]))  # fmt: skip
def test_without_sqlalchemy_the_extra_is_named(shop, arguments):
    ended = shop.run(*arguments, code=blocked("sqlalchemy"))
    assert ended.code == 2
    assert "pip install 'airport-payments[sqlalchemy]'" in ended.err


@pytest.mark.e2e
def test_without_any_extra_a_gateway_of_the_teams_own_is_enough(shop):
    (shop.folder / "own.py").write_text(
        "from airport_payments import PaymentGateway, StripeSettings\n"
        "from airport_payments.storage.memory import MemoryBookingRepository\n"
        "def make(): return PaymentGateway(MemoryBookingRepository(), StripeSettings.from_env())\n"
    )
    code = blocked("sqlalchemy", "aiosqlite", "greenlet", "rich", "fastapi", "flask", "uvicorn", "jwt")
    ended = shop.run("tick", "--app", "own:make", code=code)
    assert (ended.code, ended.out, ended.err) == (0, "nothing was due.\n", "")


BAD_APPS = {
    "no colon": ("shop", "write it as module:name"),
    "no name": ("shop:", "write it as module:name"),
    "no module": ("nosuch:gateway", "there is no module nosuch"),
    "no parent": ("nosuch.payments:gateway", "cannot be imported: ModuleNotFoundError (nosuch)"),
    "no such name": ("shop:other", "shop has no other"),
    "of another kind": ("shop:StripeSettings.from_env", "from_env() returned a StripeSettings"),
    "not callable": ("shop:__name__", "this is a str, not a PaymentGateway"),
    "a module": ("os:path", "this is a module, not a PaymentGateway"),
    "a function that wants something": ("shop:create_engine", "create_engine() raised TypeError"),
    "an import that fails": ("needy:gateway", "cannot be imported: ModuleNotFoundError (nosuch)"),
    "a module that raises": ("angry:gateway", "importing the module raised KeyError at "),
    "a module that exits": ("leaving:gateway", "importing the module raised SystemExit"),
    "a syntax error": ("broken:gateway", "importing the module raised SyntaxError"),
    "a relative name": (".shop:gateway", "the module cannot be imported"),
}


@pytest.mark.parametrize(("app", "said"), BAD_APPS.values(), ids=BAD_APPS)
def test_an_app_that_is_none_is_refused_with_what_is_wrong(shop, here, app, said):
    shop.app("sync")
    (shop.folder / "needy.py").write_text("import nosuch")
    (shop.folder / "angry.py").write_text(f"raise KeyError({KEY!r})")
    (shop.folder / "leaving.py").write_text(f"raise SystemExit({KEY!r})")
    (shop.folder / "broken.py").write_text(f"x = ({KEY}")
    ended = here("tick", "--app", app)
    assert (ended.code, ended.out) == (2, "")
    assert f"airport-payments tick: --app {app}: " in ended.err
    assert said in ended.err


def test_an_apps_own_wrong_settings_are_told(shop, here):
    shop.app("sync")
    ended = here("cancel", "b-1", "--app", "shop:gateway", STRIPE_SECRET_KEY="CANARY")
    assert ended.code == 2
    assert "raised ConfigurationError: api_key (STRIPE_SECRET_KEY) has to be sk_test_" in ended.err


@pytest.mark.e2e
@pytest.mark.parametrize("app", ["sync:gateway", "sync:make", "async:gateway", "async:make", "async:make_async"])
def test_a_gateway_of_either_colour_or_what_makes_one(shop, app):
    shop.repository().engine.dispose()
    colour, name = app.split(":")
    shop.app(colour)
    ended = shop.run("cancel", "b-1", "--app", f"shop:{name}", "--json")
    assert ended.code == 1
    assert ended.json == {"error": {"code": "booking_not_found", "message": "There is no such booking"}}


@pytest.mark.e2e
@pytest.mark.parametrize("url", ["sqlite:///airport.db", "sqlite+aiosqlite:///airport.db"])
def test_a_database_url_of_either_colour(shop, url):
    shop.open("b-1")
    ended = shop.run("cancel", "b-1", env={"DATABASE_URL": url})
    assert (ended.code, ended.err) == (0, "")
    assert shop.status("b-1") == "cancelled"


# ---- how it ends ----


@pytest.mark.e2e
@pytest.mark.parametrize("colour", COLOURS)
def test_stripe_that_does_not_answer_ends_with_4_and_says_that_nothing_is_lost(shop, colour):
    shop.paid("b-1")
    shop.fake.inject(Fault.connection_lost(), times=1000)
    ended = shop.run(*ON_A_GATEWAY["refund"], "--app", shop.app(colour), "--json")
    assert ended.code == 4
    assert ended.json["error"]["code"] == "stripe_unavailable"
    assert "Nothing is lost: run it again, with the same arguments" in ended.err


@pytest.mark.parametrize("name", ON_A_GATEWAY)
def test_a_database_without_tables_ends_with_4_and_names_db_init(shop, here, name):
    (shop.folder / "airport.db").touch()
    ended = here(*ON_A_GATEWAY[name])
    assert ended.code == 4
    assert "airport-payments db init" in ended.err


@pytest.mark.e2e
def test_a_key_that_stripe_refuses_ends_with_2(shop):
    shop.paid("b-1")
    ended = shop.run(*ON_A_GATEWAY["refund"], env={"STRIPE_SECRET_KEY": "sk_test_CANARYother"})
    assert ended.code == 2
    assert "not set up correctly" in ended.err


@pytest.mark.e2e
@pytest.mark.parametrize("colour", COLOURS)
def test_ctrl_c_ends_a_command_with_130_and_says_nothing(shop, colour):
    shop.paid("b-1")
    gate = threading.Event()
    slow = shop.fake.inject(Fault.slow(gate=gate), "POST", "/v1/refunds")
    process = subprocess.Popen(
        shop.command(*ON_A_GATEWAY["refund"], "--app", shop.app(colour)),
        cwd=shop.folder, env=shop.variables(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: slow.hits, "the command asks Stripe")
    ended = interrupt(process)
    gate.set()
    assert (ended.code, ended.out, ended.err) == (130, "", "")


@pytest.mark.e2e
@pytest.mark.parametrize("arguments", [["events"], ["events", "--json"], ["db", "sql"], ["doctor"]], ids=" ".join)  # fmt: skip
def test_a_pipe_that_nobody_reads_is_no_noise(shop, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        shop.command(*arguments), cwd=shop.folder, env=shop.variables(), stdout=writing, stderr=subprocess.PIPE,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.e2e
def test_an_old_terminals_encoding_is_no_reason_to_fail(shop):
    ended = shop.run("tick", "--no-handlers", env={"PYTHONIOENCODING": "ascii", "STRIPE_SECRET_KEY": None})
    assert ended.code == 2
    assert "put your sk_? or rk_? key there" in ended.err


# ---- colours ----


def on_a_terminal(shop, *arguments, code="", env=None, stderr_too=False) -> Ended:
    """Run a command whose output is a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        shop.command(*arguments, code=code), cwd=shop.folder, stdout=theirs, stderr=theirs if stderr_too else subprocess.PIPE, text=True,
        env=shop.variables({"TERM": "xterm-256color", "COLUMNS": "80", "NO_COLOR": None, **(env or {})}),
    )  # fmt: skip
    os.close(theirs)
    printed = b""
    try:
        while chunk := os.read(ours, 65536):
            printed += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    _, err = process.communicate(timeout=60)
    return checked(Ended(process.returncode, printed.decode().replace("\r\n", "\n"), err or ""))


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.e2e
def test_colours_are_for_terminals_and_repeat_only_what_the_words_say(shop):
    shop.repository().engine.dispose()
    shop.endpoint(events=("payment_intent.succeeded",))
    coloured, piped = on_a_terminal(shop, "doctor"), shop.run("doctor")
    assert "\x1b[" in coloured.out
    assert "\x1b[" not in piped.out
    assert [line.rstrip() for line in plain(coloured.out).splitlines()] == piped.out.splitlines()


@pytest.mark.e2e
@pytest.mark.parametrize("how", [{"code": blocked("rich")}, {"env": {"NO_COLOR": "1"}}, {"env": {"TERM": "dumb"}}], ids=["without rich", "NO_COLOR", "dumb"])  # fmt: skip
def test_no_colours_without_rich_or_where_they_are_not_wanted(shop, how):
    shop.repository().engine.dispose()
    printed = on_a_terminal(shop, "doctor", **how)
    assert not re.search(r"\x1b\[3[0-9]", printed.out)
    assert "  ok       Stripe answers this key" in plain(printed.out)


def test_the_module_runs_as_the_command_does():
    run = [sys.executable, "-m", "airport_payments"]
    done = subprocess.run([*run, "events"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.count("\n") > 10
    assert signal.SIGPIPE + 128 == Exit.UNREAD
