"""Which format an upload has, by its bytes and never by its name, and which part of it is what."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.toolkits.formats import foreign, rknnheader, tensorflow
from workers.toolkits.formats.parts import Part, as_json, members
from workers.toolkits.onnxjob.jobside import Refused

MODEL, WEIGHTS = "model", "weights"
PAIRS = {
    "caffe": "a .prototxt and a .caffemodel",
    "darknet": "a .cfg and a .weights file",
    "mxnet": "a .json and a .params file",
}
MXNET_PARAMS = (0x112).to_bytes(8, "little")  # kMXAPINDArrayListMagic
HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
TRACE = "Trace the model where it was trained: torch.jit.trace(model.eval(), example).save('model.pt')."
CAFFE_TEXT = re.compile(r"^\s*layers?\s*\{", re.MULTILINE)
DARKNET_TEXT = re.compile(r"^\s*\[(net|network)\]\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Recognised:
    """The format's name, and its parts by role: `model`, and `weights` where they are a file of their own."""

    format: str
    parts: Mapping[str, Part]

    @property
    def model(self) -> Part:
        return self.parts[MODEL]


def recognise(path: Path) -> Recognised:
    """What the upload at `path` is; bytes that nothing else claims count as ONNX.

    Raises Refused model:empty, model:weights-only, model:incomplete or model:unsupported-format.
    """
    whole = Part(path)
    head = whole.head()
    if not head:
        raise Refused("model:empty", "The file holds no bytes.")
    if head.startswith(ZIP):
        return _zip(path)
    kind = _of_head(head)
    if kind in PAIRS:
        raise Refused("model:incomplete", f"{kind} models are two files, {PAIRS[kind]}; this is one of them.")
    if kind == "weights":
        raise Refused("model:weights-only", f"{_kind_of_weights(head)} {TRACE}")
    if kind == "onnx":
        foreign.refuse(head)
    return Recognised(kind, {MODEL: whole})


def _of_head(head: bytes) -> str:
    """The format that a file's beginning tells: a format, the format of a pair that it is half of, or weights."""
    signs = {
        "tflite": head[4:8] == b"TFL3",
        "rknn": head.startswith((rknnheader.MAGIC, rknnheader.ENCRYPTED)),
        "keras": head.startswith(HDF5),
        "weights": _is_pickle(head) or _is_safetensors(head),
        "mxnet": head.startswith(MXNET_PARAMS),
        "tensorflow": tensorflow.looks_like_graph(head),
    }
    found = next((kind for kind, fits in signs.items() if fits), "")
    return found or _of_text(head.decode("utf-8", errors="replace")) or "onnx"


def _of_text(text: str) -> str:
    if DARKNET_TEXT.search(text):
        return "darknet"
    if CAFFE_TEXT.search(text):
        return "caffe"
    return "mxnet" if text.lstrip().startswith("{") and '"nodes"' in text else ""


def _is_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}


def _is_safetensors(head: bytes) -> bool:
    return head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 1 << 32


def _kind_of_weights(head: bytes) -> str:
    kind = "a pickle" if _is_pickle(head) else "a safetensors file"
    return f"This is {kind}: weights without a graph. It was not opened."


def _zip(path: Path) -> Recognised:
    found = members(path)
    names = [part.member for part in found]
    if _inside(names, "data.pkl"):
        return _torch(path, names)
    if {"config.json", "model.weights.h5"} <= set(names):
        raise Refused(
            "model:unsupported-format", "This is a .keras archive; save the model as .h5: model.save('m.h5')."
        )
    if any(name.endswith("saved_model.pb") for name in names):
        raise Refused("model:unsupported-format", foreign.SAVED_MODEL)
    if any(name.split("/")[1:3] == [".data", "extern_modules"] for name in names):
        raise Refused("model:unsupported-format", f"This is an archive of torch.package. {TRACE}")
    if any(name.endswith(("archive_format", "models/model.json")) for name in names):
        raise Refused("model:unsupported-format", f"This is an archive of torch.export. {TRACE}")
    return _pair(found)


def _inside(names: Sequence[str], wanted: str) -> bool:
    """Is there such a file right below the archive's one top folder?"""
    return any(name.split("/")[1:] == [wanted] for name in names)


def _torch(path: Path, names: Sequence[str]) -> Recognised:
    """A zip of PyTorch: with code it is TorchScript, without it pickled weights or a pickled module."""
    has_code = any(name.split("/")[1:2] == ["code"] for name in names)
    if not (has_code and _inside(names, "constants.pkl")):
        raise Refused("model:weights-only", f"This is a pickle of PyTorch without code. {TRACE}")
    return Recognised("torchscript", {MODEL: Part(path)})


def _pair(found: Sequence[Part]) -> Recognised:
    """Two files of one format; which is which is told by their bytes."""
    if len(found) != 2:
        raise Refused(
            "model:unsupported-format",
            f"The zip holds {len(found)} files. A zip is for formats of two files: {', '.join(PAIRS.values())}."
            " Upload other formats as they are.",
        )
    texts = [(part, _described_by(part)) for part in found]
    models = [(part, kind) for part, kind in texts if kind]
    if len(models) != 1:
        raise Refused(
            "model:unsupported-format",
            f"None or both of {found[0].name!r:.100}, {found[1].name!r:.100} describe"
            f" a network. Formats of two files are: {', '.join(PAIRS.values())}.",
        )
    (model, kind), weights = models[0], next(part for part in found if part is not models[0][0])
    _refuse_foreign_weights(kind, weights)
    return Recognised(kind, {MODEL: model, WEIGHTS: weights})


def _described_by(part: Part) -> str:
    """The format of which this part is the readable half, "" when it is not readable."""
    head = part.head()
    if b"\0" in head:
        return ""
    kind = _of_text(part.text())
    return kind if kind != "mxnet" or isinstance(as_json(part.text()), dict) else ""


def _refuse_foreign_weights(kind: str, weights: Part) -> None:
    head = weights.head()
    good = {
        "mxnet": head.startswith(MXNET_PARAMS),
        "caffe": head[:1] in {b"\x0a", b"\x12", b"\xa2"},  # NetParameter: name, layers or layer comes first
        "darknet": len(head) > 16 and int.from_bytes(head[:4], "little") < 16,  # major, minor, revision, seen
    }[kind]
    if not good:
        raise Refused(
            "model:incomplete", f"{weights.name!r:.200} does not hold the weights of a {kind} model."
        )
