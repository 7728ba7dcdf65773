"""Rows for tests, made by the product's own verbs where they exist; every function says what it makes.

Jobs are moved by their real moves (claim, succeed, fail), so a state that cannot happen cannot be made here.
"""

import io
import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from django.contrib.auth.models import User

from dashboard import files
from dashboard.boards import keys
from dashboard.boards.models import Board, BoardState, Run, RunResult
from dashboard.boards.services import Measured
from dashboard.conversions.histograms import Shows
from dashboard.conversions.models import Artifact, Conversion, Histogram, Recipe
from dashboard.conversions.offered import Offered, registered
from dashboard.conversions.offers import OFFERS, queue_of
from dashboard.conversions.recipe import RecipeSettings
from dashboard.evaluations.models import Evaluation, Leg, Outcome
from dashboard.jobs.models import Heartbeat, Job
from dashboard.jobs.services import beat
from dashboard.layers.models import Comparison, Dump, LayerScore, Rung
from dashboard.projects.models import ApiToken, Membership, Project, Role, Scope
from dashboard.projects.services import create_project, make_token, set_role
from dashboard.registration.drafts import Draft
from dashboard.registration.models import Probe, Registration
from dashboard.registration.services import begin as begin_registration
from dashboard.registration.services import keep_look, request_probe
from dashboard.registration.steps import FULL, Step, StepState
from dashboard.registry.models import InputSet, Layout, ModelVersion, Purpose, RegisteredModel
from dashboard.registry.services import Origin, Upload, register_model, upload_input_set, upload_version
from dashboard.telemetry.services import keep_run
from similarity.dumpfile import layer_of, write_dump
from tests.claims import claim_with_board
from tests.toolkits.standin.rknn.drawing import png
from workers.toolkits.inspect import ModelFacts, TensorFacts

PASSWORD = "correct horse battery"
LAYERS = ("conv_1", "conv_2", "add_3")
MODEL_FACTS = ModelFacts(
    inputs=(TensorFacts("input", (1, 3, 8, 8), "float32"),),
    outputs=(TensorFacts("output", (1, 3, 32, 32), "float32"),),
    opset=13,
    ir_version=8,
    operators={"Conv": 2, "Add": 1},
    parameters=1234,
    nodes=3,
    max_rank=4,
    dynamic=False,
    producer="test",
    external_data=False,
    lint=(),
)
REPORT = json.loads(json.dumps(asdict(MODEL_FACTS)))
SAMPLES_REPORT = {
    "count": 4,
    "inputs": [{"name": "", "shape": [8, 8, 3], "dtype": "uint8"}],
    "layout_guess": "NHWC",
}

_numbers = itertools.count(1)
J = TypeVar("J", bound=Job)


def make_user(name: str = "", **fields: Any) -> User:
    """A user who can sign in with PASSWORD."""
    return User.objects.create_user(name or f"user{next(_numbers)}", password=PASSWORD, **fields)


def make_project(owner: User | None = None, name: str = "") -> Project:
    """A project; its owner is an admin of it."""
    return create_project(name or f"Project {next(_numbers)}", owner or make_user())


def make_member(project: Project, role: Role = Role.DEVELOPER, user: User | None = None) -> User:
    """A user with this role in the project."""
    user = user or make_user()
    set_role(project, user, role)
    return user


def owner_of(project: Project) -> User:
    """Some admin of the project."""
    return Membership.objects.filter(project=project, role=Role.ADMIN).order_by("pk")[0].user


def make_secret(project: Project, user: User | None = None, scopes: Sequence[Scope] = tuple(Scope)) -> str:
    """A token's secret text, as a training job would hold it."""
    return make_token(project, user or owner_of(project), "training", scopes)[1]


def make_token_row(project: Project, user: User | None = None) -> ApiToken:
    """A token as it is stored."""
    return make_token(project, user or owner_of(project), "training", tuple(Scope))[0]


def offer_of(toolkit: str = "reference", version: str = "1.32.0", **fewer: Any) -> Offered:
    """What a worker with this version offers: everything that is legal, or fewer `dtypes` or `algorithms`."""
    told = {"toolkit": toolkit, "version": version, "title": f"{toolkit} {version}"}
    return Offered.from_dict({**told, **asdict(OFFERS[toolkit]), **fewer})


def make_converter(*offers: Offered, name: str = "converter:1") -> Heartbeat:
    """A living worker, by the sign of life that workers give: it inspects, compares, and converts by the built-in
    toolkit, or by just these `offers`.
    """
    found = offers or (offer_of(),)
    versions = {queue for one in found for queue in (queue_of(one.toolkit), *one.queues)}
    beat(name, "worker", sorted({"inspect", "compare"} | versions), registered(found), is_first=True)
    return Heartbeat.objects.get(name=name)


def begin(job: J) -> J:
    """Let a worker claim the job."""
    assert job.claim("worker@test")
    return job


def succeed(job: J) -> J:
    """Take the job to its good end."""
    assert begin(job).succeed(job.fence)
    return job


def fail(job: J, code: str = "toolkit:crashed", detail: str = "signal 11") -> J:
    """Let the job fail with this code."""
    assert begin(job).fail(job.fence, code, detail)
    return job


def make_model(project: Project | None = None, name: str = "") -> RegisteredModel:
    """A model without versions."""
    project = project or make_project()
    return register_model(project, name or f"model {next(_numbers)}", owner_of(project))


def make_version(
    model: RegisteredModel | None = None,
    routes: Sequence[str] = ("main",),
    inspected: bool = True,
    origin: Origin | None = None,
    formats: Mapping[str, str] | None = None,
) -> ModelVersion:
    """A version with one source a route; `inspected` ends their inspections well. `formats` by route; else ONNX."""
    model = model or make_model()
    uploads = [
        Upload(f"{route}.onnx", io.BytesIO(f"onnx {next(_numbers)}".encode()), route) for route in routes
    ]
    version, _ = upload_version(model, uploads, owner_of(model.project), origin)
    if inspected:
        for source in version.sources.all():
            _inspected(source.inspection, {**REPORT, "format": (formats or {}).get(source.route, "onnx")})
    return version


def make_input_set(
    project: Project | None = None,
    purpose: Purpose = Purpose.CALIBRATION,
    name: str = "",
    layout: Layout = Layout.AS_IS,
    inspected: bool = True,
) -> InputSet:
    """An input set; `inspected` ends its inspection well."""
    project = project or make_project()
    number = next(_numbers)
    upload = Upload(f"samples{number}.npz", io.BytesIO(f"samples {number}".encode()))
    input_set, _ = upload_input_set(project, name, upload, purpose, owner_of(project), layout)
    if inspected:
        _inspected(input_set.inspection, SAMPLES_REPORT)
    return input_set


def make_recipe(project: Project, **settings: Any) -> Recipe:
    """The project's recipe of these settings."""
    value = RecipeSettings(**settings)
    recipe, _ = Recipe.objects.get_or_create(
        project=project, sha256=value.sha256, defaults={"settings": value.as_dict()}
    )
    return recipe


def make_conversion(version: ModelVersion | None = None, route: str = "", **recipe: Any) -> Conversion:
    """A queued conversion of one source of the version (the first, or the one of `route`); for a simulated board unless
    `toolkit` is a vendor's.
    """
    version = version or make_version()
    project = version.project
    sources = version.sources.filter(route=route) if route else version.sources.all()
    return Conversion.objects.create(
        project=project,
        source=sources[0],
        recipe=make_recipe(project, **recipe),
        calibration=make_input_set(project),
        samples=make_input_set(project, Purpose.EVALUATION),
        created_by=owner_of(project),
    )


def make_dump(
    project: Project, rung: Rung = Rung.FRAMEWORK, simulated: bool = False, layers: Sequence[str] = LAYERS
) -> Dump:
    """A dump whose file is really in the store: 1x2x4x4 tensors, the same for equal names."""
    arrays = [np.full((1, 2, 4, 4), float(number), dtype=np.float32) for number, _ in enumerate(layers, 1)]
    infos = [
        layer_of(array, key, op="Conv", layout="NCHW") for key, array in zip(layers, arrays, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dump.safetensors"
        write_dump(file, str(rung), infos, arrays, simulated=simulated)
        stored = files.put_path(file)
    entries = [{"key": i.key, "name": i.name, "op": i.op, "shape": list(i.shape)} for i in infos]
    return Dump.objects.create(
        project=project,
        rung=rung,
        simulated=simulated,
        sha256=stored.sha256,
        size=stored.size,
        layers=entries,
    )


def make_artifact(conversion: Conversion | None = None, **recipe: Any) -> Artifact:
    """A conversion that succeeded (by the recipe, if it is not given) and what it made, with both dumps."""
    conversion = succeed(conversion or make_conversion(**recipe))
    stored = store(f"artifact {next(_numbers)}")
    return Artifact.objects.create(
        conversion=conversion,
        sha256=stored.sha256,
        size=stored.size,
        inputs_sha256=store("inputs").sha256,
        framework=make_dump(conversion.project, Rung.FRAMEWORK),
        quantized=make_dump(conversion.project, Rung.QUANTIZED),
        calibration_table_sha256=store("{}").sha256,
        build_facts_sha256=store("{}").sha256,
        toolkit_version="onnxruntime 1.32.0, onnx 1.23.2",
        platform=conversion.recipe.settings["platform"],
    )


def make_histogram(artifact: Artifact, layer: str = LAYERS[0], shows: Shows = Shows.WEIGHT) -> Histogram:
    """A picture of one of the artifact's layers, unlike all others."""
    number = next(_numbers)
    stored = files.put(io.BytesIO(png([bytes([number % 256, number // 256 % 256])] * 3)))
    return Histogram.objects.create(
        artifact=artifact,
        position=artifact.histograms.count(),
        layer_key=layer,
        layer_name=layer,
        shows=shows,
        sha256=stored.sha256,
        size=stored.size,
        width=2,
        height=3,
    )


def make_board(*projects: Project, name: str = "", simulated: bool = True, site: str = "local") -> Board:
    """A board that the projects may use; nothing answers at its address."""
    private_key = keys.new_private_key()
    board = Board.objects.create(
        name=name or f"board-{next(_numbers)}",
        site=site,
        address="127.0.0.1",
        port=2222,
        host_key=keys.public_key(keys.new_private_key()),
        private_key=keys.encrypt(private_key),
        npu="sim" if simulated else "rknn1",
        simulated=simulated,
        quirks=["transpose-over-4d"] if simulated else [],
        state=BoardState.READY,
    )
    board.projects.add(*projects)
    return board


def artifact_for(board: Board) -> Artifact:
    """One that the board executes: the reference toolkit's for a simulated one, else a vendor's."""
    return make_artifact(toolkit="reference" if board.is_simulation else "rknn1")


def make_registration(project: Project | None = None, name: str = "", is_seen: bool = True) -> Registration:
    """A board on its way in; `is_seen` when a worker has brought its host key."""
    project = project or make_project()
    draft = Draft(name=name or f"new-board-{next(_numbers)}", address="127.0.0.1", port=2223, npu="sim")
    registration = begin_registration(project, [project], draft, owner_of(project))
    if is_seen:
        probe = begin(registration.probes.get())
        assert probe.note(probe.fence, host_key=keys.public_key(keys.new_private_key()))
        keep_look(probe)
        assert probe.succeed(probe.fence)
        registration.refresh_from_db()
    return registration


def make_probe(board: Board) -> Probe:
    """A probe of the board that passed."""
    project = board.projects.order_by("pk")[0]
    probe = begin(request_probe(board, project, owner_of(project)))
    steps = [Step(name, StepState.OK, f"seen: {name}").as_dict() for name in FULL]
    assert probe.note(probe.fence, steps=steps, host_key=board.host_key, seen_from="127.0.0.1")
    assert probe.succeed(probe.fence)
    return probe


def make_queued_run(artifact: Artifact | None = None, board: Board | None = None) -> Run:
    """A run that waits for a board."""
    artifact = artifact or make_artifact()
    project = artifact.conversion.project
    board = board or make_board(project)
    return Run.objects.create(
        project=project,
        artifact=artifact,
        platform=artifact.platform,
        site=board.site,
        wanted_board=board,
        board=board,
        created_by=owner_of(project),
    )


def make_run(artifact: Artifact | None = None, board: Board | None = None, median_us: float = 1500.0) -> Run:
    """A run that succeeded, with its result: dump, times of every layer, fingerprint."""
    run = succeed(make_queued_run(artifact, board))
    assert run.board is not None
    simulated = run.board.simulated
    RunResult.objects.create(
        run=run,
        simulated=simulated,
        dump=make_dump(run.project, Rung.BOARD, simulated),
        outputs_sha256=store("outputs").sha256,
        init_us=20_000,
        iterations_us=[median_us - 10, median_us, median_us + 10],
        median_us=median_us,
        timed_total_us=median_us * 1.2,
        timed_layers=[
            {"key": key, "name": key, "op": "Conv", "target": "NPU", "time_us": 400.0 * number}
            for number, key in enumerate(LAYERS, 1)
        ],
        fingerprint_before={"kernel": "5.10", "temperature_c": 41},
        fingerprint_after={"kernel": "5.10", "temperature_c": 44},
    )
    return run


def make_visit(
    board: Board, before: dict[str, Any], after: dict[str, Any], artifact: Artifact | None = None
) -> Run:
    """A run on the board that ended well through the worker's own verbs, and what the board told around it."""
    run = make_queued_run(artifact or make_artifact(make_conversion(_version_for(board))), board)
    assert claim_with_board(run, "worker@test")
    measured = Measured("0" * 64, [1.0, 2.0, 3.0], fingerprint_before=before, fingerprint_after=after)
    assert run.succeed(run.fence)
    keep_run(run, measured)
    return run


def _version_for(board: Board) -> ModelVersion:
    """A version of a project that may use the board."""
    return make_version(make_model(board.projects.all()[0]))


def make_comparison(
    reference: Dump | None = None,
    candidate: Dump | None = None,
    names: Sequence[str] = LAYERS,
    cosines: Mapping[str, float] | None = None,
) -> Comparison:
    """A comparison that succeeded, one score a name; cosines sink from layer to layer unless given."""
    reference = reference or make_dump(make_project())
    candidate = candidate or make_dump(reference.project, Rung.QUANTIZED)
    comparison = Comparison.objects.create(
        project=reference.project, reference=reference, candidate=candidate, summary={"layers": len(names)}
    )
    for position, name in enumerate(names):
        _score(comparison, position, name, (cosines or {}).get(name, 1.0 - position / 100))
    return succeed(comparison)


def make_evaluation(
    version: ModelVersion | None = None,
    ended: bool = True,
    board: Board | None = None,
    outcome: Outcome = Outcome.FAIL,
) -> Evaluation:
    """An evaluation with one leg a source: with everything measured and judged, or just under way."""
    version = version or make_version()
    project = version.project
    evaluation = Evaluation.objects.create(
        project=project,
        version=version,
        recipe=make_recipe(project),
        calibration=make_input_set(project),
        samples=make_input_set(project, Purpose.EVALUATION),
        board=board or make_board(project),
        created_by=owner_of(project),
    )
    for source in version.sources.all():
        leg = Leg.objects.create(evaluation=evaluation, source=source)
        leg.conversion = make_conversion(version, source.route)
        if ended:
            _end_leg(leg, outcome)
        leg.save()
    if ended:
        evaluation.ended_at = evaluation.created_at
        evaluation.save()
    return evaluation


def store(text: str) -> files.Stored:
    """Put a text into the store."""
    return files.put(io.BytesIO(text.encode()))


def _inspected(inspection: Any, report: dict[str, Any]) -> None:
    begin(inspection)
    type(inspection).objects.filter(pk=inspection.pk).update(report=report)
    inspection.report = report
    assert inspection.succeed(inspection.fence)


def _score(comparison: Comparison, position: int, name: str, cosine: float) -> LayerScore:
    return LayerScore.objects.create(
        comparison=comparison,
        position=position,
        reference_key=name,
        candidate_key=name,
        name=name,
        op="Conv",
        shape=[1, 2, 4, 4],
        cosine=cosine,
        relative_l2=1 - cosine,
        sqnr_db=30.0,
        gain=1.0,
        max_abs=0.5,
        mean_abs=0.1,
        order_free=1.0,
    )


def _end_leg(leg: Leg, outcome: Outcome) -> None:
    assert leg.conversion is not None
    artifact = make_artifact(leg.conversion)
    leg.run = make_run(artifact, leg.evaluation.board)
    leg.quantization = make_comparison(artifact.framework, artifact.quantized)
    leg.on_board = make_comparison(artifact.quantized, leg.run.result.dump, cosines={"add_3": 0.31})
    leg.outcome = outcome
    leg.sentence = "The board leaves the quantized graph at add_3 (cosine 0.310000)."
    leg.step = "board"
    leg.first_bad_layer = "add_3"
    leg.reasons = [{"code": "board:differs", "text": leg.sentence, "layer": "add_3"}]
    leg.advice = ["Look at the kernel of add_3."]
    leg.ended_at = leg.evaluation.created_at
