"""What a new evaluation's form begins with: what an earlier one asked for, and the toolkits that somebody serves."""

from collections.abc import Collection
from typing import Any

from dashboard.conversions.recipe import TOOLKITS, InputSettings
from dashboard.evaluations.models import Evaluation, Outcome
from dashboard.jobs.services import alive
from dashboard.registry.models import ModelVersion

QUEUE = "convert."


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


def initial_of(like: Evaluation, names: Collection[str]) -> dict[str, Any]:
    """The form's initial values to ask once more what `like` asked; `names` are the inputs in the form's order."""
    recipe = like.recipe.value
    found: dict[str, Any] = {
        name: getattr(recipe, name)
        for name in ("toolkit", "platform", "dtype", "algorithm", "optimization_level")
    }
    found |= {name: getattr(like, name) for name in ("sample", "iterations")}
    found |= {name: getattr(like, f"{name}_id") for name in ("calibration", "samples", "board")}
    for number, name in enumerate(names):
        found |= _input(number, recipe.inputs.get(name, InputSettings()))
    return found


def served_toolkits() -> list[str]:
    """The toolkits for which a living worker takes conversions."""
    queues = {queue for process in alive("worker") for queue in process.queues}
    return [toolkit for toolkit in TOOLKITS if QUEUE + toolkit in queues]


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
