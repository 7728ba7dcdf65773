"""Debian's armhf packages, fetched by this machine's own apt from the mirror that its sources name."""

import os
import subprocess
from pathlib import Path

from tests.armhf.recipes import WITHOUT

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CONFIGURATION = """\
APT::Architecture "armhf";
APT::Architectures {{ "armhf"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Cache "{folder}";
Dir::Cache::archives "{folder}/archives";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
"""
INSTALLED = (
    "Package: {name}\nStatus: install ok installed\nArchitecture: armhf\nMulti-Arch: foreign\nVersion: 999\n"
)


class CannotFetch(Exception):
    """No package came: no Debian mirror among this machine's sources, or it does not answer."""


def fetch(suite: str, packages: tuple[str, ...], folder: Path) -> list[Path]:
    """Download `packages` of `suite` and what they depend on into `folder`; the .deb files, sorted."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    signed = f" signed-by={KEYRING}" if KEYRING.exists() else ""
    (folder / "sources.list").write_text(f"deb [arch=armhf{signed}] {_mirror()} {suite} main\n")
    (folder / "status").write_text("\n".join(INSTALLED.format(name=name) for name in WITHOUT))
    (folder / "apt.conf").write_text(CONFIGURATION.format(folder=folder))
    _apt(folder, "update")
    _apt(folder, "install", "--yes", "--download-only", *packages)
    return sorted((folder / "archives").glob("*.deb"))


def _mirror() -> str:
    """The first of this machine's sources that holds Debian itself."""
    wanted = ["--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Component: main"]
    listed = subprocess.run(["apt-get", "indextargets", *wanted], capture_output=True, text=True, check=False)
    main = [line for line in listed.stdout.splitlines() if "security" not in line]
    if not main:
        raise CannotFetch("none of this machine's apt sources is a mirror of Debian")
    return main[0]


def _apt(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", "-qq", *arguments],
        env={**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True, text=True, check=False, timeout=170,
    )  # fmt: skip
    if done.returncode != 0:
        raise CannotFetch(done.stderr.strip()[-2000:])
