"""What a machine must have before boards can be emulated on it: root, a few programs, and qemu for foreign programs."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAMS = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "qemu-arm-static": "qemu-user-static",
    "update-binfmts": "binfmt-support",
    "ip": "iproute2",
    "nft": "nftables",
    "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "nsenter": "util-linux",
}
OVERLAY = "cd $0 && mkdir l u w r && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w r"
BINFMT = Path("/proc/sys/fs/binfmt_misc")


def missing() -> str:
    """What this machine lacks, as a sentence; empty when boards can be emulated. Lets the kernel start armhf code."""
    if os.geteuid() != 0:
        return "emulated boards need root (namespaces, mounts)"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    packages = sorted({package for name, package in PROGRAMS.items() if not shutil.which(name, path=path)})
    if packages:
        return f"emulated boards need the Debian packages {' '.join(packages)}"
    return (
        "" if _starts_foreign_programs() else "this kernel does not let us start armhf programs (binfmt_misc)"
    )


def _starts_foreign_programs() -> bool:
    """Switch on what qemu-user-static has registered; it stays on, as after a reboot of a machine with that package."""
    if not (BINFMT / "register").exists():
        subprocess.run(
            ["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], check=False, capture_output=True
        )
    entry = BINFMT / "qemu-arm"
    if (BINFMT / "register").exists() and not entry.exists():
        subprocess.run(["update-binfmts", "--enable", "qemu-arm"], check=False, capture_output=True)
    # F: the kernel holds the emulator open, so that it is found inside a board's own file system.
    return entry.exists() and "F" in entry.read_text().partition("flags:")[2].split("\n")[0]


def _overlays() -> bool:
    """A board's disk is an image below and a folder of its own above; some containers' disks cannot be above."""
    with TemporaryDirectory() as folder:
        command = ["unshare", "--mount", "sh", "-c", OVERLAY, folder]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
