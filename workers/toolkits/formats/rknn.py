"""Ready .rknn files: compiled for one platform by some toolkit; they are run as they are, never converted."""

from collections.abc import Iterator, Mapping
from typing import Any

from workers.toolkits.formats.facts import Facts
from workers.toolkits.formats.parts import Part
from workers.toolkits.formats.rknnheader import Header, entries, read_header

MOST_DIMENSIONS = 16
MOST_SIZE = 1 << 31
TYPES = ("float16", "float32", "int8", "uint8", "int16", "uint16", "int32", "int64")
End = tuple[str, list[int | None] | None, str]


def facts(model: Part) -> Facts:
    """What the file tells of itself. Raises Refused model:damaged or model:too-complex."""
    header = read_header(model.path)
    return Facts(
        inputs=list(ends(header, "input")),
        outputs=list(ends(header, "output")),
        producer=" ".join(
            (header.made_by, *([f"for {', '.join(header.platforms)}"] * bool(header.platforms)))
        ),
        remarks=list(_remarks(header)),
        platforms=header.platforms,
    )


def ends(header: Header, which: str) -> Iterator[End]:
    """Inputs or outputs (name, sizes, type): entries of `graph` name their tensors by number.

    The type is the one inside the NPU: what goes in may be of another, which the runtime converts.
    """
    tensors = {
        entry["tensor_id"]: entry for entry in entries(header.told, "norm_tensor") if _has_number(entry)
    }
    for entry in entries(header.told, "graph"):
        number = entry.get("right_tensor_id")
        tensor = tensors.get(number) if isinstance(number, int) else None
        if entry.get("left") == which and tensor is not None:
            yield str(tensor.get("url") or ""), _sizes(header, tensor.get("size")), _type(tensor.get("dtype"))


def _has_number(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("tensor_id"), int)


def _sizes(header: Header, told: object) -> list[int | None] | None:
    """Sizes in numpy's order. Those of 1.x files may stand the other way round, as its runtime tells them [API
    6.1.1.5]: a batch of one at the end says so. INFER: no such file was at hand.
    """
    if not isinstance(told, list) or not 0 < len(told) <= MOST_DIMENSIONS:
        return None
    sizes = [size if type(size) is int and 0 < size < MOST_SIZE else None for size in told]
    is_reversed = header.version.startswith("1.") and sizes[-1] == 1 and sizes[0] != 1
    return sizes[::-1] if is_reversed else sizes


def _type(told: object) -> str:
    word = str(told.get("vx_type", "")) if isinstance(told, dict) else ""
    name = word.rpartition("_")[2].lower()
    return name if name in TYPES else ""


def _remarks(header: Header) -> Iterator[tuple[str, str]]:
    if header.is_encrypted:
        yield (
            "encrypted",
            "The file is encrypted: say in the recipe for which platform it is, and its inputs.",
        )
    elif not header.told:
        yield (
            "unknown-container",
            f"Container version {header.container:#x} is not known here: say in the recipe for which platform the"
            " file is, and its inputs.",
        )
    elif not header.platforms:
        yield "platform-unknown", "The file does not tell its platform: the recipe has to say it."
    yield (
        "compiled",
        "This file is compiled already: it can be run on a board of its platform as it is (toolkit ready, run only),"
        " and not be converted again. How it was quantized it does not tell.",
    )
    if header.is_precompiled:
        yield "precompiled", "It is precompiled: the runtime does not dump the layers of such a file."
