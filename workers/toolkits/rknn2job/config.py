"""The toolkit's config(): what the recipe says in our words, and its `extra`, handed on as it is."""

from collections.abc import Mapping
from typing import Any

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.rknn2job.calls import done

FLOAT = "float"


def configure(rknn: Any, recipe: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> None:
    """Call config(). Raises Refused recipe:invalid naming the setting of `extra` that the toolkit does not take."""
    ours = _settings(recipe) | dict(preprocessing)
    extra = dict(recipe.get("extra") or {})
    if not extra:
        done("config", rknn.config, **ours)
        return
    done("config", rknn.config, **ours)  # what is wrong with our own settings is not blamed on extra
    for key, value in extra.items():
        _try(rknn, ours, {key: value}, f"extra.{key}")
    _try(rknn, ours, extra, "extra")


def _try(rknn: Any, ours: Mapping[str, Any], extra: Mapping[str, Any], name: str) -> None:
    try:
        done(name, rknn.config, **ours, **extra)
    except Refused as refused:
        raise Refused("recipe:invalid", refused.detail) from refused


def _settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "target_platform": recipe["platform"],
        "optimization_level": recipe["optimization_level"],
    }
    if recipe["dtype"] != FLOAT:
        settings |= {"quantized_dtype": recipe["dtype"], "quantized_algorithm": recipe["algorithm"]}
    if recipe.get("method"):
        settings["quantized_method"] = recipe["method"]
    return settings
