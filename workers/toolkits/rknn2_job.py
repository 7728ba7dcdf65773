"""RKNN-Toolkit2's job: a source, samples and a recipe in; .rknn file, dumps, calibration table and build facts out.

Runs in a limited child in the toolkit's own interpreter: `python -P -m workers.toolkits.rknn2_job FOLDER`. Contract:
ARCHITECTURE.md, "Toolkit job convert".
"""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from similarity.dumpfile import write_dump
from similarity.tensorfile import write_tensors
from workers.toolkits.onnxjob.batch import repeated_feed
from workers.toolkits.onnxjob.folding import fold_constants
from workers.toolkits.onnxjob.framework import samples_of, write_framework
from workers.toolkits.onnxjob.graph import prepare
from workers.toolkits.onnxjob.jobside import Refused, leave, log, run_job, stage
from workers.toolkits.onnxjob.samples import Preparation
from workers.toolkits.onnxjob.source import read_source
from workers.toolkits.rknn2job.feeding import Feeding, save_sample, write_dataset
from workers.toolkits.rknn2job.output import Output
from workers.toolkits.rknn2job.quantization import scales_of, table_of
from workers.toolkits.rknn2job.snapshot import Snapshot
from workers.toolkits.rknn2job.suspects import suspected
from workers.toolkits.rknn2job.toolkit import ARTIFACT, FRONT_END, Toolkit
from workers.toolkits.vendor.build_log import read_build_log

LAST_WORDS_S = 5.0  # for what is printed by then, whoever still holds the pipe


def convert(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Do the whole conversion in `folder`; the result dictionary of the contract. Raises Refused with a public code."""
    output = Output(folder / "toolkit.log")
    output.tee()
    try:
        return converted(folder, job, output)
    finally:
        output.end(LAST_WORDS_S)


def converted(folder: Path, job: dict[str, Any], output: Output) -> dict[str, Any]:
    """The same, while everything that is printed goes through `output`."""
    recipe = job["recipe"]
    stage("loading", 0, 1)
    source = read_source(folder, job)
    wished = {name: Preparation.from_recipe(entry) for name, entry in recipe["inputs"].items()}
    feeding = Feeding(source.inputs, wished, source.is_turned)
    calibration = samples_of(folder, job, "calibration", source.inputs, feeding.raw())
    for written in write_dataset(folder / "dataset", calibration, feeding):
        stage("preparing", written, len(calibration))
    number = int(job.get("sample", 0))
    batch = int(recipe.get("batch", 1))
    prepared = samples_of(folder, job, "evaluation", source.inputs, wished).prepared(number)
    known = write_framework(folder, source.model, prepared, batch) if source.model else {}
    has_framework, source = bool(known), source.without_weights()
    raw = samples_of(folder, job, "evaluation", source.inputs, feeding.raw()).prepared(number)
    feed = feeding.lying(raw)
    write_tensors(folder / "inputs.safetensors", repeated_feed(feed, batch), {"layerwise": "inputs/1"})
    toolkit = Toolkit(folder, source, recipe, feeding.config())
    with suspected(source.model):
        parameters = toolkit.build()
    if not has_framework:
        known = write_framework(folder, *front_end(folder / FRONT_END, list(prepared.values())), batch)
    rows = toolkit.analyse(save_sample(folder / "dataset", feed, source.inputs, "evaluation"))
    snapshot = Snapshot(folder / "snapshot", toolkit.fused(), known, batch)
    write_rungs(folder, snapshot, parameters)
    toolkit.release()
    facts = {**read_build_log(output.text()).as_dict(), "accuracy": rows}
    if toolkit.proposal is not None:
        facts["proposal"] = toolkit.proposal
    by = str(job.get("framework_by") or "front-end")
    return {**_result(folder, snapshot, parameters, facts), "framework_by": by}


def front_end(path: Path, values: Sequence[NDArray[Any]]) -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    """The graph that the toolkit's front end made of the source, and what it is fed with: the nearest thing to the
    source itself where no framework is here to run that. Raises Refused toolkit:bad-result.
    """
    if not path.is_file():
        raise Refused("toolkit:bad-result", "The toolkit left no graph of what its front end read.")
    model = onnx.ModelProto()
    model.ParseFromString(path.read_bytes())
    ready, inputs = prepare(model, {})
    fold_constants(ready)
    pairs = zip(inputs, values, strict=True)
    return ready, {one.name: lying_as(value, one.shape) for one, value in pairs}


def lying_as(value: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The value in the order of axes that `shape` asks for: NHWC becomes NCHW, as front ends turn it."""
    if value.shape != shape and value.ndim == 4 and value.transpose(0, 3, 1, 2).shape == shape:
        return np.ascontiguousarray(value.transpose(0, 3, 1, 2))
    return value.reshape(shape)


def write_rungs(folder: Path, snapshot: Snapshot, parameters: dict[str, dict[str, Any]]) -> None:
    """Write the dumps of the toolkit's own float graph and of its simulation of the quantized one."""
    for rung, scales in (("converted", {}), ("quantized", scales_of(parameters))):
        stage(f"{rung} dump", 0, 1)
        layers = snapshot.layers(scales)
        path = folder / f"{rung}.safetensors"
        write_dump(path, rung, layers, snapshot.values(rung), dtypes=["F32"] * len(layers))


def _result(
    folder: Path, snapshot: Snapshot, parameters: dict[str, dict[str, Any]], facts: Mapping[str, Any]
) -> dict[str, Any]:
    snapshot.remove()
    (folder / "calibration.json").write_text(json.dumps(table_of(parameters), indent=1, allow_nan=False))
    (folder / "build.json").write_text(json.dumps(facts, indent=1))
    log(f"{len(snapshot.present)} layers, {len(facts['rewrites'])} graph rewrites.")
    return {
        "artifact": ARTIFACT,
        "inputs": "inputs.safetensors",
        "dumps": {rung: f"{rung}.safetensors" for rung in ("framework", "converted", "quantized")},
        "calibration_table": "calibration.json",
        "build_facts": "build.json",
        "toolkit_version": f"rknn-toolkit2 {version('rknn-toolkit2')}",
    }


if __name__ == "__main__":
    run_job(convert)
    leave()
