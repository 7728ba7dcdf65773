"""Output folders of accuracy_analysis become dumps and scores; from .npy, ours agree with the printed ones."""

from pathlib import Path

import numpy as np
import pytest

from dashboard.imports.found import Found
from dashboard.imports.shown import Figure
from similarity.dumpfile import DumpFile, LayerInfo
from similarity.metrics import core_scores
from tests.imports import vendor
from tests.imports.conftest import Read

CFG = """\
custom_quantize_layers: {}    # 0.99
quantize_parameters:
    /body.0/Conv_output_0:
        qtype: asym
        dtype: int8
        scale:
        -   0.25
        zero_point:
        -   -3
"""
RUNG_OF = {"entire": "quantized", "single": "quantized-isolated", "npu": "board-isolated"}


def dump_of(found: Found, rung: str) -> Path:
    """The dump file of this rung."""
    files = {}
    for one in found.dumps:
        with DumpFile.open(one.file) as dump:
            files[dump.rung] = one.file
    return files[rung]


def layers(found: Found, rung: str) -> dict[str, LayerInfo]:
    with DumpFile.open(dump_of(found, rung)) as dump:
        return {layer.key: layer for layer in dump.layers}


def differing(found: Found, scope: str) -> list[tuple[str, str, str]]:
    """Layer, metric and our text of every number of a scope that is not what the vendor printed."""
    odd = []
    with (
        DumpFile.open(dump_of(found, "converted")) as exact,
        DumpFile.open(dump_of(found, RUNG_OF[scope])) as other,
    ):
        for row in [score for score in found.scores if score.scope == scope and score.printed]:
            ours = core_scores(exact.tensor(row.key), other.tensor(row.key))
            for metric, text in row.printed.items():
                figure = Figure(metric, text, getattr(ours, metric))
                if not figure.agrees and not (row.name == vendor.LOUD and figure.is_near):
                    odd.append((row.name, metric, figure.ours))
    return odd


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, read_here: Read) -> Found:
    folder = vendor.folder_1(tmp_path_factory.mktemp("one") / "snapshot", with_npu=True)
    return read_here(vendor.zipped(folder))


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, read_here: Read) -> Found:
    return read_here(vendor.tarred(vendor.folder_2(tmp_path_factory.mktemp("two") / "snapshot")))


def test_the_four_folders_of_toolkit_1_are_four_rungs(first: Found) -> None:
    assert [one.origin for one in first.dumps] == ["fp32/", "entire_qnt/", "individual_qnt/", "qnt_npu_dump/"]


@pytest.mark.parametrize("scope", ["entire", "single", "npu"])
def test_our_scores_of_toolkit_1_agree_to_the_last_digit(first: Found, scope: str) -> None:
    assert differing(first, scope) == []


def test_each_table_of_toolkit_1_is_a_scope(first: Found) -> None:
    counts = {scope: sum(score.scope == scope for score in first.scores) for scope in RUNG_OF}
    assert counts == {"entire": 5, "single": 4, "npu": 4}


def test_layers_of_toolkit_1_stand_in_the_order_of_execution_without_their_ids(first: Found) -> None:
    assert list(layers(first, "converted")) == [
        "inputs", "Conv__body.0_Conv", "PRelu__body.1_PRelu", "DepthToSpace__upsampler_DepthToSpace",
        "pixel_shuffle_to_permute_1_at_120_13",
    ]  # fmt: skip


def test_a_name_of_toolkit_1_tells_operator_shape_and_layout(first: Found) -> None:
    layer = layers(first, "quantized")["Conv__body.0_Conv"]
    assert (layer.name, layer.op, layer.shape, layer.layout) == (
        "Conv__body.0_Conv_14", "Conv", (1, 12, 9, 8), "NHWC",
    )  # fmt: skip


def test_six_dimensions_are_kept_without_a_layout(first: Found) -> None:
    layer = layers(first, "quantized")["pixel_shuffle_to_permute_1_at_120_13"]
    assert (layer.op, layer.shape, layer.layout) == ("pixel_shuffle_to_permute_1", (1, 3, 2, 2, 12, 9), "")


def test_text_dumps_of_toolkit_1_hold_the_same_numbers_to_six_decimals(
    first: Found, tmp_path: Path, read_here: Read
) -> None:
    found = read_here(vendor.tarred(vendor.folder_1(tmp_path / "snapshot", kind="tensor")))
    with (
        DumpFile.open(dump_of(found, "quantized")) as text,
        DumpFile.open(dump_of(first, "quantized")) as array,
    ):
        far = max(
            float(np.abs(text.values(key) - array.values(key)).max()) for key in layers(first, "quantized")
        )
    assert far < 1e-6


def test_a_table_before_1_7_3_has_no_types_and_both_distances(tmp_path: Path, read_here: Read) -> None:
    found = read_here(vendor.zipped(vendor.folder_1(tmp_path / "snapshot", with_dtype=False)))
    assert (sorted(found.scores[1].printed), found.scores[1].dtype, differing(found, "entire")) == (
        ["cosine", "euclidean", "euclidean_norm"], "", [],
    )  # fmt: skip


def test_golden_and_simulator_are_converted_and_quantized(second: Found) -> None:
    assert [one.origin for one in second.dumps] == ["golden/", "simulator/"]
    assert list(layers(second, "converted")) == list(layers(second, "quantized"))


def test_our_scores_of_toolkit2_agree_to_the_last_digit(second: Found) -> None:
    assert differing(second, "entire") == []


def test_columns_that_ran_together_are_told_apart(second: Found) -> None:
    loud = [score for score in second.scores if score.name == vendor.LOUD]
    assert [len(score.printed) for score in loud] == [2, 2] and float(loud[0].printed["euclidean"]) > 1000


def test_a_fused_layer_has_its_tensors_but_no_numbers(second: Found) -> None:
    (row, *_) = [score for score in second.scores if score.name == vendor.FUSED]
    assert (row.printed, row.key in layers(second, "quantized")) == ({}, True)


def test_a_name_with_blanks_finds_its_file_by_the_map(second: Found) -> None:
    assert layers(second, "converted")["name with blanks"].op == "PRelu"


def test_layers_of_toolkit2_have_the_keys_of_our_own_conversions(second: Found) -> None:
    assert "/body.0/Conv" in layers(second, "converted")


def test_without_a_map_and_without_arrays_texts_are_found_by_their_names(
    second: Found, tmp_path: Path, read_here: Read
) -> None:
    folder = vendor.folder_2(tmp_path / "snapshot", with_arrays=False, with_map=False)
    found = read_here(vendor.zipped(folder))
    with (
        DumpFile.open(dump_of(found, "converted")) as text,
        DumpFile.open(dump_of(second, "converted")) as array,
    ):
        one, other = text.values("name with blanks"), array.values("name with blanks").reshape(-1)
    assert float(np.abs(one - other).max()) < 1e-6


def test_scales_beside_the_folder_belong_to_the_quantized_layers(tmp_path: Path, read_here: Read) -> None:
    folder = vendor.folder_2(tmp_path / "snapshot")
    (folder / "model.quantization.cfg").write_text(CFG)
    found = read_here(vendor.zipped(folder))
    quantized, exact = (layers(found, rung)["/body.0/Conv"] for rung in ("quantized", "converted"))
    assert (quantized.scale, quantized.zero_point, quantized.qmin, exact.scale) == (0.25, -3, -128.0, None)


def test_files_that_mean_nothing_are_named(tmp_path: Path, read_here: Read) -> None:
    folder = vendor.folder_2(tmp_path / "snapshot")
    (folder / "notes.md").write_text("it was a Tuesday")
    assert read_here(vendor.zipped(folder)).ignored == {"count": 1, "names": ["snapshot/notes.md"]}
