"""Whole runs on emulated boards, by the agent in Python and by the one in C, through everything that a worker does."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from boardagent import tensorfile
from tests.armhf.board import EMULATED, EmulatedBoard, emulated_board
from tests.armhf.conftest import Boards
from tests.armhf.cross import compile_for_boards
from tests.armhf.recipes import KINDS
from tests.armhf.rknn1 import ON_BOARD, SHARED, STANDIN, Here, write_job
from tests.armhf.test_boards import says
from tests.link.board import ROOT
from workers.errors import JobError, LeaseLost
from workers.link.results import LayerFiles, RunResult
from workers.link.session import BoardSession

Event = dict[str, Any]
WORKDIR = "/userdata/layerwise"
QUICK = replace(EMULATED, connect_s=3.0, channel_s=3.0, user_timeout_s=2.0)
SERVED = {"python3.11-sshd": "python", "python3.9-busybox": "python", "no-python": "c"}
BOTH_AGENTS = ["python3.9-busybox", "no-python"]


@dataclass
class Served:
    """A board with the stand-in on it, and how a worker visits it."""

    board: EmulatedBoard
    agents: Path
    folder: Path
    fence: int = 0
    visits: int = 0

    def visit(
        self, model: str = "h 6", *, workdir: str = WORKDIR, silence_s: float = 30.0, resume_s: float = 30.0,
        on_event: Callable[[Event], None] = lambda event: None, **job: Any,
    ) -> RunResult:  # fmt: skip
        """One run, as a worker does it."""
        self.fence, self.visits = self.fence + 1, self.visits + 1
        here, into = self.folder / f"job-{self.visits}", self.folder / f"results-{self.visits}"
        here.mkdir(), into.mkdir()
        write_job(here, model)
        files = {name: here / name for name in ("model.rknn", "inputs.safetensors")}
        asked = {"run": "1", "npu": "rknn1", "artifact": "model.rknn", "inputs": "inputs.safetensors",
                 "modes": ["plain"], "warmup": 1, "iterations": 3, **job}  # fmt: skip

        def again() -> Any:
            return self.board.connect(patience=QUICK)

        with again() as link, BoardSession(
            link, workdir, silence_s=silence_s, resume_s=resume_s, c_agents=self.agents,
            reconnect=again,
        ) as session:  # fmt: skip
            return session.run(asked, files, into, deadline_s=150, fence=self.fence, on_event=on_event)

    def code(self, *model: str, **options: Any) -> str:
        """The failure's code of a run that fails."""
        with pytest.raises(JobError) as caught:
            self.visit(*model, **options)
        return caught.value.code


@pytest.fixture(scope="module")
def made(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the board's SDK builds: the stand-in, and in agents/ the C agent."""
    folder = tmp_path_factory.mktemp("made")
    compile_for_boards(STANDIN, folder / "librknn_api.so", *SHARED, "-lm")
    (folder / "agents").mkdir()
    source = ROOT / "boardagent" / "c" / "layerwise_agent.c"
    compile_for_boards(source, folder / "agents" / "layerwise-agent-armv7l", "-lm", "-ldl", "-lpthread")
    return folder


def serving(kind: str, made: Path, folder: Path) -> Iterator[Served]:
    library = (made / "librknn_api.so").read_bytes()
    with emulated_board(KINDS[kind], furnish=lambda board: board.write(ON_BOARD, library)) as board:
        yield Served(board, made / "agents", folder)


@pytest.fixture(scope="module", params=SERVED)
def served(
    request: pytest.FixtureRequest, made: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A board of each kind; tests must leave it as it was."""
    yield from serving(request.param, made, tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module", params=BOTH_AGENTS)
def either(
    request: pytest.FixtureRequest, made: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A board of each agent; tests must leave it as it was."""
    yield from serving(request.param, made, tmp_path_factory.mktemp("either"))


@pytest.fixture(params=BOTH_AGENTS)
def own(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[Served]:
    """A board for one test, which may break it."""
    yield from serving(request.param, made, tmp_path)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Here:
    """This machine."""
    return Here(tmp_path_factory.mktemp("here"))


def tensors(path: Path) -> dict[str, bytes]:
    with tensorfile.TensorFile(str(path)) as file:
        return {name: file.read(name) for name in file.entries}


def test_the_agent_is_of_the_kind_that_the_board_can_run(served: Served) -> None:
    with served.board.connect() as link, BoardSession(link, WORKDIR, c_agents=served.agents) as session:
        assert session.hello().kind == SERVED[served.board.kind.name]


def test_a_board_tells_its_npu(served: Served) -> None:
    with served.board.connect() as link, BoardSession(link, WORKDIR, c_agents=served.agents) as session:
        assert session.hello().npus == ("rknn1",)


def test_every_step_of_a_probe_is_told(served: Served) -> None:
    steps: list[Event] = []
    with served.board.connect() as link, BoardSession(link, WORKDIR, c_agents=served.agents) as session:
        session.probe(steps.append)
    assert [step["ok"] for step in steps if step["event"] == "step"].count(True) >= 2


@pytest.fixture(scope="module")
def visited(served: Served) -> RunResult:
    """What one run of every mode brought home."""
    return served.visit(modes=["plain", "timed", "dump"])


def test_the_outputs_are_those_of_x86_64(visited: RunResult, here: Here) -> None:
    assert visited.plain is not None
    assert tensors(visited.plain.outputs) == tensors(here.child("plain", "h 6").out / "outputs.safetensors")


def test_every_iteration_is_timed(visited: RunResult) -> None:
    assert visited.plain is not None
    assert (len(visited.plain.iterations_us), len(visited.plain.wall_us)) == (3, 3)


def test_the_layers_times_have_their_units(visited: RunResult) -> None:
    assert visited.timed is not None
    assert {layer.target for layer in visited.timed.layers} == {"TP", "NN", "SH"}


def test_the_dumped_layers_are_those_of_x86_64(visited: RunResult, here: Here) -> None:
    assert isinstance(visited.dump, LayerFiles)
    folder, listed = visited.dump.folder, visited.dump.listed["files"]
    there = {entry["label"]: (folder / entry["name"]).read_text() for entry in listed}
    assert there == {
        path.name: path.read_text() for path in here.child("dump", "h 6").out.glob("NodeID_*_*_*")
    }


def test_the_stand_in_never_passes_for_a_real_board(visited: RunResult) -> None:
    assert visited.simulated


def test_the_fingerprint_is_the_boards_own(visited: RunResult) -> None:
    before = visited.fingerprint.before
    assert (before["machine"], [*before["libraries"]]) == ("armv7l", ["/usr/lib/librknn_api.so"])


def test_nothing_but_the_agent_stays(visited: RunResult, served: Served) -> None:
    assert [name for name in says(served.board, "ls", WORKDIR).split() if name.startswith("run-")] == []


FAULTS = {
    "init:-13": "board:rejected-artifact",
    "run:-3": "board:npu-unavailable",
    "exit": "board:npu-exited",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_library_ends_the_run_with_its_code(either: Served, fault: str) -> None:
    assert either.code(f"fault {fault}") == FAULTS[fault]


def test_a_library_that_hangs_is_told(either: Served) -> None:
    assert either.code("fault hang", hang_s=1) == "board:npu-hung"


def test_a_chatty_library_does_not_disturb_the_channel(either: Served) -> None:
    plain = either.visit("fault chatty", iterations=2).plain
    assert plain is not None and len(plain.iterations_us) == 2


def test_a_disk_that_is_too_small_is_told_before_anything_runs(either: Served) -> None:
    stages: list[object] = []
    code = either.code(
        workdir="/mnt/small", disk_bytes=1 << 30, on_event=lambda event: stages.append(event.get("name"))
    )
    assert (code, "plain" in stages) == ("board:disk-full", False)


def test_an_older_fence_loses_the_board(either: Served) -> None:
    either.visit()
    either.fence -= 2
    with pytest.raises(LeaseLost):
        either.visit()
    either.fence += 2


class At:
    """Does something when the run tells of a stage, once, from a thread of its own; and counts what is told."""

    def __init__(self, stage: str, *acts: Callable[[], None], pause_s: float = 0.3) -> None:
        self.told: list[str] = []
        self.struck_at = 0.0
        self._stage, self._acts, self._pause_s = stage, acts, pause_s
        self.thread = threading.Thread(target=self._do)

    def __call__(self, event: Event) -> None:
        if event.get("event") == "stage":
            self.told.append(str(event.get("name")))
            if event.get("name") == self._stage and not self.thread.ident:
                self.thread.start()

    def __enter__(self) -> "At":
        return self

    def __exit__(self, *_: object) -> None:
        if self.thread.ident:
            self.thread.join()

    def _do(self) -> None:
        for act in self._acts:
            time.sleep(self._pause_s)
            self.struck_at = self.struck_at or time.monotonic()
            act()


SLOW_DUMP = "dump_mb 6\ndump_pause_ms 300"


def test_a_link_that_comes_back_costs_nothing_but_time(own: Served) -> None:
    net = own.board.net
    with At("dump", net.pull, lambda: time.sleep(2), net.plug) as fault:
        result = own.visit(SLOW_DUMP, modes=["dump"], on_event=fault)
    assert isinstance(result.dump, LayerFiles)
    assert len(result.dump.listed["files"]) > 3


def test_the_network_is_not_executed_again_for_a_lost_link(own: Served) -> None:
    net = own.board.net
    with At("dump", lambda: net.block("reject with tcp reset"), net.unblock, pause_s=0.7) as fault:
        own.visit(SLOW_DUMP, modes=["plain", "dump"], on_event=fault)
    assert [fault.told.count(mode) for mode in ("plain", "dump")] == [1, 1]


def test_swallowed_packets_are_survived(own: Served) -> None:
    net = own.board.net
    with At("dump", net.block, lambda: time.sleep(2), net.unblock) as fault:
        result = own.visit(SLOW_DUMP, modes=["dump"], on_event=fault)
    assert isinstance(result.dump, LayerFiles)


def test_a_board_that_reboots_in_a_run_is_told_and_taken_again(own: Served) -> None:
    with At("dump", own.board.reboot) as fault:
        code = own.code(SLOW_DUMP, modes=["dump"], on_event=fault)
    assert (code, own.visit().plain is None) == ("board:rebooted", False)


@pytest.mark.parametrize("fault", ["freeze", "switch_off"])
def test_a_board_that_falls_silent_in_a_run_is_given_up(own: Served, fault: str) -> None:
    with At("dump", getattr(own.board, fault)) as strike:
        code = own.code(SLOW_DUMP, modes=["dump"], on_event=strike, silence_s=3.0, resume_s=2.0)
    assert (code, time.monotonic() - strike.struck_at < 60) == ("board:link-lost", True)


def test_half_a_python_is_served_by_the_c_agent(made: Path, boards: Boards) -> None:
    with (
        boards("half-a-python").connect() as link,
        BoardSession(link, WORKDIR, c_agents=made / "agents") as session,
    ):
        assert session.hello().kind == "c"


def test_the_c_agent_needs_no_newer_c_library_than_old_boards_have(made: Path) -> None:
    versions = set()
    for part in (made / "agents" / "layerwise-agent-armv7l").read_bytes().split(b"\0"):
        if part.startswith(b"GLIBC_2."):
            versions.add(int(part.split(b".")[1]))
    assert max(versions) <= 28  # what Rockchip's own rknn_server needs
