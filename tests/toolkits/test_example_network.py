"""The example network, from the uploads to the table that this project is about."""

import time

import pytest

from examples.build import build
from similarity.dumpfile import DumpFile
from similarity.metrics import core_scores
from tests.toolkits.networks import convert
from workers.jobfolder import JobFolder
from workers.toolkits.inspect import inspect_model, inspect_samples

ROUTES = ("direct", "traced")
BUDGET_SECONDS = 30  # It takes two to three on an idle machine; this only catches a change of kind.


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """For each route: seconds, and (op, cosine of float and quantized) of every layer."""
    place = tmp_path_factory.mktemp("example")
    build(place)
    tables = {}
    for route in ROUTES:
        with JobFolder(place / "jobs", route) as folder:
            sets = {which: samples(folder, place, which) for which in ("calibration", "evaluation")}
            name = inspect_model(folder, place / f"{route}.onnx").inputs[0].name
            recipe = {"inputs": {name: {"shape": None, "mean": [0], "std": [255]}}}
            start = time.monotonic()
            converted = convert(
                folder,
                place / f"{route}.onnx",
                sets["calibration"],
                evaluation=sets["evaluation"],
                layout="NHWC",
                **recipe,
            )
            tables[route] = (time.monotonic() - start, scores(converted))
    return tables


def samples(folder, place, which):
    facts = inspect_samples(folder, place / f"{which}.zip", f"{which}.zip")
    return facts.file.rename(folder.path / f"{which}-samples")


def scores(converted):
    with (
        DumpFile.open(converted.dumps["framework"]) as floats,
        DumpFile.open(converted.dumps["quantized"]) as steps,
    ):
        return [
            (one.op, core_scores(floats.values(one.key), steps.values(one.key)).cosine)
            for one in floats.layers
        ]


def convolutions(table):
    return [cosine for op, cosine in table[1] if op == "Conv"]


@pytest.mark.parametrize("route", ROUTES)
def test_the_first_convolution_is_nearly_exact(tables, route):
    assert convolutions(tables[route])[0] > 0.999


@pytest.mark.parametrize("route", ROUTES)
def test_the_last_convolution_has_sunk_as_in_the_forum(tables, route):
    assert 0.95 < convolutions(tables[route])[-1] < 0.98


@pytest.mark.parametrize("route", ROUTES)
def test_the_addition_hides_it_again(tables, route):
    assert tables[route][1][-1][0] == "Add" and tables[route][1][-1][1] > 0.999


def test_quantization_does_not_tell_the_routes_apart(tables):
    assert convolutions(tables["direct"]) == pytest.approx(convolutions(tables["traced"]), abs=1e-9)


@pytest.mark.parametrize("route", ROUTES)
def test_a_conversion_takes_seconds(tables, route):
    assert tables[route][0] < BUDGET_SECONDS
