"""Queues of any length: runs of a project as they are after many requests."""

from typing import Any

from dashboard.boards.models import Board, Run
from dashboard.conversions.models import Artifact
from dashboard.projects.models import Project
from tests import factories


def artifact_of(project: Project) -> Artifact:
    """Something to run."""
    version = factories.make_version(factories.make_model(project))
    return factories.make_artifact(factories.make_conversion(version))


def flood(artifact: Artifact, count: int, **fields: Any) -> list[Run]:
    """So many queued runs of the artifact, oldest first."""
    project = artifact.conversion.project
    about = {"project": project, "artifact": artifact, "platform": artifact.platform, **fields}
    runs = [Run(**about) for _ in range(count)]
    runs[0].line_up()
    for run in runs:
        run.lane, run.rank = runs[0].lane, runs[0].rank
    return Run.objects.bulk_create(runs, batch_size=1000)


def two_projects(board: Board) -> tuple[Artifact, Artifact]:
    """Artifacts of two projects that may use the board."""
    made = artifact_of(factories.make_project()), artifact_of(factories.make_project())
    board.projects.add(*(artifact.conversion.project for artifact in made))
    return made
