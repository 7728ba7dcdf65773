"""Evaluations in lists: the newest of each model, and which were measured on simulated boards; few queries."""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from dashboard.boards.models import RunResult
from dashboard.evaluations.models import Evaluation
from dashboard.projects.models import Project
from dashboard.registry.models import ModelVersion, RegisteredModel


def models_with_latest(project: Project) -> QuerySet[RegisteredModel]:
    """The project's models, each with `latest_number`, `latest_version` (pk) and `latest_evaluation` (pk) or None."""
    versions = ModelVersion.objects.filter(model=OuterRef("pk")).order_by("-number")
    evaluations = Evaluation.objects.filter(version__model=OuterRef("pk")).order_by("-pk")
    found: QuerySet[RegisteredModel] = RegisteredModel.objects.in_project(project).annotate(
        latest_number=Subquery(versions.values("number")[:1]),
        latest_version=Subquery(versions.values("pk")[:1]),
        latest_evaluation=Subquery(evaluations.values("pk")[:1]),
    )
    return found


def with_origin(evaluations: QuerySet[Evaluation]) -> QuerySet[Evaluation]:
    """The evaluations, each with `is_simulated`: whether a simulated board measured any of its legs."""
    measured = RunResult.objects.filter(run__leg__evaluation=OuterRef("pk"), simulated=True)
    return evaluations.annotate(is_simulated=Exists(measured))


def attach_evaluations(models: Iterable[RegisteredModel]) -> None:
    """Give each model of `models_with_latest` its newest evaluation, with legs, as `evaluation` (None without one)."""
    rows = list(models)
    wanted = [row.latest_evaluation for row in rows]  # type: ignore[attr-defined]  # annotated above
    found = (
        with_origin(Evaluation.objects.select_related("version__model"))
        .prefetch_related("legs")
        .in_bulk(filter(None, wanted))
    )
    for row, key in zip(rows, wanted, strict=True):
        row.evaluation = found.get(key)  # type: ignore[attr-defined]  # for the template
