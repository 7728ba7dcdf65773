"""From a verdict to a better recipe: the layers that quantization spoils are given more bits on their page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from dashboard.evaluations.models import Evaluation, Leg
from tests.factories import make_project, owner_of
from tests.flow.test_upload_to_verdict import evaluate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]


def _output(leg: Leg) -> float:
    cosine: float = leg.quantization.summary["output_cosine"]
    return cosine


def test_a_layer_kept_in_float_brings_the_output_nearer(
    example: Path, run_queue: Callable[[], int], client: Client
) -> None:
    project = make_project()
    first = evaluate(project, example)
    run_queue()
    client.force_login(owner_of(project))
    leg = first.legs.get(source__route="direct")

    # on its page, every layer in float that is a candidate
    page = client.get(f"/legs/{leg.pk}/data-types/")
    weak = {row.field: "float" for row in page.context["form"].rows if row.is_weak}
    client.post(f"/legs/{leg.pk}/data-types/", {**weak, "key": "page-1"})
    second = Evaluation.objects.exclude(pk=first.pk).get()
    run_queue()

    better = second.legs.get(source__route="direct")
    assert len(second.recipe.settings["hybrid"]) == len(weak) > 0
    assert _output(better) > _output(leg)
    named = [layer for layer in better.conversion.artifact.quantized.layers if layer["scale"] is None]
    assert {layer["name"] for layer in named} >= set(second.recipe.settings["hybrid"])
