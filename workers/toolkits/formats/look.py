"""The facts of an upload that is no ONNX file, by its format."""

from collections.abc import Callable, Mapping
from typing import Any

from workers.toolkits.formats import caffe, darknet, keras, mxnet, rknn, tensorflow, tflite, torchscript
from workers.toolkits.formats.facts import Facts
from workers.toolkits.formats.parts import Part
from workers.toolkits.formats.recognise import MODEL, WEIGHTS, Recognised
from workers.toolkits.onnxjob.jobside import Refused

PAIR_READERS: Mapping[str, Callable[[Part, Part], Facts]] = {"caffe": caffe.facts, "mxnet": mxnet.facts}
READERS: Mapping[str, Callable[[Part], Facts]] = {
    "torchscript": torchscript.facts,
    "tflite": tflite.facts,
    "keras": keras.facts,
    "tensorflow": tensorflow.facts,
    "darknet": darknet.facts,
    "rknn": rknn.facts,
}


def facts_of(found: Recognised, most: int) -> dict[str, Any]:
    """The inspection's result. Raises Refused model:* for what is damaged or unpacks to more than `most` bytes."""
    size = sum(len(piece) for part in found.parts.values() for piece in part.chunks(most + 1))
    if size > most:
        raise Refused("model:too-large", f"It unpacks to more than {most} bytes; this site allows {most}.")
    if found.format == "torchscript" and not torchscript.is_whole(found.model.path):
        raise Refused("model:unsupported-format", "The zip of the TorchScript file is damaged.")
    if found.format in PAIR_READERS:
        return PAIR_READERS[found.format](found.parts[MODEL], found.parts[WEIGHTS]).report(found.format)
    return READERS[found.format](found.model).report(found.format)


def graph_of(found: Recognised) -> dict[str, Any] | None:
    """What lint looks at, of formats whose operators can be told one by one; None of others."""
    return torchscript.graph(found.model) if found.format == "torchscript" else None
