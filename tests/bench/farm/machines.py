"""The processes of the farm: Redis, dispatcher, the worker for boards, and the boards themselves."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.boards.services import BoardSettings, register_board
from dashboard.projects.models import Project
from dashboard.supervisor import redis_server, stack
from tests.bench.farm.apart import into
from tests.chaos.processes import Process, wait_until


@dataclass(frozen=True)
class Machines:
    """What runs; the boards' folders are `board-<number>` in the farm's."""

    folder: Path
    boards: list[Process]
    dispatcher: Process
    worker: Process
    redis: Process

    @property
    def processes(self) -> set[int]:
        """The ids of all that runs."""
        return {each.pid for each in (*self.boards, self.dispatcher, self.worker, self.redis)}

    def register(self, projects: list[Project], ports: Mapping[str, int] | None = None) -> list[Board]:
        """Make the boards known to the site, at other ports (by process name) where proxies stand before them."""
        return [
            _register(self.folder / process.name, process, projects, (ports or {}).get(process.name))
            for process in self.boards
        ]

    def logins(self, board: Board) -> int:
        """How often somebody has logged in on the board."""
        return (self.folder / board.name / "sshd.log").read_text().count("Accepted publickey")


@contextlib.contextmanager
def machines(
    folder: Path,
    boards: int,
    seconds: float,
    told: Mapping[str, str] | None = None,
    apart: Path | None = None,
) -> Iterator[Machines]:
    """Redis, dispatcher, boards (in the control group `apart`) and their worker, with these settings.

    All have ended afterwards.
    """
    (folder / "log").mkdir()
    redis = redis_server.embedded(folder / "redis")
    environment = {"PYTHONUNBUFFERED": "1", **(told or {}), "REDIS_URL": redis.url}
    worker = stack.board_worker(environment, ["local"], boards)
    farm = Machines(
        folder,
        [_board(folder, number, seconds, environment, apart) for number in range(boards)],
        _process(folder, "dispatcher", [*stack.MANAGE, "dispatcher"], environment),
        _process(folder, "worker", list(worker.program), dict(worker.environment), "[queues]"),
        _process(folder, "redis", list(redis.service.program), environment),
    )
    started = [farm.redis, *farm.boards, farm.dispatcher, farm.worker]
    try:
        for process in started:
            process.start()
        if not wait_until(lambda: redis_server.answers(redis.url), 20):
            raise RuntimeError("Redis does not answer")
        for process in started:
            process.wait_until_ready(240)
        yield farm
    finally:
        for process in reversed(started):
            process.end()


def _register(folder: Path, process: Process, projects: list[Project], port: int | None) -> Board:
    facts: dict[str, Any] = stack.ready_line(process.written())
    settings = BoardSettings(
        name=folder.name, address="127.0.0.1", port=port or facts["port"], username=facts["user"],
        host_key=facts["host_key"], private_key=(folder / "key").read_text(), npu="sim", simulated=True,
        work_folder=facts["workdir"],
    )  # fmt: skip
    return register_board(settings, projects)


def _process(
    folder: Path, name: str, program: list[str], environment: dict[str, str], sign: str = ""
) -> Process:
    log = folder / "log" / f"{name}.log"
    log.touch()
    return Process(name, program, environment, log, sign)


def _board(
    folder: Path, number: int, seconds: float, environment: dict[str, str], apart: Path | None
) -> Process:
    own, key = folder / f"board-{number}", keys.new_private_key()
    own.mkdir(mode=0o700)
    for name, text in (("key", key), ("authorized_keys", keys.public_key(key) + "\n")):
        (own / name).write_text(text)
        (own / name).chmod(0o600)
    program = [sys.executable, "-m", "simboard", "--dir", str(own), "--port", str(stack.kept_port(own))]
    program += ["--npu", "null", "--board-seconds", str(seconds)]
    return _process(folder, own.name, into(apart, program), environment, '"port"')
