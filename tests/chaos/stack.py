"""Everything a job needs, as real processes on loopback: Redis, workers, dispatchers, simulated boards."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import redis

from dashboard.boards import keys
from dashboard.supervisor import redis_server, stack
from tests.chaos.processes import Process, wait_until
from tests.chaos.settings import TIMES

QUIRK = "transpose-over-4d"
# The lock is the kernel's: held while the process lives, whatever kills it. Who finds it taken overlaps.
WITNESS = """\
#!/bin/sh
exec 9>>"{board}/npu.lock"
flock -n 9 || echo "$$ $*" >>"{board}/overlaps"
echo "$$ $*" >>"{board}/executions"
exec "{program}" "$@"
"""


@dataclass
class SimulatedBoard:
    """A simulated board, its folder and how to log in."""

    name: str
    folder: Path
    process: Process
    private_key: str
    quirks: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def executions(self) -> list[list[str]]:
        """Each execution on the NPU, in order: process, mode, run folder, output folder."""
        return _lines(self.folder / "executions")

    def overlaps(self) -> list[list[str]]:
        """Executions that began while another one lived."""
        return _lines(self.folder / "overlaps")

    def run_folders(self) -> list[str]:
        """Folders of runs that are still on the board."""
        return sorted(path.name for path in Path(self.facts["workdir"]).glob("run-*"))


class Stack:
    """Started in `with`; on leaving, everything has ended."""

    def __init__(
        self, folder: Path, environment: dict[str, str], *, workers: int = 2, dispatchers: int = 1,
        quirks: tuple[tuple[str, ...], ...] = ((), (), (QUIRK,)), processes: int = 2,
        rknn2: Sequence[Sequence[Path]] = (),
    ) -> None:  # fmt: skip
        """`rknn2`: the environments of RKNN-Toolkit2 that each worker has."""
        self.folder = folder
        server = redis_server.embedded(folder / "redis")
        self.redis_url = server.url
        self.environment = {
            **TIMES, "DJANGO_SETTINGS_MODULE": "dashboard.settings", "LAYERWISE_DATA": str(folder),
            "LAYERWISE_MIN_FREE_MB": "0", "PYTHONUNBUFFERED": "1", "REDIS_URL": server.url, **environment,
        }  # fmt: skip
        (folder / "log").mkdir()
        self.redis = self._process("redis", list(server.service.program))
        self.boards = [self._board(number, each) for number, each in enumerate(quirks)]
        self.workers = [
            self._worker(number, processes, rknn2[number] if rknn2 else ()) for number in range(workers)
        ]
        self.dispatchers = [
            self._process(f"dispatcher-{number}", [*stack.MANAGE, "dispatcher"])
            for number in range(dispatchers)
        ]

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def processes(self) -> list[Process]:
        return [self.redis, *(board.process for board in self.boards), *self.workers, *self.dispatchers]

    def client(self) -> redis.Redis:
        """A connection to the Redis of the stack."""
        return redis.Redis.from_url(self.redis_url, socket_connect_timeout=2, socket_timeout=5)

    def keep(self) -> list[str]:
        """Start again what has ended, as a supervisor would; the names of those."""
        ended = [process for process in self.processes if not process.is_running]
        for process in ended:
            process.start()
        return [process.name for process in ended]

    def stop(self) -> dict[str, float]:
        """End everything, in reverse; how long each took."""
        for process in self.processes:
            process.send(signal.SIGCONT)
        return {process.name: process.end() for process in reversed(self.processes)}

    def lone_worker(self, name: str, queues: list[str], **environment: str) -> Process:
        """One more worker, for these queues; whoever starts it ends it."""
        return self._process(name, stack.worker_program(name, queues, 1), "[queues]", **environment)

    def _start(self) -> None:
        for process in self.processes:
            process.start()
        if not wait_until(lambda: redis_server.answers(self.redis_url), 20):
            raise RuntimeError("Redis does not answer")
        for board in self.boards:
            board.process.wait_until_ready()
            board.facts = stack.ready_line(board.process.written())
            set_witness(board.folder)
        for worker in self.workers:
            worker.wait_until_ready()

    def _process(self, name: str, program: list[str], sign: str = "", **environment: str) -> Process:
        log = self.folder / "log" / f"{name}.log"
        log.touch()
        return Process(name, program, {**self.environment, **environment}, log, sign)

    def _worker(self, number: int, processes: int, rknn2: Sequence[Path]) -> Process:
        served = [*stack.queues(["local"]), *(["convert.rknn2"] if rknn2 else [])]
        program = stack.worker_program("worker", list(dict.fromkeys(served)), processes)
        program = [*program[:-1], f"worker-{number}-{os.getpid()}@%h"]
        toolkits = {"LAYERWISE_RKNN2": os.pathsep.join(map(str, rknn2))} if rknn2 else {}
        return self._process(f"worker-{number}", program, "[queues]", REMAP_SIGTERM="SIGQUIT", **toolkits)

    def _board(self, number: int, quirks: tuple[str, ...]) -> SimulatedBoard:
        folder, key = self.folder / f"board-{number}", keys.new_private_key()
        folder.mkdir(mode=0o700)
        (folder / "authorized_keys").write_text(keys.public_key(key) + "\n")
        (folder / "authorized_keys").chmod(0o600)
        program = [sys.executable, "-m", "simboard", "--dir", str(folder), "--port", "0"]
        program += [word for quirk in quirks for word in ("--quirk", quirk)]
        process = self._process(f"board-{number}", program, '"port"')
        return SimulatedBoard(f"board-{number}", folder, process, key, quirks)


def set_witness(board: Path) -> None:
    """Let a witness stand before the virtual NPU: it writes down each execution, and which of them overlap."""
    program = board / "npu"
    program.replace(board / "npu-itself")
    program.write_text(WITNESS.format(board=board, program=board / "npu-itself"))
    program.chmod(0o700)


def _lines(file: Path) -> list[list[str]]:
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []
