"""A stand-in for an environment of RKNN-Toolkit2: a version of its own, a config() that refuses, no conversion at all.

It is no vendor's toolkit and says so. What is real about it is everything of ours: the probe and the job run in its
interpreter as they do in the vendor's.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

API = '''\
"""A stand-in, not the vendor's package: it answers config() as the vendor's does, and converts nothing."""

VERSION, DTYPES = {version!r}, {dtypes!r}


class RKNN:
    def __init__(self, verbose=False):
        pass

    def config(self, target_platform=None, quantized_dtype="w8a8", **settings):
        if target_platform not in DTYPES:
            raise ValueError(f"Invalid target_platform {{target_platform!r}}!")
        if quantized_dtype not in DTYPES[target_platform]:
            raise ValueError(f"The quantized_dtype = {{quantized_dtype!r}} not support in {{target_platform!r}}!")
        return 0

    def load_onnx(self, **settings):
        raise ValueError(f"the stand-in for rknn-toolkit2 {{VERSION}} converts nothing")

    def release(self):
        pass
'''
PYTHON = """\
#!/bin/sh
PYTHONPATH="{site}:$PYTHONPATH" exec "{python}" "$@"
"""


def make_standin(folder: Path, version: str, dtypes: Mapping[str, Sequence[str]]) -> Path:
    """An environment in `folder` whose toolkit has this version and takes these data types by platform."""
    site = folder / "site"
    facts = site / f"rknn_toolkit2-{version}.dist-info"
    for made in (site / "rknn", facts):
        made.mkdir(parents=True)
    (site / "rknn" / "api.py").write_text(API.format(version=version, dtypes=dict(dtypes)))
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rknn-toolkit2\nVersion: {version}\n")
    return _interpreter(folder)


def make_empty(folder: Path) -> Path:
    """An environment that has an interpreter and no toolkit: its package was removed."""
    (folder / "site").mkdir(parents=True)
    return _interpreter(folder)


def _interpreter(folder: Path) -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(PYTHON.format(site=folder / "site", python=sys.executable))
    python.chmod(0o755)
    return folder
