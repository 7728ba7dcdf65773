"""The file a simulated board runs: the reference toolkit's QDQ ONNX with the list of its layers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx


class Rejected(Exception):
    """This NPU does not take the artifact; the text says why."""


@dataclass(frozen=True)
class Artifact:
    """A loaded artifact: the graph and, in execution order, its layers as the contract describes them."""

    model: onnx.ModelProto
    platform: str
    layers: tuple[dict[str, Any], ...]


def load(path: Path) -> Artifact:
    """Read an artifact. Raises Rejected when it is none; every node has a name of its own afterwards."""
    with path.open("rb") as file:
        if file.read(4) == b"RKNN":
            raise Rejected(
                "this is a .rknn file: a simulated board runs artifacts of the reference toolkit only"
            )
    try:
        model = onnx.load(path, load_external_data=False)
        about = {entry.key: entry.value for entry in model.metadata_props}
        layers = json.loads(about.get("layers", "[]"))
    except Exception as error:  # protobuf and json raise many kinds, all of which mean the same here
        raise Rejected(f"not an ONNX file: {error}") from error
    if about.get("layerwise") != "artifact/1" or not layers:
        raise Rejected(
            "the file is not an artifact of the reference toolkit (layerwise = artifact/1, layers)"
        )
    _check_layers(model, layers)
    _name_nodes(model)
    return Artifact(model, about.get("platform", ""), tuple(layers))


def _check_layers(model: onnx.ModelProto, layers: list[dict[str, Any]]) -> None:
    made = {name for node in model.graph.node for name in node.output}
    made.update(value.name for value in model.graph.input)
    lost = [layer.get("key") for layer in layers if layer.get("tensor") not in made]
    if lost:
        raise Rejected(f"the graph has no tensor for the layers {lost[:5]}")
    if len({layer["key"] for layer in layers}) != len(layers):
        raise Rejected("two layers have the same key")


def _name_nodes(model: onnx.ModelProto) -> None:
    seen: set[str] = set()
    for number, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{number}_unnamed"
        seen.add(node.name)
