"""Every vendor's message that is known, in output as noisy as it comes: its code, and the line that says why."""

import pytest

from dashboard.jobs.failures import FAILURES
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.explaining import explain, explained
from workers.toolkits.vendor.messages import MESSAGES, meaning
from workers.toolkits.vendor.noise import cause, telling

# the line that says why, and what it means
SAID = {
    "ImportError: /usr/lib/x.so: undefined symbol: PyFPE_jbuf": "toolkit:incomplete",
    "ModuleNotFoundError: No module named 'tensorflow'": "toolkit:incomplete",
    "ModuleNotFoundError: No module named 'pkg_resources'": "toolkit:incomplete",
    "ModuleNotFoundError: No module named 'onnxscript'": "recipe:invalid",
    "torch.onnx.errors.TorchExportError: Exporting a ScriptModule is not supported": "recipe:invalid",
    "AttributeError: 'MultiDiGraph' object has no attribute 'node'": "toolkit:incomplete",
    "AttributeError: 'str' object has no attribute 'decode'": "toolkit:incomplete",
    "ImportError: libGL.so.1: cannot open shared object file: No such file": "toolkit:incomplete",
    "OSError: librknn_api.so: undefined symbol: rknn_get_output_num": "toolkit:incomplete",
    "HAL user version 6.4.6.5 differs from HAL kernel version 6.4.3.2": "toolkit:incomplete",
    "ModuleNotFoundError: No module named 'ruamel.yaml'": "toolkit:incomplete",
    "ValueError: Invalid target_platform: rv1126, only support: rk3588, rv1126b": "recipe:invalid",
    "ValueError: Invalid quantized_algorithm: kl": "recipe:invalid",
    "ValueError: The quantized_dtype = 'w8a16' is not support in 'rv1126b'": "recipe:invalid",
    "ValueError: gdq only support in ['w4a16', 'w8a16']": "recipe:invalid",
    "ValueError: 'conv9' not found in custom_quantize_layers!": "recipe:unknown-layer",
    "ValueError: 'int4' not supported in custom_quantize_layers": "recipe:invalid",
    "TypeError: config() got an unexpected keyword argument 'do_sparse_network'": "recipe:invalid",
    "AttributeError: 'Namespace' object has no attribute 'can_snapshot'": "recipe:invalid",
    "rknn model target platform[0] is RK1808, while current platform is RV1126": "recipe:invalid",
    "ValueError: Not support in simulator environment, please set target in init_runtime!": "recipe:invalid",
    "Exception: RKNN init failed. error code: RKNN_ERR_DEVICE_UNAVAILABLE": "recipe:invalid",
    "Try match GridSample_12:out0 failed": "model:unsupported-operator",
    "Not match tensor Resize_124:out0": "model:unsupported-operator",
    "KeyError: 'aten::pixel_shuffle'": "model:unsupported-operator",
    "ValueError: Remove Unique('uq') manually and try again!": "model:unsupported-operator",
    "Fatal error: my.domain:Thing(-1) is not a registered function/op": "model:unsupported-operator",
    "NotImplementedError: Unsupport op Einsum": "model:unsupported-operator",
    "NBG input only support max dims 4": "model:unsupported-operator",
    "ValueError: NodeDef mentions attr 'explicit_paddings' not in Op<name=Conv2D>": "model:unsupported-version",
    "onnx.onnx_cpp2py_export.checker.ValidationError: Your model ir_version 9 is higher than the checker's (8)": (
        "model:unsupported-version"
    ),
    "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory": (
        "model:unsupported-version"
    ),
    "ValueError: The '.pth' suffix is not supported, please use torch.jit.trace": "model:unsupported-format",
    'google.protobuf.text_format.ParseError: 7:5 : Message type "caffe.PoolingParameter" has no field named '
    '"round_mode".': "model:unsupported-format",
    "ValueError: The input shape ['n', 3, 'h', 'w'] of 'x' is not support!": "model:dynamic-input",
    "google.protobuf.message.DecodeError: Error parsing message": "model:not-onnx",
    "onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph: [ONNXRuntimeError] : 10 : INVALID_GRAPH": (
        "model:invalid"
    ),
    "OutOfRangeError: FIFOQueue '_0_batch/fifo_queue' is closed and has insufficient elements (requested 1, "
    "current size 0)": "data:empty",
    "ValueError: The input data shape (1, 50, 70, 3) is wrong, expect 'nchw' like (1, 3, 120, 90)!": (
        "data:wrong-shape"
    ),
    "ValueError: Unsupport file a!": "data:unreadable",
    "ResourceExhaustedError: OOM when allocating tensor with shape[100,640,640,32]": "toolkit:out-of-memory",
    "terminate called after throwing an instance of 'std::bad_alloc'": "toolkit:out-of-memory",
    "OSError: [Errno 28] No space left on device": "toolkit:disk-full",
    "AttributeError: module has no attribute 'op_fuse_log_cache'": "toolkit:own-fault",
    "AttributeError: 'numpy.ndarray' object has no attribute 'data_type'": "toolkit:own-fault",
    "hybrid_quantization_step1: Not support QAT model!": "model:quantized",
    "ValueError: cannot convert float NaN to integer": "toolkit:own-fault",
    "ValueError: Not support 'Dropout' of opset-9!": "model:unsupported-version",
    "NonZero('n') will cause the graph to be a dynamic graph! Remove it manually": "model:unsupported-operator",
    "Meet unsupported conv, input tensor name: input input type: 3": "toolkit:own-fault",
    "malloc(): memory corruption": "toolkit:own-fault",
    "It was ended by SIGKILL.": "toolkit:crashed",
}

TOOLKIT1 = """\
I Start importing onnx...
W ----------------found outlier value----------------
\rBuilding:  50%|#####     | 1/2 [00:00<00:00, 12.31it/s]\rBuilding: 100%|##########| 2/2 [00:00<00:00, 14.1it/s]
E Catch exception when building RKNN model!
E Traceback (most recent call last):
E   File "rknn/api/rknn_base.py", line 580, in rknn.api.rknn_base.RKNNBase.build
E   File "rknn/base/RKNNlib/RK_nn.py", line 147, in rknn.base.RKNNlib.RK_nn.RKnn.build
E     raise ValueError("Remove Cast('c') manually")
E \x1b[1;31m{line}\x1b[0m
E Please feedback the detailed log file <log_feedback_to_the_rknn_toolkit_dev_team.log> to the RKNN Toolkit \
development team.
E You can also check github issues: https://github.com/rockchip-linux/rknn-toolkit/issues
E

"""
TOOLKIT2 = """\
I rknn-toolkit2 version: 2.5.0
\x1b[31mE build: Traceback (most recent call last):\x1b[0m
  File "rknn/api/rknn_log.py", line 309, in rknn.api.rknn_log.error_catch_decorator.error_catch_wrapper
  File "/opt/x/site-packages/onnx/checker.py", line 118, in check_model
    raise DecodeError("what a source line says is no cause")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
\x1b[31m{line}\x1b[0m

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "rknn/api/rknn_base.py", line 1959, in rknn.api.rknn_base.RKNNBase.build
E RKNN: [09:12:13.123] {line}
\x1b[31m===================== WARN(0) =====================\x1b[0m
{indent}\x1b[0m
"""


@pytest.mark.parametrize("line", SAID)
@pytest.mark.parametrize("log", [TOOLKIT1, TOOLKIT2], ids=["1.x", "2.x"])
def test_a_message_is_found_in_the_noise(log, line):
    found = meaning(log.format(line=line, indent=" " * 8))
    assert found and (found.message.code, found.line) == (SAID[line], line)


@pytest.mark.parametrize("line", SAID)
def test_the_line_that_says_why_is_the_last_that_is_no_noise(line):
    assert cause(TOOLKIT1.format(line=line)) == line


def test_every_row_has_an_example():
    seen = {meaning(line).message for line in SAID}
    assert [message.pattern.pattern for message in MESSAGES if message not in seen] == []


def test_every_code_has_title_and_advice():
    assert {message.code for message in MESSAGES} <= set(FAILURES)


def test_an_ordinary_log_means_nothing():
    assert meaning("I Start importing onnx...\nI Converting onnx model...\nD fold_constant done\n") is None


def test_a_source_line_of_a_traceback_says_nothing():
    text = '  File "x.py", line 3, in f\n    raise MemoryError\nKeyError: 3\n'
    assert telling(text.splitlines()) == ["KeyError: 3"]


def test_the_last_of_several_messages_counts():
    found = meaning("No module named 'mxnet'\nsome lines\nKeyError: 'aten::erf'\nmore lines\n")
    assert found.message.code == "model:unsupported-operator"


def test_minus_one_is_explained_by_the_log():
    error = explain(
        JobError("toolkit:failed", "build: it returned -1."), ["E Not match tensor Erf_3:out0", ""]
    )
    assert (error.code, "Erf_3" in error.detail) == ("model:unsupported-operator", True)


def test_minus_one_without_a_known_message_shows_the_logs_last_line():
    error = explain(JobError("toolkit:failed", "build: it returned -1."), ["E Something else", "", "-----"])
    assert (error.code, "Something else" in error.detail) == ("toolkit:failed", True)


def test_a_death_stays_a_death_and_says_what_was_said():
    said = "Meet unsupported conv, input tensor name: x"
    error = explain(JobError("toolkit:crashed", "It was ended by SIGABRT."), [said])
    assert (error.code, "other platforms take it" in error.detail) == ("toolkit:crashed", True)


def test_a_death_for_want_of_memory_is_called_so():
    error = explain(JobError("toolkit:crashed", "It was ended by SIGABRT."), ["std::bad_alloc"])
    assert error.code == "toolkit:out-of-memory"


def test_a_line_of_a_megabyte_is_cut():
    assert len(cause("E " + "x" * 1_000_000)) == 1500


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("IndexError: list index out of range", "toolkit:own-fault"),
        ("ValueError: nobody knows this", "toolkit:failed"),
    ],
)
def test_a_mistake_in_the_toolkits_program_is_its_own_fault(said: str, code: str) -> None:
    assert explain(JobError("toolkit:failed", f"build: {said}"), []).code == code


def test_a_toolkit_that_rewrites_without_end_is_told_with_its_last_rule(folder: JobFolder) -> None:
    with pytest.raises(JobError) as caught, explained(folder):
        folder.log += ["D fuse_ops ...", "D     turn_it: remove node = ['a'], add node = ['b']"]
        raise JobError("toolkit:timed-out", "It was silent for 600 s.")
    assert (caught.value.code, '{"disable_rules": ["turn_it"]}' in caught.value.detail) == (
        "toolkit:timed-out",
        True,
    )
