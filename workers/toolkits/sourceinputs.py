"""The inputs of a source that may not tell all of them itself: its report, the recipe, the version's other routes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.conversions.recipe import InputSettings
from dashboard.registry.formats import Format
from workers.errors import JobError


@dataclass(frozen=True)
class SourceInput:
    """One input: its name for samples and recipe, its sizes and its numpy type name."""

    name: str
    shape: tuple[int, ...]
    dtype: str


def inputs_of(
    report: Mapping[str, Any], recipe: Mapping[str, InputSettings], routes: Sequence[Mapping[str, Any]]
) -> tuple[SourceInput, ...]:
    """Name, sizes and type of each input. Sizes come from the recipe, else from the file, else from another route
    (`routes` are their reports) with as many inputs; so do names that neither file nor recipe tells. An only input may
    be called as the recipe calls its only one.

    Raises JobError recipe:invalid for inputs that are not there, model:dynamic-input for sizes nobody tells.
    """
    told = list(report.get("inputs") or [{"name": name} for name in recipe] or _first_told(routes))
    names = [str(one.get("name", "")) for one in told]
    if len(names) == len(recipe) == 1:
        names = list(recipe)
    if unknown := set(recipe) - set(names):
        raise JobError(
            "recipe:invalid",
            f"The recipe names inputs that the model does not have: {', '.join(sorted(unknown))}.",
        )
    if not told:
        raise JobError("model:dynamic-input", "The file does not tell its inputs: name them in the recipe.")
    others = [found for route in routes if len(found := route.get("inputs") or []) == len(told)]
    if report.get("format") != Format.TORCHSCRIPT:  # which tells the sizes that it was traced with
        for name, one in zip(names, report.get("inputs") or (), strict=False):
            _check_shape(name, recipe.get(name), one)
    return tuple(
        SourceInput(
            name,
            _shape(name, recipe.get(name), [told[place], *(other[place] for other in others)]),
            str(told[place].get("dtype") or "float32"),
        )
        for place, name in enumerate(names)
    )


def _first_told(routes: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return next((found for route in routes if (found := route.get("inputs"))), ())


def _check_shape(name: str, settings: InputSettings | None, told: Mapping[str, Any]) -> None:
    """Refuse other sizes than the file has: a toolkit would resize the samples, or read them wrong, without a word."""
    wanted, sizes = (settings and settings.shape) or (), told.get("shape") or ()
    is_other = len(wanted) != len(sizes) or any(
        isinstance(size, int) and size > 0 and size != want for want, size in zip(wanted, sizes, strict=False)
    )
    if wanted and sizes and is_other:
        raise JobError(
            "recipe:invalid", f"Input {name!r}: the recipe says {list(wanted)}, the model {list(sizes)}."
        )


def _shape(name: str, settings: InputSettings | None, told: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    if settings and settings.shape:
        return settings.shape
    for one in told:
        sizes = list(one.get("shape") or [])
        if sizes and sizes[0] is None:
            sizes[0] = 1  # a batch that is left open is one sample
        if sizes and all(isinstance(size, int) and size > 0 for size in sizes):
            return tuple(sizes)
    raise JobError(
        "model:dynamic-input", f"Nothing tells the sizes of input {name!r}: name them in the recipe."
    )
