"""What a .rknn file tells of itself without any SDK: its container, and the JSON behind the compiled graph.

"RKNN", four bytes, the container's version and the graph's length (both uint64, little-endian), 40 bytes more in all
containers but the oldest, the graph, the JSON's length (uint64), the JSON. Read in files of RKNN-Toolkit2 2.5.0
(containers 6 and 0x1004); the others, and the sign of encrypted files, as Netron reads them. What lies behind the JSON
is not looked at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from workers.toolkits.onnxjob.jobside import Refused

MAGIC, ENCRYPTED = b"RKNN", b"CYPTRKNN"
SHORT, LONG = 24, 64  # bytes before the graph
OLDEST = (0x0001, 0x1001)
CONTAINERS = (*OLDEST, *(number + kind for number in range(2, 7) for kind in (0, 0x1000)))
MOST_JSON = 16 << 20  # some hundred bytes a layer; files of toolkit2 have about a thousand in all


@dataclass(frozen=True)
class Header:
    """`told` is the JSON, empty where nobody can read it: an encrypted file, or a container that is not known."""

    container: int = 0
    is_encrypted: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The toolkit's, as it writes it: "2.5.0"; "" when the file does not tell."""
        version = self.told.get("version")
        return _line(version) if isinstance(version, str) else ""

    @property
    def platforms(self) -> tuple[str, ...]:
        """The chips that it is compiled for, () when the file does not tell."""
        named = self.told.get("target_platform")
        words = named if isinstance(named, list) else [named]
        return tuple(_line(word).lower() for word in words[:16] if isinstance(word, str) and word)

    @property
    def made_by(self) -> str:
        """The toolkit that built it, in words."""
        name = "RKNN-Toolkit" if self.version.startswith("1.") else "RKNN-Toolkit2"
        return f"{name} {self.version}" if self.version else "a toolkit that the file does not name"

    @property
    def is_precompiled(self) -> bool:
        """Whether a file of 1.x holds the NPU's binary, whose layers no runtime dumps; False of others."""
        return any(node.get("op") == "VSI_NN_OP_NBG" for node in entries(self.told, "nodes"))


def read_header(path: Path) -> Header:
    """The header of the .rknn file at `path`. Raises Refused model:damaged or model:too-complex."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(SHORT)
        if head.startswith(ENCRYPTED):
            return Header(is_encrypted=True)
        if len(head) < SHORT:
            raise _damaged(f"it ends after {size} bytes, within its header")
        container, length = (int.from_bytes(head[at : at + 8], "little") for at in (8, 16))
        if container not in CONTAINERS:
            return Header(container)
        begin = SHORT if container in OLDEST or not length else LONG
        return Header(container, told=_json(file, begin + length, size))


def _json(file: BinaryIO, begin: int, size: int) -> Mapping[str, Any]:
    if begin + 8 > size:
        raise _damaged(f"its graph would end at byte {begin}, the file has {size}")
    file.seek(begin)
    length = int.from_bytes(file.read(8), "little")
    if begin + 8 + length > size:
        raise _damaged(f"its description of {length} bytes would end beyond the file's {size}")
    if length > MOST_JSON:
        raise Refused(
            "model:too-complex", f"Its description has {length} bytes; at most {MOST_JSON} are read."
        )
    try:
        told = json.loads(file.read(length).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(f"its description is no JSON text ({type(error).__name__})") from error
    if not isinstance(told, dict):
        raise _damaged("its description is no map")
    return told


def entries(told: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The maps in the list of this name; [] when there is none."""
    found = told.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _line(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:40]


def _damaged(why: str) -> Refused:
    return Refused("model:damaged", f"The .rknn file is damaged: {why}.")
