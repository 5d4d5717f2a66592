"""Mutation testing: change one thing in a rule, and see a test fail. `make mutants SECONDS=600`.

Works in .mutants/, a copy, with mutmut. It stops after the given time, and goes on from there when it is started again;
a file that was changed meanwhile begins anew. What a survivor may be is argued in docs/explanation/mutation-testing.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRATCH = ROOT / ".mutants"
PACKAGE = "src/airport_payments"
NEEDED_BY_TESTS = ("tests/conftest.py", "tests/support.py", "tests/core", "tests/stripe_api")
# These read the source, in which mutmut writes all mutants side by side.
READ_THE_SOURCE = ("tests/stripe_api/test_signature.py::test_only_compare_digest_compares_signatures_and_only_bytes",)
STOPPING_SECONDS = 30  # between asking mutmut to stop and ending it
# What mutmut writes for a mutant: the exit code of its tests (mutmut.utils); None until they ran.
KILLED, SURVIVED, TIMED_OUT, UNTESTED = (1, 3), (0,), (36, 24, 152, 255, -24), (5, 33)


@dataclass(frozen=True)
class Target:
    """Some files, and the fast tests that must notice a change in them."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]


# In the order in which they are worked through.
TARGETS = (
    Target("signature", ("stripe_api/signature.py",), ("tests/stripe_api/test_signature.py",)),
    Target("money", ("core/money.py",), ("tests/core/test_money.py",)),
    Target("decide", ("core/decide/*",), ("tests/core",)),
    Target("core", ("core/*",), ("tests/core",)),
)


def prepare(target):
    """Make the copy that mutmut works in, or bring it up to date; what it found out so far stays."""
    home = SCRATCH / target.name
    for name in (PACKAGE, *NEEDED_BY_TESTS):
        source, copy = ROOT / name, home / name
        if source.is_dir():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    pytest_options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    options = {
        "source_paths": ["src"],
        "only_mutate": [f"{PACKAGE}/{name}" for name in target.files],
        "pytest_add_cli_args_test_selection": list(target.tests),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", *(f"--deselect={name}" for name in READ_THE_SOURCE)],
    }
    lines = ["[tool.mutmut]", *(f"{name} = {json.dumps(value)}" for name, value in options.items())]
    lines += ["[tool.pytest.ini_options]", *(f"{name} = {json.dumps(value)}" for name, value in pytest_options.items())]
    (home / "pyproject.toml").write_text("\n".join(lines) + "\n")
    return home


def run(target, seconds):
    """Let mutmut work for a time, on one core; return whether it came to its end."""
    home = prepare(target)
    command = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", "1"]
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "ci", "CI": ""}
    with (home / "mutmut.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(STOPPING_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            return False
    if process.returncode:
        print(f"mutmut ended with {process.returncode}; see {home / 'mutmut.log'}", file=sys.stderr)
    return True


def results(target):
    """Return the outcome of each mutant so far."""
    found = {}
    for path in sorted((SCRATCH / target.name / "mutants").rglob("*.meta")):
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            outcomes = {"killed": KILLED, "survived": SURVIVED, "timed out": TIMED_OUT, "not covered": UNTESTED}
            fitting = [outcome for outcome, codes in outcomes.items() if code in codes]
            found[name] = "not run" if code is None else (fitting or [f"exit code {code}"])[0]
    return found


def report(target):
    """Print the counts of a target, and the names of its survivors."""
    outcomes = results(target)
    counts = Counter(outcomes.values())
    print(f"{target.name}: {len(outcomes)} mutants", *(f"{n} {what}" for what, n in sorted(counts.items())), sep=", ")
    for name, outcome in outcomes.items():
        if outcome not in {"killed", "timed out", "not run"}:
            print(f"  {name} {outcome}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="of: " + ", ".join(target.name for target in TARGETS))
    parser.add_argument("--seconds", type=float, default=600, help="stop after this time; go on when started again")
    parser.add_argument("--report", action="store_true", help="only print what is known so far")
    options = parser.parse_args()
    chosen = [target for target in TARGETS if not options.targets or target.name in options.targets]
    end = time.monotonic() + options.seconds
    for target in chosen:
        left = end - time.monotonic()
        if not options.report and left > 0:
            run(target, left)
        report(target)


if __name__ == "__main__":
    main()
