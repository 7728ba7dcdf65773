"""A whole visit to a board: the real agent, the real SSH servers, the virtual NPU."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from boardagent import tensorfile
from tests.link.artifacts import LAYERS, TRACED, make_job
from tests.link.board import RunningBoard, small_userland
from tests.link.conftest import KINDS, need_sshd
from tests.link.proxy import proxy_to
from workers.errors import JobError, LeaseLost
from workers.link.results import RunResult
from workers.link.session import BoardSession

Files = dict[str, Path]


@pytest.fixture(scope="module", params=KINDS)
def visited(
    request: pytest.FixtureRequest,
    boards: Callable[[str], RunningBoard],
    artifact: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> RunResult:
    """The result of one run on a healthy board of each kind."""
    from tests.link.artifacts import make_inputs

    if request.param == "openssh":
        need_sshd()
    folder = tmp_path_factory.mktemp("visit")
    files = {"artifact.onnx": artifact, "inputs.safetensors": make_inputs(folder / "inputs.safetensors")}
    found = boards(request.param)
    with found.connect() as link:
        return BoardSession(link, "visited").run(make_job(), files, folder, deadline_s=60, fence=1)


def run_on(board: RunningBoard, files: Files, into: Path, **options: Any) -> RunResult:
    job = make_job(**options.pop("job", {}))
    with board.connect() as link:
        session = BoardSession(link, board.workdir)
        return session.run(job, files, into, **{"deadline_s": 60.0, "fence": 5, **options})


def code_of(board: RunningBoard, files: Files, into: Path, **options: Any) -> str:
    with pytest.raises(JobError) as caught:
        run_on(board, files, into, **options)
    return caught.value.code


def test_every_iteration_is_timed(visited: RunResult) -> None:
    assert visited.plain is not None
    assert len(visited.plain.iterations_us) == 4


def test_the_outputs_are_the_graphs(visited: RunResult) -> None:
    assert visited.plain is not None
    with tensorfile.TensorFile(str(visited.plain.outputs)) as file:
        assert list(file.entries) == ["y"]


def test_every_layer_is_timed(visited: RunResult) -> None:
    assert visited.timed is not None
    assert [layer.key for layer in visited.timed.layers] == [key for key, _, _ in LAYERS + TRACED]


def test_every_layer_is_dumped(visited: RunResult) -> None:
    assert visited.dump is not None
    with tensorfile.TensorFile(str(visited.dump)) as file:
        assert sorted(file.entries) == sorted(key for key, _, _ in LAYERS + TRACED)


def test_a_simulated_board_says_so(visited: RunResult) -> None:
    assert visited.simulated


def test_the_fingerprint_names_the_quirk(visited: RunResult) -> None:
    assert visited.fingerprint.before["quirks"] == ["transpose-over-4d"]


def test_the_fingerprint_is_taken_twice(visited: RunResult) -> None:
    before, after = visited.fingerprint.before, visited.fingerprint.after
    assert before["uptime_s"] <= after["uptime_s"]


def test_a_board_introduces_itself(board: RunningBoard) -> None:
    with board.connect() as link:
        assert BoardSession(link, "hello").hello().npus == ("sim",)


def test_the_agent_is_sent_only_once(board: RunningBoard) -> None:
    with board.connect() as link:
        name = BoardSession(link, board.workdir).deploy()
        agent = Path(board.workdir) / name
        os.utime(agent, (1, 1))
        BoardSession(link, board.workdir).deploy()
    assert agent.stat().st_mtime == 1


def test_nothing_but_the_agent_stays(own_board: RunningBoard, files: Files, into: Path) -> None:
    run_on(own_board, files, into)
    left = {path.name for path in Path(own_board.workdir).iterdir() if path.is_dir()}
    assert left == set()


def test_stages_are_told(own_board: RunningBoard, files: Files, into: Path) -> None:
    told: list[str] = []

    def listen(event: dict[str, Any]) -> None:
        if event["event"] == "stage":
            told.append(str(event["name"]))

    run_on(own_board, files, into, on_event=listen)
    assert list(dict.fromkeys(told)) == ["sending", "plain", "timed", "dump"]


def test_only_the_modes_asked_for_are_run(own_board: RunningBoard, files: Files, into: Path) -> None:
    result = run_on(own_board, files, into, job={"modes": ["plain"]})
    assert (result.timed, result.dump) == (None, None)


def test_an_older_fence_loses_the_lease(own_board: RunningBoard, files: Files, into: Path) -> None:
    run_on(own_board, files, into, fence=5, job={"modes": ["plain"]})
    with pytest.raises(LeaseLost):
        run_on(own_board, files, into, fence=4)


def test_the_same_fence_may_come_again(own_board: RunningBoard, files: Files, into: Path) -> None:
    run_on(own_board, files, into, fence=5, job={"modes": ["plain"]})
    assert run_on(own_board, files, into, fence=5, job={"modes": ["plain"]}).plain is not None


def test_an_artifact_of_another_kind_is_rejected(own_board: RunningBoard, files: Files, into: Path) -> None:
    files["artifact.onnx"] = files["inputs.safetensors"]
    assert code_of(own_board, files, into) == "board:rejected-artifact"


def test_an_npu_that_is_not_there_is_told(own_board: RunningBoard, files: Files, into: Path) -> None:
    assert code_of(own_board, files, into, job={"npu": "rknn1"}) == "board:npu-unavailable"


def test_too_little_disk_is_told_before_the_run(own_board: RunningBoard, files: Files, into: Path) -> None:
    assert code_of(own_board, files, into, job={"disk_bytes": 1 << 60}) == "board:disk-full"


def test_a_board_without_python_is_told(own_board: RunningBoard, files: Files, into: Path) -> None:
    small_userland(own_board, python=False)
    assert code_of(own_board, files, into) == "board:no-python"


def test_a_small_userland_is_enough(own_board: RunningBoard, files: Files, into: Path) -> None:
    small_userland(own_board)
    assert run_on(own_board, files, into, job={"modes": ["plain"]}).plain is not None


@pytest.fixture
def slow_board(own_board: RunningBoard) -> RunningBoard:
    """A board whose NPU never ends."""
    (own_board.folder / "npu").write_text("#!/bin/sh\nsleep 600 & wait\n")
    return own_board


def sleepers(board: RunningBoard) -> list[str]:
    """Processes that still work in a run folder of this board."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(board.folder / "home"):
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()


def test_the_agents_own_deadline_ends_a_run(slow_board: RunningBoard, files: Files, into: Path) -> None:
    assert code_of(slow_board, files, into, job={"deadline_s": 0.5}) == "board:timed-out"


def test_nothing_runs_on_after_the_deadline(slow_board: RunningBoard, files: Files, into: Path) -> None:
    code_of(slow_board, files, into, job={"deadline_s": 0.5})
    assert wait_for(lambda: not sleepers(slow_board)), sleepers(slow_board)


@pytest.fixture
def cut_run(slow_board: RunningBoard, files: Files, into: Path) -> Iterator[str]:
    """A run whose link breaks while the NPU works; its failure's code."""
    with proxy_to(slow_board.port) as proxy:

        def cut(event: dict[str, Any]) -> None:
            if event.get("name") == "plain":
                proxy.cut_after = 0

        with slow_board.connect(port=proxy.port) as link:
            session = BoardSession(link, slow_board.workdir, silence_s=10)
            with pytest.raises(JobError) as caught:
                session.run(make_job(orphan_s=1), files, into, deadline_s=30, fence=1, on_event=cut)
    yield caught.value.code


def test_a_board_that_vanishes_in_a_run_is_told(cut_run: str) -> None:
    assert cut_run == "board:link-lost"


def test_a_run_nobody_listens_to_ends_itself(cut_run: str, slow_board: RunningBoard) -> None:
    assert wait_for(lambda: not sleepers(slow_board)), sleepers(slow_board)


def test_a_listener_that_raises_ends_the_run(slow_board: RunningBoard, files: Files, into: Path) -> None:
    def refuse(event: dict[str, Any]) -> None:
        if event.get("name") == "plain":
            raise LeaseLost

    with pytest.raises(LeaseLost):
        run_on(slow_board, files, into, on_event=refuse)


def test_the_job_says_what_the_contract_says(own_board: RunningBoard, files: Files, into: Path) -> None:
    npu = own_board.folder / "npu"
    kept = own_board.folder / "job.json"
    npu.write_text(f'#!/bin/sh\ncp "$2/job.json" {kept}\nexit 1\n')
    code_of(own_board, files, into)
    job = json.loads(kept.read_text())
    assert (job["schema"], job["kind"], job["fence"], job["npu"]) == (2, "run", 5, "sim")
