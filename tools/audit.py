"""Asks pip-audit for known vulnerabilities of the pinned packages, and says when its service does not answer.

`python -m tools.audit` ends with 1 when a vulnerability is known, with 0 when none is or nobody answered.
"""
# ruff: noqa: T201

import subprocess
import sys

LIMIT_S = 180
UNREACHABLE = (
    *(
        "ConnectionError",
        "Max retries",
        "ServiceError",
        "Could not connect",
        "Failed to resolve",
        "timed out",
    ),
    *("ProxyError", "Name or service not known", "HTTPError", "JSONDecodeError"),
)


def main() -> int:
    """Run pip-audit over both pinned lists."""
    command = [
        *(
            sys.executable,
            "-m",
            "pip_audit",
            "--no-deps",
            "--disable-pip",
            "--progress-spinner",
            "off",
            "--timeout",
            "15",
        ),
        *("-r", "requirements.txt", "-r", "requirements-dev.txt"),
    ]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        print(f"pip-audit: no answer within {LIMIT_S} s; nothing was checked")
        return 0
    said = result.stdout + result.stderr
    if result.returncode == 0 or "known vulnerabilit" in said:
        print(said.strip())
        return result.returncode
    if any(word in said for word in UNREACHABLE):
        reason = said.strip().splitlines()[-1][:160]
        print(f"pip-audit: its service cannot be reached, nothing was checked ({reason})")
        return 0
    print(said.strip(), file=sys.stderr)
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
