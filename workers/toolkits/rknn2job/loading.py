"""How a source gets into RKNN-Toolkit2: the load_* call of its format, as the toolkit's interface has them (2.5.0)."""

from typing import Any

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.source import Source


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
