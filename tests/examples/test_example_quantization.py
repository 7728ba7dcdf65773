"""Quantized by the reference toolkit, the example shows the forum's table: the same numbers for both routes.

The forum's: first convolution 0.9996, sinking to 0.9708 at the last one, 0.9995 after the addition.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples import network, pictures
from examples.build import contents
from similarity.dumpfile import DumpFile
from similarity.tensorfile import write_tensors

ROOT = Path(__file__).parents[2]
SAMPLES = range(len(pictures.HELD_OUT))
Table = dict[str, float]


RECIPE = {
    "toolkit": "reference",
    "platform": "rv1126",
    "dtype": "u8",
    "algorithm": "normal",
    "optimization_level": 3,
    "inputs": {network.INPUT: {"shape": None, "mean": [0, 0, 0], "std": [255, 255, 255], "reorder": False}},
}


def convert(folder: Path, route: str, sample: int) -> Table:
    """Convert a route as a worker does; cosine of the quantized to the float graph by layer name."""
    folder.mkdir()
    (folder / "source.onnx").write_bytes(contents()[f"{route}.onnx"])
    write_samples(folder / "calibration.safetensors", list(pictures.calibration_pictures().values()))
    write_samples(
        folder / "evaluation.safetensors", [pair.low for pair in pictures.held_out_pairs().values()]
    )
    (folder / "job.json").write_text(json.dumps(job_for(sample)))
    command = [sys.executable, "-P", "-m", "workers.toolkits.reference_job", str(folder)]
    subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60, capture_output=True
    )
    return cosines(folder, json.loads((folder / "result.json").read_text())["dumps"])


def write_samples(path: Path, samples: list[pictures.Picture]) -> None:
    tensors = {f"{index:06d}/": sample for index, sample in enumerate(samples)}
    write_tensors(path, tensors, {"layerwise": "samples/1", "count": str(len(samples))})


def job_for(sample: int) -> dict[str, object]:
    return {
        "schema": 1,
        "kind": "convert",
        "source": "source.onnx",
        "calibration": "calibration.safetensors",
        "evaluation": "evaluation.safetensors",
        "sample": sample,
        "layout": {"calibration": "NHWC", "evaluation": "NHWC"},
        "recipe": RECIPE,
    }


def cosines(folder: Path, dumps: dict[str, str]) -> Table:
    with (
        DumpFile.open(folder / dumps["framework"]) as exact,
        DumpFile.open(folder / dumps["quantized"]) as rough,
    ):
        return {
            layer.name: cosine(exact.values(layer.key), rough.values(layer.key)) for layer in exact.layers
        }


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    x, y = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


@pytest.fixture(scope="module", params=SAMPLES, ids=list(pictures.HELD_OUT))
def tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    folder = tmp_path_factory.mktemp("conversions")
    return {route: convert(folder / route, route, request.param) for route in ("direct", "traced")}


def test_the_first_convolution_is_nearly_exact(tables: dict[str, Table]) -> None:
    assert tables["direct"][network.DIRECT.nodes[0]] > 0.999


def test_the_last_convolution_has_sunk_like_the_forums(tables: dict[str, Table]) -> None:
    assert 0.95 < tables["direct"][network.DIRECT.nodes[-1]] < 0.98


def test_the_addition_hides_it(tables: dict[str, Table]) -> None:
    assert tables["direct"][network.DIRECT.added[0]] > 0.999


def test_quantization_does_not_tell_the_routes_apart(tables: dict[str, Table]) -> None:
    shared = [
        [tables[route][name] for name in (names.upsampled[0], *names.nodes, names.added[0])]
        for route, names in (("direct", network.DIRECT), ("traced", network.TRACED))
    ]
    assert shared[0] == shared[1]
