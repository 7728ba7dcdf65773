"""What job.json tells of the inputs of a source that is no ONNX file."""

from collections.abc import Mapping
from typing import Any

from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.samples import Preparation


def inputs_of(job: Mapping[str, Any]) -> list[Input]:
    """The file's inputs, in its order, as float32."""
    return [
        Input(str(told["name"]), tuple(int(size) for size in told["shape"]), "float32")
        for told in job["inputs"]
    ]


def wishes_of(job: Mapping[str, Any]) -> dict[str, Preparation]:
    """What the recipe says of each input."""
    return {name: Preparation.from_recipe(entry) for name, entry in job["recipe"]["inputs"].items()}
