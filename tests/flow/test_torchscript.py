"""TorchScript sources through the real PyTorch: what becomes of a .pt, with and without the torch environment."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dashboard.conversions.recipe import InputSettings, RecipeSettings
from dashboard.evaluations.models import Evaluation, Leg
from dashboard.evaluations.services import Wanted, request_evaluation
from dashboard.layers.models import LayerScore
from dashboard.registry.models import Purpose
from dashboard.registry.services import Upload, register_model, upload_input_set, upload_version
from tests.factories import make_project, owner_of
from workers.toolkits import torchscript

PYTHON = torchscript.here()
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.integration,
    pytest.mark.skipif(PYTHON is None, reason="PyTorch is not installed (make toolkit-torch)"),
]
RECIPE = RecipeSettings(inputs={"inputs": InputSettings(std=(255.0,))})


def evaluate(example: Path, routes: dict[str, Path], recipe: RecipeSettings = RECIPE) -> Evaluation:
    """Upload the files, one a route, and ask for them all."""
    project = make_project()
    user = owner_of(project)
    sets = {}
    for purpose in (Purpose.CALIBRATION, Purpose.EVALUATION):
        with (example / f"{purpose}.zip").open("rb") as stream:
            sets[purpose] = upload_input_set(project, "", Upload(f"{purpose}.zip", stream), purpose, user)[0]
    streams = {route: path.open("rb") for route, path in routes.items()}
    try:
        uploads = [Upload(routes[route].name, stream, route) for route, stream in streams.items()]
        version, _ = upload_version(register_model(project, "net", user), uploads, user)
    finally:
        for stream in streams.values():
            stream.close()
    wanted = Wanted(recipe, sets[Purpose.CALIBRATION], sets[Purpose.EVALUATION], iterations=3)
    return request_evaluation(version, wanted, user)[0]


def legs_of(evaluation: Evaluation) -> dict[str, Leg]:
    return {leg.source.route: leg for leg in evaluation.legs.all()}


def last_score(leg: Leg, comparison: str) -> LayerScore:
    score: LayerScore = getattr(leg, comparison).scores.order_by("-position")[0]
    return score


@pytest.fixture
def legs(example: Path, traces: Path, run_queue: Callable[[], int]) -> dict[str, Leg]:
    """The ONNX file and the .pt of the same network, by the built-in toolkit."""
    routes = {"onnx": example / "direct.onnx", "pt": traces / "direct.pt"}
    evaluation = evaluate(example, routes)
    run_queue()
    return legs_of(evaluation)


def test_a_pt_becomes_what_its_onnx_export_becomes(legs: dict[str, Leg]) -> None:
    # the names differ by route, the numbers do not
    assert {route: str(leg.source.format) for route, leg in legs.items()} == {
        "onnx": "onnx",
        "pt": "torchscript",
    }
    assert {leg.conversion.failure for leg in legs.values()} == {""}
    assert last_score(legs["pt"], "quantization").cosine == pytest.approx(
        last_score(legs["onnx"], "quantization").cosine, abs=1e-6
    )
    # everybody can see whose reading of the source was executed
    artifacts = {route: leg.conversion.artifact for route, leg in legs.items()}
    assert {route: one.framework_by for route, one in artifacts.items()} == {"onnx": "source", "pt": "torch"}


def test_without_the_torch_environment_the_reference_toolkit_says_how_to_make_it(
    example: Path, traces: Path, run_queue: Callable[[], int], settings: Settings, tmp_path: Path
) -> None:
    settings.TORCH_DIR = tmp_path / "nowhere"
    evaluation = evaluate(example, {"pt": traces / "direct.pt"})
    run_queue()
    leg = evaluation.legs.get()
    assert (leg.outcome, leg.reasons[0]["code"]) == ("cannot tell", "recipe:no-torch")
    assert "make toolkit-torch" in leg.sentence


def test_a_shape_that_the_network_does_not_take_is_told(
    example: Path, traces: Path, run_queue: Callable[[], int]
) -> None:
    wrong = RecipeSettings(inputs={"inputs": InputSettings(shape=(1, 4, 120, 90))})
    evaluation = evaluate(example, {"pt": traces / "direct.pt"}, wrong)
    run_queue()
    conversion = evaluation.legs.get().conversion
    assert (conversion.failure, "inputs [1, 4, 120, 90]" in conversion.detail) == ("data:wrong-shape", True)
