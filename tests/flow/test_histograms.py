"""Histograms from the recipe to the page: the real steps, with the stand-in for the vendor's package of 1.x."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from dashboard.conversions.models import Artifact
from dashboard.conversions.offers import queue_of
from dashboard.conversions.recipe import RecipeSettings
from dashboard.evaluations.models import Evaluation
from dashboard.evaluations.services import Wanted, request_evaluation
from dashboard.jobs.services import beat
from dashboard.projects.models import Project
from dashboard.registry.models import Purpose
from dashboard.registry.services import Upload, register_model, upload_input_set, upload_version
from tests.factories import make_project, owner_of
from tests.toolkits.networks import conv_relu_net
from tests.toolkits.oldpythons import PYTHONS, make_environment
from workers import offering, presence

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]
PYTHON = PYTHONS.get("3.6") or PYTHONS["this"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of 1.x, of the oldest interpreter here."""
    return make_environment(tmp_path_factory.mktemp("rknn1"), PYTHON)


@pytest.fixture
def project(settings: Settings, python: Path, worker: None) -> Project:
    """A project, and a worker that has the environment."""
    settings.RKNN1_PLACES = [python]
    queues = [queue_of("rknn1")]
    beat(presence.name(), "worker", queues, offering.told(queues), is_first=True)
    return make_project()


def evaluate(project: Project, tmp_path: Path, *, histograms: bool) -> Evaluation:
    user = owner_of(project)
    model, samples = tmp_path / "net.onnx", tmp_path / "x.npy"
    model.write_bytes(conv_relu_net().SerializeToString())
    np.save(samples, np.random.default_rng(1).normal(0, 1, (1, 3, 8, 8)).astype(np.float32))
    sets = []
    for purpose in (Purpose.CALIBRATION, Purpose.EVALUATION):
        with samples.open("rb") as stream:
            sets.append(upload_input_set(project, "", Upload("x.npy", stream), purpose, user)[0])
    with model.open("rb") as stream:
        version, _ = upload_version(
            register_model(project, "net", user), [Upload("net.onnx", stream, "main")], user
        )
    recipe = RecipeSettings(toolkit="rknn1", platform="rv1126", histograms=histograms)
    return request_evaluation(version, Wanted(recipe, *sets), user)[0]


def artifact_of(evaluation: Evaluation) -> Artifact:
    conversion = evaluation.legs.get().conversion
    assert conversion is not None and not conversion.failure, conversion
    artifact: Artifact = conversion.artifact
    return artifact


def test_what_the_toolkit_drew_is_on_the_page(
    project: Project, tmp_path: Path, run_queue: Callable[[], int], client: Client
) -> None:
    evaluation = evaluate(project, tmp_path, histograms=True)
    run_queue()
    artifact = artifact_of(evaluation)

    # each picture belongs to a layer of the quantized dump
    rows = list(artifact.histograms.all())
    assert [row.position for row in rows] == list(range(9))
    assert {row.layer_key for row in rows} == {layer["key"] for layer in artifact.quantized.layers}

    # and is shown to a member
    client.force_login(owner_of(project))
    page = client.get(f"/artifacts/{artifact.pk}/histograms/").content.decode()
    address = f"/artifacts/{artifact.pk}/histograms/{rows[0].sha256}.png"
    assert f'src="{address}"' in page
    assert client.get(address).getvalue().startswith(b"\x89PNG")


def test_without_asking_there_are_none(
    project: Project, tmp_path: Path, run_queue: Callable[[], int]
) -> None:
    evaluation = evaluate(project, tmp_path, histograms=False)
    run_queue()
    assert artifact_of(evaluation).histograms.count() == 0
