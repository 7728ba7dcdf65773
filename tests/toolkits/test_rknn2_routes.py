"""The forum's network through the real RKNN-Toolkit2 by all routes: what it printed, its tables and dumps agree.

Four routes ({ONNX, .pt} x {DepthToSpace, 6-D}), two platforms, 8 and 16 bits, and single layers in 16 bits.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dashboard.conversions.compiled import summary
from dashboard.imports.shown import Figure
from similarity.dumpfile import DumpFile
from similarity.metrics import core_scores
from tests.toolkits.networks import ignore, never
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits import rknn2, torchscript
from workers.toolkits.inspect import inspect_samples
from workers.toolkits.jobs import FEW_THREADS, ROOT

TOOLKIT, TORCH = next(iter(rknn2.here()), None), torchscript.here()
pytestmark = [
    pytest.mark.skipif(TOOLKIT is None, reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)"),
    pytest.mark.skipif(TORCH is None, reason="PyTorch is not installed (make toolkit-torch)"),
]
ROUTES = {"onnx": "direct.onnx", "onnx-6d": "traced.onnx", "pt": "direct.pt", "pt-6d": "traced.pt"}
HYBRID = "w8a8, one convolution int16"
KINDS = [
    ("rv1126b", "w8a8"),
    ("rv1126b", "w16a16i_dfp"),
    ("rv1126b", HYBRID),
    ("rk3588", "w8a8"),
    ("rk3588", HYBRID),
]
INPUT = {"name": "inputs", "shape": [1, 3, 120, 90], "dtype": "float32"}


class Conversions:
    """Conversions of all routes, made once; both cores of a small machine have one at a time."""

    def __init__(self, place):
        self.place, self._made = place, {}
        for python, module in ((sys.executable, "examples.build"), (TORCH, "examples.torchscript")):
            command = [str(python), "-W", "ignore", "-m", module, str(place)]
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        with JobFolder(place, "samples") as folder:
            for which in ("calibration", "evaluation"):
                made = inspect_samples(folder, place / f"{which}.zip", f"{which}.zip").file
                made.rename(place / f"{which}.safetensors")

    def of(self, platform, dtype):
        """What came of every route, by its name."""
        if (platform, dtype) not in self._made:
            recipes = {route: self._recipe(route, platform, dtype) for route in ROUTES}
            with ThreadPoolExecutor(2) as pool:
                made = pool.map(lambda route: self.convert(route, recipes[route]), ROUTES)
                self._made[platform, dtype] = dict(zip(ROUTES, made, strict=True))
        return self._made[platform, dtype]

    def convert(self, route, recipe):
        """One conversion; its files stay until the tests of this module have ended. Raises JobError."""
        folder = JobFolder(self.place / "kept", f"{route}-{recipe['platform']}").__enter__()
        source, file = f"source{self.place.joinpath(ROUTES[route]).suffix}", self.place / ROUTES[route]
        folder.add(source, file)
        for which in ("calibration", "evaluation"):
            folder.add(f"{which}.safetensors", self.place / f"{which}.safetensors")
        folder.write_job(
            {
                "kind": "convert",
                "source": source,
                "format": "onnx" if file.suffix == ".onnx" else "torchscript",
                "inputs": [INPUT],
                "calibration": "calibration.safetensors",
                "evaluation": "evaluation.safetensors",
                "sample": 0,
                "layout": {"calibration": "NHWC", "evaluation": "NHWC"},
                "recipe": recipe,
            }
        )
        return TOOLKIT.convert(folder, ignore, never)

    def _recipe(self, route, platform, dtype):
        hybrid = {}
        if dtype == HYBRID:
            # every route calls its tensors otherwise, so the layer is the third convolution
            dtype, layers = "w8a8", layers_of(self.of(platform, "w8a8")[route])
            hybrid = {"hybrid": {[layer.name for layer in layers if layer.op == "Conv"][2]: "int16"}}
        inputs = {"inputs": {"shape": None, "mean": [0], "std": [255]}}
        chosen = {"toolkit": "rknn2", "platform": platform, "dtype": dtype, "algorithm": "normal"}
        return {**chosen, "optimization_level": 3, "inputs": inputs, **hybrid}


@pytest.fixture(scope="module")
def conversions(tmp_path_factory):
    return Conversions(tmp_path_factory.mktemp("routes"))


@pytest.fixture(scope="module", params=KINDS, ids=", ".join)
def made(request, conversions):
    """All routes by one platform and data type."""
    return conversions.of(*request.param)


def layers_of(converted):
    with DumpFile.open(converted.dumps["quantized"]) as dump:
        return dump.layers


def facts_of(converted):
    return json.loads(converted.build_facts.read_text())


def printed_of(converted):
    """The toolkit's own text of each layer's cosine and distance in the whole quantized chain."""
    rows = [row for row in facts_of(converted)["accuracy"] if row["entire"]]
    return {row["name"]: [row["printed"]["entire"][word] for word in ("cos", "euc")] for row in rows}


def by_its_formula(converted):
    dumps = [str(converted.dumps[rung]) for rung in ("converted", "quantized")]
    command = [str(TOOLKIT.python), "-m", "tests.toolkits.vendor_formula", *dumps]
    told = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=FEW_THREADS)
    return json.loads(told.stdout)


def figures_of(converted):
    """Every printed number beside ours of the same tensors, as pages mark them."""
    printed = printed_of(converted)
    with (
        DumpFile.open(converted.dumps["converted"]) as floats,
        DumpFile.open(converted.dumps["quantized"]) as steps,
    ):
        for layer in floats.layers:
            scores = core_scores(floats.tensor(layer.key), steps.tensor(layer.key))
            for metric, text in zip(("cosine", "euclidean"), printed[layer.name], strict=True):
                yield Figure(metric, text, getattr(scores, metric))


def test_every_figure_is_what_the_toolkit_printed_to_its_last_digit(made):
    """By the toolkit's own formula, in float32, of the dumps that we stored."""
    for route in ROUTES:
        assert by_its_formula(made[route]) == printed_of(made[route])


def test_no_score_of_ours_differs_by_more_than_the_toolkits_float32_loses(made):
    figures = [figure for route in ROUTES for figure in figures_of(made[route])]
    assert [figure for figure in figures if not (figure.agrees or figure.is_near)] == []


def test_all_routes_have_the_same_table(made):
    assert len({json.dumps(list(printed_of(made[route]).values())) for route in ROUTES}) == 1


def test_all_routes_become_the_same_transposed_convolution(made):
    found = [summary(facts_of(made[route])) for route in ROUTES]
    assert [one["operators"]["ConvTranspose"] for one in found] == [1] * len(ROUTES)
    assert len({one["graph"] for one in found}) == 1


def test_each_form_is_rewritten_by_its_own_rule(made):
    """The front end of a .pt writes the six-dimensional form for both."""
    rules = {route: summary(facts_of(made[route]))["rules"] for route in ROUTES}
    assert "convert_depth2space_to_deconv2d" in rules["onnx"]
    assert all("replace_transpose_by_deconv" in rules[route] for route in ("onnx-6d", "pt", "pt-6d"))


def test_the_simulated_picture_is_the_same_bit_for_bit_by_every_route(made):
    pictures = []
    for route in ROUTES:
        with DumpFile.open(made[route].dumps["quantized"]) as dump:
            pictures.append(dump.values(dump.layers[-1].key).tobytes())
    assert len(set(pictures)) == 1


def test_the_dump_lies_on_the_grid_of_the_calibration_table(made):
    """A convolution in front of a PReLU is one operation with it: its own values are never rounded."""
    for route in ROUTES:
        table = json.loads(made[route].calibration_table.read_text())
        with DumpFile.open(made[route].dumps["quantized"]) as dump:
            fused = {key for layer in dump.layers if layer.op == "PRelu" for key in layer.inputs}
            for layer in (one for one in dump.layers if one.scale and one.key not in fused):
                step, zero = table[layer.name]["scale"], table[layer.name]["zero_point"]
                numbers = dump.values(layer.key).astype(np.float64) / step + zero
                assert np.abs(numbers - numbers.round()).max() < 0.01, layer.name
                assert layer.qmin <= numbers.round().min() and numbers.round().max() <= layer.qmax


@pytest.mark.parametrize("platform", ["rv1126b", "rk3588"])
def test_a_layer_in_sixteen_bits_is_the_only_one_that_changes_its_type(conversions, platform):
    for route in ROUTES:
        plain, hybrid = (layers_of(conversions.of(platform, dtype)[route]) for dtype in ("w8a8", HYBRID))
        named = [layer.name for layer in plain if layer.op == "Conv"][2]
        scales = {layer.name: layer.scale for layer in hybrid}
        assert [layer.name for layer in plain if layer.scale and scales[layer.name] is None] == [named]


def test_sixteen_bits_are_nearer_to_the_float_network(conversions):
    def lowest(dtype):
        return min(float(cos) for cos, _ in printed_of(conversions.of("rv1126b", dtype)["onnx"]).values())

    assert lowest("w8a8") < 0.99 < lowest("w16a16i_dfp")


@pytest.mark.parametrize("route", ROUTES)
def test_the_compiler_of_rk3588_aborts_on_sixteen_bits_and_is_told_so(conversions, route):
    """Seen with 2.5.0: it has no PReLU of 16 bits there, and ends the process."""
    with pytest.raises(JobError) as caught:
        conversions.convert(route, conversions._recipe(route, "rk3588", "w16a16i_dfp"))
    assert (caught.value.code, "unsupported tensor dtype" in caught.value.detail) == (
        "toolkit:crashed",
        True,
    )
