"""What is drawn for one run before it begins: who takes part, which faults are on, and how often they strike."""

import random
from dataclasses import dataclass, field
from typing import Any, Final

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

# Where each fault strikes. One fate is drawn at each call to the database or to Stripe, and one for each event.
SITES: Final[dict[str, tuple[str, ...]]] = {
    "read": (
        "crash_before_read", "crash_after_read", "read_fails", "stall", "team_mid_call", "pay_mid_call",
        "money_mid_call",
    ),
    "save": (
        "crash_before_save", "crash_after_save", "save_conflict", "save_fails", "commit_unknown", "stall",
        "team_mid_call", "pay_mid_call", "money_mid_call",
    ),
    "post": (
        "crash_before_call", "crash_after_call", "timeout_before", "timeout_after", "cut_before", "cut_after",
        "error_500_before", "error_500_after", "error_500_late", "error_503", "rate_limited", "in_flight", "late",
        "bad_key", "refused", "stall", "team_mid_call", "pay_mid_call", "money_mid_call",
    ),
    "get": (
        "crash_before_call", "crash_after_call", "timeout_before", "cut_before", "error_503", "rate_limited", "bad_key",
        "stall", "team_mid_call", "pay_mid_call", "money_mid_call",
    ),
    "event": (
        "event_never_made", "event_dropped", "event_duplicated", "event_twin", "event_delayed", "event_held_back",
        "event_of_another_account", "event_of_the_other_mode", "event_of_another_version",
    ),
    "answer": ("answer_lost",),
    "handler": ("handler_raises", "crash_in_handler"),
}  # fmt: skip
# Faults that are not drawn at a call, but planned: windows of time, deeds of people, properties of a process.
PLANNED: Final = (
    "clock_skew", "database_down", "stripe_down", "workers_asleep", "price_there_and_back", "forged", "amount_edited",
    "dashboard_cancel", "counter_confirms", "dashboard_refund", "dashboard_capture", "disputed", "refund_waits",
    "refund_fails_late", "ghost_paid", "secret_rolled",
)  # fmt: skip
_DRAWN: Final = tuple(dict.fromkeys([name for names in SITES.values() for name in names] + list(PLANNED)))
# What comes of the others by itself, and is counted: Stripe forgot the key of a command that was still without an answer.
_COUNTED: Final = ("key_forgotten",)
FAULTS: Final = (*_DRAWN, *_COUNTED)
# What a run may have besides, drawn from a stream of its own: no fault, but another way for things to go.
WAYS: Final = {
    "through_endpoints": 0.5,
    "connected_account": 0.15,
    "thin_events": 0.15,
    "backup_restored": 0.1,
    "saved_card": 0.15,
    "organisation": 0.5,  # of those of a connected account: it is named by `stripe_context`
    "forgetting": 0.15,
    "support": 0.2,
    "by_queue": 0.12,
    "mailer_broken": 0.08,
    "late_payer": 0.06,
    "hold_moved": 0.05,
}
# Those that came last have streams of their own: all the other runs stay as they were.
_ADDED: Final = frozenset({"late_payer", "hold_moved"})
# Those that are counted when they happen; the others are so all through the run.
HAPPENING: Final = _ADDED | {"backup_restored", "saved_card", "forgetting", "support", "mailer_broken"}
# The account that the settings name where they name one, and the way to it from the key's owner down.
ACCOUNT: Final = "acct_simulated0000"
CONTEXT: Final = f"acct_platform000000/{ACCOUNT}"
VARIANTS: Final = ("all_events", "guide_events", "no_events", "two_shops")


@dataclass(frozen=True)
class Filter:
    """What of a run to leave out, to make it shorter: people, whole faults, single strikes, what comes after a step."""

    people: frozenset[str] = frozenset()
    faults: frozenset[str] = frozenset()
    strikes: frozenset[tuple[str, int]] = frozenset()


@dataclass
class Person:
    """Someone who does something: a customer, the team, a forger. `seed` decides what."""

    name: str
    kind: str
    at: int
    shop: int
    booking: str


@dataclass
class Plan:
    seed: int
    real: bool
    colour: str = "async"
    variant: str = "all_events"
    span: int = HOUR
    processes: int = 2
    poll: int = SECOND
    prices: dict[str, int] = field(default_factory=dict)
    holds: dict[str, int] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)
    windows: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    skews: list[int] = field(default_factory=list)
    policy: dict[str, Any] = field(default_factory=dict)
    ways: list[str] = field(default_factory=list)
    broken: tuple[int, int] = (0, 0)  # from when to when one of the subscribers takes nothing, faults or not
    filter: Filter = Filter()

    @property
    def shops(self) -> int:
        return 2 if self.variant == "two_shops" else 1

    @property
    def account(self) -> str | None:
        """The account that the settings name."""
        return ACCOUNT if "connected_account" in self.ways else None

    @property
    def context(self) -> str | None:
        """The same as a path, where the settings have `stripe_context` rather than `stripe_account`."""
        return CONTEXT if self.account and "organisation" in self.ways else None

    @property
    def on(self) -> list[str]:
        """The faults that are on, in the order of the table."""
        return [name for name in FAULTS if name in self.rates]


def draw_plan(seed: int, *, real: bool = False, without: Filter = Filter()) -> Plan:
    """Return the plan of a seed. Leaving something out changes nothing in the rest of it."""
    rng = random.Random(f"{seed}:plan:{real}")
    plan = Plan(seed, real, filter=without)
    plan.colour = "sync" if rng.random() < 0.12 else "async"
    plan.variant = rng.choices(VARIANTS, (55, 15, 15, 15))[0]
    plan.span = rng.choices((20 * SECOND, 10 * MINUTE, 3 * HOUR, 30 * HOUR, 4 * DAY), (25, 20, 20, 20, 15))[0]
    plan.processes = rng.choices((1, 2, 3), (20, 60, 20))[0]
    plan.poll = rng.choices((SECOND, 30 * SECOND, 10 * MINUTE, 5 * HOUR), (50, 25, 15, 10))[0]
    amount = rng.choice((50, 24900, 45099, 9999999))
    for number in range(1, rng.choices((1, 2), (75, 25))[0] + 1):
        plan.prices[f"B{number}"] = amount + number
        if rng.random() < 0.15:
            plan.holds[f"B{number}"] = rng.randint(0, plan.span)
    manual = rng.random() < 0.3
    plan.policy = {
        "surplus": rng.choice(("review", "refund")),
        "refund_cancels_booking": rng.random() < 0.7,
        "manual_capture": manual,
        "confirm_at_authorization": manual and rng.random() < 0.5,
    }
    _draw_faults(plan, rng)
    _draw_people(plan, rng)
    for name in ("database_down", "stripe_down", "workers_asleep"):
        if name in plan.rates:
            begin = rng.randint(0, plan.span)
            length = rng.choice((2 * SECOND, MINUTE, HOUR, 26 * HOUR))
            plan.windows[name] = [(begin, begin + length)]
    for _ in range(plan.shops * plan.processes):
        skew = rng.randint(-2 * MINUTE, 2 * MINUTE)
        plan.skews.append(skew if "clock_skew" in plan.rates else 0)
    _draw_ways(plan, random.Random(f"{seed}:ways:{real}"))
    _draw_late(plan, random.Random(f"{seed}:late:{real}"))
    _draw_holder(plan, random.Random(f"{seed}:hold:{real}"))
    plan.people = [p for p in plan.people if p.name not in without.people]
    return plan


def _draw_ways(plan: Plan, rng: random.Random) -> None:
    drawn = [name for name, share in WAYS.items() if name not in _ADDED and rng.random() < share]
    plan.ways = [name for name in drawn if name not in plan.filter.faults]
    if "connected_account" not in plan.ways:
        plan.ways = [name for name in plan.ways if name != "organisation"]
    people: dict[str, list[Person]] = {"saved_card": [], "forgetting": [], "support": []}
    # Who takes no part is drawn as well, or those after them would be others.
    if "saved_card" in drawn:
        for number in range(rng.randint(1, 2)):
            shop, booking = rng.randrange(plan.shops), rng.choice(sorted(plan.prices))
            people["saved_card"].append(Person(f"saver{number + 1}", "saver", rng.randint(0, plan.span), shop, booking))
    # Some come after the faults have stopped: what was under way then is settled, and late events still come.
    if "forgetting" in drawn:
        for number in range(rng.randint(1, 2)):
            at, shop = rng.randint(0, plan.span + 2 * DAY), rng.randrange(plan.shops)
            people["forgetting"].append(Person(f"keeper{number + 1}", "keeper", at, shop, ""))
    if "support" in drawn:
        for number in range(rng.randint(1, 2)):
            at, shop = rng.randint(0, plan.span + 2 * DAY), rng.randrange(plan.shops)
            booking = rng.choice(sorted(plan.prices))
            people["support"].append(Person(f"support{number + 1}", "support", at, shop, booking))
    plan.people += [person for way in plan.ways for person in people.get(way, ())]
    if "mailer_broken" in plan.ways:
        begin = rng.randint(0, plan.span)
        plan.broken = (begin, begin + rng.choice((HOUR, 30 * HOUR, 60 * HOUR)))


def _draw_late(plan: Plan, rng: random.Random) -> None:
    if rng.random() >= WAYS["late_payer"]:
        return
    # Others would often have paid or cancelled it before: in half of the runs nobody else knows this booking.
    booking = rng.choice(("BLATE", rng.choice(sorted(plan.prices))))
    plan.prices.setdefault(booking, rng.choice((60, 24990)))
    at, shop = rng.randint(0, plan.span), rng.randrange(plan.shops)
    if "late_payer" not in plan.filter.faults:
        plan.ways.append("late_payer")
        plan.people.append(Person("late_payer1", "late_payer", at, shop, booking))


def _draw_holder(plan: Plan, rng: random.Random) -> None:
    if rng.random() >= WAYS["hold_moved"]:
        return
    booking = rng.choice(sorted(plan.prices))
    over = plan.holds.get(booking, rng.randint(0, plan.span))
    at = over + rng.choice((-1, 1)) * int(SECOND * (HOUR / SECOND) ** rng.random())
    shop = rng.randrange(plan.shops)
    if "hold_moved" not in plan.filter.faults:
        plan.ways.append("hold_moved")
        plan.holds[booking] = over
        plan.people.append(Person("holder1", "holder", max(0, at), shop, booking))


def _draw_faults(plan: Plan, rng: random.Random) -> None:
    share = rng.choice((0.0, 0.1, 0.25, 0.25, 0.5))
    for name in _DRAWN:
        # What a refund comes to is no fault of ours or of the network: where there are faults, it is often so.
        often = 0.5 if share and name in {"refund_waits", "refund_fails_late"} else share
        wanted, rate = rng.random() < often, 0.01 * 30 ** rng.random()
        if wanted and name not in plan.filter.faults:
            plan.rates[name] = min(rate, 0.3)


def _draw_people(plan: Plan, rng: random.Random) -> None:
    # Things happen at a few moments, not evenly: that is where races are.
    moments = [rng.randint(0, plan.span) for _ in range(rng.randint(1, 3))]
    bookings = sorted(plan.prices)

    def add(name: str, kind: str, *, exactly: int | None = None) -> None:
        at = rng.choice(moments) + rng.choice((0, rng.randint(0, 300), rng.randint(0, 5 * SECOND)))
        if kind != "customer" and rng.random() < 0.4:
            at = rng.randint(0, plan.span)
        person = Person(name, kind, at if exactly is None else exactly, rng.randrange(plan.shops), rng.choice(bookings))
        plan.people.append(person)

    for number in range(rng.randint(1, 4)):
        add(f"customer{number + 1}", "customer")
        if rng.random() < 0.5:  # the same customer in another tab, at the same moment
            twin = plan.people[-1]
            plan.people.append(Person(f"customer{number + 1}b", "customer", twin.at, twin.shop, twin.booking))
    if rng.random() < 0.4:
        add("stranger", "stranger")
    if rng.random() < 0.2:
        add("tamperer", "tamperer")
    if rng.random() < 0.05:
        add("card_tester", "card_tester", exactly=max(0, min(moments) - 3 * MINUTE))
    for number in range(rng.choices((0, 1, 2, 3), (35, 30, 20, 15))[0]):
        add(f"team{number + 1}", rng.choice(("cancels", "reprices", "reopens")))
    for kind, share in (
        ("reconciler", 0.35),
        ("refunder", 0.7),
        ("canceller", 0.25),
        ("resolver", 0.4),
        ("capturer", 0.85),
    ):
        if rng.random() < share and (kind != "capturer" or plan.policy["manual_capture"]):
            add(kind, kind)
            if rng.random() < 0.4:  # two operators at once
                twin = plan.people[-1]
                plan.people.append(Person(f"{kind}b", kind, twin.at, twin.shop, twin.booking))
    for name, kind in (
        ("price_there_and_back", "there_and_back"), ("forged", "forger"), ("amount_edited", "editor"),
        ("dashboard_cancel", "dashboard"), ("counter_confirms", "counter"), ("dashboard_refund", "cashier"),
        ("dashboard_capture", "collector"), ("disputed", "bank"), ("ghost_paid", "ghost"),
    ):  # fmt: skip
        if name in plan.rates:
            add(kind, kind)
