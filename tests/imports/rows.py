"""Rows of imports for tests of pages and of the API: an import that ended well, kept by the product's own verb."""

import io
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dashboard.imports.found import Found, FoundDump, FoundScore, FoundTable
from dashboard.imports.models import Import
from dashboard.imports.services import keep_import, request_import, store_dumps
from dashboard.projects.models import Project
from dashboard.registry.services import Upload
from similarity.dumpfile import layer_of, write_dump
from tests.factories import make_project, owner_of, succeed

LAYERS = ("conv_1", "conv_2", "add_3")
_numbers = itertools.count(1)


def make_queued_import(project: Project | None = None, name: str = "") -> Import:
    """An import that waits for a worker."""
    project = project or make_project()
    number = next(_numbers)
    upload = Upload(f"snapshot{number}.zip", io.BytesIO(f"archive {number}".encode()))
    return request_import(project, name, upload, owner_of(project))[0]


def make_import(
    project: Project | None = None, name: str = "", layers: Sequence[str] = LAYERS, has_dumps: bool = True
) -> Import:
    """An import that brought two dumps, a table of two scopes, and every other kind of table."""
    imported = succeed(make_queued_import(project, name))
    with tempfile.TemporaryDirectory() as folder:
        rungs = ("converted", "quantized") if has_dumps else ()
        dumps = tuple(_dump(Path(folder), rung, layers) for rung in rungs)
        found = Found(
            dumps=dumps,
            scores=tuple(_scores(layers, has_dumps)),
            tables=tuple(_tables(layers)),
            parts=[{"where": "snapshot/error_analysis.txt", "what": f"accuracy table, {len(layers)} layers"}],
            ignored={"count": 1, "names": ["snapshot/notes.md"]},
        )
        keep_import(imported, found, store_dumps(imported.project, found))
    imported.refresh_from_db()
    return imported


def _dump(folder: Path, rung: str, layers: Sequence[str]) -> FoundDump:
    arrays = [np.full((1, 2, 4, 4), float(number), np.float32) for number, _ in enumerate(layers, 1)]
    infos = [layer_of(array, key, "Conv", layout="NCHW") for key, array in zip(layers, arrays, strict=True)]
    file = folder / f"{rung}.safetensors"
    write_dump(file, rung, infos, arrays)
    return FoundDump(file, "golden/" if rung == "converted" else "simulator/")


def _scores(layers: Sequence[str], has_dumps: bool) -> list[FoundScore]:
    printed = {"cosine": "1.00000", "euclidean": "0.00000"}
    return [
        FoundScore(scope, name, "Conv", "u8", printed, name if has_dumps else "", (1, 2, 4, 4))
        for scope in ("entire", "single")
        for name in layers
    ]


def _tables(layers: Sequence[str]) -> list[FoundTable]:
    times = [{"name": name, "op": "CONVOLUTION", "target": "NN", "uid": 1, "time_us": 9.0} for name in layers]
    compiled = [
        {"name": name, "op": "Conv", "dtype": "INT8", "target": "NPU", "output_shape": "(1,2)", "rw_kb": 1.0}
        | dict.fromkeys(("ddr_cycles", "npu_cycles", "total_cycles"), 7)
        for name in layers
    ]
    scales = [
        {"name": name, "dtype": "int8", "method": "asym", "channels": 1, "scale": 0.1, "zero_point": 0}
        | {"low": 0.0, "high": 1.0}
        for name in layers
    ]
    facts = {"rewrites": [], "memory_kb": {"internal": 1.0, "weight": 2.0}}
    return [
        FoundTable("times", "rknn1 eval_perf", "perf.txt", times, {"total_us": 27.0, "fps": None}),
        FoundTable("compiled", "toolkit2 build log", "build.log", compiled, facts),
        FoundTable("quantization", "quantization parameters", "x.cfg", scales, {}),
    ]
