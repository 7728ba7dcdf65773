"""The forum's network through the vendor's real toolkit: all four routes become the same transposed convolution."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.test import Client

from dashboard import files
from dashboard.boards.models import Run
from dashboard.evaluations.models import Evaluation, Leg
from tests.factories import make_board, make_run, owner_of
from tests.flow.test_torchscript import PYTHON, RECIPE, evaluate, last_score, legs_of
from workers.toolkits import rknn2

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.integration,
    pytest.mark.skipif(not rknn2.here(), reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)"),
    pytest.mark.skipif(PYTHON is None, reason="PyTorch is not installed (make toolkit-torch)"),
]
VENDOR = replace(RECIPE, toolkit="rknn2", platform="rv1126b", dtype="w8a8")


def facts_of(leg: Leg) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(
        files.existing(leg.conversion.artifact.build_facts_sha256).read_text()
    )
    return found


def page_of(evaluation: Evaluation) -> str:
    client = Client()
    client.force_login(owner_of(evaluation.project))
    return client.get(f"/evaluations/{evaluation.pk}/").content.decode()


def compare_page_of(first: Run, second: Run) -> str:
    client = Client()
    client.force_login(owner_of(first.project))
    return client.get(f"/compare/?a={first.pk}&b={second.pk}").content.decode()


def test_all_four_routes_come_out_alike(example: Path, traces: Path, run_queue: Callable[[], int]) -> None:
    routes = {
        "onnx": example / "direct.onnx",
        "onnx-6d": example / "traced.onnx",
        "pt": traces / "direct.pt",
        "pt-6d": traces / "traced.pt",
    }
    evaluation = evaluate(example, routes, VENDOR)
    run_queue()
    legs = legs_of(evaluation)

    # the conversion is faithful by every route, and without a board nobody can tell more
    assert {route: leg.conversion.failure for route, leg in legs.items()} == dict.fromkeys(routes, "")
    for words in ("The conversion is faithful", "the project has none of the platform rv1126b"):
        assert all(words in leg.sentence for leg in legs.values())

    # the source's own float network is the first rung of each, and every layer is found again after quantization
    artifacts = {route: leg.conversion.artifact for route, leg in legs.items()}
    assert [artifacts[route].framework_by for route in routes] == ["source", "source", "torch", "torch"]
    assert {leg.quantization.scores.count() for leg in legs.values()} <= {15, 16, 17}
    outputs = [last_score(leg, "quantization") for leg in legs.values()]
    assert len({round(score.cosine, 9) for score in outputs}) == 1

    # the finding: other rules for other forms, and the same compiled operators in the end
    rules = {route: {str(row["rule"]) for row in facts_of(leg)["rewrites"]} for route, leg in legs.items()}
    assert "convert_depth2space_to_deconv2d" in rules["onnx"]
    assert all("replace_transpose_by_deconv" in rules[route] for route in ("onnx-6d", "pt", "pt-6d"))
    assert len({artifact.compiled["graph"] for artifact in artifacts.values()}) == 1

    # and the page of the routes says so
    page = page_of(evaluation)
    for words in (
        "compiled all routes to the same operators",
        "replace_transpose_by_deconv",
        "ConvTranspose",
    ):
        assert words in page

    # so does the page that compares two runs, whatever both boards showed
    board = make_board(evaluation.project)
    runs = {route: make_run(artifact, board) for route, artifact in artifacts.items()}
    for route in ("onnx-6d", "pt", "pt-6d"):
        page = compare_page_of(runs["onnx"], runs[route])
        assert "compiled both sources to the same operators" in page
        assert "ConvTranspose&nbsp;1" in page and "replace_transpose_by_deconv" in page
