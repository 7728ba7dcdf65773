"""Layer files of a board's runtime (NN_LAYER_DUMP of RKNN 1.7, RKNPU2's arrays) that somebody brought home by hand."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from similarity.dumpfile import DumpFile
from workers.errors import JobError
from workers.layerdump import assemble
from workers.layerdump.listing import ARRAY, NODE
from workers.toolkits.imported.damage import damaged
from workers.toolkits.imported.dumps import Dumped

NAMES = "NodeID_To_LayerName.txt"
NUMBER = re.compile(r"(?:NodeID_)?(\d+)_")


def is_layer_file(label: str) -> bool:
    """Does a runtime call a layer's file so?"""
    return bool(NODE.fullmatch(label) or ARRAY.fullmatch(label))


def read_layer_files(folder: Path, files: Mapping[str, Path], origin: str, reference: Path | None) -> Dumped:
    """The dump of rung "board" of the files (name -> path, all in one folder), made in `folder`.

    Layers stand in the order of their numbers: an archive keeps no other. `reference` decides names and axis orders, as
    for a run's dump. Raises Refused import:damaged.
    """
    layers = sorted((label for label in files if is_layer_file(label)), key=_place)
    listed: dict[str, Any] = {
        "files": [{"name": files[label].name, "label": label} for label in layers],
        "names": None,
    }
    if NAMES in files:
        listed["names"] = files[NAMES].name
    try:
        made = assemble(next(iter(files.values())).parent, listed, reference)
    except JobError as error:
        raise damaged(f"{origin or 'the folder'}: {error.detail}") from error
    target = folder / "board.safetensors"
    made.rename(target)
    with DumpFile.open(target) as dump:
        return Dumped("board", target, origin, dump.layers)


def _place(label: str) -> tuple[int, str]:
    found = NUMBER.match(label)
    return (int(found[1]) if found else 0, label)
