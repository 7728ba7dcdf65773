"""Time of each layer from ONNX Runtime's profile: a node is charged to the layer it helps to make."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import onnx

FUSED_SUFFIX = re.compile(r"_token_\d+$")
KERNEL_SUFFIX = "_kernel_time"


@dataclass(frozen=True)
class Kernel:
    """One execution of one node: its name in the optimized graph, its operator, microseconds."""

    node: str
    op: str
    time_us: float


def read_profile(path: Path) -> tuple[list[float], list[Kernel]]:
    """(microseconds of each whole execution, every kernel that ran) of a profile that ONNX Runtime wrote."""
    totals: list[float] = []
    kernels: list[Kernel] = []
    for event in json.loads(path.read_text()):
        name = event.get("name", "")
        if event.get("cat") == "Node" and name.endswith(KERNEL_SUFFIX):
            op = event["args"].get("op_name", "")
            kernels.append(Kernel(name.removesuffix(KERNEL_SUFFIX), op, float(event["dur"])))
        elif name == "model_run":
            totals.append(float(event["dur"]))
    return totals, kernels


def layer_of_each_node(model: onnx.ModelProto, tensors: dict[str, str]) -> dict[str, str]:
    """Node name -> key of its layer, the graph in topological order; `tensors` maps tensors to keys.

    A node belongs to the first layer that needs what it makes; what comes after the last layer, to that one.
    """
    nodes = list(model.graph.node)
    needed_by = _consumers(nodes)
    found: dict[str, str] = {}
    for node in reversed(nodes):
        own = [tensors[name] for name in node.output if name in tensors]
        later = [found[user] for name in node.output for user in needed_by[name] if user in found]
        if own or later:
            found[node.name] = (own or later)[0]
    made_by = {name: node.name for node in nodes for name in node.output}
    for node in nodes:
        before = [found[made_by[name]] for name in node.input if made_by.get(name) in found]
        if node.name not in found and before:
            found[node.name] = before[-1]
    return found


def _consumers(nodes: Iterable[onnx.NodeProto]) -> dict[str, list[str]]:
    users: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        for name in node.input:
            users[name].append(node.name)
    return users


def times_of_layers(
    layers: Iterable[dict[str, Any]], owners: dict[str, str], kernels: list[Kernel], runs: int
) -> list[dict[str, Any]]:
    """A row per layer (key, name, op, target, time_us): the median over `runs` of the sum of its kernels.

    `target` names the kernel that took most of the layer's time, so that a fused layer shows as one.
    """
    spent, by_kernel = _charge(owners, kernels)
    rows = []
    for layer in layers:
        key = layer["key"]
        each_run = [spent[key].get(run, 0.0) for run in range(runs)]
        slowest = max(by_kernel[key], key=lambda op: by_kernel[key][op], default="")
        rows.append({
            "key": key, "name": layer["name"], "op": layer["op"],
            "target": f"CPU {slowest}".strip(), "time_us": median(each_run),
        })  # fmt: skip
    return rows


def _charge(
    owners: dict[str, str], kernels: list[Kernel]
) -> tuple[dict[str, dict[int, float]], dict[str, dict[str, float]]]:
    spent: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    by_kernel: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    seen: dict[str, int] = defaultdict(int)
    for kernel in kernels:
        run = seen[kernel.node]
        seen[kernel.node] += 1
        key = owners.get(kernel.node) or owners.get(FUSED_SUFFIX.sub("", kernel.node))
        if key is not None:
            spent[key][run] += kernel.time_us
            by_kernel[key][kernel.op] += kernel.time_us
    return spent, by_kernel


def owners_in_optimized(
    artifact: onnx.ModelProto, optimized: onnx.ModelProto, tensors: dict[str, str]
) -> dict[str, str]:
    """Optimized node name -> layer key. Fused nodes keep the name they grew from; new ones follow."""
    original = layer_of_each_node(artifact, tensors)
    owners: dict[str, str] = {}
    nodes = list(optimized.graph.node)
    users = _consumers(nodes)
    for node in reversed(nodes):
        key = original.get(node.name) or original.get(FUSED_SUFFIX.sub("", node.name))
        later = [owners[user] for name in node.output for user in users[name] if user in owners]
        if key or later:
            owners[node.name] = key or later[0]
    return owners
