"""How a source gets into RKNN-Toolkit2: the load_* call of its format, as the toolkit's interface has them (2.5.0)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.jobside import Refused


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
        """Four-dimensional inputs lie NHWC in the file, and the toolkit takes them as NCHW (seen with 2.5.0)."""
        return self.format in {"tflite", "tensorflow"}

    def without_weights(self) -> "Source":
        """The same with a model of nodes only: what the weights take should not lie beside what the toolkit takes."""
        return replace(self, model=nodes_of(self.model)) if self.model else self


def nodes_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """How the graph's tensors hang together, without what is in them. Nodes that hold a tensor are left out."""
    light = onnx.ModelProto()
    light.graph.node.extend(node for node in model.graph.node if node.op_type != "Constant")
    return light


def loading(source: Source) -> tuple[str, dict[str, Any]]:
    """The call's name and its arguments. Raises Refused recipe:wrong-format."""
    names = [one.name for one in source.inputs]
    sizes = [list(one.shape) for one in source.inputs]
    model, weights = str(source.path), str(source.weights)
    match source.format:
        case "onnx":
            return "load_onnx", {
                "model": model,
                **({"inputs": names, "input_size_list": sizes} if source.is_dynamic else {}),
            }
        case "torchscript":
            return "load_pytorch", {"model": model, "input_size_list": sizes}
        case "caffe":
            return "load_caffe", {"model": model, "blobs": weights}
        case "darknet":
            return "load_darknet", {"model": model, "weight": weights}
        case "tflite":
            return "load_tflite", {"model": model}
        case "tensorflow":
            nodes, outputs = map(list, source.ends)
            return "load_tensorflow", {
                "tf_pb": model,
                "inputs": nodes,
                "input_size_list": sizes,
                "outputs": outputs,
            }
    raise Refused("recipe:wrong-format", f"RKNN-Toolkit2 does not load {source.format}.")
