"""The health check of our images: `healthy.py site PORT`, `healthy.py ssh PORT` or `healthy.py process NAME`.

Ends with 0 when the site answers /healthz, when the SSH server greets, or when the container's first process
is NAME and has children or threads.
"""

import http.client
import socket
import sys
from pathlib import Path


def site(port: str) -> bool:
    """Whether the site says that it is alive."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=3)
    connection.request("GET", "/healthz", headers={"X-Forwarded-Proto": "https"})
    return connection.getresponse().status == 200


def ssh(port: str) -> bool:
    """Whether an SSH server greets. It is greeted back and heard to the end, else its log has a traceback a check."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=3) as connection:
        connection.sendall(b"SSH-2.0-healthy\r\n")
        connection.shutdown(socket.SHUT_WR)
        greeting = connection.recv(4)
        while connection.recv(4096):
            pass
        return greeting == b"SSH-"


def process(name: str) -> bool:
    """Whether the first process runs NAME and keeps worker processes, or threads besides its own."""
    first = Path("/proc/1")
    children = (first / "task" / "1" / "children").read_text().split()
    threads = list((first / "task").iterdir())
    return name in (first / "cmdline").read_text() and bool(children or len(threads) > 1)


CHECKS = {"site": site, "ssh": ssh, "process": process}

if __name__ == "__main__":
    try:
        sys.exit(0 if CHECKS[sys.argv[1]](sys.argv[2]) else 1)
    except OSError as error:
        sys.exit(str(error))
