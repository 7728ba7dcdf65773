"""The simulated NPU: a program named by the environment, called as `<argv> MODE FOLDER OUT`."""

import json
import os

VARIABLE = "LAYERWISE_SIM_NPU"
GIVES_SIGNS = False  # any program will do: it knows nothing of them
ROLES = {"outputs.safetensors": "outputs", "layers.safetensors": "dump"}


def is_here():
    """A simulated NPU is here when the environment names one."""
    return bool(os.environ.get(VARIABLE))


def command(mode, folder, out):
    """The child's argument list."""
    return [str(part) for part in json.loads(os.environ[VARIABLE])] + [mode, folder, out]


def environment(mode, job):
    """Nothing beside the agent's own environment."""
    return {}


def harvest(mode, out, ended):
    """Its files appear under their names when they are complete."""
    for name in sorted(ROLES):
        path = os.path.join(out, name)
        if os.path.exists(path):
            yield path, ROLES[name], name


def failure_of(status, tail):
    """A program that says nothing has failed, whatever killed it."""
    return "board:npu-failed"
