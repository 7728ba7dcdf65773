"""The C structures of both generations of Rockchip's runtime, and a check of them against the known table.

rknn1 is the API of RKNN-Toolkit 1.7.x (librknn_api.so, librknn_runtime.so: RV1109, RV1126, RK1808): sizes and offsets
were computed from the header by gcc for both word sizes. rknn2 is RKNPU2's (librknnrt.so: RV1126B, RK35xx): field
order and types are those of the public rknn_api.h of 1.5 to 2.x; sizes follow from the ABI rules and NEED A BOARD to
be proved. Its context, too, has 32 bits where __arm__ is defined.
"""

import ctypes
import platform
from ctypes import c_char, c_float, c_int, c_int8, c_int32, c_int64, c_uint8, c_uint32, c_uint64, c_void_p

from boardagent.npu.failures import NpuFailure

WORD = ctypes.sizeof(c_void_p)
MAX_DIMS = 16
NAME_BYTES = 256


def context_type():
    """rknn_context: 32 bits where the compiler defines __arm__, else 64.

    A 32-bit program may run on an arm64 kernel, which then calls the machine aarch64.
    """
    is_arm32 = WORD == 4 and platform.machine().lower().startswith(("arm", "aarch64"))
    return c_uint32 if is_arm32 else c_uint64


class InOutNum(ctypes.Structure):
    _fields_ = [("n_input", c_uint32), ("n_output", c_uint32)]


ATTR_HEAD = [
    ("index", c_uint32),
    ("n_dims", c_uint32),
    ("dims", c_uint32 * MAX_DIMS),
    ("name", c_char * NAME_BYTES),
    ("n_elems", c_uint32),
    ("size", c_uint32),
    ("fmt", c_int),
    ("type", c_int),
    ("qnt_type", c_int),
    ("fl", c_int8),
]


class TensorAttr1(ctypes.Structure):
    _fields_ = [*ATTR_HEAD, ("zp", c_uint32), ("scale", c_float)]


class TensorAttr2(ctypes.Structure):
    _fields_ = [
        *ATTR_HEAD,
        ("zp", c_int32),
        ("scale", c_float),
        ("w_stride", c_uint32),
        ("size_with_stride", c_uint32),
        ("pass_through", c_uint8),
        ("h_stride", c_uint32),
    ]


class PerfDetail(ctypes.Structure):
    _fields_ = [("perf_data", c_void_p), ("data_len", c_uint64)]


class PerfRun(ctypes.Structure):
    _fields_ = [("run_duration", c_int64)]


class SdkVersion(ctypes.Structure):
    _fields_ = [("api_version", c_char * 256), ("drv_version", c_char * 256)]


class Input(ctypes.Structure):
    _fields_ = [
        ("index", c_uint32),
        ("buf", c_void_p),
        ("size", c_uint32),
        ("pass_through", c_uint8),
        ("type", c_int),
        ("fmt", c_int),
    ]


class Output(ctypes.Structure):
    _fields_ = [
        ("want_float", c_uint8),
        ("is_prealloc", c_uint8),
        ("index", c_uint32),
        ("buf", c_void_p),
        ("size", c_uint32),
    ]


HEAD_OFFSETS = (0, 4, 8, 72, 328, 332, 336, 340, 344, 348, 352, 356)
SHARED = {
    InOutNum: {4: (8, (0, 4)), 8: (8, (0, 4))},
    PerfDetail: {4: (16, (0, 8)), 8: (16, (0, 8))},
    PerfRun: {4: (8, (0,)), 8: (8, (0,))},
    SdkVersion: {4: (512, (0, 256)), 8: (512, (0, 256))},
    Input: {4: (24, (0, 4, 8, 12, 16, 20)), 8: (32, (0, 8, 16, 20, 24, 28))},
    Output: {4: (16, (0, 1, 4, 8, 12)), 8: (24, (0, 1, 4, 8, 16))},
}
LAYOUT_1 = dict(SHARED)
LAYOUT_1[TensorAttr1] = dict.fromkeys((4, 8), (360, HEAD_OFFSETS))
LAYOUT_2 = dict(SHARED)
LAYOUT_2[TensorAttr2] = dict.fromkeys((4, 8), (376, (*HEAD_OFFSETS, 360, 364, 368, 372)))


def check(layout, word=WORD):
    """Compare size and offsets of each structure with the table for this word size.

    NpuFailure when one differs: the library would read and write past it.
    """
    for structure, sizes in layout.items():
        here = (
            ctypes.sizeof(structure),
            tuple(getattr(structure, field[0]).offset for field in structure._fields_),
        )
        if here != sizes[word]:
            message = "struct {} has size and offsets {} here, the library's are {}"
            raise NpuFailure("board:npu-failed", message.format(structure.__name__, here, sizes[word]))
