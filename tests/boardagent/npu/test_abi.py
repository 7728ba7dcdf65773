"""Struct layouts against the table, and against what a compiler makes of the same declarations."""

import ctypes
import subprocess
from pathlib import Path

import pytest

from boardagent.npu import abi
from boardagent.npu.failures import NpuFailure

SIZES = """
#include <stdio.h>
#define S(type) printf("%zu ", sizeof(type))
int main(void) { S(rknn_tensor_attr); S(rknn_input); S(rknn_output); S(rknn_perf_detail); return 0; }
"""


@pytest.mark.parametrize("layout", [abi.LAYOUT_1, abi.LAYOUT_2], ids=["rknn1", "rknn2"])
def test_this_machines_structs_are_the_librarys(layout: dict[type, object]) -> None:
    abi.check(layout)


def test_a_struct_that_differs_is_a_failure_not_a_crash() -> None:
    class Wrong(ctypes.Structure):
        _fields_ = [("index", ctypes.c_uint64)]

    with pytest.raises(NpuFailure, match="Wrong"):
        abi.check({Wrong: {4: (4, (0,)), 8: (4, (0,))}})


@pytest.mark.parametrize(("source", "attr"), [("librknn_api", 360), ("librknnrt", 376)])
def test_a_compiler_agrees_with_the_table(source: str, attr: int, tmp_path: Path) -> None:
    standin = Path(__file__).parents[1] / "standin" / f"{source}.c"
    program = tmp_path / "sizes.c"
    program.write_text(f'#include "{standin}"\n{SIZES}')
    subprocess.run(["gcc", "-w", "-o", str(tmp_path / "sizes"), str(program), "-lm"], check=True)
    done = subprocess.run([str(tmp_path / "sizes")], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(attr), "32", "24", "16"]


def test_the_context_has_64_bits_where_words_have() -> None:
    assert ctypes.sizeof(abi.context_type()) == 8
