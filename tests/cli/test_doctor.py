"""`airport-payments doctor`: each finding, from a set-up that has it; and the whole command as a process."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from tests.cli.shop import COLOURS, KEY, SECRET, blocked

from airport_payments import InvalidSignature, StripeSettings, construct_event
from airport_payments.cli.doctor.finding import Level
from airport_payments.cli.doctor.route import check_route
from airport_payments.cli.doctor.settings import check_settings
from airport_payments.cli.doctor.stripe import SKEW_S, check_stripe
from airport_payments.core.decide.route import HANDLED
from airport_payments.stripe_api.account import READS, Account
from airport_payments.testing import FakeStripe
from airport_payments.testing.fake_stripe import Fault

ROOT = Path(__file__).parents[2]
OK, WARNING, PROBLEM = Level


def levels(findings):
    return {finding.check: finding.level for finding in findings}


# ---- settings ----


@pytest.mark.parametrize(
    ("key", "level", "said"),
    [
        ("rk_test_CANARY00", OK, "a restricted key of test mode (rk_test_…)"),
        ("rk_live_CANARY00", OK, "a restricted key of live mode (rk_live_…)"),
        ("sk_test_CANARY00", OK, "a secret key of test mode (sk_test_…)"),
        ("sk_live_CANARY00", WARNING, "a secret key of live mode (sk_live_…), which may do everything"),
    ],
)
def test_kind_and_mode_of_the_key_are_told_and_nothing_else_of_it(key, level, said):
    finding = next(iter(check_settings(StripeSettings(key, SECRET))))
    assert (finding.level, finding.what) == (level, said)


def test_a_webhook_secret_that_is_there_twice_and_another_api_host_are_warnings():
    settings = StripeSettings(KEY, (SECRET, SECRET), api_base="http://127.0.0.1:1")
    found = levels(check_settings(settings))
    assert found["settings.webhook_secrets"] is WARNING
    assert found["settings.api_base"] is WARNING
    assert "settings.api_base" not in levels(check_settings(StripeSettings(KEY, SECRET)))


# ---- Stripe ----


class Set:
    """A fake, and what doctor finds at it."""

    secret = SECRET

    def __init__(self, *, livemode: bool = False, secrets=(SECRET,)) -> None:
        key = "sk_live_fakeCANARY" if livemode else KEY
        pk = "pk_live_fake" if livemode else "pk_test_fake"
        self.fake = FakeStripe(key, pk, livemode=livemode)
        self.settings = StripeSettings(key, secrets)

    def endpoint(self, **given):
        from tests.cli.shop import Shop

        return Shop.endpoint(self, **given)

    def findings(self, endpoint=None, settings=None):
        chosen = settings or self.settings
        with httpx.Client(transport=self.fake.transport()) as client, Account(chosen, client) as account:
            found = list(check_stripe(chosen, account, endpoint))
        texts = "".join(f.what + f.why + f.do for f in found)
        assert "CANARY" not in texts
        assert all(bool(f.why) == bool(f.do) == (f.level is not OK) for f in found)
        return found

    def levels(self, endpoint=None):
        return levels(self.findings(endpoint))

    def one(self, check, endpoint=None):
        (finding,) = [f for f in self.findings(endpoint) if f.check == check]
        return finding


@pytest.fixture
def at():
    return Set()


def test_all_is_well_where_all_is_well(at):
    at.endpoint()
    assert set(at.levels().values()) == {OK}
    assert list(at.levels()) == [
        "stripe.answers", "stripe.permissions", "clock.skew", "endpoint.found", "endpoint.events", "endpoint.api_version",
    ]  # fmt: skip


def test_a_key_that_stripe_does_not_know_is_the_one_problem_told(at):
    other = StripeSettings("sk_test_CANARYother", SECRET)
    assert levels(at.findings(settings=other)) == {"stripe.answers": PROBLEM}


@pytest.mark.parametrize("fault", [Fault.connection_lost(), Fault.read_timeout()])
def test_a_stripe_that_does_not_answer_is_the_one_problem_told(at, fault):
    at.fake.inject(fault, times=100)
    assert at.levels() == {"stripe.answers": PROBLEM}
    assert len(at.fake.requests) == 1


def test_a_stripe_in_trouble_is_a_problem_and_its_clock_is_compared_all_the_same(at):
    at.fake.inject(Fault.server_error(), "GET", "/v1/payment_intents")
    found = at.levels()
    assert found["stripe.answers"] is PROBLEM
    assert found["clock.skew"] is OK
    assert "stripe.permissions" not in found


FORBIDDEN = Fault.response(403, {"type": "invalid_request_error", "message": f"The key {KEY} may not"})


def test_a_restricted_key_without_payment_intents_is_a_problem(at):
    at.fake.inject(FORBIDDEN, "GET", "/v1/payment_intents")
    assert at.one("stripe.answers").what == "the key may not read PaymentIntents (HTTP 403)"


@pytest.mark.parametrize("path", [path for path in READS if path != "/v1/payment_intents"])
def test_what_a_restricted_key_may_not_read_is_named(at, path):
    at.fake.inject(FORBIDDEN, "GET", path)
    finding = at.one("stripe.permissions")
    assert (finding.level, finding.what) == (WARNING, f"the key may not read {path.rpartition('/')[2]}")
    assert READS[path] in finding.why


@pytest.mark.parametrize("seconds", [0, 5, -5])
def test_a_clock_that_agrees_is_ok(at, seconds):
    at.fake.advance(seconds)
    assert at.levels()["clock.skew"] is OK


@pytest.mark.parametrize(
    ("seconds", "level"), [(60, WARNING), (-60, WARNING), (200, PROBLEM), (-200, PROBLEM), (86_400, PROBLEM)]
)
def test_a_clock_that_differs_is_told_with_its_side(at, seconds, level):
    at.fake.advance(seconds)
    finding = at.one("clock.skew")
    assert finding.level is level
    assert ("behind" if seconds > 0 else "ahead of") in finding.what
    assert abs(seconds) > SKEW_S


@pytest.mark.parametrize("headers", [{"Date": ""}, {"Date": "yesterday"}, {"Date": "Sun, 99 Nov 2026 99:99:99 GMT"}])
def test_an_answer_without_a_time_is_a_warning(at, headers):
    # An answer of another make: a fault's own headers go before the fake's.
    at.fake.inject(Fault.response(500, headers=headers), "GET", "/v1/payment_intents")
    assert at.levels()["clock.skew"] is WARNING


# ---- webhook endpoints ----


def test_no_endpoint_is_a_warning_in_test_mode_and_a_problem_in_live_mode(at):
    assert at.levels()["endpoint.found"] is WARNING
    assert Set(livemode=True).levels()["endpoint.found"] is PROBLEM


def test_endpoints_that_may_not_be_read_are_a_warning(at):
    at.endpoint()
    at.fake.inject(FORBIDDEN, "GET", "/v1/webhook_endpoints")
    assert at.one("endpoint.found").level is WARNING
    at.fake.inject(Fault.server_error(), "GET", "/v1/webhook_endpoints")
    assert "HTTP 500" in at.one("endpoint.found").what


def test_our_endpoint_is_found_by_its_path_among_others(at):
    at.endpoint(url="https://blog.example/hook", events=("charge.updated",))
    at.endpoint(url="https://CANARY:CANARY@shop.example/eu/payment/webhook?token=CANARY")
    assert at.one("endpoint.found").what == "1 endpoint of yours: https://shop.example/eu/payment/webhook"
    assert set(at.levels().values()) == {OK}


def test_the_only_endpoint_is_taken_for_ours_whatever_its_path(at):
    at.endpoint(url="https://shop.example/hooks/stripe")
    assert at.one("endpoint.found").level is OK


def test_an_endpoint_is_named_by_id_or_address(at):
    first = at.endpoint(url="https://shop.example/one")
    at.endpoint(url="https://shop.example/two", events=("charge.updated",))
    assert at.one("endpoint.found").level is WARNING  # neither has our path
    assert at.one("endpoint.found", first).what == "1 endpoint of yours: https://shop.example/one"
    assert at.levels("https://shop.example/two")["endpoint.events"] is PROBLEM
    assert "no endpoint is we_other" in at.one("endpoint.found", "we_other").what


def test_a_disabled_endpoint_is_a_problem(at):
    endpoint = at.endpoint()
    with httpx.Client(transport=at.fake.transport(), headers={"Authorization": f"Bearer {KEY}"}) as client:
        client.post(f"https://api.stripe.com/v1/webhook_endpoints/{endpoint}", data={"disabled": "true"})
    assert at.one("endpoint.enabled").level is PROBLEM


@pytest.mark.parametrize("name", HANDLED)
def test_a_missing_event_is_named_with_why_it_matters(at, name):
    at.endpoint(events=tuple(other for other in HANDLED if other != name))
    (finding,) = [f for f in at.findings() if f.level is not OK]
    needed = name in {"payment_intent.succeeded", "payment_intent.payment_failed"}
    assert (finding.check, finding.level) == (
        ("endpoint.events", PROBLEM) if needed else ("endpoint.events_later", WARNING)
    )
    assert name in finding.what
    assert finding.why.endswith(".")
    assert not finding.why.endswith(": .")


def test_superfluous_events_and_all_events_are_warnings(at):
    endpoint = at.endpoint(events=(*HANDLED, "charge.updated", "customer.created"))
    assert at.one("endpoint.superfluous").what == (
        f"{endpoint} gets 2 events that nothing uses: charge.updated, customer.created"
    )
    everything = Set()
    everything.endpoint(events=("*",))
    assert everything.levels()["endpoint.events"] is WARNING


@pytest.mark.parametrize("version", ["2020-08-27", None])
def test_an_endpoint_of_another_api_version_is_a_warning(at, version):
    at.endpoint(api_version=version)
    assert at.one("endpoint.api_version").level is WARNING


def test_a_connected_accounts_events_come_to_an_endpoint_of_the_platform(at):
    at.endpoint(events_from="@accounts")
    at.settings = StripeSettings(KEY, SECRET, stripe_account="acct_connected")
    assert set(at.levels().values()) == {OK}
    asked = [(request.path, request.account) for request in at.fake.requests]
    assert ("/v1/payment_intents", "acct_connected") in asked
    assert ("/v1/webhook_endpoints", "acct_connected") not in asked


def test_two_endpoints_with_one_secret_are_a_warning(at):
    at.endpoint()
    at.endpoint(url="https://shop.example/eu/payment/webhook")
    assert at.one("endpoint.secrets").level is WARNING
    both = Set(secrets=(SECRET, "whsec_CANARYtwo"))
    both.endpoint()
    both.endpoint(url="https://shop.example/eu/payment/webhook")
    assert "endpoint.secrets" not in both.levels()


# ---- the team's own route ----


@contextmanager
def serving(answer):
    """A route that answers as told: with a status, or with status and body of (signature, number of the request)."""
    count = [0]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            count[0] += 1
            status, body = answer(count[0]) if callable(answer) else (answer, b"")
            self.send_response(status)
            if status in {301, 308}:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/payment/webhook"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


IGNORED = b'{"success": true, "data": {"received": true, "outcome": "ignored"}}'
REFUSED = b'{"success": false}'


def route(answer, settings=None):
    with serving(answer) as url:
        found = list(check_route(url, settings or StripeSettings(KEY, SECRET)))
    assert "CANARY" not in "".join(f.what + f.why + f.do for f in found)
    return found


def test_a_route_as_it_should_be():
    found = route(lambda n: (200, IGNORED) if n == 1 else (400, REFUSED))
    assert levels(found) == {"route.signed": OK, "route.forged": OK}


@pytest.mark.parametrize("status", [301, 308, 400, 401, 403, 404, 405, 413, 415, 419, 500, 503])
def test_a_route_that_answers_something_else_is_a_problem_with_advice(status):
    signed, forged = route(status)
    assert (signed.check, signed.level) == ("route.signed", PROBLEM)
    assert f"was answered {status} instead of 200" in signed.what
    assert signed.do
    assert forged.level is (OK if status == 400 else WARNING)


def test_a_route_that_believes_a_forged_event_is_a_problem():
    found = levels(route(lambda _: (200, IGNORED)))
    assert found == {"route.signed": OK, "route.forged": PROBLEM}


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b'{"data": []}', b'{"data": {"outcome": "applied"}}', b"\xff"])
def test_a_200_that_is_not_the_gateways_is_a_warning(body):
    found = route(lambda n: (200, body) if n == 1 else (400, b""))
    assert levels(found) == {"route.signed": WARNING, "route.forged": OK}


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda document: json.dumps(document),
        lambda document: json.dumps(document, ensure_ascii=False, separators=(",", ":")),
        lambda document: json.dumps(document, indent=2),
        lambda document: json.dumps(document, indent=4, sort_keys=True) + "\n",
    ],
    ids=["python", "compact", "indented", "sorted"],
)
def test_a_route_that_reads_the_json_before_the_raw_bytes_is_a_problem(rewritten):
    """It would refuse Stripe's own events, and let pass what happens to be written as it writes."""

    def service(body_of):
        def answer(request: httpx.Request) -> httpx.Response:
            try:
                construct_event(body_of(request.content), request.headers["Stripe-Signature"], SECRET)
            except InvalidSignature:
                return httpx.Response(400, content=REFUSED)
            return httpx.Response(200, content=IGNORED)

        client = httpx.Client(transport=httpx.MockTransport(answer))
        return list(check_route("http://shop.example/payment/webhook", StripeSettings(KEY, SECRET), client))

    assert levels(service(lambda raw: raw)) == {"route.signed": OK, "route.forged": OK}
    signed, _ = service(lambda raw: rewritten(json.loads(raw)).encode())
    assert (signed.check, signed.level) == ("route.signed", PROBLEM)
    assert "byte for byte" in signed.do


def test_the_secret_that_a_route_does_not_know_is_named_by_its_place():
    settings = StripeSettings(KEY, (SECRET, "whsec_CANARYtwo"))
    found = route(lambda n: (200, IGNORED) if n == 1 else (400, REFUSED), settings)
    assert found[0].what == "a signed event with secret 2 of 2 was answered 400 instead of 200"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "nonsense", "ftp://x", "http://", "http://[::1", "http://127.0.0.1:99999/"])  # fmt: skip
def test_a_route_that_is_not_there_is_a_problem(url):
    (finding,) = check_route(url, StripeSettings(KEY, SECRET))
    assert (finding.check, finding.level) == ("route.signed", PROBLEM)


# ---- the database, and the command ----


def doctored(shop, *arguments, **env):
    ended = shop.run("doctor", "--json", *arguments, env=env)
    found = {finding["check"]: finding for finding in ended.json["findings"]}
    assert ended.json["problems"] == sum(f["level"] == "problem" for f in found.values())
    return ended, found


@pytest.mark.e2e
@pytest.mark.parametrize("url", ["sqlite:///airport.db", "sqlite+aiosqlite:///airport.db"])
def test_a_database_that_is_well(shop, url):
    shop.repository().engine.dispose()
    shop.endpoint()
    ended, found = doctored(shop, DATABASE_URL=url)
    names = ["answers", "tables", "journal", "synchronous", "writable"]
    assert [found[f"database.{name}"]["level"] for name in names] == ["ok"] * 5
    assert ended.code == 0
    with closing(sqlite3.connect(shop.folder / "airport.db")) as database, database:
        assert database.execute("SELECT count(*) FROM airport_history").fetchone() == (0,)


@pytest.mark.e2e
def test_a_database_without_tables_and_one_that_is_none(shop):
    (shop.folder / "empty.db").touch()
    (shop.folder / "text.db").write_text("This is no database. " * 100)
    ended, found = doctored(shop, DATABASE_URL="sqlite:///empty.db")
    assert (ended.code, found["database.tables"]["level"]) == (2, "problem")
    assert "airport-payments db init" in found["database.tables"]["do"]
    assert "file is not a database" in doctored(shop, DATABASE_URL="sqlite:///text.db")[1]["database.answers"]["what"]
    assert (
        "there is no SQLite file no.db" in doctored(shop, DATABASE_URL="sqlite:///no.db")[1]["database.answers"]["what"]
    )
    assert not (shop.folder / "no.db").exists()


@pytest.mark.e2e
def test_a_database_that_takes_no_writes(shop):
    shop.repository().engine.dispose()
    _, found = doctored(shop, DATABASE_URL="sqlite:///file:airport.db?mode=ro&uri=true")
    assert found["database.tables"]["level"] == "ok"
    assert found["database.writable"]["level"] == "problem"
    assert "readonly" in found["database.writable"]["what"]


UNSAFE = """
from sqlalchemy import create_engine, event
from airport_payments import PaymentGateway, StripeSettings
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

def make():
    engine = create_engine("sqlite:///airport.db")
    repository = SqlAlchemyBookingRepository(engine)

    @event.listens_for(engine, "connect")
    def set_up(connection, _):
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = {synchronous}")

    repository.create_tables()
    return PaymentGateway(repository, StripeSettings.from_env())
"""


@pytest.mark.e2e
@pytest.mark.parametrize(("synchronous", "level"), [("NORMAL", "warning"), ("OFF", "problem")])
def test_a_database_that_the_team_set_up_less_safely(shop, synchronous, level):
    (shop.folder / "unsafe.py").write_text(UNSAFE.format(synchronous=synchronous))
    _, found = doctored(shop, "--app", "unsafe:make")
    assert found["database.journal"]["level"] == "warning"
    assert found["database.synchronous"]["level"] == level


OWN = """
from airport_payments import PaymentGateway, StorageUnavailable, StripeSettings
from airport_payments.storage.memory import MemoryBookingRepository

class Mine(MemoryBookingRepository):
    def find(self, payment_intent_id):
        {does}

def make():
    return PaymentGateway(Mine(), StripeSettings.from_env())
"""


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("does", "level", "said"),
    [
        ("return None", "ok", "your repository (Mine) answers"),
        ("raise StorageUnavailable('away')", "problem", "raised StorageUnavailable: away"),
        ("raise KeyError('CANARY')", "problem", "your repository (Mine) raised KeyError"),
    ],
)
def test_a_repository_of_the_teams_own_is_asked_too(shop, does, level, said):
    (shop.folder / "own.py").write_text(OWN.format(does=does))
    _, found = doctored(shop, "--app", "own:make")
    assert found["database.answers"]["level"] == level
    assert said in found["database.answers"]["what"]


@pytest.mark.e2e
def test_one_thing_that_is_wrong_does_not_hide_the_others(shop):
    shop.repository().engine.dispose()
    ended, found = doctored(shop, STRIPE_SECRET_KEY=None)
    assert (ended.code, found["settings.valid"]["level"]) == (2, "problem")
    assert found["database.writable"]["level"] == "ok"
    ended, found = doctored(shop, DATABASE_URL=None)
    assert (ended.code, found["database.answers"]["level"]) == (2, "problem")
    assert found["stripe.answers"]["level"] == "ok"


@pytest.mark.e2e
def test_without_sqlalchemy_the_database_is_a_problem_and_the_extra_is_named(shop):
    ended = shop.run("doctor", code=blocked("sqlalchemy"))
    assert ended.code == 2
    assert "'airport-payments[sqlalchemy]'" in ended.out
    assert "  ok       Stripe answers this key" in ended.out


@pytest.mark.e2e
def test_exit_codes_0_for_warnings_1_for_strict_2_for_problems(shop):
    shop.repository().engine.dispose()
    assert (shop.run("doctor").code, shop.run("doctor", "--strict").code) == (0, 1)
    assert shop.run("doctor", "--strict", env={"DATABASE_URL": None}).code == 2


@pytest.mark.e2e
@pytest.mark.parametrize("colour", COLOURS)
def test_a_gateway_of_the_teams_own_is_checked_as_it_is(shop, colour):
    shop.repository().engine.dispose()
    shop.endpoint()
    ended, found = doctored(shop, "--app", shop.app(colour))
    assert ended.code == 0
    assert found["app.found"]["what"] in {"shop:gateway is a PaymentGateway", "shop:gateway is an AsyncPaymentGateway"}
    assert found["database.writable"]["level"] == "ok"
    ended, found = doctored(shop, "--app", "nosuch:gateway")
    assert (ended.code, list(found)) == (2, ["app.found"])


@pytest.mark.e2e
def test_what_it_prints(shop):
    shop.repository().engine.dispose()
    shop.endpoint()
    ended = shop.run("doctor")
    assert (
        ended.out
        == f"""\
Settings
  ok       a secret key of test mode (sk_test_…)
  ok       1 webhook secret, whole as far as can be seen
  warning  Stripe is asked at {shop.url}, not at
           https://api.stripe.com
           why  Key and payments go to that machine. For a fake or a test peer
                that is right.
           do   In production take STRIPE_API_BASE out of the environment.
Stripe
  ok       Stripe answers this key
  ok       the key may read all that the gateway reads
Clock
  ok       this machine's clock agrees with Stripe's
Webhook endpoints
  ok       1 endpoint of yours: https://shop.example/payment/webhook
  ok       {next(iter(shop.fake.objects("webhook_endpoint")))} gets all {len(HANDLED)} events that are used, and no
           others
  ok       {next(iter(shop.fake.objects("webhook_endpoint")))} sends API version 2026-10-28.endive, as
           this library asks
Database
  ok       SQLite file airport.db answers
  ok       all tables are there, of version 3
  ok       journal mode WAL: readers and the writer work at the same time
  ok       synchronous FULL: what is committed survives a loss of power
  ok       a write was taken, and rolled back

0 problems, 1 warning, 13 ok.
Your webhook route was not checked: name it with --url
http://localhost:8000/payment/webhook
"""
    )


@pytest.mark.e2e
@pytest.mark.parametrize("kind", ["fastapi", "flask"])
def test_the_route_of_a_real_app(shop, processes, kind):
    port = processes.free_port()
    app = f"examples.{kind}_app.app:app"
    command = {
        "fastapi": ["uvicorn", app, "--port", port],
        "flask": ["gunicorn", app, "-b", f"127.0.0.1:{port}"],
    }[kind]
    own = {**shop.variables(), "PYTHONPATH": str(ROOT), "JWT_SECRET": "0" * 32}
    server = processes.start(sys.executable, "-m", *command, env=own, cwd=shop.folder, ready=port)
    url = f"http://127.0.0.1:{port}/payment/webhook"
    httpx.get(url, trust_env=False, timeout=20)  # gunicorn listens before its worker has made the tables
    ended, found = doctored(shop, "--url", url)
    assert ended.json["route_checked"] is True
    assert [found[name]["level"] for name in ("route.signed", "route.forged")] == ["ok", "ok"]
    assert ended.code == 0, ended.out
    _, found = doctored(shop, "--url", url, STRIPE_WEBHOOK_SECRET="whsec_CANARYother")
    assert found["route.signed"]["level"] == "problem"
    _, found = doctored(shop, "--url", f"{url}/elsewhere")
    assert "answered 404" in found["route.signed"]["what"]
    assert "CANARY" not in server.log
    assert os.path.exists(shop.folder / "airport.db")
