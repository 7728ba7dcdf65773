"""A frozen TensorFlow graph from its upload to its scores, where the worker's toolkit has TensorFlow beside it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.conversions.recipe import InputSettings, RecipeSettings
from tests.flow.test_torchscript import evaluate
from workers.toolkits import rknn2
from workers.toolkits.jobs import ROOT

TOOLKIT = next((one for one in rknn2.here() if "tensorflow" in one.offered.offer.formats), None)
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.integration,
    pytest.mark.skipif(
        TOOLKIT is None,
        reason="RKNN-Toolkit2 is not installed with TensorFlow (make toolkit-rknn2 WITH=tensorflow)",
    ),
]
RECIPE = RecipeSettings(
    toolkit="rknn2", platform="rv1126b", dtype="w8a8", inputs={"picture": InputSettings(std=(255.0,))}
)


def test_a_frozen_graph_is_converted_and_compared(
    example: Path, tmp_path: Path, run_queue: Callable[[], int]
) -> None:
    """The recipe calls the only input as it likes: the toolkit is told the file's own names."""
    assert TOOLKIT is not None
    command = [str(TOOLKIT.python), "-W", "ignore", "-m", "tests.toolkits.tfnetworks", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    evaluation = evaluate(example, {"pb": tmp_path / "net.pb"}, RECIPE)
    run_queue()
    leg = evaluation.legs.get()
    assert leg.conversion is not None and leg.quantization is not None
    assert (leg.conversion.failure, leg.conversion.artifact.framework_by) == ("", "front-end")
    assert leg.quantization.summary["output_cosine"] > 0.99
    assert "Whether the toolkit read the file right is not known" in leg.sentence
