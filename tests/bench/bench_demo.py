"""How long the demonstration takes when everything is installed: `python -m tests.bench.bench_demo`.

Limits (2 cores): the whole of it under 60 s; from request to finished report of one route under 15 s.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

WHOLE_SECONDS = 60.0
ROUTE_SECONDS = 15.0
ROOT = Path(__file__).resolve().parents[2]


def demonstrate(data: Path) -> tuple[float, float]:
    """Run it on a new data folder; seconds of the whole, and from request to the first route's verdict."""
    since = time.monotonic()
    program = [sys.executable, str(ROOT / "manage.py"), "up", "--demo", "--once", "--port", "0"]
    environment = {**os.environ, "LAYERWISE_DATA": str(data)}
    subprocess.run(program, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - since
    report = json.loads((data / "demo-report.json").read_text())
    first = min(datetime.fromisoformat(leg["ended_at"]) for leg in report["legs"])
    return whole, (first - datetime.fromisoformat(report["requested_at"])).total_seconds()


def main() -> int:
    with tempfile.TemporaryDirectory() as data:
        whole, route = demonstrate(Path(data))
    print(
        f"whole demonstration: {whole:.1f} s, {whole / WHOLE_SECONDS:.2f} of the limit of {WHOLE_SECONDS:g} s"
    )
    print(
        f"request to first route's report: {route:.1f} s, {route / ROUTE_SECONDS:.2f} of {ROUTE_SECONDS:g} s"
    )
    return 0 if whole < WHOLE_SECONDS and route < ROUTE_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
