"""Sources that only RKNN-Toolkit 1.x takes, from the upload to the verdict. The package is a stand-in, so numbers are
nobody's measurement; the way is the real one.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from dashboard.conversions.recipe import InputSettings, RecipeSettings
from dashboard.evaluations.models import Leg
from dashboard.jobs.services import beat
from examples.pictures import LOW_HEIGHT, LOW_WIDTH
from tests.factories import owner_of
from tests.flow.test_torchscript import evaluate
from tests.toolkits import modelfiles
from tests.toolkits.oldpythons import PYTHONS, make_environment, packages_of
from workers import offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]
SIZES = (1, 3, LOW_HEIGHT, LOW_WIDTH)


@pytest.fixture
def python(tmp_path: Path, settings: Settings) -> Path:
    """An environment of the toolkit with MXNet beside it, as far as importing goes."""
    python = make_environment(tmp_path / "rknn1", PYTHONS["this"])
    (packages_of(python) / "mxnet.py").write_text("")
    settings.RKNN1_PLACES = [tmp_path / "rknn1"]
    queues = ["convert.rknn1"]
    beat("w:rknn1", "worker", queues, offering.told(queues), is_first=True)
    return python


@pytest.fixture
def leg(python: Path, example: Path, tmp_path: Path, run_queue: Callable[[], int]) -> Leg:
    """A network of MXNet, whose file tells no sizes, by way of the recipe's."""
    parts = {"net-symbol.json": modelfiles.SYMBOL, "net-0000.params": modelfiles.PARAMS}
    (tmp_path / "net.zip").write_bytes(modelfiles.zipped(parts))
    recipe = RecipeSettings(toolkit="rknn1", inputs={"data": InputSettings(shape=SIZES, std=(255.0,))})
    evaluation = evaluate(example, {"mxnet": tmp_path / "net.zip"}, recipe)
    run_queue()
    return evaluation.legs.get()


def test_it_is_measured_against_the_toolkits_own_float_graph(leg: Leg) -> None:
    assert leg.conversion is not None and leg.quantization is not None
    artifact = leg.conversion.artifact
    assert (leg.conversion.failure, artifact.framework_by, artifact.converted) == ("", "toolkit", None)
    assert leg.quantization.summary["output_cosine"] > 0.99


def test_the_verdict_says_what_that_cannot_show(leg: Leg) -> None:
    assert "Whether the toolkit read the file right is not known" in leg.sentence
    assert any("upload the same network as ONNX" in advice for advice in leg.advice)


def test_the_page_says_what_the_float_network_is(leg: Leg) -> None:
    client = Client()
    client.force_login(owner_of(leg.source.version.project))
    page = client.get(f"/evaluations/{leg.evaluation_id}/").content.decode()
    assert "Whether the toolkit read the file right is not known" in page
