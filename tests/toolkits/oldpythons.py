"""An environment of RKNN-Toolkit 1.x as a user has one, but with the stand-in package in place of the vendor's."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STANDIN = Path(__file__).with_name("standin") / "rknn"
VERSION = "1.7.5+standin"
WANTED = ("3.6", "3.8")  # what the vendor makes wheels for


def pythons() -> dict[str, str]:
    """The interpreters that a version manager or PATH has, and always the one that runs the tests."""
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {}
    for version in WANTED:
        managed = sorted(str(path) for path in home.glob(f"{version}.*/bin/python3"))
        elsewhere = [path for path in [shutil.which(f"python{version}")] if path and "shims" not in path]
        if managed or elsewhere:
            found[version] = (managed + elsewhere)[-1]
    return {**found, "this": sys.executable}


PYTHONS = pythons()


def make_environment(folder: Path, python: str) -> Path:
    """Make the environment in `folder`; the path of its interpreter."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    packages = packages_of(folder / "bin" / "python")
    shutil.copytree(STANDIN, packages / "rknn", ignore=shutil.ignore_patterns("__pycache__"))
    (packages / f"rknn_toolkit-{VERSION}.dist-info").mkdir()
    return folder / "bin" / "python"


def packages_of(python: Path) -> Path:
    """Where the environment of `python` has its packages."""
    return next(python.parents[1].glob("lib/python*/site-packages"))


@contextmanager
def misbehaving(python: Path, call: str, how: str, *, prints: str = "", text: str = "") -> Iterator[None]:
    """Let the stand-in do something else in `call`: see standin/rknn/behave.py."""
    path = packages_of(python) / "rknn" / "behave.json"
    path.write_text(json.dumps({"call": call, "how": how, "print": prints, "text": text}))
    try:
        yield
    finally:
        path.unlink()
