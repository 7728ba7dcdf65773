"""What the toolkit is to be told: a recipe in the words of RKNN-Toolkit 1.x."""

from collections.abc import Mapping, Sequence
from typing import Any

from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.rknn1files.dataset import CALIBRATION, EVALUATION
from workers.toolkits.rknn1job.words import DTYPES, FLOAT

ALGORITHMS = ("normal", "mmse", "kl_divergence")
MOST_AT_ONCE = 100  # the toolkit's own default for batch_size
SNAPSHOT = "snapshot"
# What a recipe may say and this job does not carry out yet: better refused than left out without a word.
NOT_YET = ("method", "batch", "propose", "hybrid")


def plan_of(
    recipe: Mapping[str, Any],
    source: str,
    inputs: Sequence[Input],
    preprocessing: Mapping[str, Any],
    *,
    samples: int,
    is_dynamic: bool,
) -> dict[str, Any]:
    """plan.json for the old interpreter. Raises Refused recipe:invalid or model:dynamic-input."""
    return {
        "config": {**_config(recipe, samples), **preprocessing},
        "source": source,
        "load": _sizes(inputs) if is_dynamic else {},
        "quantize": recipe["dtype"] != FLOAT,
        "build": {"pre_compile": True} if recipe.get("precompile") else {},  # deprecated in 1.7.5 [UG 7.4]
        "dataset": CALIBRATION,
        "evaluation": EVALUATION,
        "snapshot": SNAPSHOT,
        "histograms": bool(recipe.get("histograms")),
    }


def _config(recipe: Mapping[str, Any], samples: int) -> dict[str, Any]:
    """Settings of RKNN.config [UG 7.2]. The target must be named: without it the model is one for RK1808."""
    if recipe["dtype"] not in (FLOAT, *DTYPES) or recipe["algorithm"] not in ALGORITHMS:
        raise Refused("recipe:invalid", f"{recipe['dtype']} by {recipe['algorithm']} is not offered.")
    for name in NOT_YET:
        if recipe.get(name) not in (None, "", 1, {}) or recipe.get(name) is True:
            raise Refused("recipe:invalid", f"{name} is not carried out with RKNN-Toolkit 1.x yet.")
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


def _sizes(inputs: Sequence[Input]) -> dict[str, Any]:
    """Names and sizes of the inputs for load_onnx: sizes are without the batch [UG 7.3.5]."""
    if any(not one.shape or one.shape[0] != 1 for one in inputs):
        raise Refused("model:dynamic-input", "RKNN-Toolkit 1.x takes sizes without the batch, which is 1.")
    return {
        "inputs": [one.name for one in inputs],
        "input_size_list": [list(one.shape[1:]) for one in inputs],
    }
