"""`extra` of a recipe: settings that we do not know, handed to the toolkit's own config() as they are."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
MOST_KEYS, MOST_BYTES, MOST_DEPTH = 20, 4000, 4

# What the recipe says in words of its own; both at once could contradict each other.
OURS = {
    "target_platform": "platform",
    "quantized_dtype": "dtype",
    "quantized_algorithm": "algorithm",
    "quantized_method": "method",
    "optimization_level": "optimization_level",
    "mean_values": "inputs.<name>.mean",
    "std_values": "inputs.<name>.std",
    "reorder_channel": "inputs.<name>.reorder",
    "channel_mean_value": "inputs.<name>.mean",
    "batch_size": "calibration_batch",
}
FILES = ("compiler_control_file",)  # they would name files of the worker


class BadExtra(ValueError):
    """A key or value that is not handed on; the text says why."""


def checked_extra(value: Any) -> dict[str, Any]:
    """The settings, as JSON has them. Raises BadExtra."""
    if not isinstance(value, Mapping) or len(value) > MOST_KEYS:
        raise BadExtra(f"extra must map at most {MOST_KEYS} names of the toolkit's config() to values.")
    for key, one in value.items():
        _check_key(key)
        if not _is_plain(one, MOST_DEPTH):
            raise BadExtra(
                f"extra.{key} must be a number, a printable text, true, false, null, or a list or map."
            )
    text = json.dumps(dict(value))
    if len(text) > MOST_BYTES:
        raise BadExtra(f"extra is longer than {MOST_BYTES} characters.")
    plain: dict[str, Any] = json.loads(text)
    return plain


def _check_key(key: Any) -> None:
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise BadExtra(f"extra.{str(key)[:60]!r} is no name of a setting.")
    if key in OURS:
        raise BadExtra(f"extra.{key} is what the recipe's own setting {OURS[key]} says.")
    if key in FILES:
        raise BadExtra(f"extra.{key} names a file of the worker's machine, which a recipe may not.")


def _is_plain(value: Any, depth: int) -> bool:
    match value:
        case str():
            return value.isprintable()
        case float():
            return math.isfinite(value)
        case list() | tuple():
            return depth > 0 and all(_is_plain(one, depth - 1) for one in value)
        case dict():
            inner = (*value, *value.values())
            named = all(isinstance(name, str) for name in value)
            return depth > 0 and named and all(_is_plain(one, depth - 1) for one in inner)
    return value is None or (isinstance(value, int) and abs(value) < 1 << 63)
