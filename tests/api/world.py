"""One project with a row of every kind, and what each address needs to point into it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from dashboard.boards.models import Board
from dashboard.conversions.models import Histogram
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.health.incidents import note
from dashboard.health.models import GoldenModel, HealthCheck, Incident, IncidentKind, TwinCheck
from dashboard.imports.models import Import
from dashboard.projects.models import ApiToken, Membership, Project, Role
from dashboard.registration.models import Probe, Registration
from dashboard.registry.models import InputSet, ModelVersion, RegisteredModel
from tests import factories
from tests.health.rows import make_check, make_twin
from tests.imports.rows import make_import

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
    registration: Registration
    probe: Probe
    token: ApiToken
    golden: GoldenModel
    check: HealthCheck
    incident: Incident
    twin: TwinCheck
    imported: Import
    leaver: Membership
    histogram: Histogram

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
    factories.make_converter()
    model = factories.make_model(project)
    version = factories.make_version(model)
    board = factories.make_board(project)
    evaluation = factories.make_evaluation(version, board=board)
    leg = evaluation.legs.get()
    assert leg.run is not None
    check = make_check(leg.run, board)
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
        registration=factories.make_registration(project),
        probe=factories.make_probe(board),
        token=factories.make_token_row(project),
        golden=check.golden,
        check=check,
        incident=note(board, IncidentKind.FAILURE, code="board:link-lost", run=leg.run),
        imported=make_import(project),
        twin=make_twin(leg.run, board, factories.make_board(project)),
        leaver=Membership.objects.get(project=project, user=leaver),
        histogram=factories.make_histogram(leg.conversion.artifact),  # type: ignore[union-attr]
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
LEG = _pk(lambda w: w.leg)
SOURCE, INPUT_SET = _pk(lambda w: w.leg.source), _pk(lambda w: w.input_set)
EVALUATION, RUN, BOARD = _pk(lambda w: w.evaluation), _pk(lambda w: w.leg.run), _pk(lambda w: w.board)
COMPARISON, DUMP = _pk(lambda w: w.leg.on_board), _pk(lambda w: w.leg.run.result.dump)
CONVERSION, ARTIFACT = _pk(lambda w: w.leg.conversion), _pk(lambda w: w.leg.conversion.artifact)
REGISTRATION, PROBE = _pk(lambda w: w.registration), _pk(lambda w: w.probe)
TOKEN, RECIPE = _pk(lambda w: w.token), _pk(lambda w: w.evaluation.recipe)

GOLDEN, CHECK = _pk(lambda w: w.golden), _pk(lambda w: w.check)
INCIDENT, TWIN = _pk(lambda w: w.incident), _pk(lambda w: w.twin)

IMPORT = _pk(lambda w: w.imported)

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
    "source-lint": SOURCE,
    "source-inspect-again": SOURCE,
    "version-lint": VERSION,
    "input-sets": SLUG,
    "input-set-new": SLUG,
    "input-set": INPUT_SET,
    "input-set-file": INPUT_SET,
    "imports": SLUG,
    "import-new": SLUG,
    "import": IMPORT,
    "import-file": IMPORT,
    "dumps-compare": SLUG,
    "evaluation-new": VERSION,
    "evaluation": EVALUATION,
    "evaluation-cancel": EVALUATION,
    "leg-data-types": LEG,
    "comparison": COMPARISON,
    "dump-file": DUMP,
    "board": BOARD,
    "board-changes": BOARD,
    "board-pause": BOARD,
    "board-resume": BOARD,
    "board-drain": BOARD,
    "board-reserve": BOARD,
    "board-release": BOARD,
    "board-new": SLUG,
    "registration": REGISTRATION,
    "registration-look": REGISTRATION,
    "registration-confirm": REGISTRATION,
    "registration-discard": REGISTRATION,
    "board-access": BOARD,
    "board-probe": BOARD,
    "board-admit": BOARD,
    "board-pin": BOARD,
    "probe": PROBE,
    "golden-models": SLUG,
    "golden-model-new": RUN,
    "golden-model": GOLDEN,
    "golden-model-retire": GOLDEN,
    "health-check": CHECK,
    "health-check-accept": CHECK,
    "board-health": BOARD,
    "board-check": BOARD,
    "board-incidents": BOARD,
    "incident-close": INCIDENT,
    "board-power": BOARD,
    "board-power-cycle": BOARD,
    "board-power-remove": BOARD,
    "twin-checks": SLUG,
    "twin-check-new": SLUG,
    "twin-check": TWIN,
    "run": RUN,
    "outputs-file": RUN,
    "artifact-file": ARTIFACT,
    "histograms": ARTIFACT,
    "histogram-file": {**ARTIFACT, "sha256": lambda w: w.histogram.sha256},
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
    "api-source-lint": SOURCE,
    "api-input-set-detail": INPUT_SET,
    "api-input-set-file": INPUT_SET,
    "api-import-detail": IMPORT,
    "api-import-file": IMPORT,
    "api-import-scores": IMPORT,
    "api-import-tables": IMPORT,
    "api-recipe-detail": RECIPE,
    "api-conversion-detail": CONVERSION,
    "api-artifact-detail": ARTIFACT,
    "api-artifact-file": ARTIFACT,
    "api-artifact-build-facts": ARTIFACT,
    "api-artifact-calibration-table": ARTIFACT,
    "api-artifact-histograms": ARTIFACT,
    "api-artifact-histogram-file": {**ARTIFACT, "position": lambda w: w.histogram.position},
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
    "api-board-readings": {"board": lambda w: w.board.pk},
    "api-board-changes": {"board": lambda w: w.board.pk},
    "api-board-pause": BOARD,
    "api-board-resume": BOARD,
    "api-board-drain": BOARD,
    "api-board-reserve": BOARD,
    "api-board-release": BOARD,
    "api-board-probe": BOARD,
    "api-board-access": BOARD,
    "api-board-admit": BOARD,
    "api-board-pin": BOARD,
    "api-registration-detail": REGISTRATION,
    "api-registration-look": REGISTRATION,
    "api-registration-confirm": REGISTRATION,
    "api-registration-discard": REGISTRATION,
    "api-registration-access": REGISTRATION,
    "api-probe-detail": PROBE,
    "api-board-check": BOARD,
    "api-board-power-switch": BOARD,
    "api-board-power-cycle": BOARD,
    "api-golden-model-detail": GOLDEN,
    "api-golden-model-retire": GOLDEN,
    "api-health-check-detail": CHECK,
    "api-health-check-accept": CHECK,
    "api-incident-detail": INCIDENT,
    "api-incident-close": INCIDENT,
    "api-twin-check-detail": TWIN,
    "api-job-list": {"kind": lambda w: "run"},
    "api-job-detail": JOB,
    "api-token-detail": TOKEN,
    "api-token-revoke": TOKEN,
}
NEW_BOARD = {
    "name": "another board",
    "address": "127.0.0.1",
    "port": 2224,
    "username": "layerwise",
    "site": "local",
    "platform": "rv1126",
    "npu": "sim",
}
BODIES: dict[str, Callable[[World], dict[str, Any]]] = {
    "api-model-list": lambda w: {"project": w.project.pk, "name": "another"},
    "api-version-list": lambda w: {"model": w.model.pk, "sources": [onnx_file()]},
    "api-input-set-list": lambda w: {"project": w.project.pk, "purpose": "calibration", "file": onnx_file()},
    "api-import-list": lambda w: {"project": w.project.pk, "file": onnx_file()},
    "api-comparison-list": lambda w: {
        "reference": w.leg.conversion.artifact.framework_id,  # type: ignore[union-attr]
        "candidate": w.leg.run.result.dump_id,  # type: ignore[union-attr]
    },
    "api-golden-model-list": lambda w: {"run": w.leg.run_id},
    "api-twin-check-list": lambda w: {"artifact": w.twin.artifact_id},
    "api-board-power-switch": lambda w: {"kind": "reboot"},
    "api-evaluation-list": lambda w: {
        "version": w.version.pk,
        "calibration": w.input_set.pk,
        "samples": w.input_set.pk,
    },
    "board-reserve": lambda w: {"hours": 1},
    "api-board-reserve": lambda w: {"until": timezone.now() + timedelta(hours=1)},
    "board-new": lambda w: NEW_BOARD | {"key_kind": "ecdsa"},
    "registration-confirm": lambda w: {"fingerprint": w.registration.host_key_fingerprint},
    "board-admit": lambda w: {"reason": "it is on fire, which is fine"},
    "api-registration-list": lambda w: {"project": w.project.pk} | NEW_BOARD,
    "api-registration-confirm": lambda w: {"fingerprint": w.registration.host_key_fingerprint},
    "api-board-admit": lambda w: {"reason": "it is on fire, which is fine"},
    "api-board-pin": lambda w: {"fingerprint": "SHA256:x", "reason": "new image"},
}
MULTIPART = {"api-version-list", "api-input-set-list", "api-import-list"}
