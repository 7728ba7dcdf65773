"""The folder of a simulated board: its host key, who may log in, its environment. It survives restarts."""

import base64
import hashlib
import json
import os
import pwd
import secrets
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MARKER = "LAYERWISE_BOARD"
QUIRKS = ("transpose-over-4d",)  # see quirks.py, which needs onnx
PROGRAMS = {"onnx": "simboard.npu", "null": "simboard.null"}


@dataclass(frozen=True)
class BoardFolder:
    """Where a board lives, which faults it has, and the mark that every process started on it carries."""

    path: Path
    quirks: tuple[str, ...]
    mark: str
    host_key: str  # the public line, "ssh-ed25519 AAAA..."

    @property
    def private_key(self) -> Path:
        """The host key, in OpenSSH's format."""
        return self.path / "host_key"

    @property
    def authorized_keys(self) -> Path:
        """Public keys that may log in, one a line."""
        return self.path / "authorized_keys"

    @property
    def environment(self) -> dict[str, str]:
        """What every command on this board finds in its environment."""
        return {
            "PATH": f"{self.path / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.path / "home"),
            "LAYERWISE_SIM_NPU": json.dumps([str(self.path / "npu")]),
            MARKER: self.mark,
        }

    def ready_line(self, port: int, server: str, note: str) -> dict[str, object]:
        """What the program prints when somebody can log in."""
        return {
            "port": port, "user": user_name(), "host_key": self.host_key, "simulated": True,
            "fingerprint": fingerprint(self.host_key), "quirks": list(self.quirks), "sshd": server,
            "note": note, "workdir": str(self.path / "home" / "layerwise"),
        }  # fmt: skip


def prepare(path: Path, quirks: list[str], npu: str = "onnx", board_seconds: float = 0.0) -> BoardFolder:
    """Make the folder, or complete the one that is there; the host key is written only once."""
    path = path.resolve()
    for name in ("", "bin", "home"):
        (path / name).mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    key = _host_key(path / "host_key")
    (path / "authorized_keys").touch(mode=0o600)
    _link_python(path / "bin" / "python3")
    _write_npu_program(path / "npu", PROGRAMS[npu], quirks, board_seconds)
    return BoardFolder(path, tuple(quirks), secrets.token_hex(12), key)


def user_name() -> str:
    """The account that the board's commands run under: the one of this process."""
    return pwd.getpwuid(os.getuid()).pw_name


def fingerprint(public_line: str) -> str:
    """SHA256:... of a public key line, as ssh-keygen -l prints it."""
    digest = hashlib.sha256(base64.b64decode(public_line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _host_key(path: Path) -> str:
    if not path.exists():
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_bytes(
            Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
        )
        part.replace(path)
    private = serialization.load_ssh_private_key(path.read_bytes(), password=None)
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )


def _link_python(link: Path) -> None:
    """The board's Python is the plain interpreter without our packages: the agent must do with that."""
    interpreter = Path(sys.executable).resolve()
    if not link.is_symlink() or link.readlink() != interpreter:
        link.unlink(missing_ok=True)
        link.symlink_to(interpreter)


def _write_npu_program(path: Path, program: str, quirks: list[str], board_seconds: float) -> None:
    options = [part for quirk in quirks for part in ("--quirk", quirk)]
    options += ["--board-seconds", str(board_seconds)] if board_seconds else []
    command = shlex.join([sys.executable, "-m", program, *options])
    root = shlex.quote(str(Path(__file__).resolve().parent.parent))
    path.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {command} "$@"\n')
    path.chmod(0o700)
