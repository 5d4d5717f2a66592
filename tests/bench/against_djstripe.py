"""`handle_webhook` against dj-stripe with its default handlers, both on one PostgreSQL with fsync on.

dj-stripe is installed into a venv of its own, for this run; its calls to Stripe are answered by a stub without delay.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from tests.bench.measure import Figure
from tests.bench.webhook import SAMPLE, SECRET, _Ours, _Port, _time
from tests.postgres import Schema, Server

from airport_payments import PaymentGateway, StripeSettings
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository

PACKAGES = ("dj-stripe==2.11.*", "psycopg[binary]")
PROGRAM = Path(__file__).parent / "djstripe_program.py"
ROUNDS, THEIRS = 9, 5
AIM = 15


def figures() -> list[Figure]:
    """Return the figure; none, with a word why, where dj-stripe cannot be installed."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        venv.create(folder, with_pip=True)
        done = subprocess.run(
            [python, "-m", "pip", "install", "-q", *PACKAGES], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            print(
                f"dj-stripe could not be installed, so it is not compared: {done.stderr.strip()[-200:]}",
                file=sys.stderr,
            )
            return []
        with Server(max_wal_size="1GB", checkpoint_timeout="30min") as server:
            return [_compare(python, server)]


def _compare(python: Path, server: Server) -> Figure:
    schema = Schema(server.dsn)
    engine = schema.engine(create_engine, "psycopg", pool_size=1, max_overflow=0)
    repository = SqlAlchemyBookingRepository(engine)
    repository.create_tables()
    settings = StripeSettings("sk_test_" + "b" * 24, SECRET)
    gateway = PaymentGateway(repository, settings, port=_Port())
    ours = _Ours(gateway, repository, settings)
    database = json.dumps({"NAME": "postgres", "USER": "postgres", "HOST": str(server.folder)})
    with subprocess.Popen(
        [python, "-P", PROGRAM, database, SAMPLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as theirs:
        _measured(theirs, 1)  # makes the tables, and what all of its events share
        first, second, calls = [], [], 0.0
        for number in range(ROUNDS):
            first.append(_time(gateway.handle_webhook, ours.prepare(number)))
            answer = _measured(theirs, THEIRS)
            second.append(answer["seconds"])
            calls = sum(answer["calls"].values())
        assert theirs.stdin is not None
        theirs.stdin.close()
    engine.dispose()
    ratio = statistics.median(b / a for a, b in zip(first, second, strict=True))
    mine, other = statistics.median(first) * 1e6, statistics.median(second) * 1e6
    detail = f"{mine:.0f} µs and no call to Stripe, against {other:.0f} µs and {calls:g}"
    return Figure(
        "handle_webhook, PostgreSQL, fsync on", "dj-stripe 2.11, default handlers", ratio,
        f"≥ {AIM} times faster", ratio >= AIM, detail,
    )  # fmt: skip


def _measured(program: "subprocess.Popen[str]", count: int) -> Any:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(json.dumps({"count": count}) + "\n")
    program.stdin.flush()
    line = program.stdout.readline()
    assert line, "dj-stripe's program ended"
    return json.loads(line)
