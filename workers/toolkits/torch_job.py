"""TorchScript to ONNX: a .pt and the shapes of its inputs in, one .onnx file out.

Runs in a limited child in the torch environment's interpreter: `python -P -m workers.toolkits.torch_job FOLDER`.
job.json names the file (`source`), the file to write (`target`) and the inputs in the order of forward (`inputs`: name,
shape, dtype). torch.jit.load reads its pickles by a restricted reader of its own, but the code of the model is a
stranger's.
"""

import re
from pathlib import Path
from typing import Any

import torch

from workers.toolkits.onnxjob.jobside import Refused, log, run_job, stage

OPSETS = (12, 17)  # the vendor's toolkits know 12 best; 17 has what 12 lacks
NO_TENSOR = re.compile(
    r"missing value for argument '\w+'.*|Expected a value of type '(?!Tensor)[^']*' for argument '\w+'"
)
NOT_THERE = ("UnsupportedOperatorError", "OnnxExporterError", "SymbolicValueError")


def convert(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Load, run once, export. Raises Refused model:invalid, data:wrong-shape, model:unsupported-input or
    model:unsupported-operator."""
    stage("loading TorchScript", 0, 1)
    module = load(folder / str(job["source"]))
    examples = tuple(example(one) for one in job["inputs"])
    try_out(module, examples, job["inputs"])
    stage("exporting to ONNX", 0, 1)
    target, names = folder / str(job["target"]), [str(one["name"]) for one in job["inputs"]]
    opset = export(module, examples, names, target)
    log(f"torch {torch.__version__} wrote ONNX of opset {opset}.")
    stage("exporting to ONNX", 1, 1)
    return {"onnx": target.name, "torch_version": torch.__version__, "opset": opset}


def load(path: Path) -> Any:
    """The module on the CPU, made for inference."""
    try:
        module = torch.jit.load(str(path), map_location="cpu")
    except (RuntimeError, ValueError, EOFError) as error:
        raise Refused("model:invalid", f"torch.jit.load: {last_line(error)}") from error
    return module.eval()


def example(one: dict[str, Any]) -> torch.Tensor:
    """A tensor of the input's shape and type; zeros, because only shapes matter to a trace."""
    kind = getattr(torch, str(one["dtype"]), None)
    if not isinstance(kind, torch.dtype):
        raise Refused("recipe:invalid", f"Input {one['name']!r} has the type {one['dtype']!r}.")
    return torch.zeros([int(size) for size in one["shape"]], dtype=kind)


def try_out(module: Any, examples: tuple[torch.Tensor, ...], inputs: list[dict[str, Any]]) -> None:
    """Run it once, so that a shape that does not fit is told apart from what the export cannot do."""
    try:
        with torch.no_grad():
            module(*examples)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        if found := NO_TENSOR.search(str(error)):
            raise Refused("model:unsupported-input", f"forward: {found[0]}") from error
        given = ", ".join(f"{one['name']} {list(one['shape'])}" for one in inputs)
        raise Refused("data:wrong-shape", f"forward does not take {given}: {last_line(error)}") from error


def export(module: Any, examples: tuple[torch.Tensor, ...], names: list[str], target: Path) -> int:
    """Write the ONNX file; the opset that it has."""
    for opset in OPSETS:
        try:
            torch.onnx.export(
                module, examples, str(target), input_names=names, opset_version=opset, dynamo=False
            )
        except (RuntimeError, ValueError, TypeError) as error:
            if opset == OPSETS[-1]:
                kind = "unsupported-operator" if type(error).__name__ in NOT_THERE else "invalid"
                raise Refused(f"model:{kind}", f"torch.onnx.export: {last_line(error)}") from error
        else:
            return opset
    raise AssertionError("no opset")


def last_line(error: Exception) -> str:
    """The line of a long message that says why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:1500]


if __name__ == "__main__":
    run_job(convert)
