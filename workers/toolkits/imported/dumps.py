"""One dump/1 of the tensor files of one folder, with never more than one layer in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from similarity.dumpfile import LayerInfo, write_dump
from workers.toolkits.imported.damage import damaged
from workers.toolkits.imported.tensors import read_tensor
from workers.toolkits.onnxjob.jobside import stage


@dataclass(frozen=True)
class Found:
    """A layer's file in the upload: `label` is what the uploader calls it."""

    info: LayerInfo
    file: Path
    label: str


@dataclass(frozen=True)
class Dumped:
    """A dump that was written: its rung, its file in the job's folder, and the folder of the upload that it was."""

    rung: str
    file: Path
    origin: str
    layers: tuple[LayerInfo, ...]


def write_rung(folder: Path, rung: str, origin: str, found: Sequence[Found]) -> Dumped:
    """Write the dump of `rung`; each file is deleted once it was read. Raises Refused import:damaged."""
    path = folder / f"{rung}.safetensors"
    infos = [one.info for one in found]
    try:
        write_dump(path, rung, infos, _values(rung, found), dtypes=["F32"] * len(infos))
    except ValueError as error:
        raise damaged(f"{origin}: {error}") from error
    return Dumped(rung, path, origin, tuple(infos))


def _values(rung: str, found: Sequence[Found]) -> Iterator[NDArray[Any]]:
    for number, one in enumerate(found, 1):
        yield read_tensor(one.file, one.label, one.info.shape)
        one.file.unlink(missing_ok=True)
        stage(f"{rung} dump", number, len(found))
