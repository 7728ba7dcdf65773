"""The source of a vendor's conversion, of any format: its files, its inputs, and its graph where that is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from workers.toolkits.onnxjob.framework import read_graph
from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.jobside import Refused

EIGHT_BITS = ("int8", "uint8")  # of inputs of TensorFlow Lite files that were quantized whole
NHWC = ("tflite", "tensorflow", "keras")  # formats whose four-dimensional inputs lie so


@dataclass(frozen=True)
class Source:
    """The uploaded model: its file (and its weights' file where there are two), and its inputs with fixed sizes.

    `model` is the same graph as ONNX, made ready for measuring; None where nobody but the toolkit can read the source.
    `ends` are the file's own names of its inputs and outputs, where the toolkit asks for them.
    """

    path: Path
    model: onnx.ModelProto | None
    inputs: list[Input]
    is_dynamic: bool
    format: str = "onnx"
    weights: Path | None = None
    ends: tuple[Sequence[str], Sequence[str]] = ((), ())

    @property
    def is_turned(self) -> bool:
        """Do four-dimensional inputs lie NHWC in the file? RKNN-Toolkit2 takes them as NCHW (seen with 2.5.0)."""
        return self.format in NHWC

    def without_weights(self) -> "Source":
        """The same with a model of nodes only: what the weights take should not lie beside what the toolkit takes."""
        return replace(self, model=nodes_of(self.model)) if self.model else self


def nodes_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """How the graph's tensors hang together, without what is in them. Nodes that hold a tensor are left out."""
    light = onnx.ModelProto()
    light.graph.node.extend(node for node in model.graph.node if node.op_type != "Constant")
    return light


def read_source(folder: Path, job: Mapping[str, Any]) -> Source:
    """The model, checked as every upload is. Raises Refused model:* or recipe:invalid."""
    path, kind = folder / str(job["source"]), str(job.get("format") or "onnx")
    if kind == "onnx":
        graph = read_graph(path, job["recipe"])
        return Source(path, graph.model, graph.inputs, graph.is_dynamic)
    weights = folder / str(job["weights"]) if job.get("weights") else None
    inputs = [Input(str(one["name"]), tuple(one["shape"]), str(one["dtype"])) for one in job["inputs"]]
    for one in inputs:
        if kind == "tflite" and one.dtype in EIGHT_BITS:
            raise Refused("model:quantized", f"Its input {one.name!r} is {one.dtype}.")
    as_onnx = read_graph(folder / str(job["framework"]), job["recipe"]) if job.get("framework") else None
    return Source(
        path,
        as_onnx.model if as_onnx else None,
        as_onnx.inputs if as_onnx else inputs,
        is_dynamic=True,
        format=kind,
        weights=weights,
        ends=_ends(job),
    )


def _ends(job: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    told = job.get("ends") or {}
    inputs, outputs = ([str(name) for name in told.get(side, [])] for side in ("inputs", "outputs"))
    return inputs, outputs
