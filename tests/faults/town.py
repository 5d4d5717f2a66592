"""Customers, Stripe and its couriers around the service of `tests.faults.service`, which they outlive.

Stripe is a `FakeStripe` on a socket of this process. Couriers send each of its events, many twice and in any order, again
and again until it is answered 2xx, and write down what was answered. Customers book and pay; some come back after an answer
that was lost, and some do not.
"""

import http.client
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from tests.conftest import Processes
from tests.faults.service import TABLES, engine_of
from tests.postgres import Schema

from airport_payments import Booking, Money
from airport_payments.storage.sqlalchemy import SqlAlchemyBookingRepository
from airport_payments.stripe_api.signature import sign
from airport_payments.testing import FakeStripe, Fault

API_KEY = "sk_test_" + "c" * 24
SECRET = "whsec_" + "c" * 32
REPOSITORY = Path(__file__).parents[2]
PRICE = Money(24_900, "eur")
WAIT_S = 60.0  # only a run that would fail waits so long
SOON_S = 300  # longer than the fake waits before it books a charge or names a refund's reference, each with an event
COURIERS, CUSTOMERS = 8, 6
DECLINED = "4000000000000002"

SERVERS = {
    "gunicorn": ["gunicorn", "-c", "python:tests.faults.service", "tests.faults.service:app", "--bind", "127.0.0.1:{port}"],
    "uvicorn": ["uvicorn", "tests.faults.service_async:app", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log"],
}  # fmt: skip


@dataclass
class Try:
    """One delivery of an event: what was answered, and when (on `time.monotonic`). No status: no answer."""

    event: dict[str, Any]
    began: float
    ended: float
    status: int | None = None
    outcome: str | None = None
    retry_after: str | None = None


@dataclass
class Story:
    """What a customer did, and what they were told."""

    booking_id: str
    paid: str | None = None
    refund_asked: bool = False
    refund_told: str | None = None
    cancel_asked: bool = False


@dataclass
class Town:
    """Everything around one service. `where` is the database: a file, or `DSN#schema`."""

    server: str
    where: str
    folder: Path
    seed: int
    driver: str = "asyncpg"
    tries: list[Try] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)
    lost_answers: int = 0
    offset_s: int = 0
    waiting: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.fake = FakeStripe(api_key=API_KEY, seed=self.seed)
        self.fake.send_webhooks_to(self._happened, SECRET)
        self.fake.inject(Fault.slow(0.004), "POST", times=10**9)  # so that many are on their way when the process ends
        self.pids = self.folder / "pids"
        self.pids.mkdir()
        self._environment = {
            "FAULTS_SERVER": self.server, "FAULTS_DATABASE": self.where, "FAULTS_DRIVER": self.driver, "FAULTS_PIDS": self.pids,
            "FAULTS_CLOCK": self.folder / "clock",
        }  # fmt: skip
        self.pass_time(0)
        with _environment(FAULTS_DATABASE=self.where):
            self.engine = engine_of(create_engine, "psycopg", poolclass=NullPool)
        self.repository = SqlAlchemyBookingRepository(self.engine)
        self.repository.create_tables()
        with self.engine.begin() as connection:
            for table in TABLES:
                connection.exec_driver_sql(table)
        self.processes = Processes(self.folder)
        self.port = self.processes.free_port()
        self._changed = threading.Condition()
        self._waiting: list[dict[str, Any]] = []
        self.on_way = 0
        self.happenings = 0
        self._permits = threading.Semaphore(0)
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self.problems: list[str] = []

    # ---- the service ----

    def start(self) -> None:
        words = [word.format(port=self.port) for word in SERVERS[self.server]]
        self.app = self.processes.start(
            sys.executable, "-m", *words, name="service", env=self._environment, cwd=REPOSITORY,
            ready=f"http://127.0.0.1:{self.port}/health",
        )  # fmt: skip

    @property
    def processes_wanted(self) -> int:
        """How many processes serve."""
        return 2 if self.server == "gunicorn" else 1

    def workers(self) -> list[int]:
        return sorted(int(path.name) for path in self.pids.iterdir())

    def kill(self) -> None:
        """Kill a process of the service; mostly one that serves, at times all of them with the one that starts them."""
        if self.server == "uvicorn" or self.dice.random() < 0.15:
            self.app.kill()
            for pid in self.workers():
                (self.pids / str(pid)).unlink()
            self.start()
            return
        pid = self.dice.choice(until(self.workers))
        (self.pids / str(pid)).unlink()
        os.kill(pid, signal.SIGKILL)

    def close_shop(self) -> None:
        """Stop the service: who judges must not read while it looks at something once more."""
        self.app.stop()
        for process in reversed(self.processes.started):
            process.kill()

    def pass_time(self, seconds: int) -> None:
        """Move the clock of Stripe, its couriers and the service."""
        self.offset_s += seconds
        self.fake.advance(seconds)
        new = self.folder / "clock.new"
        new.write_text(str(self.offset_s))
        new.replace(self.folder / "clock")

    # ---- a run ----

    @contextmanager
    def running(self) -> Iterator[None]:
        """Everything is at work. Afterwards everything is stopped, and what went wrong in the background is raised."""
        with ExitStack() as stack:
            stack.callback(self.engine.dispose)
            api = stack.enter_context(self.fake.serve(automatic=False))
            stack.enter_context(self.fake.automatic_deliveries())
            self._environment |= {
                "STRIPE_SECRET_KEY": API_KEY, "STRIPE_WEBHOOK_SECRET": SECRET, "STRIPE_API_BASE": api.url,
                "STRIPE_ACCOUNT": None, "STRIPE_CONTEXT": None, "AIRPORT_PAYMENTS_NAMESPACE": None,
            }  # fmt: skip
            stack.callback(self._stop)
            self.start()
            for number in range(COURIERS):
                self._thread(self._courier, random.Random(f"{self.seed} courier {number}"))
            for number in range(CUSTOMERS):
                self._thread(self._customer, random.Random(f"{self.seed} customer {number}"))
            yield

    def let_book(self, number: int) -> None:
        """Let so many customers more come."""
        with self._changed:
            self._busy += number  # from now on, or all would seem idle before a customer has come
        self._permits.release(number)

    def wait_for(self, number: int) -> None:
        """Wait until so many things more were answered."""
        with self._changed:
            wanted = self.happenings + number
            self._changed.wait_for(lambda: self.happenings >= wanted or self._idle(), WAIT_S)

    def drain(self) -> None:
        """Wait until every customer is served, and every event was answered 2xx, those too that come by themselves soon."""
        last = -1
        while last < self.happenings and not self._idle():  # as long as something is answered
            last = self.happenings
            with suppress(TimeoutError):
                until(self._idle, problems=self.problems)
        for _ in range(20):
            try:
                until(self._settled, problems=self.problems, every_s=0.5, limit_s=5 * WAIT_S)
            except TimeoutError as error:
                raise TimeoutError(f"{error}: something is outstanding of {self.waiting[:5]}") from None
            last = self.happenings
            self.pass_time(SOON_S)
            until(self._idle, problems=self.problems)
            if self.happenings == last:
                return
        raise TimeoutError("Stripe goes on having news")

    def _settled(self) -> bool:
        """Whether no command and no announcement waits; a lease of a dead process is over after a while."""
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT booking_id, document FROM airport_ledgers").all()
        ledgers = {row[0]: json.loads(row[1]) for row in rows}
        self.waiting = [name for name, one in ledgers.items() if one.get("effects") or one.get("announcements")]
        if self.waiting:
            self.pass_time(60)
        return not self.waiting and self._idle()

    def log(self) -> str:
        return self.processes.started[-1].log[-3000:]

    def _idle(self) -> bool:
        # Once more afterwards: what the fake just handed over is not pending there any more, and waits here.
        return self._calm() and not self.fake.pending_deliveries() and self._calm()

    def _calm(self) -> bool:
        with self._changed:
            return not self._waiting and not self.on_way and self._busy == 0

    _busy = 0

    def _thread(self, work: Callable[["Line", random.Random], None], dice: random.Random) -> None:
        def run() -> None:
            try:
                with closing(Line(self.port)) as line:
                    work(line, dice)
            except Exception as error:
                self.problems.append(f"{work.__name__}: {error!r}")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _stop(self) -> None:
        self._closing.set()
        self._permits.release(CUSTOMERS)
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(WAIT_S)
        for process in reversed(self.processes.started):
            process.kill()

    # ---- Stripe's couriers ----

    def _happened(self, body: bytes, _: str) -> int:
        event = json.loads(body)
        event["_body"] = body
        with self._changed:
            # Many are sent twice. The order is the courier's choice.
            self._waiting += [event] * (2 if self.dice.random() < 0.3 else 1)
            self._changed.notify_all()
        return 200

    def _courier(self, line: "Line", dice: random.Random) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
                if self._closing.is_set():
                    return
                event = self._waiting.pop(dice.randrange(len(self._waiting)))
                self.on_way += 1
            body: bytes = event["_body"]
            one = Try(event, time.monotonic(), 0.0)
            answer = line.post(
                "/payment/webhook",
                body,
                {"Stripe-Signature": sign(body, SECRET, timestamp=int(time.time()) + self.offset_s)},
            )
            one.ended = time.monotonic()
            if answer is not None:
                one.status, one.retry_after, document = answer
                one.outcome = document["data"].get("outcome")
            if one.status != 200:
                time.sleep(dice.uniform(0.1, 0.2) if line.refused else dice.uniform(0.0, 0.05))
            with self._changed:
                self.on_way -= 1
                if answer is not None or not line.refused:
                    self.tries.append(one)
                    self.happenings += 1
                if one.status != 200:
                    self._waiting.append(event)
                self._changed.notify_all()

    # ---- customers ----

    def _customer(self, line: "Line", dice: random.Random) -> None:
        while True:
            self._permits.acquire()
            if self._closing.is_set():
                return
            with self._changed:
                story = Story(f"b-{len(self.stories)}")
                self.stories.append(story)
            try:
                self._live(story, line, dice)
            finally:
                with self._changed:
                    self._busy -= 1
                    self.happenings += 1
                    self._changed.notify_all()

    def _live(self, story: Story, line: "Line", dice: random.Random) -> None:
        until(lambda: self._book(story), every_s=0.05)
        headers = {"Authorization": f"Bearer c-{story.booking_id}"}
        wish = {"bookingId": story.booking_id, "amount": float(PRICE.to_major()), "currency": PRICE.currency}
        created = self._ask(line, dice, "/payment/create-payment-intent", wish, headers, come_back=0.7)
        if created is None:
            return  # the customer went away; what was commanded stays commanded
        intent_id = created["data"]["paymentIntentId"]
        if dice.random() < 0.2:
            self.fake.pay(intent_id, DECLINED)
        if dice.random() < 0.15:
            story.cancel_asked = True
            self._ask(line, dice, "/cancel", {"booking_id": story.booking_id}, {}, come_back=0.5)
            return
        self.fake.pay(intent_id)
        story.paid = intent_id
        if dice.random() < 0.3:
            self._refund(story, line, dice)

    def _book(self, story: Story) -> bool:
        """Book, as the team's own code does, which waits for its own database."""
        try:
            if self.repository.booking(story.booking_id) is None:
                self.repository.add_booking(Booking(story.booking_id, f"c-{story.booking_id}", PRICE))
        except Exception:
            return False
        return True

    def _refund(self, story: Story, line: "Line", dice: random.Random) -> None:
        asked = {"booking_id": story.booking_id, "request_id": "r-1"}
        story.refund_asked = True
        # Until the webhook or the tick told of the payment there is nothing to refund: staff ask again.
        done = self._ask(line, dice, "/refund", asked, {}, come_back=0.7, again_on=(409,))
        if done is not None:
            story.refund_told = done["data"][0]

    def _ask(
        self, line: "Line", dice: random.Random, path: str, document: object, headers: dict[str, str], *,
        come_back: float, again_on: tuple[int, ...] = (),
    ) -> Any:  # fmt: skip
        """Ask until there is an answer. After an answer that was lost, some do not come back: None."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and not self._closing.is_set():
            answer = line.post(path, json.dumps(document).encode(), headers)
            if answer is None and line.refused:
                time.sleep(dice.uniform(0.1, 0.2))
                continue
            with self._changed:
                self.happenings += 1
                self._changed.notify_all()
            if answer is None:
                self.lost_answers += 1
                if dice.random() > come_back:
                    return None
            elif answer[0] == 200:
                return answer[2]
            elif answer[0] != 503 and answer[0] not in again_on:
                raise AssertionError(f"{path} answered {answer}")
            time.sleep(dice.uniform(0.01, 0.06))
        raise AssertionError(f"{path} of {document} was not answered within {WAIT_S:g} s")


class Line:
    """One connection to the service, made anew whenever it breaks."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection: http.client.HTTPConnection | None = None
        self.refused = False  # nobody was there to take the last question

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str | None, Any] | None:
        """Return status, `Retry-After` and document; None if there was no answer."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            self._connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self.refused = isinstance(error, ConnectionRefusedError)
            return None
        return int(answer.status), answer.getheader("Retry-After"), json.loads(text)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def until(
    what: Callable[[], Any], *, problems: list[str] | None = None, every_s: float = 0.02, limit_s: float = WAIT_S
) -> Any:
    """Wait until it is true, and return it."""
    end = time.monotonic() + limit_s
    while not (found := what()):
        assert not problems, problems
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit_s:g} s")
        time.sleep(every_s)
    return found


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def schema_of(where: str) -> Schema | None:
    dsn, _, name = where.partition("#")
    return Schema(dsn, name) if name else None
