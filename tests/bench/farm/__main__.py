"""`python -m tests.bench.farm [--short] [--boards N] [--runs N] [--board-seconds S]`; `make bench-farm` calls it.

Claims are measured first, with 100, 1,000 and 10,000 runs in the queue; then boards made of software, reached by real
SSH, do short runs through a real worker, Redis and dispatcher. Prints a table and, last, one JSON line; exit status 1
when a limit is missed. LAYERWISE_DATABASE_URL says which database (`make bench-farm` starts a PostgreSQL).
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.bench.farm import report


def options(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.bench.farm", description=__doc__)
    parser.add_argument("--short", action="store_true", help="10 boards, 100 runs")
    parser.add_argument("--boards", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--board-seconds", type=float, default=0.5, help="how long a board needs for a run")
    parser.add_argument("--keep", action="store_true", help="leave the folder with its logs")
    given = parser.parse_args(words)
    given.boards = given.boards or (10 if given.short else 50)
    given.runs = given.runs or (100 if given.short else 2000)
    return given


def main(words: list[str]) -> int:
    """The exit status."""
    given = options(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # leaving nothing behind
    folder = Path(tempfile.mkdtemp(prefix="layerwise-farm-"))
    os.environ.setdefault("LAYERWISE_DATABASE_URL", f"sqlite:///{folder}/layerwise.sqlite3")
    os.environ.update(
        DJANGO_SETTINGS_MODULE="dashboard.settings",
        LAYERWISE_DATA=str(folder),
        LAYERWISE_MIN_FREE_MB="0",
        LAYERWISE_LOG_LEVEL="WARNING",
    )
    import django

    django.setup()
    from django.core.management import call_command

    from tests.bench.farm.claims import claim_costs
    from tests.bench.farm.load import run_farm

    call_command("migrate", verbosity=0)
    try:
        costs = claim_costs()
        farm = run_farm(folder, given.boards, given.runs, given.board_seconds)
    finally:
        if given.keep:
            print(f"The logs are in {folder / 'log'}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    missed = report.missed(costs, farm)
    print("\n".join(report.table(costs, farm)))
    print(f"limits missed: {', '.join(missed)}" if missed else "all limits held")
    print(json.dumps(report.figures(costs, farm)))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
