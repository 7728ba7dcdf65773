"""The float network beside a ready file: another route of the version, run on the same sample for its dump.

Runs in a limited child: `python -P -m workers.toolkits.float_route_job FOLDER`. The job is that of ready_job, with the
other route's ONNX file as `framework`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workers.toolkits.onnxjob.framework import FRAMEWORK, read_graph, samples_of, write_framework
from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.jobside import Refused, run_job, stage
from workers.toolkits.onnxjob.modelfile import declared_shape, read_model, runtime_inputs
from workers.toolkits.onnxjob.told import inputs_of, wishes_of


def execute(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Leave framework.safetensors. Inputs of both belong together by their order. Raises Refused."""
    stage("loading", 0, 1)
    files, path = inputs_of(job), folder / str(job["framework"])
    graph = read_graph(path, {"inputs": open_sizes(path, files)})
    pairs = list(zip(files, graph.inputs, strict=True))
    wanted = [
        Input(one.name, own.shape, own.dtype) for one, own in pairs
    ]  # samples are named like the file's
    feed = samples_of(folder, job, "evaluation", wanted, wishes_of(job)).prepared(int(job.get("sample", 0)))
    write_framework(folder, graph.model, {own.name: feed[one.name] for one, own in pairs})
    return {"framework": FRAMEWORK}


def open_sizes(path: Path, files: Sequence[Input]) -> dict[str, dict[str, list[int]]]:
    """The ready file's sizes for what the network leaves open. Raises Refused when it takes other inputs."""
    inputs = runtime_inputs(read_model(path).graph)
    if len(inputs) != len(files):
        raise Refused("model:invalid", f"It takes {len(inputs)} inputs, the ready file {len(files)}.")
    return {
        value.name: {"shape": list(one.shape)}
        for value, one in zip(inputs, files, strict=True)
        if not all(isinstance(size, int) for size in declared_shape(value) or [None])
    }


if __name__ == "__main__":
    run_job(execute)
