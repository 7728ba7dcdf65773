"""A board whose root we are: this machine's files under an overlay in a mount namespace of its own, with a real SSH
server. What is done there (a user is made, files are written) is gone when it ends."""

import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = """\
set -e
mount -t tmpfs tmpfs "$1/upper" && mkdir "$1/upper/u" "$1/upper/w"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper/u,workdir=$1/upper/w" "$1/root"
mount --rbind /dev "$1/root/dev" && mount -t proc proc "$1/root/proc"
exec chroot "$1/root" /bin/sh "$1/begin"
"""
SSHD_CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding yes
AllowAgentForwarding yes
X11Forwarding yes
PermitTTY yes
PermitTunnel yes
Subsystem sftp /usr/lib/openssh/sftp-server
SetEnv 'LAYERWISE_SIM_NPU={npu}'
"""


@dataclass(frozen=True)
class Machine:
    """Where it answers, and the folder that it shares with the test."""

    folder: Path
    port: int
    server: str


def need(*programs: str) -> None:
    """Skip, with the reason, where such a machine cannot be made."""
    places = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [
        name for name in (*programs, "unshare", "chroot") if shutil.which(name, path=places) is None
    ]:
        pytest.skip(
            f"not on this machine: {', '.join(missing)} (Debian: openssh-server dropbear-bin util-linux)"
        )
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if os.getuid() != 0 or subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root who may mount can make a machine of its own")


@contextlib.contextmanager
def machine(folder: Path, server: str, account: str) -> Iterator[Machine]:
    """A machine on which `account` (a shell script) was run as root, and then the server was started."""
    for name in ("upper", "root"):
        (folder / name).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.chmod(0o755)
    (folder / "account").write_text(account)
    (folder / "begin").write_text(_begin(folder, server, port))
    for each in [folder.parent, *folder.parent.parents][:3]:
        each.chmod(each.stat().st_mode | 0o055)  # the new user must be able to reach its NPU program
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", NAMESPACE, "sh", str(folder)],
        stdout=log,
        stderr=log,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LAYERWISE_SIM_NPU": json.dumps([str(folder / "npu")])},
        start_new_session=True,
    )
    try:
        _wait_for(port, process, folder / "log")
        yield Machine(folder, port, server)
    finally:
        process.kill()
        process.wait(20)
        log.close()


def _begin(folder: Path, server: str, port: int) -> str:
    """What is done as root inside: the account as it is offered, a host key, the server."""
    npu = folder / "npu"
    npu.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {shlex.quote(sys.executable)} -m simboard.npu "$@"\n')
    npu.chmod(0o755)
    quoted = json.dumps([str(npu)])
    (folder / "sshd_config").write_text(SSHD_CONFIG.format(port=port, folder=folder, npu=quoted))
    starts = {
        "openssh": f"ssh-keygen -q -t ed25519 -N '' -f {folder}/host_key\nmkdir -p /run/sshd\n"
        f"exec /usr/sbin/sshd -D -e -f {folder}/sshd_config\n",
        "dropbear": f"dropbearkey -t ecdsa -f {folder}/host_key >/dev/null\n"
        f"exec dropbear -F -E -e -s -p 127.0.0.1:{port} -r {folder}/host_key\n",
    }
    # the interpreter of the tests may lie in root's home
    return f"set -e\nchmod 755 /root\numask 022\nsh {folder}/account\n{starts[server]}"


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
            if connection.recv(4) == b"SSH-":
                return
        time.sleep(0.05)
    raise AssertionError(f"no SSH server in time: {log.read_text()}")
