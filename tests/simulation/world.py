"""One run: a plan, a clock, Stripe, the shops and the people; faults first, then none."""

import logging
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.simulation import office, operators, people
from tests.simulation.backup import Backup
from tests.simulation.books import Books, Intent, Told
from tests.simulation.delivery import Deliveries
from tests.simulation.fates import Fates
from tests.simulation.money import Refund
from tests.simulation.oracle import Oracle
from tests.simulation.oracle_answers import CANARY
from tests.simulation.plan import DAY, HAPPENING, HOUR, SECOND, Filter, Person, Plan, draw_plan
from tests.simulation.sched import Killed, Scheduler, Task, Violation
from tests.simulation.shop import HandlerError, Process, Shop
from tests.simulation.wrapped import ModelPort, SyncModelPort

from airport_payments.core.errors import PaymentsError
from airport_payments.core.model import Booking, Change, IntentStatus
from airport_payments.core.refund import RefundState

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
# A run that needs more is cut off and drained; a drain that needs more does not end. Where all clocks are slow, workers come
# some twenty times in vain before each thing that is due: a refund that is looked for all day then takes 13,000, and a mail
# server that takes nothing for days 36,000.
MAX_STEPS = 3_000
MAX_DRAIN_STEPS = 60_000


class ModelStripe:
    """The small Stripe, as the world uses it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.books = Books(
            world.stripe_changed, lambda: int(world.start_s + world.sched.now / 1000), world.first_refund_status
        )
        self.intents = self.books.intents
        self.get = self.books.get

    def port(self, process: Process) -> Any:
        return SyncModelPort(process) if self.world.plan.colour == "sync" else ModelPort(process)

    def saved(self, card: str) -> tuple[str, str]:
        """Return a customer of the shop and a card of theirs: good, asks or bad."""
        return "cus_saved", f"pm_saved_{card}"

    def keys_repeat(self) -> None:
        """A database was put back."""
        self.books.keys_repeat = True

    def deed(self, who: str, object_id: str, deed: str, amount: int = 0) -> bool:
        self.world.trace(who, "%s %s%s", deed.replace("_", " "), object_id, f" ({amount})" if amount else "")
        return self.books.deed(object_id, deed, amount)


@dataclass
class Result:
    """What came of a run."""

    plan: Plan
    steps: int
    events: int
    intents: int
    confirmed: int
    counts: dict[str, int]
    struck: list[tuple[str, int, str]]
    violation: Violation | None = None
    lines: list[tuple[int, str, str, tuple[Any, ...], bool]] = field(default_factory=list)

    def trace(self, *, loud_only: bool = False) -> str:
        """The run as text; the loud lines are the story."""
        return "\n".join(
            f"{_clock(at)}  {who:<22} {text % args if args else text}"
            for at, who, text, args, loud in self.lines
            if loud or not loud_only
        )


def _clock(at_ms: int) -> str:
    seconds, ms = divmod(at_ms, 1000)
    days, seconds = divmod(seconds, 86400)
    return f"{days}d {seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}.{ms:03}"


class World:
    def __init__(self, plan: Plan, *, keep_trace: bool = True) -> None:
        self.plan = plan
        self.seed_text = f"{plan.seed}{'r' if plan.real else ''}"
        self.random = random.Random(f"{self.seed_text}:world")
        self.start = START
        self.start_s = START.timestamp()
        self.sched = Scheduler()
        self.fates = Fates(plan, self.sched)
        self.lines: list[Any] = []
        self._keep = keep_trace
        self.draining = False
        self.oracle = Oracle(self)
        self.deliveries = Deliveries(self)
        self.ids = 0
        self._planned: set[str] = set()
        self.stripe: Any = self._stripe()
        self.shops = [Shop(self, number) for number in range(plan.shops)]
        self.backups = [Backup(self, shop) for shop in self.shops if "backup_restored" in plan.ways and plan.shops == 1]

    def _stripe(self) -> Any:
        if self.plan.real:
            from tests.simulation.real import RealStripe

            return RealStripe(self)
        return ModelStripe(self)

    def trace(self, who: str, text: str, *args: Any, loud: bool = True) -> None:
        if self._keep:
            # What is said here may change later: an object is told as it is now.
            told = tuple(a if isinstance(a, str | int) else str(a) for a in args)
            self.lines.append((self.sched.now, who, text, told, loud))

    def new_id(self) -> str:
        self.ids += 1
        return f"attempt{self.ids}"

    def spawn(self, name: str, coroutine: Any) -> None:
        """Let something happen besides."""
        self.sched.start(Task(name, coroutine, self.seed_text))

    def elapsed(self) -> timedelta:
        return timedelta(milliseconds=self.sched.now)

    def ms(self, moment: datetime) -> int:
        return int((moment - self.start) / timedelta(milliseconds=1))

    # ---- what the others report ----

    def saved(self, shop: Shop, row: Booking, change: Change, document: str) -> None:
        task = self.sched.current
        writer = task.name if task else "nobody"
        for line in change.history:
            self.trace(
                writer, "commits %s: %s", change.booking_id, f"{line.fact}: {line.decision} {line.intent_id or ''}"
            )
        if not change.history:
            self.trace(writer, "commits %s version %s", change.booking_id, change.ledger.version, loud=False)
        self.oracle.saved(shop, row, change, document, writer)
        shop.notify()

    def stripe_changed(self, intent: Intent, events: tuple[Told, ...]) -> None:
        if self._keep:
            money = "".join(f"; {m.id}: {m.amount} {m.status}" for m in (*intent.money.refunds, *intent.money.disputes))
            self.trace("Stripe", "%s of %s (attempt %s) is %s, %s%s", intent.id, intent.booking, intent.attempt,
                       intent.status, intent.amount, money)  # fmt: skip
        self.oracle.stripe_changed(intent)
        self._plan(intent)
        for event_type, obj in events:
            self.deliveries.publish(event_type, obj, intent)

    # ---- what becomes of money ----

    def draw_for(self, what: str) -> float:
        """Return a number from 0 to 1 that hangs on the seed and this name alone."""
        return zlib.crc32(f"{self.seed_text}:{what}".encode()) / 2**32

    def first_refund_status(self, refund_id: str) -> RefundState:
        draw = self.draw_for(refund_id)
        if "refund_waits" not in self.plan.rates or draw > 0.5:
            return RefundState.SUCCEEDED
        self.fates.note("refund_waits")
        return RefundState.PENDING if draw > 0.1 else RefundState.REQUIRES_ACTION

    def _plan(self, intent: Intent) -> None:
        """Plan what comes of a new refund and of an authorisation."""
        for refund in intent.money.refunds:
            if refund.id not in self._planned:
                self._planned.add(refund.id)
                self._plan_refund(refund)
        if intent.status is IntentStatus.REQUIRES_CAPTURE and intent.id not in self._planned:
            self._planned.add(intent.id)
            self.sched.at(self.sched.now + 7 * DAY, lambda: self.stripe.deed("bank", intent.id, "expire"))

    def _plan_refund(self, refund: Refund) -> None:
        draw, when = self.draw_for(f"{refund.id}end"), self.draw_for(f"{refund.id}when")
        deed = "settle_refund"
        if refund.status is RefundState.SUCCEEDED:
            if "refund_fails_late" not in self.plan.rates or draw > 0.7:
                return
            deed = "fail_refund"
            self.fates.note("refund_fails_late")
        elif draw < 0.3:
            deed = "cancel_refund" if refund.status is RefundState.REQUIRES_ACTION else "fail_refund"
        # Often so soon that it races with the answer; else within two days.
        longest = 30 * SECOND if self.draw_for(f"{refund.id}soon") < 0.5 else 2 * DAY
        delay = int(SECOND * (longest / SECOND) ** when)
        self.sched.at(self.sched.now + delay, lambda: self.stripe.deed("bank", refund.id, deed))

    def crash(self, process: Process, when: str) -> None:
        """A process dies in the middle of its current task; another is started after a while."""
        current = self.sched.current
        self.trace(process.name, "dies %s, in the middle of %s", when, current.name if current else "nothing")
        process.alive = False
        for task in list(process.tasks.values()):
            self.sched.kill(task)
        self.sched.at(self.sched.now + 1 + int(self.random.random() * 5 * SECOND), lambda: self._boot(process))
        raise Killed

    def _boot(self, process: Process) -> None:
        process.boot()
        self.trace(process.name, "is back")
        process.shop.notify()

    def meddle(self, fate: str, shop: Shop, booking_id: str) -> None:
        people.meddle(self, fate, shop, booking_id)

    # ---- a run ----

    def run(self) -> Result:
        violation = None
        leak = _Leaks(self)
        logger = logging.getLogger("airport_payments")
        level, propagate = logger.level, logger.propagate
        logger.addHandler(leak)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        try:
            self._people()
            self._faults_on()
            self._faults_off()
            self.oracle.end()
            self._reconcile()
            self.oracle.end()
            self._attend()
        except Violation as found:
            violation = found
            self.trace("THE JUDGE", "%s", str(found))
        except Exception as error:
            violation = Violation("untyped", f"{type(error).__name__}: {error}")
            violation.__cause__ = error
            self.trace("THE JUDGE", "%s", str(violation))
        finally:
            logger.removeHandler(leak)
            logger.setLevel(level)
            logger.propagate = propagate
            self._close()
        return Result(
            self.plan, self.sched.steps, self.deliveries.events, len(self.stripe.intents()),
            len(self.oracle.confirmed_by), dict(self.fates.counts), self.fates.struck, violation, self.lines,
        )  # fmt: skip

    def _people(self) -> None:
        for person in self.plan.people:
            kind = operators.Operator if person.kind in operators.KINDS else people.Human
            kind = office.Clerk if person.kind in office.KINDS else kind
            self.sched.start(Task(person.name, kind(self, person).live(), self.seed_text), person.at)
        if "secret_rolled" in self.plan.rates:
            for shop in self.shops:
                shop.plan_rolling()
        if "clock_skew" in self.plan.rates:
            self.fates.note("clock_skew")
        for way in self.plan.ways:
            if way not in HAPPENING:
                self.fates.note(way)

    def _faults_on(self) -> None:
        until = self.plan.span + DAY
        sched = self.sched
        while (at := sched.next_at()) is not None and at <= until and sched.steps < MAX_STEPS:
            sched.step()

    def _faults_off(self) -> None:
        self.draining = True
        self.fates.on = False
        self.trace("THE WORLD", "the faults stop")
        for backup in self.backups:
            backup.restore()
        for intent in self.stripe.intents():
            self.stripe.deed("bank", intent.id, "settle")
        for shop in self.shops:
            shop._vain = 0
            shop._tick_at = None
            shop.notify()
        self.sched.at(self.sched.now + HOUR, self.oracle.soon)
        self._drain()

    def _reconcile(self) -> None:
        """Let every shop compare its tables with Stripe's books; what only that finds is found now, and then no more."""
        for shop in self.shops:
            self.spawn(f"{shop.namespace}-auditor", self._audit(shop))
        self._drain()
        self.oracle.reconciled = True
        for shop in self.shops:
            self.spawn(f"{shop.namespace}-second-auditor", self._audit(shop, again=True))
        self._drain()

    def _attend(self) -> None:
        """Let somebody in each shop see to what waits: whatever could not be delivered is delivered again."""
        delay = max(0, self.plan.broken[1] - self.sched.now)
        for shop in self.shops:
            clerk = office.Clerk(self, Person(f"{shop.namespace}-office", "support", 0, shop.number, ""))
            self.sched.start(Task(clerk.name, self._see_to_it(clerk), self.seed_text), delay)
        self._drain()
        self.oracle.delivered()

    async def _see_to_it(self, clerk: office.Clerk) -> None:
        self.oracle.check(await clerk.attend(), "L4", "nobody tells what waits for a person")

    async def _audit(self, shop: Shop, *, again: bool = False) -> None:
        asked = 0

        async def ask(what: str, call: Any) -> tuple[str, Any]:
            nonlocal asked
            asked += 1
            name = f"{shop.namespace}-audit{again}{asked}"
            answer = await shop.request(name, call)
            self.trace(shop.namespace, "%s: %s", what, answer[0])
            return answer

        left = await shop.reconcile(ask, dry_run=again)
        self.oracle.check(not (again and left), "L6", f"{shop.namespace} and Stripe differ: {left}")

    def _drain(self) -> None:
        sched = self.sched
        until = sched.steps + MAX_DRAIN_STEPS
        while sched.next_at() is not None:
            sched.step()
            self.oracle.check(sched.steps < until, "L4", "the world does not come to rest")

    def _close(self) -> None:
        """Let no coroutine complain that it was never finished."""
        for _, _, what, token in self.sched._heap:
            if token >= 0 and not what.done:
                what.coro.close()
        for shop in self.shops:
            for process in (*shop.processes, *shop.helpers):
                for task in process.tasks.values():
                    task.coro.close()


class _Leaks(logging.Handler):
    """S12: no line of the log holds a canary."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if record.exc_info:
            line += logging.Formatter().formatException(record.exc_info)
        if CANARY in line:
            raise Violation("S12", f"the log shows a secret: {line}")
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Exception) and not isinstance(error, PaymentsError | HandlerError):
            raise Violation("untyped", f"{line}") from error


def simulate(seed: int, *, real: bool = False, without: Filter = Filter(), keep_trace: bool = True) -> Result:
    """Run one seed to its end."""
    return World(draw_plan(seed, real=real, without=without), keep_trace=keep_trace).run()


Simulate = Callable[..., Result]
