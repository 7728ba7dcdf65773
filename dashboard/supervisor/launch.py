"""The order in which the product starts on one machine, and what is said about it on the terminal."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from dashboard.boards.models import Board
from dashboard.supervisor import redis_server, stack
from dashboard.supervisor.datafolder import DataFolder
from dashboard.supervisor.probes import Answer, ask
from dashboard.supervisor.service import Running
from dashboard.supervisor.sockets import listen
from dashboard.supervisor.supervisor import StartFailed, Stopped, Supervisor

READY_S = 60.0
BOARDS_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Wishes:
    """What the person who starts it asked for. `program` runs on this terminal when everything is ready."""

    host: str = "127.0.0.1"
    port: int = 8000
    processes: int = 2
    boards: int = 0
    is_once: bool = False
    program: list[str] = field(default_factory=list)


def launch(wishes: Wishes, say: Callable[[str], None]) -> int:
    """Start everything, run the program if there is one, serve until told to stop; return the exit status.

    Raises InUse, NoRedis, NoFreePort or StartFailed; whatever happens, no process is left behind.
    """
    folder = DataFolder(Path(settings.DATA_DIR))
    folder.take(say=lambda text: say(f"  {text}"))
    try:
        folder.write_run({})
        with Supervisor(folder.path / "log", say, folder.lock) as supervisor:
            try:
                return _serve(supervisor, folder, wishes, say)
            except Stopped:
                return 128 + signal.SIGINT
            finally:
                say("Stopping ...")
    finally:
        folder.release()


def _serve(supervisor: Supervisor, folder: DataFolder, wishes: Wishes, say: Callable[[str], None]) -> int:
    """Everything from the database to the last service; then the program, then serving."""
    since = time.monotonic()
    say(f"Starting Layerwise on {folder.path}")
    _migrate(say)
    with listen(wishes.host, wishes.port) as listener:
        address = stack.Address(wishes.host, listener.getsockname()[1], listener.fileno())
        environment = _environment(folder, address, _redis(supervisor, folder, say))
        boards = _start_all(supervisor, folder, wishes, address, environment)
        _write_run(supervisor, folder, address, environment, boards)
        _wait_until_ready(supervisor, address, say)
        say(f"Ready at {address.url} after {time.monotonic() - since:.0f} s; logs: {folder.path / 'log'}")
        status = supervisor.run_once("program", wishes.program, environment) if wishes.program else 0
        if wishes.is_once:
            return status
        say(f"Serving {address.url} until Ctrl-C")
        supervisor.run_until_stopped()
        return status


def _migrate(say: Callable[[str], None]) -> None:
    since = time.monotonic()
    call_command("migrate", interactive=False, verbosity=0)
    connections.close_all()
    say(f"  the database is up to date ({time.monotonic() - since:.1f} s)")


def _redis(supervisor: Supervisor, folder: DataFolder, say: Callable[[str], None]) -> str:
    """The address of the Redis that REDIS_URL names, or of one started here."""
    if named := os.environ.get("REDIS_URL"):
        if not redis_server.answers(named):
            raise StartFailed(
                "REDIS_URL is set, but the Redis it names does not answer. Start it, or unset REDIS_URL."
            )
        say("  using the Redis that REDIS_URL names")
        return named
    redis = redis_server.embedded(folder.path / "redis")
    supervisor.start(redis.service)
    return redis.url


def _environment(folder: DataFolder, address: stack.Address, redis_url: str) -> dict[str, str]:
    """What every process of the product is told."""
    return {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "LAYERWISE_DATA": str(folder.path),
        "LAYERWISE_URL": address.url,
        "REDIS_URL": redis_url,
        "PYTHONUNBUFFERED": "1",
    }


def _start_all(
    supervisor: Supervisor,
    folder: DataFolder,
    wishes: Wishes,
    address: stack.Address,
    environment: dict[str, str],
) -> list[Running]:
    """Start what needs Redis and the database side by side; return the simulated boards."""
    boards = [stack.simulated_board(number + 1, folder.path, environment) for number in range(wishes.boards)]
    running = supervisor.start(
        *boards,
        stack.worker(environment, [], wishes.processes),
        stack.board_worker(environment, settings.SITES, board_threads(wishes.boards)),
        stack.dispatcher(environment),
        stack.web(address, environment, folder.path),
    )
    return running[: wishes.boards]


def board_threads(simulated: int) -> int:
    """How many boards are served at once: one thread each, unless the setting says how many."""
    return settings.BOARD_THREADS or max(4, simulated, Board.objects.count())


def _write_run(
    supervisor: Supervisor,
    folder: DataFolder,
    address: stack.Address,
    environment: dict[str, str],
    boards: list[Running],
) -> None:
    """Tell run.json where everything is: for the demonstration, the tests and whoever looks for trouble."""
    simulated: list[dict[str, Any]] = [
        {"name": board.service.name, "host": BOARDS_HOST, "folder": str(folder.path / board.service.name),
         **stack.ready_line(board.log.written())}
        for board in boards
    ]  # fmt: skip
    folder.write_run(
        {
            "url": address.url,
            "port": address.port,
            "redis_url": environment["REDIS_URL"],
            "processes": {running.service.name: running.process for running in supervisor.services},
            "boards": simulated,
        }
    )


def _wait_until_ready(supervisor: Supervisor, address: stack.Address, say: Callable[[str], None]) -> None:
    """Wait for /readyz: the site's own word that the database, Redis, dispatcher and workers are there."""
    asked = said = time.monotonic()
    answer = Answer(0)
    while not (answer := ask(address.local, address.port, "/readyz")).is_good:
        waited = time.monotonic() - asked
        if waited > READY_S:
            raise StartFailed(
                f"Not ready after {READY_S:g} s: /readyz answers {answer.status} {_listed(answer)}"
            )
        if time.monotonic() - said > 5:
            said = time.monotonic()
            say(f"  waiting for {_listed(answer) or '/readyz'} ({waited:.0f} s)")
        supervisor.run_for(0.2)


def _listed(answer: Answer) -> str:
    return ", ".join(answer.missing)
