"""Pins requirements*.in anew into requirements*.txt, for every Python and platform, without index addresses.

`python -m tools.lock` installs uv into the virtual environment when it is not there.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("requirements", "requirements-dev")


def pinned(name: str) -> str:
    """The pinned list for `<name>.in`; raises CalledProcessError when no set of versions fits."""
    command = [
        *(
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--python-version",
            "3.11",
            "--upgrade",
        ),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", f"{name}.in"),
    ]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> None:
    """Write both lists, the product's first."""
    if importlib.util.find_spec("uv") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "uv"], check=True)
    for name in NAMES:
        (ROOT / f"{name}.txt").write_text(f"# Pinned from {name}.in by `make lock`.\n{pinned(name)}")


if __name__ == "__main__":
    main()
