"""What a new evaluation's form begins with: what an earlier one asked for."""

from collections.abc import Collection, Sequence
from typing import Any

from dashboard.conversions.offers import AS_BUILT, OFFERS, READY
from dashboard.conversions.recipe import InputSettings
from dashboard.evaluations.models import Evaluation, Outcome
from dashboard.evaluations.recipeform import LATER, later_initial
from dashboard.registry.formats import Format
from dashboard.registry.models import ModelVersion, Source, reported


def newest_of_model(version: ModelVersion, names: Collection[str]) -> Evaluation | None:
    """The newest evaluation of the version's model, when its recipe speaks of no other inputs than these.

    One that ended without an answer (wrong samples, cancelled) is no example to follow.
    """
    newest: Evaluation | None = (
        Evaluation.objects.filter(version__model=version.model_id)
        .exclude(legs__outcome=Outcome.CANNOT_TELL)
        .select_related("recipe")
        .first()
    )
    return newest if newest and set(newest.recipe.settings.get("inputs", {})) <= set(names) else None


def ready_initial(sources: Sequence[Source]) -> dict[str, Any]:
    """The recipe of a version whose files are compiled all of them: run as they are, on what the first is made for.

    {} for every other version, and while the files are not known.
    """
    if not sources or any(source.format != Format.RKNN for source in sources):
        return {}
    told = [str(name) for source in sources for name in reported(source).get("platforms", ())]
    known = [name for name in told if name in OFFERS[READY].platforms]
    recipe: dict[str, Any] = {
        "toolkit": READY,
        "toolkit_version": "",
        "dtype": AS_BUILT,
        "algorithm": AS_BUILT,
    }
    plain = dict.fromkeys(LATER) | {"optimization_level": 3}
    return recipe | plain | ({"platform": known[0]} if known else {})


def initial_of(like: Evaluation, names: Collection[str]) -> dict[str, Any]:
    """The form's initial values to ask once more what `like` asked; `names` are the inputs in the form's order."""
    recipe = like.recipe.value
    found: dict[str, Any] = {
        name: getattr(recipe, name)
        for name in ("toolkit", "toolkit_version", "platform", "dtype", "algorithm", "optimization_level")
    }
    found |= later_initial(recipe)
    found |= {name: getattr(like, name) for name in ("sample", "iterations", "runtime_version", "sequence")}
    found["labels"] = " ".join(like.labels)
    found |= {name: getattr(like, f"{name}_id") for name in ("calibration", "samples", "board")}
    for number, name in enumerate(names):
        found |= _input(number, recipe.inputs.get(name, InputSettings()))
    return found


def _input(number: int, settings: InputSettings) -> dict[str, Any]:
    return {
        f"shape_{number}": ", ".join(map(str, settings.shape or ())),
        f"mean_{number}": _list(settings.mean),
        f"std_{number}": _list(settings.std),
        f"reorder_{number}": settings.reorder,
    }


def _list(numbers: Collection[float]) -> str:
    """The numbers as somebody would type them: 0 and 58.8, not 0.0; none loses a digit."""
    return ", ".join(str(int(n)) if n == int(n) else repr(n) for n in numbers)
