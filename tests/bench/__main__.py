"""Print every figure: `make bench`."""

import sys

from tests.bench import create, events, imports, webhook, webhook_postgresql
from tests.bench.measure import HEAD


def main() -> int:
    """Measure, and print a Markdown table. A figure that misses its aim is said, but is no failure: machines differ."""
    print(HEAD)
    for part in (events, create, imports, webhook, webhook_postgresql):
        for figure in part.figures():
            print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
