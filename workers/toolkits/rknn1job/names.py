"""Names of layers: the toolkit's own (<op>_<node>_<number>), as its dumps' files have them, without their number."""

import re

NUMBER = re.compile(r"_\d+$")  # the layer's id, which changes from build to build


def mangled(name: str) -> str:
    """A name with the characters that the toolkit leaves in file names; the colon before `out` stays."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "_", name)


def without_number(name: str) -> str:
    """A layer's name without its id."""
    return NUMBER.sub("", name)


def layer_of(tensor: str) -> str:
    """The layer of a tensor as the toolkit writes it: @<layer>:out0, also :weight and :bias [UG 4.5.2, 4.6]."""
    layer, colon, _ = tensor.rpartition(":")
    return (layer if colon else tensor).lstrip("@")
