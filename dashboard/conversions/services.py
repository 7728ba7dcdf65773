"""Verbs of conversions: request one, keep what it made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from dashboard import files
from dashboard.conversions.models import Artifact, Conversion, Recipe
from dashboard.conversions.recipe import RecipeSettings
from dashboard.jobs.models import State
from dashboard.layers.services import store_dump
from dashboard.projects.models import Project
from dashboard.registry.models import InputSet, Source


@dataclass(frozen=True)
class Converted:
    """What a conversion left in its job folder; every file has been opened and checked.

    `dumps` maps a rung (framework, quantized) to its file; `inputs` is the evaluation sample as the graph takes it.
    """

    artifact: Path
    inputs: Path
    dumps: Mapping[str, Path]
    calibration_table: Path
    toolkit_version: str


def keep_recipe(project: Project, settings: RecipeSettings) -> Recipe:
    """The project's row for these settings."""
    recipe, _ = Recipe.objects.get_or_create(
        project=project, sha256=settings.sha256, defaults={"settings": settings.as_dict()}
    )
    return recipe


@transaction.atomic
def request_conversion(  # noqa: PLR0917 - what a conversion is identified by, in this order
    source: Source, recipe: Recipe, calibration: InputSet, samples: InputSet, sample: int, user: Any
) -> Conversion:
    """The conversion of exactly these inputs: one that is under way or done already is not made again.

    It is locked until the caller's transaction ends, so that it does not end between being found and being used.
    """
    useful = Conversion.objects.filter(state__in=[State.QUEUED, State.RUNNING, State.SUCCEEDED])
    conversion: Conversion
    conversion, _ = useful.select_for_update(no_key=True).get_or_create(
        source=source,
        recipe=recipe,
        calibration=calibration,
        samples=samples,
        sample=sample,
        defaults={"project": recipe.project, "created_by": user},
    )
    return conversion


def store_conversion(conversion: Conversion, made: Converted) -> dict[str, Any]:
    """Put the files into the store; rows come later, with the job's end (see keep_artifact)."""
    artifact = files.put_path(made.artifact)
    table = files.put_path(made.calibration_table)
    return {
        "sha256": artifact.sha256,
        "size": artifact.size,
        "inputs_sha256": files.put_path(made.inputs).sha256,
        "framework": store_dump(conversion.project, made.dumps["framework"]),
        "quantized": store_dump(conversion.project, made.dumps["quantized"]),
        "calibration_table_sha256": table.sha256,
        "toolkit_version": made.toolkit_version[:80],
        "platform": conversion.recipe.settings["platform"],
    }


def keep_artifact(conversion: Conversion, fields: dict[str, Any]) -> Artifact:
    """Write the artifact's row and its dumps' rows; called in the transaction that ends the conversion."""
    with transaction.atomic():
        for name in ("framework", "quantized"):
            fields[name].save()
        return Artifact.objects.create(conversion=conversion, **fields)
