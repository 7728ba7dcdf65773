"""One project with a row of every kind, and what each address needs to point into it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern, URLResolver, get_resolver

from dashboard.boards.models import Board
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.projects.models import ApiToken, Membership, Project, Role
from dashboard.registry.models import InputSet, ModelVersion, RegisteredModel
from tests import factories

PLACES = ("anonymous", "stranger", "viewer", "developer", "admin")


@dataclass(frozen=True)
class World:
    """A project's rows, and one user per place that a person can have towards it."""

    project: Project
    people: dict[str, User | None]
    model: RegisteredModel
    version: ModelVersion
    evaluation: Evaluation
    leg: Leg
    input_set: InputSet
    board: Board
    token: ApiToken
    leaver: Membership

    def kwargs_of(self, name: str) -> dict[str, Any]:
        """What the address of this name needs to point at this world's rows."""
        return {key: value(self) for key, value in KWARGS.get(name, {}).items()}

    def body_of(self, name: str) -> dict[str, Any]:
        """A good body for a POST to the address of this name."""
        return BODIES[name](self) if name in BODIES else {}


def make_world() -> World:
    """Everything that one project can hold."""
    admin = factories.make_user()
    project = factories.make_project(admin)
    stranger = factories.make_user()
    factories.make_project(stranger)
    model = factories.make_model(project)
    version = factories.make_version(model)
    board = factories.make_board(project)
    evaluation = factories.make_evaluation(version, board=board)
    leaver = factories.make_member(project, Role.VIEWER)
    people = {
        "anonymous": None,
        "stranger": stranger,
        "viewer": factories.make_member(project, Role.VIEWER),
        "developer": factories.make_member(project, Role.DEVELOPER),
        "admin": admin,
    }
    return World(
        project=project,
        people=people,
        model=model,
        version=version,
        evaluation=evaluation,
        leg=evaluation.legs.get(),
        input_set=factories.make_input_set(project),
        board=board,
        token=factories.make_token_row(project),
        leaver=Membership.objects.get(project=project, user=leaver),
    )


def addresses() -> dict[str, str]:
    """Every address of the site: its name and its pattern."""
    found: dict[str, str] = {}

    def walk(resolver: URLResolver, start: str) -> None:
        for entry in resolver.url_patterns:
            route = start + str(entry.pattern)
            if isinstance(entry, URLPattern):
                found[entry.name or route] = route
            else:
                walk(entry, route)

    walk(get_resolver(), "")
    return found


def onnx_file() -> SimpleUploadedFile:
    """A file on its way in; what is in it is looked at later."""
    return SimpleUploadedFile("x.onnx", b"any bytes")


Value = Callable[[World], Any]
SLUG: dict[str, Value] = {"slug": lambda w: w.project.slug}
JOB: dict[str, Value] = {"kind": lambda w: "run", "pk": lambda w: w.leg.run_id}


def _pk(of: Callable[[World], Any]) -> dict[str, Value]:
    return {"pk": lambda w: of(w).pk}


MODEL, VERSION = _pk(lambda w: w.model), _pk(lambda w: w.version)
SOURCE, INPUT_SET = _pk(lambda w: w.leg.source), _pk(lambda w: w.input_set)
EVALUATION, RUN, BOARD = _pk(lambda w: w.evaluation), _pk(lambda w: w.leg.run), _pk(lambda w: w.board)
COMPARISON, DUMP = _pk(lambda w: w.leg.on_board), _pk(lambda w: w.leg.run.result.dump)
CONVERSION, ARTIFACT = _pk(lambda w: w.leg.conversion), _pk(lambda w: w.leg.conversion.artifact)
TOKEN, RECIPE = _pk(lambda w: w.token), _pk(lambda w: w.evaluation.recipe)

KWARGS: dict[str, dict[str, Value]] = {
    "project": SLUG,
    "members": SLUG,
    "member-remove": {**SLUG, **_pk(lambda w: w.leaver)},
    "tokens": SLUG,
    "token-revoke": {**SLUG, **TOKEN},
    "models-new": SLUG,
    "model": MODEL,
    "version-new": MODEL,
    "version": VERSION,
    "source-file": SOURCE,
    "input-sets": SLUG,
    "input-set-new": SLUG,
    "input-set": INPUT_SET,
    "input-set-file": INPUT_SET,
    "evaluation-new": VERSION,
    "evaluation": EVALUATION,
    "evaluation-cancel": EVALUATION,
    "comparison": COMPARISON,
    "dump-file": DUMP,
    "board": BOARD,
    "board-pause": BOARD,
    "board-resume": BOARD,
    "run": RUN,
    "outputs-file": RUN,
    "artifact-file": ARTIFACT,
    "job": JOB,
    "job-cancel": JOB,
    "job-log": JOB,
    "history": MODEL,
    "api-project-detail": _pk(lambda w: w.project),
    "api-model-detail": MODEL,
    "api-history": {"model": lambda w: w.model.pk},
    "api-version-detail": VERSION,
    "api-source-detail": SOURCE,
    "api-source-file": SOURCE,
    "api-input-set-detail": INPUT_SET,
    "api-input-set-file": INPUT_SET,
    "api-recipe-detail": RECIPE,
    "api-conversion-detail": CONVERSION,
    "api-artifact-detail": ARTIFACT,
    "api-artifact-file": ARTIFACT,
    "api-run-detail": RUN,
    "api-run-outputs": RUN,
    "api-dump-detail": DUMP,
    "api-dump-file": DUMP,
    "api-comparison-detail": COMPARISON,
    "api-comparison-scores": COMPARISON,
    "api-comparison-scores-csv": COMPARISON,
    "api-evaluation-detail": EVALUATION,
    "api-evaluation-cancel": EVALUATION,
    "api-board-detail": BOARD,
    "api-board-pause": BOARD,
    "api-board-resume": BOARD,
    "api-job-list": {"kind": lambda w: "run"},
    "api-job-detail": JOB,
    "api-token-detail": TOKEN,
    "api-token-revoke": TOKEN,
}
BODIES: dict[str, Callable[[World], dict[str, Any]]] = {
    "api-model-list": lambda w: {"project": w.project.pk, "name": "another"},
    "api-version-list": lambda w: {"model": w.model.pk, "sources": [onnx_file()]},
    "api-input-set-list": lambda w: {"project": w.project.pk, "purpose": "calibration", "file": onnx_file()},
    "api-comparison-list": lambda w: {
        "reference": w.leg.conversion.artifact.framework_id,  # type: ignore[union-attr]
        "candidate": w.leg.run.result.dump_id,  # type: ignore[union-attr]
    },
    "api-evaluation-list": lambda w: {
        "version": w.version.pk,
        "calibration": w.input_set.pk,
        "samples": w.input_set.pk,
    },
}
MULTIPART = {"api-version-list", "api-input-set-list"}
