"""What the vendor's toolkits say when they fail, and what it means to the person who asked: one row per message.

Sources: [TS n] Trouble Shooting, [UG n] User Guide, [API n] C API guide, all of 1.7.5; [1.7 #n] an issue of the 1.x
toolkit's tracker; [2.x] seen with RKNN-Toolkit2 2.3.2 or 2.5.0.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workers.toolkits.vendor.noise import telling


@dataclass(frozen=True)
class Message:
    """Lines that `pattern` finds end a job as `code`; `says` is what to do about just this one."""

    pattern: re.Pattern[str]
    code: str
    says: str
    source: str


@dataclass(frozen=True)
class Found:
    """A message in a text: the line that has it."""

    message: Message
    line: str


def _message(pattern: str, code: str, says: str, source: str) -> Message:
    return Message(re.compile(pattern), code, says, source)


# The first row that fits a line wins, so particular ones come before general ones.
MESSAGES: Sequence[Message] = (
    # The toolkit's own environment
    _message(
        r"PyFPE_jbuf",
        "toolkit:incomplete",
        "NumPy was mixed from two installations: remove all of it and install the pinned version.",
        "TS 3.1",
    ),
    _message(
        r"No module named '?tensorflow",
        "toolkit:incomplete",
        "RKNN-Toolkit 1.x needs TensorFlow for every quantization, whatever the model's framework.",
        "TS 3.3",
    ),
    _message(
        r"No module named '?pkg_resources",
        "toolkit:incomplete",
        "Install setuptools below 81 into the toolkit's environment.",
        "2.x",
    ),
    _message(
        r"No module named '?onnxscript|TorchExportError|Exporting a ScriptModule is not supported",
        "recipe:invalid",
        "The input sizes do not fit the TorchScript model: the toolkit then tries an exporter and blames that.",
        "2.x",
    ),
    _message(
        r"MultiDiGraph.* has no attribute '?node",
        "toolkit:incomplete",
        "Darknet models need networkx 1.11 exactly.",
        "TS 5.4",
    ),
    _message(
        r"'str' object has no attribute 'decode'",
        "toolkit:incomplete",
        "Keras models need h5py below 3.",
        "TS 5.5",
    ),
    _message(
        r"libGL\.so\.1|libgthread-2\.0\.so",
        "toolkit:incomplete",
        "OpenCV lacks a library of the system: install opencv-python-headless in its place.",
        "2.x",
    ),
    _message(
        r"undefined symbol: rknn_\w+",
        "toolkit:incomplete",
        "Toolkit and runtime library are of different versions.",
        "1.7 #53",
    ),
    _message(
        r"HAL user version.*HAL kernel version",
        "toolkit:incomplete",
        "The NPU's user and kernel drivers are of different versions.",
        "TS 8.8",
    ),
    _message(
        r"ModuleNotFoundError: |No module named '[\w.]+'",
        "toolkit:incomplete",
        "Install the package into the toolkit's environment.",
        "TS 3.2",
    ),
    # The recipe
    _message(
        r"Invalid target_platform|Invalid quantized_\w+",
        "recipe:invalid",
        "This version of the toolkit does not know the value.",
        "2.x",
    ),
    _message(
        r"not support in '\w+'|only support in \[|Please try other quantized_dtype",
        "recipe:invalid",
        "The platform does not have this data type or algorithm.",
        "2.x",
    ),
    _message(
        r"Not support QAT model",
        "model:quantized",
        "RKNN-Toolkit2 builds it with the data type float only; the float network that it was made of is the safer"
        " upload.",
        "2.x",
    ),
    _message(
        r"in custom_quantize_layers!",
        "recipe:unknown-layer",
        "Layers are called as in the quantized dump.",
        "2.x",
    ),
    _message(
        r"not supported in custom_quantize_layers|Hybrid proposal not support",
        "recipe:invalid",
        "Hybrid quantization is not possible so.",
        "2.x",
    ),
    _message(
        r"got an unexpected keyword argument '\w+'",
        "recipe:invalid",
        "This version of the toolkit does not know the setting.",
        "UG 7.2",
    ),
    _message(
        r"'Namespace' object has no attribute 'can_snapshot'",
        "recipe:invalid",
        "The target of the analysis is not the platform that the model was made for.",
        "1.7 #418",
    ),
    _message(
        r"model target platform\S* is \S+ while current platform is|RKNN_ERR_TARGET_PLATFORM_UNMATCH",
        "recipe:invalid",
        "The model was made for another platform: without a target the 1.x toolkit makes one for RK1808.",
        "TS 8.7",
    ),
    _message(
        r"Not support in simulator environment|RKNN_ERR_DEVICE_UNAVAILABLE",
        "recipe:invalid",
        "This needs a board at the toolkit's own connection; here boards are measured by runs.",
        "2.x",
    ),
    # The model
    _message(
        r"Try match \S+ failed|Not match (tensor|node) ",
        "model:unsupported-operator",
        "The 1.x toolkit has no operator of its own for this one.",
        "TS 5.9",
    ),
    _message(
        r"KeyError: '?aten::\w+",
        "model:unsupported-operator",
        "The toolkit's PyTorch route does not know this operator; the ONNX route of the same network may.",
        "TS 5.7",
    ),
    _message(
        r"Remove \w+\(.*\) manually",
        "model:unsupported-operator",
        "The toolkit cannot convert it, and no rule replaces it.",
        "2.x",
    ),
    _message(
        r"will cause the graph to be a dynamic graph",
        "model:unsupported-operator",
        "The sizes of what it gives depend on values: end the network before it, and compute the rest on the CPU.",
        "2.x",
    ),
    _message(
        r"is not a registered function|[Nn]o Op registered for \w+|Could not find an implementation for",
        "model:unsupported-operator",
        "The operator's domain or version is unknown to the toolkit's ONNX Runtime.",
        "2.x",
    ),
    _message(
        r"[Uu]nsupport(ed)? op\b|Not support \S+ op",
        "model:unsupported-operator",
        "Replace it by standard operators, or try the other route of the network.",
        "2.x",
    ),
    _message(
        r"NBG \w+ only support max dims \d+",
        "model:unsupported-operator",
        "A tensor has more dimensions than the compiled form can hold: rewrite the rearrangement with at most four.",
        "libOpenVX 6.4.6",
    ),
    _message(
        r"explicit_paddings",
        "model:unsupported-version",
        "The graph was frozen by a newer TensorFlow than the toolkit's: freeze it with that one.",
        "TS 5.8",
    ),
    _message(
        r"ir_version \d+ is higher than|[Uu]nsupported model IR version|[Uu]nsupport(ed)? (onnx )?opset"
        r"|Opset \d+ is under development",
        "model:unsupported-version",
        "RKNN-Toolkit 1.x takes opset 11 or 12 and IR version 7 at most, RKNN-Toolkit2 opsets up to 19.",
        "TS 5.6",
    ),
    _message(
        r"Not support '\w+' of opset-\d+",
        "model:unsupported-version",
        "That operator is of an older opset than RKNN-Toolkit2 takes it of: export with opset 12 to 19, or convert"
        " the file with onnx.version_converter.",
        "2.x",
    ),
    _message(
        r"PytorchStreamReader failed|failed reading zip archive|kMaxSupportedFileFormatVersion",
        "model:unsupported-version",
        "The file is no TorchScript that the toolkit's PyTorch reads: trace it anew with that version.",
        "TS 5.7",
    ),
    _message(
        r"'\.pth' suffix is not supported",
        "model:unsupported-format",
        "A .pth holds weights and no graph: trace the model with torch.jit.trace.",
        "2.x",
    ),
    _message(
        r'has no field named "\w+"',
        "model:unsupported-format",
        "The prototxt is of a Caffe that is newer, older or changed: take that line out or write it as Caffe 1.0 does.",
        "TS 5.1",
    ),
    _message(
        r"input shape .* is not support",
        "model:dynamic-input",
        "Name the sizes of the inputs in the recipe.",
        "2.x",
    ),
    _message(
        r"DecodeError|Error parsing message|Protobuf parsing failed",
        "model:not-onnx",
        "The toolkit's parser cannot read the file: it may be truncated.",
        "2.x",
    ),
    _message(
        r"InvalidGraph|ShapeInferenceError|INVALID_GRAPH",
        "model:invalid",
        "Shapes or types in the graph contradict each other.",
        "2.x",
    ),
    # The samples
    _message(
        r"FIFOQueue.*insufficient elements",
        "data:empty",
        "The toolkit found no sample that it could read.",
        "TS 6.4",
    ),
    _message(
        r"expect 'n[ch]\w+' like|The input data shape",
        "data:wrong-shape",
        "The toolkit wants the samples in another shape.",
        "2.x",
    ),
    _message(
        r"Unsupport file \S+",
        "data:unreadable",
        "A line of the data set names a file that the toolkit takes for none.",
        "2.x",
    ),
    # Limits
    _message(
        r"MemoryError|bad_alloc|Cannot allocate memory|Unable to allocate|OOM when allocating|ResourceExhaustedError",
        "toolkit:out-of-memory",
        "Quantization needs memory in proportion to the batch: use fewer or smaller samples, or a smaller batch.",
        "TS 6.7",
    ),
    _message(
        r"No space left on device|File too large",
        "toolkit:disk-full",
        "The analysis writes every layer in full.",
        "UG 7.12",
    ),
    # Faults of its own
    _message(
        r"has no attribute 'op_fuse_log_cache'",
        "toolkit:own-fault",
        "It cannot build twice at once in one process. Here each conversion has its own; ask again.",
        "2.x",
    ),
    _message(
        r"'numpy\.ndarray' object has no attribute 'data_type'",
        "toolkit:own-fault",
        "It cannot bring the network's numbers of 64 or 16 bits to float32: export all of it in float32.",
        "2.x",
    ),
    _message(
        r"cannot convert float NaN to integer",
        "toolkit:own-fault",
        "A value of its own graph became NaN during calibration. Convert with the data type float: comparing framework"
        " with converted shows the layer. Look for samples that a division, root or logarithm does not take.",
        "2.x",
    ),
    _message(
        r"Meet unsupported conv, input tensor name",
        "toolkit:own-fault",
        "The compiler of this platform gives up on a convolution; other platforms take it.",
        "2.x",
    ),
    _message(
        r"malloc\(\): \w+|double free or corruption|corrupted size vs\. prev_size|Segmentation fault",
        "toolkit:own-fault",
        "Its native code damaged its own memory. Another optimization level, or the network in parts, may get past it.",
        "2.x",
    ),
    _message(
        r"was ended by SIGKILL",
        "toolkit:crashed",
        "Somebody killed it. A system that runs out of memory does so: look at its kernel log, use fewer samples.",
        "TS 6.7",
    ),
)


def meaning(text: str) -> Found | None:
    """The last line of `text` that is a known message, noise left out; None when there is none."""
    return meaning_of_lines(telling(text.splitlines()))


def meaning_of_lines(lines: Iterable[str]) -> Found | None:
    """As meaning(), for lines that hold no noise."""
    for line in reversed(list(lines)):
        for message in MESSAGES:
            if message.pattern.search(line):
                return Found(message, line)
    return None
