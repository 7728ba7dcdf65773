"""`python -m tests.chaos [--short] [--jobs N] [--faults M] [--seed S] [--database-url URL]`; `make chaos` calls it.

Everything lives in a temporary folder and on loopback, and has ended when this ends. The last line is a summary in
JSON; the exit status is 1 when anything was lost, doubled, wrong, held or left behind.
"""

import argparse
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

# Chaos aims at the infrastructure, and with a fault every few jobs an unlucky one is hit several times; three
# attempts, the default, are for jobs that kill their workers themselves (tests/integration checks those).
ATTEMPTS = "10"


def options(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="about 100 jobs and 16 faults, for CI")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--faults", type=int)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--dispatchers", type=int, default=2)
    parser.add_argument("--database-url", default="", help="postgres://...; SQLite in the folder otherwise")
    parser.add_argument("--kinds", default="", help="only these kinds of faults, comma separated")
    parser.add_argument("--keep", action="store_true", help="leave the folder with its logs")
    given = parser.parse_args(words)
    given.jobs = given.jobs or (100 if given.short else 600)
    given.faults = (16 if given.short else 64) if given.faults is None else given.faults
    return given


def main(words: list[str]) -> int:
    """The exit status."""
    given = options(words)
    folder = Path(tempfile.mkdtemp(prefix="layerwise-chaos-"))
    environment = {"LAYERWISE_MAX_ATTEMPTS": ATTEMPTS, "LAYERWISE_DATA": str(folder)}
    url = given.database_url or f"sqlite:///{folder}/layerwise.sqlite3"
    os.environ.update(
        {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "LAYERWISE_DATABASE_URL": url, **environment}
    )
    os.environ["LAYERWISE_LOG_LEVEL"] = "WARNING"
    from tests.chaos.settings import TIMES

    os.environ.update(TIMES)
    import django

    django.setup()
    from tests.chaos.run import run

    all_is_well = False
    try:
        all_is_well = run(given, folder, {"LAYERWISE_LOG_LEVEL": "INFO"})
    finally:
        if given.keep or not all_is_well:
            print(f"The logs are in {folder / 'log'}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if all_is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
