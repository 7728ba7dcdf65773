"""The centre (PostgreSQL, Redis, S3 store, web, dispatcher, converter) and two labs, as an operator starts them."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg

from dashboard.supervisor.sockets import free_port
from dashboard.supervisor.stack import MANAGE, ready_line
from tests import postgres
from tests.chaos.processes import ROOT, Process
from tests.chaos.settings import TIMES
from tests.files.s3server import KEY_ID, SECRET, make_bucket, s3_server
from tests.sites.certificates import Certificates, certificates_for
from tests.sites.namespaces import Namespace, link, namespaces

LABS = ("lab-a", "lab-b")
GUNICORN = [sys.executable, "-m", "gunicorn", "dashboard.wsgi", "--worker-class", "gthread", "--threads", "8"]


@dataclass
class Lab:
    """A lab: where its worker and its boards live, and both as processes."""

    name: str
    inside: Namespace
    network: Namespace
    board_address: str
    worker: Process
    board: Process
    folder: Path
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(str(self.facts["port"]))


class Farm:
    """Everything, started by `running`."""

    def __init__(
        self, folder: Path, centre: Namespace, addresses: dict[str, str], pems: Certificates
    ) -> None:
        self.folder, self.centre, self.addresses, self.pems = folder, centre, addresses, pems
        self.secret = secrets.token_urlsafe(32)
        self.redis_password = secrets.token_urlsafe(12)
        self.redis_port = free_port()
        self.web_port = free_port()
        self.owner_url = ""
        self.endpoints: dict[str, str] = {}
        self.labs: dict[str, Lab] = {}
        self.processes: list[Process] = []
        (folder / "log").mkdir()
        (folder / "ca.pem").write_text(pems.authority)

    @property
    def url(self) -> str:
        """The site, for people in the centre."""
        return f"http://127.0.0.1:{self.web_port}"

    def environment(self, place: str, database: str) -> dict[str, str]:
        """The settings of a machine: `place` is "centre" or a lab, which tells the address that it calls."""
        address, ca = self.addresses[place], quote(str(self.folder / "ca.pem"), safe="/")
        secret = quote(self.redis_password)
        return {
            **TIMES,
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "PYTHONUNBUFFERED": "1",
            "LAYERWISE_DATA": str(self.folder / place),
            "LAYERWISE_MIN_FREE_MB": "0",
            "LAYERWISE_SECRET_KEY": self.secret,
            "LAYERWISE_BOARD_NETWORKS": "192.168.0.0/16",
            "LAYERWISE_DATABASE_URL": f"{database}?sslmode=verify-full&sslrootcert={ca}",
            "REDIS_URL": f"rediss://:{secret}@{address}:{self.redis_port}/0?ssl_ca_certs={ca}",
            "LAYERWISE_STORE": f"s3://layerwise/files?endpoint={self.endpoints[place]}",
            "LAYERWISE_STORE_KEY_ID": KEY_ID,
            "LAYERWISE_STORE_SECRET": SECRET,
        }

    def database(self, place: str, role: str = "", password: str = "") -> str:
        """The address of the database as this machine calls it."""
        own = urlsplit(self.owner_url)
        login = f"{role}:{quote(password)}" if role else f"{own.username}:{own.password}"
        return f"postgres://{login}@{self.addresses[place]}:{own.port}{own.path}"

    def manage(self, *words: str, **options: str) -> str:
        """Run manage.py in the centre, as the owner of the database; what it prints."""
        done = subprocess.run(
            [*MANAGE, *words], env={**os.environ, **self.environment("centre", self.database("centre"))},
            cwd=ROOT, capture_output=True, text=True, check=False, **options,
        )  # type: ignore[call-overload]  # fmt: skip
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def process(self, name: str, program: list[str], sign: str, environment: dict[str, str]) -> Process:
        """A process that is ended with the farm."""
        log = self.folder / "log" / f"{name}.log"
        log.touch()
        process = Process(name, program, environment, log, sign)
        self.processes.append(process)
        return process

    def ask_database(self, query: str) -> list[tuple[object, ...]]:
        """The answer of the owner's database."""
        with psycopg.connect(self.owner_url.replace("postgres://", "postgresql://")) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def start_redis(self) -> None:
        """Redis by TLS only, with a password."""
        for name, text in (("redis.crt", self.pems.certificate), ("redis.key", self.pems.key)):
            (self.folder / name).write_text(text)
        program = [
            "redis-server", "--port", "0", "--tls-port", str(self.redis_port), "--save", "",
            "--bind", "127.0.0.1", *(self.addresses[lab] for lab in LABS),
            "--tls-cert-file", str(self.folder / "redis.crt"), "--tls-key-file", str(self.folder / "redis.key"),
            "--tls-ca-cert-file", str(self.folder / "ca.pem"), "--tls-auth-clients", "no",
            "--requirepass", self.redis_password, "--dir", str(self.folder),
        ]  # fmt: skip
        self.process("redis", program, "Ready to accept connections", {}).start()
        self.processes[-1].wait_until_ready()

    def start_centre(self) -> None:
        """Migrate, then web, dispatcher and converter."""
        self.manage("migrate", "--no-input", "--verbosity", "0")
        told = self.environment("centre", self.database("centre"))
        bind = ["--bind", f"127.0.0.1:{self.web_port}", "--no-control-socket"]
        self.process("web", [*GUNICORN, *bind], "Listening at", told).start()
        self.process("dispatcher", [*MANAGE, "dispatcher"], "", told).start()
        converter = [*MANAGE, "worker", "--converter", "--processes", "1"]
        self.process("converter", converter, "[queues]", told).start()
        for process in self.processes[-3:]:
            process.wait_until_ready()

    def start_lab(self, name: str, inside: Namespace, network: Namespace, board_address: str) -> None:
        """A lab's board in its network, and its worker with a database role of its own."""
        role, password = name.replace("-", "_"), secrets.token_urlsafe(12)
        self.make_role(role, password)
        board_folder = self.folder / f"board-{name}"
        board = self.process(
            f"board-{name}",
            [sys.executable, "-m", "simboard", "--dir", str(board_folder), "--host", board_address],
            '"port"',
            {},
        )
        worker = self.process(
            f"worker-{name}",
            [*MANAGE, "worker", "--site", name, "--processes", "1"],
            "[queues]",
            self.environment(name, self.database(name, role, password)),
        )
        lab = self.labs[name] = Lab(name, inside, network, board_address, worker, board, board_folder)
        with network.entered():
            board.start()
        board.wait_until_ready()
        lab.facts = ready_line(board.written())
        self.start_worker(lab)

    def start_worker(self, lab: Lab) -> None:
        with lab.inside.entered():
            lab.worker.start()
        lab.worker.wait_until_ready()

    def make_role(self, role: str, password: str) -> None:
        """The role of a lab, by the words of docs/sites.md."""
        [text] = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "sites.md").read_text(), re.DOTALL)
        text = text.replace("lab_b", role).replace("change me", password)
        with psycopg.connect(self.owner_url.replace("postgres://", "postgresql://")) as connection:
            connection.execute(text)

    def register(self, lab: Lab) -> None:
        """Make the lab's board one of the project's, by manage.py."""
        (self.folder / f"{lab.name}.pub").write_text(f"{lab.facts['host_key']}\n")
        told = self.manage(
            "board", "add", f"board-{lab.name}", "--address", lab.board_address, "--port", str(lab.port),
            "--user", str(lab.facts["user"]), "--project", "farm", "--npu", "sim", "--site", lab.name,
            "--host-key-file", str(self.folder / f"{lab.name}.pub"),
            "--fingerprint", str(lab.facts["fingerprint"]), "--work-folder", str(lab.facts["workdir"]),
        )  # fmt: skip
        authorized = lab.folder / "authorized_keys"
        authorized.write_text(told.splitlines()[-1] + "\n")
        authorized.chmod(0o600)

    def end(self) -> None:
        """End everything, the last started first."""
        for process in reversed(self.processes):
            process.end(signal.SIGTERM, 8)


def redis_speaks_tls() -> bool:
    """Was the redis-server of this machine built with TLS?"""
    program = shutil.which("redis-server")
    if program is None:
        return False
    done = subprocess.run(
        [program, "--port", "0", "--tls-port", "1", "--tls-cert-file", "/nowhere"],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    return "Bad directive" not in done.stdout + done.stderr


@contextmanager
def running(folder: Path, programs: Path) -> Iterator[Farm]:
    """Two labs and a centre, for as long as the block lasts; this thread is in the centre meanwhile."""
    with ExitStack() as stack:
        made = stack.enter_context(namespaces("centre", *LABS, *(f"boards of {lab}" for lab in LABS)))
        centre, insides, networks = made[0], dict(zip(LABS, made[1:3], strict=True)), made[3:]
        addresses = {"centre": "127.0.0.1", "lab-a": "10.213.1.1", "lab-b": "10.213.2.1"}
        for number, lab in enumerate(LABS, 1):
            link(
                centre,
                insides[lab],
                (f"to-{lab}", "outward"),
                (f"10.213.{number}.1/30", f"10.213.{number}.2/30"),
            )
            link(
                insides[lab], networks[number - 1], ("boards", "lab"),
                (f"192.168.{number}.1/24", f"192.168.{number}.2/24"),
            )  # fmt: skip
        stack.enter_context(centre.entered())
        pems = certificates_for(list(addresses.values()))
        farm = Farm(folder, centre, addresses, pems)
        stack.callback(farm.end)
        networks_in = ("127.0.0.1/32", "10.213.0.0/16")
        listening = ",".join(addresses[lab] for lab in LABS)
        reachable = postgres.Reachable(listening, networks_in, pems.certificate, pems.key)
        farm.owner_url = stack.enter_context(postgres.server(programs, reachable))
        stack.callback(farm.end)  # before PostgreSQL goes
        port = urlsplit(stack.enter_context(s3_server(folder / "log" / "s3.log", "0.0.0.0"))).port
        farm.endpoints = {place: f"http://{address}:{port}" for place, address in addresses.items()}
        make_bucket(farm.endpoints["centre"], "layerwise")
        farm.start_redis()
        farm.start_centre()
        for number, lab in enumerate(LABS, 1):
            farm.start_lab(lab, insides[lab], networks[number - 1], f"192.168.{number}.2")
        yield farm
