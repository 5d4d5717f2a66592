"""Play every order of the small worlds: `python -m tests.exhaustion [world …] [--faults N]`."""

import argparse
import logging
import sys
import time
from functools import partial

from tests.exhaustion.explorer import Explorer, crashing
from tests.exhaustion.worlds import WORLDS


def main() -> int:
    """Play, and print a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.exhaustion", description=__doc__)
    parser.add_argument("worlds", nargs="*", choices=[*WORLDS, []], help="which; all, if none is named")
    parser.add_argument("--faults", type=int, default=1, help="how many things go wrong in one order")
    parser.add_argument("--crashes", action="store_true", help="of all faults, only that a process dies")
    given = parser.parse_args()
    logging.getLogger("airport_payments").setLevel(logging.CRITICAL)  # what goes wrong here is meant to
    print("| world | faults | states | orders | ends | longest, in calls | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name in given.worlds or WORLDS:
        begin = time.perf_counter()
        make = WORLDS[name]
        found = Explorer(crashing(make, given.faults) if given.crashes else partial(make, given.faults)).run()
        took = time.perf_counter() - begin
        figures = f"{found.states:,} | {found.orders:,} | {found.ends:,} | {found.longest} | {took:.0f}"
        print(f"| {name} | {given.faults} | {figures} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
