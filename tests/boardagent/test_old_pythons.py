"""The agent on the Pythons that boards have: its syntax everywhere, the real thing where a version manager has them."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boardagent import protocol
from tests.boardagent.agents import messages
from tests.boardagent.npuchild import NpuRun, network
from workers.link.bundle import agent_bundle

MakeRun = Callable[..., NpuRun]
ROOT = Path(protocol.__file__).parent.parent
NPU = """#!/bin/sh
echo "the vendor library prints on stdout"
head -c 700000 /dev/zero > "$3/part" && mv "$3/part" "$3/outputs.safetensors"
echo '{"init_us": 1, "iterations_us": [2.5], "npu": {"simulated": true}}' > "$3/report.json"
"""


VERSIONS = [f"3.{minor}" for minor in range(6, 14)]


def pythons() -> dict[str, str]:
    """Pythons that boards have or will have, where a version manager has them; vermin gates the syntax anyway."""
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {version: sorted(home.glob(f"{version}.*/bin/python3")) for version in VERSIONS}
    return {version: str(paths[-1]) for version, paths in found.items() if paths}


PYTHONS = {**pythons(), "this": sys.executable}


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    """Each interpreter in turn."""
    return PYTHONS[request.param]


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """The agent as a board gets it, beside an NPU."""
    npu = tmp_path / "npu"
    npu.write_text(NPU)
    npu.chmod(npu.stat().st_mode | stat.S_IXUSR)
    path = tmp_path / agent_bundle().name
    path.write_bytes(agent_bundle().data)
    return path


def ask(python: str, agent: Path, *verb: str, **settings: str) -> list[dict[str, Any]]:
    """What a verb says, without the content of files; `settings` are added to the environment."""
    sim = json.dumps([str(agent.parent / "npu")])
    environment = {"PATH": "/usr/bin:/bin", "LAYERWISE_SIM_NPU": sim, **settings}
    done = subprocess.run(
        [python, "-I", str(agent), *verb],
        capture_output=True,
        env=environment,
        timeout=30,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return [message for message, _ in messages(done.stdout)]


def make_run(folder: Path, fence: int, *modes: str) -> Path:
    run = folder / f"run-{fence}"
    run.mkdir()
    for name in ("a.onnx", "i.safetensors"):
        (run / name).write_bytes(b"x")
    job = {"schema": 2, "kind": "run", "run": "1", "fence": fence, "artifact": "a.onnx",
           "inputs": "i.safetensors", "npu": "sim", "modes": list(modes)}  # fmt: skip
    (run / "job.json").write_text(json.dumps(job))
    return run


def test_the_agent_needs_nothing_newer_than_python_3_6() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("vermin")), "-t=3.6-", "--no-tips", "boardagent"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_it_introduces_itself(python: str, agent: Path) -> None:
    assert ask(python, agent, "hello")[-1]["npus"] == ["sim"]


def test_it_finds_every_module_it_needs(python: str, agent: Path) -> None:
    assert ask(python, agent, "hello")[-1]["modules"] == sorted(protocol.NEEDED_MODULES)


def test_a_run_ends_with_a_result(python: str, agent: Path) -> None:
    run = make_run(agent.parent, 3, "plain")
    ask(python, agent, "start", str(run))
    ask(python, agent, "attach", str(run), "0", "0")
    assert json.loads((run / "result.json").read_text())["plain"]["iterations_us"] == [2.5]


def test_a_run_is_streamed_to_its_end(python: str, agent: Path) -> None:
    run = make_run(agent.parent, 3, "plain")
    ask(python, agent, "start", str(run))
    said = ask(python, agent, "attach", str(run), "0", "0")
    assert (said[-1]["event"], sum(message.get("plain", 0) > 200_000 for message in said)) == ("end", 2)


@pytest.mark.parametrize("mode", ["plain", "timed", "dump", "sequence"])
def test_the_vendors_library_can_be_driven(python: str, agent: Path, rknn1: MakeRun, mode: str) -> None:
    done = rknn1(sequence={"repeats": 2, "reloads": 1}).do(mode, [python, "-I", str(agent)])
    assert (done.status, done.code) == (0, ""), done.tail


def test_the_vendors_library_gives_the_networks_numbers(python: str, agent: Path, rknn1: MakeRun) -> None:
    outputs = rknn1().do("plain", [python, "-I", str(agent)]).outputs()
    np.testing.assert_allclose(outputs["map"], network()[1], atol=1e-6)


def test_a_library_that_ends_its_process_has_its_code(
    python: str, agent: Path, rknn1: MakeRun, rknn_api: Path
) -> None:
    made = rknn1("fault exit", schema=2, kind="run", run="1", fence=3, npu="rknn1", modes=["plain"])
    run = made.folder.rename(agent.parent / "run-3")
    settings = {"LAYERWISE_RKNN_LIBRARY": str(rknn_api), "RKNN_STANDIN_TRY_MS": "20"}
    ask(python, agent, "start", str(run), **settings)
    ask(python, agent, "attach", str(run), "0", "0", **settings)
    assert json.loads((run / "result.json").read_text())["error"]["code"] == "board:npu-exited"


def test_cleaning_removes_older_runs(python: str, agent: Path) -> None:
    make_run(agent.parent, 3, "plain")
    assert ask(python, agent, "clean", "4")[-1]["removed"] == ["run-3"]


def test_the_bundle_is_named_by_its_bytes() -> None:
    digest = hashlib.sha256(agent_bundle().data).hexdigest()
    assert agent_bundle().name == f"agent-{digest[:16]}.pyz"


def test_the_bundle_is_the_same_in_every_process() -> None:
    code = "from workers.link.bundle import agent_bundle; print(agent_bundle().name)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert done.stdout.strip() == agent_bundle().name
