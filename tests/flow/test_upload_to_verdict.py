"""The story of the product: the forum's network, both routes, and why the board's picture is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.boards.models import Board
from dashboard.conversions.recipe import InputSettings, RecipeSettings
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.evaluations.services import Wanted, request_evaluation
from dashboard.layers.models import LayerScore
from dashboard.projects.models import Project
from dashboard.registry.models import Purpose
from dashboard.registry.services import Upload, register_model, upload_input_set, upload_version
from tests.factories import make_project, owner_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]
RECIPE = RecipeSettings(inputs={"inputs": InputSettings(std=(255.0,))})


@pytest.fixture
def project() -> Project:
    return make_project()


def evaluate(project: Project, example: Path, recipe: RecipeSettings = RECIPE) -> Evaluation:
    """Upload everything and ask, as the page and the API do."""
    user = owner_of(project)
    sets = {}
    for purpose in (Purpose.CALIBRATION, Purpose.EVALUATION):
        with (example / f"{purpose}.zip").open("rb") as stream:
            sets[purpose] = upload_input_set(project, "", Upload(f"{purpose}.zip", stream), purpose, user)[0]
    with (example / "direct.onnx").open("rb") as direct, (example / "traced.onnx").open("rb") as traced:
        uploads = [Upload("direct.onnx", direct, "direct"), Upload("traced.onnx", traced, "traced")]
        version, _ = upload_version(register_model(project, "net", user), uploads, user)
    wanted = Wanted(recipe, sets[Purpose.CALIBRATION], sets[Purpose.EVALUATION], iterations=3)
    return request_evaluation(version, wanted, user)[0]


@pytest.fixture
def legs(
    project: Project, example: Path, board: Callable[[Project], Board], run_queue: Callable[[], int]
) -> dict[str, Leg]:
    """Both routes, evaluated to the end."""
    board(project)
    evaluation = evaluate(project, example)
    run_queue()
    return {leg.source.route: leg for leg in evaluation.legs.all()}


def scores(leg: Leg, comparison: str) -> dict[str, LayerScore]:
    return {score.op: score for score in getattr(leg, comparison).scores.order_by("position")}


def test_both_routes_come_to_their_verdict(legs: dict[str, Leg]) -> None:
    told = {
        route: (leg.outcome, leg.step, [str(job.why) for job in leg.jobs if job.why])
        for route, leg in legs.items()
    }
    assert told == {"direct": ("pass", "", []), "traced": ("fail", "board", [])}

    # what quantization costs looks as in the forum's tables, and the same for both routes
    direct, traced = (scores(legs[route], "quantization") for route in ("direct", "traced"))
    first = legs["direct"].quantization.scores.filter(op="Conv").first()
    assert first.cosine > 0.999
    assert 0.95 < direct["Conv"].cosine < 0.98
    assert direct["Add"].cosine > 0.999
    assert direct["Add"].cosine == pytest.approx(traced["Add"].cosine, abs=1e-6)

    # the board is at fault, at the layer with more than four dimensions, and only the order is wrong
    bad = scores(legs["traced"], "on_board")["Transpose"]
    assert legs["traced"].first_bad_layer in {bad.reference_key, bad.candidate_key}
    assert (bad.cosine < 0.9, bad.order_free > 0.999) == (True, True)
    assert "same numbers, different order" in legs["traced"].sentence

    # everything a simulated board made says so
    assert all(leg.run.result.simulated and leg.run.result.dump.simulated for leg in legs.values())
    assert all(len(leg.run.result.iterations_us) == 3 for leg in legs.values())
    assert all(leg.run.result.timed_layers for leg in legs.values())


def test_the_board_is_free_again_afterwards(legs: dict[str, Leg]) -> None:
    assert Board.objects.free().count() == 1


def test_a_board_with_another_host_key_is_quarantined(
    project: Project, example: Path, board: Callable[..., Board], run_queue: Callable[[], int]
) -> None:
    from dashboard.boards import keys

    stranger = keys.public_key(keys.new_private_key())
    registered = board(project, host_key=stranger)
    evaluation = evaluate(project, example)
    run_queue()
    registered.refresh_from_db()
    first = evaluation.legs.order_by("pk")[0]
    assert (registered.state, first.run.failure, first.outcome) == (
        "unhealthy",
        "board:host-key-changed",
        "cannot tell",
    )
