"""<name>.quantization.cfg of hybrid_quantization_step1, read and written as text: no YAML here [UG 4.5.2].

At its top level stand `customized_quantize_layers` (layers with a data type of their own; step 1 leaves its
suggestion there) and `quantize_parameters`, whose keys '@<layer>:weight|bias|out<port>' name every layer.
"""

import json
import re
from typing import Dict, List, Match, Tuple

from workers.toolkits.rknn1job.calls import Failed
from workers.toolkits.rknn1job.names import layer_of

LAYERS, PARAMETERS = "customized_quantize_layers", "quantize_parameters"
SECTION = re.compile(r"^(\w+)[ ]*:")
# a long key stands behind a question mark; @ cannot begin a plain scalar, so that keys are quoted
KEY = re.compile(r"""^[ ]+(?:\?[ ]+)?(['"])(@.+)\1[ ]*:?[ ]*$""")
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|.)")


def divided(text: str) -> Tuple[str, str, str]:
    """What stands before the section of the layers, the section, and what follows. Raises Failed."""
    lines = text.splitlines(keepends=True)
    begin = [at for at, line in enumerate(lines) if _section(line) == LAYERS]
    if len(begin) != 1:
        raise Failed("quantization.cfg has %d times %s." % (len(begin), LAYERS), "toolkit:bad-result")
    after = [at for at, line in enumerate(lines) if at > begin[0] and _section(line)]
    end = after[0] if after else len(lines)
    return "".join(lines[: begin[0]]), "".join(lines[begin[0] : end]), "".join(lines[end:])


def _section(line: str) -> str:
    found = SECTION.match(line)
    return found.group(1) if found else ""


def section_of(layers: Dict[str, str]) -> str:
    """The section that gives these layers, by the toolkit's own names, these data types, in its words.

    Names stand in double quotes, as the manual advises; no layer at all must be {} [UG 4.5.2-4.5.3].
    """
    if not layers:
        return LAYERS + ": {}\n"
    lines = ["    %s: %s\n" % (json.dumps(name, ensure_ascii=False), dtype) for name, dtype in layers.items()]
    return LAYERS + ":\n" + "".join(lines)


def layers_in(text: str) -> List[str]:
    """The toolkit's own names of the layers that have parameters, each once. Raises Failed when there is none."""
    found: Dict[str, None] = {}
    is_here = False
    for line in text.splitlines():
        is_here = _section(line) == PARAMETERS if _section(line) else is_here
        key = KEY.match(line) if is_here else None
        if key:
            found[layer_of(_unquoted(key.group(1), key.group(2)))] = None
    if not found:
        raise Failed("quantization.cfg names no layer under %s." % PARAMETERS, "toolkit:bad-result")
    return list(found)


def _unquoted(quote: str, text: str) -> str:
    if quote == "'":
        return text.replace("''", "'")
    try:
        return str(json.loads('"' + ESCAPE.sub(_as_json, text) + '"'))
    except ValueError:  # an escape of YAML's that no name has
        return text


def _as_json(escape: Match[str]) -> str:
    """YAML's escapes are JSON's, but for those of two hexadecimal digits, and some that no name has."""
    digits = escape.group(1)
    return "\\u00" + digits if digits else escape.group(0)
