"""The frameworks behind one interface: a request in raw headers and bytes in, the whole answer out."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import httpx
import werkzeug.test
from starlette.requests import ClientDisconnect

# Kept, because a shop replaces it for what reaches Stripe.
_RealAsyncClient = httpx.AsyncClient

Headers = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True)
class Reply:
    """What an app answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The one value of a header, None without it."""
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None


class InFastApi:
    """The FastAPI example behind httpx's ASGI transport, its lifespan included, in one event loop."""

    def __init__(self, module) -> None:
        self.module = module
        self._runner = asyncio.Runner()
        self._lifespan = module.app.router.lifespan_context(module.app)
        self.run(self._lifespan.__aenter__())
        transport = httpx.ASGITransport(module.app, raise_app_exceptions=False)
        self._client = _RealAsyncClient(transport=transport, base_url="http://shop.test")

    def run(self, value):
        """Wait for what the async example hands out."""
        return self._runner.run(value) if inspect.iscoroutine(value) else value

    def send(self, method: str, path: str, headers: Headers, body: bytes | Iterable[bytes]) -> Reply:
        content = body if isinstance(body, bytes) else _pieces(body)
        given = [(name.encode(), _raw(value)) for name, value in headers]
        answer = self.run(self._client.request(method, path, headers=given, content=content))
        return Reply(answer.status_code, answer.headers.multi_items(), answer.content)

    def close(self) -> None:
        self.run(self._client.aclose())
        self.run(self._lifespan.__aexit__(None, None, None))
        self._runner.close()


class InFlask:
    """An example of WSGI behind werkzeug's client."""

    def __init__(self, module, at_exit: list) -> None:
        self.module = module
        self._at_exit = at_exit
        self._client = werkzeug.test.Client(module.app)

    def run(self, value):
        return value

    def send(self, method: str, path: str, headers: Headers, body: bytes | Iterable[bytes]) -> Reply:
        given = [(name, _raw(value).decode("latin-1")) for name, value in headers]
        if isinstance(body, bytes):
            how = {"data": body}
        else:
            # As gunicorn hands over a body of unknown length.
            length = next((value for name, value in given if name.lower() == "content-length"), "")
            stream = {"wsgi.input": _Stream(iter(body)), "CONTENT_LENGTH": length}
            stream["wsgi.input_terminated"] = not isinstance(body, Broken)
            how = {"environ_overrides": stream}
        answer = self._client.open(path, method=method, headers=given, **how)
        reply = Reply(answer.status_code, list(answer.headers.items()), answer.get_data())
        answer.close()
        return reply

    def close(self) -> None:
        for end in self._at_exit:
            end()


class Broken:
    """A body whose client goes away after these bytes."""

    def __init__(self, sent: bytes) -> None:
        self.sent = sent

    def __iter__(self) -> Iterator[bytes]:
        yield self.sent


async def _pieces(body: Iterable[bytes]):
    for piece in body:
        yield piece
    if isinstance(body, Broken):
        raise ClientDisconnect  # as `Request.stream` does


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


class _Stream:
    """`wsgi.input` over pieces: a read gives what has come so far, at most so many bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def readline(self, size: int = -1) -> bytes:
        raise AssertionError("nobody reads a body by lines")
