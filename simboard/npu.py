"""The virtual NPU: `python -m simboard.npu [options] MODE FOLDER OUT`, one throw-away process per mode.

ONNX Runtime with its graph optimizations turns QuantizeLinear/DequantizeLinear pairs into integer kernels, so
that it differs a little from the float simulation of the same file, as a real NPU does. Leaves report.json
in OUT.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from boardagent import tensorfile
from simboard import artifact as artifacts
from simboard import layertimes, quirks

NUMBERS = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "U8": np.uint8, "I8": np.int8,
           "U16": np.uint16, "I16": np.int16, "U32": np.uint32, "I32": np.int32, "U64": np.uint64,
           "I64": np.int64, "BOOL": np.bool_}  # fmt: skip
NAMES = {np.dtype(number): name for name, number in NUMBERS.items()}
# How ONNX Runtime calls what a tensor file can hold: no texts, sequences, or 16 bit floats of the other kind.
STORABLE = {f"tensor({name})" for name in ("float", "float16", "double", "uint8", "int8", "uint16", "int16",
                                           "uint32", "int32", "uint64", "int64", "bool")}  # fmt: skip
TIMED_RUNS = 5
HANG = 10  # medians
Tensors = dict[str, np.ndarray[Any, Any]]
Execution = tuple[list[np.ndarray[Any, Any]], float]  # outputs, microseconds


class Npu:
    """An artifact on the virtual NPU, with the job's settings and inputs."""

    def __init__(self, folder: Path, out: Path, faults: list[str]) -> None:
        self.job = json.loads((folder / "job.json").read_text())
        self.out = out
        self.artifact = artifacts.load(folder / self.job["artifact"])
        quirks.apply(faults, self.artifact.model)
        self.inputs = read_tensors(folder / self.job["inputs"])
        self.faults = sorted(faults)

    def plain(self) -> dict[str, Any]:
        """Warm up, then time every iteration (microseconds); the outputs of the last one, as far as they are
        numbers."""
        start = time.perf_counter_ns()
        session = self._session(self.artifact.model, ort.SessionOptions())
        init_us = (time.perf_counter_ns() - start) / 1000
        names = [value.name for value in session.get_outputs() if value.type in STORABLE]
        if not names:
            raise artifacts.Rejected("no output of the graph is a tensor of numbers")
        for _ in range(int(self.job.get("warmup", 2))):
            session.run(names, self.inputs)
        times, results = [], []
        for _ in range(max(1, int(self.job.get("iterations", 20)))):
            start = time.perf_counter_ns()
            results = session.run(names, self.inputs)
            times.append((time.perf_counter_ns() - start) / 1000)
        self._save("outputs.safetensors", dict(zip(names, results, strict=True)), {"layerwise": "outputs/1"})
        return {"init_us": init_us, "iterations_us": times, "wall_us": times}

    def timed(self) -> dict[str, Any]:
        """Microseconds of each layer and of the whole instrumented execution (medians)."""
        options = ort.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(self.out / "profile")
        options.optimized_model_filepath = str(self.out / "optimized.onnx")
        session = self._session(self.artifact.model, options)
        names = [value.name for value in session.get_outputs() if value.type in STORABLE]
        for _ in range(TIMED_RUNS):
            session.run(names, self.inputs)
        totals, kernels = layertimes.read_profile(Path(session.end_profiling()))
        tensors = {layer["tensor"]: layer["key"] for layer in self.artifact.layers}
        optimized = onnx.load(options.optimized_model_filepath)
        owners = layertimes.owners_in_optimized(self.artifact.model, optimized, tensors)
        rows = layertimes.times_of_layers(self.artifact.layers, owners, kernels, TIMED_RUNS)
        return {"total_us": float(np.median(totals)), "layers": rows}

    def dump(self) -> dict[str, Any]:
        """Every layer's tensor, raw as the kernels left it; scale and zero point are in the metadata."""
        wanted = [layer["tensor"] for layer in self.artifact.layers]
        model = self._with_outputs(wanted)
        session = self._session(model, ort.SessionOptions())
        made = dict(zip(wanted, session.run(wanted, self.inputs), strict=True))
        tensors = {layer["key"]: dumped(made[layer["tensor"]]) for layer in self.artifact.layers}
        layers = [{k: v for k, v in layer.items() if k != "tensor"} for layer in self.artifact.layers]
        about = {
            "layerwise": "dump/1", "rung": "board", "simulated": "yes",
            "quirks": ",".join(self.faults), "layers": json.dumps(layers),
        }  # fmt: skip
        self._save("layers.safetensors", tensors, about)
        return {"format": "dump/1"}

    def sequence(self) -> dict[str, Any]:
        """Whether executions give the same bits: one input again and again, another one between, a new session."""
        wanted = self.job.get("sequence") or {}
        repeats = max(2, int(wanted.get("repeats", 10)))
        other = {name: np.flip(array) for name, array in self.inputs.items()}
        session = self._session(self.artifact.model, ort.SessionOptions())
        same = [self._executed(session, self.inputs) for _ in range(repeats)]
        between = []
        for _ in range(repeats):
            self._executed(session, other)
            between.append(self._executed(session, self.inputs))
        anew = [
            self._executed(self._session(self.artifact.model, ort.SessionOptions()), self.inputs)
            for _ in range(max(1, int(wanted.get("reloads", 3))))
        ]
        first = same[0][0]
        checks = {"same-input": same, "alternating": between, "reload": anew}
        return {"checks": [check(name, runs, first) for name, runs in checks.items()]}

    def _executed(self, session: ort.InferenceSession, inputs: Tensors) -> Execution:
        names = [value.name for value in session.get_outputs() if value.type in STORABLE]
        start = time.perf_counter_ns()
        results = session.run(names, inputs)
        return [np.asarray(result) for result in results], (time.perf_counter_ns() - start) / 1000

    def _with_outputs(self, wanted: list[str]) -> onnx.ModelProto:
        model = onnx.ModelProto()
        model.CopyFrom(self.artifact.model)
        present = {value.name for value in model.graph.output}
        model.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in dict.fromkeys(wanted) if name not in present
        )
        return model

    def _session(self, model: onnx.ModelProto, options: ort.SessionOptions) -> ort.InferenceSession:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = 1  # steadier times, and several boards share one machine
        options.log_severity_level = 3
        try:
            return ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises a class per status code, without a common base
            raise artifacts.Rejected(str(error)) from error

    def _save(self, name: str, tensors: Tensors, metadata: dict[str, str]) -> None:
        whole = {key: np.asarray(array, order="C") for key, array in tensors.items()}
        entries = [(k, NAMES[a.dtype], a.shape, a.reshape(-1).view(np.uint8).data) for k, a in whole.items()]
        tensorfile.write(str(self.out / name), entries, metadata)


def check(name: str, runs: list[Execution], first: list[np.ndarray[Any, Any]]) -> dict[str, Any]:
    """What one check of the sequence found: executions whose outputs are not bit for bit those of `first`."""
    differing = [
        number
        for number, (outputs, _) in enumerate(runs)
        if any(a.tobytes() != b.tobytes() for a, b in zip(outputs, first, strict=True))
    ]
    apart = [
        float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0))
        for outputs, _ in runs
        for a, b in zip(outputs, first, strict=True)
    ]
    middle = float(np.median([time_us for _, time_us in runs]))
    return {
        "name": name, "runs": len(runs), "differing": differing, "max_difference": max(apart, default=0.0),
        "hangs": sum(time_us > HANG * middle for _, time_us in runs), "median_us": middle,
    }  # fmt: skip


def dumped(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """`array` in a type that a dump may hold: float64 becomes float32."""
    return array.astype(np.float32) if array.dtype == np.float64 else array


def read_tensors(path: Path) -> Tensors:
    """All tensors of a safetensors file."""
    with tensorfile.TensorFile(str(path)) as file:
        return {
            name: np.frombuffer(file.read(name), NUMBERS[dtype]).reshape(shape)
            for name, (dtype, shape, _, _) in file.entries.items()
        }


def report(mode: str, folder: Path, out: Path, faults: list[str]) -> dict[str, Any]:
    """Execute one mode; what it found, or the error in the form of the contract."""
    if mode == "probe":
        return {"npu": about(faults)}
    try:
        npu = Npu(folder, out, faults)
        modes = {"plain": npu.plain, "timed": npu.timed, "dump": npu.dump, "sequence": npu.sequence}
        found = modes[mode]()
    except artifacts.Rejected as error:
        return _error("board:rejected-artifact", str(error))
    except Exception as error:  # a library that fails must leave a reason, not only a trace
        return _error("board:npu-failed", f"{type(error).__name__}: {error}")
    return {**found, "npu": about(faults)}


def about(faults: list[str]) -> dict[str, Any]:
    """What it says of itself: that it is simulated, first of all."""
    return {"simulated": True, "quirks": sorted(faults), "npu": f"ONNX Runtime {ort.__version__}"}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message[:4000], "detail": ""}}


def main(arguments: list[str]) -> int:
    """The program's exit status: 0 with a report, errors included."""
    parser = argparse.ArgumentParser(prog="simboard.npu", description=__doc__)
    parser.add_argument("--quirk", action="append", default=[], choices=sorted(quirks.QUIRKS))
    parser.add_argument("--board-seconds", type=float, default=0.0)
    parser.add_argument("mode", choices=["plain", "timed", "dump", "sequence", "probe"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args(arguments)
    found = report(given.mode, given.folder, given.out, given.quirk)
    if given.mode == "plain":
        time.sleep(given.board_seconds)
    (given.out / "report.json").write_text(json.dumps(found, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
