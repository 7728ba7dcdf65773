"""Darknet: the .cfg, of which the section [net] and the names of the layers' sections are read."""

import re
from collections import Counter

from workers.toolkits.formats.facts import Facts
from workers.toolkits.formats.parts import Part

SECTION = re.compile(r"^\s*\[(\w+)\]\s*$", re.MULTILINE)
SETTING = re.compile(r"^\s*(width|height|channels)\s*=\s*(\d+)\s*$", re.MULTILINE)


def facts(model: Part) -> Facts:
    """The [net] section tells width, height and channels; Darknet itself names no input."""
    text = model.text()
    sections = SECTION.findall(text)
    end = text.find("[", text.find("]"))
    sizes = {name: int(number) for name, number in SETTING.findall(text[: end if end > 0 else None])}
    shape = [1, sizes.get("channels", 3), sizes.get("height"), sizes.get("width")]
    return Facts(
        inputs=[("data", shape, "float32")],
        operators=Counter(sections[1:]),
        producer="Darknet",
    )
