"""Whether a board can be believed: types, ranges, names and lengths. All else is board:bad-answer."""

import json
import re
import struct
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.jobs.failures import FAILURES
from workers.errors import JobError
from workers.link.base import board_failure
from workers.link.results import (
    BoardInfo,
    Fingerprint,
    LayerFiles,
    LayerTime,
    PlainRun,
    RunResult,
    SequenceCheck,
    TimedRun,
)

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SHA256 = re.compile(r"[0-9a-f]{64}")
LONGEST_TEXT = 500
MOST_LAYERS = 20_000
MOST_ITERATIONS = 100_000
MOST_BYTES = 8 * 1024**3
MOST_TIME_US = 1e11  # a day
LARGEST = 3.5e38  # what float32 holds
MOST_FENCE = 1e15  # a float still holds it exactly, and one more still has a folder
MOST_HEADER = 64 * 1024 * 1024


@dataclass(frozen=True)
class Announced:
    """A file that the board says it has."""

    size: int
    sha256: str


def bad(detail: str) -> JobError:
    """The failure for an answer that cannot be believed."""
    return board_failure("board:bad-answer", detail)


def text(value: Any, what: str, longest: int = LONGEST_TEXT) -> str:
    """`value` if it is text of a bearable length."""
    if not isinstance(value, str) or len(value) > longest:
        raise bad(f"{what} is not a text of at most {longest} characters")
    return value


def number(value: Any, what: str, most: float) -> float:
    """`value` if it is a number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise bad(f"{what} is not a number from 0 to {most:g}")
    return float(value)


def mapping(value: Any, what: str) -> dict[str, Any]:
    """`value` if it is a JSON object."""
    if not isinstance(value, dict):
        raise bad(f"{what} is not an object")
    return value


def sequence(value: Any, what: str, most: int) -> list[Any]:
    """`value` if it is a list of 1 to `most` entries."""
    if not listed(value, what, most):
        raise bad(f"{what} is empty")
    return list(value)


def listed(value: Any, what: str, most: int = 100) -> list[Any]:
    """`value` if it is a list of at most `most` entries."""
    if not isinstance(value, list) or len(value) > most:
        raise bad(f"{what} is not a list of at most {most} entries")
    return value


def announced(value: Any, what: str, most: int = MOST_BYTES) -> Announced:
    """Length and hash of a file of at most `most` bytes."""
    entry = mapping(value, what)
    size = number(entry.get("bytes"), f"{what}: bytes", most)
    digest = text(entry.get("sha256"), f"{what}: sha256", 64)
    if not SHA256.fullmatch(digest):
        raise bad(f"{what}: sha256 is not one")
    return Announced(int(size), digest)


def board_info(message: dict[str, Any], agent: str) -> BoardInfo:
    """The answer to `hello`."""
    memory = message.get("mem_available_kb")
    return BoardInfo(
        version=int(number(message.get("version"), "version", 1000)),
        python=text(message.get("python"), "python", 50),
        machine=text(message.get("machine"), "machine", 50),
        kernel=text(message.get("kernel"), "kernel", 200),
        disk_free_bytes=int(number(message.get("disk_free_bytes"), "disk_free_bytes", 1e18)),
        mem_available_kb=None if memory is None else int(number(memory, "mem_available_kb", 1e15)),
        boot_id=text(message.get("boot_id") or "", "boot_id", 100),
        npus=tuple(text(kind, "npu", 20) for kind in listed(message.get("npus"), "npus")),
        fence=int(number(message.get("fence"), "fence", MOST_FENCE)),
        agent=agent,
        kind=_kind(message.get("agent", "python")),
        compressions=tuple(
            text(one, "compression", 20) for one in listed(message.get("compressions"), "compressions")
        ),
    )


def _kind(value: Any) -> str:
    if value not in ("python", "c"):
        raise bad("agent is neither python nor c")
    return str(value)


def reported(error: Any) -> JobError:
    """The failure that the agent itself reports; a code that is none of a board's is not believed."""
    entry = mapping(error, "error")
    code = text(entry.get("code"), "error code", 60)
    if code not in FAILURES or not code.startswith("board:"):
        return bad(f"the agent reports a failure of an unknown kind {code!r}")
    words = f"{str(entry.get('message', ''))[:2000]}\n{str(entry.get('detail', ''))[-6000:]}"
    return board_failure(code, words.strip())


def run_result(
    result: dict[str, Any], job: dict[str, Any], folder: Path, files: Container[str], agent: str
) -> RunResult:
    """The whole result, its `files` already in `folder`; every mode of the job must be in it.

    Raises what the board reports as its error first.
    """
    if "error" in result:
        raise reported(result["error"])
    modes = job["modes"]
    marks = mapping(result.get("fingerprint"), "fingerprint")
    before, after = mapping(marks.get("before"), "before"), mapping(marks.get("after"), "after")
    return RunResult(
        plain=_plain(result.get("plain"), job, folder, files) if "plain" in modes else None,
        timed=_timed(result.get("timed")) if "timed" in modes else None,
        dump=_dump(result.get("dump"), folder, files) if "dump" in modes else None,
        fingerprint=Fingerprint(before, after),
        simulated=before.get("simulated") is not False,
        agent=agent,
        sequence=_sequence(result.get("sequence")) if "sequence" in modes else None,
    )


def _plain(value: Any, job: dict[str, Any], folder: Path, files: Container[str]) -> PlainRun:
    entry = mapping(value, "plain")
    times = _times(entry.get("iterations_us"), "iterations_us", job["iterations"])
    wall = _times(entry["wall_us"], "wall_us", job["iterations"]) if "wall_us" in entry else ()
    outputs = _file(entry.get("outputs"), "outputs", folder, files)
    return PlainRun(number(entry.get("init_us"), "init_us", MOST_TIME_US), times, outputs, wall)


def _times(value: Any, what: str, count: int) -> tuple[float, ...]:
    times = sequence(value, what, MOST_ITERATIONS)
    if len(times) != count:
        raise bad(f"{what}: {len(times)} iterations instead of {count}")
    return tuple(number(time, what, MOST_TIME_US) for time in times)


def _dump(value: Any, folder: Path, files: Container[str]) -> Path | LayerFiles:
    """The dump's file, or the vendor's files that make one; each of them must have arrived."""
    entry = mapping(value, "dump")
    if entry.get("format") == "dump/1":
        return _file(entry.get("file"), "dump", folder, files)
    if entry.get("format") != "nn-layer-dump":
        raise bad("the dump has an unknown format")
    rows = [mapping(row, "file") for row in listed(entry.get("files"), "files", MOST_LAYERS)]
    for row in rows:
        text(row.get("label"), "label")
    if len({_arrived(row.get("name"), "files", files) for row in rows}) != len(rows):
        raise bad("files names a file twice")
    if entry.get("names") is not None:
        _arrived(entry["names"], "names", files)
    return LayerFiles(folder, entry, text(entry.get("reason", ""), "reason"))


def _sequence(value: Any) -> tuple[SequenceCheck, ...]:
    checks = sequence(mapping(value, "sequence").get("checks"), "checks", 10)
    return tuple(_check(mapping(check, "check")) for check in checks)


def _check(entry: dict[str, Any]) -> SequenceCheck:
    runs = int(number(entry.get("runs"), "runs", MOST_ITERATIONS))
    most = entry.get("max_difference")
    return SequenceCheck(
        name=text(entry.get("name"), "name", 60),
        runs=runs,
        differing=tuple(
            int(number(one, "differing", runs)) for one in listed(entry.get("differing"), "differing", runs)
        ),
        max_difference=None if most is None else number(most, "max_difference", LARGEST),
        hangs=int(number(entry.get("hangs"), "hangs", runs)),
        median_us=number(entry.get("median_us"), "median_us", MOST_TIME_US),
    )


def _timed(value: Any) -> TimedRun:
    entry = mapping(value, "timed")
    reason = text(entry.get("reason", ""), "reason")
    found = listed(entry.get("layers"), "layers", MOST_LAYERS)
    if not found and not reason:
        raise bad("there are no layers, and no reason why")
    rows = [mapping(row, "layer") for row in found]
    layers = tuple(
        LayerTime(
            key=text(row.get("key"), "key"),
            name=text(row.get("name"), "name"),
            op=text(row.get("op"), "op"),
            target=text(row.get("target"), "target"),
            time_us=number(row.get("time_us"), "time_us", MOST_TIME_US),
        )
        for row in rows
    )
    if len({layer.key for layer in layers}) != len(layers):
        raise bad("two layers have the same key")
    return TimedRun(number(entry.get("total_us"), "total_us", MOST_TIME_US), layers, reason)


def _arrived(value: Any, what: str, files: Container[str]) -> str:
    """The name of a file that was announced and has arrived whole."""
    name = text(value, what, 100)
    if name not in files:
        raise bad(f"{what} names a file that was not announced")
    return name


def _file(value: Any, what: str, folder: Path, files: Container[str]) -> Path:
    """The local copy of the tensor file of that name, its header checked."""
    path = folder / _arrived(value, what, files)
    kind = tensor_metadata(path).get("layerwise")
    if kind != f"{what}/1":
        raise bad(f"{path.name} is of kind {kind!r} instead of {what}/1")
    return path


def tensor_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file whose tensors all lie inside it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else -1
        if not 2 <= length <= min(size - 8, MOST_HEADER):
            raise bad(f"{path.name} is no tensor file")
        try:
            header = json.loads(file.read(length))
            metadata = header.pop("__metadata__", {})
            ends = [entry["data_offsets"][1] for entry in header.values()]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise bad(f"{path.name} has a damaged header: {error}") from error
    room = size - 8 - length
    if not isinstance(metadata, dict) or not all(isinstance(end, int) and 0 <= end <= room for end in ends):
        raise bad(f"{path.name} is shorter than its header says")
    return metadata
