"""The vendor's output without its noise: which lines may say why, and the one that does as a rule."""

import re
from collections.abc import Iterable

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
# "E " of 1.x; "E RKNN: [09:12:13.123] " and "E build: " of 2.x
PREFIX = re.compile(r"^([EWIDV](?:\s+|$))(RKNN:\s*\[[\d:.]+\]\s*|\w+:\s+(?=\S*(Error|Exception)\b))?")
FRAME = re.compile(r'^File "[^"]*", line \d+')
DECORATION = re.compile(
    r"^[\s=*#~^|+\u2500-\u257f-]*$"  # rulers and the carets under a traceback's line
    r"|^Traceback \(most recent call last\)|^During handling of the above exception|^The above exception was the"
    r"|^(Please|You can also|If you).*(feedback|issues|log_feedback|support|help)"
    r"|^Catch exception when"
    r"|\d+%\|.*\|"  # progress bars, finished or not
    r"|it/s\]?$|s/it\]?$"
)
LONGEST = 1500


def telling(lines: Iterable[str]) -> list[str]:
    """The lines that may say something, cleaned: no colours, no level, no frames of tracebacks with their source line,
    no rulers, no progress bars."""
    kept: list[str] = []
    is_source = False
    for raw in lines:
        line = PREFIX.sub("", ANSI.sub("", raw).rpartition("\r")[2].strip()).strip()
        if FRAME.match(line):
            is_source = True
            continue
        was_source, is_source = is_source, False
        # a frame is followed by its line of source, which is indented; a compiled module's has none
        indented = len(raw) - len(raw.lstrip()) >= 4 or re.match(r"^[EWIDV]\s{4,}", raw) is not None
        if line and not DECORATION.search(line) and not (was_source and indented):
            kept.append(line)
    return kept


def cause(text: str) -> str:
    """The line of a long text that says why: the last one that is no noise; the text itself when all of it is."""
    lines = telling(text.splitlines())
    return (lines[-1] if lines else text.strip())[:LONGEST]
