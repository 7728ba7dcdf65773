"""`python -m tests.chaos.farm [--short] [--boards N] [--faults N] [--seed S]`; `make chaos-farm` calls it.

Links are cut, reset, stalled, slowed and damaged; boards are stopped, killed and started again, what runs on them is
killed; runs go on all the time. The last line is a summary in JSON; the exit status is 1 when a run was lost or failed,
anything was doubled or left behind, or a board needed more than 30 s from its recovery to its next lease.
"""

import argparse
import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.settings import TIMES

ATTEMPTS = "10"  # as in tests.chaos: an unlucky run is hit several times


def options(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.chaos.farm", description=__doc__)
    parser.add_argument("--short", action="store_true", help="4 boards, 18 faults")
    parser.add_argument("--boards", type=int)
    parser.add_argument("--faults", type=int)
    parser.add_argument("--board-seconds", type=float, default=2.0, help="how long a board needs for a run")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--kinds", default="", help="only these kinds of faults, comma separated")
    parser.add_argument("--keep", action="store_true", help="leave the folder with its logs")
    given = parser.parse_args(words)
    given.boards = given.boards or (4 if given.short else 20)
    given.faults = given.faults or (18 if given.short else 200)
    return given


def main(words: list[str]) -> int:
    """The exit status."""
    given = options(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # leaving nothing behind
    folder = Path(tempfile.mkdtemp(prefix="layerwise-chaos-farm-"))
    os.environ.setdefault("LAYERWISE_DATABASE_URL", f"sqlite:///{folder}/layerwise.sqlite3")
    os.environ.update(
        TIMES,
        DJANGO_SETTINGS_MODULE="dashboard.settings",
        LAYERWISE_DATA=str(folder),
        LAYERWISE_MIN_FREE_MB="0",
        LAYERWISE_LOG_LEVEL="INFO",
        LAYERWISE_MAX_ATTEMPTS=ATTEMPTS,
    )
    import django

    django.setup()
    from django.core.management import call_command

    from tests.chaos.farm.run import run

    call_command("migrate", verbosity=0)
    is_well = False
    try:
        is_well = run(given, folder)
    finally:
        if given.keep or not is_well:
            print(f"The logs are in {folder / 'log'}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
