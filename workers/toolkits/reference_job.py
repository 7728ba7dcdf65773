"""The built-in toolkit's job: a source, samples and a recipe in; artifact, dumps and calibration table out.

Runs in a limited child: `python -P -m workers.toolkits.reference_job FOLDER`. Contract: ARCHITECTURE.md,
"Toolkit job convert".
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray

from similarity.dumpfile import LayerInfo, write_dump
from similarity.tensorfile import write_tensors
from workers.toolkits.onnxjob.execute import (
    NOT_EXECUTABLE,
    OWN_FAULT,
    Observed,
    blamed,
    declare_output_shapes,
    observe,
    storable,
    stream,
)
from workers.toolkits.onnxjob.folding import fold_constants
from workers.toolkits.onnxjob.freeing import free_names
from workers.toolkits.onnxjob.graph import Input, flowing_tensors, prepare
from workers.toolkits.onnxjob.jobside import Refused, log, run_job, stage
from workers.toolkits.onnxjob.layers import LayerMap, artifact_layers, with_quantization
from workers.toolkits.onnxjob.modelfile import read_model
from workers.toolkits.onnxjob.pairs import ranges_let_through
from workers.toolkits.onnxjob.quantize import DTYPES, quantize
from workers.toolkits.onnxjob.quantized import Quantized
from workers.toolkits.onnxjob.ranges import ALGORITHMS, Range, find_ranges
from workers.toolkits.onnxjob.samples import Preparation, Samples

LEVELS = (0, 1, 2, 3)
NAMES_SHOWN = 20
DUMP_CODES = {"tensor(float)": "F32", "tensor(double)": "F32", "tensor(float16)": "F16"}


def convert(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Do the whole conversion in `folder`; the result dictionary of the contract. Raises Refused with a
    public code."""
    recipe = checked_recipe(job.get("recipe"))
    stage("loading", 0, 1)
    source, inputs = prepare(
        read_model(folder / str(job["source"])),
        {name: entry.get("shape") for name, entry in recipe["inputs"].items()},
    )
    with blamed(NOT_EXECUTABLE):
        fold_constants(source)
        free_names(source.graph)
        calibration, evaluation = (
            _samples(folder, job, which, inputs, recipe) for which in ("calibration", "evaluation")
        )
        feed = evaluation.prepared(int(job.get("sample", 0)))
        observed = observe(source, flowing_tensors(source.graph), calibration.prepared(0))
        if not observed:
            raise Refused("model:nothing-to-compare", "No floating-point tensor of it depends on an input.")
        stage("loading", 1, 1)
        ranges = find_ranges(
            source,
            list(observed.values()),
            calibration,
            recipe["algorithm"],
            lambda done, of: stage("calibrating", done, of),
        )
    ranges = ranges_let_through(source.graph, ranges)
    stage("quantizing", 0, 1)
    level = recipe["optimization_level"]
    quantized = quantize(source, observed, ranges, level)
    layers = LayerMap(source, observed, quantized)
    if recipe["hybrid"]:
        quantized = quantize(source, observed, ranges, level, nodes_of(layers, recipe["hybrid"]))
        layers = LayerMap(source, observed, quantized)
    stage("quantizing", 1, 1)
    with blamed(OWN_FAULT):
        return _write(
            folder, recipe, source=source, layers=layers, quantized=quantized, ranges=ranges, feed=feed
        )


def checked_recipe(recipe: object) -> dict[str, Any]:
    """The recipe with defaults filled in. Raises Refused recipe:invalid naming the setting."""
    if not isinstance(recipe, dict):
        raise Refused("recipe:invalid", "There is no recipe.")
    filled = {
        "dtype": "u8",
        "algorithm": "normal",
        "optimization_level": 3,
        "inputs": {},
        "hybrid": {},
        "platform": "",
        **recipe,
    }
    for setting, allowed in (("dtype", DTYPES), ("algorithm", ALGORITHMS), ("optimization_level", LEVELS)):
        if filled[setting] not in allowed:
            raise Refused(
                "recipe:invalid", f"{setting} is {filled[setting]!r}; the reference toolkit offers {allowed}."
            )
    filled["inputs"] = filled["inputs"] or {}
    if not isinstance(filled["inputs"], dict) or not all(
        isinstance(entry, dict) for entry in filled["inputs"].values()
    ):
        raise Refused("recipe:invalid", "inputs must map input names to settings.")
    return filled


def nodes_of(layers: LayerMap, hybrid: Mapping[str, str]) -> set[str]:
    """The source's nodes within the layers that keep float arithmetic. Raises Refused recipe:unknown-layer."""
    if set(hybrid.values()) - {"float"}:
        raise Refused("recipe:invalid", "hybrid: the reference toolkit offers single layers in float.")
    nodes: dict[str, set[str]] = {}
    for layer, contained in zip(layers.layers(), layers.nodes(), strict=True):
        nodes.setdefault(layer.name, set()).update(contained)
    unknown = [name for name in hybrid if not nodes.get(name)]
    if unknown:
        raise Refused("recipe:unknown-layer", ", ".join(map(repr, unknown[:NAMES_SHOWN])))
    return set().union(*(nodes[name] for name in hybrid))


def _samples(
    folder: Path, job: dict[str, Any], which: str, inputs: list[Input], recipe: dict[str, Any]
) -> Samples:
    preparations = {name: Preparation.from_recipe(entry) for name, entry in recipe["inputs"].items()}
    layout = str((job.get("layout") or {}).get(which, ""))
    return Samples(folder / str(job[which]), inputs, layout, preparations)


@dataclass(frozen=True)
class _Taps:
    """A graph, the tensors to be read from it, and what it is fed with."""

    model: onnx.ModelProto
    tensors: list[Observed]
    feed: Mapping[str, NDArray[Any]]

    def values(self, name: str) -> Iterator[NDArray[Any]]:
        """The tensors' values, one at a time; progress is told as stage `name`."""
        for done, (_, value) in enumerate(stream(self.model, self.tensors, self.feed), start=1):
            yield storable(value)
            stage(name, done, len(self.tensors))


def _write(
    folder: Path,
    recipe: Mapping[str, Any],
    *,
    source: onnx.ModelProto,
    layers: LayerMap,
    quantized: Quantized,
    ranges: Mapping[str, Range],
    feed: Mapping[str, NDArray[Any]],
) -> dict[str, Any]:
    """All files of the result."""
    declare_output_shapes(quantized.model, layers.observed, feed)
    described = layers.layers()
    scaled = with_quantization(described, layers.tensors, quantized)
    write_tensors(folder / "inputs.safetensors", dict(feed), {"layerwise": "inputs/1"})
    _write_artifact(
        folder / "artifact.onnx", recipe, quantized, artifact_layers(scaled, layers.tensors, quantized)
    )
    _write_table(folder / "calibration.json", quantized, ranges)
    floats = [layers.observed[name] for name in layers.tensors]
    _write_dump(folder, "framework", described, _Taps(source, floats, feed))
    _write_dump(folder, "quantized", scaled, _Taps(quantized.model, _stored_tensors(floats, quantized), feed))
    log(f"{len(described)} layers, {sum(layer.scale is not None for layer in scaled)} of them quantized.")
    return {
        "artifact": "artifact.onnx",
        "inputs": "inputs.safetensors",
        "dumps": {"framework": "framework.safetensors", "quantized": "quantized.safetensors"},
        "calibration_table": "calibration.json",
        "toolkit_version": f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}",
    }


def _stored_tensors(floats: list[Observed], quantized: Quantized) -> list[Observed]:
    """What the quantized dump holds of each layer: the uint8 tensor, or the float one where there is none."""
    return [
        Observed(quantized.tensors[tensor.name].tensor, "tensor(uint8)", tensor.shape)
        if tensor.name in quantized.tensors
        else tensor
        for tensor in floats
    ]


def _write_dump(folder: Path, rung: str, layers: list[LayerInfo], taps: _Taps) -> None:
    codes = [DUMP_CODES.get(tensor.type, "U8") for tensor in taps.tensors]
    name = f"{rung.replace('framework', 'float')} dump"
    write_dump(folder / f"{rung}.safetensors", rung, layers, taps.values(name), dtypes=codes)


def _write_artifact(path: Path, recipe: Mapping[str, Any], quantized: Quantized, layers: str) -> None:
    artifact = onnx.ModelProto()
    artifact.CopyFrom(quantized.model)
    kept = [
        (entry.key, entry.value)
        for entry in artifact.metadata_props
        if entry.key not in ("layerwise", "layers")
    ]
    del artifact.metadata_props[:]
    ours = [
        ("layerwise", "artifact/1"),
        ("platform", str(recipe["platform"])),
        ("toolkit", "reference"),
        ("layers", layers),
    ]
    for key, value in kept + ours:
        artifact.metadata_props.add(key=key, value=value)
    path.write_bytes(artifact.SerializeToString(deterministic=True))


def _write_table(path: Path, quantized: Quantized, ranges: Mapping[str, Range]) -> None:
    table = {
        name: {
            "min": ranges[name][0],
            "max": ranges[name][1],
            "scale": how.scale,
            "zero_point": how.zero_point,
        }
        for name, how in quantized.tensors.items()
    }
    path.write_text(json.dumps(table, indent=1, allow_nan=False), encoding="utf-8")


if __name__ == "__main__":
    run_job(convert)
