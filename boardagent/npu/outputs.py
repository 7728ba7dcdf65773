"""The files that every kind's child leaves when it ends, besides its report."""

import os


def at_the_end(out, ended):
    """(path, role, label) of the outputs file once the child has ended."""
    path = os.path.join(out, "outputs.safetensors")
    if ended and os.path.isfile(path):
        yield path, "outputs", "outputs.safetensors"
