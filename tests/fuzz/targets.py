"""What is fuzzed: each takes any bytes, and may end in a result or in one of its typed errors; in nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote_from_bytes

import stripe
from tests.contract.harness import KINDS, WEBHOOK_SECRET, Shop, open_shop, token

from airport_payments import InvalidRequest, InvalidSignature, Money, StripeSettings, Unauthorized
from airport_payments.contract import (
    Headers,
    bearer_token,
    booking_id_of,
    idempotency_key,
    money_of,
    parse,
    signature,
)
from airport_payments.contract_models import ConfirmPaymentRequest, CreatePaymentIntentRequest
from airport_payments.core.codec import UnreadableLedger, load
from airport_payments.core.commands import CreateIntent
from airport_payments.core.decide.route import SUBJECTS
from airport_payments.core.facts import IntentSeen, Refused, Unanswered
from airport_payments.reconciling import job_of
from airport_payments.stripe_api import wire, wire_money
from airport_payments.stripe_api.bodies import HeldBody
from airport_payments.stripe_api.circuit import Circuit
from airport_payments.stripe_api.client import result_of_answer
from airport_payments.stripe_api.events import Event, construct_event, unwrap
from airport_payments.stripe_api.port import StripePort
from airport_payments.stripe_api.results import ApiResult, from_headers
from airport_payments.stripe_api.signature import sign

SECRET = "whsec_0123456789abcdef"
NOW = 1_790_000_000
SINCE, UNTIL = datetime.fromtimestamp(NOW - 86400, UTC), datetime.fromtimestamp(NOW, UTC)
CREATE = CreateIntent("a1", "b-1", "airport", Money(45099, "usd"), "airport/a1/create/0", UNTIL, UNTIL)
MAX_LOG_LINES = 10_000
CORPUS = Path(__file__).parent / "corpus"


class Wrong(AssertionError):
    """What came out is no error that it may be, or no answer of the contract."""


@dataclass(frozen=True)
class Target:
    """Something that reads what others send.

    Args:
        run: takes an input; what it returns tells one way of ending from another.
        allowed: the errors that it may raise.
        share: how many of each 100,000 inputs it gets.
    """

    run: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]
    share: int


def read_all(event: Event) -> object:
    """Read whatever an event has: what was taken for an event may not fail later."""
    repr((event.created, event.metadata, event.head, event.api_version, event.account, event.context, event))
    known = event.name if event.name in SUBJECTS else ""
    return known, event.thin, type(event.intent), type(event.aftermath), event.intent_id is None


def signed(data: bytes) -> object:
    """A body that Stripe's secret signed, whatever is in it."""
    return read_all(construct_event(data, sign(data, SECRET, timestamp=NOW), SECRET, now=NOW))


BODY = b'{"id":"evt_1","type":"x","created":1,"livemode":false,"data":{"object":{"id":"pi_1","object":"x"}}}'


def header(data: bytes) -> object:
    """A header of any form over a good body. One that is accepted carries the HMAC, made here anew."""
    text = data.decode("utf-8", "surrogateescape")
    construct_event(BODY, text, [SECRET, "whsec_another_one_0"], now=NOW)
    parts = [part.partition("=") for part in text.split(",")]
    (timestamp,) = [value for name, _, value in parts if name == "t"]
    keys = (SECRET.encode(), b"whsec_another_one_0")
    good = {hmac.new(key, timestamp.encode() + b"." + BODY, hashlib.sha256).hexdigest() for key in keys}
    if not good & {value for name, _, value in parts if name == "v1"} or abs(int(timestamp) - NOW) > 300:
        raise Wrong("accepted without a signature")
    return len(parts)


READERS = (
    wire.read_intent, wire.read_anyones_intent, wire.read_object, wire.read_page, wire.read_items, wire_money.read_refund,
    wire_money.read_anyones_refund,    wire_money.read_refund_page, wire_money.read_anyones_dispute, wire_money.read_anyones_charge, wire_money.read_customer, wire_money.read_customers,
)  # fmt: skip


def answer(data: bytes) -> object:
    """An answer of Stripe's, to each of those who read one: nothing at all may be raised."""
    found = []
    for read in READERS:
        result = result_of_answer(read, HeldBody.of(data), {}, 200)
        if not isinstance(result, ApiResult):
            raise Wrong(read.__name__)
        found.append(type(result.found))
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    from_headers(400, {"retry-after": data[:20].decode("latin-1")}, error=document, reason="HTTP 400")
    return tuple(found)


class Peer(stripe.HTTPClient):
    """Answers each call with a status and a body: Stripe, or whatever stands between."""

    name = "peer"

    def __init__(self) -> None:
        super().__init__()
        self.status, self.body, self.headers = 0, b"", dict[str, str]()

    def request(self, *_: object, **__: object) -> tuple[bytes, int, dict[str, str]]:  # type: ignore[override]
        """Answer."""
        return self.body, self.status, self.headers


STATUSES = (400, 401, 402, 403, 404, 409, 424, 429, 500, 502, 503, 302, 200)
PEER = Peer()
PORT = StripePort(StripeSettings("sk_test_0123456789abcdef", SECRET, max_tries=1), transport=PEER)


def refusal(data: bytes) -> object:
    """`STATUS retry-after`, a line's end and a body, through stripe-python: a reply of some kind, and nothing raised."""
    first, _, PEER.body = data.partition(b"\n")
    status, _, advice = first.partition(b" ")
    known = [one for one in STATUSES if str(one).encode() == status]
    PEER.status = known[0] if known else STATUSES[len(data) % len(STATUSES)]
    PEER.headers = {"Retry-After": advice.decode("latin-1"), "Stripe-Should-Retry": "false"}
    PORT._circuit = Circuit()
    reply = PORT.perform(CREATE)
    if not isinstance(reply, IntentSeen | Refused | Unanswered):
        raise Wrong(repr(reply))
    repr(reply)
    return PEER.status, type(reply), reply.kind if isinstance(reply, Refused) else None


def message(data: bytes) -> object:
    """A message of a queue: an event, bare or in an envelope."""
    return read_all(unwrap(data))


def cursor(data: bytes) -> object:
    """A cursor of reconcile; what looks like the document in one is wrapped as one."""
    plain = base64.urlsafe_b64encode(data) if data.startswith(b"[") else data
    given = plain.decode("utf-8", "surrogateescape")
    _, place = job_of(SINCE, UNTIL, given, UNTIL, dry_run=True, rebuild=False, limit=1, progress=None)
    return place.listing, place.after is None


def ledger(data: bytes) -> object:
    """A ledger of the database, damaged or of a newer version."""
    found = load(data.decode("utf-8", "surrogateescape"), 1)
    return found.newer, len(found.payments), len(found.effects)


def request(data: bytes) -> object:
    """The body of a request, and its headers."""
    text = data.decode("latin-1")
    given = Headers([("Authorization", text), ("Idempotency-Key", text), ("Stripe-Signature", text)])
    ways = []
    for read in (
        lambda: bearer_token(given),
        lambda: idempotency_key(given),
        lambda: signature(given),
        lambda: booking_id_of(text),
    ):
        try:
            read()
        except (InvalidRequest, Unauthorized) as error:
            ways.append(str(error)[:40])
    try:
        parse(data, ConfirmPaymentRequest)
    except InvalidRequest as error:
        ways.append(len(error.errors))
    return *ways, money_of(parse(data, CreatePaymentIntentRequest)).currency


FAST = {
    "signed": Target(signed, (InvalidSignature,), 27_000),
    "header": Target(header, (InvalidSignature,), 30_000),
    "answer": Target(answer, (), 9_000),
    "refusal": Target(refusal, (), 2_000),
    "message": Target(message, (InvalidSignature,), 9_000),
    "cursor": Target(cursor, (InvalidRequest,), 8_000),
    "ledger": Target(ledger, (UnreadableLedger,), 7_000),
    "request": Target(request, (InvalidRequest,), 5_000),
}


# ---- the endpoints of the three apps: `METHOD path`, headers, an empty line, the body ----


def _field(raw: bytes) -> bytes:
    """What a server lets through of a header's name or value."""
    return bytes(byte for byte in raw if 0x20 <= byte != 0x7F)


def to_app(shop: Shop) -> Callable[[bytes], object]:
    """Send requests to an app. Where a header says so, it gets a good token or a good signature."""
    good = token().encode()

    def run(data: bytes) -> object:
        head, _, body = data.partition(b"\n\n")
        first, *lines = head.split(b"\n")
        method, _, path = first.partition(b" ")
        method_name = "POST" if method == b"POST" else "GET"
        headers = []
        for line in lines[:40]:
            name, _, value = line.partition(b": ")
            name = bytes(b for b in name if b < 0x80 and (chr(b).isalnum() or b == 0x2D))[:60]
            value = _field(value.replace(b"@token", good))
            if value == b"@signature":
                value = sign(body, WEBHOOK_SECRET, timestamp=_now()).encode()
            if name and name.lower() not in {b"content-length", b"transfer-encoding", b"host"}:
                headers.append((name.decode(), value))
        address = "/" + quote_from_bytes(path.lstrip(b"/")[:4000], safe="/-._~:@")
        reply = shop.app.send(method_name, address, headers, body)
        if len(shop.log.lines) > MAX_LOG_LINES:
            shop.check_secrets()
            shop.log.lines.clear()
        if reply.status >= 500:
            raise Wrong(f"{reply.status} {reply.body[:200]!r}")
        document = reply.json
        if not isinstance(document, dict) or set(document) - {"success", "message", "data"}:
            raise Wrong(f"no envelope: {reply.body[:200]!r}")
        return reply.status, document.get("message"), address.count("/")

    return run


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


@contextmanager
def _stripe_python_is_silent() -> Iterator[None]:
    """It logs what it was answered: pytest would keep all of it, and its workers cannot send each other every text."""
    logger = logging.getLogger("stripe")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def all_targets() -> Iterator[dict[str, Target]]:
    """Every target, with the three apps running."""
    with ExitStack() as open_things:
        open_things.enter_context(_stripe_python_is_silent())
        folder = Path(open_things.enter_context(TemporaryDirectory()))
        targets = dict(FAST)
        for kind in KINDS:
            shop = open_things.enter_context(open_shop(kind, folder))
            shop.opened("b-1")
            targets[kind] = Target(to_app(shop), (), 1_000)
        yield targets


def file_of(name: str) -> Path:
    """Return where the inputs of a target are kept; the apps share theirs."""
    return CORPUS / f"{'app' if name in KINDS else name}.jsonl"


def corpus_of(name: str) -> list[bytes]:
    """The inputs to begin with: each line is one, as a JSON text of which each character is a byte."""
    return [json.loads(line).encode("latin-1") for line in file_of(name).read_text("ascii").splitlines()]


def line_of(data: bytes) -> str:
    """An input as a line of the corpus."""
    return json.dumps(data.decode("latin-1")) + "\n"
