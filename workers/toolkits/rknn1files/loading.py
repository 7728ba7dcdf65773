"""How a source gets into RKNN-Toolkit 1.x: the load_* call of its format, as the manual has them [UG 7.3]."""

from collections.abc import Sequence
from typing import Any

from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.source import Source

# the call, and what it calls the model's file and the file of weights
CALLS = {
    "onnx": ("load_onnx", "model", ""),
    "torchscript": ("load_pytorch", "model", ""),
    "caffe": ("load_caffe", "model", "blobs"),
    "darknet": ("load_darknet", "model", "weight"),
    "keras": ("load_keras", "model", ""),
    "mxnet": ("load_mxnet", "symbol", "params"),
    "tensorflow": ("load_tensorflow", "tf_pb", ""),
    "tflite": ("load_tflite", "model", ""),
}
SIZED = ("torchscript", "mxnet", "tensorflow")  # files that do not say how large their inputs are


def loading(source: Source) -> dict[str, Any]:
    """The name of the call and its arguments, files by their names in the job's folder. Raises Refused
    recipe:wrong-format or model:dynamic-input.
    """
    if source.format not in CALLS:
        raise Refused("recipe:wrong-format", f"RKNN-Toolkit 1.x does not load {source.format}.")
    call, model, weights = CALLS[source.format]
    settings: dict[str, Any] = {model: source.path.name}
    if weights and source.weights:
        settings[weights] = source.weights.name
    if source.format == "caffe":
        settings["proto"] = "caffe"  # the other choice, lstm_caffe, is for networks of a fork of Caffe
    if source.format == "tensorflow":
        settings["inputs"], settings["outputs"] = map(list, source.ends)
    elif source.format == "onnx" and source.is_dynamic:
        settings["inputs"] = [one.name for one in source.inputs]
    if source.format in SIZED or "inputs" in settings:
        settings["input_size_list"] = _sizes(source.inputs)
    return {"call": call, "settings": settings}


def _sizes(inputs: Sequence[Input]) -> list[list[int]]:
    """Without the batch, in the order of the source's own axes [UG 7.3]."""
    if any(not one.shape or one.shape[0] != 1 for one in inputs):
        raise Refused("model:dynamic-input", "RKNN-Toolkit 1.x takes sizes without the batch, which is 1.")
    return [list(one.shape[1:]) for one in inputs]
