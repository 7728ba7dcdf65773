"""What the product consists of: the program, the environment and the ready sign of each of its processes."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard.supervisor.probes import ask
from dashboard.supervisor.service import ROOT, Service
from dashboard.supervisor.sockets import listen

MANAGE = [sys.executable, str(ROOT / "manage.py")]
PLAIN_QUEUES = ("inspect", "convert.reference", "convert.ready", "compare")
# served where an environment is; whether it works is what the worker finds out (workers/offering.py)
TOOLKIT_QUEUES = {"convert.rknn1": settings.RKNN1_PLACES, "convert.rknn2": settings.RKNN2_DIRS}
THREADS = ("--pool", "threads")  # of a worker for boards alone
QUIRK = "transpose-over-4d"


@dataclass(frozen=True)
class Address:
    """Where the site listens: what to show, what to connect to, and the listening socket to hand down."""

    host: str
    port: int
    listener: int

    @property
    def local(self) -> str:
        """The address to connect to from this machine."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # nosec B104

    @property
    def url(self) -> str:
        """What to type into a browser on this machine."""
        host = f"[{self.local}]" if ":" in self.local else self.local
        return f"http://{host}:{self.port}/"


def queues(sites: list[str]) -> list[str]:
    """Every queue that a worker on this machine serves; boards are reached by their site's queue."""
    toolkits = [
        queue
        for queue, places in TOOLKIT_QUEUES.items()
        if any(place.is_file() or (place / "bin" / "python").is_file() for place in places)
    ]
    return [*PLAIN_QUEUES, *toolkits, *(queue_of(site) for site in sites)]


def queue_of(site: str) -> str:
    """The queue of the boards at a site."""
    return f"boards.{site}"


def web(address: Address, environment: dict[str, str], data: Path) -> Service:
    """The site, behind gunicorn: threads, because pages wait for the database and for files."""
    program = [
        *(sys.executable, "-m", "gunicorn", "dashboard.wsgi"),
        *(
            "--bind",
            f"fd://{address.listener}",
            "--worker-class",
            "gthread",
            "--workers",
            "1",
            "--threads",
            "8",
        ),
        *("--graceful-timeout", "3", "--timeout", "120", "--worker-tmp-dir", str(_folder(data / "web"))),
        "--no-control-socket",
    ]
    return Service(
        "web", program, environment, shared=(address.listener,), grace_s=6,
        is_ready=lambda written: ask(address.local, address.port, "/healthz").is_good,
    )  # fmt: skip


def worker_program(name: str, served: Sequence[str], at_once: int, *options: str) -> list[str]:
    """The command of a Celery worker for these queues."""
    return [
        *(sys.executable, "-m", "celery", "-A", "dashboard.celery", "worker"),
        *("--without-gossip", "--without-mingle", *options),
        *("-Q", ",".join(served), "--concurrency", str(at_once)),
        *("-n", f"layerwise-{name}-{os.getpid()}@%h"),
    ]


def worker(environment: dict[str, str], sites: list[str], processes: int) -> Service:
    """The Celery worker for everything but boards, or, with sites, for these as well: a process a job.

    TERM means QUIT to it: finish within the soft shutdown or let the lease run out.
    """
    program = worker_program("worker", queues(sites), processes)
    told = {**environment, "REMAP_SIGTERM": "SIGQUIT"}
    return Service("worker", program, told, is_ready=_says("[queues]"), grace_s=10)


def board_worker(environment: dict[str, str], sites: list[str], threads: int) -> Service:
    """The Celery worker for the boards of these sites: mostly it waits for them, so a thread a board will do.

    TERM means TERM: its threads give back what they are doing (workers/serving.py). After QUIT Celery would kill them,
    which threads cannot be, and wait for them without having told them.
    """
    program = worker_program("boards", [queue_of(site) for site in sites], threads, *THREADS)
    return Service("boards", program, environment, is_ready=_says("[queues]"), grace_s=10)


def dispatcher(environment: dict[str, str]) -> Service:
    """The dispatcher, which rings for queued rows and holds the watch timer."""
    return Service("dispatcher", [*MANAGE, "dispatcher"], environment, grace_s=5)


def simulated_board(number: int, data: Path, environment: dict[str, str]) -> Service:
    """A board made of software, with its declared quirk. Everything it makes is labelled as simulated."""
    name = "simboard" if number == 1 else f"simboard-{number}"
    folder = _folder(data / name)
    program = [
        *(sys.executable, "-m", "simboard", "--dir", str(folder), "--port", str(kept_port(folder))),
        *("--quirk", QUIRK, "--die-with-parent"),
    ]
    return Service(name, program, environment, is_ready=lambda written: bool(ready_line(written)), grace_s=3)


def kept_port(folder: Path) -> int:
    """The port of the board in `folder`: the one it had before, while that is free.

    The site knows a board by its address, so a board that is started again has to be where it was.
    """
    file = folder / "port"
    try:
        before = int(file.read_text())
    except (OSError, ValueError):
        before = 0
    with listen("127.0.0.1", before if 1024 <= before <= 65535 else 0) as server:
        port = int(server.getsockname()[1])
    file.write_text(f"{port}\n")
    return port


def ready_line(written: str) -> dict[str, Any]:
    """The JSON object a simulated board prints when it is ready, {} until then."""
    for line in written.splitlines():
        try:
            facts = json.loads(line)
        except ValueError:
            continue
        if isinstance(facts, dict) and "port" in facts:
            return facts
    return {}


def _says(word: str) -> Callable[[str], bool]:
    return lambda written: word in written


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
