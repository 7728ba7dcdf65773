"""Asks pip-audit for known vulnerabilities of the pinned packages, and says how many it could really look up.

`python -m tools.audit` ends with 1 when a vulnerability is known. Where a mirror of the index answers without
knowing any advisory, pip-audit by itself says that all is well.
"""
# ruff: noqa: T201

import json
import subprocess
import sys
from typing import Any

LIMIT_S = 180


def ask() -> tuple[list[dict[str, Any]], str]:
    """pip-audit's entry for each package, and what it said besides; no entries when it could not ask."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--format", "json", "--no-deps", "--disable-pip"),
        *(
            "--progress-spinner",
            "off",
            "--timeout",
            "15",
            "-r",
            "requirements.txt",
            "-r",
            "requirements-dev.txt",
        ),
    ]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        return json.loads(result.stdout)["dependencies"], result.stderr
    except subprocess.TimeoutExpired:
        return [], f"no answer within {LIMIT_S} s"
    except (ValueError, KeyError):
        return [], result.stderr


def main() -> int:
    """Print every known vulnerability and the number of packages behind that statement."""
    packages, said = ask()
    checked = [package for package in packages if "skip_reason" not in package]
    if not checked:
        last = (said.strip().splitlines() or ["it knows none of the packages"])[-1]
        print(
            f"pip-audit: its advisory service cannot be reached from here, NOTHING WAS CHECKED ({last[:160]})"
        )
        return 0
    found = [(package, flaw) for package in checked for flaw in package["vulns"]]
    for package, flaw in found:
        print(
            f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions'])}"
        )
    print(
        f"pip-audit: {len(checked)} of {len(packages)} packages looked up, {len(found)} known vulnerabilities"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
