"""A simulated board as a real process, for the tests of the link and of the simulated board itself."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dashboard.boards import keys as board_keys
from workers.link.ssh import Patience, SshLink, SshTarget, connect

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = Patience(connect_s=3.0, channel_s=5.0, user_timeout_s=3.0)


@dataclass(frozen=True)
class KeyPair:
    """A board key as the site makes it, and its public line."""

    private: str
    public: str

    @classmethod
    def of(cls, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Self:
        """Somebody's own key of another kind."""
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        return cls(private, board_keys.public_key(private))


def make_key_pair() -> KeyPair:
    private = board_keys.new_private_key()
    return KeyPair(private, board_keys.public_key(private))


@dataclass(frozen=True)
class RunningBoard:
    """A board that answers, and the key that opens it."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    ready: dict[str, object]
    keys: KeyPair

    @property
    def port(self) -> int:
        return int(str(self.ready["port"]))

    @property
    def workdir(self) -> str:
        return str(self.ready["workdir"])

    @property
    def log(self) -> str:
        path = self.folder / "sshd.log"
        return path.read_text() if path.exists() else ""

    def target(self, *, port: int | None = None, host_key: str | None = None) -> SshTarget:
        """Where to log in; a proxy's port or another key may stand in."""
        return SshTarget(
            "127.0.0.1", port or self.port, str(self.ready["user"]), host_key or str(self.ready["host_key"])
        )

    def connect(self, *, port: int | None = None, patience: Patience = QUICK) -> SshLink:
        return connect(self.target(port=port), self.keys.private, patience)


def small_userland(board: RunningBoard, *, python: bool = True) -> Path:
    """Give the board's commands nothing but busybox's applets, and Python if it is to have one; the applets' folder.

    Skips where busybox is not installed.
    """
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("no busybox on this machine (Debian package busybox-static)")
    applets = board.folder / "applets"
    applets.mkdir()
    subprocess.run([busybox, "--install", "-s", str(applets)], check=True, capture_output=True)
    for name in ("tee", "python3"):  # small ones lack the first, none has the second
        (applets / name).unlink(missing_ok=True)
    if python:
        (applets / "python3").symlink_to(board.folder / "bin" / "python3")
    shell = board.folder / "bin" / "sh"
    shell.write_text(f'#!/bin/sh\nPATH={applets}\nexport PATH\nexec {applets}/sh "$@"\n')
    shell.chmod(0o755)
    return applets


@contextlib.contextmanager
def running_board(folder: Path, *options: str, keys: KeyPair | None = None) -> Iterator[RunningBoard]:
    """Start a board and end it; it is an error if it does not end by itself within ten seconds."""
    keys = keys or make_key_pair()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "authorized_keys").write_text(keys.public + "\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "simboard", "--dir", str(folder), "--die-with-parent", *options],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    try:
        yield RunningBoard(folder, process, read_ready_line(process), keys)
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def read_ready_line(process: "subprocess.Popen[bytes]") -> dict[str, object]:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 20)[0], "the board did not say that it is ready"
    line = process.stdout.readline()
    assert line, f"the board ended with status {process.wait(5)}"
    return dict(json.loads(line))
