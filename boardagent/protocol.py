"""What the agent and the worker say to each other: JSON lines with limits, shared by both sides.

The agent's standard output carries one JSON object a line, each with an "event"; behind a `block` come its bytes.
A board is not trusted: every line, block and result file has a largest length, every message a largest depth,
finite numbers, and text that can be stored (no NUL, no half of a surrogate pair).
"""

import json
import math
import re
from typing import Any, Dict, List, Tuple

VERSION = 2
MAX_LINE = 64 * 1024
MAX_RESULT = 32 * 1024 * 1024
MAX_DEPTH = 16
MAX_BLOCK = 256 * 1024  # bytes of a file in one block, unpacked
BEAT_S = 2.0
NOT_TEXT = re.compile("[\0\ud800-\udfff]")

# Exit statuses of the agent, besides 0. A result that holds an "error" is still exit status 0.
EXIT_USAGE = 2
EXIT_UNUSABLE_PYTHON = 69
EXIT_STALE_FENCE = 75
EXIT_FAILED = 70

MODES = ("plain", "timed", "dump")  # what a run does unless its job says otherwise
KNOWN_MODES = (*MODES, "sequence")
NEEDED_MODULES = ("ctypes", "fcntl", "hashlib", "json", "select", "signal", "struct", "subprocess")


class BadMessage(ValueError):
    """The other side sent something that is not a message of this protocol."""


def plain(text: str) -> str:
    """`text` with blanks for what a message may not hold; files of the kernel and crash reports hold NULs."""
    return NOT_TEXT.sub(" ", text)


def encode(message: Dict[str, Any]) -> bytes:
    """One line, newline included. Raises BadMessage when it is longer than MAX_LINE or holds NaN."""
    try:
        line = json.dumps(message, allow_nan=False, separators=(",", ":")).encode("utf-8") + b"\n"
    except ValueError as error:
        raise BadMessage(str(error)) from error
    if len(line) > MAX_LINE:
        raise BadMessage("a message of {} bytes is too long".format(len(line)))
    return line


def decode(line: bytes, limit: int = MAX_LINE, depth: int = MAX_DEPTH) -> Dict[str, Any]:
    """The JSON object in `line`; BadMessage when it is too long, too deep, no object, or has a NaN in it."""
    if len(line) > limit:
        raise BadMessage("{} bytes are more than the {} allowed".format(len(line), limit))
    try:
        message = json.loads(
            line.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_without_doubles
        )
    except RecursionError:
        raise BadMessage("nested too deeply") from None
    except ValueError as error:
        raise BadMessage("not JSON: {}".format(str(error)[:200])) from None
    if not isinstance(message, dict):
        raise BadMessage("not a JSON object")
    _check_tree(message, depth)
    return message


def _refuse_constant(name: str) -> Any:
    raise BadMessage("{} is not a number".format(name))


def _without_doubles(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadMessage("a key is given twice")
    return found


def _check_tree(message: Any, depth: int) -> None:
    level = [message]
    for _ in range(depth):
        following = []  # type: List[Any]
        for value in level:
            if isinstance(value, dict):
                following.extend(value)
                following.extend(value.values())
            elif isinstance(value, list):
                following.extend(value)
            elif isinstance(value, float) and not math.isfinite(value):
                raise BadMessage("a number is not finite")
            elif isinstance(value, str) and NOT_TEXT.search(value):
                raise BadMessage("a text holds what no text may")
        if not following:
            return
        level = following
    raise BadMessage("nested deeper than {} levels".format(depth))
