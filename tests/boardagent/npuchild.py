"""Starts the agent's throw-away NPU child as the agent does, on a stand-in library, and tells what it left."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boardagent import npu, tensorfile

H, W = 6, 5
NUMBERS = {"F32": np.dtype("<f4"), "U8": np.dtype("u1")}
IMAGE = np.random.default_rng(3).integers(0, 256, (1, 3, H, W), dtype=np.uint8)
OFFSET = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Done:
    """How a child ended: its exit status, its report ({} without one), what it printed, and its working folder."""

    status: int
    report: dict[str, Any]
    tail: str
    out: Path

    @property
    def code(self) -> str:
        """The failure code of the report, or "" """
        return str(self.report.get("error", {}).get("code", ""))

    def outputs(self) -> Arrays:
        """The outputs file, read."""
        return read(self.out / "outputs.safetensors")


class NpuRun:
    """A run folder with a model file of the stand-in, its inputs and its job."""

    def __init__(
        self, kind: str, library: Path, folder: Path, python: str, lines: Sequence[str], job: dict[str, Any]
    ) -> None:
        self.kind, self.library, self.python = kind, library, python
        self.folder = folder / "run"
        self.folder.mkdir()
        (self.folder / "m.rknn").write_text("\n".join(["STANDIN1", *lines, ""]))
        self.put_inputs({"image": IMAGE, "offset": OFFSET})
        usual = {"artifact": "m.rknn", "inputs": "i.safetensors", "deadline_s": 60, "iterations": 3}
        (self.folder / "job.json").write_text(json.dumps({**usual, **job}))

    def put_inputs(self, arrays: Arrays, name: str = "i.safetensors") -> None:
        write(self.folder / name, arrays, "inputs/1")

    def start(self, mode: str, start: Sequence[str] = (), **environment: str) -> "subprocess.Popen[bytes]":
        """The child, in a folder of its own; `start` takes the place of the first words of its command."""
        kind, out = npu.KINDS[self.kind], self.folder / mode
        out.mkdir()
        words = kind.command(mode, str(self.folder), str(out))
        words = [*start, *words[words.index("npu-child") :]] if start else words
        whole = {
            "PATH": os.environ["PATH"],
            "LAYERWISE_RKNN_LIBRARY": str(self.library),
            "RKNN_STANDIN_TRY_MS": "20",
            **kind.environment(mode, {}),
            **environment,
        }
        with (out / "log").open("wb") as log:
            return subprocess.Popen(words, cwd=out, env=whole, stdout=log, stderr=log)

    def do(self, mode: str, start: Sequence[str] = (), **environment: str) -> Done:
        """The child run to its end."""
        status = self.start(mode, start, **environment).wait(60)
        out = self.folder / mode
        report = out / "report.json"
        found = json.loads(report.read_text()) if report.exists() else {}
        return Done(status, found, (out / "log").read_text(errors="replace"), out)

    def harvest(self, mode: str, ended: bool = True) -> list[tuple[str, str]]:
        """(role, label) of each file that is complete."""
        found = npu.KINDS[self.kind].harvest(mode, str(self.folder / mode), ended)
        return [(role, label) for _, role, label in found]


def write(path: Path, arrays: Arrays, kind: str) -> None:
    """A tensor file of `kind`."""
    codes = {dtype: code for code, dtype in NUMBERS.items()}
    entries = [(name, codes[array.dtype], array.shape, array.tobytes()) for name, array in arrays.items()]
    tensorfile.write(str(path), entries, {"layerwise": kind})


def read(path: Path) -> Arrays:
    """All tensors of a file."""
    with tensorfile.TensorFile(str(path)) as file:
        return {
            name: np.frombuffer(file.read(name), NUMBERS[dtype]).reshape(shape)
            for name, (dtype, shape, _, _) in file.entries.items()
        }


def network(image: NDArray[Any] = IMAGE, offset: NDArray[Any] = OFFSET) -> list[NDArray[np.float32]]:
    """What the stand-in's three layers are by their description: conv1, dw, pool."""
    weights = np.array([[(o * 3 + c * 5) % 7 - 3 for c in range(3)] for o in range(4)], np.float32) / 4
    pixels = image[0].astype(np.float32) / 255
    conv = np.einsum("oc,chw->ohw", weights, pixels) + offset[0][:, None, None]
    conv1 = _grid(np.maximum(conv, 0), 0.02, 8)
    padded = np.pad(conv1, ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, y : y + conv1.shape[1], x : x + conv1.shape[2]] for y in range(3) for x in range(3)]
    dw = _grid(np.sum(shifted, axis=0) / 9, 0.02, 4)
    return [conv1[None], dw[None], _grid(dw.mean(axis=(1, 2)), 0.01, 0)[None]]


def _grid(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    steps = np.clip(np.floor(values / scale + zero_point + 0.5), 0, 255)
    return ((steps - zero_point) * scale).astype(np.float32)
