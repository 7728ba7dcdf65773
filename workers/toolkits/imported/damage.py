"""A file of an upload cannot be what its name says."""

from workers.toolkits.onnxjob.jobside import Refused


def damaged(detail: str) -> Refused:
    """The failure for a file that cannot be read; printable, and short enough to be stored."""
    clean = "".join(mark if mark.isprintable() else "?" for mark in detail)
    return Refused("import:damaged", clean[:1000])
