"""From the upload through the real inspection, in its child process, to the findings."""

import io

import pytest

from dashboard.jobs.models import State
from dashboard.lint.models import SourceGraph
from dashboard.lint.services import graphs_of
from dashboard.registry.models import ModelVersion
from dashboard.registry.services import Upload, upload_version
from tests.factories import make_model, owner_of
from tests.lint.nets import pixel_shuffle
from workers import tasks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]


@pytest.fixture
def version() -> ModelVersion:
    """An upload whose inspection has ended."""
    model = make_model()
    upload = Upload("net.onnx", io.BytesIO(pixel_shuffle().SerializeToString()))
    made, _ = upload_version(model, [upload], owner_of(model.project))
    tasks.inspect_task(made.sources.get().inspection.pk)
    return made


def test_an_inspection_keeps_the_graph(version: ModelVersion) -> None:
    assert version.sources.get().inspection.state == State.SUCCEEDED
    (graph,) = graphs_of(version.sources.all()).values()
    assert [node.op for node in graph.nodes] == ["Conv", "Reshape", "Transpose", "Reshape"]
    assert graph.nodes[2].input_shape() == (1, 4, 2, 2, 8, 8)


def test_the_report_stays_small(version: ModelVersion) -> None:
    assert "graph" not in version.sources.get().inspection.report
    assert SourceGraph.objects.get().told["nodes"]
