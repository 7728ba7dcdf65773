"""A project with somebody of each role, a stranger, and everything measured once."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.boards.models import Board
from dashboard.conversions.models import Histogram
from dashboard.evaluations.models import Evaluation
from dashboard.imports.models import Import
from dashboard.projects.models import Project, Role
from tests.factories import (
    make_board,
    make_evaluation,
    make_histogram,
    make_member,
    make_model,
    make_project,
    make_user,
    make_version,
)
from tests.imports.rows import make_import

SignIn = Callable[[User], Client]


@dataclass(frozen=True)
class World:
    """A project and who lives in it."""

    project: Project
    board: Board
    evaluation: Evaluation
    imported: Import
    histogram: Histogram
    admin: User
    developer: User
    viewer: User
    stranger: User

    def addresses(self) -> list[str]:
        """Every page and file of the project."""
        version = self.evaluation.version
        leg = self.evaluation.legs.all()[0]
        run, conversion = leg.run, leg.conversion
        source = version.sources.all()[0]
        calibration = self.evaluation.calibration
        return [
            f"/projects/{self.project.slug}/",
            f"/projects/{self.project.slug}/tokens/",
            f"/models/{version.model_id}/",
            f"/models/{version.model_id}/history/",
            f"/versions/{version.pk}/",
            f"/sources/{source.pk}/file/",
            f"/sources/{source.pk}/lint/",
            f"/versions/{version.pk}/lint/",
            f"/projects/{self.project.slug}/input-sets/",
            f"/input-sets/{calibration.pk}/",
            f"/input-sets/{calibration.pk}/file/",
            f"/projects/{self.project.slug}/imports/",
            f"/imports/{self.imported.pk}/",
            f"/imports/{self.imported.pk}/file/",
            f"/evaluations/{self.evaluation.pk}/",
            f"/legs/{leg.pk}/data-types/",
            f"/comparisons/{leg.on_board_id}/",
            f"/dumps/{run.result.dump_id}/file/",
            f"/runs/{run.pk}/",
            f"/runs/{run.pk}/outputs/",
            f"/artifacts/{conversion.artifact.pk}/file/",
            f"/artifacts/{conversion.artifact.pk}/histograms/",
            f"/artifacts/{conversion.artifact.pk}/histograms/{self.histogram.sha256}.png",
            f"/boards/{self.board.pk}/",
            f"/boards/{self.board.pk}/changes/",
            f"/jobs/conversion/{conversion.pk}/",
            f"/jobs/conversion/{conversion.pk}/log/",
            f"/jobs/inspection/{source.inspection.pk}/",
            f"/compare/?a={run.pk}&b={run.pk}",
        ]

    def forms(self) -> list[str]:
        """Every page that only those see who may change something."""
        version = self.evaluation.version
        return [
            f"/projects/{self.project.slug}/models/new/",
            f"/projects/{self.project.slug}/input-sets/new/",
            f"/projects/{self.project.slug}/imports/new/",
            f"/projects/{self.project.slug}/dumps/compare/",
            f"/models/{version.model_id}/versions/new/",
            f"/versions/{version.pk}/evaluations/new/",
        ]


@pytest.fixture
def world(db: None) -> World:
    admin, stranger = make_user("ada"), make_user("mallory")
    project = make_project(admin, "Vision")
    make_project(stranger, "Elsewhere")
    board = make_board(project, name="desk")
    version = make_version(make_model(project, "upscaler"), routes=("direct", "traced"))
    evaluation = make_evaluation(version, board=board)
    return World(
        project=project,
        board=board,
        evaluation=evaluation,
        histogram=make_histogram(evaluation.legs.all()[0].conversion.artifact),
        imported=make_import(project),
        admin=admin,
        developer=make_member(project, Role.DEVELOPER, make_user("dev")),
        viewer=make_member(project, Role.VIEWER, make_user("vera")),
        stranger=stranger,
    )


@pytest.fixture
def as_user() -> SignIn:
    """A browser in which this user has signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
