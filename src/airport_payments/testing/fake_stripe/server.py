"""The fake on a socket: for other processes, other languages and browsers."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from airport_payments.testing.fake_stripe.api import FakeResponse
from airport_payments.testing.fake_stripe.constants import MAX_BODY_BYTES, PAGE_PATH, STRIPE_PAGES
from airport_payments.testing.fake_stripe.faults import FakeConnectionLostError, FakeReadTimeoutError
from airport_payments.testing.fake_stripe.transports import pause

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from airport_payments.testing.fake_stripe.api import Api
    from airport_payments.testing.fake_stripe.fake import FakeStripe
    from airport_payments.testing.fake_stripe.sender import AutomaticDeliveries

_IDLE_CONNECTION_SECONDS = 30.0
_STOP_SECONDS = 10.0
_SILENCE_SECONDS = 60.0  # how long a "read time-out" holds the connection
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key, stripe-version, stripe-account",
    "Access-Control-Expose-Headers": "request-id, idempotent-replayed, stripe-should-retry",
    "Access-Control-Max-Age": "300",
}


class FakeServer:
    """The fake's HTTP server. Leaving the `with` block stops it and closes every connection.

    Attributes:
        url: Where it listens, without a slash at the end.
    """

    def __init__(
        self, fake: FakeStripe, api: Api, host: str, port: int, deliveries: AutomaticDeliveries | None
    ) -> None:
        self.url = ""
        self._fake = fake
        self._api = api
        self._address = (host, port)
        self._deliveries = deliveries
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen. `with` does it by itself."""
        server = _Server(self._address, _Handler)
        server.fake, server.api = self._fake, self._api
        host = self._address[0]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{server.server_address[1]}"
        self._api.page_url = self.url  # customers authenticate here
        if self._deliveries is not None:
            self._deliveries.start()
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="fake-stripe", daemon=True
        )
        self._thread.start()
        self._server = server

    def stop(self) -> None:
        """Stop listening, and wait until every connection is closed. `with` does it by itself."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        if self._deliveries is not None:
            self._deliveries.stop()
        self._api.page_url = STRIPE_PAGES
        server.stopping.set()
        server.shutdown()
        self._thread.join(_STOP_SECONDS)
        server.hang_up()
        server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    fake: FakeStripe
    api: Api
    daemon_threads = False  # so that closing waits for them
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open, and with them their threads."""
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing when a client goes away; errors of the fake itself become 500 in the handler."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - the stub is wider
    protocol_version = "HTTP/1.1"
    server_version = "FakeStripe"
    sys_version = ""
    timeout: ClassVar[float | None] = _IDLE_CONNECTION_SECONDS
    # Header and body in one packet; otherwise each answer waits 40 ms for an acknowledgement.
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        """Answer."""
        self._respond()

    do_POST = do_DELETE = do_PUT = do_PATCH = do_GET  # noqa: N815

    def do_OPTIONS(self) -> None:
        """Allow browsers to ask, whatever headers they want to send."""
        wanted = self.headers.get("Access-Control-Request-Headers")
        self._send(FakeResponse(204, {"Access-Control-Allow-Headers": wanted} if wanted else {}, b""))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def _respond(self) -> None:
        body = self._body()
        if body is None:
            return
        try:
            if self.path.startswith("/_fake/"):
                answer = pages(self.server.fake, self.path, body)
            else:
                exchange = self.server.api.open(self.command, self.path, dict(self.headers.items()), body)
                pause(exchange)
                answer = self.server.api.close(exchange)
        except FakeConnectionLostError:
            self._hang_up()
        except FakeReadTimeoutError:
            self.server.stopping.wait(_SILENCE_SECONDS)
            self._hang_up()
        except Exception as error:  # noqa: BLE001 - a mistake of the fake must be seen by who asks
            message = {"error": {"type": "api_error", "message": f"The fake failed: {error!r}"}}
            self._send(FakeResponse(500, {"Content-Type": "application/json"}, json.dumps(message).encode()))
        else:
            self._send(answer)

    def _body(self) -> bytes | None:
        text = self.headers.get("Content-Length", "0")
        length = int(text) if text.isascii() and text.isdecimal() else -1
        if not 0 <= length <= MAX_BODY_BYTES or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(
                FakeResponse(
                    413,
                    {"Content-Type": "application/json"},
                    b'{"error":{"type":"invalid_request_error","message":"Request too large."}}',
                )
            )
            return None
        return self.rfile.read(length)

    def _send(self, answer: FakeResponse) -> None:
        # Not send_response: that adds this machine's time, where the fake has its own.
        self.send_response_only(answer.status)
        for name, value in {**_CORS, **answer.headers}.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def pages(fake: FakeStripe, path: str, body: bytes) -> FakeResponse:
    """Play the bank's 3DS page: `/_fake/3ds?payment_intent=…&client_secret=…[&succeed=true|false]`.

    Without `succeed` it shows two buttons. A browser stand-in of Stripe.js posts `succeed` and reads JSON.
    """
    parts = urlsplit(path)
    given = {name: values[-1] for name, values in parse_qs(f"{parts.query}&{body.decode('utf-8', 'replace')}").items()}
    intent = fake.intents.get(given.get("payment_intent", ""))
    if parts.path != PAGE_PATH or intent is None or intent["client_secret"] != given.get("client_secret"):
        return FakeResponse(404, {"Content-Type": "text/plain"}, b"Not found")
    if "succeed" not in given:
        return FakeResponse(200, {"Content-Type": "text/html; charset=utf-8"}, _page(given).encode())
    if intent["status"] == "requires_action":
        intent = fake.authenticate(given["payment_intent"], succeed=given["succeed"] == "true")
    if given.get("return_url", "").startswith(("http://", "https://")):
        query = {
            "payment_intent": given["payment_intent"],
            "payment_intent_client_secret": given["client_secret"],
            "redirect_status": "failed" if intent["last_payment_error"] else "succeeded",
        }
        joint = "&" if "?" in given["return_url"] else "?"
        return FakeResponse(303, {"Location": f"{given['return_url']}{joint}{urlencode(query)}"}, b"")
    shown = {"id": intent["id"], "status": intent["status"]}
    return FakeResponse(200, {"Content-Type": "application/json"}, json.dumps(shown).encode())


def _page(given: dict[str, str]) -> str:
    links = "".join(
        f'<p><a id="{name}" href="{PAGE_PATH}?{urlencode({**given, "succeed": value})}">{text}</a></p>'.replace(
            "&", "&amp;"
        )
        for name, value, text in (
            ("test-source-authorize-3ds", "true", "Complete authentication"),
            ("test-source-fail-3ds", "false", "Fail authentication"),
        )
    )
    return f"<!doctype html><meta charset=utf-8><title>3D Secure 2 test page</title><h1>3D Secure 2</h1>{links}"
