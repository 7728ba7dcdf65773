"""A private PostgreSQL for tests: a new cluster in a temporary folder, on loopback, gone afterwards.

`python -m tests.postgres -- COMMAND...` runs the command with LAYERWISE_DATABASE_URL set and ends with its
status. Without PostgreSQL it says so and ends with 0, with REQUIRE_ALL=1 with 1. PostgreSQL refuses to run as
root, so root becomes the user `postgres` for it.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dashboard.supervisor import kernel
from dashboard.supervisor.sockets import free_port

USER = "postgres"
START_S = 30.0


def programs() -> Path | None:
    """The folder that holds initdb and postgres, the newest version first; None when there is none."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    on_path = [Path(found).parent] if (found := shutil.which("initdb")) else []
    return next(
        (path for path in folders + on_path if (path / "initdb").exists() and (path / "postgres").exists()),
        None,
    )


@dataclass(frozen=True)
class Reachable:
    """Where else than on loopback a cluster listens: addresses, the networks let in by TLS, its certificate and key."""

    addresses: str  # separated by commas
    networks: tuple[str, ...]
    certificate: str
    key: str


@contextlib.contextmanager
def server(where: Path, reachable: Reachable | None = None) -> Iterator[str]:
    """Run a cluster made for the occasion; yields its LAYERWISE_DATABASE_URL, on loopback."""
    with tempfile.TemporaryDirectory(prefix="layerwise-postgres-") as name:
        folder, port, password = Path(name), free_port(), secrets.token_urlsafe(16)
        (folder / "password").write_text(password)
        _give_away(folder)
        _make_cluster(where, folder)
        options = _open_up(folder / "cluster", reachable) if reachable else {}
        process = _start(where, folder, port, options)
        try:
            _wait(process, where, folder, port)
            yield f"postgres://{USER}:{quote(password)}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # fast shutdown: PostgreSQL ends its sessions itself
            process.wait(30)


def _give_away(folder: Path) -> None:
    """Root's folder becomes the unprivileged user's."""
    if os.geteuid() == 0:
        owner = pwd.getpwnam(USER)
        for path in (folder, folder / "password"):
            os.chown(path, owner.pw_uid, owner.pw_gid)


def _unprivileged() -> dict[str, object]:
    """How a child of root gives up its rights; nothing for everybody else."""
    if os.geteuid() != 0:
        return {}
    owner = pwd.getpwnam(USER)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _make_cluster(where: Path, folder: Path) -> None:
    command = [
        *(
            str(where / "initdb"),
            "--pgdata",
            str(folder / "cluster"),
            "--username",
            USER,
            "--encoding",
            "UTF8",
        ),
        *("--no-locale", "--auth", "scram-sha-256", "--pwfile", str(folder / "password"), "--no-sync"),
    ]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, **_unprivileged())  # type: ignore[call-overload]


def _open_up(cluster: Path, reachable: Reachable) -> dict[str, str]:
    """Let the networks in by TLS only; the options that go with it."""
    owner = (cluster / "pg_hba.conf").stat()
    for name, text in (("server.crt", reachable.certificate), ("server.key", reachable.key)):
        (cluster / name).write_text(text)
        (cluster / name).chmod(0o600)
        os.chown(cluster / name, owner.st_uid, owner.st_gid)
    with (cluster / "pg_hba.conf").open("a") as rules:
        rules.writelines(f"hostssl all all {network} scram-sha-256\n" for network in reachable.networks)
    return {"ssl": "on", "listen_addresses": f"127.0.0.1,{reachable.addresses}"}


def _start(where: Path, folder: Path, port: int, more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Nothing of it must last, so it does not wait for the disk."""
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "120",
        **more,
    }
    settings = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    with (folder / "log").open("wb") as log:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [str(where / "postgres"), "-D", str(folder / "cluster"), *settings],
            cwd=folder,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - no thread runs here
            **_unprivileged(),  # type: ignore[call-overload]
        )
        return process


def _die_with(parent: int) -> Callable[[], None]:
    return lambda: kernel.die_with(parent, signal.SIGQUIT)


def _wait(process: "subprocess.Popen[bytes]", where: Path, folder: Path, port: int) -> None:
    ready = [str(where / "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(port)]
    deadline = time.monotonic() + START_S
    while subprocess.run(ready, check=False).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}")
        time.sleep(0.1)


def main(arguments: list[str]) -> int:
    """Run the command behind `--`."""
    where = programs()
    if where is None or (os.geteuid() == 0 and not _has_user()):
        print("PostgreSQL is not installed here, so the tests ran on SQLite only (Debian: postgresql).")
        return 1 if os.environ.get("REQUIRE_ALL", "") not in ("", "0") else 0
    with server(where) as url:
        print(f"The tests that touch the database, once more on PostgreSQL ({where})", flush=True)
        return subprocess.run(
            arguments[1:], env={**os.environ, "LAYERWISE_DATABASE_URL": url}, check=False
        ).returncode


def _has_user() -> bool:
    return any(user.pw_name == USER for user in pwd.getpwall())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
