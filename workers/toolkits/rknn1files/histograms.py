"""The histograms that RKNN-Toolkit 1.x draws when RKNN_DRAW_DATA_DISTRIBUTE is set, one PNG file each [UG 7.4].

They lie in dump_data_distribute/ as <layer>_weight.png, <layer>_bias.png and <layer>_out<port>_nchw_<sizes>.png [as
published of 1.7.x]. What is kept becomes histogram-<number>.png right in the job's folder; all else of theirs is
deleted, so that it takes no disk while the dumps are written.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from workers.toolkits.onnxjob.jobside import log
from workers.toolkits.onnxjob.layers import printable
from workers.toolkits.pictures import MOST_BYTES, MOST_PICTURES, NoPicture, size_of
from workers.toolkits.rknn1files.snapshot import Snapshot, Tensor
from workers.toolkits.rknn1job.names import mangled, without_number

DRAWN = "dump_data_distribute"
FILE = re.compile(
    r"(?P<layer>.+)_(?:(?P<parameter>weight|bias)|out(?P<port>\d{1,3})(?:_(?:nchw|nhwc)(?:_\d+)*)?)\.png"
)
SHOWN = ("weight", "bias", "out")  # the order within a layer
MOST_LISTED = 20_000  # names that are looked at
MOST_TOTAL = 128 << 20  # bytes of all that are kept


@dataclass(frozen=True)
class Drawn:
    """A file by what its name says: the layer as it calls it, what is shown, the port of an output (else 0)."""

    path: Path
    layer: str
    shows: str
    port: int


def collect_histograms(folder: Path, snapshot: Snapshot, *, wanted: bool) -> list[dict[str, Any]]:
    """Move what is kept out of the toolkit's folder, delete that, and tell of each `file`, the `layer` (its place in
    the dump, None when no layer has this name), the `name`, and what it `shows` of which `port`.

    Ordered by layer. Without `wanted` nothing is kept.
    """
    place = folder / DRAWN
    found = _listed(place) if wanted else []
    kept = list(
        _kept(folder, sorted(zip(places_of(found, snapshot.tensors), found, strict=True), key=_order))
    )
    _delete(place)
    if wanted:
        log(
            f"{len(kept)} histograms; {len(found) - len(kept)} more files were too many or no whole pictures."
        )
    return kept


def places_of(files: Sequence[Drawn], tensors: Sequence[Tensor]) -> list[int | None]:
    """The place of the layer that each file shows, None where no layer of the dump is called so.

    Whether names of files end in the layer's id is not known of every version: the reading that finds more layers
    holds for all of them, else the number of one layer could be taken for the id of another. An id may differ from the
    dump's where only one layer is called so without it.
    """
    exact = {(mangled(one.layer), one.port): place for place, one in reversed(list(enumerate(tensors)))}
    named = Counter((mangled(one.plain), one.port) for one in tensors)
    plain = {(mangled(one.plain), one.port): place for place, one in enumerate(tensors)}
    plain = {name: place for name, place in plain.items() if named[name] == 1}
    bare = [plain.get((one.layer, one.port)) for one in files]
    by_id = [exact.get((one.layer, one.port), plain.get((_without_id(one.layer), one.port))) for one in files]
    return max(bare, by_id, key=lambda places: sum(place is not None for place in places))


def _without_id(name: str) -> str:
    """The name without the id that it ends in; "" when there is none, which no layer is called."""
    short = without_number(name)
    return short if short != name else ""


def _listed(place: Path) -> list[Drawn]:
    """The ordinary files right in the folder whose names say what they show; links and folders are none."""
    if place.is_symlink() or not place.is_dir():
        return []
    try:
        with os.scandir(place) as entries:
            return list(filter(None, map(_named, islice(entries, MOST_LISTED))))
    except OSError as error:
        log(f"{DRAWN} cannot be read: {error}")
        return []


def _named(entry: "os.DirEntry[str]") -> Drawn | None:
    match = FILE.fullmatch(entry.name)
    if not match or not entry.name.isprintable() or not entry.is_file(follow_symlinks=False):
        return None
    shows, port = match["parameter"] or "out", int(match["port"] or 0)
    return Drawn(Path(entry.path), mangled(match["layer"]), shows, port)


def _order(pair: tuple[int | None, Drawn]) -> tuple[bool, int, str, int, int, str]:
    """By layer, those of no layer last; within one, weight, bias, outputs."""
    layer, one = pair
    name = one.layer if layer is None else ""
    return (layer is None, layer or 0, name, SHOWN.index(one.shows), one.port, one.path.name)


def _kept(folder: Path, placed: Sequence[tuple[int | None, Drawn]]) -> Iterator[dict[str, Any]]:
    number, total = 0, 0
    for layer, one in placed:
        if number == MOST_PICTURES:
            return
        size = _picture_bytes(one.path)
        if not size or total + size > MOST_TOTAL:
            continue
        number, total = number + 1, total + size
        file = f"histogram-{number:04d}.png"
        one.path.rename(folder / file)
        yield {
            "file": file,
            "layer": layer,
            "name": printable(one.layer),
            "shows": one.shows,
            "port": one.port,
        }


def _picture_bytes(path: Path) -> int:
    """How long the file is; 0 for one that is not kept: no picture, too long, or known by another name elsewhere."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_nlink != 1 or facts.st_size > MOST_BYTES:
                return 0
            data = file.read(MOST_BYTES)
        size_of(data)
    except (OSError, NoPicture):
        return 0
    return len(data)


def _delete(place: Path) -> None:
    """Delete the toolkit's folder with all that is in it, or what stands in its place."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    else:
        shutil.rmtree(place, ignore_errors=True)
