"""The mutants of a file: what mutmut would change in it, each as the one function that it changes."""

from __future__ import annotations
import __future__

import ast
import difflib
import hashlib
import importlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import indent
from types import FunctionType

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor, OuterFunctionProvider, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/airport_payments"
_FLAGS = __future__.annotations.compiler_flag


@dataclass(frozen=True)
class Mutant:
    """One change of one function."""

    path: str  # within the package
    function: str  # "name" or "Class.name"
    old: str  # the lines that change, without what is around them
    new: str
    lines: tuple[int, int]  # a test that runs none of these cannot notice
    source: str  # the whole function, changed
    before: str  # a hash of the function as it is
    number: int = 1  # of several with the same words

    @property
    def name(self) -> str:
        again = "" if self.number == 1 else f" (no. {self.number})"
        return f"{self.path} {self.function}: `{self.old}` → `{self.new}`{again}"

    def place(self) -> None:
        """Let the function be the changed one: in this process, wherever it was imported."""
        function, changed = _function(self.path, self.function), _build(self.path, self.function, self.source)
        function.__code__ = changed.__code__
        function.__defaults__, function.__kwdefaults__ = changed.__defaults__, changed.__kwdefaults__


def _module(path: str) -> object:
    parts = [part for part in Path(path).with_suffix("").parts if part != "__init__"]
    return importlib.import_module(".".join(("airport_payments", *parts)))


def _find(names, function: str) -> FunctionType:
    *classes, name = function.split(".")
    for part in classes:
        names = vars(names[part])
    found = names[name]
    found = getattr(found, "fget", getattr(found, "__func__", found))
    assert isinstance(found, FunctionType), function
    return found


def _function(path: str, function: str) -> FunctionType:
    return _find(vars(_module(path)), function)


def _build(path: str, function: str, source: str) -> FunctionType:
    """Make a function, or a method that may name its class."""
    *classes, _ = function.split(".")
    if classes:
        source = f"class {classes[0]}:\n" + indent(source, "    ", lambda line: True)
    names = dict(vars(_module(path)))
    exec(compile(source, "<mutant>", "exec", _FLAGS, dont_inherit=True), names)
    return _find(names, function)


def _same(one: object, other: object) -> bool:
    """Compare two codes by what they do, not by where they stand."""
    if not isinstance(one, type(_same.__code__)) or not isinstance(other, type(_same.__code__)):
        return type(one) is type(other) and one == other
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and len(one.co_consts) == len(other.co_consts)
        and all(_same(*pair) for pair in zip(one.co_consts, other.co_consts, strict=True))
    )


class _Visitor(MutationVisitor):
    """mutmut's own, which leaves out all that is decorated; here properties are changed too."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef) and len(node.decorators) == 1:
            decorator = node.decorators[0].decorator
            if isinstance(decorator, cst.Name) and decorator.value == "property":
                return False
        return super()._skip_node_and_children(node)


class _WithoutCasts(ast.NodeTransformer):
    """Leaves out what `cast` says to type checkers: at run time it is nothing."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        named = isinstance(node.func, ast.Name) and node.func.id == "cast"
        return node.args[1] if named and len(node.args) == 2 else node


def _plain(source: str) -> str:
    return ast.dump(_WithoutCasts().visit(ast.parse(source)))


def _covering(node: cst.CSTNode, positions, parents) -> tuple[int, int]:
    """Return the lines of the statement that a node is in."""
    statement = node
    while not isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement):
        statement = parents[statement]
    where = positions[statement]
    return where.start.line, where.end.line


def _owner(function: cst.FunctionDef, parents) -> str:
    above = parents[function]
    while not isinstance(above, cst.Module | cst.ClassDef):
        above = parents[above]
    return f"{above.name.value}.{function.name.value}" if isinstance(above, cst.ClassDef) else function.name.value


def mutants(path: str) -> list[Mutant]:
    """Return the mutants of a file, in its order, but those that are the same when they run."""
    text = (PACKAGE / path).read_text()
    wrapper = MetadataWrapper(cst.parse_module(text))
    visitor = _Visitor(mutation_operators, get_ignored_lines(path, text, wrapper))
    wrapper.visit(visitor)
    positions, parents = wrapper.resolve(PositionProvider), wrapper.resolve(ParentNodeProvider)
    wrapper.resolve(OuterFunctionProvider)
    made: list[Mutant] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for mutation in visitor.mutations:
        function = mutation.contained_by_top_level_function
        if not isinstance(function, cst.FunctionDef):
            continue
        name = _owner(function, parents)
        before = cst.Module([]).code_for_node(function.with_changes(leading_lines=[]))
        changed = deep_replace(function, mutation.original_node, mutation.mutated_node)
        after = cst.Module([]).code_for_node(changed.with_changes(leading_lines=[]))
        old, new = _difference(before, after)
        lines = _covering(mutation.original_node, positions, parents)
        mark = hashlib.sha256(before.encode()).hexdigest()[:16]
        mutant = Mutant(path, name, old, new, lines, after, mark)
        if _plain(before) == _plain(after):
            continue
        if _same(_build(path, name, before).__code__, _build(path, name, after).__code__):
            defaults = [(f.__defaults__, f.__kwdefaults__) for f in (_build(path, name, s) for s in (before, after))]
            if defaults[0] == defaults[1]:
                continue
        seen[name, old, new] += 1
        made.append(replace(mutant, number=seen[name, old, new]))
    return made


def _difference(before: str, after: str) -> tuple[str, str]:
    lines = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[:2] in {"- ", "+ "}]
    old, new = (" ".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return old, new
