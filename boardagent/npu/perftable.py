"""The runtime's table of layer times, parsed from the right: names may hold anything, blanks too.

RKNN 1.7: "  2  Conv_Conv_1_2  0  CONVOLUTION  NN  1                 920" (layer id, name, operation id, operator,
target unit, uid, microseconds). The uid column is missing where the driver has no node ids, and -1 where a node has no
layer. Target units: NN convolution engine, TP tensor processor, SH shader, SW the CPU, SC scaler.

RKNPU2: a table with a header line; one column of cycles or three, core load with or without blanks, more columns on
some chips; the name comes last.
"""

import re

from boardagent.npu.layernames import keys_of

LONGEST_LINE = 4000
MOST_ROWS = 20000
LONGEST_NAME = 500
TAIL_1 = re.compile(
    r"\s(?P<operation>-?\d+)\s+(?P<op>\S+)\s+(?P<target>[A-Za-z]\w*)(?:\s+(?P<uid>-?\d+))?\s+(?P<time>\d+)\s*$"
)
HEAD_1 = re.compile(r"^\s*-?\d+(?=\s)")
TOTAL_2 = re.compile(r"Total Operator Elapsed[^:]*Time\(us\):\s*(\d+)")


def parse_1(text):
    """Rows (name, op, target, uid or None, time_us) of a 1.7 table, in execution order."""
    return _with_keys([row for row in map(_row_1, _lines(text)) if row], True)


def _row_1(line):
    head, tail = HEAD_1.match(line), TAIL_1.search(line)
    if not head or not tail or tail.start() < head.end() - 1:
        return None
    uid = int(tail.group("uid")) if tail.group("uid") else -1
    return {
        "name": line[head.end() : tail.start()].strip()[:LONGEST_NAME],
        "op": tail.group("op")[:60],
        "target": tail.group("target")[:20],
        "uid": uid if uid >= 0 else None,
        "time_us": float(tail.group("time")),
    }


def parse_2(text):
    """Rows of an RKNPU2 table; `uid` is its ID column."""
    rows, columns = [], None
    for line in _lines(text):
        if line.startswith("ID ") and "FullName" in line and "Time(us)" in line:
            columns = len(re.split(r"\s{2,}", line[line.index("Time(us)") :].strip())) - 1
        elif columns is not None and line[:1].isdigit():
            rows.append(_row_2(line, columns))
    return _with_keys([row for row in rows if row], False)


def _row_2(line, columns):
    """`columns`: how many of them follow the time, the full name included."""
    parts = line.replace(" - Up:", "-Up:").split()
    after = 7 if len(parts) > 6 and "/" in parts[6] else 9
    if len(parts) <= after + columns - 1 or not parts[0].isdecimal() or not parts[after].isdecimal():
        return None
    name = " ".join(parts[after + columns :])
    return {
        "name": name.partition(":")[2][:LONGEST_NAME] or name[:LONGEST_NAME] or parts[1],
        "op": parts[1][:60],
        "target": parts[3][:20],
        "uid": int(parts[0]),
        "time_us": float(parts[after]),
    }


def total_2(text):
    """The total that an RKNPU2 table states, or None."""
    found = TOTAL_2.search(text)
    return float(found.group(1)) if found else None


def _lines(text):
    return [line.rstrip() for line in text.splitlines() if len(line) <= LONGEST_LINE][: 2 * MOST_ROWS]


def _with_keys(rows, with_ids):
    rows = rows[:MOST_ROWS]
    for row, key in zip(rows, keys_of([row["name"] for row in rows], with_ids)):
        row["key"] = key
    return rows
