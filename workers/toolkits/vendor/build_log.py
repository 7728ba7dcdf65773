"""What RKNN-Toolkit2 tells while it builds with verbose=True: its graph rewrites and the compiler's tables."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

PREFIX = re.compile(r"^[DIWE] RKNN: \[[0-9:.]+\] ?")
REWRITE = re.compile(
    r"^D?\s+(?P<rule>\w+): (?:remove node = \[(?P<removed>.*?)\])?(?:, )?(?:add node = \[(?P<added>.*?)\])?\s*$"
)
QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
CYCLES = re.compile(r"^(\d+)/(\d+)/(\d+)$")
TOTALS = re.compile(r"Total (Internal|Weight) Memory Size: ([0-9.]+)KB")
COLUMNS = (
    "ID",
    "OpType",
    "DataType",
    "Target",
    "InputShape",
    "OutputShape",
    "Cycles(DDR/NPU/Total)",
    "RW(KB)",
    "FullName",
)
SPARSE = "SparseRatio"


@dataclass(frozen=True)
class Rewrite:
    """A rule of the toolkit's optimizer that fired: names of the nodes that it took away and put in."""

    rule: str
    removed: tuple[str, ...]
    added: tuple[str, ...]


@dataclass(frozen=True)
class CompiledLayer:
    """A row of the compiler's layer table: an estimate made at compile time, not a measurement.

    `target` is NPU or CPU. Cycles are of DDR traffic, NPU and their larger one; 0 where the compiler has no estimate.
    """

    op: str
    dtype: str
    target: str
    output_shape: str
    ddr_cycles: int
    npu_cycles: int
    total_cycles: int
    rw_kb: float | None
    name: str


@dataclass(frozen=True)
class BuildLog:
    """Everything that was found in one build's output."""

    rewrites: tuple[Rewrite, ...]
    layers: tuple[CompiledLayer, ...]
    memory_kb: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def read_build_log(text: str) -> BuildLog:
    """The tables of the last build in `text`; what is not there is empty."""
    lines = [line.rstrip("\r\n") for line in text.splitlines()]
    memory = {word.lower(): float(number) for word, number in TOTALS.findall(text)}
    return BuildLog(tuple(_rewrites(lines)), tuple(_layers(lines)), memory)


def _rewrites(lines: Iterable[str]) -> Iterator[Rewrite]:
    for line in lines:
        found = REWRITE.match(line)
        if found and (found["removed"] is not None or found["added"] is not None):
            yield Rewrite(found["rule"], _names(found["removed"]), _names(found["added"]))


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(QUOTED.findall(text or ""))


def _layers(lines: list[str]) -> list[CompiledLayer]:
    """The last layer table, read by where its header's words begin: the columns' widths follow their content."""
    told = [line for line in lines if "RKNN:" in line] or lines  # somebody may have cut the prefix off
    plain = [PREFIX.sub("", line) for line in told]
    starts = [number for number, line in enumerate(plain) if "Network Layer Information Table" in line]
    rows: list[CompiledLayer] = []
    for start in starts[-1:]:
        header = next((line for line in plain[start : start + 4] if line.startswith("ID ")), "")
        for line in plain[plain.index(header, start) + 2 :] if header else []:
            if line.startswith("---"):
                break
            rows.append(_layer(_cells(line, header)))
    return rows


def _cells(line: str, header: str) -> dict[str, str]:
    names = [name for name in COLUMNS if name in header]
    at = sorted((header.index(name), name) for name in names)
    ends = [*at, (len(line) + len(header), "")]
    return {name: line[start:end].strip() for (start, name), (end, _) in pairwise(ends)}


def _layer(cells: dict[str, str]) -> CompiledLayer:
    cycles = CYCLES.match(cells.get("Cycles(DDR/NPU/Total)", ""))
    ddr, npu, total = (int(part) for part in cycles.groups()) if cycles else (0, 0, 0)
    traffic = cells.get("RW(KB)", "")
    return CompiledLayer(
        op=cells.get("OpType", ""),
        dtype=cells.get("DataType", ""),
        target=cells.get("Target", ""),
        output_shape=cells.get("OutputShape", ""),
        ddr_cycles=ddr,
        npu_cycles=npu,
        total_cycles=total,
        rw_kb=float(traffic) if traffic.replace(".", "", 1).isdigit() else None,
        name=cells.get("FullName", ""),
    )
