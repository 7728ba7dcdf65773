"""A name is looked up by a deadline, also where the resolver is silent."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from workers.lookup import look_up

# A name server of a namespace of our own that takes every question and answers none.
SILENT = """\
import socket, sys
from workers.lookup import look_up

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
try:
    look_up("board.lab", 22, deadline_s=1.0)
except TimeoutError as error:
    print(error, "- asked:", b"board" in server.recv(512))
"""
INSIDE = """\
set -e
ip link set lo up
mount --bind "$1/resolv.conf" /etc/resolv.conf
mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf
exec "$2" -c "$3"
"""


def test_a_name_leads_to_its_numbers() -> None:
    assert "127.0.0.1" in {way[4][0] for way in look_up("localhost", 22)}


def test_a_name_that_nobody_knows_is_told_as_the_resolver_tells_it() -> None:
    with pytest.raises(socket.gaierror):
        look_up("no-such-board.invalid", 22, deadline_s=120)


def test_what_is_no_name_is_told() -> None:
    with pytest.raises(UnicodeError):
        look_up("a" * 70 + ".invalid", 22)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip") or not Path("/etc/resolv.conf").exists(),
    reason="needs root and iproute2 for a namespace",
)
def test_a_resolver_that_does_not_answer_is_waited_for_until_the_deadline_only(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: files dns\n")
    words = ["unshare", "-m", "-n", "sh", "-c", INSIDE, "sh", str(tmp_path), sys.executable]
    done = subprocess.run(
        [*words, SILENT],
        check=False,
        capture_output=True,
        text=True,
        timeout=25,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout == "no answer from the resolver within 1 s - asked: True\n", done.stderr
