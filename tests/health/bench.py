"""Simulated boards on a workbench: real processes that are killed and started again where they were."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.boards.services import BoardSettings, register_board
from dashboard.projects.models import Project
from tests.factories import owner_of
from tests.link.board import ROOT, read_ready_line


class BenchBoard:
    """One board: on or off, always at the same port with the same host key. Each start is another boot."""

    def __init__(self, folder: Path, *quirks: str) -> None:
        self.folder, self.quirks = folder, list(quirks)
        self.key = keys.new_private_key()
        self.port = 0
        self.starts = 0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        (folder / "authorized_keys").write_text(keys.public_key(self.key) + "\n")

    def on(self) -> dict[str, object]:
        """Switch it on; what it says when it can be reached."""
        argv = [sys.executable, "-m", "simboard", "--dir", str(self.folder), "--port", str(self.port)]
        argv += ["--sshd", "paramiko", *(part for quirk in self.quirks for part in ("--quirk", quirk))]
        with self._lock:
            self._process = subprocess.Popen(
                argv, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONWARNINGS": "ignore"}
            )
            self.starts += 1
            ready = read_ready_line(self._process)
        self.port = int(str(ready["port"]))
        (self.folder / "pid").write_text(str(self._process.pid))
        return ready

    def off(self) -> None:
        """Pull the plug."""
        with self._lock:
            if self._process:
                self._process.kill()
                self._process.wait(10)
                if self._process.stdout:
                    self._process.stdout.close()
                self._process = None

    def hang(self) -> None:
        """It holds its connections and answers nothing any more."""
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def cycle(self) -> None:
        self.off()
        self.on()

    def learn(self, name: str, script: str) -> None:
        """Give the board a program."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def register(self, project: Project, name: str) -> Board:
        """The board as the site knows it; it is switched on for that."""
        ready = self.on()
        wanted = BoardSettings(
            name=name,
            address="127.0.0.1",
            port=self.port,
            username=str(ready["user"]),
            host_key=str(ready["host_key"]),
            private_key=self.key,
            npu="sim",
            work_folder=str(ready["workdir"]),
            simulated=True,
        )
        return register_board(wanted, [project], owner_of(project))


@contextlib.contextmanager
def bench(folder: Path) -> Iterator[Callable[..., BenchBoard]]:
    """Makes boards, and switches all of them off at the end."""
    boards: list[BenchBoard] = []

    def make(*quirks: str) -> BenchBoard:
        boards.append(BenchBoard(folder / f"board{len(boards)}", *quirks))
        return boards[-1]

    try:
        yield make
    finally:
        for board in boards:
            board.off()


@contextlib.contextmanager
def whenever(path: Path, do: Callable[[], None]) -> Iterator[None]:
    """Do something each time the file appears; it is taken away first."""
    ending = threading.Event()

    def watch() -> None:
        while not ending.wait(0.05):
            if path.exists():
                path.unlink()
                do()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Fails when it does not come to pass."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come to pass in time"
        time.sleep(0.02)
