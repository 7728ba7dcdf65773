"""TorchScript (.pt): a zip of code as text and of pickles. Text is read, pickles are listed, nothing is loaded."""

import pickletools
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from workers.toolkits.formats.facts import Facts
from workers.toolkits.formats.parts import Part, members
from workers.toolkits.formats.torchcode import CALL, MOST_CALLS, Call, calls_of

MOST_CODE = 32 << 20
PICKLE_BYTES = 4 << 20
FORWARD = re.compile(r"^  def forward\(self[^,)]*,?\s*(.*?)\)\s*->", re.MULTILINE | re.DOTALL)
ARGUMENT = re.compile(r"(\w+)\s*:\s*([^,=]+)")
SIZES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"}
TYPES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "IntStorage": "int32",
}
TYPES |= {"LongStorage": "int64", "ByteStorage": "uint8", "CharStorage": "int8", "BoolStorage": "bool"}


def facts(model: Part) -> Facts:
    """Names of the inputs from the code of `forward`, sizes from the traced inputs where the trace kept them."""
    names, sizes = argument_names(model), list(traced_inputs(model.path))
    inputs = [
        (name, *(sizes[place] if len(sizes) == len(names) else (None, "float32")))
        for place, name in enumerate(names)
    ]
    remarks = [("traced-sizes", "The sizes are those that it was traced with.")] if sizes else []
    called = (f"aten::{name}" for _, text in _files(model) for name in CALL.findall(text))
    return Facts(inputs=inputs, operators=Counter(called), producer="TorchScript", remarks=remarks)


def graph(model: Part) -> dict[str, Any]:
    """The operators in the order of the modules, in the form of onnxjob/description.py; how they hang together, and
    the sizes of tensors, only running the network would tell. A node's one attribute is what it is called with."""
    files = {name.removesuffix(".py").replace("/", "."): text for name, text in _files(model)}
    calls = list(islice(calls_of(files, _outermost(model.path)), 2 * MOST_CALLS))
    taken: Counter[str] = Counter()
    return {
        "format": "torchscript",
        "opset": 0,
        "ir_version": 0,
        "inputs": [],
        "outputs": [],
        "tensors": [],
        "nodes": [_node(call, taken) for call in calls[:MOST_CALLS]],
        "left_out": max(0, len(calls) - MOST_CALLS),
    }


def _node(call: Call, taken: Counter[str]) -> list[Any]:
    """The description's row; layers of one module that call one operator are numbered."""
    name = f"{call.where}.{call.operator}".removeprefix(".")[:200]
    taken[name] += 1
    unique = name if taken[name] == 1 else f"{name}#{taken[name]}"
    return [unique, f"aten::{call.operator}"[:200], "", [], [], {"arguments": list(call.arguments)}]


def argument_names(model: Part) -> list[str]:
    """What `forward` of the outermost module takes, without self."""
    module = _outermost(model.path)
    code = _code(model, module.rpartition(".")[0])
    name = re.escape(module.rpartition(".")[2])
    body = re.search(rf"^class {name}\(Module\):\n(.*?)(?=^class |\Z)", code, re.MULTILINE | re.DOTALL)
    forward = FORWARD.search(body[1]) if body else None
    found = ARGUMENT.findall(forward[1]) if forward else []
    return [name for name, kind in found if "Tensor" in kind]


def traced_inputs(path: Path) -> Iterator[tuple[tuple[int, ...], str]]:
    """Shape and type of each tensor that the model was traced with, in order; nothing where none was kept."""
    numbers: list[int] | None = None
    storage = ""
    for name, argument in _listed(path, "traced_inputs.pkl"):
        if name == "GLOBAL" and str(argument).startswith("torch ") and str(argument).endswith("Storage"):
            storage = str(argument).removeprefix("torch ")
        elif name == "BINPERSID":
            numbers = []
        elif numbers is not None and isinstance(argument, int) and name.startswith(("BININT", "LONG")):
            numbers.append(argument)
        elif numbers is not None and name in SIZES:
            yield tuple(numbers[1:]), TYPES.get(storage, "other")  # the first number is the storage's offset
            numbers = None


def _outermost(path: Path) -> str:
    """The qualified name of the module in data.pkl: the first class that the pickle names."""
    for name, argument in _listed(path, "data.pkl"):
        if name == "GLOBAL":
            return str(argument).replace(" ", ".")
    return ""


def _listed(path: Path, wanted: str) -> Iterator[tuple[str, object]]:
    """The pickle's instructions, listed and not followed; an end in the middle is the end."""
    found = [part for part in members(path) if part.member.split("/")[1:] == [wanted]]
    if not found:
        return
    try:
        for code, argument, _ in pickletools.genops(found[0].read(PICKLE_BYTES)):
            yield code.name, argument
    except (ValueError, IndexError, UnicodeError):
        return


def _code(model: Part, module: str) -> str:
    """The text of the module's file: code/__torch__/a/b.py holds the classes of __torch__.a.b."""
    wanted = ["code", *f"{module.replace('.', '/')}.py".split("/")]
    found = [part for part in members(model.path) if part.member.split("/")[1:] == wanted]
    return found[0].text() if found else ""


def _files(model: Part) -> Iterator[tuple[str, str]]:
    """The code: "__torch__/a/b.py" and its text, as much as may be looked at."""
    left = MOST_CODE
    for part in members(model.path):
        _, folder, name = f"{part.member}//".split("/", 2)
        if folder == "code" and part.member.endswith(".py") and left > 0:
            text = part.read(left).decode("utf-8", errors="replace")
            left -= len(text)
            yield name.rstrip("/"), text


def is_whole(path: Path) -> bool:
    """Does every member have the checksum that the zip announces?"""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, NotImplementedError):
        return False
