"""The checkers find what is wrong: what they pass means something."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import shell_blocks
from .markdown import Block, Document, slug_of
from .test_code_blocks import CHECKS, run_python, run_shell
from .test_prose import _leads_somewhere


def _document(text: str) -> Document:
    return Document(Path("page.md"), text)


def _python(text: str, *directives: tuple[str, ...]) -> Block:
    return Block(Path("page.md"), 1, "python", text, directives)


def _shell(text: str, *directives: tuple[str, ...]) -> Block:
    return Block(Path("page.md"), 1, "bash", text, directives)


def test_blocks_are_found_with_their_directives_and_lines():
    (block,) = _document("a\n\n<!-- test: app app GET / 200 -->\n```python\nx = 1\n```\n").blocks
    assert (block.language, block.line, block.text) == ("python", 5, "x = 1\n")
    assert block.directives == (("app", "app", "GET", "/", "200"),)


@pytest.mark.parametrize(
    "text", ["```python\nx", "<!-- test: raises X -->\ntext\n```python\n```\n", "<!-- test: x -->\n"]
)
def test_a_block_without_end_and_a_directive_without_block_are_refused(text):
    with pytest.raises(ValueError, match=r"page\.md"):
        _ = _document(text).blocks


@pytest.mark.parametrize(
    ("heading", "slug"),
    [("What `make test` does", "what-make-test-does"), ("1. Rules, first!", "1-rules-first"), ("A_b *c*", "a_b-c")],
)
def test_anchors_are_those_of_the_hosts(heading, slug):
    assert slug_of(heading) == slug


def test_links_to_nowhere_are_found():
    page = Document(
        Path(__file__).parents[2] / "CHANGELOG.md", "# A\n[a][b] [c](#a) [d](#e) [f](nowhere.md) [g](LICENSE)\n"
    )
    broken = [target for _, target in page.links if not _leads_somewhere(page, target)]
    assert sorted(broken) == ["#e", "[b]", "nowhere.md"]


@pytest.mark.parametrize(
    "command",
    [
        "make nothing",
        "pip install 'airport-payments[nothing]'",
        "pip install something-else",
        "export NOBODY_READS_THIS=1",
        "uvicorn examples.fastapi_app.app:nothing",
        "uvicorn examples.fastapi_app.app:app --no-such-option",
        "python -m no.such.module",
        "pytest tests/nowhere/",
        "stripe trigger no.such.event",
        "stripe listen --forward-to localhost:8000/elsewhere",
        "rm -rf everything",
        "curl http://localhost:8000/",
        "# nothing but a comment",
    ],
)
def test_shell_commands_that_name_nothing_are_found(command):
    with pytest.raises(shell_blocks.Unchecked):
        shell_blocks.check(_shell(command))


@pytest.mark.parametrize(
    "command",
    [
        "make test && make check  # both",
        "pip install 'airport-payments[sqlalchemy,fastapi]'",
        "export STRIPE_SECRET_KEY=sk_test_…\nexport STRIPE_WEBHOOK_SECRET=whsec_…",
        "STRIPE_API_BASE=http://localhost:1 uvicorn examples.fastapi_app.app:app \\\n  --port 8000",
        "$ stripe listen --events payment_intent.succeeded --forward-to localhost:8000/payment/webhook",
    ],
)
def test_shell_commands_that_exist_pass(command):
    assert shell_blocks.check(_shell(command)) is None


def test_python_blocks_share_a_namespace_and_may_await(tmp_path, monkeypatch):
    blocks = [_python("import asyncio\nx = 1\n"), _python("await asyncio.sleep(0)\nassert x == 1\n")]
    assert run_python("page", blocks, tmp_path, monkeypatch) == 2


def test_python_blocks_find_a_fake_stripe_at_its_address(tmp_path, monkeypatch):
    code = (
        "import httpx\nheaders = {'Authorization': 'Bearer sk_test_fake'}\n"
        "intent = httpx.post('https://api.stripe.com/v1/payment_intents', headers=headers,\n"
        "                    data={'amount': 45099, 'currency': 'usd'}).json()\n"
        "assert intent['id'] in fake.intents\n"
    )
    assert run_python("page", [_python(code, ("with", "fake"))], tmp_path, monkeypatch) == 1


def test_a_python_block_that_fails_is_found(tmp_path, monkeypatch):
    with pytest.raises(NameError):
        run_python("page", [_python("nothing_of_that_name\n")], tmp_path, monkeypatch)


def test_raises_and_prints_are_held_to(tmp_path, monkeypatch):
    good = [
        _python("1 / 0\n", ("raises", "ZeroDivisionError")),
        _python("print('confirmed')\n", ("prints", "confirmed")),
    ]
    assert run_python("page", good, tmp_path, monkeypatch) == 2
    for bad in (_python("1 / 0\n", ("raises", "KeyError")), _python("print(1)\n", ("prints", "confirmed"))):
        with pytest.raises(AssertionError):
            run_python("page", [bad], tmp_path, monkeypatch)


FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/x')\ndef x() -> int: return 1\n"
FLASK = "from flask import Flask\napp = Flask('x')\n@app.post('/x')\ndef x(): return {'a': 1}\n"


@pytest.mark.parametrize(
    ("code", "request_line"),
    [(FASTAPI, ("app", "GET", "/x", "200")), (FLASK, ("app", "POST", "/x", '{"a": 1}', "200"))],
)
def test_an_app_gets_its_request(code, request_line, tmp_path, monkeypatch):
    assert run_python("page", [_python(code, ("app", *request_line))], tmp_path, monkeypatch) == 1
    with pytest.raises(AssertionError, match="no request is made"):
        run_python("page", [_python(code)], tmp_path, monkeypatch)
    with pytest.raises(AssertionError, match="answered"):
        run_python("page", [_python(code, ("app", *request_line[:-1], "418"))], tmp_path, monkeypatch)


def test_tests_in_the_docs_are_run(tmp_path, monkeypatch):
    before, good = _python("x = 1\n"), _python("def test_x():\n    assert x == 1\n")
    assert run_python("page", [before, good], tmp_path, monkeypatch) == 2
    with pytest.raises(AssertionError, match="1 failed"):
        run_python("page", [before, _python("def test_x():\n    assert x == 2\n")], tmp_path, monkeypatch)


def test_sessions_are_doctests(tmp_path, monkeypatch):
    good, bad = (Block(Path("page.md"), 1, "pycon", f">>> x = 1\n>>> x\n{n}\n", ()) for n in (1, 2))
    assert run_python("page", [good], tmp_path, monkeypatch) == 1
    with pytest.raises(AssertionError):
        run_python("page", [bad], tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("json", "{"),
        ("toml", "a ="),
        ("text", "\n"),
        ("mermaid", ""),
        ("mermaid", "flowchart LR\n"),
        ("javascript", "const = 1"),
    ],
)
def test_other_blocks_that_cannot_be_read_are_found(language, text):
    with pytest.raises((AssertionError, ValueError)):
        CHECKS[language](Block(Path("page.md"), 1, language, text, ()))


@pytest.mark.parametrize(
    ("language", "text"),
    [("javascript", "const a = await b()\n"), ("console", "$ make test\n12 passed\n"), ("json", "{}")],
)
def test_other_blocks_that_can_be_read_pass(language, text):
    assert CHECKS[language](Block(Path("page.md"), 1, language, text, ())) is None


@pytest.mark.e2e
def test_shell_blocks_are_run_with_a_server(processes, tmp_path):
    good = 'curl -s http://localhost:8000/payment/status/BK-0 -H "Authorization: Bearer $TOKEN"\n'
    assert run_shell(_shell(good, ("run", "fastapi", "booking_not_found")), processes, tmp_path) is None
    with pytest.raises(AssertionError, match="does not print"):
        run_shell(_shell("echo a", ("run", "none", "b")), processes, tmp_path / "..")


@pytest.mark.e2e
@pytest.mark.parametrize("server", ["flask", "demo"])
def test_each_server_of_a_directive_starts(server, processes, tmp_path):
    asks = _shell("curl -s -i localhost:8000/health\n", ("run", server, "200"))
    assert run_shell(asks, processes, tmp_path) is None
