"""The source as an ONNX graph, for jobs of vendors' toolkits: read and checked, its samples, its float dump."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

from similarity.dumpfile import LayerInfo, write_dump
from workers.toolkits.onnxjob.batch import repeated_layers, repeated_values
from workers.toolkits.onnxjob.execute import NOT_EXECUTABLE, Observed, blamed, observe, storable, stream
from workers.toolkits.onnxjob.folding import fold_constants
from workers.toolkits.onnxjob.graph import Input, flowing_tensors, prepare
from workers.toolkits.onnxjob.jobside import Refused, stage
from workers.toolkits.onnxjob.layers import LayerMap
from workers.toolkits.onnxjob.modelfile import read_model
from workers.toolkits.onnxjob.quantized import Quantized
from workers.toolkits.onnxjob.samples import Preparation, Samples

FRAMEWORK = "framework.safetensors"
DUMP_CODES = {"tensor(float)": "F32", "tensor(double)": "F32", "tensor(float16)": "F16"}


@dataclass(frozen=True)
class Graph:
    """An ONNX graph made ready for measuring, with fixed inputs; `is_dynamic` when the file leaves sizes open."""

    model: onnx.ModelProto
    inputs: list[Input]
    is_dynamic: bool


def read_graph(path: Path, recipe: Mapping[str, Any]) -> Graph:
    """The model, checked as every upload is. Raises Refused model:* or recipe:invalid."""
    model = read_model(path)
    ready, inputs = prepare(model, {name: entry.get("shape") for name, entry in recipe["inputs"].items()})
    with blamed(NOT_EXECUTABLE):
        fold_constants(ready)
    declared = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in model.graph.input
    }
    return Graph(ready, inputs, any(list(one.shape) != declared.get(one.name) for one in inputs))


def samples_of(
    folder: Path, job: Mapping[str, Any], which: str, inputs: Sequence[Input], how: dict[str, Preparation]
) -> Samples:
    """The "calibration" or "evaluation" samples of the job, prepared as `how` says."""
    layout = str((job.get("layout") or {}).get(which, ""))
    return Samples(folder / str(job[which]), list(inputs), layout, how)


def write_framework(
    folder: Path, model: onnx.ModelProto, feed: Mapping[str, NDArray[Any]], batch: int = 1
) -> dict[str, LayerInfo]:
    """Write the float dump of the graph, run by ONNX Runtime; its layers by the tensor that each ends at.

    Raises Refused model:nothing-to-compare or model:not-executable.
    """
    with blamed(NOT_EXECUTABLE):
        return _write_framework(folder, model, feed, batch)


def _write_framework(
    folder: Path, model: onnx.ModelProto, feed: Mapping[str, NDArray[Any]], batch: int
) -> dict[str, LayerInfo]:
    observed = observe(model, flowing_tensors(model.graph), feed)
    if not observed:
        raise Refused("model:nothing-to-compare", "No floating-point tensor of it depends on an input.")
    layers = LayerMap(model, observed, Quantized(model, {}))
    tensors = [observed[name] for name in layers.tensors]
    described = repeated_layers(layers.layers(), batch)
    codes = [DUMP_CODES[tensor.type] for tensor in tensors]
    values = repeated_values(_told(model, tensors, feed), batch)
    write_dump(folder / FRAMEWORK, "framework", described, values, dtypes=codes)
    return dict(zip(layers.tensors, described, strict=True))


def _told(
    model: onnx.ModelProto, tensors: list[Observed], feed: Mapping[str, NDArray[Any]]
) -> Iterator[NDArray[Any]]:
    for count, (_, value) in enumerate(stream(model, tensors, feed), start=1):
        yield storable(value)
        stage("float dump", count, len(tensors))
