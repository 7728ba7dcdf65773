# ruff: noqa: E501 - lines of a table are as long as the vendor makes them
"""Texts alone: accuracy tables, times of layers, build logs, quantization; and the real files, where they are."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.imports import vendor
from tests.imports.conftest import Look
from workers.toolkits.imported.quantization import NoParameters, read_quantization
from workers.toolkits.imported.recognise import Recognised
from workers.toolkits.imported.texts import Table
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.vendor.perf_table import NoTimes, read_perf_table

# a folder of real files of the vendor's tools, which nobody may commit; without it their formats are all that is tested
SAMPLES = Path(os.environ.get("LAYERWISE_VENDOR_SAMPLES", "/nowhere"))
RULER = "=" * 72
EVAL_PERF = f"""\
{RULER}
                               Performance
This is only for debugging and may be worse than reality.
{RULER}
Layer ID    Name                                         Operator          Uid     Time(us)
0           images_mark_perm_60_0                        TENSOR_TRANS      60      361
2           FeatureExtractor/MobilenetV2/Conv/Relu6_1_2  CONVOLUTION       1       920
9           FeatureExtractor/MobilenetV2/expanded_conv_1 RESHUFFLE         4       896
            4/depthwise/Relu6_3                          CONVOLUTION
41          Softmax2Layer_1                              SOFTMAX                   12
Total Time(us): 2189
FPS: 456.83
{RULER}
Operator time-consuming statistics
OP                 Call Number    Total Time(us)    Time Ratio(%)
CONVOLUTION        2              1816              82.96
{RULER}
"""
SIMULATOR = f"""\
{RULER}
Layer ID    Name                                         Time(us)
0           tensor.transpose_3                           125
44          convolution.relu.pooling.layer2_2            325
Total Time(us): 450
FPS(600MHz): 1668.8
FPS(800MHz): 2222.2
"""
AVERAGE = f"{RULER}\nAverage inference Time(us): 3290.5\nFPS: 303.9\n{RULER}\n"
DETAIL = """
Layer id:\tName:\tOperation id:\tOperator:\tTarget:\tUid:\tTime(us):\t
  2  Conv_Conv_1_2  0  RESHUFFLE  TP  1                  40
  2  Conv_Conv_1_2  1  CONVOLUTION  NN  1                 920
  7  soft max  0  SOFTMAX  SW  -1                   7
"""
RUNTIME_2 = """\
                        Network Layer Information Table
ID   OpType           DataType Target InputShape    OutputShape   Cycles(DDR/NPU/Total)    Time(us)     RW(KB)       FullName
106  OutputOperator   INT8     CPU    (1,3,60,60)   \\             0/0/0                    23           112          OutputOperator:y
107  ConvClip         FLOAT16  NPU    (1,3,60,60)   (1,1,60,60)   9748/14400/14400         102          112          Conv:/model.22/a b
Total Operator Elapsed Per Frame Time(us): 125
"""
BUILD = """\
D     remove_invalid_reshape: remove node = ['a', 'b'], add node = ['c']
D RKNN: [12:00:00.000]         Network Layer Information Table
D RKNN: [12:00:00.000] -----------------------------
D RKNN: [12:00:00.000] ID   OpType  DataType Target InputShape  OutputShape Cycles(DDR/NPU/Total) RW(KB) FullName
D RKNN: [12:00:00.000] -----------------------------
D RKNN: [12:00:00.000] 0    Conv    INT8     NPU    (1,3),(3)   (1,4)       10/432/432            31     Conv:first
D RKNN: [12:00:00.000] -----------------------------
Total Weight Memory Size: 203.562KB
"""
QUANT_PARAM = """\
model_name: mobilenet
quant_params:
    'conv_1:out0':
        op: VSI_NN_OP_CONV2D
        qtype: asymmetric_affine
        dtype: u8
        scale: 0.0235
        zero_point: 128
    'conv_2:out0':
        op: VSI_NN_OP_CONV2D
        qtype: dynamic_fixed_point
        dtype: i16
        fl: 12
"""
HYBRID_1 = """\
customized_quantize_layers: {}
quantize_parameters:
    '@conv_1_5:out0':
        dtype: asymmetric_affine
        method: layer
        max_value:
        -   3.5
        min_value:
        -   -2.5
        zero_point:
        -   106
        scale:
        -   0.0235
        qtype: u8
"""


def rows(text: str) -> list[tuple[Any, ...]]:
    found = read_perf_table(text)
    return [(row.name, row.op, row.target, row.uid, row.time_us) for row in found.rows]


def test_eval_perf_is_read_with_names_that_wrap_and_rows_of_two_operators() -> None:
    assert rows(EVAL_PERF) == [
        ("images_mark_perm_60_0", "TENSOR_TRANS", "", 60, 361),
        ("FeatureExtractor/MobilenetV2/Conv/Relu6_1_2", "CONVOLUTION", "", 1, 920),
        ("FeatureExtractor/MobilenetV2/expanded_conv_14/depthwise/Relu6_3", "RESHUFFLE+CONVOLUTION", "", 4, 896),
        ("Softmax2Layer_1", "SOFTMAX", "", None, 12),
    ]  # fmt: skip


def test_the_table_of_the_old_simulator_has_no_operators() -> None:
    assert rows(SIMULATOR)[1] == ("convolution.relu.pooling.layer2_2", "", "", None, 325)


@pytest.mark.parametrize(
    ("text", "total", "fps"), [(EVAL_PERF, 2189, 456.83), (SIMULATOR, 450, 1668.8), (AVERAGE, 3290.5, 303.9)]
)
def test_totals_are_what_the_table_states(text: str, total: float, fps: float) -> None:
    found = read_perf_table(text)
    assert (found.total_us, found.fps) == (total, fps)


def test_perf_detail_of_1_7_knows_the_unit_of_each_operation() -> None:
    assert rows(DETAIL)[1:] == [
        ("Conv_Conv_1_2", "CONVOLUTION", "NN", 1, 920),
        ("soft max", "SOFTMAX", "SW", None, 7),
    ]


def test_perf_detail_without_uids_is_read() -> None:
    text = "\nLayer id:\tName:\tOperation id:\tOperator:\tTarget:\tTime(us):\t\n  2  c  0  CONVOLUTION  NN     920\n"
    assert rows(text) == [("c", "CONVOLUTION", "NN", None, 920)]


def test_the_runtimes_table_of_rknpu2_is_read_with_its_total() -> None:
    found = read_perf_table(RUNTIME_2)
    assert (found.rows[1].name, found.rows[1].time_us, found.total_us) == ("/model.22/a b", 102, 125)


@pytest.mark.parametrize("text", ["", "hello", "Layer ID Name Time(us)\n", "1 2 3\n", "\0"])
def test_any_other_text_has_no_times(text: str) -> None:
    with pytest.raises(NoTimes):
        read_perf_table(text)


def test_quant_params_of_1_7_5_become_scales() -> None:
    found = [(one.name, one.dtype, one.scale, one.zero_point) for one in read_quantization(QUANT_PARAM)]
    assert found == [("conv_1:out0", "u8", 0.0235, 128), ("conv_2:out0", "i16", 2.0**-12, 0)]


def test_a_hybrid_cfg_of_1_x_keeps_its_type_elsewhere() -> None:
    (one,) = read_quantization(HYBRID_1)
    assert (one.name, one.dtype, one.method, one.scale, one.low, one.high) == (
        "conv_1_5:out0", "u8", "asymmetric_affine", 0.0235, -2.5, 3.5,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["quantize_parameters: [", "quantize_parameters: 5", "quantize_parameters: &a [*a]"]
)
def test_other_yaml_says_nothing_about_quantization(text: str) -> None:
    with pytest.raises(NoParameters):
        read_quantization(text)


def test_a_yaml_tag_makes_no_object() -> None:
    text = "quantize_parameters:\n  a: {dtype: u8, scale: !!python/object/apply:os.getcwd []}\n"
    assert read_quantization(text)[0].scale is None


def alone(look: Look, folder: Path, text: str, name: str = "table.txt") -> Recognised:
    (folder / name).write_text(text)
    return look(folder / name)


def table(found: Recognised) -> Table:
    (only,) = found.tables
    return only


def test_a_table_of_1_x_alone_gives_scores_and_no_dumps(tmp_path: Path, look: Look) -> None:
    exact, chain, _ = vendor.tensors((1, 4, 4, 2), 1)
    text = vendor.line_1("Conv__body.0_Conv_14_out0_nhwc_1_4_4_2.npy", "None", exact, chain)
    found = alone(look, tmp_path, text, "entire_qnt_error_analysis.txt")
    (row,) = found.scores
    assert (row.scope, row.name, row.op, row.dtype, row.shape, row.key, found.dumps) == (
        "entire", "Conv__body.0_Conv_14", "Conv", "None", (1, 4, 4, 2), "", [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("individual_qnt_error_analysis.txt", "single"),
        ("individual_qnt_error_analysis_on_npu.txt", "npu"),
        ("copied from a post.txt", "entire"),
    ],
)
def test_the_name_of_a_table_of_1_x_tells_its_scope(
    tmp_path: Path, look: Look, name: str, scope: str
) -> None:
    exact, chain, _ = vendor.tensors((1, 4, 4, 2), 1)
    found = alone(look, tmp_path, vendor.line_1("conv_1", "u8", exact, chain), name)
    assert [row.scope for row in found.scores] == [scope]


def test_a_table_of_toolkit2_alone_has_both_scopes(tmp_path: Path, look: Look) -> None:
    text = vendor.table_2(
        [("[Conv] c", vendor.numbers_2(*vendor.tensors((1, 2, 4, 4), 1))), ("[Conv] fused", "")]
    )
    found = alone(look, tmp_path, text)
    assert [(row.scope, row.name, bool(row.printed)) for row in found.scores] == [
        ("entire", "c", True), ("entire", "fused", False), ("single", "c", True), ("single", "fused", False),
    ]  # fmt: skip


def test_times_alone_are_a_table_of_times(tmp_path: Path, look: Look) -> None:
    found = table(alone(look, tmp_path, EVAL_PERF))
    assert (found.kind, found.label, len(found.rows), found.facts["total_us"]) == (
        "times", "rknn1 eval_perf", 4, 2189.0,
    )  # fmt: skip


def test_the_runtimes_table_is_not_taken_for_the_compilers(tmp_path: Path, look: Look) -> None:
    assert table(alone(look, tmp_path, RUNTIME_2)).kind == "times"


@pytest.mark.parametrize("cut", ["", "D RKNN: [12:00:00.000] "], ids=["as printed", "without its prefix"])
def test_the_compilers_table_is_read_with_its_rewrites(tmp_path: Path, look: Look, cut: str) -> None:
    found = table(alone(look, tmp_path, BUILD.replace(cut, "") if cut else BUILD, "build.log"))
    assert (found.kind, found.rows[0]["name"], found.rows[0]["npu_cycles"], len(found.facts["rewrites"])) == (
        "compiled", "Conv:first", 432, 1,
    )  # fmt: skip


def test_a_map_alone_is_told_to_say_nothing(tmp_path: Path, look: Look) -> None:
    with pytest.raises(Refused, match="map of layer names says nothing alone") as raised:
        alone(look, tmp_path, "layer_name  file_name\n------\nx    x.txt\n")
    assert raised.value.code == "import:unknown-format"


if SAMPLES.is_dir():
    EXPECTED = {
        "direct_entire_qnt_error_analysis.txt": (15, 0),
        "traced_entire_qnt_error_analysis.txt": (19, 0),
        "error_analysis_2.3.2.txt": (34, 0),
        "error_analysis_2.5.0.txt": (34, 0),
        "error_analysis_2.5.0_columns_run_together.txt": (10, 0),
        "build_verbose_2.5.0_rv1126b.log": (34, 12),
        "quantization.cfg": (0, 17),
    }

    @pytest.mark.parametrize("name", EXPECTED)
    def test_every_real_file_is_read_whole(name: str, look: Look) -> None:
        (path,) = SAMPLES.rglob(name)
        found = look(path)
        counted = len(found.scores), sum(len(one.rows) for one in found.tables)
        assert (counted, found.ignored) == (EXPECTED[name], [])

    def test_the_real_map_is_known_and_says_nothing_alone(look: Look) -> None:
        (path,) = SAMPLES.rglob("map_name_to_file_2.5.0.txt")
        with pytest.raises(Refused, match="map of layer names says nothing alone"):
            look(path)

    def test_real_figures_are_kept_as_they_were_printed(look: Look) -> None:
        (path,) = SAMPLES.rglob("error_analysis_2.3.2.txt")
        printed = {row.name: row.printed for row in look(path).scores if row.scope == "single"}
        assert printed["/body.1/PRelu_output_0"] == {"cosine": "0.99991", "euclidean": "5.9128"}

    def test_no_real_file_is_left_untried() -> None:
        known = {*EXPECTED, "map_name_to_file_2.5.0.txt", "README.md"}
        assert {path.name for path in SAMPLES.rglob("*") if path.is_file()} == known
