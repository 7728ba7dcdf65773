"""An emulated armhf board: processes in namespaces of their own, with a real SSH server, that can be treated badly."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.armhf.image import image
from tests.armhf.network import MORTAL, Network, network
from tests.armhf.recipes import Kind
from tests.armhf.slots import Slot, slot
from tests.link.board import KeyPair, make_key_pair
from workers.link.ssh import Patience, SshLink, SshTarget, connect

BOOT = Path(__file__).with_name("boot.sh")
EMULATED = Patience(connect_s=20.0, channel_s=20.0, user_timeout_s=4.0)
DROPBEAR = """\
key=/etc/dropbear/key
test -s $key || dropbearkey -t {kind} -f $key >/dev/null 2>&1
test -s $key.pub || dropbearkey -y -f $key >$key.pub
exec dropbear -F -E -s -r $key
"""
SSHD = "exec /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config"
SSHD_CONFIG = """\
HostKey /etc/ssh/host_key
PasswordAuthentication no
Subsystem sftp /usr/lib/openssh/sftp-server
"""
STARTED_WITHIN_S = 90.0


class EmulatedBoard:
    """One board; `files` is its folder of changed files, seen from outside."""

    def __init__(self, kind: Kind, slot: Slot, net: Network, keys: KeyPair) -> None:
        self.kind = kind
        self.keys = keys
        self.net = net
        self.address = slot.far
        self.files = slot.folder / "upper"
        self.log = slot.folder / "log"
        self._folder = slot.folder
        self._process: subprocess.Popen[bytes] | None = None
        # Its processes die with the thread that started them: one that lives as long as the board, whoever asks.
        self._power = ThreadPoolExecutor(1)
        self._furnish()

    def _furnish(self) -> None:
        """Lay the files down that make this board one of its own: who may log in, and the host key where we make it."""
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir()
        for home, owner in (("root", 0), ("home/layerwise", 1000)):
            self.write(f"{home}/.ssh/authorized_keys", self.keys.public + "\n", owner=owner, mode=0o600)
        if self.kind.server == "sshd":
            host = make_key_pair()
            self.write("etc/ssh/host_key", host.private, mode=0o600)
            self.write("etc/ssh/host_key.pub", host.public + "\n")
            self.write("etc/ssh/sshd_config", SSHD_CONFIG)

    def write(self, name: str, data: str | bytes, *, owner: int = 0, mode: int = 0o644) -> None:
        """Put a file on the board before it is switched on; folders of ours belong to `owner` too."""
        path = self.files / name
        for folder in reversed(path.relative_to(self.files).parents[:-1]):
            if not (self.files / folder).exists():
                (self.files / folder).mkdir()
                belongs = owner if str(folder).startswith("home/") else 0
                os.chown(self.files / folder, belongs, belongs)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(mode)
        os.chown(path, owner, owner)

    def switch_on(self) -> None:
        """Start the board and wait until its SSH server greets."""
        (self._folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        server = DROPBEAR.format(kind=self.kind.host_key) if self.kind.server == "dropbear" else SSHD
        own = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc")
        boot = ("sh", str(BOOT), str(image(self.kind.recipe)), str(self._folder), "/bin/sh", "-c", server)
        self._process = self._power.submit(self._start, [*MORTAL, *self.net.inside, *own, *boot]).result()

    def _start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )

    def wait_until_it_greets(self) -> None:
        """Return when somebody could log in."""
        until = time.monotonic() + STARTED_WITHIN_S
        while not self._greets():
            assert self._process is not None
            assert self._process.poll() is None, f"the board ended: {self.log.read_text()}"
            assert time.monotonic() < until, f"the board does not answer: {self.log.read_text()}"
            time.sleep(0.02)

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.address, 22), timeout=5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def switch_off(self) -> None:
        """Take its power: every process is gone when this returns."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                os.kill(self._first_process(), signal.SIGKILL)  # the kernel ends all others before it goes
            self._process.wait(10)
            self._process = None

    def close(self) -> None:
        """Switch it off for good."""
        self.switch_off()
        self._power.shutdown()

    def reboot(self) -> None:
        """Off and on again: the same disk, another boot id."""
        self.switch_off()
        self.switch_on()
        self.wait_until_it_greets()

    def freeze(self) -> None:
        """Stop every process; the kernel still acknowledges what arrives."""
        stopped: set[int] = set()
        while (
            moving := set(self.processes()) - stopped
        ):  # some were only born while others were being stopped
            self._signal(signal.SIGSTOP)
            stopped |= moving

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for process in self.processes():
            with contextlib.suppress(OSError):
                os.kill(process, number)

    def _first_process(self) -> int:
        """The number, outside, of the process that is number 1 inside; OSError when the board is off."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        if not children:
            raise ProcessLookupError("the board is off")
        return int(children.split()[0])

    def processes(self) -> list[int]:
        """Numbers, outside, of all processes on the board."""
        try:
            ours = Path(f"/proc/{self._first_process()}/ns/pid").readlink()
        except OSError:
            return []
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "ns/pid").readlink() == ours:
                    found.append(int(entry.name))
        return sorted(found)

    def commands(self) -> list[str]:
        """The command lines of all processes on the board."""
        found = []
        for process in self.processes():
            with contextlib.suppress(OSError):
                found.append(Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ").strip())
        return found

    @property
    def host_key(self) -> str:
        """The public key line that the board shows, as a person reads it on the board itself."""
        name = "etc/dropbear/key.pub" if self.kind.server == "dropbear" else "etc/ssh/host_key.pub"
        lines = (self.files / name).read_text().splitlines()
        return next(" ".join(line.split()[:2]) for line in lines if line.startswith(("ssh-", "ecdsa-")))

    def target(self, user: str = "root") -> SshTarget:
        """Where to log in."""
        return SshTarget(self.address, 22, user, self.host_key)

    def connect(self, *, user: str = "root", patience: Patience = EMULATED) -> SshLink:
        """Log in as the worker does."""
        return connect(self.target(user), self.keys.private, patience)


@contextlib.contextmanager
def emulated_board(
    kind: Kind, *, keys: KeyPair | None = None, furnish: Callable[[EmulatedBoard], None] = lambda board: None
) -> Iterator[EmulatedBoard]:
    """A board that answers; `furnish` may put files on it first. Nothing of it is left afterwards."""
    with slot() as place, network(place) as net:
        board = EmulatedBoard(kind, place, net, keys or make_key_pair())
        furnish(board)
        try:
            board.switch_on()
            board.wait_until_it_greets()
            yield board
        finally:
            board.close()
            shutil.rmtree(place.folder / "work", ignore_errors=True)
