"""The simulated NPU: a program named by the environment, called as `<argv> MODE FOLDER OUT`."""

import json
import os

VARIABLE = "LAYERWISE_SIM_NPU"


def is_here():
    """A simulated NPU is here when the environment names one."""
    return bool(os.environ.get(VARIABLE))


def command(mode, folder, out):
    """The child's argument list."""
    return [str(part) for part in json.loads(os.environ[VARIABLE])] + [mode, folder, out]
