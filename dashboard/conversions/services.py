"""Verbs of conversions: request one, keep what it made."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from dashboard import files
from dashboard.conversions.compiled import summary
from dashboard.conversions.histograms import DrawnHistogram
from dashboard.conversions.models import Artifact, Conversion, FrameworkBy, Histogram, Recipe
from dashboard.conversions.offered import missing, offered
from dashboard.conversions.offers import NEEDS
from dashboard.conversions.proposal import ProposedLayer
from dashboard.conversions.recipe import RecipeSettings
from dashboard.conversions.takes import objection
from dashboard.jobs.models import State
from dashboard.layers.services import store_dump
from dashboard.projects.models import Project
from dashboard.registry.models import InputSet, ModelVersion, Source
from dashboard.registry.services import Refused

RUNGS = ("framework", "converted", "quantized")


@dataclass(frozen=True)
class Converted:
    """What a conversion left in its job folder; every file has been opened and checked. Of a ready file there are
    no dumps and no table.

    `dumps` maps a rung (framework, quantized, and from some toolkits converted) to its file; `inputs` is the evaluation
    sample as the graph takes it. `proposal` is what the toolkit proposes, `histograms` what it drew, when the
    recipe asked for it.
    """

    artifact: Path
    inputs: Path
    dumps: Mapping[str, Path]
    toolkit_version: str
    calibration_table: Path | None = None
    build_facts: Path | None = None
    proposal: tuple[ProposedLayer, ...] = ()
    framework_by: FrameworkBy | None = None
    histograms: tuple[DrawnHistogram, ...] = ()


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


def check_served(
    version: ModelVersion, settings: RecipeSettings, calibration: InputSet, samples: InputSet, sample: int
) -> None:
    """Refuse what no living worker could convert now. Raises Refused recipe:no-toolkit.

    What has been converted already needs nobody. Of several routes, those that somebody can convert are evaluated.
    """
    offers, known = offered(), [one.format for one in version.sources.select_related("inspection")]
    fitting = [found for found in known if not (found and objection(settings.toolkit, found))]
    lacking = [missing(settings, offers, found or "") for found in fitting or [None]]
    if all(lacking) and not _is_converted(version, settings, calibration, samples, sample):
        raise Refused("recipe:no-toolkit", lacking[0])


def lacking_for(
    source: Source, settings: RecipeSettings, calibration: InputSet, samples: InputSet, sample: int
) -> str:
    """What living workers lack for just this source, whose format not every worker with the toolkit takes; "" when they
    lack nothing, when none of them has the toolkit now, and when it is converted already.
    """
    if source.format not in NEEDS.get(settings.toolkit, {}):
        return ""
    offers = offered()
    lacking = "" if missing(settings, offers) else missing(settings, offers, source.format or "")
    done = _conversions_by(settings, calibration, samples, sample).filter(source=source)
    return "" if lacking and done.exists() else lacking


def _is_converted(
    version: ModelVersion, settings: RecipeSettings, calibration: InputSet, samples: InputSet, sample: int
) -> bool:
    """Have all sources of the version that the toolkit takes been converted by just this?"""
    done = _conversions_by(settings, calibration, samples, sample).filter(source__version=version)
    sources = version.sources.select_related("inspection")
    wanted = {one.pk for one in sources if not (one.format and objection(settings.toolkit, one.format))}
    return wanted <= set(done.values_list("source", flat=True))


def _conversions_by(
    settings: RecipeSettings, calibration: InputSet, samples: InputSet, sample: int
) -> QuerySet[Conversion]:
    """Those that succeeded."""
    return Conversion.objects.filter(
        state=State.SUCCEEDED,
        recipe__sha256=settings.sha256,
        calibration=calibration,
        samples=samples,
        sample=sample,
    )


def store_conversion(conversion: Conversion, made: Converted) -> dict[str, Any]:
    """Put the files into the store; rows come later, with the job's end (see keep_artifact)."""
    artifact = files.put_path(made.artifact)
    table, facts = made.calibration_table, made.build_facts
    dumps = {rung: store_dump(conversion.project, path) for rung, path in made.dumps.items()}
    return {
        "sha256": artifact.sha256,
        "size": artifact.size,
        "inputs_sha256": files.put_path(made.inputs).sha256,
        **{rung: dumps.get(rung) for rung in RUNGS},
        "calibration_table_sha256": files.put_path(table).sha256 if table else "",
        "build_facts_sha256": files.put_path(facts).sha256 if facts else "",
        "proposal": [asdict(layer) for layer in made.proposal],
        "toolkit_version": made.toolkit_version[:80],
        "compiled": summary(json.loads(facts.read_bytes())) if facts else {},
        "framework_by": (made.framework_by or FrameworkBy.SOURCE) if "framework" in dumps else "",
        "platform": conversion.recipe.settings["platform"],
        "histograms": [_store_histogram(*one) for one in enumerate(made.histograms)],
    }


def _store_histogram(position: int, drawn: DrawnHistogram) -> Histogram:
    """The row, unsaved, of a picture that is in the store."""
    stored = files.put_path(drawn.path)
    return Histogram(
        position=position,
        layer_key=drawn.layer_key,
        layer_name=drawn.layer_name,
        shows=drawn.shows,
        port=drawn.port,
        sha256=stored.sha256,
        size=stored.size,
        width=drawn.width,
        height=drawn.height,
    )


def keep_artifact(conversion: Conversion, fields: dict[str, Any]) -> Artifact:
    """Write the rows of the artifact, its dumps and histograms; called in the transaction that ends the conversion."""
    with transaction.atomic():
        for name in RUNGS:
            if fields[name]:
                fields[name].save()
        own = {name: value for name, value in fields.items() if name != "histograms"}
        artifact = Artifact.objects.create(conversion=conversion, **own)
        for histogram in fields["histograms"]:
            histogram.artifact = artifact
        Histogram.objects.bulk_create(fields["histograms"], batch_size=500)
        return artifact
