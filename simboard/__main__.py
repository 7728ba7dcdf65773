"""Start a simulated board: `python -m simboard --dir DIR [--port N] [--quirk NAME] ...`.

Prints one JSON line when somebody can log in, serves until SIGTERM or Ctrl-C, and leaves no process behind.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from simboard import folder
from simboard.openssh import OpenSsh, Unusable

PR_SET_PDEATHSIG = 1


class SshServer(Protocol):
    """What answers connections: the real sshd or the one made of Python."""

    @property
    def name(self) -> str: ...
    def answer(self, connection: socket.socket) -> None: ...
    def tidy(self) -> None: ...
    def close(self) -> None: ...


def options(arguments: list[str]) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(prog="simboard", description=__doc__)
    parser.add_argument(
        "--dir", type=Path, required=True, help="the board's folder; it keeps its host key there"
    )
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument(
        "--host", default="127.0.0.1", help="where it listens: nobody needs it elsewhere but tests"
    )
    parser.add_argument("--quirk", action="append", default=[], choices=folder.QUIRKS)
    parser.add_argument("--npu", choices=sorted(folder.PROGRAMS), default="onnx", help="null answers at once")
    parser.add_argument(
        "--board-seconds", type=float, default=0.0, metavar="S", help="how much longer a normal run takes"
    )
    parser.add_argument("--sshd", choices=["auto", "openssh", "paramiko"], default="auto")
    parser.add_argument("--exec-delay", type=float, default=0.0, metavar="S", help="wait before each command")
    parser.add_argument("--die-with-parent", action="store_true")
    return parser.parse_args(arguments)


def choose_server(kind: str, board: folder.BoardFolder, exec_delay: float) -> tuple[SshServer, str]:
    """The SSH server, and a note why it is not the real sshd. Unusable when that was demanded."""
    note = "paramiko's server, as asked for"
    if kind != "paramiko":
        try:
            return OpenSsh(board, exec_delay), ""
        except (Unusable, OSError) as error:
            if kind == "openssh":
                raise Unusable(str(error)) from error
            note = f"paramiko's server instead of sshd: {error}"
    from simboard.pythonssh import PythonSsh  # late: many boards with a real sshd need less memory

    return PythonSsh(board, exec_delay), note


def serve(listener: socket.socket, server: SshServer, stop: int) -> None:
    """Answer connections until the descriptor `stop` has something to read."""
    while True:
        watched: list[socket.socket | int] = [listener, stop]
        ready, _, _ = select.select(watched, [], [], 1.0)
        if stop in ready:
            return
        if listener in ready:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.answer(connection)
        server.tidy()


def stop_descriptor() -> int:
    """A descriptor that becomes readable when this process is asked to end."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reading


def die_with_parent() -> None:
    """Ask the kernel to end this process when the one that started it ends."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we could ask
        sys.exit(0)


def main(arguments: list[str]) -> int:
    """Serve until told to stop; the exit status."""
    given = options(arguments)
    if given.die_with_parent:
        die_with_parent()
    stop = stop_descriptor()
    board = folder.prepare(given.dir, given.quirk, given.npu, given.board_seconds)
    warden = subprocess.Popen(
        [sys.executable, "-m", "simboard.warden", board.mark],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).resolve().parent.parent,
        start_new_session=True,
    )
    try:
        server, note = choose_server(given.sshd, board, given.exec_delay)
        with socket.create_server((given.host, given.port), backlog=64) as listener:
            port = listener.getsockname()[1]
            sys.stdout.write(json.dumps(board.ready_line(port, server.name, note)) + "\n")
            sys.stdout.flush()
            serve(listener, server, stop)
        server.close()
    except (Unusable, OSError) as error:
        sys.stderr.write(f"simboard: {error}\n")
        return 1
    finally:
        warden.communicate()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
