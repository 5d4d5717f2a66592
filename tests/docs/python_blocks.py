"""Runs the Python blocks of one Markdown file, in order, in one namespace, against a fake Stripe.

What a reader has when they copy the blocks, the blocks have here: the variables that the library reads, an empty folder
to work in, and a Stripe at api.stripe.com, which is a `FakeStripe`. Nothing else is put into their namespace, unless a
directive asks for it.

Directives, each an HTML comment directly before the block:

    <!-- test: app NAME METHOD PATH [as CUSTOMER] [JSON] STATUS -->   send a request to the app that the block makes
    <!-- test: raises NAME -->                                        the block has to raise this
    <!-- test: prints 'TEXT' -->                                      what the block prints has to contain this
    <!-- test: with fake -->          puts the FakeStripe of this file into the namespace, as `fake`
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from airport_payments.testing import FakeStripe

from .markdown import Block

VARIABLES = {
    "STRIPE_SECRET_KEY": "sk_test_fake",
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef0123456789abcdef",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_fake",
    "DATABASE_URL": "sqlite:///airport.db",
    "JWT_SECRET": "0123456789abcdef0123456789abcdef",
}
BLOCK_LIMIT_S = 60  # a block that takes longer hangs
TESTS_LIMIT_S = 300  # and so do tests; one page runs the whole conformance suite
DIRECTIVES = {"app", "raises", "prints", "with"}


def token_for(customer: str) -> str:
    """A token such as the airport's login would give out."""
    return jwt.encode({"sub": customer, "exp": int(time.time()) + 3600}, VARIABLES["JWT_SECRET"], algorithm="HS256")


class PythonBlocks:
    """One file's namespace."""

    def __init__(self, name: str, fake: FakeStripe) -> None:
        self.module = types.ModuleType(name)
        self.fake = fake
        self.sources: list[str] = []
        self.runner = asyncio.Runner()
        self.databases: list[sqlite3.Connection] = []
        event.listen(Pool, "connect", self._opens)

    def _opens(self, connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            self.databases.append(connection)

    def run(self, block: Block) -> None:
        """Run a block, and do what its directives say."""
        unknown = {words[0] for words in block.directives} - DIRECTIVES
        assert not unknown, f"{block.where}: unknown directive {unknown}"
        if block.directive("with"):
            assert block.directive("with") == [("fake",)], f"{block.where}: there is only `with fake`"
            self.module.fake = self.fake
        tree = ast.parse(block.text)
        if _tests_in(tree):
            self._run_pytest(block)
            return
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), _limited(block):
            self._execute(block)
        for (text,) in block.directive("prints"):
            assert text in printed.getvalue(), f"{block.where} printed {printed.getvalue()!r}, without {text!r}"
        self.sources.append(block.text)
        requests = block.directive("app")
        missing = _apps_in(tree) - {words[0] for words in requests}
        assert not missing, f"{block.where}: no request is made to {missing}; add a directive `test: app …`"
        for words in requests:
            self._request(block, words)

    def run_session(self, block: Block) -> None:
        """Run a block of `>>>` lines as a doctest, in the same namespace."""
        test = doctest.DocTestParser().get_doctest(block.text, vars(self.module), block.where, block.where, block.line)
        out = io.StringIO()
        with _limited(block):
            result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=out.write, clear_globs=False)
        assert result.attempted, f"{block.where} has no >>> line"
        assert not result.failed, out.getvalue()
        vars(self.module).update(test.globs)

    def close(self) -> None:
        """Close the databases that the blocks leave open, as the end of a reader's program would."""
        event.remove(Pool, "connect", self._opens)
        for connection in self.databases:
            connection.close()
        self.runner.close()

    def _execute(self, block: Block) -> None:
        # Padded, so that a traceback names the line in the Markdown file.
        code = compile(
            "\n" * (block.line - 1) + block.text, str(block.path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        raises = block.directive("raises")
        with pytest.raises(Exception) if raises else contextlib.nullcontext() as caught:
            result = eval(code, vars(self.module))
            if inspect.iscoroutine(result):
                self.runner.run(result)
        if raises:
            names = [base.__name__ for base in type(caught.value).__mro__]
            assert raises[0][0] in names, f"{block.where} raised {caught.value!r}"

    def _run_pytest(self, block: Block) -> None:
        """Tests in the docs are run by pytest, after the blocks that stand before them."""
        path = Path.cwd() / "test_in_docs.py"
        path.write_text("\n".join([*self.sources, block.text]))
        # A run of its own: not a worker of this one, with no settings of this repository and few plugins.
        mine = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        mine["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        options = ["-q", "-p", "no:cacheprovider", "-p", "anyio.pytest_plugin", "-c", os.devnull, "--rootdir=."]
        command = [sys.executable, "-m", "pytest", *options, path.name]
        done = subprocess.run(command, env=mine, capture_output=True, text=True, timeout=TESTS_LIMIT_S, check=False)
        assert done.returncode == 0, f"{block.where}\n{done.stdout}{done.stderr}"
        assert re.search(r"\d+ passed", done.stdout), f"{block.where} ran no test"

    def _request(self, block: Block, words: tuple[str, ...]) -> None:
        name, method, path, *rest, status = words
        headers = {}
        if rest[:1] == ["as"]:
            headers["Authorization"] = f"Bearer {token_for(rest[1])}"
            rest = rest[2:]
        body = json.loads(rest[0]) if rest else None
        app = vars(self.module)[name]
        if hasattr(app, "test_client"):
            answer = app.test_client().open(path, method=method, headers=headers, json=body)
            answered, text = answer.status_code, answer.get_data(as_text=True)
        else:
            answered, text = self.runner.run(_ask_asgi(app, method, path, headers, body))
        assert answered == int(status), f"{block.where}: {method} {path} answered {answered}, not {status}: {text}"


@contextlib.contextmanager
def stripe_is(fake: FakeStripe) -> Iterator[None]:
    """Let every httpx client that no test gave a transport find the fake at Stripe's address."""
    sync, other = fake.transport(), fake.async_transport()
    patch = pytest.MonkeyPatch()
    handle, handle_async = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    def request(self, sent):
        return sync.handle_request(sent) if sent.url.host == "api.stripe.com" else handle(self, sent)

    async def request_async(self, sent):
        here = sent.url.host == "api.stripe.com"
        return await (other.handle_async_request(sent) if here else handle_async(self, sent))

    patch.setattr(httpx.HTTPTransport, "handle_request", request)
    patch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", request_async)
    try:
        yield
    finally:
        patch.undo()


async def _ask_asgi(app, method, path, headers, body) -> tuple[int, str]:
    """Start an app as a server would, send it one request, and stop it."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        answer = await client.request(method, path, headers=headers, json=body)
        return answer.status_code, answer.text


def _apps_in(tree: ast.Module) -> set[str]:
    """The names that a block gives to apps: `name = FastAPI(…)`, `name = Flask(…)`."""
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _name_of(node.value.func) in _APPS
        for target in node.targets
        if isinstance(target, ast.Name)
    }


_APPS = {"FastAPI", "Flask", "Starlette"}


def _tests_in(tree: ast.Module) -> bool:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(
        (isinstance(node, functions) and node.name.startswith("test"))
        or (isinstance(node, ast.ClassDef) and node.name.startswith("Test"))
        for node in tree.body
    )


def _name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@contextlib.contextmanager
def _limited(block: Block) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(*_):
        pytest.fail(f"{block.where} took longer than {BLOCK_LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(BLOCK_LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
