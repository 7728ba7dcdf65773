"""Looking at an uploaded input set and writing it in canonical form (ARCHITECTURE.md, "A samples file").

Runs in a limited child: `python -P -m workers.toolkits.inspect_samples_job FOLDER`. job.json names the file
(`samples`), the name it was uploaded with (`uploaded_name`) and the greatest size unpacked (`max_bytes`,
optional). An .npz is one sample whose arrays are named like the model's inputs; an array whose file is
called arr_0 has no name. In a zip every picture, .npy or .npz is one sample, in order of names.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from similarity.tensorfile import TensorSpec, dtype_code, stream_tensors
from workers.toolkits.onnxjob.archive import ARCHIVES, entries, is_zip
from workers.toolkits.onnxjob.decode import decode
from workers.toolkits.onnxjob.jobside import Refused, run_job, stage

MAX_BYTES = 2 << 30
CHANNELS = (1, 3, 4)
Array = NDArray[Any]
Sample = dict[str, Array]


def inspect(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Write samples.safetensors; its name and what it holds. Raises Refused data:*."""
    path = folder / str(job["samples"])
    most = int(job.get("max_bytes") or MAX_BYTES)
    if path.stat().st_size == 0:
        raise Refused("data:empty", "The file holds no bytes.")
    uploaded = PurePosixPath(str(job.get("uploaded_name") or path.name)).name
    first: Sample = {}
    specs: list[TensorSpec] = []
    with tempfile.TemporaryFile(dir=folder) as spool:
        for index, (name, sample) in enumerate(read_samples(folder, path, uploaded, most)):
            first = first or sample
            refuse_difference(first, sample, name)
            for input_name, value in sample.items():
                specs.append(TensorSpec(f"{index:06d}/{input_name}", dtype_code(value.dtype), value.shape))
                spool.write(value.tobytes())
            stage("reading samples", index + 1, 0)
        if not first:
            raise Refused("data:empty", f"{uploaded!r} holds no pictures and no arrays.")
        count = len(specs) // len(first)
        spool.seek(0)
        metadata = {"layerwise": "samples/1", "count": str(count)}
        stream_tensors(folder / "samples.safetensors", specs, metadata, _spooled(spool, specs, first))
    return {
        "samples": "samples.safetensors",
        "count": count,
        "inputs": [{"name": n, "shape": list(v.shape), "dtype": v.dtype.name} for n, v in first.items()],
        "layout_guess": guess_layout(list(first.values())),
    }


def _spooled(spool: Any, specs: list[TensorSpec], first: Sample) -> Iterator[Array]:
    """The samples again, one tensor at a time: the file's header needs their number, so they waited on disk
    and not in memory."""
    types = {name: value.dtype for name, value in first.items()}
    for spec in specs:
        dtype = types[spec.name.partition("/")[2]]
        yield np.frombuffer(spool.read(spec.nbytes), dtype).reshape(spec.shape)


def read_samples(folder: Path, path: Path, uploaded: str, most: int) -> Iterator[tuple[str, Sample]]:
    """Name and arrays of every sample of the upload, one at a time."""
    if not is_zip(path):
        yield uploaded, _one_array(uploaded, path.read_bytes())
    elif uploaded.lower().endswith(".npz"):
        yield uploaded, named_arrays(path, most)
    else:
        yield from _from_archive(folder, path, most)


def _one_array(name: str, data: bytes) -> Sample:
    if data[:4] == b"PK\x05\x06":
        raise Refused("data:empty", f"{name!r} is an empty archive.")
    return {"": decode(name, data)}


def _from_archive(folder: Path, path: Path, most: int) -> Iterator[tuple[str, Sample]]:
    for name, data in entries(path, most):
        lower = name.lower()
        if lower.endswith(".npz"):
            inner = folder / "one-sample.npz"
            inner.write_bytes(data)
            yield name, named_arrays(inner, most)
        elif lower.endswith(ARCHIVES) or data[:4] == b"PK\x03\x04":
            raise Refused("data:unreadable", f"{name!r} is an archive inside the archive; unpack it first.")
        else:
            yield name, _one_array(name, data)


def named_arrays(path: Path, most: int) -> Sample:
    """The arrays of an .npz by name; a single one called arr_0 was saved without a name."""
    arrays: Sample = {}
    for name, data in entries(path, most, suffix=".npy"):
        if data[:6] != b"\x93NUMPY":
            raise Refused("data:unreadable", f"{name!r} in the .npz is no array.")
        arrays[name] = decode(name, data)
    if not arrays:
        raise Refused("data:empty", "The .npz holds no arrays.")
    return {"": arrays["arr_0"]} if list(arrays) == ["arr_0"] else arrays


def refuse_difference(first: Sample, sample: Sample, name: str) -> None:
    """Refused data:mixed when `sample` does not have the inputs, shapes and types of the first one."""
    kinds = [{key: (value.shape, value.dtype.name) for key, value in one.items()} for one in (first, sample)]
    if kinds[0] != kinds[1]:
        shown = [
            ", ".join(f"{k or 'array'} {list(s)} {d}" for k, (s, d) in sorted(kind.items())) for kind in kinds
        ]
        raise Refused("data:mixed", f"{name!r} has {shown[1]}; the samples before have {shown[0]}.")


def guess_layout(values: list[Array]) -> str:
    """NHWC or NCHW by where a small number of channels is; "" when that does not tell."""
    guesses = {_guess(value) for value in values if value.ndim in (3, 4)}
    return guesses.pop() if len(guesses) == 1 else ""


def _guess(value: Array) -> str:
    if value.dtype == np.uint8 and value.shape[-1] == 3:
        return "NHWC"  # A picture, even one that is four pixels high.
    first, last = value.shape[-3] in CHANNELS, value.shape[-1] in CHANNELS
    return "" if first == last else "NCHW" if first else "NHWC"


if __name__ == "__main__":
    run_job(inspect)
