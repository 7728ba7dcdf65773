"""A board's network: a namespace of its own, a cable to this machine that can be pulled, a firewall."""

import contextlib
import subprocess
from collections.abc import Iterator

from tests.armhf.slots import Slot

# Dies with the thread that started it, so that a killed test run leaves no process and no namespace.
MORTAL = ("setpriv", "--pdeathsig", "KILL")
SWALLOW = """\
table ip boards {
  chain input { type filter hook input priority 0; policy accept; tcp dport 22 VERDICT; }
}
"""


class Network:
    """The cable of one board. `inside` is the start of a command that runs on the board's end of it."""

    def __init__(self, slot: Slot, holder: int) -> None:
        self.inside = ("nsenter", "--target", str(holder), "--net")
        self._slot = slot
        self._holder = str(holder)

    def lay(self) -> None:
        """Connect the board's namespace to this machine."""
        near, far = self._slot.near, self._slot.far
        _ip(f"link add {self._slot.interface} type veth peer name eth0 netns {self._holder}")
        _ip(f"addr add {near}/30 dev {self._slot.interface}")
        _ip(f"link set {self._slot.interface} up")
        for words in ("link set lo up", f"addr add {far}/30 dev eth0", "link set eth0 up"):
            subprocess.run([*self.inside, "ip", *words.split()], check=True)

    def pull(self) -> None:
        """Take the board's end off the net, as somebody who pulls its plug out of the switch."""
        subprocess.run([*self.inside, "ip", "link", "set", "eth0", "down"], check=True)

    def plug(self) -> None:
        """Put it back."""
        subprocess.run([*self.inside, "ip", "link", "set", "eth0", "up"], check=True)

    def block(self, verdict: str = "drop") -> None:
        """Swallow what comes for the SSH server ("drop"), or answer it ("reject with tcp reset")."""
        rules = SWALLOW.replace("VERDICT", verdict)
        subprocess.run([*self.inside, "nft", "-f", "-"], input=rules, text=True, check=True)

    def unblock(self) -> None:
        """Let everything through again."""
        subprocess.run([*self.inside, "nft", "flush", "ruleset"], check=True)


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)


@contextlib.contextmanager
def network(slot: Slot) -> Iterator[Network]:
    """A network for as long as the block lasts. A process holds it, so that it outlives the board's reboots."""
    command = [*MORTAL, "unshare", "--net", "sh", "-c", "echo up; exec sleep infinity"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"up\n", "no network namespace could be made"
            made = Network(slot, holder.pid)
            made.lay()
            yield made
        finally:
            holder.kill()
