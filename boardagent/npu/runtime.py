"""Rockchip's runtime through ctypes, the same few calls for both generations. Only the throw-away child loads it."""

import ctypes
import mmap
import os
import time
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_uint32, c_void_p

from boardagent import protocol
from boardagent.npu import abi, failures
from boardagent.npu.failures import NpuFailure
from boardagent.npu.tensors import FORMATS, TYPES, Attr

IN_OUT_NUM, INPUT_ATTR, OUTPUT_ATTR, PERF_DETAIL, PERF_RUN, SDK_VERSION = range(6)
COLLECT_PERF = 0x8
MOST_TENSORS = 256
MOST_TABLE = 8 * 1024 * 1024
UNDEFINED_FORMAT = 3  # RKNPU2: for what is not 4-D


class Runtime:
    """A loaded library. `generation` is 1 (RKNN 1.7.x) or 2 (RKNPU2); `guard(call)` is entered around each call."""

    def __init__(self, path, generation, guard):
        self.generation, self.guard = generation, guard
        self.attr_type = abi.TensorAttr1 if generation == 1 else abi.TensorAttr2
        abi.check(abi.LAYOUT_1 if generation == 1 else abi.LAYOUT_2)
        self.context_type = abi.context_type()
        try:
            with guard("loading {}".format(path)):
                self._library = _load(path)
            self._declare()
        except (OSError, AttributeError) as error:
            raise NpuFailure("board:npu-unavailable", "{} cannot be used: {}".format(path, error)) from error

    def _declare(self):
        context, u32, extend = self.context_type, c_uint32, c_void_p
        init = [POINTER(context), c_void_p, u32, u32] + [extend] * (self.generation - 1)
        for name, arguments in (
            ("rknn_init", init),
            ("rknn_destroy", [context]),
            ("rknn_query", [context, c_int, c_void_p, u32]),
            ("rknn_inputs_set", [context, u32, POINTER(abi.Input)]),
            ("rknn_run", [context, extend]),
            ("rknn_outputs_get", [context, u32, POINTER(abi.Output), extend]),
            ("rknn_outputs_release", [context, u32, POINTER(abi.Output)]),
        ):
            function = getattr(self._library, name)
            function.argtypes, function.restype = arguments, c_int

    def call(self, name, *arguments):
        """Call a function of the library. NpuFailure when it returns a code below zero."""
        with self.guard(name):
            status = getattr(self._library, name)(*arguments)
        if status < 0:
            raise failures.of_call(name, status)

    def query(self, context, command, structure):
        """Let the library fill `structure`; what it said is in it afterwards."""
        self.call("rknn_query", context, command, byref(structure), ctypes.sizeof(structure))
        return structure

    def versions(self, context=0):
        """(the runtime's build, the driver's version as the runtime was compiled with it); "" where it tells none."""
        try:
            found = self.query(context, SDK_VERSION, abi.SdkVersion())
        except NpuFailure:
            return "", ""
        return tuple(_text(part) for part in (found.api_version, found.drv_version))

    def open(self, path, flags=0):
        """A session with the artifact at `path` loaded."""
        return Session(self, path, flags)


class Session:
    """One context: an artifact loaded, its inputs and outputs described. `init_us` is what loading took."""

    def __init__(self, runtime, path, flags):
        self._runtime = runtime
        self.context = runtime.context_type(0)
        self._buffers = []
        start = time.perf_counter()
        self._load(path, flags)
        self.init_us = (time.perf_counter() - start) * 1e6
        count = runtime.query(self.context, IN_OUT_NUM, abi.InOutNum())
        if not 0 < count.n_output <= MOST_TENSORS or not 0 < count.n_input <= MOST_TENSORS:
            message = "the library tells of {} inputs and {} outputs".format(count.n_input, count.n_output)
            raise NpuFailure("board:npu-failed", message)
        self.inputs = [self._attr(INPUT_ATTR, index) for index in range(count.n_input)]
        self.outputs = [self._attr(OUTPUT_ATTR, index) for index in range(count.n_output)]

    def _load(self, path, flags):
        """The model's bytes are mapped, not read: the library copies what it keeps [API 6.1.3.1]."""
        with open(path, "rb") as file:
            try:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            except ValueError as error:  # an empty file
                raise NpuFailure("board:rejected-artifact", "the artifact is empty") from error
        self._model = (c_char * len(mapped)).from_buffer(mapped)
        extend = (None,) if self._runtime.generation == 2 else ()
        data = ctypes.cast(self._model, c_void_p)
        self._runtime.call("rknn_init", byref(self.context), data, len(mapped), flags, *extend)

    def _attr(self, command, index):
        attr = self._runtime.attr_type()
        attr.index = index
        return Attr(self._runtime.query(self.context, command, attr), self._runtime.generation == 1)

    def set_inputs(self, fed):
        """Hand the inputs over (a list of tensors.Fed); the bytes stay alive until the next call."""
        given = (abi.Input * len(fed))()
        self._buffers = [ctypes.create_string_buffer(one.data, len(one.data)) for one in fed]
        for place, one in enumerate(fed):
            given[place].index = one.attr.index
            given[place].buf = ctypes.cast(self._buffers[place], c_void_p)
            given[place].size = len(one.data)
            given[place].pass_through = one.pass_through
            given[place].type = TYPES.index(one.type)
            given[place].fmt = FORMATS.index(one.layout) if one.layout else self._format(one.attr)
        self._inputs = given
        self.send_inputs()

    def send_inputs(self):
        """Hand the same inputs over once more, as every frame needs it."""
        self._runtime.call("rknn_inputs_set", self.context, len(self._inputs), self._inputs)

    def _format(self, attr):
        return UNDEFINED_FORMAT if self._runtime.generation == 2 else attr.format

    def run(self):
        """Execute once; microseconds by the wall's clock. rknn_run returns when the NPU is done."""
        start = time.perf_counter()
        self._runtime.call("rknn_run", self.context, None)
        return (time.perf_counter() - start) * 1e6

    def fetch(self, raw=()):
        """The bytes of every output: float32, or the NPU's own type for the names in `raw`."""
        taken = (abi.Output * len(self.outputs))()
        for place, attr in enumerate(self.outputs):
            taken[place].want_float = attr.name not in raw
            taken[place].index = attr.index
        self._runtime.call("rknn_outputs_get", self.context, len(taken), taken, None)
        try:
            return [_bytes_of(attr, taken[place]) for place, attr in enumerate(self.outputs)]
        finally:
            self._runtime.call("rknn_outputs_release", self.context, len(taken), taken)

    def run_us(self):
        """Microseconds of the last run by the runtime's own counter, or None where it tells none."""
        try:
            found = self._runtime.query(self.context, PERF_RUN, abi.PerfRun()).run_duration
        except NpuFailure:
            return None
        return float(found) if 0 < found < 1e11 else None

    def perf_table(self):
        """The text of layer times, or None: the library returns 0 and a null pointer when it collected nothing."""
        found = self._runtime.query(self.context, PERF_DETAIL, abi.PerfDetail())
        if not found.perf_data or not found.data_len:
            return None
        return _text(ctypes.string_at(found.perf_data, min(found.data_len, MOST_TABLE)))

    def close(self):
        """Give the context back."""
        self._runtime.call("rknn_destroy", self.context)


def _load(path):
    """The library. Loaded by a foreign call, which other threads survive: ctypes.CDLL alone would make them wait, and
    what the library does at its start may take long. OSError when it does not load.
    """
    try:
        dlopen = ctypes.CDLL(None).dlopen
    except (OSError, AttributeError):
        return ctypes.CDLL(path)
    dlopen.argtypes, dlopen.restype = [c_char_p, c_int], c_void_p
    dlopen(os.fsencode(path), os.RTLD_NOW | os.RTLD_LOCAL)
    return ctypes.CDLL(path)  # at once where that went well, else it tells the reason


def _bytes_of(attr, output):
    size = attr.elements * 4 if output.want_float else attr.bytes
    if not output.buf or output.size < size:
        message = "output {!r} came as {} bytes instead of {}".format(attr.name, output.size, size)
        raise NpuFailure("board:npu-failed", message)
    return ctypes.string_at(output.buf, size)


def _text(data):
    return protocol.plain(data.split(b"\0")[0].decode("utf-8", "replace")).strip("\r\n")
