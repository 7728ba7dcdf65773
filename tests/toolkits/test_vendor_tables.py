"""The vendor's printed tables become rows, whatever the columns do."""

import pytest

from workers.toolkits.vendor.accuracy_table import NoTable, read_accuracy_table
from workers.toolkits.vendor.build_log import read_build_log

TOOLKIT2 = """\
# simulator_error: calculate the output error of each layer
layer_name                        simulator_error
                              entire              single
                           cos      euc        cos      euc
---------------------------------------------------------------
[Input] input            1.00000 | 0.00000   1.00000 | 0.00000
[Conv] /0/Conv_output_0
[Conv] a name with blanks  0.99994 | 1172.837650.99995 | 995.39069
[PRelu] 55               0.99947 | 4.31   \x1b[1;33m0.99964\x1b[0m | 3.4615
"""
TOOLKIT1 = """\
x_0_out0_nhwc_1_4_4_3.npy   \tu8\teculidean_norm=0.002650\tcosine_norm=0.999996
Conv__model.0_conv_Conv_142 \tNone\teculidean_norm=0.059963\tcosine_norm=0.998202
"""
OLD_TOOLKIT1 = "conv_1\teculidean_norm=0.1\tcosine_norm=0.99\teculidean=12.5\tcosine=0.99\n"
BUILD = """\
D     remove_invalid_reshape: remove node = ['a', 'b'], add node = ['c']
D     fold_constant ...
D RKNN: [12:00:00.000]         Network Layer Information Table
D RKNN: [12:00:00.000] -----------------------------
D RKNN: [12:00:00.000] ID   OpType  DataType Target InputShape  OutputShape Cycles(DDR/NPU/Total) RW(KB) FullName
D RKNN: [12:00:00.000] -----------------------------
D RKNN: [12:00:00.000] 0    Conv    INT8     NPU    (1,3),(3)   (1,4)       10/432/432            31     Conv:first
D RKNN: [12:00:00.000] 1    Softmax FLOAT16  CPU    (1,4)       (1,4)       0/0/0                        Softmax:last
D RKNN: [12:00:00.000] -----------------------------
Total Weight Memory Size: 203.562KB
"""


def test_columns_that_run_together_are_told_apart():
    row = read_accuracy_table(TOOLKIT2)[2]
    assert (row.entire, row.single) == (
        {"cos": 0.99994, "euc": 1172.83765},
        {"cos": 0.99995, "euc": 995.39069},
    )


def test_columns_of_a_connected_board_are_not_taken_for_the_simulators():
    simulator, board = "0.99994 | 1172.837650.99995 | 995.39069", "0.98000 | 12.5     0.97000 | 13.25"
    heading = "layer_name        simulator_error        runtime_error\n"
    (row,) = read_accuracy_table(f"{heading}[Conv] c   {simulator}   {board}\n")
    assert (row.name, row.entire["euc"], row.single) == ("c", 1172.83765, {"cos": 0.99995, "euc": 995.39069})


def test_a_layer_of_zeros_has_no_figures():
    """As 2.5.0 prints a black picture, in colours."""
    zero = "\x1b[1;31m f_zero\x1b[0m"
    (row,) = read_accuracy_table(f"[Input] inputs      {zero} | {zero}   {zero} | {zero}       \n")
    assert (row.name, row.entire, row.single) == ("inputs", {}, {})


def test_the_printed_digits_are_kept():
    row = read_accuracy_table(TOOLKIT2)[3]
    assert row.printed["entire"] == {"cos": "0.99947", "euc": "4.31"}


def test_lines_of_a_log_before_the_table_are_no_layers():
    assert len(read_accuracy_table("[INFO] it begins\n" + TOOLKIT2)) == 4


def test_a_name_may_hold_blanks():
    assert read_accuracy_table(TOOLKIT2)[2].name == "a name with blanks"


def test_a_fused_row_has_no_numbers():
    assert read_accuracy_table(TOOLKIT2)[1].entire == {}


def test_colours_are_no_part_of_a_number():
    assert read_accuracy_table(TOOLKIT2)[3].single == {"cos": 0.99964, "euc": 3.4615}


def test_rows_of_toolkit_1_carry_their_data_type():
    assert [row.dtype for row in read_accuracy_table(TOOLKIT1)] == ["u8", "None"]


def test_rows_of_an_old_toolkit_1_have_four_numbers_and_no_type():
    row = read_accuracy_table(OLD_TOOLKIT1)[0]
    assert (row.dtype, sorted(row.entire)) == ("", ["cosine", "cosine_norm", "eculidean", "eculidean_norm"])


@pytest.mark.parametrize("text", ["", "hello\n", "[Conv]\n", "a\tb\tc\n", "\0\n" * 10])
def test_any_other_text_is_no_table(text):
    with pytest.raises(NoTable):
        read_accuracy_table(text)


def test_rewrites_name_what_went_and_what_came():
    rewrite = read_build_log(BUILD).rewrites[0]
    assert (rewrite.rule, rewrite.removed, rewrite.added) == ("remove_invalid_reshape", ("a", "b"), ("c",))


def test_the_compilers_rows_are_read_by_the_headers_columns():
    layer = read_build_log(BUILD).layers[0]
    assert (layer.op, layer.target, layer.ddr_cycles, layer.npu_cycles, layer.rw_kb, layer.name) == (
        "Conv",
        "NPU",
        10,
        432,
        31.0,
        "Conv:first",
    )


def test_a_cell_that_is_empty_stays_empty():
    assert read_build_log(BUILD).layers[1].rw_kb is None


def test_memory_totals_are_in_kilobytes():
    assert read_build_log(BUILD).memory_kb == {"weight": 203.562}
