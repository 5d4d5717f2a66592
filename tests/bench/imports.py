"""Import times in fresh processes, against `import stripe`."""

import os
import statistics
import subprocess
import sys

from tests.bench.measure import Figure

# Timed inside the process: the interpreter's own start is the same for all and says nothing.
PROGRAM = "import time; t = time.perf_counter(); {0}; print(time.perf_counter() - t)"
CASES = {
    "import airport_payments": 0.2,
    "from airport_payments import PaymentGateway, construct_event": 0.9,
}


# What pip installs is compiled, as stripe here is: ours has to be, too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _seconds(statement: str) -> float:
    command = [sys.executable, "-c", PROGRAM.format(statement)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=ENVIRONMENT)
    return float(run.stdout)


def figures(number: int = 15) -> list[Figure]:
    """Return the figures of importing."""
    times: dict[str, list[float]] = {"import stripe": [], **{case: [] for case in CASES}}
    for case in CASES:
        _seconds(case)  # compiles it
    for _ in range(number):
        for statement, seen in times.items():
            seen.append(_seconds(statement))
    base = times["import stripe"]
    found = []
    for case, aim in CASES.items():
        ratio = statistics.median(mine / theirs for mine, theirs in zip(times[case], base, strict=True))
        mine, theirs = statistics.median(times[case]) * 1e3, statistics.median(base) * 1e3
        detail = f"{mine:.1f} ms against {theirs:.0f} ms"
        found.append(Figure(f"`{case}`", "`import stripe`", ratio, f"≤ {aim}", ratio <= aim, detail))
    return found
