"""The real sshd, one process per connection, run as whoever runs the simulated board."""

import contextlib
import ctypes
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from simboard.folder import MARKER, BoardFolder, user_name

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
SFTP = "/usr/lib/openssh/sftp-server"  # where Debian has it; a board without it is a board without SFTP


class Unusable(Exception):
    """There is no sshd here, or it refuses to work for this account; the text says why."""


class OpenSsh:
    """Answers each connection with `sshd -i`; a connection's sshd dies with this process."""

    name = "openssh"

    def __init__(self, folder: BoardFolder, exec_delay: float) -> None:
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise Unusable("there is no sshd on this machine")
        self._program = program
        self._folder = folder
        self._config = folder.path / "sshd_config"
        self._config.write_text(_config(folder))
        _write_login_program(folder, exec_delay)
        self._children: list[subprocess.Popen[bytes]] = []
        self._check()

    def _check(self) -> None:
        if os.getuid() == 0:  # without its own folder sshd refuses to start for root
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        checked = subprocess.run(
            [self._program, "-t", "-f", str(self._config)], capture_output=True, check=False
        )
        if checked.returncode != 0:
            raise Unusable(checked.stderr.decode(errors="replace").strip())

        if reason := why_no_login(Path("/etc/shadow")):
            raise Unusable(reason)

    def answer(self, connection: socket.socket) -> None:
        """Hand the connection to an sshd of its own."""
        log = str(self._folder.path / "sshd.log")
        with connection:
            child = subprocess.Popen(
                [self._program, "-i", "-f", str(self._config), "-E", log],
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=subprocess.DEVNULL,
                env={**os.environ, MARKER: self._folder.mark},
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - this program has one thread
            )
        self._children.append(child)

    def tidy(self) -> None:
        """Forget connections that ended."""
        self._children = [child for child in self._children if child.poll() is None]

    def close(self) -> None:
        """End every connection."""
        for child in self._children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def why_no_login(shadow: Path) -> str:
    """Why sshd would refuse this account although the key is right; empty when it would not."""
    account = pwd.getpwuid(os.getuid())
    if Path(account.pw_shell).name in {"nologin", "false"}:
        return f"the account {account.pw_name} has no login shell"
    with contextlib.suppress(PermissionError, FileNotFoundError):  # what sshd cannot read it does not mind
        for line in shadow.read_text().splitlines():
            if line.startswith(f"{account.pw_name}:!"):
                return f"the account {account.pw_name} is locked"
    return ""


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _config(folder: BoardFolder) -> str:
    pairs = " ".join(_quoted(f"{name}={value}") for name, value in folder.environment.items())
    lines = [
        f"HostKey {_quoted(str(folder.private_key))}",
        f"AuthorizedKeysFile {_quoted(str(folder.authorized_keys))}",
        f"AllowUsers {user_name()}",
        f"SetEnv {pairs}",
        "PidFile none", "UsePAM no", "UseDNS no", "StrictModes no", "LogLevel VERBOSE", "PrintMotd no",
        "PubkeyAuthentication yes", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password", "AllowTcpForwarding no", "AllowAgentForwarding no",
        "X11Forwarding no", "PermitTunnel no", "LoginGraceTime 20", "MaxSessions 50",
        f"Subsystem sftp {SFTP}", f"ForceCommand {shlex.quote(str(folder.path / 'login'))}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _write_login_program(folder: BoardFolder, exec_delay: float) -> None:
    """Commands start in the board's own home: several boards share one account and must not share a folder."""
    path = folder.path / "login"
    path.write_text(
        f"#!/bin/sh\ncd {shlex.quote(str(folder.path / 'home'))} || exit 1\n"
        + (f"sleep {exec_delay}\n" if exec_delay else "")
        + 'exec /bin/sh ${SSH_ORIGINAL_COMMAND:+-c "$SSH_ORIGINAL_COMMAND"}\n'
    )
    path.chmod(0o700)


def _quoted(text: str) -> str:
    """One word of sshd_config, whatever is in it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
