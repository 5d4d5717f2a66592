"""`make mutants SECONDS=600`: break the rules one by one. What was found out is kept in .mutants/, and only the rest is run.

A mutant is run again when its function was changed, `--again` runs those that no test killed, `--fresh` all of them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tests.mutants.make import PACKAGE, ROOT, Mutant, mutants
from tests.mutants.run import KILLED, NOT_REACHED, SURVIVED, TIMED_OUT, run

KEPT = ROOT / ".mutants"
PAGE = ROOT / "docs/explanation/mutation-testing.md"
_ARGUED = re.compile(r"^- (`\S+` `[\w.]+`: `.*` → `.*`(?: \(no\. \d+\))?)$", re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """Some files, and the fast tests that must notice a change in them."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]


# In the order in which they are worked through: a file belongs to the first that names it.
TARGETS = (
    Target("signature", ("stripe_api/signature.py",), ("tests/stripe_api/test_signature.py",)),
    Target("money", ("core/money.py",), ("tests/core/test_money.py",)),
    Target("decide", ("core/decide/*",), ("tests/core",)),
    Target("codec", ("core/codec/*",), ("tests/core", "tests/storage/test_codec.py")),
    Target("core", ("core/*",), ("tests/core", "tests/storage/test_codec.py", "tests/stripe_api/test_talk.py")),
)


def files_of(target: Target) -> list[str]:
    found = {}
    for path in sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")):
        owners = [t for t in TARGETS if any(fnmatch(path, pattern) for pattern in t.files)]
        if owners and owners[0] is target:
            found[path] = None
    return list(found)


def argued() -> Counter[str]:
    """Return the names of the mutants that the docs say no test can tell, each as often as it stands there."""
    return Counter(
        match.replace("` `", " ", 1)[1:].replace("`: `", ": `", 1) for match in _ARGUED.findall(PAGE.read_text())
    )


class Results:
    """What is known of each mutant: a file for each file, so that several runs can go on at once."""

    def __init__(self):
        self.of: dict[str, dict[str, dict[str, str]]] = {}

    def _of_file(self, path: str) -> dict[str, dict[str, str]]:
        if path not in self.of:
            file = _kept(path)
            self.of[path] = json.loads(file.read_text()) if file.exists() else {}
        return self.of[path]

    def known(self, mutant: Mutant) -> str | None:
        entry = self._of_file(mutant.path).get(mutant.name, {})
        return entry["outcome"] if entry.get("before") == mutant.before else None

    def add(self, mutant: Mutant, outcome: str, test: str, seconds: float) -> None:
        entry = {"outcome": outcome, "by": test, "before": mutant.before, "seconds": f"{seconds:.2f}"}
        self._of_file(mutant.path)[mutant.name] = entry
        print({KILLED: ".", TIMED_OUT: "t", SURVIVED: "S"}.get(outcome, "?"), end="", file=sys.stderr, flush=True)

    def keep(self) -> None:
        KEPT.mkdir(exist_ok=True)
        for path, found in self.of.items():
            _kept(path).write_text(json.dumps(found, indent=0, ensure_ascii=False))


def _kept(path: str) -> Path:
    return KEPT / (path.replace("/", ".") + ".json")


def table(made: list[Mutant], results: Results, arguments: Counter[str], *, names: bool) -> None:
    """Print a line for each file, and the names of what is left."""
    print("| file | made | killed | argued | left | not run |\n|---|---|---|---|---|---|")
    rest = []
    total: Counter[str] = Counter()
    for path in dict.fromkeys(mutant.path for mutant in made):
        counts: Counter[str] = Counter()
        for mutant in made:
            if mutant.path != path:
                continue
            outcome = results.known(mutant)
            if outcome in {KILLED, TIMED_OUT}:
                counts["killed"] += 1
            elif outcome is None:
                counts["not run"] += 1
            elif mutant.name in arguments:
                counts["argued"] += 1
            else:
                counts["left"] += 1
                rest.append((mutant, outcome))
            counts["made"] += 1
        total += counts
        print(_line(f"`{path}`", counts))
    print(_line("all", total))
    if names:
        for mutant, outcome in rest:
            print(f"{outcome} {mutant.lines[0]}: {mutant.name}")


def _line(name: str, counts: Counter[str]) -> str:
    return (
        f"| {name} | "
        + " | ".join(str(counts[what]) for what in ("made", "killed", "argued", "left", "not run"))
        + " |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", help="files within the package, or of: " + ", ".join(t.name for t in TARGETS)
    )
    parser.add_argument("--seconds", type=float, default=600, help="stop after this time; go on when started again")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slowest", type=float, default=60.0, metavar="S", help="leave out tests that take longer")
    parser.add_argument("--again", action="store_true", help="run those that no test killed again")
    parser.add_argument("--fresh", action="store_true", help="run all of them again")
    parser.add_argument("--report", action="store_true", help="only print what is known so far")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    results, arguments = Results(), argued()
    everything: list[Mutant] = []
    for target in TARGETS:
        paths = [p for p in files_of(target) if not options.targets or {p, target.name} & set(options.targets)]
        made = [mutant for path in paths for mutant in mutants(path)]
        everything += made
        again = {SURVIVED, NOT_REACHED} if options.again else set()
        todo = [m for m in made if options.fresh or results.known(m) in {None, *again}]
        if options.report or not todo or time.monotonic() > end:
            continue
        began = time.monotonic()
        try:
            run(
                todo,
                list(target.tests),
                workers=options.workers,
                end=end,
                slowest_s=options.slowest,
                report=results.add,
            )
        finally:
            results.keep()
            print(file=sys.stderr)
        print(f"\n{target.name}: {time.monotonic() - began:.0f} s")
    table(everything, results, arguments, names=True)
    for name in arguments:
        found = [mutant for mutant in everything if mutant.name == name]
        if found and results.known(found[0]) in {KILLED, TIMED_OUT}:
            print(f"argued, but killed: {name}")


if __name__ == "__main__":
    main()
