"""What the toolkit is to be told: a recipe in the words of RKNN-Toolkit 1.x."""

from collections.abc import Mapping
from typing import Any

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.source import Source
from workers.toolkits.rknn1files.dataset import CALIBRATION, EVALUATION
from workers.toolkits.rknn1files.loading import loading
from workers.toolkits.rknn1job.words import DTYPES, FLOAT, LAYER_DTYPES

ALGORITHMS = ("normal", "mmse", "kl_divergence")
MOST_AT_ONCE = 100  # the toolkit's own default for batch_size
SNAPSHOT = "snapshot"
MOST_BATCH = 31  # "less than 32" [UG 7.4]


def plan_of(
    recipe: Mapping[str, Any], source: Source, preprocessing: Mapping[str, Any], *, samples: int
) -> dict[str, Any]:
    """plan.json for the old interpreter. Raises Refused recipe:* or model:dynamic-input."""
    return {
        "config": {**_config(recipe, samples), **preprocessing},
        "load": loading(source),
        "quantize": recipe["dtype"] != FLOAT,
        "build": {"pre_compile": True} if recipe.get("precompile") else {},  # deprecated in 1.7.5 [UG 7.4]
        "batch": _batch(recipe),
        "hybrid": _hybrid(recipe),
        "dataset": CALIBRATION,
        "evaluation": EVALUATION,
        "snapshot": SNAPSHOT,
        "histograms": bool(recipe.get("histograms")),
    }


def _config(recipe: Mapping[str, Any], samples: int) -> dict[str, Any]:
    """Settings of RKNN.config [UG 7.2]. The target must be named: without it the model is one for RK1808."""
    if recipe["dtype"] not in (FLOAT, *DTYPES) or recipe["algorithm"] not in ALGORITHMS:
        raise Refused("recipe:invalid", f"{recipe['dtype']} by {recipe['algorithm']} is not offered.")
    if recipe.get("method"):
        raise Refused("recipe:invalid", "method: RKNN-Toolkit 1.x quantizes weights per layer only.")
    quantized = (
        {}
        if recipe["dtype"] == FLOAT
        else {
            "quantized_dtype": DTYPES[recipe["dtype"]],
            "quantized_algorithm": recipe["algorithm"],
            "batch_size": recipe.get("calibration_batch") or min(samples, MOST_AT_ONCE),
        }
    )
    return {
        "target_platform": [recipe["platform"]],
        "optimization_level": recipe["optimization_level"],
        **quantized,
        **(recipe.get("extra") or {}),
    }


def _batch(recipe: Mapping[str, Any]) -> int:
    """Samples that the artifact takes at once: the two steps of hybrid quantization have no word for it [UG 7.11]."""
    batch = int(recipe.get("batch", 1))
    if not 1 <= batch <= MOST_BATCH or (batch > 1 and _hybrid(recipe)):
        raise Refused("recipe:invalid", f"batch: {batch} is not possible, or not with hybrid and propose.")
    return batch


def _hybrid(recipe: Mapping[str, Any]) -> dict[str, Any] | None:
    """Layers with a data type of their own, in the toolkit's words; None when it need not know of single layers."""
    layers, proposes = recipe.get("hybrid") or {}, bool(recipe.get("propose"))
    if not layers and not proposes:
        return None
    if recipe["dtype"] == FLOAT or not set(layers.values()) <= set(LAYER_DTYPES):
        raise Refused("recipe:invalid", "hybrid: a layer has a data type that it cannot have.")
    return {"layers": {name: LAYER_DTYPES[dtype] for name, dtype in layers.items()}, "propose": proposes}
