"""Tables of layer times in all their forms."""
# ruff: noqa: E501 - lines of a table are as long as the vendor makes them

from collections.abc import Callable

import pytest

from boardagent.npu import perftable
from boardagent.npu.layernames import keys_of
from tests.boardagent.npuchild import NpuRun

Make = Callable[..., NpuRun]
HEAD = "\nLayer id:\tName:\tOperation id:\tOperator:\tTarget:\tUid:\tTime(us):\t\n"
RKNPU2 = """
---------------------------------------------
ID   OpType           DataType Target InputShape               OutputShape            {cycles}Time(us)     {rest}RW(KB)       FullName
---------------------------------------------
106  OutputOperator   INT8     CPU    (1,3,60,60)              \\                      {zero}23           {cells}112          OutputOperator:onnx::ReduceSum_370
107  ConvClip         FLOAT16  NPU    (1,3,60,60),(1,3,1,1),(1) (1,1,60,60)            {some}102          {more}112          Conv:/model.22/a b
Total Operator Elapsed Per Frame Time(us): 128441
"""
NEW = RKNPU2.format(
    cycles="Cycles(DDR/NPU/Total)    ", rest="MacUsage(%)          WorkLoad(0/1/2)      ",
    zero="0/0/0    ", cells="\\      0.0%/0.0%/0.0%     ", some="9748/14400/14400    ", more="0.01/0.00/0.00     100.0%/0.0%/0.0%     ",
)  # fmt: skip
OLD = RKNPU2.format(
    cycles="DDR Cycles     NPU Cycles     Total Cycles   ", rest="MacUsage(%)    WorkLoad(0/1/2)-ImproveTherical    Task Number    Lut Number    ",
    zero="0   0   0   ", cells="\\    0.0%/0.0%/0.0% - Up:0.0%    0    0    ", some="9   14   15   ", more="2.47     100.0%/0.0%/0.0% - Up:0.0%    3    0    ",
)  # fmt: skip


def row(line: str) -> dict[str, object]:
    (found,) = perftable.parse_1(HEAD + line + "\n")
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  2  Conv_Conv_1_2  0  CONVOLUTION  NN  1                 920", ("Conv_Conv_1_2", "CONVOLUTION", "NN", 1, 920)),
        ("  2  Conv_1  0  CONVOLUTION  NN                 920", ("Conv_1", "CONVOLUTION", "NN", None, 920)),
        ("  2  Conv_1  0  CONVOLUTION  SH  -1                 920", ("Conv_1", "CONVOLUTION", "SH", None, 920)),
        ("  -1  a b  c 3  0  SOFTMAX  SW  12                 7", ("a b  c 3", "SOFTMAX", "SW", 12, 7)),
        ("  4  7  1  RESHUFFLE  TP  0                 1", ("7", "RESHUFFLE", "TP", 0, 1)),
        ("  4    1  RESIZE  SC  3                 1", ("", "RESIZE", "SC", 3, 1)),
    ],
)  # fmt: skip
def test_a_row_is_read_from_the_right(line: str, expected: tuple[object, ...]) -> None:
    found = row(line)
    assert tuple(found[field] for field in ("name", "op", "target", "uid", "time_us")) == expected


def test_lines_that_are_no_rows_are_passed_over() -> None:
    assert perftable.parse_1(HEAD + "garbage\n\xff 1 2 3\n") == []


def test_a_very_long_line_is_passed_over() -> None:
    assert perftable.parse_1("  1  " + "x " * 100_000 + "0  CONVOLUTION  NN  1  5\n") == []


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["Conv_1_2", "Relu_7"], ["Conv_1", "Relu"]),
        (["Conv_1_2", "Conv_1_2"], ["Conv_1#1", "Conv_1"]),
        (["Conv_1", "Conv_2"], ["Conv_1", "Conv_2"]),
        (["a_1", "a_1", "a_1"], ["a#1", "a#2", "a"]),
        (["a#1", "a_5", "a_5"], ["a#1", "a#2", "a"]),
        (["", "_1"], ["layer", "_1"]),
    ],
)
def test_every_row_has_a_key_of_its_own(names: list[str], keys: list[str]) -> None:
    assert keys_of(names) == keys


@pytest.mark.parametrize("table", [NEW, OLD], ids=["new", "old"])
def test_a_table_of_rknpu2_is_read_by_its_heading(table: str) -> None:
    found = [
        (row["name"], row["op"], row["target"], row["uid"], row["time_us"])
        for row in perftable.parse_2(table)
    ]
    assert found == [
        ("onnx::ReduceSum_370", "OutputOperator", "CPU", 106, 23),
        ("/model.22/a b", "ConvClip", "NPU", 107, 102),
    ]


def test_names_of_rknpu2_keep_their_numbers() -> None:
    assert perftable.parse_2(NEW)[0]["key"] == "onnx::ReduceSum_370"


def test_the_stand_ins_table_names_unit_and_operator_of_each_operation(rknn1: Make) -> None:
    layers = rknn1().do("timed").report["layers"]
    found = [(layer["key"], layer["op"], layer["target"], layer["uid"]) for layer in layers]
    assert found == [
        ("Conv_conv1_1#1", "RESHUFFLE", "TP", 1),
        ("Conv_conv1_1", "CONVOLUTION", "NN", 1),
        ("dw blur", "DEPTH_WISE_CONV", "NN", 2),
        ("pool", "POOLING", "SH", 3),
    ]


@pytest.mark.parametrize(
    ("variant", "rows"), [("nouid", 4), ("minus", 4), ("null", 0), ("empty", 0), ("garbage", 0)]
)
def test_every_variant_of_the_table_is_a_result(rknn1: Make, variant: str, rows: int) -> None:
    report = rknn1(f"perf {variant}").do("timed").report
    assert (len(report["layers"]), "reason" in report, report["total_us"] > 0) == (rows, rows == 0, True)


def test_rknpu2s_own_table_is_read(rknn2: Make) -> None:
    layers = rknn2().do("timed").report["layers"]
    assert [(layer["key"], layer["target"]) for layer in layers] == [
        ("image", "CPU"), ("Conv_conv1_1_2", "NPU"), ("dw blur_3", "NPU"), ("pool_4", "CPU"),
    ]  # fmt: skip
