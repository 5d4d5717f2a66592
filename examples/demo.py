"""The FastAPI example with a web page to try it. NOT part of the library.

It hands a token to anyone who asks, which no real airport does. `airport-payments demo` starts it with a fake Stripe;
with the settings of the FastAPI example `uvicorn examples.demo:app` works too.
"""

import ipaddress
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jwt
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse

from airport_payments.contract import Response as Answer
from airport_payments.contract import answer

from .fastapi_app.app import app

__all__ = ["app"]

WEB: Final = Path(__file__).parent / "web"
# Said here, because what a system guesses of a name differs, and no browser runs a module that is called plain text.
MEDIA_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SESSION_SECONDS: Final = 12 * 3600
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9A-Fa-f:.]{2,45}", re.ASCII)
_STRIPE: Final = {
    "script-src": "https://js.stripe.com https://*.js.stripe.com",
    "frame-src": "https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com",
    "connect-src": "https://api.stripe.com",
    "img-src": "https://*.stripe.com",
}


def fake_stripe(host: str | None) -> str | None:
    """Return where a browser that came to `host` reaches the fake Stripe; None when Stripe itself is used."""
    base = os.environ.get("STRIPE_API_BASE", "").rstrip("/")
    if not base:
        return None
    name, port = urlsplit(base).hostname, urlsplit(base).port
    # A phone that came over the network has another loopback than we have.
    if host and _HOST.fullmatch(host) and _is_loopback(name) and not _is_loopback(host):
        name = host
    shown = f"[{name}]" if name and ":" in name else name
    return f"http://{shown}:{port}" if port else base


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def content_security_policy(fake: str | None) -> str:
    """Return the page's policy: its own files, and either the fake or Stripe. Nothing inline, nothing else."""
    extra = {"connect-src": fake} if fake else _STRIPE
    own = {"script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:", "connect-src": "'self'"}
    sources = {name: f"{own.get(name, '')} {extra.get(name, '')}".strip() for name in {**own, **extra}}
    rules = ["default-src 'none'", *(f"{name} {value}" for name, value in sources.items())]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"])


def serve_file(file: Path) -> Callable[[Request], Awaitable[Response]]:
    """Return the view of one of the page's files, with the headers that keep a page safe."""

    async def serve(request: Request) -> Response:
        headers = {
            "content-security-policy": content_security_policy(fake_stripe(request.url.hostname)),
            "x-content-type-options": "nosniff",
            "referrer-policy": "strict-origin-when-cross-origin",
            "cache-control": "no-cache",
        }
        return FileResponse(file, media_type=MEDIA_TYPES[file.suffix], headers=headers)

    return serve


def add_demo(to: FastAPI) -> None:
    """Add the page and its two routes."""

    @to.post("/demo/session", tags=["demo"], response_model=None)
    async def session() -> Response:
        """Give a token for a new, random customer."""
        claims = {"sub": f"customer-{secrets.token_hex(8)}", "exp": int(time.time()) + SESSION_SECONDS}
        token = jwt.encode(claims, os.environ["JWT_SECRET"], "HS256")  # pyright: ignore[reportUnknownMemberType]
        return _sent(answer(200, {"success": True, "data": {"token": token}}))

    @to.get("/demo/config", tags=["demo"], response_model=None)
    async def config(request: Request) -> Response:
        """Say whether Stripe is a fake, and where."""
        fake = fake_stripe(request.url.hostname)
        return _sent(answer(200, {"success": True, "data": {"isFake": fake is not None, "stripeApi": fake}}))

    to.add_route("/", serve_file(WEB / "index.html"), include_in_schema=False)
    for file in WEB.iterdir():
        if file.suffix in MEDIA_TYPES:
            to.add_route(f"/{file.name}", serve_file(file), include_in_schema=False)


def _sent(result: Answer) -> Response:
    return Response(result.body, result.status, dict(result.headers))


add_demo(app)
