"""Files of other tools that end up here by mistake, told by their first bytes, and what to upload instead."""

import re
from collections.abc import Sequence

from workers.toolkits.formats.wire import varint
from workers.toolkits.onnxjob.jobside import Refused

SAVED_MODEL = (
    "This is a TensorFlow SavedModel, whose weights lie in the folder beside it. Export that folder to ONNX:"
    " python -m tf2onnx.convert --saved-model FOLDER --output model.onnx"
)
ORIGINAL = "Upload the model that it was made of"
SIGNS: Sequence[tuple[re.Pattern[bytes], str]] = (
    (
        re.compile(rb"^.{4}ORTM", re.DOTALL),
        f"This is a model in ONNX Runtime's own format (.ort). {ORIGINAL} (.onnx).",
    ),
    (re.compile(rb"^\s*7767517\s"), f"This is the text of an ncnn model (.param). {ORIGINAL}."),
    (
        re.compile(rb"^GGUF|^lmgg|^ggml"),
        "This is a file of GGML: weights for its own programs, without a graph.",
    ),
    (re.compile(rb"^(ftrt|ptrt)"), f"This is an engine of TensorRT, compiled for one GPU. {ORIGINAL}."),
    (
        re.compile(rb"^\s*(<\?xml[^>]*>\s*)?<net\s"),
        f"This is the graph of an OpenVINO model (.xml). {ORIGINAL}.",
    ),
    (
        re.compile(rb"^(version https://git-lfs)"),
        "This is a pointer of Git LFS, not the file: run git lfs pull first.",
    ),
    (
        re.compile(rb"^\s*<(!doctype )?html", re.IGNORECASE),
        "This is a web page: the download went to a login or an error.",
    ),
)


def refuse(head: bytes) -> None:
    """Raises Refused model:unsupported-format for bytes that tell which other tool's they are."""
    found = [words for sign, words in SIGNS if sign.search(head)]
    if found or _is_saved_model(head):
        raise Refused("model:unsupported-format", found[0] if found else SAVED_MODEL)


def _is_saved_model(head: bytes) -> bool:
    """Schema version 1, then a MetaGraphDef, which begins with a message; ONNX has its producer there."""
    if head[:3] != b"\x08\x01\x12":
        return False
    try:
        return head[varint(head, 3)[1]] == 0x0A
    except (ValueError, IndexError):
        return False
