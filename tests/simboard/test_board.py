"""The simulated board as a program: it keeps its identity, and leaves no process behind however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simboard.folder import MARKER, user_name
from simboard.openssh import why_no_login
from simboard.warden import marked
from tests.link.board import ROOT, RunningBoard, read_ready_line, running_board
from tests.link.conftest import KINDS, need_sshd


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "openssh":
        need_sshd()
    return str(request.param)


def mark_of(board: RunningBoard) -> str:
    with board.connect() as link:
        done = link.run(["printenv", MARKER], deadline=time.monotonic() + 10)
    return done.stdout_tail.decode().strip()


def is_empty(mark: str) -> bool:
    until = time.monotonic() + 8
    while marked(mark) and time.monotonic() < until:
        time.sleep(0.05)
    return not marked(mark)


def test_the_host_key_survives_a_restart(kind: str, tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        with running_board(tmp_path, "--sshd", kind) as board:
            keys.append(board.ready["host_key"])
    assert keys[0] == keys[1]


def test_the_ready_line_says_what_it_is(kind: str, tmp_path: Path) -> None:
    with running_board(tmp_path, "--sshd", kind, "--quirk", "transpose-over-4d") as board:
        told = (board.ready["sshd"], board.ready["quirks"], board.ready["simulated"])
    assert told == (kind, ["transpose-over-4d"], True)


def test_commands_start_in_the_boards_own_home(kind: str, tmp_path: Path) -> None:
    with running_board(tmp_path, "--sshd", kind) as board, board.connect() as link:
        done = link.run(["pwd"], deadline=time.monotonic() + 10)
    assert done.stdout_tail.decode().strip() == str(tmp_path / "home")


def test_each_command_waits_as_long_as_told(kind: str, tmp_path: Path) -> None:
    with running_board(tmp_path, "--sshd", kind, "--exec-delay", "0.5") as board, board.connect() as link:
        start = time.monotonic()
        link.run(["true"], deadline=start + 10)
    assert time.monotonic() - start >= 0.5


def test_nothing_runs_on_after_a_polite_end(kind: str, tmp_path: Path) -> None:
    with running_board(tmp_path, "--sshd", kind) as board:
        mark = mark_of(board)
        with board.connect() as link:
            link.run(["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &"], deadline=time.monotonic() + 10)
    assert marked(mark) == []


def test_nothing_runs_on_after_sigkill(kind: str, tmp_path: Path) -> None:
    with running_board(tmp_path, "--sshd", kind) as board:
        mark = mark_of(board)
        with board.connect() as link:
            link.run(["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 &"], deadline=time.monotonic() + 10)
            board.process.kill()
            board.process.wait(5)
    assert is_empty(mark)


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'simboard', '--dir', sys.argv[1], '--die-with-parent'])\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        read_ready_line(parent)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    finally:
        parent.kill()
        parent.wait()
        assert parent.stdout is not None
        parent.stdout.close()
    until = time.monotonic() + 8
    while Path(f"/proc/{children[0]}/cmdline").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{children[0]}/cmdline").exists()


def test_an_unknown_quirk_does_not_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simboard", "--dir", str(tmp_path), "--quirk", "lazy"],
        cwd=ROOT, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, b"transpose-over-4d" in done.stderr) == (2, True)


def test_without_sshd_pythons_server_steps_in_and_says_so(tmp_path: Path) -> None:
    code = (
        "import shutil, sys\n"
        "shutil.which = lambda *args, **options: None\n"
        "from simboard.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--dir", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        ready = read_ready_line(process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert (ready["sshd"], "no sshd on this machine" in str(ready["note"])) == ("paramiko", True)


def test_a_locked_account_is_known_before_sshd_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text(f"{user_name()}:!:19000::::::\n")
    assert "is locked" in why_no_login(tmp_path / "shadow")


def test_an_account_without_password_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text(f"{user_name()}:*:19000::::::\n")
    assert why_no_login(tmp_path / "shadow") == ""


def test_a_busy_port_is_told(tmp_path: Path) -> None:
    with running_board(tmp_path / "one", "--sshd", "paramiko") as board:
        done = subprocess.run(
            [sys.executable, "-m", "simboard", "--dir", str(tmp_path / "two"), "--port", str(board.port)],
            cwd=ROOT, capture_output=True, timeout=30, check=False,
            env={**os.environ, "LANG": "C"},
        )  # fmt: skip
    assert (done.returncode, b"in use" in done.stderr) == (1, True)


def test_the_private_host_key_is_for_its_owner_only(tmp_path: Path) -> None:
    with running_board(tmp_path, "--sshd", "paramiko"):
        assert (tmp_path / "host_key").stat().st_mode & 0o077 == 0


def test_the_ready_line_is_one_line_of_json(tmp_path: Path) -> None:
    with running_board(tmp_path, "--sshd", "paramiko") as board:
        assert json.loads(json.dumps(board.ready))["port"] > 1023


def test_the_images_health_check_leaves_nothing_in_the_boards_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check = [sys.executable, str(ROOT / "docker" / "healthy.py"), "ssh"]
    with running_board(tmp_path, "--sshd", "paramiko") as board:
        done = subprocess.run([*check, str(board.port)], timeout=30, check=False)
    assert (done.returncode, capfd.readouterr().err) == (0, "")
