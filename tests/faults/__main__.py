"""Kill a service's processes at random moments: `make crash`, or `python -m tests.faults --kills 200 --seed 7`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.books import Broken
from tests.faults.crash import any_seed, crash
from tests.faults.town import SERVERS
from tests.postgres import HURRY, Schema, Server

DATABASES = ("sqlite", "postgresql")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often for each database")
    parser.add_argument("--seed", type=int, default=any_seed(), help="of what people do, and of the moments")
    parser.add_argument("--database", choices=DATABASES, help="one of them alone")
    parser.add_argument("--server", choices=SERVERS, help="one of them alone")
    given = parser.parse_args()
    servers = [given.server] if given.server else list(SERVERS)
    print(f"seed {given.seed}", flush=True)
    for database in [given.database] if given.database else DATABASES:
        for server in servers:
            began = time.monotonic()
            try:
                report = _run(database, server, given.seed, -(-given.kills // len(servers)))
            except Broken as error:
                print(f"{database}, {server}: BROKEN\n{error}")
                return 1
            print(f"{database}, {server}: {report} ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


def _run(database: str, server: str, seed: int, kills: int) -> str:
    def say(what: str) -> None:
        print(f"  {database}, {server}: {what}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if database == "sqlite":
            return crash(server, str(folder / "shop.db"), folder, seed=seed, kills=kills, say=say).line()
        with Server(**HURRY) as postgres:
            schema = Schema(postgres.dsn)
            return crash(server, f"{schema.dsn}#{schema.name}", folder, seed=seed, kills=kills, say=say).line()


if __name__ == "__main__":
    sys.exit(main())
