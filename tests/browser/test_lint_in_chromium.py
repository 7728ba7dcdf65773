"""Lint beside the form that asks for an evaluation: its sums are of what the form is set to."""

import pytest
from onnx import shape_inference

from dashboard.lint.services import keep_graph
from tests.browser.conftest import Window
from tests.lint.nets import pixel_shuffle
from tests.pages.conftest import World
from workers.toolkits.onnxjob.description import described_graph

pytestmark = [pytest.mark.browser]


def test_the_sums_are_fetched_for_what_the_form_is_set_to(signed_in: Window, world: World) -> None:
    for source in world.evaluation.version.sources.all():
        keep_graph(source, described_graph(shape_inference.infer_shapes(pixel_shuffle())))
    signed_in.open(f"/versions/{world.evaluation.version_id}/evaluations/new/")
    signed_in.page.wait_for_selector("text=for reference rv1126 u8")
    assert signed_in.page.locator("form a[href*='/lint/?toolkit=reference']").count() == 2
