"""Small ONNX graphs, described as the inspection describes them and read as lint reads them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from dashboard.lint.findings import Finding, Target
from dashboard.lint.graph import Graph, graph_of
from dashboard.lint.rules import lint
from workers.toolkits.onnxjob.description import described_graph

RV1126 = Target("rknn1", "rv1126", "u8")
RV1126_I16 = Target("rknn1", "rv1126", "i16")
RV1126_FLOAT = Target("rknn1", "rv1126", "float")
RV1126B = Target("rknn2", "rv1126b", "w8a8")
RV1106 = Target("rknn2", "rv1106", "w8a8")
REFERENCE = Target("reference", "rv1126", "u8")
PICTURE = (1, 16, 8, 8)
Constants = Mapping[str, np.ndarray]


def model(
    nodes: Sequence[NodeProto],
    constants: Constants | None = None,
    shape: Sequence[Any] = PICTURE,
    opset: int = 12,
    ir_version: int = 7,
    domains: Sequence[str] = (),
) -> ModelProto:
    """A model of one input `x` and one output `y`."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def one(op: str, *more: str, constants: Constants | None = None, **attributes: Any) -> ModelProto:
    """A model of one node, called `it`, of `x` and the named constants."""
    domain = attributes.pop("domain", "")
    extra = {name: attributes.pop(name) for name in ("shape", "opset", "ir_version") if name in attributes}
    node = helper.make_node(op, ["x", *more], ["y"], "it", domain=domain, **attributes)
    return model([node], constants, domains=[domain] if domain else (), **extra)


def graph(of: ModelProto) -> Graph:
    """The model as lint sees it, by the way that it takes through JSON."""
    known = onnx.shape_inference.infer_shapes(of)
    return graph_of(json.loads(json.dumps(described_graph(known))))


def found(of: ModelProto, target: Target) -> dict[str, Finding]:
    """What lint finds, by code; of equal codes the first, which is the worst."""
    findings: dict[str, Finding] = {}
    for finding in lint(graph(of), target):
        findings.setdefault(finding.code, finding)
    return findings


def severities(of: ModelProto, target: Target) -> dict[str, str]:
    return {code: str(finding.severity) for code, finding in found(of, target).items()}


def conv(name: str = "c", of: str = "x") -> NodeProto:
    """A convolution of `of` by the constant `w`."""
    return helper.make_node("Conv", [of, "w"], [name], f"conv_{name}", pads=[1, 1, 1, 1])


WEIGHTS = {"w": np.zeros((16, 16, 3, 3), np.float32)}


def rearranged(first: Sequence[int], perm: Sequence[int], last: Sequence[int]) -> ModelProto:
    """A convolution, then Reshape, Transpose, Reshape."""
    nodes = [
        conv(),
        helper.make_node("Reshape", ["c", "first"], ["r"], "apart"),
        helper.make_node("Transpose", ["r"], ["t"], "moved", perm=list(perm)),
        helper.make_node("Reshape", ["t", "last"], ["y"], "together"),
    ]
    shapes = {"first": np.array(first, np.int64), "last": np.array(last, np.int64)}
    return model(nodes, {**WEIGHTS, **shapes})


def pixel_shuffle() -> ModelProto:
    """PixelShuffle by 2, written out with six dimensions."""
    return rearranged([1, 4, 2, 2, 8, 8], [0, 1, 4, 2, 5, 3], [1, 4, 16, 16])
