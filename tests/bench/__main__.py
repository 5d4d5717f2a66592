"""Print every figure: `make bench`; some of them: `make bench ARGS='webhook scale'`; growth: `make bench ARGS='scale --large 100000'`."""

import argparse
import sys
from functools import partial

from tests.bench import against_djstripe, create, events, imports, scale, webhook, webhook_postgresql
from tests.bench.measure import HEAD

# A million bookings take minutes to fill in, so plain `make bench` grows to fewer.
PLAIN = 200_000


def main() -> int:
    """Measure, and print a Markdown table. A figure that misses its aim is said, but is no failure: machines differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", help="events, create, imports, webhook, postgresql, djstripe, scale; all by default"
    )
    parser.add_argument(
        "--large", type=int, help="how many bookings `scale` grows to; a million if only it is asked for"
    )
    given = parser.parse_args()
    large = given.large or (scale.LARGE if given.parts else PLAIN)
    parts = {
        "events": events.figures, "create": create.figures, "imports": imports.figures, "webhook": webhook.figures,
        "postgresql": webhook_postgresql.figures, "djstripe": against_djstripe.figures, "scale": partial(scale.figures, large),
    }  # fmt: skip
    if unknown := set(given.parts) - set(parts):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    print(HEAD)
    for name in given.parts or parts:
        for figure in parts[name]():
            print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
