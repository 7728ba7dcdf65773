"""What the emulated boards are made of: root file systems from Debian's armhf packages, and who serves SSH there."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

PYTHON = ("python3-minimal", "libpython3-stdlib")
# What packages ask for and no board of ours needs: counted as installed, so that it is not even fetched.
WITHOUT = (
    "adduser", "debconf", "dpkg", "init-system-helpers", "libpam-runtime", "lsb-base", "media-types", "passwd",
    "perl", "perl-base", "procps", "readline-common", "runit-helper", "sensible-utils", "sysvinit-utils", "tar",
    "tzdata", "ucf", "usrmerge",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A root file system: Debian's release, and the packages that are unpacked with all they depend on."""

    name: str
    suite: str
    packages: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name and a hash of everything that decides what is in it."""
        text = repr((asdict(self), WITHOUT, Path(__file__).with_name("image.py").read_text()))
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def has_python(self) -> bool:
        """Is there a Python with its whole standard library?"""
        return set(PYTHON) <= set(self.packages)


BOOKWORM = Recipe(
    "bookworm",
    "bookworm",
    ("dash", "coreutils", *PYTHON, "openssh-server", "openssh-sftp-server", "dropbear-bin"),
)
BULLSEYE = Recipe("bullseye", "bullseye", ("busybox", *PYTHON, "dropbear-bin"))
BARE = Recipe("bare", "bullseye", ("busybox", "dropbear-bin"))
HALF = Recipe("half", "bullseye", ("busybox", "python3-minimal", "dropbear-bin"))
SDK = Recipe("sdk", "bullseye", ("libc6-dev", "libgcc-s1"))


@dataclass(frozen=True)
class Kind:
    """A kind of board: its file system, its SSH server, the kind of host key that server makes."""

    name: str
    recipe: Recipe
    server: str
    host_key: str
    has_sftp: bool

    @property
    def python(self) -> str:
        """The version of Python there, as `hello` begins it; empty on a board without a whole one."""
        return {"bookworm": "3.11.", "bullseye": "3.9."}.get(self.recipe.name, "")


KINDS = {
    kind.name: kind
    for kind in (
        Kind("python3.11-sshd", BOOKWORM, "sshd", "ed25519", has_sftp=True),
        Kind("python3.11-dropbear", BOOKWORM, "dropbear", "ecdsa", has_sftp=True),
        Kind("python3.9-busybox", BULLSEYE, "dropbear", "ed25519", has_sftp=False),
        Kind("no-python", BARE, "dropbear", "ecdsa", has_sftp=False),
        Kind("half-a-python", HALF, "dropbear", "ed25519", has_sftp=False),
    )
}
WITH_PYTHON = [name for name, kind in KINDS.items() if kind.python]
