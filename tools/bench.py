"""Runs every benchmark of tests/bench and says at the end which limits were missed.

`python -m tools.bench [NAME...]` runs tests/bench/bench_<NAME>.py, all of them without a name; ends with 1
when one of them misses its limit.
"""
# ruff: noqa: T201

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(names: list[str]) -> int:
    """Run them one after the other: they would disturb each other's figures."""
    names = names or sorted(
        file.stem.removeprefix("bench_") for file in (ROOT / "tests" / "bench").glob("bench_*.py")
    )
    missed = []
    for name in names:
        print(f"== {name}", flush=True)
        if subprocess.run(
            [sys.executable, "-m", f"tests.bench.bench_{name}"], cwd=ROOT, check=False
        ).returncode:
            missed.append(name)
    print(
        f"{len(names) - len(missed)} of {len(names)} benchmarks keep their limits"
        + "".join(f"; missed: {n}" for n in missed)
    )
    return 1 if missed or not names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
