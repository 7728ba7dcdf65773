"""Looking at an uploaded model: its format, what it takes, gives and contains, or which reason there is to refuse it.

Runs in a limited child: `python -P -m workers.toolkits.inspect_model_job FOLDER`. job.json names the file
(`model`) and the greatest size (`max_bytes`, optional).
"""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import onnx

from workers.toolkits.formats.look import facts_of, graph_of
from workers.toolkits.formats.recognise import recognise
from workers.toolkits.onnxjob.description import FILE, write_graph
from workers.toolkits.onnxjob.jobside import Refused, run_job, stage
from workers.toolkits.onnxjob.modelfile import all_graphs, declared_shape, read_model, runtime_inputs

NAMES_SHOWN = 20
FREE_RANK = 4


def inspect(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """The facts of the model. Raises Refused model:*."""
    path = folder / str(job["model"])
    most = int(job.get("max_bytes") or 2**31 - 1)
    if path.stat().st_size > most:
        raise Refused("model:too-large", f"{path.stat().st_size} bytes; this site allows {most}.")
    stage("reading", 0, 2)
    found = recognise(path)
    if found.format == "onnx":
        return onnx_facts(folder, path)
    facts = facts_of(found, most)
    if told := graph_of(found):
        (folder / FILE).write_text(json.dumps(told, separators=(",", ":")), encoding="utf-8")
    return facts


def onnx_facts(folder: Path, path: Path) -> dict[str, Any]:
    """The facts of an ONNX model, whose graph can be looked into and is left in `folder`. Raises Refused model:*."""
    model = read_model(path)
    stage("inferring shapes", 1, 2)
    known = inferred(model)
    write_graph(folder, known)
    ranks = ranks_of(known)
    graphs = list(all_graphs(model.graph))
    nodes = [node for graph in graphs for node in graph.node]
    inputs = [described(value) for value in runtime_inputs(model.graph)]
    dynamic = any(not _is_fixed(entry["shape"]) for entry in inputs)
    return {
        "format": "onnx",
        "inputs": inputs,
        "outputs": [described(value) for value in model.graph.output],
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}.get("ai.onnx", 1),
        "ir_version": model.ir_version,
        "operators": dict(sorted(Counter(_operator(node) for node in nodes).items())),
        "parameters": sum(math.prod(tensor.dims) for graph in graphs for tensor in graph.initializer),
        "nodes": len(nodes),
        "max_rank": max(ranks.values(), default=0),
        "dynamic": dynamic,
        "producer": " ".join(part for part in (model.producer_name, model.producer_version) if part)[:200],
        "external_data": False,
        "lint": lint(model, ranks, inputs, dynamic),
    }


def _operator(node: onnx.NodeProto) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}:{node.op_type}"


def _is_fixed(shape: list[int | str | None] | None) -> bool:
    return shape is not None and all(isinstance(size, int) for size in shape)


def described(value: onnx.ValueInfoProto) -> dict[str, Any]:
    """Name, shape (numbers, symbol names, null for unknown sizes; null when the rank is unknown) and numpy
    type name."""
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
    except KeyError:
        dtype = "other"
    return {"name": value.name, "shape": declared_shape(value), "dtype": dtype}


def inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every shape that onnx can infer. Raises Refused model:invalid."""
    try:
        return onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise Refused("model:invalid", str(error)) from error


def ranks_of(known: onnx.ModelProto) -> dict[str, int]:
    """Number of dimensions of every tensor of the main graph whose shape is known."""
    graph = known.graph
    ranks = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shape = declared_shape(value)
        if shape is not None:
            ranks[value.name] = len(shape)
    return ranks


def lint(
    model: onnx.ModelProto, ranks: dict[str, int], inputs: list[dict[str, Any]], dynamic: bool
) -> list[dict[str, str]]:
    """Remarks for people: {"code", "node", "text"}. Not errors: the model can be kept."""
    remarks = []
    for node in model.graph.node:
        rank = max((ranks.get(name, 0) for name in (*node.input, *node.output) if name), default=0)
        if rank > FREE_RANK:
            name = node.name or (node.output[0] if node.output else "?")
            text = (
                f"{node.op_type} works on {rank} dimensions; NPUs are made for four, and drivers err beyond."
            )
            remarks.append({"code": "rank-over-4", "node": name[:500], "text": text})
    if dynamic:
        loose = ", ".join(repr(entry["name"][:100]) for entry in inputs if not _is_fixed(entry["shape"]))
        text = f"The sizes of {loose} are not fixed: every recipe must name them."
        remarks.append({"code": "dynamic-input", "node": "", "text": text})
    if model.functions:
        remarks.append(
            {"code": "local-functions", "node": "", "text": f"{len(model.functions)} model-local functions."}
        )
    return remarks[: NAMES_SHOWN * 5]


if __name__ == "__main__":
    run_job(inspect)
