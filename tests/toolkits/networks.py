"""Small networks and samples for tests, built with onnx.helper; and one call that converts them for real."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dashboard.conversions.recipe import RecipeSettings
from similarity.tensorfile import write_tensors
from workers.jobfolder import JobFolder
from workers.toolkits.base import Converted, get_toolkit

FLOAT = TensorProto.FLOAT


def never() -> bool:
    return False


def ignore(event: dict[str, Any]) -> None:
    return None


def constant(name: str, shape: Sequence[int], seed: int = 0, scale: float = 0.5) -> onnx.TensorProto:
    values = np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def network(
    nodes: list[onnx.NodeProto],
    *,
    inputs: dict[str, Sequence[int | str]],
    outputs: Sequence[str],
    initializers: Sequence[onnx.TensorProto] = (),
    opset: int = 13,
    ir_version: int = 8,
    types: dict[str, int] | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
    domains: dict[str, int] | None = None,
) -> onnx.ModelProto:
    types = types or {}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(n, types.get(n, FLOAT), list(s)) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, types.get(n, FLOAT), None) for n in outputs],
        list(initializers),
    )
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(domain, version) for domain, version in (domains or {}).items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version, functions=list(functions))
    inferred = onnx.shape_inference.infer_shapes(model)
    for value, known in zip(model.graph.output, inferred.graph.output, strict=True):
        value.CopyFrom(known)
        value.type.tensor_type.shape.SetInParent()  # The checker wants one even where nobody can know it.
    return model


def conv_relu_net() -> onnx.ModelProto:
    """Conv, Relu, Conv, Clip, addition of a scalar: two fused layers, then one."""
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "Conv_1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], "Relu_2"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], "Conv_3"),
        helper.make_node("Clip", ["c2", "low", "high"], ["k2"], "Clip_4"),
        helper.make_node("Add", ["k2", "one"], ["y"], "Add_5"),
    ]
    initializers = [
        constant("w1", (8, 3, 3, 3), 1),
        constant("b1", (8,), 2),
        constant("w2", (4, 8, 1, 1), 3),
        numpy_helper.from_array(np.float32(0), "low"),
        numpy_helper.from_array(np.float32(6), "high"),
        numpy_helper.from_array(np.float32(1), "one"),
    ]
    return network(nodes, inputs={"x": (1, 3, 8, 8)}, outputs=["y"], initializers=initializers)


def one_op(
    operator: str, shape: Sequence[int | str] = (1, 4), opset: int = 13, **attributes: Any
) -> onnx.ModelProto:
    node = helper.make_node(operator, ["x"], ["y"], operator, **attributes)
    return network([node], inputs={"x": shape}, outputs=["y"], opset=opset)


def samples_file(path: Path, samples: Sequence[dict[str, np.ndarray]]) -> Path:
    tensors = {f"{i:06d}/{name}": value for i, sample in enumerate(samples) for name, value in sample.items()}
    write_tensors(path, tensors, {"layerwise": "samples/1", "count": str(len(samples))})
    return path


def random_samples(shapes: dict[str, Sequence[int]], count: int = 2) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(7)
    return [
        {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}
        for _ in range(count)
    ]


def write_job(
    folder: JobFolder,
    model: onnx.ModelProto,
    samples: Sequence[dict[str, np.ndarray]],
    *,
    layout: str = "NCHW",
    **recipe: Any,
) -> None:
    """A toolkit's conversion of `model`: calibrated on `samples`, dumped on the first of them."""
    (folder.path / "source.onnx").write_bytes(model.SerializeToString())
    samples_file(folder.path / "calibration.safetensors", samples)
    samples_file(folder.path / "evaluation.safetensors", samples[:1])
    tell_job(folder, layout, recipe)


def tell_job(folder: JobFolder, layout: str, recipe: dict[str, Any]) -> None:
    folder.write_job(
        {
            "kind": "convert",
            "source": "source.onnx",
            "calibration": "calibration.safetensors",
            "evaluation": "evaluation.safetensors",
            "sample": 0,
            "layout": {"calibration": layout, "evaluation": layout},
            "recipe": recipe,
        }
    )


def convert(
    folder: JobFolder,
    model: onnx.ModelProto | Path,
    samples: Sequence[dict[str, np.ndarray]] | Path,
    *,
    evaluation: Path | None = None,
    layout: str = "NCHW",
    **recipe: Any,
) -> Converted:
    """Convert with the reference toolkit in its real subprocess."""
    if isinstance(model, Path):
        folder.add("source.onnx", model)
    else:
        (folder.path / "source.onnx").write_bytes(model.SerializeToString())
    if isinstance(samples, Path):
        folder.add("calibration.safetensors", samples)
        folder.add("evaluation.safetensors", evaluation or samples)
    else:
        samples_file(folder.path / "calibration.safetensors", samples)
        samples_file(folder.path / "evaluation.safetensors", samples[:1])
    tell_job(folder, layout, {"toolkit": "reference", "platform": "rv1126", "dtype": "u8", **recipe})
    return get_toolkit(RecipeSettings()).convert(folder, ignore, never)
