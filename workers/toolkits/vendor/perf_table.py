"""Times of layers as the vendor's tools print them: eval_perf of RKNN-Toolkit 1.x, and PERF_DETAIL of both C APIs.

PERF_DETAIL is read by the agent's own reader, so that a table means the same whoever brings it. In eval_perf
[UG 5.3.1] a row begins with a layer id and ends with a time; a long name goes on in the next line's name column, a
second operator of the row in its operator column; some rows have no Uid, and toolkits up to 1.7.3 print neither
Operator nor Uid for their simulator. Without perf_debug there are no rows, only the average.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from boardagent.npu import perftable

LONGEST_LINE = 4000
MOST_ROWS = 20_000
HEADING = re.compile(r"^\s*Layer ID\s+Name\b.*Time\(us\)")
ROW = re.compile(r"^\s*(?P<layer>-?\d+)\s+(?P<name>\S.*?)\s+(?P<op>[A-Z][A-Z0-9_]*)(?:\s+(?P<uid>\d+))?\s+(?P<time>\d+(?:\.\d+)?)\s*$")  # fmt: skip  # noqa: E501
PLAIN_ROW = re.compile(r"^\s*(?P<layer>-?\d+)\s+(?P<name>\S.*?)\s+(?P<time>\d+(?:\.\d+)?)\s*$")
TOTAL = re.compile(r"(?:Total Time\(us\)|Average inference Time\(us\)):\s*(\d+(?:\.\d+)?)")
FPS = re.compile(r"FPS(?:\(\d+MHz\))?:\s*(\d+(?:\.\d+)?)")
DETAIL_1 = re.compile(r"^\s*Layer id:.*Time\(us\):", re.MULTILINE)
DETAIL_2 = re.compile(r"^ID .*Time\(us\).*FullName", re.MULTILINE)


@dataclass(frozen=True)
class TimedRow:
    """A row of a table: `target` is the unit that did it ("" where the table does not tell), `uid` the node's id."""

    name: str
    op: str
    target: str
    uid: int | None
    time_us: float


@dataclass(frozen=True)
class PerfTable:
    """Which table it was ("rknn1 eval_perf", "rknn1 PERF_DETAIL", "rknn2 PERF_DETAIL") and what it says.

    `total_us` is what the table states, None where it states none; rows are in the order of execution.
    """

    made_by: str
    rows: tuple[TimedRow, ...]
    total_us: float | None
    fps: float | None = None


class NoTimes(ValueError):
    """The text is no table of times."""


def read_perf_table(text: str) -> PerfTable:
    """The table of times in `text`, the first kind that is found. Raises NoTimes."""
    if DETAIL_1.search(text):
        found = PerfTable("rknn1 PERF_DETAIL", _agents(perftable.parse_1(text)), None)
    elif DETAIL_2.search(text):
        rows = _agents(perftable.parse_2(text))
        found = PerfTable("rknn2 PERF_DETAIL", rows, perftable.total_2(text))
    else:
        found = _eval_perf([line.rstrip() for line in text.splitlines() if len(line) <= LONGEST_LINE])
    if not found.rows and found.total_us is None:
        raise NoTimes("no row of a table of times was found")
    return found


def _agents(rows: Iterable[dict[str, object]]) -> tuple[TimedRow, ...]:
    """Rows of the agent's reader."""
    names = ("name", "op", "target", "uid", "time_us")
    return tuple(TimedRow(**{name: row[name] for name in names}) for row in rows)  # type: ignore[arg-type]


def _eval_perf(lines: list[str]) -> PerfTable:
    total, fps = (next((float(m[1]) for m in map(what.search, lines) if m), None) for what in (TOTAL, FPS))
    start = next((number for number, line in enumerate(lines) if HEADING.match(line)), None)
    rows: list[TimedRow] = []
    if start is not None:
        heading = lines[start]
        for line in lines[start + 1 :]:
            if TOTAL.search(line) or len(rows) == MOST_ROWS:
                break
            _take(rows, line, heading)
    return PerfTable("rknn1 eval_perf", tuple(rows), total, fps)


def _take(rows: list[TimedRow], line: str, heading: str) -> None:
    """A new row, or the last one with what the next line adds to it."""
    if found := (ROW if "Operator" in heading else PLAIN_ROW).match(line):
        parts = found.groupdict()
        uid = int(parts["uid"]) if parts.get("uid") else None
        rows.append(TimedRow(parts["name"], parts.get("op") or "", "", uid, float(parts["time"])))
    elif rows and line[:1].isspace() and line.strip():
        cells, last = _cells(line, heading), rows[-1]
        op = f"{last.op}+{cells['Operator']}" if cells.get("Operator") else last.op
        rows[-1] = replace(last, name=last.name + cells["Name"], op=op)


def _cells(line: str, heading: str) -> dict[str, str]:
    """The line's words by the heading's columns."""
    names = [name for name in ("Name", "Operator", "Uid", "Time(us)") if name in heading]
    ends = [*(heading.index(name) for name in names), LONGEST_LINE]
    return {name: line[start:end].strip() for name, (start, end) in zip(names, pairwise(ends), strict=True)}
