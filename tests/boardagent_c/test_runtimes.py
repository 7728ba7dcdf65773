"""Kinds rknn1 and rknn2 by the C agent and by the Python agent: what each brings, and that both bring the same."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.boardagent import standin
from tests.boardagent.npuchild import IMAGE, OFFSET, H, W, network
from tests.boardagent_c.board import Board, Event, Received
from tests.boardagent_c.runtimes import LIBRARIES, PICTURE, OneAgent, checks_of
from tests.boardagent_c.test_same_as_python import ALL, outline, python_agent, unlike_times, without_state

STEP = 0.0201  # one step of the outputs' grid: floats of C and of numpy may round a tie apart
RAW = {"map": {"want_float": False}}


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stand-ins of both runtimes."""
    folder = tmp_path_factory.mktemp("libraries")
    for name in LIBRARIES.values():
        standin.build(name.partition(".")[0], folder)
    return folder


@pytest.fixture(params=list(LIBRARIES))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of NPU."""
    return str(request.param)


@pytest.fixture
def both(tmp_path: Path, program: Path, libraries: Path, kind: str) -> Iterator[list[OneAgent]]:
    """A board with the C agent and one with the Python agent."""
    programs = {"c": program, "python": python_agent(tmp_path)}
    boards = [Board(tmp_path / name, programs[name], libraries / LIBRARIES[kind]) for name in programs]
    yield [OneAgent(board, kind, libraries) for board in boards]
    for board in boards:
        board.end()


@pytest.fixture(params=["c", "python"])
def agent(request: pytest.FixtureRequest, both: list[OneAgent]) -> OneAgent:
    """Each agent in turn."""
    return both[["c", "python"].index(request.param)]


def error_of(received: Received) -> Event:
    error = received.result()["error"]
    assert isinstance(error, dict)
    return error


def test_outputs_are_what_the_network_computes(agent: OneAgent) -> None:
    found = agent.outputs(agent.run()).arrays
    assert {name: array.shape for name, array in found.items()} == {"map": (1, 4, H, W), "score": (1, 4)}
    assert np.abs(found["map"] - network()[1]).max() <= STEP


def test_a_picture_in_nhwc_gives_the_same_outputs(agent: OneAgent) -> None:
    turned = {"image": np.ascontiguousarray(IMAGE.transpose(0, 2, 3, 1)), "offset": OFFSET}
    assert np.abs(agent.outputs(agent.run(inputs=turned)).arrays["map"] - network()[1]).max() <= STEP


def test_the_job_says_a_layout_that_the_shape_does_not_tell(agent: OneAgent) -> None:
    cube = IMAGE[:, :, :3, :3]
    turned = {"image": np.ascontiguousarray(cube.transpose(0, 2, 3, 1)), "offset": OFFSET}
    received = agent.run("h 3", "w 3", inputs=turned, io={"image": {"layout": "NHWC"}})
    assert np.abs(agent.outputs(received).arrays["map"] - network(cube)[1]).max() <= STEP


def test_an_output_may_be_wanted_as_the_npu_left_it(agent: OneAgent) -> None:
    found = agent.outputs(agent.run(io=RAW))
    assert found.types == {"map": "U8", "score": "F32"}
    assert np.abs((found.arrays["map"] - 4.0) * 0.02 - network()[1]).max() <= STEP


def test_the_scale_of_such_an_output_is_in_the_metadata(agent: OneAgent) -> None:
    scales = json.loads(agent.outputs(agent.run(io=RAW)).metadata["quantization"])
    assert scales == {"map": {"scale": float(np.float32(0.02)), "zero_point": 4}}


def test_outputs_that_are_floats_have_no_scales(agent: OneAgent) -> None:
    wish = {"map": {"want_float": True}}
    assert agent.outputs(agent.run(io=wish)).metadata == {"layerwise": "outputs/1"}


def test_a_dump_has_its_outputs_as_wanted_too(agent: OneAgent) -> None:
    assert agent.outputs(agent.run(io=RAW, modes=["dump"]), "dump").types["map"] == "U8"


def test_both_agents_write_the_same_outputs_file(both: list[OneAgent]) -> None:
    runs = [agent.run(io={**RAW, "score": {"want_float": False}}) for agent in both]
    c, python = [run.files()[run.result()["plain"]["outputs"]] for run in runs]
    assert c == python


@pytest.mark.parametrize("lines", [[], ["precompiled 1"], ["perf null"], ["perf garbage"], ["fault noise"]])
def test_both_agents_come_to_the_same_result(both: list[OneAgent], lines: list[str]) -> None:
    job = {"modes": ALL, "sequence": {"repeats": 3, "reloads": 2}, "iterations": 3, "warmup": 0}
    c, python = [unlike_times(without_state(agent.run(*lines, **job).result())) for agent in both]
    assert c == python


@pytest.mark.parametrize(
    "fault",
    [
        "init:-1", "init:-2", "init:-3", "init:-4", "init:-6", "init:-13", "init:-77", "run:-7", "exit", "segv",
        "abort",
    ],
)  # fmt: skip
def test_both_agents_fail_alike(both: list[OneAgent], fault: str) -> None:
    c, python = [error_of(agent.run(f"fault {fault}")) for agent in both]
    assert c["code"] == python["code"]


def test_both_agents_tell_of_the_same_files(both: list[OneAgent]) -> None:
    c, python = [
        [entry for entry in outline(agent.run(modes=["plain", "dump"])) if entry["event"] == "file"]
        for agent in both
    ]
    assert c == python


def test_both_agents_bring_the_same_layers(both: list[OneAgent]) -> None:
    hashes = []
    for agent in both:
        received = agent.run(modes=["dump"])
        files = received.result()["dump"]["files"]
        digests = [hashlib.sha256(received.files()[entry["name"]]).hexdigest() for entry in files]
        hashes.append(list(zip([entry["label"] for entry in files], digests, strict=True)))
    assert hashes[0] == hashes[1] != []


def test_both_agents_probe_alike(both: list[OneAgent]) -> None:
    c, python = [agent.board.ask("probe")[1][:-1] for agent in both]
    assert (c, [step["ok"] for step in c]) == (python, [True] * len(c))


def test_both_agents_say_the_same_of_the_npu(both: list[OneAgent]) -> None:
    marks = [agent.run().result()["fingerprint"]["after"] for agent in both]
    c, python = [{key: mark[key] for key in ("simulated", "npu", "npu_driver")} for mark in marks]
    assert c == python


def test_a_board_has_the_kind_whose_library_it_has(agent: OneAgent, kind: str) -> None:
    assert agent.board.ask("hello")[1][0]["npus"] == [kind, "sim"]


def test_a_call_that_never_returns_is_named(agent: OneAgent) -> None:
    error = error_of(agent.run("fault hang", hang_s=1))
    assert (error["code"], "rknn_run" in error["message"]) == ("board:npu-hung", True)


def test_times_are_the_runtimes_own(agent: OneAgent) -> None:
    plain = agent.run(iterations=4).result()["plain"]
    assert (len(plain["iterations_us"]), plain["iterations_us"] != plain["wall_us"]) == (4, True)


def test_another_input_shows_what_an_npu_keeps_of_it(agent: OneAgent) -> None:
    found = checks_of(agent.run("fault sticky", modes=["sequence"], sequence={"repeats": 4}))
    assert {name for name, check in found.items() if check["differing"]} == {"alternating"}


def test_the_job_may_name_the_second_input(agent: OneAgent) -> None:
    wish = {"repeats": 4, "second": "second.safetensors"}
    received = agent.run("fault sticky", second=PICTURE, modes=["sequence"], sequence=wish)
    assert checks_of(received)["alternating"]["differing"] == []


def test_a_second_input_that_does_not_fit_is_told(agent: OneAgent) -> None:
    wish = {"repeats": 1, "second": "second.safetensors"}
    error = error_of(agent.run(second={"image": IMAGE}, modes=["sequence"], sequence=wish))
    assert error["code"] == "board:rejected-artifact"


@pytest.mark.parametrize("name", ["../inputs.safetensors", "/etc/passwd", 7])
def test_a_second_input_lies_in_the_runs_folder(agent: OneAgent, name: Any) -> None:
    folder = agent.board.folder(npu=agent.kind, modes=["sequence"], sequence={"second": name})
    status, _, complaint = agent.board.ask("start", str(folder))
    assert (status, "second is not a plain file name" in complaint) == (70, True)


def test_executions_of_ten_medians_are_hangs(agent: OneAgent) -> None:
    wish = {"repeats": 16, "reloads": 1}
    found = checks_of(agent.run("fault slow-once", modes=["sequence"], sequence=wish))
    assert found["same-input"]["hangs"] >= 2
