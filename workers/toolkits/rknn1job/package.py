"""The vendor's package in this interpreter: its version and its object."""

import os
import sys
from typing import Any

from workers.toolkits.rknn1job.calls import Failed, done

PACKAGE, ENDING = "rknn_toolkit-", ".dist-info"


def opened(verbose: bool = True) -> Any:
    """The toolkit's object. Raises Failed when its package does not start, for want of TensorFlow as a rule."""
    try:
        from rknn.api import RKNN
    except ImportError as failed:
        raise Failed("import rknn.api: %s" % failed)
    return done("RKNN", RKNN, verbose=verbose)


def version() -> str:
    """The version of the installed package: its metadata lies beside it. Raises Failed when there is none."""
    for place in sys.path:
        names = os.listdir(place) if os.path.isdir(place) else []
        for name in names:
            if name.startswith(PACKAGE) and name.endswith(ENDING) and "rknn" in names:
                return name[len(PACKAGE) : -len(ENDING)]
    raise Failed("the package rknn_toolkit is not installed here")
