"""The stand-in for Rockchip's library on an emulated board and on this machine, and one throw-away child of it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from boardagent import tensorfile
from tests.armhf.board import EmulatedBoard
from tests.armhf.conftest import soon
from workers.link.bundle import agent_bundle

STANDIN = Path(__file__).parent.parent / "boardagent" / "standin" / "librknn_api.c"
ON_BOARD = "usr/lib/librknn_api.so"
SHARED = ("-shared", "-fPIC")
CHILD = 'cd "$2/out" && exec python3 -I "$1" npu-child rknn1 "$3" "$2" "$2/out" >log 2>&1 </dev/null'


@dataclass(frozen=True)
class Child:
    """How a throw-away child ended: its status, its report ({} without one), its folder, what it printed."""

    status: int | None
    report: dict[str, Any]
    out: Path

    @property
    def code(self) -> str:
        """The failure code it reports."""
        return str(self.report["error"]["code"])

    @property
    def log(self) -> str:
        return (self.out / "log").read_text(errors="replace")


class Place(Protocol):
    """Where a child can run."""

    def child(self, mode: str, model: str, **job: Any) -> Child: ...


def write_job(folder: Path, model: str, **job: Any) -> None:
    """A run folder: a model file of the stand-in's kind, seeded inputs, job.json."""
    (folder / "model.rknn").write_text(f"STANDIN1\n{model}\n")
    random = np.random.default_rng(7)
    picture = random.integers(0, 256, (1, 3, 6, 5), np.uint8)
    offset = random.standard_normal((1, 4)).astype(np.float32)
    tensors = [
        ("image", "U8", picture.shape, picture.tobytes()),
        ("offset", "F32", offset.shape, offset.tobytes()),
    ]
    tensorfile.write(str(folder / "inputs.safetensors"), tensors, {"layerwise": "inputs/1"})
    usual = {"artifact": "model.rknn", "inputs": "inputs.safetensors", "warmup": 1, "iterations": 3}
    (folder / "job.json").write_text(json.dumps({**usual, **job}))
    (folder / "out").mkdir()


class Here:
    """This machine, with the stand-in that its own compiler built."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._runs = folder, 0
        self._agent = folder / agent_bundle().name
        self._agent.write_bytes(agent_bundle().data)
        self._library = folder / "librknn_api.so"
        subprocess.run(["gcc", *SHARED, "-O2", "-o", self._library, STANDIN, "-lm"], check=True)

    def child(self, mode: str, model: str, **job: Any) -> Child:
        self._runs += 1
        folder = self._folder / f"run-{self._runs}"
        folder.mkdir()
        write_job(folder, model, **job)
        environment = {
            **os.environ,
            "LAYERWISE_RKNN_LIBRARY": str(self._library),
            "NN_LAYER_DUMP": str(int(mode == "dump")),
        }
        command = [
            sys.executable,
            "-I",
            str(self._agent),
            "npu-child",
            "rknn1",
            mode,
            str(folder),
            str(folder / "out"),
        ]
        with (folder / "out" / "log").open("wb") as log:
            done = subprocess.run(command, env=environment, stdout=log, stderr=log, check=False, timeout=60)
        return _ended(done.returncode, folder / "out")


class There:
    """An emulated board, with the stand-in that a cross compiler built; its files are read from outside."""

    def __init__(self, board: EmulatedBoard, agent: str) -> None:
        self.board, self._agent, self._runs = board, agent, 0

    def child(self, mode: str, model: str, **job: Any) -> Child:
        self._runs += 1
        name = f"root/children/run-{self._runs}"
        with self.board.connect() as link:
            link.run(["mkdir", "-p", f"/{name}"], deadline=soon())
            folder = self.board.files / name
            write_job(folder, model, **job)
            settings = [f"NN_LAYER_DUMP={int(mode == 'dump')}", "RKNN_STANDIN_TRY_MS=20"]
            command = ["env", *settings, "sh", "-c", CHILD, "sh", self._agent, f"/{name}", mode]
            done = link.run(command, deadline=soon())
        return _ended(done.status, folder / "out")


def _ended(status: int | None, out: Path) -> Child:
    report = out / "report.json"
    return Child(status, json.loads(report.read_text()) if report.exists() else {}, out)
