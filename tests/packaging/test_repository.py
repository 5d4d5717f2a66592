"""What every file of the repository keeps to."""

from __future__ import annotations

import ast
import re
import subprocess

from .repository import ROOT, Function, functions_in, python_files, shown, tracked_files, tree_of

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# Split, so that this file passes its own test.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted",
    "registry.npm" + "js",
    "registry." + "yarn",
    "deb." + "debian",
    "crates" + ".io",
]
MACHINE_PATH = re.compile(rb"(?<![\w.:*-])/(?:" + b"|".join([b"ro" + b"ot", b"wo" + b"rk", b"ho" + b"me"]) + rb")/\w")
UNFINISHED = re.compile(rb"\b(?:TO" + rb"DO|FIX" + rb"ME|X" + rb"XX)\b")


def _files_with(pattern: re.Pattern[bytes]) -> list[str]:
    found = []
    for path in tracked_files():
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if pattern.search(line):
                found.append(f"{shown(path)}:{number}")
    return found


def test_no_file_names_a_registry():
    """Which one a machine installs from is its own setting; a lock file must not carry another's."""
    assert _files_with(re.compile("|".join(map(re.escape, REGISTRIES)).encode())) == []


def test_no_file_names_a_path_of_one_machine():
    assert _files_with(MACHINE_PATH) == []


def test_nothing_is_left_for_later():
    # A picture may spell any word by chance.
    assert [place for place in _files_with(UNFINISHED) if ".png:" not in place] == []


def test_text_files_end_their_lines_as_unix_does():
    text = [path for path in tracked_files() if b"\0" not in path.read_bytes()]
    assert [shown(path) for path in text if b"\r\n" in path.read_bytes()] == []


def test_nothing_that_is_ignored_is_in_git():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert listed.stdout == ""


def test_source_files_fit_in_a_head():
    lines = {shown(path): len(path.read_text("utf-8").splitlines()) for path in python_files("src")}
    assert {name: count for name, count in lines.items() if count > MAX_FILE_LINES} == {}


def test_functions_fit_on_a_screen():
    files = [*python_files("src"), *python_files("examples")]
    lengths = {f"{shown(path, f)} {f.name}": f.end_lineno - f.lineno + 1 for path in files for f in functions_in(path)}
    assert {name: count for name, count in lengths.items() if count > MAX_FUNCTION_LINES} == {}


def test_what_is_public_says_what_it_does():
    files = [path for path in [*python_files("src"), *python_files("examples")] if path.parent.name != "migrations"]
    silent = [
        f"{shown(path, node)} {node.name}"
        for path in files
        for node in _public(tree_of(path).body)
        if not ast.get_docstring(node)
    ]
    silent += [shown(path) for path in files if path.name != "__init__.py" and not ast.get_docstring(tree_of(path))]
    assert silent == []


def _public(body: list[ast.stmt]):
    """Public functions and classes, and the public methods of public classes."""
    for node in body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        if {"overload", "override", "setter"} & {_last_name(decorator) for decorator in node.decorator_list}:
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from _public(node.body)


def _last_name(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def test_every_test_asserts_something():
    files = python_files("tests")
    asserting = _asserting_helpers([f for path in files for f in functions_in(path)])
    idle = [
        f"{shown(path, function)} {function.name}"
        for path in files
        if path.name.startswith("test_")
        for function in functions_in(path)
        if function.name.startswith("test_") and not _asserts(function, asserting)
    ]
    assert idle == []


_ASSERTING_CALLS = {"raises", "fail", "warns", "expect", "run_state_machine_as_test"}


def _asserting_helpers(functions: list[Function]) -> set[str]:
    """Names of functions in tests that assert, themselves or through another one."""
    names = set(_ASSERTING_CALLS)
    while True:
        more = {f.name for f in functions if f.name not in names and _asserts(f, names)}
        if not more:
            return names
        names |= more


def _asserts(function: Function, helpers: set[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call) and (name := _last_name(node)) and (name in helpers or name.startswith("assert")):
            return True
    return False
