"""One board of the farm with the proxy before it."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path

from dashboard.boards.models import Board
from dashboard.supervisor import kernel
from tests.chaos.processes import Process, of_folder
from tests.chaos.stack import set_witness
from tests.link.proxy import Proxy


@dataclass
class Station:
    """The board's server, its folder, the proxy that every link goes through, and its row."""

    process: Process
    folder: Path
    proxy: Proxy
    row: Board

    def processes(self) -> set[int]:
        """The living processes of the board: its server, what came from it, and the runs that detached themselves."""
        found = {self.process.pid, *kernel.descendants(self.process.pid), *of_folder(self.folder)}
        return {pid for pid in found if _state(pid) not in {"Z", ""}}

    def executing(self) -> list[int]:
        """The NPU's programs that run now."""
        return [pid for pid, command in of_folder(self.folder).items() if " simboard.null " in command]

    def signal(self, number: int) -> None:
        """To all its processes, until there is none that has not got it."""
        told: set[int] = set()
        while found := self.processes() - told:
            for pid in found:
                kernel.kill(pid, number)
            told |= found

    def kill(self) -> None:
        """As when the power fails: everything on it ends at once."""
        while self.processes():
            self.signal(signal.SIGKILL)
            self.process.end(signal.SIGKILL)
            time.sleep(0.01)

    def start(self) -> None:
        """Switch it on again; it listens where it did before."""
        self.process.start()
        self.process.wait_until_ready()
        set_witness(self.folder)

    def run_folders(self) -> list[str]:
        """Folders of runs that are still on the board."""
        return sorted(path.name for path in (self.folder / "home").rglob("run-*") if path.is_dir())


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
