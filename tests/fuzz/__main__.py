"""Fuzz what reads others' input: `python -m tests.fuzz --seconds 60`, or `--inputs 10000000`."""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time

from .run import Fuzz
from .targets import all_targets, file_of, line_of

SHARES = 100_000  # what the targets' shares add up to


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for how long, if no number of inputs is given")
    parser.add_argument("--inputs", type=int, help="how many inputs in all, shared out over the targets")
    parser.add_argument("--seed", type=int, help="draw the same inputs again")
    parser.add_argument("--target", help="only this one")
    parser.add_argument("--keep", action="store_true", help="add what ended in a new way to the corpus")
    given = parser.parse_args()
    seed = random.randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}")
    began = time.monotonic()
    with all_targets() as targets:
        runs = [Fuzz(name, target, seed) for name, target in targets.items() if given.target in {None, name}]
        for run in runs:
            if given.inputs is not None:
                run.run(given.inputs * run.target.share // SHARES)
            else:
                run.more(given.seconds / len(runs))
            print(
                f"{run.name:9} {run.inputs:10,} inputs, {run.refused:10,} refused, {len(run.kept):4} kept, {len(run.failures)} failed"
            )
    for run in runs:
        if given.keep and run.kept:
            with file_of(run.name).open("a", encoding="ascii") as file:
                file.writelines(line_of(data) for data in run.kept)
    failures = [failure for run in runs for failure in run.failures]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{sum(run.inputs for run in runs):,} inputs in {time.monotonic() - began:.0f} s, {peak_mb} MB at most, {len(failures)} failures"
    )
    print("\n".join(failures[:20]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
