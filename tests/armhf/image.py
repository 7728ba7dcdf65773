"""Root file systems for emulated boards: packages unpacked, not installed, because under emulation that takes minutes.

An image is a folder in the cache, named by a hash of its recipe and of this file, complete or not there at all.
`python -m tests.armhf.image` makes all of them and prints how long each took.
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.armhf import packages, recipes
from tests.armhf.recipes import Recipe

ROOT = Path(__file__).resolve().parents[2]
MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib"}
EMPTY = (
    "dev",
    "etc/dropbear",
    "etc/ssh",
    "home/layerwise/.ssh",
    "mnt",
    "proc",
    "root/.ssh",
    "run/sshd",
    "sys",
    "tmp",
    "userdata",
)
USELESS = ("doc", "info", "lintian", "locale", "man", "perl5")
FILES = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nlayerwise:x:1000:1000::/home/layerwise:/bin/sh\n"
    "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n",
    "etc/shadow": "root:*:19000::::::\nlayerwise:*:19000::::::\nsshd:*:19000::::::\n",
    "etc/group": "root:x:0:\nlayerwise:x:1000:\nnogroup:x:65534:\n",
    "etc/shells": "/bin/sh\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}
# What the agent's first start on this board would compile; Debian does it when it installs Python.
WARM = "import ctypes, fcntl, hashlib, json, platform, select, shutil, signal, struct, subprocess, threading, zlib"
times: dict[str, float] = {}  # seconds that each image took in this process, for the summary


def cache() -> Path:
    """The folder that keeps images between runs: LAYERWISE_TEST_CACHE, else one in var/."""
    return Path(os.environ.get("LAYERWISE_TEST_CACHE", ROOT / "var" / "test-cache")) / "armhf"


def image(recipe: Recipe) -> Path:
    """The root file system of `recipe`, made unless the cache has it. Raises packages.CannotFetch."""
    with _locked():
        found = cache() / recipe.key
        if not found.exists():
            began = time.monotonic()
            _remove(*cache().glob(f"{recipe.name}-*"))
            part = found.with_suffix(".part")
            _make(recipe, part)
            part.rename(found)
            times[recipe.name] = time.monotonic() - began
        return found


@contextmanager
def _locked() -> Iterator[None]:
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder)


def _make(recipe: Recipe, root: Path) -> None:
    for short, full in MERGED.items():
        (root / full).mkdir(parents=True)
        (root / short).symlink_to(full)
    with TemporaryDirectory() as folder:
        for archive in packages.fetch(recipe.suite, recipe.packages, Path(folder)):
            _unpack(archive, root)
    for link in _absolute_links(root):
        link_to = link.readlink()
        link.unlink()
        link.symlink_to(os.path.relpath(root / str(link_to).lstrip("/"), link.parent))
    if recipe is not recipes.SDK:
        _finish(root)


def _unpack(archive: Path, root: Path) -> None:
    """Unpack a .deb; what nobody reads on a board stays away."""
    without = [f"--exclude=./usr/share/{name}" for name in USELESS]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as packed:
        command = ["tar", "-x", "-C", str(root), "--keep-directory-symlink", *without]
        subprocess.run(command, stdin=packed.stdout, check=True)
    if packed.returncode != 0:
        raise packages.CannotFetch(f"{archive.name} is damaged")


def _absolute_links(root: Path) -> list[Path]:
    """Links that a compiler outside of the board would follow to its own machine."""
    return [path for path in root.rglob("*") if path.is_symlink() and path.readlink().is_absolute()]


def _finish(root: Path) -> None:
    """What the packages' own scripts would have done, as far as a board needs it."""
    for name in EMPTY:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name, text in FILES.items():
        (root / name).write_text(text)
    if (root / "bin/busybox").exists():
        _link_applets(root)
    elif not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    if (root / "usr/bin/python3").exists():
        subprocess.run(["chroot", root, "python3", "-c", WARM], check=False, capture_output=True)


def _link_applets(root: Path) -> None:
    listed = subprocess.run(
        ["chroot", root, "/bin/busybox", "--list"], capture_output=True, text=True, check=True
    )
    for applet in listed.stdout.split():
        path = root / "usr/bin" / applet
        if not path.exists():
            path.symlink_to("busybox")


if __name__ == "__main__":
    for one in (recipes.BOOKWORM, recipes.BULLSEYE, recipes.BARE, recipes.HALF, recipes.SDK):
        place = image(one)
        print(f"{one.name:10} {times.get(one.name, 0.0):6.1f} s  {place}")
