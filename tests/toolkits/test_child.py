"""Children that crash, hang, eat, flood and multiply: each ends with the right reason, and nothing of it survives."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers import child
from workers.child import Ended, Limits, isolation, run_child
from workers.childlog import LOG_BYTES

ROOT = Path(__file__).resolve().parents[2]


class Outcome:
    """How a child ended, what it said, and the mark by which its processes are recognised."""

    def __init__(self, folder: Path, network: bool) -> None:
        self.folder, self.network = folder, network
        self.mark = f"mark-{uuid.uuid4().hex}"
        self.events: list[dict[str, object]] = []
        self.log: list[str] = []

    def run(self, code: str, should_stop=lambda: False, **limits) -> Ended:
        return run_child(
            [sys.executable, "-I", "-c", code, self.mark],
            folder=self.folder,
            limits=Limits(**{"seconds": 20, "network": self.network, **limits}),
            on_event=self.events.append,
            on_log=self.log.append,
            should_stop=should_stop,
        )

    def survivors(self) -> list[int]:
        return [pid for pid in pids() if self.mark.encode() in command_line(pid)]


def pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(params=["best", "without namespaces"])
def outcome(request, tmp_path: Path) -> Iterator[Outcome]:
    """Every fault is tried at the machine's best isolation and at the least one, which every machine has."""
    made = Outcome(tmp_path, network=request.param != "best")
    yield made
    assert made.survivors() == []


GRANDCHILD = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    os._exit(0)
"""


def test_an_exit_status_is_passed_on(outcome):
    assert outcome.run("raise SystemExit(3)") == Ended(3, None, "exited")


def test_a_segmentation_fault_is_a_signal(outcome):
    ended = outcome.run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert ended == Ended(None, signal.SIGSEGV, "exited")


def test_a_hang_that_ignores_the_polite_request_is_killed(outcome):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    assert outcome.run(code, seconds=0.5) == Ended(None, signal.SIGKILL, "timed-out")


def test_a_child_may_end_in_order_when_asked_to(outcome):
    code = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(5)); time.sleep(600)"
    assert outcome.run(code, seconds=1) == Ended(5, None, "timed-out")


def test_silence_ends_a_child(outcome):
    assert outcome.run("import time; time.sleep(600)", silence_seconds=0.5).reason == "silent"


def test_a_memory_eater_is_killed(outcome):
    code = "import time\nx = []\nwhile True:\n    x.append(bytearray(b'1' * 20_000_000)); time.sleep(0.005)"
    assert outcome.run(code, memory_mb=300).reason == "memory"


def test_memory_of_all_its_processes_counts_together(outcome):
    code = "import os, time\nfor i in range(3):\n    os.fork()\nx = b'1' * 60_000_000\ntime.sleep(600)"
    assert outcome.run(code, memory_mb=300).reason == "memory"


def test_one_huge_file_is_refused_by_the_kernel(outcome):
    ended = outcome.run("open('big', 'wb').write(b'1' * 30_000_000)", file_mb=10)
    assert ended.status == 1 and "File too large" in outcome.log[-1]


def test_many_files_together_fill_the_allowance(outcome):
    code = "import time\nfor i in range(9):\n    open(f'f{i}', 'wb').write(b'1' * 5_000_000)\ntime.sleep(600)"
    assert outcome.run(code, file_mb=10).reason == "disk"


def test_a_fork_bomb_is_stopped(outcome):
    code = "import os, time\nfor i in range(200):\n    if os.fork() == 0:\n        time.sleep(600)\ntime.sleep(600)"
    assert outcome.run(code, processes=40).reason == "processes"


def test_a_grandchild_that_hides_in_its_own_session_dies_with_the_job(outcome):
    outcome.run(GRANDCHILD + "print('started')")
    assert outcome.log == ["started"]


def test_somebody_can_stop_it(outcome):
    end = time.monotonic() + 0.5
    assert outcome.run("import time; time.sleep(600)", lambda: time.monotonic() > end).reason == "stopped"


def test_an_exception_of_a_callback_ends_the_child_and_passes_on(outcome):
    def fail() -> bool:
        raise LookupError("lease")

    with pytest.raises(LookupError):
        outcome.run("import time; time.sleep(600)", fail)


def test_a_gigabyte_of_log_is_cut(outcome):
    code = """
import sys
for i in range(1024):
    sys.stdout.buffer.write(b"a line of log text\\n" * 52429)
"""
    outcome.run(code, seconds=60)
    assert LOG_BYTES < sum(len(line) + 1 for line in outcome.log) + 100 < LOG_BYTES + 1000


def test_an_event_after_a_flood_of_log_still_arrives(outcome):
    code = """
import sys
sys.stdout.write("x" * 99 + "\\n"); sys.stdout.write(("y" * 99 + "\\n") * 50_000)
print('{"event": "stage", "name": "late", "done": 1, "total": 2}')
"""
    outcome.run(code)
    assert outcome.events == [{"event": "stage", "name": "late", "done": 1, "total": 2}]


def test_colours_progress_bars_and_control_characters_are_cleaned(outcome):
    outcome.run(r"print('10 %\r50 %\r\x1b[31mdone\x1b[0m\x07\x00')")
    assert outcome.log == ["done"]


def test_what_only_looks_like_an_event_is_log(outcome):
    outcome.run("""print('{"event": "stage", "name": 3}')""")
    assert outcome.events == [] and outcome.log == ['{"event": "stage", "name": 3}']


def test_the_environment_holds_no_secrets(outcome, monkeypatch):
    monkeypatch.setenv("LAYERWISE_SECRET_KEY", "hidden")
    outcome.run("import os; print(sorted(os.environ))")
    assert "LAYERWISE" not in outcome.log[0]


def test_home_and_temporary_files_are_the_folder(outcome):
    outcome.run("import os, tempfile; print(os.getcwd() == os.environ['HOME'] == tempfile.gettempdir())")
    assert outcome.log == ["True"]


def test_no_core_files_few_open_files_no_new_privileges(outcome):
    code = """
import resource
print(resource.getrlimit(resource.RLIMIT_CORE)[0], resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 1024)
print([line.split()[1] for line in open('/proc/self/status') if line.startswith('NoNewPrivs')])
"""
    outcome.run(code)
    assert outcome.log == ["0 True", "['1']"]


def test_a_missing_program_is_said(tmp_path):
    log: list[str] = []
    ended = run_child(
        ["/no/such/program"],
        folder=tmp_path,
        limits=Limits(seconds=10),
        on_event=lambda event: None,
        on_log=log.append,
        should_stop=lambda: False,
    )
    assert ended.status == 127 and "/no/such/program" in log[0]


@pytest.mark.skipif(isolation() != "namespaces", reason="this machine allows no user namespaces")
def test_there_is_no_network(tmp_path):
    outcome = Outcome(tmp_path, network=False)
    outcome.run("import socket; socket.create_connection(('127.0.0.1', 9), timeout=3)")
    assert "Network is unreachable" in outcome.log[-1]


CONNECTING = """
import socket, sys
here, there = socket.socketpair()
print("a pair is possible", flush=True)
local = socket.socket(socket.AF_UNIX)
socket.create_connection(("127.0.0.1", 9), timeout=3)
"""


def without_namespaces(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `code` where no user namespace can be made: in the last one, where there are any."""
    argv = [sys.executable, "-c", code, *arguments]
    if isolation() == "namespaces":
        none_more = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"'
        argv = ["unshare", "--user", "--map-root-user", "sh", "-c", none_more, *argv]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)


@pytest.fixture(scope="module")
def filtered(tmp_path_factory) -> str:
    """What a child says that tries all sorts of sockets on a machine without namespaces."""
    folder = str(tmp_path_factory.mktemp("filtered"))
    return without_namespaces(WORKER, folder, CONNECTING, "mark", "best").stdout


def test_without_namespaces_there_is_no_network_either(filtered):
    assert "Network is unreachable" in filtered


def test_without_namespaces_processes_may_still_talk_to_each_other(filtered):
    assert "a pair is possible" in filtered and "create_connection" in filtered


WORKER = """
import sys
from pathlib import Path
from workers.child import Limits, run_child
run_child([sys.executable, "-I", "-c", sys.argv[2], sys.argv[3]], folder=Path(sys.argv[1]),
          limits=Limits(seconds=300, network=sys.argv[4] == "plain"),
          on_event=print, on_log=lambda text: print(text, flush=True), should_stop=lambda: False)
"""


@pytest.mark.parametrize("level", ["best", "plain"])
def test_when_the_worker_is_killed_nothing_survives(tmp_path, level):
    outcome = Outcome(tmp_path, network=level == "plain")
    code = GRANDCHILD + "print('started', flush=True); time.sleep(600)"
    argv = [sys.executable, "-c", WORKER, str(tmp_path), code, outcome.mark, level]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT) as worker:
        assert worker.stdout is not None and worker.stdout.readline() == b"started\n"
        worker.kill()
    assert gone(outcome, seconds=5)


@pytest.mark.skipif(isolation() != "namespaces", reason="this machine allows no user namespaces")
def test_when_the_guard_is_killed_nothing_survives(tmp_path):
    outcome = Outcome(tmp_path, network=False)

    def kill_guard() -> bool:
        for pid in outcome.survivors():
            if child.GUARD.name.encode() in command_line(pid) and outcome.log:
                os.kill(pid, signal.SIGKILL)
        return False

    ended = outcome.run(GRANDCHILD + "print('started', flush=True); time.sleep(600)", kill_guard)
    assert (ended.reason, gone(outcome, seconds=5)) == ("abandoned", True)


def gone(outcome: Outcome, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while outcome.survivors() and time.monotonic() < end:
        time.sleep(0.05)
    return not outcome.survivors()
